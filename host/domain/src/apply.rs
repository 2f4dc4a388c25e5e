//! An event becomes puts. Total over every journal ever written: nothing is refused here, and no
//! rule, plugin or clock is asked.

use rust_decimal::Decimal;

use crate::agency::Agency;
use crate::application;
use crate::authorisation::Authorisation;
use crate::certificate::{Certificate, CertificateStatus};
use crate::code::{self, Code};
use crate::device::{Bench, Device, DeviceStatus};
use crate::document::Document;
use crate::event::Event;
use crate::history::remember;
use crate::lot::{self, Lot, LotStatus};
use crate::message::{Content, Message, MessageStatus};
use crate::operator::{self, Operator};
use crate::print_job::{PrintJob, PrintStatus};
use crate::state::{Overlay, State, StateError};
use crate::test::{MatchedBy, Test};
use crate::time::Time;
use crate::user::User;

/// Applies one event of the line that [`Overlay::begin_line`] named. `time` is the line's.
pub fn apply(o: &mut Overlay<'_>, event: &Event, time: Time) -> Result<(), StateError> {
    match event {
        Event::CountyConfigured(e) => o.put(e),
        Event::AgencyAdded(e) => o.put(e),
        Event::AccessNoted(e) => o.create(e),
        Event::UserAdded(e) => {
            if let Some(operator) = &e.operator {
                remember(o, root("operator", operator))?;
            }
            remember(o, root("user", &e.id))?;
            apply_user(o, e)
        }
        Event::CredentialChanged(e) => {
            remember(o, root("user", &e.user))?;
            o.update::<User>(&e.user, |u| u.credential.clone_from(&e.credential))
        }
        Event::ActiveChanged(e) => {
            remember(o, root("user", &e.user))?;
            o.update::<User>(&e.user, |u| u.active = e.active)
        }
        Event::OperatorRegistered(e) => {
            change_operator(o, &e.id)?;
            o.put(&operator::recorded(e))
        }
        Event::OperatorChanged(e) => {
            change_operator(o, &e.operator)?;
            o.update::<Operator>(&e.operator, |op| operator::changed(op, &e.data))
        }
        Event::OperatorWithdrawn(e) => {
            change_operator(o, &e.operator)?;
            o.update::<Operator>(&e.operator, application::withdrawn)
        }
        Event::CardIssued(e) => {
            remember(o, root("operator", &e.operator))?;
            o.put(e)
        }
        Event::DocumentFiled(e) => {
            remember(o, root("operator", &e.operator))?;
            o.create(e)
        }
        Event::DocumentClosed(e) => {
            let mut operator = String::new();
            o.update::<Document>(&e.document, |document| {
                document.closed = Some(e.reason.clone());
                operator.clone_from(&document.operator);
            })?;
            remember(o, root("operator", &operator))
        }
        Event::OperatorReviewed(e) => {
            change_operator(o, &e.operator)?;
            o.update::<Operator>(&e.operator, |op| {
                op.status = e.status;
                op.status_reason.clone_from(&e.reason);
            })
        }
        Event::SiteAdded(e) => {
            o.touch(root("site", &e.id));
            remember(o, root("operator", &e.operator))?;
            o.put(e)
        }
        Event::ProductAdded(e) => {
            remember(o, root("operator", &e.operator))?;
            o.put(e)
        }
        Event::InputAdded(e) => o.put(e),
        Event::LotOpened(e) => {
            o.touch(root("lot", &e.id));
            if let Some(day) = lot::day_of(e) {
                o.put(&day)?;
            }
            o.put(e)
        }
        Event::LotHeld(e) => {
            o.touch(root("lot", &e.lot));
            o.update::<Lot>(&e.lot, |l| {
                l.status = LotStatus::Held;
                l.status_reason.clone_from(&e.reason);
            })
        }
        Event::ActivityRecorded(e) => {
            o.touch(root("site", &e.site));
            if let Some(lot) = &e.lot {
                o.touch(root("lot", lot));
            }
            o.create(e)
        }
        Event::DevicePaired(e) | Event::DeviceApproved(e) => o.put(e),
        Event::DeviceDisabled(e) => {
            o.update::<Device>(&e.id, |d| d.status = DeviceStatus::Disabled)
        }
        Event::LotScanned(e) if e.bench.is_empty() => Ok(()),
        Event::LotScanned(e) => {
            o.put(&Bench { id: e.bench.clone(), lot: e.lot.clone(), scanned_at: time })
        }
        Event::MessageReceived(e) => {
            if let Some(content) = Content::of(e) {
                o.create(&content)?;
            }
            o.create(e)
        }
        Event::MessageSettled(e) => o.update::<Message>(&e.message, |m| {
            m.status = e.status;
            m.reason.clone_from(&e.reason);
            m.detail.clone_from(&e.detail);
            m.problems.clone_from(&e.problems);
        }),
        Event::MessageReplayed(e) => {
            o.update::<Message>(&e.message, |m| m.status = MessageStatus::Received)
        }
        Event::TestRecorded(e) => apply_test(o, e),
        Event::TestAssigned(e) => {
            o.touch(root("lot", &e.lot));
            o.update::<Test>(&e.test, |t| {
                t.lot = Some(e.lot.clone());
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
        Event::AuthorisationGranted(e) => {
            change_operator(o, &e.operator)?;
            o.put(e)
        }
        Event::AuthorisationRevoked(e) => apply_revocation(o, &e.authorisation, time),
        Event::CertificateIssued(e) => apply_certificate(o, e),
        Event::CertificateVoided(e) => apply_void(o, &e.code, &e.reason, time),
        Event::PrintQueued(e) => o.create(e),
        Event::PrintEnded(e) => o.update::<PrintJob>(&e.job, |j| {
            j.status = if e.error.is_empty() { PrintStatus::Printed } else { PrintStatus::Failed };
            j.error.clone_from(&e.error);
            j.ended_at = Some(time);
        }),
        Event::ScansCounted(e) => code::apply_scans(o, e),
        Event::CodeChecked(e) => code::apply_check(o, e, time),
        Event::Answered(e) => o.put(e),
    }
}

fn root(noun: &str, id: &str) -> String {
    format!("{noun}/{id}")
}

/// Lines of the first format do not tell the kind of the user's agency.
fn apply_user(o: &mut Overlay<'_>, user: &User) -> Result<(), StateError> {
    let state: &dyn State = &*o;
    let agency = match (&user.agency, user.office) {
        (Some(id), None) => state.get::<Agency>(id)?,
        _ => None,
    };
    match agency {
        Some(agency) => o.put(&User { office: Some(agency.kind), ..user.clone() }),
        None => o.put(user),
    }
}

fn apply_test(o: &mut Overlay<'_>, test: &Test) -> Result<(), StateError> {
    if let Some(lot) = &test.lot {
        o.touch(root("lot", lot));
    }
    if !test.message.is_empty() {
        o.update::<Message>(&test.message, |m| m.tests.push(test.id.clone()))?;
    }
    o.create(test)
}

fn apply_revocation(o: &mut Overlay<'_>, id: &str, time: Time) -> Result<(), StateError> {
    let mut operator = String::new();
    o.update::<Authorisation>(id, |a| {
        a.revoked_at = Some(time);
        operator.clone_from(&a.operator);
    })?;
    change_operator(o, &operator)
}

/// What rules and people based on the operator is to be looked at again.
fn change_operator(o: &mut Overlay<'_>, id: &str) -> Result<(), StateError> {
    o.touch(root("operator", id));
    remember(o, root("operator", id))
}

fn apply_certificate(o: &mut Overlay<'_>, c: &Certificate) -> Result<(), StateError> {
    o.touch(root("lot", &c.lot));
    o.update::<Lot>(&c.lot, |l| l.certified += c.content.quantity)?;
    if let Some(old) = &c.replaces {
        let code = c.content.code.clone();
        o.update::<Certificate>(old, |old| old.replaced_by = Some(code))?;
    }
    o.put(&Code {
        code: c.content.code.clone(),
        certificate: c.content.code.clone(),
        lot: c.lot.clone(),
        operator: c.operator.clone(),
        area: c.area.clone(),
        bound_at: c.issued_at,
        scans: 0,
        first_scan_at: None,
        checks: 0,
        last_check_at: None,
    })?;
    o.put(c)
}

fn apply_void(o: &mut Overlay<'_>, code: &str, reason: &str, time: Time) -> Result<(), StateError> {
    let mut freed: Option<(String, Decimal)> = None;
    o.update::<Certificate>(code, |c| {
        c.status = CertificateStatus::Void;
        c.void_reason = reason.into();
        c.voided_at = Some(time);
        freed = Some((c.lot.clone(), c.content.quantity));
    })?;
    if let Some((lot, quantity)) = freed {
        o.touch(root("lot", &lot));
        o.update::<Lot>(&lot, |l| l.certified -= quantity)?;
    }
    Ok(())
}
