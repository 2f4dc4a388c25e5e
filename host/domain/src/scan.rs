//! Scans of codes by the public: counted in short spans, by city where that is known, and looked at for the
//! marks of a copied label. A visitor's own place is never kept (domain/codes, section 7: anti-copy).

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::code::Code;
use crate::decide::Context;
use crate::error::DomainError;
use crate::pack::{Pack, Unit};
use crate::scan_policy::ScanPolicy;
use crate::state::{Overlay, State, StateError};
use crate::time::{Date, Time, china_date};

/// Cities that are told apart for one code; later ones are counted with the last.
pub const AREAS_MAX: usize = 16;
/// Digits of a region code that name a city (GB/T 2260).
const CITY_DIGITS: usize = 4;

/// Scans in one city.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AreaCount {
    /// Region code of the city, 4 digits.
    pub area: String,
    /// How many.
    pub count: u64,
    /// First of them.
    pub first_at: Time,
}

/// Scans of a day in China.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCount {
    /// The day.
    pub day: Date,
    /// How many.
    pub count: u64,
}

/// Why a code is suspected to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspicionCause {
    /// Scanned in more cities than one package gets to.
    Cities,
    /// Scanned more often in a day than one package is.
    Rate,
}

/// How a suspicion stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspicionStatus {
    /// Nobody looked at it yet.
    Open,
    /// There is an innocent reason.
    Cleared,
    /// The label was copied; the page warns.
    Copied,
}

impl SuspicionStatus {
    /// Every status, in the order of a list.
    pub const ALL: [Self; 3] = [Self::Open, Self::Copied, Self::Cleared];

    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Cleared => "cleared",
            Self::Copied => "copied",
        }
    }
}

/// A code's scans look as if it had been copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// When it was noticed.
    pub at: Time,
    /// Why.
    pub cause: SuspicionCause,
    /// How it stands.
    pub status: SuspicionStatus,
    /// What the county found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// When it found that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Time>,
}

/// Scans of one code since the last flush.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanCount {
    /// The code.
    pub code: String,
    /// How many.
    pub count: u64,
    /// Time of the first of them.
    pub first_at: Time,
    /// Its place in a pack, as the appliance read it from the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// How many of them in which city, where that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<AreaScans>,
}

impl ScanCount {
    /// Scans of a certificate's own code, nobody knows where.
    pub fn new(code: String, count: u64, first_at: Time) -> Self {
        Self { code, count, first_at, unit: None, areas: Vec::new() }
    }
}

/// Scans in a city.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AreaScans {
    /// Region code, 4 digits or more.
    pub area: String,
    /// How many.
    pub count: u64,
}

/// Event payload: scan counts of a short span; scans are never one event each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScansCounted {
    /// Per code.
    pub counts: Vec<ScanCount>,
}

/// Event payload: a code's scans became suspicious with this line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeSuspected {
    /// The code.
    pub code: String,
    /// Why.
    pub cause: SuspicionCause,
}

/// Command and event payload: a scanner on record read a code at a market or shop (查验).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeChecked {
    /// The code.
    pub code: String,
    /// The scanner.
    pub device: String,
    /// Message that carried it.
    pub message: String,
    /// Its place in a pack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
}

/// Command and event payload: the number under the scratch layer was typed, and is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeScratched {
    /// The code.
    pub code: String,
    /// Its place in a pack.
    pub unit: Unit,
}

/// Command and event payload: what the county found of a suspicion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettleSuspicion {
    /// The code.
    pub code: String,
    /// `cleared` or `copied`.
    pub status: SuspicionStatus,
    /// What was found, at most 256 characters.
    pub note: String,
}

/// Counts only codes that exist, and says which of them became suspicious by it.
pub(crate) fn count(
    state: &dyn State,
    counts: Vec<ScanCount>,
    time: Time,
) -> Result<Option<(ScansCounted, Vec<CodeSuspected>)>, DomainError> {
    let policy = ScanPolicy::of(state)?;
    let (mut known, mut suspected) = (Vec::new(), Vec::new());
    for one in counts.into_iter().filter(|one| one.count > 0) {
        let Some(before) = code_of(state, &one.code, one.unit.as_ref(), time)? else { continue };
        if before.suspicion.is_none() {
            let mut after = before;
            counted(&mut after, &one);
            let cause = policy.cause(&after);
            suspected.extend(cause.map(|cause| CodeSuspected { code: one.code.clone(), cause }));
        }
        known.push(one);
    }
    Ok((!known.is_empty()).then_some((ScansCounted { counts: known }, suspected)))
}

/// The record of a code; of one of a pack that was never scanned, the one that it will have.
fn code_of(
    state: &dyn State,
    code: &str,
    unit: Option<&Unit>,
    time: Time,
) -> Result<Option<Code>, StateError> {
    if let Some(known) = state.get::<Code>(code)? {
        return Ok(Some(known));
    }
    let Some(unit) = unit else { return Ok(None) };
    let Some(pack) = state.get::<Pack>(&unit.pack)?.filter(|pack| pack.has(unit.serial)) else {
        return Ok(None);
    };
    Ok(Some(Code {
        unit: Some(unit.clone()),
        operator: pack.operator,
        area: pack.area,
        ..Code::new(code, time)
    }))
}

fn counted(code: &mut Code, one: &ScanCount) {
    code.scans = code.scans.saturating_add(one.count);
    code.first_scan_at.get_or_insert(one.first_at);
    let today = china_date(one.first_at);
    match &mut code.day {
        Some(day) if day.day == today => day.count = day.count.saturating_add(one.count),
        day => *day = Some(DayCount { day: today, count: one.count }),
    }
    for area in &one.areas {
        seen_in(code, &area.area, area.count, one.first_at);
    }
}

fn seen_in(code: &mut Code, area: &str, count: u64, at: Time) {
    let Some(city) = area.get(..CITY_DIGITS) else { return };
    let full = code.areas.len() >= AREAS_MAX;
    let known = code.areas.iter().position(|one| one.area == city);
    let at_end = full.then(|| code.areas.len() - 1);
    match known.or(at_end).and_then(|place| code.areas.get_mut(place)) {
        Some(one) => one.count = one.count.saturating_add(count),
        None => code.areas.push(AreaCount { area: city.into(), count, first_at: at }),
    }
}

pub(crate) fn check(ctx: &mut Context<'_>, c: CodeChecked) -> Result<CodeChecked, DomainError> {
    match code_of(ctx.state, &c.code, c.unit.as_ref(), ctx.time)? {
        Some(_) => Ok(c),
        None => Err(DomainError::NotFound { noun: "code", id: c.code.chars().take(32).collect() }),
    }
}

/// `None` when it was typed before: the first time is the one that counts.
pub(crate) fn scratch(
    ctx: &mut Context<'_>,
    c: CodeScratched,
) -> Result<Option<CodeScratched>, DomainError> {
    let pack: Pack = ctx.require("pack", &c.unit.pack)?;
    if !pack.scratch || !pack.has(c.unit.serial) {
        return Err(DomainError::refused("no_scratch_code", &[]));
    }
    let before: Option<Code> = ctx.state.get(&c.code)?;
    let typed = before.is_some_and(|code| code.scratched_at.is_some());
    Ok((!typed).then_some(c))
}

pub(crate) fn settle(
    ctx: &mut Context<'_>,
    c: SettleSuspicion,
) -> Result<SettleSuspicion, DomainError> {
    let code: Code = ctx.require("code", &c.code)?;
    let mut check = Check::new();
    check.text("note", &c.note, 256).ensure(
        c.status != SuspicionStatus::Open,
        "status",
        "bad_choice",
    );
    check.done()?;
    match code.suspicion {
        Some(_) => Ok(c),
        None => Err(DomainError::refused("not_suspected", &[])),
    }
}

pub(crate) fn apply_counts(
    o: &mut Overlay<'_>,
    event: &ScansCounted,
    time: Time,
) -> Result<(), StateError> {
    for one in &event.counts {
        change(o, &one.code, one.unit.as_ref(), time, |code| counted(code, one))?;
    }
    Ok(())
}

pub(crate) fn apply_suspected(
    o: &mut Overlay<'_>,
    event: &CodeSuspected,
    time: Time,
) -> Result<(), StateError> {
    touch(o, &event.code)?;
    o.update::<Code>(&event.code, |code| {
        code.suspicion = Some(Suspicion {
            at: time,
            cause: event.cause,
            status: SuspicionStatus::Open,
            note: String::new(),
            settled_at: None,
        });
    })
}

pub(crate) fn apply_settled(
    o: &mut Overlay<'_>,
    event: &SettleSuspicion,
    time: Time,
) -> Result<(), StateError> {
    touch(o, &event.code)?;
    o.update::<Code>(&event.code, |code| {
        if let Some(suspicion) = &mut code.suspicion {
            suspicion.status = event.status;
            suspicion.note.clone_from(&event.note);
            suspicion.settled_at = Some(time);
        }
    })
}

pub(crate) fn apply_check(
    o: &mut Overlay<'_>,
    event: &CodeChecked,
    time: Time,
) -> Result<(), StateError> {
    change(o, &event.code, event.unit.as_ref(), time, |code| {
        code.checks += 1;
        code.last_check_at = Some(time);
    })
}

pub(crate) fn apply_scratched(
    o: &mut Overlay<'_>,
    event: &CodeScratched,
    time: Time,
) -> Result<(), StateError> {
    change(o, &event.code, Some(&event.unit), time, |code| {
        code.scratched_at.get_or_insert(time);
    })
}

/// Pages that show the code are made anew.
fn touch(o: &mut Overlay<'_>, code: &str) -> Result<(), StateError> {
    o.touch(format!("code/{code}"));
    Ok(())
}

fn change(
    o: &mut Overlay<'_>,
    code: &str,
    unit: Option<&Unit>,
    time: Time,
    change: impl FnOnce(&mut Code),
) -> Result<(), StateError> {
    let state: &dyn State = &*o;
    let Some(mut record) = code_of(state, code, unit, time)? else { return Ok(()) };
    change(&mut record);
    o.put(&record)
}
