//! Certifications (认证): green, organic, geographical indication, registered trade marks, quality systems,
//! recognitions. Their kinds are a dated table of the rule pack, because the terms changed over time
//! (domain/rules-of-law, section 9); a record keeps the kind's code.

use serde::{Deserialize, Serialize};

use crate::attachment::{self, Attachment};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::operator::Operator;
use crate::product::Product;
use crate::state::{Entity, Entry, Index, Table};
use crate::time::{Date, Time};

/// Products named in one certification.
pub const PRODUCTS_MAX: usize = 50;
/// Certifications of one operator looked at for the same number.
const OF_OPERATOR_MAX: usize = 500;
/// Days before the end from which on its renewal is due to be thought of.
pub const EXPIRING_DAYS: i64 = 90;

/// A certification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certification {
    /// Id, `cfn_…`.
    pub id: String,
    /// Operator that holds it.
    pub operator: String,
    /// Products it covers; empty stands for the operator as a whole.
    #[serde(default)]
    pub products: Vec<String>,
    /// Code of its kind, such as `green`.
    pub kind: String,
    /// Number on the certificate.
    pub number: String,
    /// Who gave it.
    #[serde(default)]
    pub issuer: String,
    /// First day.
    pub valid_from: Date,
    /// Last day; `None` without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
    /// Pictures or scans of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The one that it renews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews: Option<String>,
    /// The one that renews it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed_by: Option<String>,
    /// Region code of the operator.
    pub area: String,
    /// When it was put on record.
    pub filed_at: Time,
    /// Why it ended before its time: revoked, given up, entered in error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// How a certification stands on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its first day is yet to come.
    Coming,
    /// Good.
    Valid,
    /// Good, and over within [`EXPIRING_DAYS`].
    Expiring,
    /// Its last day is over.
    Over,
    /// Another took its place.
    Renewed,
    /// Ended before its time.
    Ended,
}

impl Certification {
    /// How it stands on a day.
    pub fn standing(&self, day: Date) -> Standing {
        let left = self.valid_to.map(|to| i64::from(day.until(to).map_or(0, |s| s.get_days())));
        match left {
            _ if self.ended.is_some() => Standing::Ended,
            _ if day < self.valid_from => Standing::Coming,
            Some(left) if left < 0 && self.renewed_by.is_some() => Standing::Renewed,
            Some(left) if left < 0 => Standing::Over,
            Some(left) if left < EXPIRING_DAYS && self.renewed_by.is_none() => Standing::Expiring,
            _ => Standing::Valid,
        }
    }

    /// Whether it speaks for a product on a day.
    pub fn covers(&self, product: &str, day: Date) -> bool {
        matches!(self.standing(day), Standing::Valid | Standing::Expiring)
            && (self.products.is_empty() || self.products.iter().any(|one| one == product))
    }
}

/// By operator; part `""` holds all.
pub const BY_OPERATOR: Index = Index("certification.operator");
/// By kind.
pub const BY_KIND: Index = Index("certification.kind");
/// By last day, for those that count and have one.
pub const BY_END: Index = Index("certification.end");
/// By digest of an attachment.
pub const BY_ATTACHMENT: Index = Index("certification.attachment");

impl Entity for Certification {
    const TABLE: Table = Table("certification");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
            Entry::new(BY_OPERATOR, "", &self.id),
            Entry::new(BY_KIND, &self.kind, &self.id),
        ];
        if let (Some(to), None, None) = (self.valid_to, &self.ended, &self.renewed_by) {
            entries.push(Entry::new(BY_END, "", to.to_string()));
        }
        let files = self.attachments.iter();
        entries.extend(files.map(|one| Entry::new(BY_ATTACHMENT, &one.hash, &self.id)));
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: puts a certification on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddCertification {
    /// Operator.
    pub operator: String,
    /// Products, at most [`PRODUCTS_MAX`]; empty stands for the operator as a whole.
    #[serde(default)]
    pub products: Vec<String>,
    /// Code of its kind, of the table `certifications`.
    pub kind: String,
    /// Number on the certificate.
    pub number: String,
    /// Who gave it.
    #[serde(default)]
    pub issuer: String,
    /// First day.
    pub valid_from: Date,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
    /// Each uploaded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The one of the same operator and kind that it renews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews: Option<String>,
}

/// Command and event payload: a certification ends before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndCertification {
    /// Certification.
    pub certification: String,
    /// Why.
    pub reason: String,
}

pub(crate) fn add(
    ctx: &mut Context<'_>,
    c: AddCertification,
) -> Result<Certification, DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    let renews = c.renews.filter(|id| !id.is_empty());
    let number = c.number.trim();
    let mut check = Check::new();
    check
        .text("kind", &c.kind, 32)
        .text("number", number, 64)
        .optional_text("issuer", &c.issuer, 64)
        .ensure(c.products.len() <= PRODUCTS_MAX, "products", "too_many")
        .ensure(c.valid_to.is_none_or(|to| to >= c.valid_from), "valid_to", "bad_range");
    attachment::check(&mut check, &c.attachments);
    for id in c.products.iter().take(PRODUCTS_MAX) {
        let product: Product = ctx.require("product", id)?;
        check.ensure(product.operator == operator.id, "products", "other_operator");
    }
    if let Some(id) = &renews {
        let old: Certification = ctx.require("certification", id)?;
        let fits = old.operator == operator.id && old.kind == c.kind && old.renewed_by.is_none();
        check.ensure(fits, "renews", "not_to_renew");
    }
    check.done()?;
    let known =
        ctx.state.list::<Certification>(BY_OPERATOR, &operator.id, OF_OPERATOR_MAX)?.into_iter();
    let is_same = |one: &Certification| {
        one.ended.is_none()
            && one.kind == c.kind
            && one.number == number
            && one.valid_from == c.valid_from
    };
    if known.into_iter().any(|one| is_same(&one)) {
        return Err(DomainError::refused("certification_known", &[("number", number)]));
    }
    Ok(Certification {
        id: new_id("cfn", ctx.time, ctx.random),
        operator: operator.id,
        products: c.products,
        kind: c.kind,
        number: number.into(),
        issuer: c.issuer.trim().into(),
        valid_from: c.valid_from,
        valid_to: c.valid_to,
        attachments: c.attachments,
        renews,
        renewed_by: None,
        area: operator.area,
        filed_at: ctx.time,
        ended: None,
    })
}

pub(crate) fn end(
    ctx: &mut Context<'_>,
    c: EndCertification,
) -> Result<EndCertification, DomainError> {
    let one: Certification = ctx.require("certification", &c.certification)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    if one.ended.is_some() {
        return Err(DomainError::refused("no_change", &[("name", &one.number)]));
    }
    Ok(EndCertification { certification: one.id, reason: c.reason.trim().into() })
}
