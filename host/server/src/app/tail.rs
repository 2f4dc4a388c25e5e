//! After commit: one thread follows the journal by sequence number and hands events on. What it
//! feeds is bounded and may slow it down; nothing is lost, because the journal keeps everything.

use std::sync::Weak;
use std::thread::JoinHandle;
use std::time::Duration;

use tianyin_domain::cell::Cell;
use tianyin_domain::certificate::Certificate;
use tianyin_domain::code::Code;
use tianyin_domain::device::Device;
use tianyin_domain::feedback::Feedback;
use tianyin_domain::id_card::IdCard;
use tianyin_domain::lot::Lot;
use tianyin_domain::message::Message;
use tianyin_domain::national_code::Holder;
use tianyin_domain::objection::Objection;
use tianyin_domain::operator::Operator;
use tianyin_domain::print_job::PrintJob;
use tianyin_domain::sampling::Sampling;
use tianyin_domain::test::Test;
use tianyin_domain::{Entity, Event};
use tianyin_journal::{Line, Reader};
use tokio::sync::watch;

use super::App;
use super::live::Notice;

/// Pause after a line that could not be read; the health page tells how much waits.
const AGAIN: Duration = Duration::from_secs(1);

/// Starts following from the line after `from_seq`.
pub fn start(
    app: Weak<App>,
    mut reader: Reader,
    mut committed: watch::Receiver<u64>,
    runtime: tokio::runtime::Handle,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("tail".into()).spawn(move || {
        let mut failing = false;
        loop {
            let head = *committed.borrow_and_update();
            loop {
                let read = reader.read_up_to(head);
                let Some(app) = app.upgrade() else { return };
                match read {
                    Ok(Some(line)) => {
                        hand_on(&app, &line);
                        app.live.tailed(line.seq);
                        failing = false;
                    }
                    Ok(None) => break,
                    Err(e) => {
                        if !std::mem::replace(&mut failing, true) {
                            tracing::error!(error = %e, "the journal cannot be read back: live work waits");
                        }
                        drop(app);
                        std::thread::sleep(AGAIN);
                    }
                }
            }
            // The writer's end of the channel goes with the application.
            if runtime.block_on(committed.changed()).is_err() {
                return;
            }
        }
    })
}

fn hand_on(app: &App, line: &Line) {
    let events: Vec<Event> = match serde_json::from_str(line.events.get()) {
        Ok(events) => events,
        Err(e) => {
            tracing::error!(seq = line.seq, error = %e, "a journal line is not understood");
            return;
        }
    };
    for event in &events {
        dispatch(app, event);
        if let Some(notice) = notice(event).or_else(|| changed(app, event)) {
            app.live.publish(notice);
        }
    }
}

/// Work that an event asks for.
fn dispatch(app: &App, event: &Event) {
    match event {
        Event::MessageReceived(m) => app.pipeline.message(&m.device, &m.id),
        Event::MessageReplayed(e) => app.pipeline.replayed(&e.message),
        Event::TestRecorded(t) => {
            if let Some(lot) = &t.lot {
                app.pipeline.tested(&t.id, lot);
            }
        }
        Event::TestAssigned(e) => app.pipeline.tested(&e.test, &e.lot),
        Event::TestVerified(e) => {
            if let Ok(Some(test)) = app.store.get::<Test>(&e.test)
                && let Some(lot) = &test.lot
            {
                app.pipeline.tested(&test.id, lot);
            }
        }
        Event::PrintQueued(job) => app.printing.call(&job.printer),
        Event::PrintRetried(e) => {
            if let Ok(Some(job)) = app.store.get::<PrintJob>(&e.job) {
                app.printing.call(&job.printer);
            }
        }
        // It may have another address now, or none of its jobs a future.
        Event::DeviceApproved(e) => app.printing.call(&e.id),
        Event::DeviceDisabled(e) => app.printing.call(&e.id),
        // As the store has it: a code may follow from the id, a change is of a part.
        Event::OperatorRegistered(e) => app.note_name(&e.id),
        Event::OperatorChanged(e) => app.note_name(&e.operator),
        Event::UserAdded(e) => app.people.note(e),
        Event::SiteAdded(e) => app.note_place(&e.id),
        Event::SiteChanged(e) => app.note_place(&e.site),
        Event::SiteClosed(e) => app.note_place(&e.site),
        Event::InputAdded(e) | Event::InputRevised(e) | Event::InputClosed(e) => {
            app.catalogue.note(e);
        }
        Event::OperatorReviewed(e) => app.note_name(&e.operator),
        Event::OperatorWithdrawn(e) => app.note_name(&e.operator),
        Event::LotOpened(e) => app.note_lots([&e.id]),
        Event::StepTaken(e) => app.note_step(&e.step.id),
        Event::StepStruck(e) => app.note_step(&e.step),
        Event::CertificateIssued(e) => app.note_lots([&e.lot]),
        Event::CertificateVoided(e) => {
            let certificate = app.store.get::<Certificate>(&e.code);
            app.note_lots(certificate.ok().flatten().iter().map(|one| &one.lot));
            app.call_printers_of(&e.code);
        }
        _ => {}
    }
}

/// What a page may want to show at once.
fn notice(event: &Event) -> Option<Notice> {
    let of = |topic, id: &str, area: &str, owner: &str| {
        Some(Notice { topic, id: id.into(), area: area.into(), owner: owner.into() })
    };
    match event {
        Event::TestRecorded(t) => of("test", &t.id, &t.area, &t.operator),
        Event::TestAssigned(e) => of("test", &e.test, &e.area, &e.operator),
        Event::MessageReceived(m) => of("message", &m.id, &m.area, ""),
        Event::CertificateIssued(c) => of("certificate", c.id(), &c.area, &c.operator),
        Event::PrintQueued(j) => of("print_job", &j.id, &j.area, &j.operator),
        Event::LotOpened(l) => of("lot", &l.id, &l.area, &l.operator),
        Event::DevicePaired(d) | Event::DeviceApproved(d) => {
            of("device", &d.id, &d.area, d.owner())
        }
        Event::OperatorRegistered(o) => of("operator", &o.id, &o.area, &o.id),
        Event::IdCardSaved(e) => of("id_card", &e.id_card, &e.area, &e.operator),
        Event::InputAdded(i) | Event::InputRevised(i) | Event::InputClosed(i) => {
            of("input", &i.id, "", "")
        }
        Event::OperatorDelegated(e) => of("operator", &e.operator, &e.area, &e.operator),
        Event::CellAdded(e) => of("cell", &e.id, &e.data.area, ""),
        Event::CellChanged(e) => of("cell", &e.cell.id, &e.cell.data.area, ""),
        Event::StepTaken(e) => of("step", &e.step.id, &e.step.area, &e.step.operator),
        Event::SampleTaken(s) => of("sampling", &s.id, &s.area, &s.operator),
        Event::ObjectionFiled(e) => of("objection", &e.id, &e.area, &e.operator),
        Event::FeedbackLeft(e) => of("feedback", &e.id, &e.area, &e.operator),
        _ => None,
    }
}

/// The same for events that name only the record they changed: it tells whose it is.
fn changed(app: &App, event: &Event) -> Option<Notice> {
    match event {
        Event::PrintBegun(e) => row::<PrintJob>(app, "print_job", &e.job),
        Event::PrintEnded(e) => row::<PrintJob>(app, "print_job", &e.job),
        Event::PrintCancelled(e) => row::<PrintJob>(app, "print_job", &e.job),
        Event::PrintRetried(e) => row::<PrintJob>(app, "print_job", &e.job),
        Event::MessageSettled(e) => row::<Message>(app, "message", &e.message),
        Event::MessageReplayed(e) => row::<Message>(app, "message", &e.message),
        Event::CertificateVoided(e) => row::<Certificate>(app, "certificate", &e.code),
        Event::LotHeld(e) => row::<Lot>(app, "lot", &e.lot),
        Event::DeviceDisabled(e) => row::<Device>(app, "device", &e.id),
        Event::OperatorReviewed(e) => row::<Operator>(app, "operator", &e.operator),
        Event::OperatorWithdrawn(e) => row::<Operator>(app, "operator", &e.operator),
        Event::OperatorChanged(e) => row::<Operator>(app, "operator", &e.operator),
        Event::IdCardSubmitted(e) => row::<IdCard>(app, "id_card", &e.id_card),
        Event::IdCardReviewed(e) => row::<IdCard>(app, "id_card", &e.id_card),
        Event::IdCardPublished(e) => row::<IdCard>(app, "id_card", &e.id_card),
        Event::IdCardWithdrawn(e) => row::<IdCard>(app, "id_card", &e.id_card),
        Event::DelegationEnded(e) => row::<Operator>(app, "operator", &e.operator),
        Event::CellEnded(e) => row::<Cell>(app, "cell", &e.cell),
        Event::TestVerified(e) => row::<Test>(app, "test", &e.test),
        Event::TestStruck(e) => row::<Test>(app, "test", &e.test),
        Event::PositiveSettled(e) => row::<Test>(app, "test", &e.settled.test),
        Event::SampleReceived(e) => row::<Sampling>(app, "sampling", &e.sampling),
        Event::SampleCancelled(e) => row::<Sampling>(app, "sampling", &e.sampling),
        Event::ObjectionConcluded(e) => row::<Objection>(app, "objection", &e.objection),
        Event::FeedbackModerated(e) => row::<Feedback>(app, "feedback", &e.feedback),
        Event::FeedbackClosed(e) => row::<Feedback>(app, "feedback", &e.feedback),
        Event::CodeSuspected(e) => row::<Code>(app, "code", &e.code),
        Event::SuspicionSettled(e) => row::<Code>(app, "code", &e.code),
        Event::NationalCodeSet(e) => match e.of {
            Holder::Operator => row::<Operator>(app, "operator", &e.id),
            Holder::Lot => row::<Lot>(app, "lot", &e.id),
            Holder::Product => None,
        },
        _ => None,
    }
}

fn row<E: Entity>(app: &App, topic: &'static str, id: &str) -> Option<Notice> {
    let record: E = app.store.get(id).ok()??;
    let (area, owner) = (record.area().to_owned(), record.owner().to_owned());
    Some(Notice { topic, id: id.to_owned(), area, owner })
}
