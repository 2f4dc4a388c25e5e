//! Active substances and the groups rapid methods know them by ("用什么药、检什么药").

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{About, Mark, TableFile, normalise};

/// `data/substances.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Substances {
    about: About,
    /// Groups of substances.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    /// Other names: every list is one substance, its common name first.
    #[serde(default)]
    pub aliases: Vec<Vec<String>>,
    #[serde(skip)]
    by_name: HashMap<String, usize>,
    #[serde(skip)]
    common_name: HashMap<String, String>,
}

/// What kind of input a substance belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 农药.
    Pesticide,
    /// 兽药.
    VeterinaryDrug,
}

impl Kind {
    /// The word scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pesticide => "pesticide",
            Self::VeterinaryDrug => "veterinary_drug",
        }
    }
}

/// One group.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Id, such as `organophosphorus`.
    pub id: String,
    /// Title in Chinese.
    pub title: String,
    /// Kind.
    pub kind: Kind,
    /// No residue limit is set for these, so no test need cover them.
    #[serde(default)]
    pub limit_exempt: bool,
    /// How sure.
    #[serde(default)]
    pub mark: Mark,
    /// Substances by common Chinese name.
    pub substances: Vec<String>,
}

impl Substances {
    /// The group of a substance.
    pub fn group(&self, substance: &str) -> Option<&Group> {
        self.by_name.get(&self.common(substance)).and_then(|&at| self.groups.get(at))
    }

    /// Whether two names mean one substance.
    pub fn same(&self, one: &str, other: &str) -> bool {
        self.common(one) == self.common(other)
    }

    /// The common name, normalised; the name itself when it is not known.
    pub fn common(&self, name: &str) -> String {
        let name = normalise(name);
        self.common_name.get(&name).cloned().unwrap_or(name)
    }
}

impl TableFile for Substances {
    const NAME: &'static str = "substances";

    fn about(&self) -> &About {
        &self.about
    }

    fn rows(&self) -> usize {
        self.groups.iter().map(|g| g.substances.len()).sum()
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut seen = HashMap::new();
        for group in &self.groups {
            for substance in &group.substances {
                if let Some(first) = seen.insert(normalise(substance), &group.id) {
                    faults.push(format!("{substance} is in {first} and in {}", group.id));
                }
            }
        }
        faults
    }

    fn index(&mut self) {
        for names in &self.aliases {
            let Some(first) = names.first() else { continue };
            for name in names {
                self.common_name.insert(normalise(name), normalise(first));
            }
        }
        for (at, group) in self.groups.iter().enumerate() {
            for substance in &group.substances {
                self.by_name.insert(self.common(substance), at);
            }
        }
    }
}
