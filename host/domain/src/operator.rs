//! Production operators (生产经营主体): who grows, raises, buys and sells (R-007…R-009).

use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Role};
use crate::check::Check;
use crate::code;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::identity::{UsccCheck, check_uscc, mask_phone, normalise};
use crate::state::{Entity, Entry, Index, State, StateError, Table};

/// Operators of one name in one township looked at for a duplicate.
const SAME_NAME_MAX: usize = 20;
/// Ids drawn for one whose operator code is free.
const DRAWS_MAX: usize = 100;

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
    /// Taken back by whoever applied, before it was decided.
    Withdrawn,
    /// Left the register, with a reason.
    Exited,
}

impl OperatorStatus {
    /// Every status, in the order of a list.
    pub const ALL: [Self; 6] = [
        Self::Submitted,
        Self::Approved,
        Self::Returned,
        Self::Suspended,
        Self::Withdrawn,
        Self::Exited,
    ];

    /// What a reviewer may make of an operator that stands so.
    pub fn reviews(self) -> &'static [Self] {
        match self {
            Self::Submitted => &[Self::Approved, Self::Returned],
            Self::Returned | Self::Exited => &[Self::Approved],
            Self::Approved => &[Self::Suspended, Self::Exited],
            Self::Suspended => &[Self::Approved, Self::Exited],
            Self::Withdrawn => &[],
        }
    }

    /// Whether it is an application that nobody has decided for good.
    pub fn is_open_application(self) -> bool {
        matches!(self, Self::Submitted | Self::Returned)
    }

    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Returned => "returned",
            Self::Suspended => "suspended",
            Self::Withdrawn => "withdrawn",
            Self::Exited => "exited",
        }
    }
}

/// An operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Id, `opr_…`.
    pub id: String,
    /// Operator code (主体码): what people type and say, [`code::operator_code`] of the id; also the sign-in name of whoever applied on line. Empty on lines of the first format.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
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
    /// Subject code of the national platform, see [`crate::national_code`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub national_code: String,
    /// Why it is another one than that of the same name in the same township.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_name_override: Option<String>,
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
/// By operator code.
pub const BY_CODE: Index = Index("operator.code=");
/// By subject code of the national platform.
pub const BY_NATIONAL: Index = Index("operator.national=");
/// By name and township, for duplicates.
pub const BY_NAME: Index = Index("operator.name");
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
        if !self.code.is_empty() {
            out.push(Entry::new(BY_CODE, &self.code, ""));
        }
        if !self.national_code.is_empty() {
            out.push(Entry::new(BY_NATIONAL, &self.national_code, ""));
        }
        // Who left or took its application back stands in nobody's way.
        if !matches!(self.status, OperatorStatus::Withdrawn | OperatorStatus::Exited) {
            out.push(Entry::new(BY_NAME, name_key(&self.name, &self.area), &self.id));
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

/// Names that people take for the same one have the same key within a township: spaces, width and
/// case of letters and the kind of brackets do not count.
fn name_key(name: &str, area: &str) -> String {
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        other => other,
    };
    let kept = name.chars().filter(|c| !c.is_whitespace()).map(narrow);
    let folded: String = kept.flat_map(char::to_lowercase).collect();
    format!("{area} {folded}")
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
    /// Reason why it is another one than that of the same name in the same township.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_name_override: Option<String>,
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
    /// One of [`OperatorStatus::reviews`].
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
    let (id, code) = draw_id(ctx)?;
    Ok(Operator {
        id,
        code,
        name: c.name,
        kind: c.kind,
        uscc: c.uscc,
        uscc_override: c.uscc_override,
        national_code: String::new(),
        same_name_override: c.same_name_override,
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

/// An id whose operator code nobody has yet: of 35 bits, two may meet once in a county's life.
fn draw_id(ctx: &mut Context<'_>) -> Result<(String, String), DomainError> {
    for _ in 0..DRAWS_MAX {
        let id = new_id("opr", ctx.time, ctx.random);
        let code = code::operator_code(&id);
        if ctx.state.find::<Operator>(BY_CODE, &code)?.is_none() {
            return Ok((id, code));
        }
    }
    Err(StateError("every operator code that was drawn is taken".into()).into())
}

/// What is put on record: lines of the first format do not tell the code.
pub(crate) fn recorded(operator: &Operator) -> Operator {
    let mut operator = operator.clone();
    if operator.code.is_empty() {
        operator.code = code::operator_code(&operator.id);
    }
    operator
}

pub(crate) fn change(
    ctx: &mut Context<'_>,
    c: ChangeOperator,
) -> Result<ChangeOperator, DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    // What the county has approved, the county corrects; an application is the applicant's.
    let by_applicant = matches!(ctx.actor, Actor::User { role: Role::Producer, .. });
    let open =
        operator.status.is_open_application() || operator.status == OperatorStatus::Withdrawn;
    if by_applicant && !open {
        return Err(DomainError::refused("decided_already", &[("name", &operator.name)]));
    }
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
    operator.same_name_override = c.same_name_override;
    (operator.area, operator.area_name, operator.address) = (c.area, c.area_name, c.address);
    (operator.contact_name, operator.contact_phone) = (c.contact_name, c.contact_phone);
    operator.contact_secret = c.contact_secret;
    if matches!(operator.status, OperatorStatus::Returned | OperatorStatus::Withdrawn) {
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
    let same_name_override = check_same_name(ctx, &c, own)?;
    let name = c.name.trim().into();
    Ok(RegisterOperator { name, uscc, uscc_override, same_name_override, ..c })
}

/// Operators of a name in a township, as people take names for the same; some of them where there are
/// very many. Not those that left or took their application back.
///
/// # Errors
/// When the state cannot be read.
pub fn of_name(state: &dyn State, name: &str, area: &str) -> Result<Vec<Operator>, StateError> {
    state.list(BY_NAME, &name_key(name, area), SAME_NAME_MAX)
}

/// Two of one name in one township are probably one, and then have two records of half the truth; two
/// persons of one name are common, with one phone they are not. The reason is kept only where it was
/// needed.
fn check_same_name(
    ctx: &Context<'_>,
    c: &RegisterOperator,
    own: &str,
) -> Result<Option<String>, DomainError> {
    let same = of_name(ctx.state, &c.name, &c.area)?;
    let is_same = |other: &&Operator| {
        other.id != own && (!c.kind.is_natural_person() || other.contact_phone == c.contact_phone)
    };
    let Some(other) = same.iter().find(is_same) else { return Ok(None) };
    let reason = c.same_name_override.as_deref().map(str::trim).filter(|r| !r.is_empty());
    let Some(reason) = reason else {
        return Err(DomainError::refused("same_name", &[("name", &other.name)]));
    };
    let mut check = Check::new();
    check.text("same_name_override", reason, 128);
    check.done()?;
    Ok(Some(reason.into()))
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
    let decisions = [
        OperatorStatus::Approved,
        OperatorStatus::Returned,
        OperatorStatus::Suspended,
        OperatorStatus::Exited,
    ];
    check.ensure(decisions.contains(&c.status), "status", "bad_choice");
    if c.status != OperatorStatus::Approved {
        check.text("reason", &c.reason, 256);
    }
    check.done()?;
    if operator.status == c.status {
        return Err(DomainError::refused("no_change", &[("name", &operator.name)]));
    }
    if operator.status == OperatorStatus::Withdrawn {
        return Err(DomainError::refused("application_withdrawn", &[("name", &operator.name)]));
    }
    if !operator.status.reviews().contains(&c.status) {
        return Err(DomainError::refused("not_from_here", &[("name", &operator.name)]));
    }
    Ok(c)
}
