//! Why a lot may not move: each reason stands on its own and is taken away on its own, by whoever answers
//! for it (law art 36, R-097).

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::lot::{Lot, LotStatus};
use crate::sampling::{Purpose, Sampling};
use crate::state::{Overlay, StateError};
use crate::test::{Test, TestVerdict};
use crate::time::Time;

/// Reasons a lot may have at once.
const HOLDS_MAX: usize = 50;

/// Why a lot is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// A positive test; the reference is the test.
    PositiveTest,
    /// Harvested before an interval was over.
    EarlyHarvest,
    /// Recalled; the reference is the recall.
    Recall,
    /// By order of the supervision, with its reason in words.
    Order,
}

impl HoldKind {
    /// The word of [`Lot::status_reason`] and of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PositiveTest => "positive_test",
            Self::EarlyHarvest => "early_harvest",
            Self::Recall => "recall",
            Self::Order => "order",
        }
    }

    /// Whether only a passing test takes it away.
    fn needs_pass(self) -> bool {
        matches!(self, Self::PositiveTest | Self::EarlyHarvest)
    }
}

/// One reason that a lot is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Kind.
    pub kind: HoldKind,
    /// What it goes back to, such as a test; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// In words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Since when.
    pub since: Time,
}

/// Event payload: a lot was held. Lines of the time before have a reason only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotHeld {
    /// Lot.
    pub lot: String,
    /// Why.
    pub reason: HoldKind,
    /// What it goes back to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// In words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Command: the supervision holds a lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldLot {
    /// Lot.
    pub lot: String,
    /// Why, at most 128 characters.
    pub reason: String,
}

/// Command and event payload: a reason is taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseLot {
    /// Lot.
    pub lot: String,
    /// Which reason.
    pub kind: HoldKind,
    /// What that goes back to.
    #[serde(default)]
    pub reference: String,
    /// Why it may move again, at most 128 characters.
    pub reason: String,
    /// Passing test of the lot, later than the hold; for a positive test and for a harvest too early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
}

pub(crate) fn hold(ctx: &mut Context<'_>, c: HoldLot) -> Result<LotHeld, DomainError> {
    let lot: Lot = ctx.require("lot", &c.lot)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    if lot.status == LotStatus::Void {
        return Err(DomainError::refused("lot_void", &[("no", &lot.no)]));
    }
    if lot.holds.len() >= HOLDS_MAX || lot.holds.iter().any(|one| one.kind == HoldKind::Order) {
        return Err(DomainError::refused("lot_held", &[("no", &lot.no), ("reason", "order")]));
    }
    let note = c.reason.trim().to_owned();
    Ok(LotHeld { lot: lot.id, reason: HoldKind::Order, reference: String::new(), note })
}

pub(crate) fn release(ctx: &mut Context<'_>, c: ReleaseLot) -> Result<ReleaseLot, DomainError> {
    let lot: Lot = ctx.require("lot", &c.lot)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    let Some(hold) =
        lot.holds.iter().find(|one| one.kind == c.kind && one.reference == c.reference)
    else {
        return Err(DomainError::refused("hold_is_gone", &[("no", &lot.no)]));
    };
    if c.kind.needs_pass() && !is_struck(ctx, hold)? {
        let test: Option<Test> = match &c.test {
            Some(id) => ctx.state.get(id)?,
            None => None,
        };
        let Some(test) = test.filter(|test| test.lot.as_deref() == Some(&lot.id)) else {
            return Err(DomainError::refused("release_needs_pass", &[("no", &lot.no)]));
        };
        proves(ctx, &lot, hold, &test)?;
    }
    Ok(ReleaseLot { lot: lot.id, reason: c.reason.trim().to_owned(), ..c })
}

/// Whether the test behind a hold was struck out: then nothing is left to be disproved.
fn is_struck(ctx: &Context<'_>, hold: &Hold) -> Result<bool, DomainError> {
    let test: Option<Test> = ctx.state.get(&hold.reference)?;
    Ok(test.is_some_and(|test| test.struck.is_some()))
}

/// A test that sets a lot free passed, counts, and is newer than the hold, or repeats the very test behind
/// it. What supervision found is not set aside by a rapid method (law art 51).
fn proves(ctx: &Context<'_>, lot: &Lot, hold: &Hold, test: &Test) -> Result<(), DomainError> {
    let first: Option<Test> = ctx.state.get(&hold.reference)?;
    let repeats = first.as_ref().is_some_and(|first| {
        let of_first = test.measurement.retest_of.as_deref() == Some(&first.measurement.msg_id);
        of_first && test.device == first.device
    });
    let later = test.received_at > hold.since || repeats;
    if test.verdict != TestVerdict::Pass || !test.counts() || !later {
        return Err(DomainError::refused("release_needs_pass", &[("no", &lot.no)]));
    }
    let sampling = first.and_then(|first| first.sampling);
    let sampling: Option<Sampling> = match sampling {
        Some(id) => ctx.state.get(&id)?,
        None => None,
    };
    if sampling.is_some_and(|one| one.purpose == Purpose::Supervision)
        && test.measurement.method.is_rapid()
    {
        return Err(DomainError::refused("retest_rapid", &[]));
    }
    Ok(())
}

pub(crate) fn held(o: &mut Overlay<'_>, e: &LotHeld, since: Time) -> Result<(), StateError> {
    o.touch(format!("lot/{}", e.lot));
    o.update::<Lot>(&e.lot, |lot| {
        if lot.holds.len() < HOLDS_MAX && !lot.is_held_for(e.reason, &e.reference) {
            let (kind, reference, note) = (e.reason, e.reference.clone(), e.note.clone());
            lot.holds.push(Hold { kind, reference, note, since });
        }
        stands(lot);
    })
}

pub(crate) fn released(o: &mut Overlay<'_>, e: &ReleaseLot) -> Result<(), StateError> {
    o.touch(format!("lot/{}", e.lot));
    o.update::<Lot>(&e.lot, |lot| {
        lot.holds.retain(|one| one.kind != e.kind || one.reference != e.reference);
        stands(lot);
    })
}

/// The status that the reasons of a lot make.
fn stands(lot: &mut Lot) {
    if lot.status == LotStatus::Void {
        return;
    }
    let first = lot.holds.first().map(|one| one.kind);
    lot.status = if first.is_some() { LotStatus::Held } else { LotStatus::Open };
    lot.status_reason = first.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
}
