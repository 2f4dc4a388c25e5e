//! Rapid methods: standards with thresholds, plausibility of the control, what a method covers.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use tianyin_domain::measurement::Method;

use super::{About, Mark, TableFile, normalise};

/// `data/methods.toml` (domain/testing, sections 2 and 3).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Methods {
    about: About,
    /// Standard of an enzyme inhibition run that names none.
    pub default_inhibition_standard: String,
    /// Smallest plausible absorbance change of the control, ΔA0.
    pub control_delta_a_min: Decimal,
    /// Largest plausible ΔA0.
    pub control_delta_a_max: Decimal,
    /// Standards.
    #[serde(rename = "standard")]
    pub standards: Vec<Standard>,
    /// Which substance groups a method covers as a whole.
    #[serde(default)]
    pub coverage: Vec<Coverage>,
    /// Which substance groups a test item covers, whatever the method.
    #[serde(default, rename = "item")]
    pub items: Vec<TestItem>,
}

/// A standard that turns a reading into a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    /// Number of the standard, such as `GB/T 5009.199-2003`.
    pub id: String,
    /// Method it belongs to.
    pub method: Method,
    /// Inhibition in percent from which, itself included, a result is positive.
    pub positive_from: Decimal,
    /// What a result at or above the threshold is called.
    pub positive_word: String,
    /// How sure.
    #[serde(default)]
    pub mark: Mark,
}

/// Groups of substances a method finds as a whole.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Method.
    pub method: Method,
    /// Group ids of `data/substances.toml`.
    pub groups: Vec<String>,
}

/// Groups of substances behind the code of a test item.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestItem {
    /// Item code, such as `pesticide_op_carb`.
    pub code: String,
    /// Group ids.
    pub groups: Vec<String>,
}

impl Methods {
    /// The standard a run names, or the default one when it names none (`id` empty).
    pub fn standard(&self, method: &str, id: &str) -> Option<&Standard> {
        let wanted = normalise(if id.is_empty() { &self.default_inhibition_standard } else { id });
        self.standards
            .iter()
            .find(|s| method_word(s.method) == method && normalise(&s.id) == wanted)
    }

    /// Whether a method or test item finds a group of substances as a whole.
    pub fn covers_group(&self, method: &str, item_code: &str, group: &str) -> bool {
        let by_method = self.coverage.iter().filter(|c| method_word(c.method) == method);
        let by_item = self.items.iter().filter(|i| !item_code.is_empty() && i.code == item_code);
        by_method.flat_map(|c| &c.groups).any(|g| g == group)
            || by_item.flat_map(|i| &i.groups).any(|g| g == group)
    }
}

fn method_word(method: Method) -> &'static str {
    match method {
        Method::EnzymeInhibition => "enzyme_inhibition",
        Method::ColloidalGold => "colloidal_gold",
        Method::Elisa => "elisa",
        Method::Other => "other",
        Method::Chromatography => "chromatography",
    }
}

impl TableFile for Methods {
    const NAME: &'static str = "methods";

    fn about(&self) -> &About {
        &self.about
    }

    fn rows(&self) -> usize {
        self.standards.len() + self.coverage.len() + self.items.len()
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.standard("enzyme_inhibition", "").is_none() {
            faults.push(format!(
                "default_inhibition_standard {:?} is not among the standards",
                self.default_inhibition_standard
            ));
        }
        if self.control_delta_a_min > self.control_delta_a_max {
            faults.push("control_delta_a_min is above control_delta_a_max".into());
        }
        for standard in &self.standards {
            if standard.positive_from <= Decimal::ZERO
                || standard.positive_from > Decimal::from(100)
            {
                faults.push(format!("{}: positive_from must be in 0..100", standard.id));
            }
        }
        faults
    }
}
