//! Decides what is told of samples, results and what follows on them.

use crate::command::Command;
use crate::decide::{Context, Decision, made};
use crate::error::DomainError;
use crate::event::Event;
use crate::test::TestVerdict;
use crate::test_take::{self, Recorded};
use crate::{hold, lot, objection, positive, sampling, test};

pub(crate) fn decide(ctx: &mut Context<'_>, command: Command) -> Result<Decision, DomainError> {
    match command {
        Command::RecordTest(c) => decide_test(ctx, *c),
        Command::AssignTest(c) => {
            let assigned = test_take::assign(ctx, c)?;
            let verdict = assigned.judgement.verdict.into();
            let hold = match assigned.lot.as_str() {
                "" => None,
                lot => hold_of(lot, &assigned.test, verdict, ctx)?,
            };
            let id = assigned.test.clone();
            let mut decision = Decision::one(id, Event::TestAssigned(assigned));
            decision.events.extend(hold);
            Ok(decision)
        }
        Command::TakeSample(c) => {
            let sampling = sampling::take(ctx, c)?;
            Ok(Decision::one(sampling.id.clone(), Event::SampleTaken(Box::new(sampling))))
        }
        Command::ReceiveSample(c) => {
            let c = sampling::receive(ctx, c)?;
            Ok(Decision::one(c.sampling.clone(), Event::SampleReceived(c)))
        }
        Command::CancelSample(c) => {
            let c = sampling::cancel(ctx, c)?;
            Ok(Decision::one(c.sampling.clone(), Event::SampleCancelled(c)))
        }
        Command::VerifyTest(c) => {
            let e = positive::verify(ctx, c)?;
            Ok(Decision::one(e.test.clone(), Event::TestVerified(e)))
        }
        Command::StrikeTest(c) => {
            let e = positive::strike(ctx, c)?;
            Ok(Decision::one(e.test.clone(), Event::TestStruck(e)))
        }
        Command::DeliverResult(c) => {
            let e = positive::deliver(ctx, c)?;
            Ok(Decision::one(e.test.clone(), Event::ResultDelivered(e)))
        }
        Command::SettlePositive(c) => {
            let e = positive::settle(ctx, c)?;
            Ok(Decision::one(e.settled.test.clone(), Event::PositiveSettled(e)))
        }
        Command::FileObjection(c) => made(objection::file(ctx, c)?, Event::ObjectionFiled),
        Command::OrderRetest(c) => {
            let e = objection::order(ctx, c)?;
            Ok(Decision::one(e.objection.clone(), Event::RetestOrdered(e)))
        }
        Command::ReceiveRetestSample(c) => {
            let e = objection::receive(ctx, c)?;
            Ok(Decision::one(e.objection.clone(), Event::RetestSampleReceived(e)))
        }
        Command::ConcludeObjection(c) => decide_conclusion(ctx, c),
        other => Err(DomainError::Forbidden { action: other.name() }),
    }
}

/// A retest that does not agree sets the lot free at once and settles the first result.
fn decide_conclusion(
    ctx: &mut Context<'_>,
    c: objection::ConcludeObjection,
) -> Result<Decision, DomainError> {
    let (objection, ended) = objection::conclude(ctx, c)?;
    let mut decision =
        Decision::one(objection.id.clone(), Event::ObjectionConcluded(ended.clone()));
    if ended.status != objection::ObjectionStatus::Overturned {
        return Ok(decision);
    }
    let kind = hold::HoldKind::PositiveTest;
    if let Some(id) = &objection.lot {
        let lot: lot::Lot = ctx.require("lot", id)?;
        if lot.is_held_for(kind, &objection.test) {
            decision.events.push(Event::LotReleased(hold::ReleaseLot {
                lot: lot.id,
                kind,
                reference: objection.test.clone(),
                reason: ended.note.clone(),
                test: ended.by_test.clone(),
            }));
        }
    }
    let first: test::Test = ctx.require("test", &objection.test)?;
    if first.settled.is_none() {
        let settled = positive::SettlePositive {
            test: first.id,
            outcome: positive::Outcome::Released,
            note: ended.note,
            attachments: Vec::new(),
        };
        let by = ctx.actor.name();
        decision.events.push(Event::PositiveSettled(positive::PositiveSettled { settled, by }));
    }
    Ok(decision)
}

fn decide_test(ctx: &mut Context<'_>, c: test::RecordTest) -> Result<Decision, DomainError> {
    Ok(match test_take::record(ctx, c)? {
        Recorded::New(test) => {
            let hold = match &test.lot {
                Some(lot) => hold_of(lot, &test.id, test.verdict, ctx)?,
                None => None,
            };
            let mut decision = Decision::one(test.id.clone(), Event::TestRecorded(test));
            decision.events.extend(hold);
            decision
        }
        Recorded::Duplicate(id) => Decision::nothing(id, "duplicate"),
        Recorded::Conflict(id) => Decision::nothing(id, "conflict"),
    })
}

/// A failed test holds its lot at once (law art 36: not to be sold).
fn hold_of(
    lot: &str,
    test: &str,
    verdict: TestVerdict,
    ctx: &Context<'_>,
) -> Result<Option<Event>, DomainError> {
    let lot: lot::Lot = ctx.require("lot", lot)?;
    let reason = hold::HoldKind::PositiveTest;
    let known = lot.is_held_for(reason, test);
    let hold = verdict == TestVerdict::Fail && lot.status != lot::LotStatus::Void && !known;
    let (reference, note) = (test.to_owned(), String::new());
    Ok(hold.then_some(Event::LotHeld(hold::LotHeld { lot: lot.id, reason, reference, note })))
}
