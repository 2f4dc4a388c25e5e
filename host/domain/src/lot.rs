//! Lots (批次): what was harvested together and is tested and certified together.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::hold::{Hold, HoldKind};
use crate::id::new_id;
use crate::interval::{DegreeDays, Hindrance};
use crate::product::{self, Product};
use crate::site::{self, Site};
use crate::state::{Entity, Entry, Index, Table};
use crate::time::{Date, Time, china_date};

/// Whether a lot may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LotStatus {
    /// Free.
    Open,
    /// Held: a positive result forbids certificates and sale (law art 36).
    Held,
    /// The step that made it was struck out: it never was.
    Void,
}

/// A lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// Id, `lot_…`.
    pub id: String,
    /// Number, unique: `L20261118-0003`.
    pub no: String,
    /// Operator.
    pub operator: String,
    /// Product.
    pub product: String,
    /// Product name when the lot was opened.
    pub product_name: String,
    /// Site.
    pub site: String,
    /// Region code of the site.
    pub area: String,
    /// Region of the site in words.
    pub area_name: String,
    /// Quantity.
    pub quantity: Decimal,
    /// Unit.
    pub unit: String,
    /// Kilograms in one unit, where the unit is none of mass and somebody said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_kg: Option<Decimal>,
    /// Quantity on valid certificates.
    pub certified: Decimal,
    /// Quantity that became other lots.
    #[serde(default, skip_serializing_if = "Decimal::is_zero")]
    pub used: Decimal,
    /// Quantity that left the operator.
    #[serde(default, skip_serializing_if = "Decimal::is_zero")]
    pub shipped: Decimal,
    /// Day of harvest, slaughter or catch.
    pub harvested_on: Date,
    /// Status.
    pub status: LotStatus,
    /// The first reason that it is held.
    #[serde(default)]
    pub status_reason: String,
    /// Every reason that it is held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// When it was opened.
    pub opened_at: Time,
    /// What stood against its harvest, where it was harvested all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early: Option<EarlyHarvest>,
    /// Step that made it; absent for a lot of a harvest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Whether it goes back to several harvests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mixed: bool,
    /// It was bought, or made of what was bought: certified on the buyer's form (law art 39).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bought: bool,
    /// The one lot of a harvest that it goes back to, where a step made it and it is not mixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// What it was made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// What was made of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub into: Vec<String>,
    /// Long trace code of the national platform, see [`crate::national_code`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub national_code: String,
    /// Short trace code of the national platform.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub national_short_code: String,
}

/// Part of another lot that a lot was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The lot.
    pub lot: String,
    /// Quantity in its unit.
    pub quantity: Decimal,
}

impl Lot {
    /// What may still be certified, or become other lots: what left was the certified part of it first.
    pub fn left(&self) -> Decimal {
        (self.quantity - self.used - self.certified.max(self.shipped)).max(Decimal::ZERO)
    }

    /// What the operator still has.
    pub fn on_hand(&self) -> Decimal {
        (self.quantity - self.used - self.shipped).max(Decimal::ZERO)
    }

    /// Whether it is held for this very test, recall or the like.
    pub fn is_held_for(&self, kind: HoldKind, reference: &str) -> bool {
        self.holds.iter().any(|one| one.kind == kind && one.reference == reference)
    }

    /// The one lot of a harvest that it goes back to, itself if it is one; `None` when it is mixed.
    pub fn harvest_lot(&self) -> Option<&str> {
        match self.step {
            None => Some(&self.id),
            Some(_) => self.origin.as_deref(),
        }
    }
}

/// Refuses what is done with a lot that is held or void.
pub(crate) fn not_held(lot: &Lot) -> Result<(), DomainError> {
    match lot.status {
        LotStatus::Open => Ok(()),
        LotStatus::Held => Err(DomainError::refused(
            "lot_held",
            &[("no", &lot.no), ("reason", &lot.status_reason)],
        )),
        LotStatus::Void => Err(DomainError::refused("lot_void", &[("no", &lot.no)])),
    }
}

/// A harvest before an interval was over: on record as it was, and held (law art 29 and 36).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyHarvest {
    /// Why it was done, as the person said.
    pub reason: String,
    /// What stood against it.
    pub hindrances: Vec<Hindrance>,
}

/// By operator; part `""` holds all.
pub const BY_OPERATOR: Index = Index("lot.operator");
/// By number.
pub const BY_NO: Index = Index("lot.no=");
/// By long and by short trace code of the national platform.
pub const BY_NATIONAL: Index = Index("lot.national=");
/// By status.
pub const BY_STATUS: Index = Index("lot.status");
/// Lots of harvests by site, sorted by day of harvest.
pub const BY_SITE: Index = Index("lot.site");

impl Entity for Lot {
    const TABLE: Table = Table("lot");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let status = match self.status {
            LotStatus::Open => "open",
            LotStatus::Held => "held",
            LotStatus::Void => "void",
        };
        let mut entries = vec![
            Entry::new(BY_OPERATOR, "", &self.id),
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
            Entry::new(BY_NO, &self.no, ""),
            Entry::new(BY_STATUS, status, &self.id),
        ];
        if self.step.is_none() {
            entries.push(Entry::new(BY_SITE, &self.site, self.harvested_on.to_string()));
        }
        let codes = [&self.national_code, &self.national_short_code];
        let codes = codes.into_iter().filter(|code| !code.is_empty());
        entries.extend(codes.map(|code| Entry::new(BY_NATIONAL, code, "")));
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Highest running number used on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotDay {
    /// `20261118`.
    pub day: String,
    /// Last number given.
    pub last: u32,
}

impl Entity for LotDay {
    const TABLE: Table = Table("lot_day");
    fn id(&self) -> &str {
        &self.day
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

/// What is asked for when a lot is opened at harvest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LotRequest {
    /// Product.
    pub product: String,
    /// Site of the same operator.
    pub site: String,
    /// Quantity in the product's unit.
    pub quantity: Decimal,
    /// Day of harvest, slaughter or catch; not in the future.
    pub harvested_on: Date,
    /// Why it was harvested before an interval was over; the lot is held then. Without it such a lot is
    /// refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_reason: Option<String>,
}

/// Command: opens a lot at harvest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenLot {
    /// What was asked for.
    pub request: LotRequest,
    /// What stands against the harvest, by the records of the site.
    pub hindrances: Vec<Hindrance>,
}

pub(crate) fn open(ctx: &mut Context<'_>, command: OpenLot) -> Result<Lot, DomainError> {
    let OpenLot { request: c, hindrances } = command;
    let product: Product = ctx.require("product", &c.product)?;
    let site: Site = ctx.require("site", &c.site)?;
    product::not_closed(&product)?;
    site::not_closed(&site)?;
    let today = china_date(ctx.time);
    let mut check = Check::new();
    check
        .quantity("quantity", c.quantity)
        .ensure(site.operator == product.operator, "site", "other_operator")
        .day_done("harvested_on", c.harvested_on, today);
    let early_reason = c.early_reason.as_deref().map(str::trim).filter(|one| !one.is_empty());
    check.optional_text("early_reason", early_reason.unwrap_or_default(), 128);
    check.done()?;
    let early = early_harvest(hindrances, early_reason)?;
    let holds = early.iter().map(|early| Hold {
        kind: HoldKind::EarlyHarvest,
        reference: String::new(),
        note: early.reason.clone(),
        since: ctx.time,
    });
    let holds: Vec<Hold> = holds.collect();
    Ok(Lot {
        id: new_id("lot", ctx.time, ctx.random),
        no: number(ctx, c.harvested_on, 1)?,
        operator: product.operator,
        product: product.id,
        product_name: product.name,
        site: site.id,
        area: site.area,
        area_name: site.area_name,
        quantity: c.quantity,
        unit: product.unit,
        unit_kg: None,
        certified: Decimal::ZERO,
        used: Decimal::ZERO,
        shipped: Decimal::ZERO,
        harvested_on: c.harvested_on,
        status: if early.is_some() { LotStatus::Held } else { LotStatus::Open },
        status_reason: holds.first().map(|one| one.kind.as_str().to_owned()).unwrap_or_default(),
        holds,
        opened_at: ctx.time,
        early,
        step: None,
        mixed: false,
        bought: false,
        origin: None,
        sources: Vec::new(),
        into: Vec::new(),
        national_code: String::new(),
        national_short_code: String::new(),
    })
}

/// A lot of goods that were bought from somebody who is not on record here.
pub(crate) fn open_bought(
    ctx: &mut Context<'_>,
    product: &str,
    site: &str,
    quantity: Decimal,
    harvested_on: Date,
) -> Result<Lot, DomainError> {
    let request = LotRequest {
        product: product.into(),
        site: site.into(),
        quantity,
        harvested_on,
        early_reason: None,
    };
    let opened = open(ctx, OpenLot { request, hindrances: Vec::new() })?;
    Ok(Lot { bought: true, ..opened })
}

/// The `nth` number of a day that is not given yet.
pub(crate) fn number(ctx: &Context<'_>, date: Date, nth: u32) -> Result<String, DomainError> {
    let day = date.strftime("%Y%m%d").to_string();
    let last = ctx.state.get::<LotDay>(&day)?.map_or(0, |d| d.last);
    Ok(format!("L{day}-{:04}", last + nth))
}

/// What was harvested too early is refused, with the day from which on it is lawful; or taken down as
/// what it is, with the reason. To refuse it for ever would only teach people to write another day.
fn early_harvest(
    hindrances: Vec<Hindrance>,
    reason: Option<&str>,
) -> Result<Option<EarlyHarvest>, DomainError> {
    if hindrances.is_empty() {
        return Ok(None);
    }
    if let Some(reason) = reason {
        return Ok(Some(EarlyHarvest { reason: reason.to_owned(), hindrances }));
    }
    // The one that lasts longest is told; an unknown end is later than any.
    let last = hindrances.iter().max_by_key(|one| one.earliest.unwrap_or(Date::MAX));
    let Some(last) = last else { return Ok(None) };
    let used = last.last_use.to_string();
    Err(match (last.earliest, last.degree_days) {
        (Some(day), _) => DomainError::refused(
            "interval_not_over",
            &[("input", &last.input), ("used", &used), ("earliest", &day.to_string())],
        ),
        (None, sum) => {
            let sum =
                sum.unwrap_or(DegreeDays { needed: 0, reached_tenths: 0, unmeasured_days: 0 });
            DomainError::refused(
                "degree_days_not_reached",
                &[
                    ("input", &last.input),
                    ("used", &used),
                    ("needed", &sum.needed.to_string()),
                    ("reached", &(sum.reached_tenths / 10).to_string()),
                    ("days", &sum.unmeasured_days.to_string()),
                ],
            )
        }
    })
}

/// The day and running number behind a lot number, kept when the lot is applied.
pub(crate) fn day_of(lot: &Lot) -> Option<LotDay> {
    let (day, number) = lot.no.strip_prefix('L')?.split_once('-')?;
    Some(LotDay { day: day.into(), last: number.parse().ok()? })
}
