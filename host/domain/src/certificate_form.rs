//! Forms of the certificate (样式): who uses them, on which days, and their wording to the byte. They are data
//! (`rules/data/forms.toml`), because days and box texts of the older ones are not confirmed; what a
//! certificate was issued on is frozen with it (domain/rules-of-law, section 2).

use serde::{Deserialize, Serialize};

use crate::certificate::Basis;
use crate::time::Date;

/// Who makes the commitment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Issuer {
    /// Who grew, raised or caught it: 样式一.
    #[default]
    Producer,
    /// Who bought, and mixed or packed anew: 样式二 (law art 39).
    Buyer,
}

/// One tick box of the basis, with the words of its form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasisBox {
    /// The basis.
    pub basis: Basis,
    /// Its words.
    pub text: String,
}

/// A form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateForm {
    /// Id, such as `producer-2026`.
    pub id: String,
    /// Name for people, such as 2026 年样式一(生产者).
    pub name: String,
    /// Heading of the paper, such as 承诺达标合格证.
    pub title: String,
    /// First day of issue.
    pub valid_from: Date,
    /// Last day; absent while in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
    /// Who uses it; a form of both has this on one of them only, see [`form_on`].
    #[serde(default)]
    pub issuer: Issuer,
    /// The commitment; where it has items, what stands before them.
    pub commitment: String,
    /// Lines of the commitment with a box each, all ticked by whoever commits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// Boxes of the basis, in order; none on the form of 2019.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bases: Vec<BasisBox>,
}

impl CertificateForm {
    /// Whether it is issued on a day.
    pub fn covers(&self, day: Date) -> bool {
        self.valid_from <= day && self.valid_to.is_none_or(|to| day <= to)
    }

    /// The whole commitment, as it is signed.
    pub fn wording(&self) -> String {
        let lines = std::iter::once(&self.commitment).chain(&self.items);
        lines.map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The words of a basis on it.
    pub fn basis_text(&self, basis: Basis) -> &str {
        let own = self.bases.iter().find(|one| one.basis == basis);
        own.map_or(basis.wording(), |one| &one.text)
    }
}

/// The form of a day: that of the issuer, or, before there were two, the one there was. The latest counts.
pub fn form_on(forms: &[CertificateForm], day: Date, issuer: Issuer) -> Option<&CertificateForm> {
    let of = |issuer: Issuer| {
        let in_force = forms.iter().filter(move |form| form.issuer == issuer && form.covers(day));
        in_force.max_by_key(|form| form.valid_from)
    };
    let producers = of(Issuer::Producer);
    match issuer {
        Issuer::Producer => producers,
        Issuer::Buyer => of(Issuer::Buyer).or(producers),
    }
}

/// The form of certificates that were issued before it was frozen with them: form 1 of 2026.
pub fn first_known() -> CertificateForm {
    let boxes = Basis::OF_2026.map(|basis| BasisBox { basis, text: basis.wording().into() });
    CertificateForm {
        id: "producer-2026".into(),
        name: "2026 年样式一(生产者)".into(),
        title: "承诺达标合格证".into(),
        valid_from: jiff::civil::date(2026, 2, 1),
        valid_to: None,
        issuer: Issuer::Producer,
        commitment: COMMITMENT_2026.into(),
        items: Vec::new(),
        bases: boxes.to_vec(),
    }
}

/// 令2025年第4号, form 1.
const COMMITMENT_2026: &str =
    "我承诺生产销售的食用农产品 未使用禁用农药、兽药及其他化合物;使用的常规农药、兽药残留不超标。";
