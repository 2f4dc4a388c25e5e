//! What an event about a test makes of the records.

use crate::event::Event;
use crate::message::Message;
use crate::objection::{Objection, ObjectionStatus};
use crate::positive::{Delivered, SettlePositive, Settled, Verified};
use crate::sampling::{Sampling, SamplingStatus};
use crate::state::{Overlay, StateError};
use crate::test::{MatchedBy, Test, TestAssigned};
use crate::time::Time;

pub(crate) fn recorded(o: &mut Overlay<'_>, test: &Test) -> Result<(), StateError> {
    if let Some(lot) = &test.lot {
        o.touch(format!("lot/{lot}"));
    }
    reported(o, test.sampling.as_ref())?;
    if !test.message.is_empty() {
        o.update::<Message>(&test.message, |m| m.tests.push(test.id.clone()))?;
    }
    o.create(test)
}

pub(crate) fn assigned(o: &mut Overlay<'_>, e: &TestAssigned) -> Result<(), StateError> {
    o.touch(format!("lot/{}", e.lot));
    reported(o, e.sampling.as_ref())?;
    o.update::<Test>(&e.test, |t| {
        t.lot = Some(e.lot.clone()).filter(|lot| !lot.is_empty());
        t.sampling.clone_from(&e.sampling);
        t.sample_no.clone_from(&e.sample_no);
        if !e.laboratory.is_empty() {
            t.laboratory.clone_from(&e.laboratory);
        }
        t.needs_verification = e.needs_verification;
        t.lot_no.clone_from(&e.lot_no);
        t.product_name.clone_from(&e.product_name);
        t.operator.clone_from(&e.operator);
        t.area.clone_from(&e.area);
        t.matched_by = Some(MatchedBy::Person);
        t.conducted_by = Some(e.conducted_by);
        t.verdict = e.judgement.verdict.into();
        t.judgement = e.judgement.clone();
    })
}

/// What followed on a result.
pub(crate) fn followed(o: &mut Overlay<'_>, event: &Event, time: Time) -> Result<(), StateError> {
    match event {
        Event::TestVerified(e) => change_test(o, &e.test, |test| {
            test.verified = Some(Verified { by: e.by.clone(), at: time });
        }),
        Event::TestStruck(e) => {
            change_test(o, &e.test, |test| test.struck = Some(e.reason.clone()))
        }
        Event::ResultDelivered(e) => change_test(o, &e.test, |test| {
            let (at, to) = (e.delivered_at, e.to.clone());
            test.delivered = Some(Delivered { at, to, until: e.until, guessed: e.guessed });
        }),
        Event::PositiveSettled(e) => change_test(o, &e.settled.test, |test| {
            let SettlePositive { outcome, note, attachments, .. } = e.settled.clone();
            test.settled = Some(Settled { outcome, note, attachments, by: e.by.clone(), at: time });
        }),
        _ => Ok(()),
    }
}

/// What became of an objection.
pub(crate) fn objected(o: &mut Overlay<'_>, event: &Event, time: Time) -> Result<(), StateError> {
    match event {
        Event::RetestOrdered(e) => o.update::<Objection>(&e.objection, |one| {
            one.status = ObjectionStatus::Ordered;
            one.laboratory.clone_from(&e.laboratory);
            one.method = Some(e.method);
        }),
        Event::RetestSampleReceived(e) => o.update::<Objection>(&e.objection, |one| {
            one.received_on = Some(e.received_on);
            one.due_on = Some(e.due_on);
        }),
        Event::ObjectionConcluded(e) => o.update::<Objection>(&e.objection, |one| {
            one.status = e.status;
            one.conclusion.clone_from(&e.note);
            one.concluded_at = Some(time);
        }),
        _ => Ok(()),
    }
}

/// A sample with a result is reported; one that was cancelled stays so.
fn reported(o: &mut Overlay<'_>, sampling: Option<&String>) -> Result<(), StateError> {
    let Some(id) = sampling else { return Ok(()) };
    o.update::<Sampling>(id, |one| {
        if one.status != SamplingStatus::Cancelled {
            one.status = SamplingStatus::Reported;
        }
    })
}

/// Changes a test, and with it what may rest on its lot.
fn change_test(
    o: &mut Overlay<'_>,
    id: &str,
    change: impl FnOnce(&mut Test),
) -> Result<(), StateError> {
    let mut lot = None;
    o.update::<Test>(id, |test| {
        change(test);
        lot.clone_from(&test.lot);
    })?;
    if let Some(lot) = lot {
        o.touch(format!("lot/{lot}"));
    }
    Ok(())
}
