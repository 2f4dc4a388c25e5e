//! What certificates, packs, scans, collections and label templates change in the store.

use rust_decimal::Decimal;

use crate::apply::{change, root};
use crate::certificate::{Certificate, CertificateStatus};
use crate::code::Code;
use crate::collection::Collection;
use crate::event::Event;
use crate::label_template::LabelTemplate;
use crate::lot::Lot;
use crate::pack::{self, Pack, RangeMarked};
use crate::state::{Overlay, State, StateError};
use crate::time::Time;
use crate::{national_code_set, scan, span};

pub(crate) fn apply(o: &mut Overlay<'_>, event: &Event, time: Time) -> Result<(), StateError> {
    match event {
        Event::CertificateIssued(e) => issued(o, e),
        Event::CertificateVoided(e) => voided(o, &e.code, &e.reason, time),
        Event::ScansCounted(e) => scan::apply_counts(o, e, time),
        Event::CodeChecked(e) => scan::apply_check(o, e, time),
        Event::CodeSuspected(e) => scan::apply_suspected(o, e, time),
        Event::SuspicionSettled(e) => scan::apply_settled(o, e, time),
        Event::CodeScratched(e) => scan::apply_scratched(o, e, time),
        Event::ScanPolicySet(e) => {
            o.touch(root("scan_policy", ""));
            o.put(e)
        }
        Event::PackOrdered(e) => {
            change(o, "pack", &e.id)?;
            o.put(&pack::last_of(e))?;
            o.put(e)
        }
        Event::RangeMarked(e) => marked(o, e),
        Event::PackCancelled(e) => {
            change(o, "pack", &e.pack)?;
            o.update::<Pack>(&e.pack, |pack| pack.cancelled = Some(e.reason.clone()))
        }
        Event::ProofCollected(e) => {
            o.touch(root("lot", &e.lot));
            o.put(e.as_ref())
        }
        Event::CollectionStruck(e) => {
            let mut lot = String::new();
            o.update::<Collection>(&e.collection, |one| {
                one.struck = Some(e.reason.clone());
                lot.clone_from(&one.lot);
            })?;
            o.touch(root("lot", &lot));
            Ok(())
        }
        Event::LabelTemplateSaved(e) => {
            change(o, "label_template", &e.id)?;
            o.put(e.as_ref())
        }
        Event::LabelTemplateClosed(e) => {
            change(o, "label_template", &e.label_template)?;
            let reason = e.reason.clone();
            o.update::<LabelTemplate>(&e.label_template, |one| one.closed = Some(reason))
        }
        Event::NationalCodeSet(e) => national_code_set::applied(o, e),
        _ => Ok(()),
    }
}

fn issued(o: &mut Overlay<'_>, c: &Certificate) -> Result<(), StateError> {
    o.touch(root("lot", &c.lot));
    o.update::<Lot>(&c.lot, |l| l.certified += c.content.quantity)?;
    if let Some(old) = &c.replaces {
        let code = c.content.code.clone();
        o.update::<Certificate>(old, |old| old.replaced_by = Some(code))?;
    }
    // The code of a paper form may have been scanned before it was entered.
    let state: &dyn State = &*o;
    let known = state.get::<Code>(&c.content.code)?;
    let code = known.unwrap_or_else(|| Code::new(&c.content.code, c.issued_at));
    o.put(&Code {
        certificate: c.content.code.clone(),
        lot: c.lot.clone(),
        operator: c.operator.clone(),
        area: c.area.clone(),
        bound_at: c.issued_at,
        ..code
    })?;
    o.put(c)
}

fn voided(o: &mut Overlay<'_>, code: &str, reason: &str, time: Time) -> Result<(), StateError> {
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

fn marked(o: &mut Overlay<'_>, event: &RangeMarked) -> Result<(), StateError> {
    change(o, "pack", &event.pack)?;
    o.update::<Pack>(&event.pack, |pack| span::marked(&mut pack.spans, &event.span))
}
