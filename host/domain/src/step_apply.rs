//! What a step does to the lots it was of.

use std::collections::BTreeSet;

use crate::lot::{self, Lot, LotStatus};
use crate::state::{Overlay, State, StateError};
use crate::step::{Step, StepTaken};

pub(crate) fn taken(o: &mut Overlay<'_>, e: &StepTaken) -> Result<(), StateError> {
    for lot in &e.lots {
        o.touch(format!("lot/{}", lot.id));
        if let Some(day) = lot::day_of(lot) {
            note_day(o, day)?;
        }
        o.put(lot)?;
    }
    for input in &e.step.inputs {
        o.touch(format!("lot/{}", input.lot));
        o.update::<Lot>(&input.lot, |lot| {
            if e.step.kind.makes() {
                lot.used += input.quantity;
            } else if e.step.kind.leaves() {
                lot.shipped += input.quantity;
            }
            let fresh = e.lots.iter().filter(|made| {
                made.sources.iter().any(|source| source.lot == lot.id)
                    && !lot.into.contains(&made.id)
            });
            let fresh: Vec<String> = fresh.map(|made| made.id.clone()).collect();
            lot.into.extend(fresh);
        })?;
    }
    o.create(&e.step)
}

/// A lot that something was added to keeps the number of its day, and the day the highest given.
fn note_day(o: &mut Overlay<'_>, day: lot::LotDay) -> Result<(), StateError> {
    let state: &dyn State = &*o;
    let before = state.get::<lot::LotDay>(&day.day)?.map_or(0, |known| known.last);
    if day.last > before { o.put(&day) } else { Ok(()) }
}

pub(crate) fn struck(o: &mut Overlay<'_>, id: &str, reason: &str) -> Result<(), StateError> {
    let state: &dyn State = &*o;
    let Some(step) = state.get::<Step>(id)? else {
        return Err(StateError(format!("record step/{id} is missing")));
    };
    for output in &step.outputs {
        o.touch(format!("lot/{}", output.lot));
        o.update::<Lot>(&output.lot, |lot| take_back(lot, &step, output.quantity))?;
    }
    let made: BTreeSet<&str> = step.outputs.iter().map(|one| one.lot.as_str()).collect();
    for input in &step.inputs {
        o.touch(format!("lot/{}", input.lot));
        let mut gone = Vec::new();
        for id in &made {
            if !is_made_of(&*o, id, &input.lot)? {
                gone.push(*id);
            }
        }
        o.update::<Lot>(&input.lot, |lot| {
            if step.kind.makes() {
                lot.used -= input.quantity;
            } else if step.kind.leaves() {
                lot.shipped -= input.quantity;
            }
            lot.into.retain(|id| !gone.contains(&id.as_str()));
        })?;
    }
    o.update::<Step>(id, |step| step.struck = Some(reason.to_owned()))
}

/// Takes out of a lot what a step put in; what is empty then never was.
fn take_back(lot: &mut Lot, step: &Step, quantity: rust_decimal::Decimal) {
    lot.quantity -= quantity;
    for input in &step.inputs {
        let same = |one: &lot::Source| one.lot == input.lot && one.quantity == input.quantity;
        if let Some(at) = lot.sources.iter().rposition(same) {
            lot.sources.remove(at);
        }
    }
    if lot.sources.is_empty() || lot.quantity <= rust_decimal::Decimal::ZERO {
        lot.quantity = rust_decimal::Decimal::ZERO;
        lot.status = LotStatus::Void;
    }
}

/// Whether a lot that stands still holds something of another, be it by another step.
fn is_made_of(state: &dyn State, lot: &str, source: &str) -> Result<bool, StateError> {
    Ok(state.get::<Lot>(lot)?.is_some_and(|lot| {
        lot.status != LotStatus::Void && lot.sources.iter().any(|one| one.lot == source)
    }))
}
