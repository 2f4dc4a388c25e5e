//! Whether a step is taken, and what comes out of it.

use rust_decimal::Decimal;

use crate::attachment;
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::lineage::{self, Direction};
use crate::lot::{self, Lot, LotStatus, Source};
use crate::operator::{Operator, OperatorStatus};
use crate::product::Product;
use crate::step::{
    Buyer, Made, PORTIONS_MAX, Portion, Step, StepKind, StepTaken, StrikeStep, TakeStep,
};
use crate::test;
use crate::time::{Date, china_date};
use crate::trace_policy::TracePolicy;
use crate::unit::kilograms;

/// Lots that one lot may be made of, and that may be made of it.
const BRANCHES_MAX: usize = 5_000;
/// Ancestors looked at before something is added to a lot.
const ANCESTORS_MAX: usize = 10_000;

pub(crate) fn take(ctx: &mut Context<'_>, c: TakeStep) -> Result<StepTaken, DomainError> {
    checked(&c, china_date(ctx.time))?;
    let inputs = inputs_of(ctx, &c)?;
    let (Some(first), last) =
        (inputs.first(), inputs.iter().map(|(lot, _)| lot.harvested_on).max())
    else {
        return Err(DomainError::field("inputs", "required"));
    };
    if last.is_some_and(|harvest| c.date < harvest) {
        return Err(DomainError::field("date", "before_harvest"));
    }
    let buyer = buyer_of(ctx, &c, &first.0)?;
    let id = new_id("stp", ctx.time, ctx.random);
    let (lots, loss) = match c.kind {
        StepKind::Transfer => (handed_over(ctx, &c, &inputs, buyer.as_ref(), &id)?, None),
        kind if kind.makes() => {
            let loss = balance(ctx, &inputs, &c.outputs)?;
            (made(ctx, &c, &inputs, &id)?, Some(loss))
        }
        _ => (Vec::new(), None),
    };
    let made: Vec<Decimal> = match c.kind {
        StepKind::Transfer => inputs.iter().map(|(_, quantity)| *quantity).collect(),
        _ => c.outputs.iter().map(|one| one.quantity).collect(),
    };
    let outputs = lots.iter().zip(made).map(|(lot, quantity)| portion(lot, quantity)).collect();
    let (loss, loss_unit) = loss.map_or((None, String::new()), |(loss, unit)| (Some(loss), unit));
    let step = Step {
        id,
        kind: c.kind,
        operator: first.0.operator.clone(),
        area: first.0.area.clone(),
        date: c.date,
        inputs: inputs.iter().map(|(lot, quantity)| portion(lot, *quantity)).collect(),
        outputs,
        loss,
        loss_unit,
        buyer: buyer.map(|(buyer, _)| buyer),
        place: c.place.trim().into(),
        note: c.note,
        attachments: c.attachments,
        recorded_at: ctx.time,
        struck: None,
    };
    Ok(StepTaken { step, lots })
}

pub(crate) fn strike(ctx: &mut Context<'_>, c: StrikeStep) -> Result<StrikeStep, DomainError> {
    let step: Step = ctx.require("step", &c.step)?;
    if step.struck.is_some() {
        return Err(DomainError::refused("step_is_struck", &[]));
    }
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    for one in &step.outputs {
        let lot: Lot = ctx.require("lot", &one.lot)?;
        if !is_untouched(ctx, &lot)? {
            return Err(DomainError::refused("lot_in_use", &[("no", &lot.no)]));
        }
    }
    Ok(StrikeStep { step: step.id, reason: c.reason.trim().into() })
}

fn checked(c: &TakeStep, today: Date) -> Result<(), DomainError> {
    let count = (c.inputs.len(), c.outputs.len());
    let made = if c.kind.makes() { 1..=PORTIONS_MAX } else { 0..=0 };
    let mut check = Check::new();
    check
        .day_done("date", c.date, today)
        .optional_text("place", &c.place, 64)
        .optional_text("note", &c.note, 256)
        .ensure((1..=PORTIONS_MAX).contains(&count.0), "inputs", "bad_count")
        .ensure(made.contains(&count.1), "outputs", "bad_count")
        .ensure(c.kind != StepKind::Split || count.0 == 1, "inputs", "one_only")
        .ensure(c.kind != StepKind::Mix || count.1 == 1, "outputs", "one_only")
        .ensure(c.kind != StepKind::Store || !c.place.trim().is_empty(), "place", "required");
    for (at, one) in c.inputs.iter().enumerate() {
        check.quantity(&format!("inputs[{at}].quantity"), one.quantity);
        if c.inputs.iter().take(at).any(|before| before.lot == one.lot) {
            check.bad(&format!("inputs[{at}].lot"), "repeated_lot");
        }
    }
    for (at, one) in c.outputs.iter().enumerate() {
        check.quantity(&format!("outputs[{at}].quantity"), one.quantity);
        if let Some(unit) = &one.unit {
            check.text(&format!("outputs[{at}].unit"), unit, 16);
        }
        if let Some(kg) = one.unit_kg {
            check.quantity(&format!("outputs[{at}].unit_kg"), kg);
        }
    }
    attachment::check(&mut check, &c.attachments);
    check.done()
}

/// Lots that go in, with how much of each; all of one operator, free, and with so much left.
fn inputs_of(ctx: &Context<'_>, c: &TakeStep) -> Result<Vec<(Lot, Decimal)>, DomainError> {
    let mut inputs: Vec<(Lot, Decimal)> = Vec::with_capacity(c.inputs.len());
    for (at, one) in c.inputs.iter().enumerate() {
        let lot: Lot = ctx.require("lot", &one.lot)?;
        if inputs.first().is_some_and(|(first, _)| first.operator != lot.operator) {
            return Err(DomainError::field(&format!("inputs[{at}].lot"), "other_operator"));
        }
        // What is held stays where it is; that it lies in a store may be said.
        if c.kind != StepKind::Store || lot.status == LotStatus::Void {
            lot::not_held(&lot)?;
        }
        let left = if c.kind.makes() { lot.left() } else { lot.on_hand() };
        if one.quantity > left {
            let left = left.normalize().to_string();
            return Err(DomainError::refused(
                "lot_exhausted",
                &[("no", &lot.no), ("left", &left), ("unit", &lot.unit)],
            ));
        }
        if lot.into.len() + c.outputs.len() > BRANCHES_MAX {
            return Err(DomainError::refused("lot_too_many_parts", &[("no", &lot.no)]));
        }
        inputs.push((lot, one.quantity));
    }
    Ok(inputs)
}

/// Who goods go to, with the operator where it is one.
fn buyer_of(
    ctx: &Context<'_>,
    c: &TakeStep,
    lot: &Lot,
) -> Result<Option<(Buyer, Option<Operator>)>, DomainError> {
    let Some(buyer) = c.buyer.as_ref().filter(|_| c.kind.leaves()) else {
        let needed = c.kind.leaves() || c.buyer.is_some();
        return if needed { Err(DomainError::field("buyer", "bad_choice")) } else { Ok(None) };
    };
    let mut check = Check::new();
    check.optional_text("buyer.place", &buyer.place, 64);
    let place = buyer.place.trim().to_owned();
    if c.kind == StepKind::Ship {
        check.text("buyer.name", &buyer.name, 64);
        check.done()?;
        return Ok(Some((Buyer { operator: None, name: buyer.name.trim().into(), place }, None)));
    }
    check.done()?;
    let id = buyer.operator.as_deref().unwrap_or_default();
    if id.is_empty() {
        return Err(DomainError::field("buyer.operator", "required"));
    }
    let operator: Operator = ctx.require("operator", id)?;
    if operator.id == lot.operator {
        return Err(DomainError::field("buyer.operator", "own_operator"));
    }
    if operator.status != OperatorStatus::Approved {
        return Err(DomainError::refused("operator_not_approved", &[("name", &operator.name)]));
    }
    let buyer = Buyer { operator: Some(operator.id.clone()), name: operator.name.clone(), place };
    Ok(Some((buyer, Some(operator))))
}

/// Law of the books: no more comes out than went in, beyond the county's tolerance. The answer is what was
/// lost on the way, and its unit.
fn balance(
    ctx: &Context<'_>,
    inputs: &[(Lot, Decimal)],
    outputs: &[Made],
) -> Result<(Decimal, String), DomainError> {
    let unit = inputs.first().map(|(lot, _)| lot.unit.clone()).unwrap_or_default();
    let same = inputs.iter().all(|(lot, _)| lot.unit == unit)
        && outputs.iter().all(|one| one.unit.as_ref().is_none_or(|other| *other == unit));
    let (mut taken, mut made) = (Decimal::ZERO, Decimal::ZERO);
    for (at, (lot, quantity)) in inputs.iter().enumerate() {
        let factor = if same { Some(Decimal::ONE) } else { lot.unit_kg.or(kilograms(&lot.unit)) };
        let factor = factor.ok_or_else(|| no_weight(&format!("inputs[{at}].lot"), &lot.unit))?;
        taken += quantity * factor;
    }
    for (at, one) in outputs.iter().enumerate() {
        let of = one.unit.as_ref().unwrap_or(&unit);
        let factor = if same { Some(Decimal::ONE) } else { one.unit_kg.or(kilograms(of)) };
        let factor = factor.ok_or_else(|| no_weight(&format!("outputs[{at}].unit_kg"), of))?;
        made += one.quantity * factor;
    }
    let unit = if same { unit } else { "公斤".to_owned() };
    let permille = TracePolicy::of(ctx.state)?.balance_tolerance_permille;
    let most = taken * (Decimal::ONE + Decimal::new(i64::from(permille), 3));
    if made > most {
        let (taken, made) = (taken.normalize().to_string(), made.normalize().to_string());
        return Err(DomainError::refused(
            "mass_balance",
            &[("taken", &taken), ("made", &made), ("unit", &unit)],
        ));
    }
    Ok(((taken - made).normalize(), unit))
}

fn no_weight(field: &str, unit: &str) -> DomainError {
    let mut check = Check::new();
    check.bad_with(field, "needs_unit_kg", &[("unit", unit)]);
    check.done().err().unwrap_or_else(|| DomainError::field(field, "required"))
}

/// Lots that come out of a step of one's own.
fn made(
    ctx: &mut Context<'_>,
    c: &TakeStep,
    inputs: &[(Lot, Decimal)],
    step: &str,
) -> Result<Vec<Lot>, DomainError> {
    let mut lots: Vec<Lot> = Vec::with_capacity(c.outputs.len());
    let mut fresh = 0;
    for (at, one) in c.outputs.iter().enumerate() {
        let like = Likeness::of(ctx, inputs, one, c.kind, at)?;
        let lot = match &one.into {
            Some(into) if lots.iter().any(|lot| lot.id == *into) => {
                return Err(DomainError::field(&format!("outputs[{at}].into"), "repeated_lot"));
            }
            Some(into) => added_to(ctx, into, inputs, &like, one)?,
            None => {
                fresh += 1;
                like.new_lot(ctx, c.date, fresh, one.quantity, step)?
            }
        };
        lots.push(lot);
    }
    // Which part of the inputs went into which output is not told: all of them went into each.
    for lot in &mut lots {
        for (input, quantity) in inputs {
            lot.sources.push(Source { lot: input.id.clone(), quantity: *quantity });
        }
        if lot.sources.len() > BRANCHES_MAX {
            return Err(DomainError::refused("lot_too_many_parts", &[("no", &lot.no)]));
        }
    }
    Ok(lots)
}

/// The lots that a buyer on record has from now on, one for each that it was given.
fn handed_over(
    ctx: &mut Context<'_>,
    c: &TakeStep,
    inputs: &[(Lot, Decimal)],
    buyer: Option<&(Buyer, Option<Operator>)>,
    step: &str,
) -> Result<Vec<Lot>, DomainError> {
    let Some((_, Some(operator))) = buyer else {
        return Err(DomainError::field("buyer.operator", "required"));
    };
    let mut lots = Vec::with_capacity(inputs.len());
    for (nth, (lot, quantity)) in (1..).zip(inputs) {
        let like = Likeness {
            operator: operator.id.clone(),
            area: operator.area.clone(),
            bought: true,
            ..Likeness::like(lot)
        };
        let mut new = like.new_lot(ctx, c.date, nth, *quantity, step)?;
        new.sources.push(Source { lot: lot.id.clone(), quantity: *quantity });
        lots.push(new);
    }
    Ok(lots)
}

/// What a lot that comes out is like.
struct Likeness {
    operator: String,
    area: String,
    product: String,
    product_name: String,
    site: String,
    area_name: String,
    unit: String,
    unit_kg: Option<Decimal>,
    harvested_on: Date,
    /// The one lot it goes back to; `None` where it goes back to several.
    origin: Option<String>,
    bought: bool,
}

impl Likeness {
    fn like(lot: &Lot) -> Self {
        Self {
            operator: lot.operator.clone(),
            area: lot.area.clone(),
            product: lot.product.clone(),
            product_name: lot.product_name.clone(),
            site: lot.site.clone(),
            area_name: lot.area_name.clone(),
            unit: lot.unit.clone(),
            unit_kg: lot.unit_kg,
            harvested_on: lot.harvested_on,
            origin: lot.harvest_lot().map(String::from),
            bought: lot.bought,
        }
    }

    fn of(
        ctx: &Context<'_>,
        inputs: &[(Lot, Decimal)],
        one: &Made,
        kind: StepKind,
        at: usize,
    ) -> Result<Self, DomainError> {
        let Some((first, _)) = inputs.first() else {
            return Err(DomainError::field("inputs", "required"));
        };
        let mut like = Self::like(first);
        let origins = inputs.iter().map(|(lot, _)| lot.harvest_lot().map(String::from));
        like.origin = like.origin.take().filter(|own| origins.flatten().all(|one| one == *own));
        if inputs.iter().any(|(lot, _)| lot.harvest_lot().is_none()) {
            like.origin = None;
        }
        like.bought = inputs.iter().any(|(lot, _)| lot.bought);
        let latest = inputs.iter().map(|(lot, _)| lot.harvested_on).max();
        like.harvested_on = latest.unwrap_or(like.harvested_on);
        if let Some(unit) = one.unit.as_ref().map(|unit| unit.trim()) {
            if unit != like.unit {
                like.unit_kg = None;
            }
            like.unit = unit.to_owned();
        }
        like.unit_kg = one.unit_kg.or(like.unit_kg);
        let field = format!("outputs[{at}].product");
        let same = inputs.iter().all(|(lot, _)| lot.product == first.product);
        match one.product.as_deref().filter(|id| !id.is_empty()) {
            Some(id) if id != first.product || !same => {
                let product: Product = ctx.require("product", id)?;
                let known = inputs.iter().any(|(lot, _)| lot.product == product.id);
                if product.operator != first.operator && !known {
                    return Err(DomainError::field(&field, "other_operator"));
                }
                // Other goods come of processing only; goods of several growers get the buyer's own name.
                if !known && !matches!(kind, StepKind::Process | StepKind::Mix) {
                    return Err(DomainError::field(&field, "other_product"));
                }
                like.product = product.id;
                like.product_name = product.name;
            }
            Some(_) => {}
            None if same => {}
            None => return Err(DomainError::field(&field, "required")),
        }
        Ok(like)
    }

    fn new_lot(
        self,
        ctx: &mut Context<'_>,
        date: Date,
        nth: u32,
        quantity: Decimal,
        step: &str,
    ) -> Result<Lot, DomainError> {
        Ok(Lot {
            id: new_id("lot", ctx.time, ctx.random),
            no: lot::number(ctx, date, nth)?,
            operator: self.operator,
            product: self.product,
            product_name: self.product_name,
            site: self.site,
            area: self.area,
            area_name: self.area_name,
            quantity,
            unit: self.unit,
            unit_kg: self.unit_kg,
            certified: Decimal::ZERO,
            used: Decimal::ZERO,
            shipped: Decimal::ZERO,
            harvested_on: self.harvested_on,
            status: LotStatus::Open,
            status_reason: String::new(),
            holds: Vec::new(),
            opened_at: ctx.time,
            early: None,
            step: Some(step.to_owned()),
            mixed: self.origin.is_none(),
            bought: self.bought,
            origin: self.origin,
            sources: Vec::new(),
            into: Vec::new(),
            national_code: String::new(),
            national_short_code: String::new(),
        })
    }
}

/// A lot that is still being put together, with more in it. What was certified, tested or used is what it
/// is; and nothing becomes its own ancestor.
fn added_to(
    ctx: &Context<'_>,
    into: &str,
    inputs: &[(Lot, Decimal)],
    like: &Likeness,
    one: &Made,
) -> Result<Lot, DomainError> {
    let mut lot: Lot = ctx.require("lot", into)?;
    if lot.operator != like.operator {
        return Err(DomainError::field("outputs.into", "other_operator"));
    }
    let from: Vec<String> = inputs.iter().map(|(lot, _)| lot.id.clone()).collect();
    let ancestors = lineage::walk(ctx.state, &from, Direction::Back, ANCESTORS_MAX)?;
    if ancestors.cut || ancestors.reached.iter().any(|one| one.lot.id == lot.id) {
        return Err(DomainError::refused("cyclic_lineage", &[("no", &lot.no)]));
    }
    lot::not_held(&lot)?;
    if lot.step.is_none() || !is_untouched(ctx, &lot)? {
        return Err(DomainError::refused("lot_in_use", &[("no", &lot.no)]));
    }
    if lot.product != like.product || lot.unit != like.unit {
        return Err(DomainError::field("outputs.into", "other_product"));
    }
    lot.quantity += one.quantity;
    lot.bought |= like.bought;
    if lot.origin != like.origin {
        (lot.origin, lot.mixed) = (None, true);
    }
    lot.harvested_on = lot.harvested_on.max(like.harvested_on);
    Ok(lot)
}

/// Whether nothing was done with a lot since it came out of its step.
fn is_untouched(ctx: &Context<'_>, lot: &Lot) -> Result<bool, DomainError> {
    let moved = [lot.used, lot.shipped, lot.certified].iter().any(|one| !one.is_zero());
    let tested = !ctx.state.ids(test::BY_LOT, &lot.id, 1)?.is_empty();
    Ok(!moved && !tested && lot.status == LotStatus::Open)
}

fn portion(lot: &Lot, quantity: Decimal) -> Portion {
    Portion {
        lot: lot.id.clone(),
        no: lot.no.clone(),
        product_name: lot.product_name.clone(),
        quantity,
        unit: lot.unit.clone(),
    }
}
