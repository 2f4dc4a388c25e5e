//! Product classes of the certificate rule, products a method does not suit, certificate forms.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tianyin_domain::Date;
use tianyin_domain::certificate_form::{BasisBox, CertificateForm, Issuer};
use tianyin_domain::measurement::Method;

use super::{About, Mark, TableFile, normalise};

/// `data/classes.toml`: the classes of 令2025年第4号 art 3.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    about: About,
    /// Classes.
    #[serde(rename = "class")]
    pub classes: Vec<ClassRow>,
}

/// One class.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRow {
    /// Code as in the product record, such as `fresh_tea`.
    pub code: String,
    /// Title in Chinese.
    pub title: String,
    /// Names of products the ministry may add under its clause (7); others of the class stay out.
    #[serde(default)]
    pub only_products: Vec<String>,
}

impl Classes {
    /// The class a product falls under; `None` = outside the rule, a certificate is voluntary.
    pub fn class(&self, code: &str, product: &str) -> Option<&ClassRow> {
        self.classes.iter().find(|row| {
            row.code == code
                && (code != "other"
                    || row.only_products.iter().any(|p| product.contains(p.as_str())))
        })
    }
}

impl TableFile for Classes {
    const NAME: &'static str = "classes";

    fn about(&self) -> &About {
        &self.about
    }

    fn rows(&self) -> usize {
        self.classes.len()
    }

    fn faults(&self) -> Vec<String> {
        duplicates(self.classes.iter().map(|row| row.code.as_str()))
    }
}

/// `data/unsuitable.toml`: products whose own juice disturbs a method (domain/testing, section 2).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsuitable {
    about: About,
    /// Rows.
    #[serde(rename = "row")]
    pub rows: Vec<UnsuitableRow>,
}

/// What an unsuitable product leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuitabilityEffect {
    /// No verdict.
    Hold,
    /// A verdict with a remark.
    Note,
}

impl SuitabilityEffect {
    /// The word scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Note => "note",
        }
    }
}

/// Products one method, or one standard of it, does not suit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnsuitableRow {
    /// Method.
    pub method: Method,
    /// Standard; empty = every standard of the method.
    #[serde(default)]
    pub standard: String,
    /// Words in the product's name.
    pub names: Vec<String>,
    /// Words that show another product, such as 胡萝卜 for 萝卜.
    #[serde(default)]
    pub not_names: Vec<String>,
    /// What follows.
    pub effect: SuitabilityEffect,
    /// How sure.
    #[serde(default)]
    pub mark: Mark,
}

impl Unsuitable {
    /// The row that speaks against a method for a product; hold before note.
    pub fn find(&self, method: Method, standard: &str, product: &str) -> Option<&UnsuitableRow> {
        let standard = normalise(standard);
        let fits = |row: &&UnsuitableRow| {
            row.method == method
                && (row.standard.is_empty() || normalise(&row.standard) == standard)
                && row.names.iter().any(|word| product.contains(word.as_str()))
                && !row.not_names.iter().any(|word| product.contains(word.as_str()))
        };
        let hold = |row: &&UnsuitableRow| row.effect == SuitabilityEffect::Hold;
        self.rows.iter().filter(fits).find(hold).or_else(|| self.rows.iter().find(fits))
    }
}

impl TableFile for Unsuitable {
    const NAME: &'static str = "unsuitable";

    fn about(&self) -> &About {
        &self.about
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn faults(&self) -> Vec<String> {
        let empty = |row: &UnsuitableRow| {
            row.names.iter().chain(&row.not_names).any(|word| word.trim().is_empty())
        };
        let rows = self.rows.iter().enumerate().filter(|(_, row)| empty(row));
        rows.map(|(at, _)| format!("row {at} has an empty name")).collect()
    }
}

/// `data/forms.toml`: certificate forms by days of issue (domain/rules-of-law, section 2).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forms {
    about: About,
    /// Forms.
    #[serde(rename = "form")]
    pub forms: Vec<Form>,
}

/// One form; what it says of itself goes with every certificate issued on it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Id, such as `producer-2026`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Heading of the paper.
    pub title: String,
    /// First day of issue.
    pub valid_from: Date,
    /// Last day; absent while in force.
    #[serde(default)]
    pub valid_to: Option<Date>,
    /// Who issues it.
    pub issuer: Issuer,
    /// The commitment, or what stands before its items.
    pub commitment: String,
    /// Lines of the commitment with a box each.
    #[serde(default)]
    pub items: Vec<String>,
    /// Bases that may be ticked on it, with their words.
    #[serde(default)]
    pub bases: Vec<BasisBox>,
    /// How sure.
    #[serde(default)]
    pub mark: Mark,
}

impl Form {
    /// As records know it.
    pub fn to_domain(&self) -> CertificateForm {
        CertificateForm {
            id: self.id.clone(),
            name: self.name.clone(),
            title: self.title.clone(),
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            issuer: self.issuer,
            commitment: self.commitment.clone(),
            items: self.items.clone(),
            bases: self.bases.clone(),
        }
    }
}

impl Forms {
    /// A form by id.
    pub fn form(&self, id: &str) -> Option<&Form> {
        self.forms.iter().find(|form| form.id == id)
    }
}

impl TableFile for Forms {
    const NAME: &'static str = "forms";

    fn about(&self) -> &About {
        &self.about
    }

    fn rows(&self) -> usize {
        self.forms.len()
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = duplicates(self.forms.iter().map(|form| form.id.as_str()));
        let ends_early = |form: &&Form| form.valid_to.is_some_and(|to| to < form.valid_from);
        let early = self.forms.iter().filter(ends_early);
        faults.extend(early.map(|form| format!("{} ends before it begins", form.id)));
        for (at, form) in self.forms.iter().enumerate() {
            let end = |form: &Form| form.valid_to.unwrap_or(Date::MAX);
            let meets = |other: &&Form| {
                other.issuer == form.issuer
                    && other.valid_from <= end(form)
                    && form.valid_from <= end(other)
            };
            let others = self.forms[..at].iter().filter(meets);
            faults.extend(others.map(|o| format!("{} and {} are of the same days", o.id, form.id)));
        }
        faults
    }
}

pub(super) fn duplicates<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    ids.filter(|id| !seen.insert(*id)).map(|id| format!("{id} is there twice")).collect()
}
