//! Technical procedures (生产技术规程, 一品一标) as templates of production records: a grower takes a step of
//! the procedure and need not write it.

use serde::Deserialize;
use tianyin_domain::activity::ActivityKind;

use super::{About, Mark, TableFile};

/// Steps of one procedure: more do not fit a phone.
const STEPS_MAX: usize = 40;
/// Characters of a note and of a dose, as the record takes them.
const NOTE_MAX: usize = 256;
const DOSE_MAX: usize = 64;

/// `data/procedures.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Procedures {
    about: About,
    /// Procedures.
    #[serde(default, rename = "procedure")]
    pub rows: Vec<Procedure>,
}

/// One procedure.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Procedure {
    /// Title.
    pub title: String,
    /// Number of the standard, or document.
    #[serde(default)]
    pub basis: String,
    /// Crops that it is for; they win over classes.
    #[serde(default)]
    pub crops: Vec<String>,
    /// Product classes that it is for.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Steps, in their order.
    #[serde(rename = "step")]
    pub steps: Vec<ProcedureStep>,
    /// How sure.
    #[serde(default)]
    pub mark: Mark,
}

/// One step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcedureStep {
    /// What it is called.
    pub title: String,
    /// Kind of the record.
    pub kind: ActivityKind,
    /// Dose in words, as the procedure has it.
    #[serde(default)]
    pub dose: String,
    /// Note of the record.
    #[serde(default)]
    pub note: String,
}

impl Procedures {
    /// Procedures of a product: those of its crop, else those of its class.
    pub fn of(&self, crop: &str, class: &str) -> Vec<(usize, &Procedure)> {
        let numbered = || self.rows.iter().enumerate();
        let own: Vec<_> =
            numbered().filter(|(_, row)| row.crops.iter().any(|one| one == crop)).collect();
        if !own.is_empty() {
            return own;
        }
        numbered().filter(|(_, row)| row.classes.iter().any(|one| one == class)).collect()
    }
}

impl TableFile for Procedures {
    const NAME: &'static str = "procedures";

    fn about(&self) -> &About {
        &self.about
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for row in &self.rows {
            if row.crops.is_empty() && row.classes.is_empty() {
                faults.push(format!("{} is for no crop and no class", row.title));
            }
            if row.steps.is_empty() || row.steps.len() > STEPS_MAX {
                faults.push(format!("{} has no step or more than {STEPS_MAX}", row.title));
            }
            let long = |text: &str, max: usize| text.chars().count() > max;
            for step in &row.steps {
                if step.title.is_empty() || long(&step.note, NOTE_MAX) || long(&step.dose, DOSE_MAX)
                {
                    faults
                        .push(format!("{}: step {:?} is empty or too long", row.title, step.title));
                }
            }
        }
        faults
    }
}
