//! Packs of codes (码包): 1,000 to 1,000,000 unit codes for a printing house, or numbered blank forms
//! . A pack is one record, however large: its codes are made from its number and their place in it,
//! and what became of them is told by ranges. A code is bound once and never shows another lot
//! (domain/codes, section 7).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::county::{COUNTY_ID, County};
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::lot::{self, Lot};
use crate::operator::Operator;
use crate::product::Product;
use crate::span::{Span, SpanState};
use crate::state::{Entity, Entry, Index, Table};
use crate::time::Time;

/// Codes of a pack for packages.
pub const UNITS: std::ops::RangeInclusive<u32> = 1_000..=1_000_000;
/// Forms of a pack of paper: each is a range of its own once it was entered.
pub const PAPERS: std::ops::RangeInclusive<u32> = 1..=2_000;
/// Packs there may ever be: what the number in a code has room for.
pub const PACKS_MAX: u32 = (1 << 20) - 1;
/// Ranges of one pack that were marked.
pub const SPANS_MAX: usize = 2_100;

/// What a pack's codes are printed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackKind {
    /// Packages: each its own code, bound to a lot.
    Unit,
    /// Blank numbered forms: each becomes the certificate that is entered from it.
    Paper,
}

impl PackKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 2] = [Self::Unit, Self::Paper];

    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Paper => "paper",
        }
    }
}

/// A code's place: pack and number in it, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Pack.
    pub pack: String,
    /// Number in it.
    pub serial: u32,
}

/// A pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// Id, `pck_…`.
    pub id: String,
    /// Running number of the county's packs, from 1.
    pub number: u32,
    /// What its codes are printed on.
    pub kind: PackKind,
    /// Codes in it.
    pub size: u32,
    /// Operator that it is for; empty for anybody's goods.
    #[serde(default)]
    pub operator: String,
    /// Product that it is for; empty for any.
    #[serde(default)]
    pub product: String,
    /// Each code has a number under a scratch layer beside it.
    #[serde(default)]
    pub scratch: bool,
    /// What it is for, and who prints it.
    #[serde(default)]
    pub note: String,
    /// When it was ordered.
    pub ordered_at: Time,
    /// Who ordered it.
    pub ordered_by: String,
    /// What became of its codes, by their numbers; nothing yet of those that are in none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// Why none of those that were not bound will ever be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<String>,
    /// First 16 hex digits of the SM3 of the key that its codes are made with.
    #[serde(default)]
    pub key_check: String,
    /// Region code.
    pub area: String,
}

/// How many codes of a pack stand how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PackCounts {
    /// Nothing told yet.
    pub free: u32,
    /// Handed out.
    pub assigned: u32,
    /// Bound.
    pub bound: u32,
    /// Spoiled.
    pub waste: u32,
    /// Void.
    pub void: u32,
}

impl Pack {
    /// What became of a code; `None` while nothing is told.
    pub fn span_of(&self, serial: u32) -> Option<&Span> {
        let at = self.spans.partition_point(|span| span.to < serial);
        self.spans.get(at).filter(|span| span.from <= serial)
    }

    /// Whether there is such a code.
    pub fn has(&self, serial: u32) -> bool {
        (1..=self.size).contains(&serial)
    }

    /// How many stand how.
    pub fn counts(&self) -> PackCounts {
        let mut counts = PackCounts { free: self.size, ..PackCounts::default() };
        for span in &self.spans {
            let count = span.count();
            counts.free = counts.free.saturating_sub(count);
            let kind = match span.state {
                SpanState::Assigned => &mut counts.assigned,
                SpanState::Bound => &mut counts.bound,
                SpanState::Waste => &mut counts.waste,
                SpanState::Void => &mut counts.void,
            };
            *kind += count;
        }
        counts
    }

    /// Its number as people read it: `P0001`.
    pub fn no(&self) -> String {
        format!("P{:04}", self.number)
    }

    /// A code's number as it is printed: `P0001-000123`.
    pub fn label_of(&self, serial: u32) -> String {
        format!("{}-{serial:06}", self.no())
    }

    /// How many of them stand for a lot.
    pub fn bound_to(&self, lot: &str) -> u32 {
        let of_lot = |span: &&Span| span.state == SpanState::Bound && span.lot == lot;
        self.spans.iter().filter(of_lot).map(Span::count).sum()
    }

    /// Operators that have codes of it.
    pub fn holders(&self) -> BTreeSet<&str> {
        let holders = self.spans.iter().map(|span| span.operator.as_str());
        holders.filter(|operator| !operator.is_empty()).collect()
    }

    /// What those see of it who act for some of its holders only: their codes, and nothing of the others.
    #[must_use]
    pub fn cut_to(mut self, is_own: impl Fn(&str) -> bool) -> Self {
        self.spans.retain(|span| is_own(&span.operator));
        self.note.clear();
        self
    }

    /// What stands in the way of marking codes: the first of them, and how it stands.
    fn hindrance(&self, from: u32, to: u32, state: SpanState) -> Option<&Span> {
        let touched = self.spans.iter().filter(|span| span.from <= to && from <= span.to);
        touched.into_iter().find(|span| !span.state.becomes(state))
    }
}

/// By kind; part `""` holds all.
pub const BY_KIND: Index = Index("pack.kind");
/// By number.
pub const BY_NUMBER: Index = Index("pack.number=");
/// By operator.
pub const BY_OPERATOR: Index = Index("pack.operator");
/// By whom it is for, and by every operator that has codes of it.
pub const BY_HOLDER: Index = Index("pack.holder");
/// By every lot that codes of it stand for, or stood for before they were void.
pub const BY_LOT: Index = Index("pack.lot");

impl Entity for Pack {
    const TABLE: Table = Table("pack");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![
            Entry::new(BY_KIND, "", &self.id),
            Entry::new(BY_KIND, self.kind.as_str(), &self.id),
            Entry::new(BY_NUMBER, format!("{:07}", self.number), ""),
        ];
        if !self.operator.is_empty() {
            entries.push(Entry::new(BY_OPERATOR, &self.operator, &self.id));
        }
        let mut holders = self.holders();
        holders.extend(Some(self.operator.as_str()).filter(|own| !own.is_empty()));
        entries.extend(holders.into_iter().map(|one| Entry::new(BY_HOLDER, one, &self.id)));
        let lots: BTreeSet<&String> =
            self.spans.iter().map(|span| &span.lot).filter(|lot| !lot.is_empty()).collect();
        entries.extend(lots.into_iter().map(|lot| Entry::new(BY_LOT, lot, &self.id)));
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// The highest number there is, one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPack {
    /// The number.
    pub number: u32,
}

/// Key of that record.
const LAST_ID: &str = "last";

impl Entity for LastPack {
    const TABLE: Table = Table("last_pack");
    fn id(&self) -> &str {
        LAST_ID
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

/// Command: orders a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderPack {
    /// What its codes are printed on.
    pub kind: PackKind,
    /// Codes: [`UNITS`] or [`PAPERS`].
    pub size: u32,
    /// Operator that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Product that it is for, of that operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Each code has a number under a scratch layer; of packages only.
    #[serde(default)]
    pub scratch: bool,
    /// What it is for, and who prints it, at most 128 characters.
    #[serde(default)]
    pub note: String,
    /// Put in by the appliance: see [`Pack::key_check`].
    #[serde(default)]
    pub key_check: String,
}

/// Command: tells what became of codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkRange {
    /// Pack.
    pub pack: String,
    /// First code.
    pub from: u32,
    /// Last code, with it.
    pub to: u32,
    /// What became of them.
    pub state: SpanState,
    /// Lot, to bind them to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// Operator, to hand them out to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, of waste and void ones, at most 128 characters.
    #[serde(default)]
    pub reason: String,
}

/// Event payload: what became of codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeMarked {
    /// Pack.
    pub pack: String,
    /// The codes.
    pub span: Span,
}

/// Command and event payload: what is not bound never will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelPack {
    /// Pack.
    pub pack: String,
    /// Why, at most 128 characters.
    pub reason: String,
}

pub(crate) fn order(ctx: &mut Context<'_>, c: OrderPack) -> Result<Pack, DomainError> {
    let sizes = if c.kind == PackKind::Unit { UNITS } else { PAPERS };
    let mut check = Check::new();
    let (least, most) = (sizes.start().to_string(), sizes.end().to_string());
    if !sizes.contains(&c.size) {
        check.bad_with("size", "bad_pack_size", &[("least", &least), ("most", &most)]);
    }
    check.optional_text("note", &c.note, 128).ensure(
        !c.scratch || c.kind == PackKind::Unit,
        "scratch",
        "bad_choice",
    );
    let operator: Option<Operator> = match &c.operator {
        Some(id) => Some(ctx.require("operator", id)?),
        None => None,
    };
    if let Some(id) = &c.product {
        let product: Product = ctx.require("product", id)?;
        let own = operator.as_ref().is_some_and(|one| one.id == product.operator);
        check.ensure(own, "product", "other_operator");
    }
    check.done()?;
    let last: Option<LastPack> = ctx.state.get(LAST_ID)?;
    let number = last.map_or(0, |last| last.number) + 1;
    if number > PACKS_MAX {
        return Err(DomainError::refused("too_many_packs", &[]));
    }
    let area = match &operator {
        Some(operator) => operator.area.clone(),
        None => ctx.require::<County>("county", COUNTY_ID)?.area,
    };
    Ok(Pack {
        id: new_id("pck", ctx.time, ctx.random),
        number,
        kind: c.kind,
        size: c.size,
        operator: operator.map(|one| one.id).unwrap_or_default(),
        product: c.product.unwrap_or_default(),
        scratch: c.scratch,
        note: c.note.trim().into(),
        ordered_at: ctx.time,
        ordered_by: ctx.actor.name(),
        spans: Vec::new(),
        cancelled: None,
        key_check: c.key_check,
        area,
    })
}

/// The record of the number that a pack took.
pub(crate) fn last_of(pack: &Pack) -> LastPack {
    LastPack { number: pack.number }
}

pub(crate) fn mark(ctx: &mut Context<'_>, c: MarkRange) -> Result<RangeMarked, DomainError> {
    let pack: Pack = ctx.require("pack", &c.pack)?;
    let mut check = Check::new();
    check
        .ensure(pack.has(c.from), "from", "not_in_pack")
        .ensure(pack.has(c.to), "to", "not_in_pack")
        .ensure(c.from <= c.to, "to", "bad_range");
    match c.state {
        SpanState::Bound => {
            check.ensure(pack.kind == PackKind::Unit, "state", "bad_choice");
            check.ensure(c.lot.is_some(), "lot", "required");
        }
        SpanState::Assigned => {
            check.ensure(c.operator.is_some(), "operator", "required");
        }
        SpanState::Waste | SpanState::Void => {
            check.text("reason", &c.reason, 128);
        }
    }
    check.done()?;
    let mut span = Span {
        from: c.from,
        to: c.to,
        state: c.state,
        operator: String::new(),
        lot: String::new(),
        certificate: String::new(),
        reason: c.reason.trim().into(),
        at: ctx.time,
    };
    match (c.state, &c.lot, &c.operator) {
        (SpanState::Bound, Some(id), _) => {
            let lot: Lot = ctx.require("lot", id)?;
            lot::not_held(&lot)?;
            may_have(&pack, &lot.operator, Some(&lot.product), c.from, c.to)?;
            span.operator = lot.operator;
            span.lot = lot.id;
        }
        (SpanState::Assigned, _, Some(id)) => {
            let operator: Operator = ctx.require("operator", id)?;
            may_have(&pack, &operator.id, None, c.from, c.to)?;
            span.operator = operator.id;
        }
        _ => {}
    }
    free_for(&pack, &span)?;
    Ok(RangeMarked { pack: pack.id, span })
}

/// Whose a pack is, and whom its codes were handed out to.
fn may_have(
    pack: &Pack,
    operator: &str,
    product: Option<&str>,
    from: u32,
    to: u32,
) -> Result<(), DomainError> {
    if !pack.operator.is_empty() && pack.operator != operator {
        return Err(DomainError::refused("pack_of_other", &[]));
    }
    if product.is_some_and(|one| !pack.product.is_empty() && pack.product != one) {
        return Err(DomainError::refused("pack_of_other_product", &[]));
    }
    let touched = pack.spans.iter().filter(|span| span.from <= to && from <= span.to);
    let others = |span: &&Span| span.state == SpanState::Assigned && span.operator != operator;
    match touched.into_iter().find(others) {
        Some(span) => Err(taken(pack, span)),
        None => Ok(()),
    }
}

fn free_for(pack: &Pack, span: &Span) -> Result<(), DomainError> {
    if let Some(reason) = &pack.cancelled
        && span.state != SpanState::Void
    {
        return Err(DomainError::refused("pack_cancelled", &[("reason", reason)]));
    }
    if let Some(other) = pack.hindrance(span.from, span.to, span.state) {
        return Err(taken(pack, other));
    }
    if pack.spans.len() + 2 > SPANS_MAX {
        return Err(DomainError::refused("too_many_ranges", &[]));
    }
    Ok(())
}

fn taken(pack: &Pack, span: &Span) -> DomainError {
    let (from, to) = (pack.label_of(span.from), pack.label_of(span.to));
    let code = match span.state {
        SpanState::Assigned => "codes_assigned",
        SpanState::Bound => "codes_bound",
        SpanState::Waste => "codes_waste",
        SpanState::Void => "codes_void",
    };
    DomainError::refused(code, &[("from", &from), ("to", &to)])
}

/// A form that was filled in by hand becomes a certificate: its code is bound.
pub(crate) fn enter_paper(
    ctx: &Context<'_>,
    unit: &Unit,
    lot: &Lot,
    certificate: &str,
) -> Result<RangeMarked, DomainError> {
    let pack: Pack = ctx.require("pack", &unit.pack)?;
    if pack.kind != PackKind::Paper || !pack.has(unit.serial) {
        return Err(DomainError::refused("not_a_paper_code", &[("code", certificate)]));
    }
    may_have(&pack, &lot.operator, None, unit.serial, unit.serial)?;
    let span = Span {
        from: unit.serial,
        to: unit.serial,
        state: SpanState::Bound,
        operator: lot.operator.clone(),
        lot: lot.id.clone(),
        certificate: certificate.into(),
        reason: String::new(),
        at: ctx.time,
    };
    free_for(&pack, &span)?;
    Ok(RangeMarked { pack: pack.id, span })
}

pub(crate) fn cancel(ctx: &mut Context<'_>, c: CancelPack) -> Result<CancelPack, DomainError> {
    let pack: Pack = ctx.require("pack", &c.pack)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    match &pack.cancelled {
        Some(reason) => Err(DomainError::refused("pack_cancelled", &[("reason", reason)])),
        None => Ok(CancelPack { pack: pack.id, reason: c.reason.trim().into() }),
    }
}
