//! Production operators (生产经营主体): who grows, raises, buys and sells (R-007…R-009).

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::identity::{UsccCheck, check_uscc, mask_phone, normalise};
use crate::state::{Entity, Entry, Index, Table};

/// Kind of operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorKind {
    /// 农业企业.
    Enterprise,
    /// 农民专业合作社.
    Cooperative,
    /// 家庭农场.
    FamilyFarm,
    /// 种养殖散户 / 农户, a natural person.
    Farmer,
    /// 收购单位或个人.
    Buyer,
    /// 批发市场.
    WholesaleMarket,
    /// 规模商超.
    Supermarket,
    /// 机关学校食堂.
    Canteen,
    /// 农村集体经济组织.
    Collective,
}

impl OperatorKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 9] = [
        Self::Enterprise,
        Self::Cooperative,
        Self::FamilyFarm,
        Self::Farmer,
        Self::Collective,
        Self::Buyer,
        Self::WholesaleMarket,
        Self::Supermarket,
        Self::Canteen,
    ];

    /// Whether the operator is a natural person whose data are personal.
    pub fn is_natural_person(self) -> bool {
        self == Self::Farmer
    }
}

/// Where an operator stands in registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorStatus {
    /// Waits for the county's review.
    Submitted,
    /// On the register.
    Approved,
    /// Sent back with a reason.
    Returned,
    /// Suspended with a reason.
    Suspended,
}

impl OperatorStatus {
    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Returned => "returned",
            Self::Suspended => "suspended",
        }
    }
}

/// An operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Id, `opr_…`.
    pub id: String,
    /// Registered name.
    pub name: String,
    /// Kind.
    pub kind: OperatorKind,
    /// Unified social credit code; empty for farmers.
    #[serde(default)]
    pub uscc: String,
    /// Why a wrong check character was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uscc_override: Option<String>,
    /// Township (9-digit region code).
    pub area: String,
    /// Region in words, as printed for the origin.
    pub area_name: String,
    /// Address below the township.
    #[serde(default)]
    pub address: String,
    /// Contact person.
    #[serde(default)]
    pub contact_name: String,
    /// Contact phone; masked here for natural persons.
    #[serde(default)]
    pub contact_phone: String,
    /// Vault token of a natural person's full phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_secret: Option<String>,
    /// Registration status.
    pub status: OperatorStatus,
    /// The reviewer's reason, where there is one.
    #[serde(default)]
    pub status_reason: String,
    /// When it was registered here.
    pub registered_at: crate::time::Time,
}

/// By credit code.
pub const BY_USCC: Index = Index("operator.uscc=");
/// By status; part `""` holds all.
pub const BY_STATUS: Index = Index("operator.status");

impl Entity for Operator {
    const TABLE: Table = Table("operator");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut out = vec![
            Entry::new(BY_STATUS, "", &self.id),
            Entry::new(BY_STATUS, self.status.as_str(), &self.id),
        ];
        if !self.uscc.is_empty() {
            out.push(Entry::new(BY_USCC, &self.uscc, ""));
        }
        out
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.id
    }
}

/// Command: registers an operator, to be reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterOperator {
    /// Registered name, at most 64 characters.
    pub name: String,
    /// Kind.
    pub kind: OperatorKind,
    /// Credit code; must be empty for farmers.
    #[serde(default)]
    pub uscc: String,
    /// Reason to accept a wrong check character.
    #[serde(default)]
    pub uscc_override: Option<String>,
    /// Township code.
    pub area: String,
    /// Region in words.
    pub area_name: String,
    /// Address.
    #[serde(default)]
    pub address: String,
    /// Contact person.
    #[serde(default)]
    pub contact_name: String,
    /// Contact phone, already masked for natural persons.
    #[serde(default)]
    pub contact_phone: String,
    /// Vault token of the full phone.
    #[serde(default)]
    pub contact_secret: Option<String>,
}

/// Command and event payload: what is registered is corrected. An operator that was returned waits for
/// review again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeOperator {
    /// Operator.
    pub operator: String,
    /// All of it, as it is to be.
    pub data: RegisterOperator,
}

/// Command and event payload: the county's review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewOperator {
    /// Operator.
    pub operator: String,
    /// Approved, returned or suspended.
    pub status: OperatorStatus,
    /// Reason; required unless approved.
    #[serde(default)]
    pub reason: String,
}

pub(crate) fn register(
    ctx: &mut Context<'_>,
    c: RegisterOperator,
) -> Result<Operator, DomainError> {
    let c = checked(ctx, c, "")?;
    Ok(Operator {
        id: new_id("opr", ctx.time, ctx.random),
        name: c.name,
        kind: c.kind,
        uscc: c.uscc,
        uscc_override: c.uscc_override,
        area: c.area,
        area_name: c.area_name,
        address: c.address,
        contact_name: c.contact_name,
        contact_phone: c.contact_phone,
        contact_secret: c.contact_secret,
        status: OperatorStatus::Submitted,
        status_reason: String::new(),
        registered_at: ctx.time,
    })
}

pub(crate) fn change(
    ctx: &mut Context<'_>,
    c: ChangeOperator,
) -> Result<ChangeOperator, DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    // A person's data are kept another way than a company's.
    if c.data.kind.is_natural_person() != operator.kind.is_natural_person() {
        return Err(DomainError::field("kind", "person_stays_person"));
    }
    let data = checked(ctx, c.data, &operator.id)?;
    Ok(ChangeOperator { operator: operator.id, data })
}

/// The operator after a change.
pub(crate) fn changed(operator: &mut Operator, data: &RegisterOperator) {
    let c = data.clone();
    (operator.name, operator.kind) = (c.name, c.kind);
    (operator.uscc, operator.uscc_override) = (c.uscc, c.uscc_override);
    (operator.area, operator.area_name, operator.address) = (c.area, c.area_name, c.address);
    (operator.contact_name, operator.contact_phone) = (c.contact_name, c.contact_phone);
    operator.contact_secret = c.contact_secret;
    if operator.status == OperatorStatus::Returned {
        operator.status = OperatorStatus::Submitted;
        operator.status_reason = String::new();
    }
}

/// What was sent, checked and in its clean spelling. `own` is the operator it is of, if there is one.
fn checked(
    ctx: &Context<'_>,
    c: RegisterOperator,
    own: &str,
) -> Result<RegisterOperator, DomainError> {
    let uscc = normalise(&c.uscc);
    let mut check = Check::new();
    check
        .text("name", &c.name, 64)
        .area("area", &c.area)
        .text("area_name", &c.area_name, 64)
        .optional_text("address", &c.address, 128)
        .optional_text("contact_name", &c.contact_name, 32)
        .text("contact_phone", &c.contact_phone, 32);
    if c.kind.is_natural_person() && mask_phone(&c.contact_phone) != c.contact_phone {
        // The journal is for ever: a person's phone never gets into it unmasked.
        check.bad_with("contact_phone", "bad_value", &[("detail", "unmasked")]);
    }
    let uscc_override = check_operator_uscc(&mut check, &c, &uscc);
    check.done()?;
    if !uscc.is_empty()
        && let Some(other) = ctx.state.find::<Operator>(BY_USCC, &uscc)?
        && other.id != own
    {
        return Err(DomainError::refused("uscc_taken", &[("name", &other.name)]));
    }
    Ok(RegisterOperator { name: c.name.trim().into(), uscc, uscc_override, ..c })
}

/// A wrong check character is a warning that a person may override (domain/codes, section 1).
fn check_operator_uscc(check: &mut Check, c: &RegisterOperator, uscc: &str) -> Option<String> {
    if c.kind.is_natural_person() {
        check.ensure(uscc.is_empty(), "uscc", "farmer_has_no_uscc");
        return None;
    }
    if uscc.is_empty() {
        check.bad("uscc", "required");
        return None;
    }
    let reason = c.uscc_override.as_deref().map(str::trim).filter(|r| !r.is_empty());
    if let Some(reason) = reason {
        check.text("uscc_override", reason, 128);
    }
    match check_uscc(uscc) {
        UsccCheck::Valid => None,
        UsccCheck::WrongCheck(_) | UsccCheck::MaybeResidentId if reason.is_some() => {
            reason.map(Into::into)
        }
        UsccCheck::WrongCheck(expected) => {
            check.bad_with("uscc", "uscc_check", &[("expected", &expected.to_string())]);
            None
        }
        UsccCheck::Suggest(s) => {
            check.bad_with("uscc", "uscc_suggest", &[("suggestion", &s)]);
            None
        }
        UsccCheck::MaybeResidentId => {
            check.bad("uscc", "uscc_or_resident_id");
            None
        }
        UsccCheck::Malformed => {
            check.bad("uscc", "uscc_malformed");
            None
        }
    }
}

pub(crate) fn review(
    ctx: &mut Context<'_>,
    c: ReviewOperator,
) -> Result<ReviewOperator, DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    let mut check = Check::new();
    check.optional_text("reason", &c.reason, 256);
    check.ensure(c.status != OperatorStatus::Submitted, "status", "bad_choice");
    if c.status != OperatorStatus::Approved {
        check.text("reason", &c.reason, 256);
    }
    check.done()?;
    if operator.status == c.status {
        return Err(DomainError::refused("no_change", &[("name", &operator.name)]));
    }
    Ok(c)
}
