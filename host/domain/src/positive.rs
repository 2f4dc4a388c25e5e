//! What follows on a result: a second person verifies it, a wrong one is struck out, a positive one is
//! delivered to the tested party and settled with evidence (law art 36, 51, 59; ).

use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Role};
use crate::attachment::{self, Attachment};
use crate::certificate::{self, Certificate, CertificateStatus};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::hold::HoldKind;
use crate::lot::Lot;
use crate::objection::{self, Objection, ObjectionStatus};
use crate::test::{ConductedBy, Origin, Test, TestVerdict};
use crate::time::Time;

/// Certificates of a lot that are looked at.
const CERTIFICATES_MAX: usize = 1_000;

/// A second person's word on a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Who.
    pub by: String,
    /// When.
    pub at: Time,
}

/// Command: a second person has looked at a result and stands by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyTest {
    /// Test.
    pub test: String,
}

/// Event payload: a result was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestVerified {
    /// Test.
    pub test: String,
    /// By whom.
    pub by: String,
}

/// Command and event payload: a typed result is struck out; it stays visible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrikeTest {
    /// Test.
    pub test: String,
    /// Why, at most 128 characters.
    pub reason: String,
}

/// That the tested party was told, from when its clock runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// When it had the notice.
    pub at: Time,
    /// Who took it.
    pub to: String,
    /// Last moment of an objection (law art 51).
    pub until: Time,
    /// The last day was reckoned without the year's holidays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guessed: bool,
}

/// Command and event payload: the tested party was told of a positive result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverResult {
    /// Test.
    pub test: String,
    /// When it had the notice.
    pub delivered_at: Time,
    /// Who took it, at most 32 characters.
    pub to: String,
    /// Last moment of an objection; the appliance fills it in.
    pub until: Time,
    /// The last day was reckoned without the year's holidays; the appliance fills it in.
    #[serde(default)]
    pub guessed: bool,
}

/// What became of what was positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 解除: another result set it free.
    Released,
    /// 销毁.
    Destroyed,
    /// 无害化处理.
    Treated,
    /// 延期采收: still growing, harvested later.
    Delayed,
    /// 召回.
    Recalled,
}

impl Outcome {
    /// Every outcome, in the order of a choice list.
    pub const ALL: [Self; 5] =
        [Self::Released, Self::Destroyed, Self::Treated, Self::Delayed, Self::Recalled];

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Destroyed => "destroyed",
            Self::Treated => "treated",
            Self::Delayed => "delayed",
            Self::Recalled => "recalled",
        }
    }
}

/// How a positive result was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// What became of the goods.
    pub outcome: Outcome,
    /// In words.
    pub note: String,
    /// Photos and papers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Who.
    pub by: String,
    /// When.
    pub at: Time,
}

/// Event payload: a positive result was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositiveSettled {
    /// What became of the goods.
    #[serde(flatten)]
    pub settled: SettlePositive,
    /// Who says so.
    pub by: String,
}

/// Command: a positive result is done with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlePositive {
    /// Test.
    pub test: String,
    /// What became of the goods.
    pub outcome: Outcome,
    /// In words, at most 256 characters.
    pub note: String,
    /// Photos and papers, uploaded before.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

/// A producer has a hand in its own tests only, and not in those that others made of its lots.
fn not_of_others(ctx: &Context<'_>, test: &Test) -> Result<(), DomainError> {
    let producer = matches!(ctx.actor, Actor::User { role: Role::Producer, .. });
    if producer && test.conducted_by != Some(ConductedBy::Own) {
        return Err(DomainError::refused("test_of_others", &[]));
    }
    Ok(())
}

pub(crate) fn verify(ctx: &mut Context<'_>, c: VerifyTest) -> Result<TestVerified, DomainError> {
    let test: Test = ctx.require("test", &c.test)?;
    not_of_others(ctx, &test)?;
    if test.struck.is_some() {
        return Err(DomainError::refused("test_is_struck", &[]));
    }
    if !test.needs_verification || test.verified.is_some() {
        return Err(DomainError::refused("test_is_verified", &[]));
    }
    if test.entered_by == ctx.actor.name() {
        return Err(DomainError::refused("verify_own_entry", &[]));
    }
    Ok(TestVerified { test: test.id, by: ctx.actor.name() })
}

pub(crate) fn strike(ctx: &mut Context<'_>, c: StrikeTest) -> Result<StrikeTest, DomainError> {
    let test: Test = ctx.require("test", &c.test)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    not_of_others(ctx, &test)?;
    if test.struck.is_some() {
        return Err(DomainError::refused("test_is_struck", &[]));
    }
    // What a device measured happened; another measurement is set beside it.
    if test.origin != Origin::Typed {
        return Err(DomainError::refused("test_of_device", &[]));
    }
    // Whoever typed a positive result does not make it go away alone.
    if test.verdict == TestVerdict::Fail && test.entered_by == ctx.actor.name() {
        return Err(DomainError::refused("strike_own_positive", &[]));
    }
    if test.settled.is_some() || decided(ctx, &test)? || proves(ctx, &test)? {
        return Err(DomainError::refused("test_in_use", &[]));
    }
    Ok(StrikeTest { test: test.id, reason: c.reason.trim().to_owned() })
}

/// Whether an objection was decided by it.
fn decided(ctx: &Context<'_>, test: &Test) -> Result<bool, DomainError> {
    let objection: Option<Objection> = match &test.objection {
        Some(id) => ctx.state.get(id)?,
        None => None,
    };
    let by_tests = [ObjectionStatus::Upheld, ObjectionStatus::Overturned];
    Ok(objection.is_some_and(|one| by_tests.contains(&one.status)))
}

/// Whether a certificate that stands rests on it.
fn proves(ctx: &Context<'_>, test: &Test) -> Result<bool, DomainError> {
    let Some(lot) = &test.lot else { return Ok(false) };
    let issued: Vec<Certificate> = ctx.state.list(certificate::BY_LOT, lot, CERTIFICATES_MAX)?;
    Ok(issued
        .iter()
        .any(|one| one.status == CertificateStatus::Valid && one.tests.contains(&test.id)))
}

/// A positive result that stands and is not settled.
fn open(ctx: &Context<'_>, id: &str) -> Result<Test, DomainError> {
    let test: Test = ctx.require("test", id)?;
    if test.verdict != TestVerdict::Fail || test.struck.is_some() || test.measurement.blank {
        return Err(DomainError::refused("test_not_positive", &[]));
    }
    match test.settled {
        Some(_) => Err(DomainError::refused("positive_settled", &[])),
        None => Ok(test),
    }
}

pub(crate) fn deliver(
    ctx: &mut Context<'_>,
    c: DeliverResult,
) -> Result<DeliverResult, DomainError> {
    let test = open(ctx, &c.test)?;
    let mut check = Check::new();
    check
        .text("to", &c.to, 32)
        .ensure(c.delivered_at <= ctx.time, "delivered_at", "in_future")
        .ensure(c.delivered_at >= test.received_at, "delivered_at", "before_result");
    check.done()?;
    if test.delivered.is_some() {
        return Err(DomainError::refused("result_delivered", &[]));
    }
    if test.operator.is_empty() {
        return Err(DomainError::refused("result_of_nobody", &[]));
    }
    Ok(DeliverResult { to: c.to.trim().to_owned(), ..c })
}

pub(crate) fn settle(
    ctx: &mut Context<'_>,
    c: SettlePositive,
) -> Result<PositiveSettled, DomainError> {
    let test = open(ctx, &c.test)?;
    let mut check = Check::new();
    check.text("note", &c.note, 256);
    attachment::check(&mut check, &c.attachments);
    // What was destroyed or treated is proved by a picture or a paper (law art 59, R-096).
    let shown = !matches!(c.outcome, Outcome::Destroyed | Outcome::Treated);
    check.ensure(shown || !c.attachments.is_empty(), "attachments", "evidence_missing");
    check.done()?;
    if c.outcome == Outcome::Released
        && let Some(lot) = &test.lot
    {
        let lot: Lot = ctx.require("lot", lot)?;
        if lot.is_held_for(HoldKind::PositiveTest, &test.id) {
            return Err(DomainError::refused("lot_not_released", &[("no", &lot.no)]));
        }
    }
    let open_objection = ctx
        .state
        .list::<Objection>(objection::BY_TEST, &test.id, 10)?
        .iter()
        .any(|one| one.status.is_open());
    if open_objection {
        return Err(DomainError::refused("objection_open", &[]));
    }
    let settled = SettlePositive { note: c.note.trim().to_owned(), ..c };
    Ok(PositiveSettled { settled, by: ctx.actor.name() })
}
