//! Agricultural inputs (投入品) with the interval of each registered use: it belongs to the
//! registration (product × crop), not to the ingredient (domain/rules-of-law, section 8).
//!
//! A label changes and a registration ends, while what was used is judged by the label of its day:
//! so an input has versions, each good from a day on. The one of the highest number that had begun
//! holds on a day; a correction of what was always wrong begins as early as the version it corrects.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::identity::normalise;
use crate::state::{Entity, Entry, Index, State, StateError, Table};
use crate::time::{Date, Time, china_date};

/// Registered uses of one input.
pub const USES_MAX: usize = 64;
/// Versions of one input: a label changes a few times in its life.
pub const VERSIONS_MAX: u32 = 100;
/// Longest interval in days.
const INTERVAL_DAYS_MAX: u32 = 730;
/// Longest withdrawal period in degree-days.
const DEGREE_DAYS_MAX: u32 = 10_000;
/// Most uses in a season that a label allows.
const SEASON_USES_MAX: u32 = 99;
/// Inputs of one registration number looked at; lines of the first format may have doubles.
const DOUBLES_MAX: usize = 20;

/// Kind of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// 农药.
    Pesticide,
    /// 兽药.
    VeterinaryDrug,
    /// 肥料.
    Fertiliser,
    /// 饲料.
    Feed,
    /// Seed and everything else.
    Other,
}

impl InputKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 5] =
        [Self::Pesticide, Self::VeterinaryDrug, Self::Fertiliser, Self::Feed, Self::Other];
}

/// A registered use on one crop or species.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredUse {
    /// Crop or species; empty stands for every one.
    #[serde(default)]
    pub crop: String,
    /// Pre-harvest interval or withdrawal period in days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_days: Option<u32>,
    /// Dose as on the label.
    #[serde(default)]
    pub dose: String,
    /// Withdrawal period of aquatic species in degree-days (度·日), where the label tells no days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_degree_days: Option<u32>,
    /// Most uses in a season.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u32>,
}

/// An input, as one of its versions has it; on record is the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Id, `inp_…`.
    pub id: String,
    /// Trade name.
    pub name: String,
    /// Kind.
    pub kind: InputKind,
    /// Registration number; empty when unknown.
    #[serde(default)]
    pub registration_no: String,
    /// Active substances by common Chinese name.
    #[serde(default)]
    pub substances: Vec<String>,
    /// Registered uses.
    #[serde(default)]
    pub uses: Vec<RegisteredUse>,
    /// Number of the version, from 1. Lines of the first format do not tell it.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub version: u32,
    /// First day the version is good for; `None` from ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Date>,
    /// Where it was taken from, such as 标签 or 中国农药信息网.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Day it was looked up there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_on: Option<Date>,
    /// Why there is this version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Who answers for the version, such as `user/usr_…`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reviewed_by: String,
    /// When the version was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed_at: Option<Time>,
    /// Whether this version says that the registration has ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_first(version: &u32) -> bool {
    *version == 1
}

impl Input {
    /// The registered use on a crop; one for every crop stands in. `None` when the label has no such
    /// use.
    pub fn use_on(&self, crop: &str) -> Option<&RegisteredUse> {
        let exact = self.uses.iter().find(|u| u.crop == crop && !crop.is_empty());
        exact.or_else(|| self.uses.iter().find(|u| u.crop.is_empty()))
    }

    /// Interval in days on a crop; `None` when the label has no such use, or tells degree-days only.
    pub fn interval_days(&self, crop: &str) -> Option<u32> {
        self.use_on(crop)?.interval_days
    }

    /// Whether this version had begun on a day.
    pub fn has_begun(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= day)
    }

    /// Whether it says the same as another version, whoever took it from wherever.
    pub fn says_the_same(&self, other: &AddInput) -> bool {
        !self.ended
            && self.name == other.name
            && self.kind == other.kind
            && registration_key(&self.registration_no) == other.registration_no
            && self.substances == other.substances
            && self.uses == other.uses
    }
}

/// All inputs by name.
pub const ALL: Index = Index("input.all");
/// By registration number as [`registration_key`] spells it; journals may hold doubles.
pub const BY_REGISTRATION: Index = Index("input.registration");

impl Entity for Input {
    const TABLE: Table = Table("input");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![Entry::new(ALL, "", &self.name)];
        let key = registration_key(&self.registration_no);
        if !key.is_empty() {
            entries.push(Entry::new(BY_REGISTRATION, key, &self.id));
        }
        entries
    }
}

/// A version that is kept, the newest among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputVersion {
    /// Input and number, `inp_…/003`.
    pub id: String,
    /// The input as the version has it.
    pub record: Input,
}

/// Versions by input, the oldest first.
pub const VERSIONS: Index = Index("input_version.input");

impl InputVersion {
    /// The version that an input's record is of.
    pub(crate) fn of(input: &Input) -> Self {
        Self { id: format!("{}/{:03}", input.id, input.version), record: input.clone() }
    }
}

impl Entity for InputVersion {
    const TABLE: Table = Table("input_version");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(VERSIONS, &self.record.id, format!("{:03}", self.record.version))]
    }
}

/// A registration number as it is compared: no blanks, one width and case.
pub fn registration_key(no: &str) -> String {
    normalise(no).chars().filter(|c| !c.is_whitespace()).collect()
}

/// Every version of an input, the newest first.
///
/// # Errors
/// When the state cannot be read.
pub fn versions(state: &dyn State, input: &str) -> Result<Vec<Input>, StateError> {
    let limit = VERSIONS_MAX as usize;
    let mut all: Vec<Input> = state
        .list::<InputVersion>(VERSIONS, input, limit)?
        .into_iter()
        .map(|version| version.record)
        .collect();
    all.sort_by_key(|version| std::cmp::Reverse(version.version));
    Ok(all)
}

/// The version that holds on a day; `None` when none had begun.
pub fn on_day(versions: &[Input], day: Date) -> Option<&Input> {
    versions.iter().filter(|one| one.has_begun(day)).max_by_key(|one| one.version)
}

/// Command: adds an input to the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddInput {
    /// Trade name.
    pub name: String,
    /// Kind.
    pub kind: InputKind,
    /// Registration number.
    #[serde(default)]
    pub registration_no: String,
    /// Active substances.
    #[serde(default)]
    pub substances: Vec<String>,
    /// Registered uses.
    #[serde(default)]
    pub uses: Vec<RegisteredUse>,
    /// First day it is good for; absent from ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Date>,
    /// Where it was taken from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Day it was looked up there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_on: Option<Date>,
}

/// Command: the label says otherwise from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviseInput {
    /// Input.
    pub input: String,
    /// All of it, as it is to be; its source is required.
    pub data: AddInput,
    /// Why.
    pub reason: String,
}

/// Command: the registration ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseInput {
    /// Input.
    pub input: String,
    /// First day without a registration.
    pub ended_on: Date,
    /// Why, such as the announcement that withdraws it.
    pub reason: String,
}

pub(crate) fn add(ctx: &mut Context<'_>, c: AddInput) -> Result<Input, DomainError> {
    let c = checked(ctx, c, Check::new())?;
    check_unique(ctx, &c.registration_no, "")?;
    let id = new_id("inp", ctx.time, ctx.random);
    Ok(version(ctx, id, 1, c, String::new()))
}

pub(crate) fn revise(ctx: &mut Context<'_>, c: ReviseInput) -> Result<Input, DomainError> {
    let now: Input = ctx.require("input", &c.input)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128).text("source", &c.data.source, 64);
    let data = checked(ctx, c.data, check)?;
    // A double of the first format keeps its number until a person mends it.
    if data.registration_no != registration_key(&now.registration_no) {
        check_unique(ctx, &data.registration_no, &now.id)?;
    }
    if now.says_the_same(&data) && now.valid_from == data.valid_from {
        return Err(DomainError::refused("input_unchanged", &[("name", &now.name)]));
    }
    let number = next_version(&now)?;
    Ok(version(ctx, now.id, number, data, c.reason))
}

pub(crate) fn close(ctx: &mut Context<'_>, c: CloseInput) -> Result<Input, DomainError> {
    let now: Input = ctx.require("input", &c.input)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check_begin(&mut check, "ended_on", Some(c.ended_on), china_date(ctx.time));
    check.done()?;
    if now.ended && now.valid_from == Some(c.ended_on) {
        return Err(DomainError::refused("input_unchanged", &[("name", &now.name)]));
    }
    Ok(Input {
        version: next_version(&now)?,
        valid_from: Some(c.ended_on),
        reason: c.reason.trim().into(),
        reviewed_by: ctx.actor.name(),
        reviewed_at: Some(ctx.time),
        ended: true,
        ..now
    })
}

fn version(ctx: &Context<'_>, id: String, version: u32, c: AddInput, reason: String) -> Input {
    Input {
        id,
        name: c.name,
        kind: c.kind,
        registration_no: c.registration_no,
        substances: c.substances,
        uses: c.uses,
        version,
        valid_from: c.valid_from,
        source: c.source,
        source_on: c.source_on,
        reason: reason.trim().into(),
        reviewed_by: ctx.actor.name(),
        reviewed_at: Some(ctx.time),
        ended: false,
    }
}

fn next_version(now: &Input) -> Result<u32, DomainError> {
    match now.version < VERSIONS_MAX {
        true => Ok(now.version + 1),
        false => Err(DomainError::refused("too_many_versions", &[("name", &now.name)])),
    }
}

/// One registration number is one input, or the intervals of one product stand in two places.
fn check_unique(ctx: &Context<'_>, no: &str, own: &str) -> Result<(), DomainError> {
    if no.is_empty() {
        return Ok(());
    }
    let known: Vec<Input> = ctx.state.list(BY_REGISTRATION, no, DOUBLES_MAX)?;
    match known.iter().find(|other| other.id != own) {
        Some(other) => Err(DomainError::refused("registration_taken", &[("name", &other.name)])),
        None => Ok(()),
    }
}

/// What was sent, checked and in its clean spelling.
fn checked(ctx: &Context<'_>, c: AddInput, mut check: Check) -> Result<AddInput, DomainError> {
    let today = china_date(ctx.time);
    let trimmed = |text: &str| text.trim().to_owned();
    let uses = c.uses.iter().map(|one| RegisteredUse {
        crop: trimmed(&one.crop),
        dose: trimmed(&one.dose),
        ..one.clone()
    });
    let c = AddInput {
        name: trimmed(&c.name),
        registration_no: registration_key(&c.registration_no),
        substances: c.substances.iter().map(|one| trimmed(one)).collect(),
        uses: uses.collect(),
        source: trimmed(&c.source),
        ..c
    };
    check
        .text("name", &c.name, 64)
        .optional_text("registration_no", &c.registration_no, 32)
        .optional_text("source", &c.source, 64)
        .ensure(c.substances.len() <= 8, "substances", "too_many")
        .ensure(c.uses.len() <= USES_MAX, "uses", "too_many");
    for substance in &c.substances {
        check.text("substances", substance, 32);
    }
    check_uses(&mut check, &c.uses);
    check_begin(&mut check, "valid_from", c.valid_from, today);
    if let Some(day) = c.source_on {
        check.day_done("source_on", day, today);
    }
    check.done()?;
    Ok(c)
}

fn check_uses(check: &mut Check, uses: &[RegisteredUse]) {
    for (at, one) in uses.iter().enumerate() {
        check.optional_text("uses", &one.crop, 32).optional_text("uses", &one.dose, 64);
        let days = one.interval_days.is_none_or(|days| days <= INTERVAL_DAYS_MAX);
        let told = one.interval_days.is_some() || one.interval_degree_days.is_some();
        check.ensure(days && told, "uses", "bad_interval");
        let degree_days = one.interval_degree_days.is_none_or(|n| n <= DEGREE_DAYS_MAX);
        check.ensure(degree_days, "uses", "bad_degree_days");
        let season = one.max_uses.is_none_or(|n| (1..=SEASON_USES_MAX).contains(&n));
        check.ensure(season, "uses", "bad_max_uses");
        // Registration number × crop is the key: two intervals for one would be none.
        if uses.iter().take(at).any(|before| before.crop == one.crop) {
            check.bad_with("uses", "repeated_crop", &[("crop", &one.crop)]);
        }
    }
}

/// A label is announced ahead, but not by years.
fn check_begin(check: &mut Check, field: &str, day: Option<Date>, today: Date) {
    if let Some(day) = day {
        let good = (2000..=today.year() + 2).contains(&day.year());
        check.ensure(good, field, "bad_begin");
    }
}
