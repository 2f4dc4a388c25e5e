//! Standing authorisations: an operator lets the county's agencies issue certificates in its name,
//! on record and revocable. Without one, only the operator's own act issues (law art 39).

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::operator::Operator;
use crate::product::Product;
use crate::state::{Entity, Entry, Index, State, StateError, Table};
use crate::time::{Date, Time};

/// A standing authorisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorisation {
    /// Id, `aut_…`.
    pub id: String,
    /// Operator that grants it.
    pub operator: String,
    /// Product it is limited to; every product when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Person who granted it for the operator.
    pub granted_by: String,
    /// Evidence on paper, such as the number and place of the signed sheet.
    pub evidence: String,
    /// A passing test issues and prints at once, without a click.
    pub auto_issue: bool,
    /// Printer for automatic labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printer: Option<String>,
    /// First day.
    pub valid_from: Date,
    /// Last day; open-ended when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Time>,
    /// Region code of the operator.
    pub area: String,
}

impl Authorisation {
    /// Whether it covers issuing for a product on a day.
    pub fn covers(&self, product: &str, on: Date) -> bool {
        self.revoked_at.is_none()
            && self.product.as_deref().is_none_or(|p| p == product)
            && self.valid_from <= on
            && self.valid_to.is_none_or(|to| on <= to)
    }
}

/// By operator.
pub const BY_OPERATOR: Index = Index("authorisation.operator");

impl Entity for Authorisation {
    const TABLE: Table = Table("authorisation");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(BY_OPERATOR, &self.operator, &self.id)]
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: records an authorisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantAuthorisation {
    /// Operator.
    pub operator: String,
    /// Product, or every product.
    #[serde(default)]
    pub product: Option<String>,
    /// Person who granted it.
    pub granted_by: String,
    /// Evidence.
    pub evidence: String,
    /// Issue automatically.
    #[serde(default)]
    pub auto_issue: bool,
    /// Printer for automatic labels.
    #[serde(default)]
    pub printer: Option<String>,
    /// First day.
    pub valid_from: Date,
    /// Last day.
    #[serde(default)]
    pub valid_to: Option<Date>,
}

/// Command and event payload: ends an authorisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeAuthorisation {
    /// Authorisation.
    pub authorisation: String,
}

/// The authorisation under which an agency may issue for a product on a day: the newest, whatever
/// the order in which the state lists them.
pub fn covering(
    state: &dyn State,
    operator: &str,
    product: &str,
    on: Date,
) -> Result<Option<Authorisation>, StateError> {
    let all = state.list::<Authorisation>(BY_OPERATOR, operator, AUTHORISATIONS_MAX)?;
    Ok(all.into_iter().filter(|a| a.covers(product, on)).max_by(|a, b| a.id.cmp(&b.id)))
}

/// Authorisations one operator may have on record, revoked ones included; all of them are looked at.
pub const AUTHORISATIONS_MAX: usize = 200;

pub(crate) fn grant(
    ctx: &mut Context<'_>,
    c: GrantAuthorisation,
) -> Result<Authorisation, DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    let mut check = Check::new();
    check.text("granted_by", &c.granted_by, 32).text("evidence", &c.evidence, 128);
    check.ensure(c.valid_to.is_none_or(|to| to >= c.valid_from), "valid_to", "bad_range");
    if let Some(product) = &c.product {
        let product: Product = ctx.require("product", product)?;
        check.ensure(product.operator == operator.id, "product", "other_operator");
    }
    if let Some(printer) = &c.printer {
        let device: crate::device::Device = ctx.require("device", printer)?;
        let prints = device.kind == crate::device::DeviceKind::Printer;
        check.ensure(prints, "printer", "not_a_printer");
    }
    let granted = ctx.state.ids(BY_OPERATOR, &operator.id, AUTHORISATIONS_MAX)?;
    check.ensure(granted.len() < AUTHORISATIONS_MAX, "operator", "too_many");
    check.done()?;
    Ok(Authorisation {
        id: new_id("aut", ctx.time, ctx.random),
        operator: operator.id,
        product: c.product,
        granted_by: c.granted_by,
        evidence: c.evidence,
        auto_issue: c.auto_issue,
        printer: c.printer,
        valid_from: c.valid_from,
        valid_to: c.valid_to,
        revoked_at: None,
        area: operator.area,
    })
}

pub(crate) fn revoke(
    ctx: &mut Context<'_>,
    c: RevokeAuthorisation,
) -> Result<RevokeAuthorisation, DomainError> {
    let found: Authorisation = ctx.require("authorisation", &c.authorisation)?;
    if found.revoked_at.is_some() {
        return Err(DomainError::refused("authorisation_revoked", &[]));
    }
    Ok(c)
}
