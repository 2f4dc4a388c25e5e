//! Maximum residue limits by substance, product and date. A county imports its own table: no
//! official machine-readable list is known (domain/rules-of-law, section 6).

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde::Deserialize;
use tianyin_domain::Date;

use super::{About, Mark, TableFile, in_force, normalise};

/// `data/limits.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidueLimits {
    about: About,
    /// Standards with their days of force.
    #[serde(default, rename = "version")]
    pub versions: Vec<LimitVersion>,
    /// Limits.
    #[serde(default, rename = "limit")]
    pub rows: Vec<Limit>,
    #[serde(skip)]
    by_substance: HashMap<String, Vec<usize>>,
}

/// One edition of a limit standard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitVersion {
    /// Number, such as `GB 2763-2026`.
    pub id: String,
    /// First day.
    pub valid_from: Date,
    /// Last day; absent while in force.
    #[serde(default)]
    pub valid_to: Option<Date>,
}

/// One limit of one edition.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Edition.
    pub version: String,
    /// Substance by its common Chinese name.
    pub substance: String,
    /// Product name; wins over a class.
    #[serde(default)]
    pub product: String,
    /// Product class, such as `vegetable`; empty with an empty product means every product.
    #[serde(default)]
    pub class: String,
    /// Largest lawful amount.
    pub num: Decimal,
    /// Unit, `mg/kg`.
    pub unit: String,
    /// How sure.
    #[serde(default)]
    pub mark: Mark,
}

impl ResidueLimits {
    /// The limit in force on a day: by product name, else by class, else for every product.
    pub fn limit(&self, substance: &str, class: &str, product: &str, day: Date) -> Option<&Limit> {
        let product = normalise(product);
        let rows = self.by_substance.get(&normalise(substance))?;
        rows.iter()
            .filter_map(|&at| self.rows.get(at))
            .filter(|row| self.edition_in_force(&row.version, day))
            .filter_map(|row| rank(row, class, &product).map(|rank| (rank, row)))
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, row)| row)
    }

    fn edition_in_force(&self, id: &str, day: Date) -> bool {
        self.versions.iter().any(|v| v.id == id && in_force(Some(v.valid_from), v.valid_to, day))
    }
}

/// How closely a row fits; smaller is closer, `None` does not fit.
fn rank(row: &Limit, class: &str, product: &str) -> Option<u8> {
    match (row.product.is_empty(), row.class.is_empty()) {
        (false, _) => (normalise(&row.product) == product).then_some(0),
        (true, false) => (row.class == class).then_some(1),
        (true, true) => Some(2),
    }
}

impl TableFile for ResidueLimits {
    const NAME: &'static str = "limits";

    fn about(&self) -> &About {
        &self.about
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut seen = HashMap::new();
        for (at, row) in self.rows.iter().enumerate() {
            let key =
                (&row.version, normalise(&row.substance), normalise(&row.product), &row.class);
            if let Some(first) = seen.insert(key, at) {
                faults.push(format!("limits {first} and {at} are for the same thing"));
            }
            if !self.versions.iter().any(|v| v.id == row.version) {
                faults.push(format!("limit {at}: version {:?} has no dates", row.version));
            }
            if row.num < Decimal::ZERO {
                faults.push(format!("limit {at}: a limit cannot be negative"));
            }
        }
        let ends_early = |v: &&LimitVersion| v.valid_to.is_some_and(|to| to < v.valid_from);
        let early = self.versions.iter().filter(ends_early);
        faults.extend(early.map(|v| format!("{} ends before it begins", v.id)));
        faults
    }

    fn index(&mut self) {
        for (at, row) in self.rows.iter().enumerate() {
            self.by_substance.entry(normalise(&row.substance)).or_default().push(at);
        }
    }
}
