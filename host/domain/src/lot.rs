//! Lots (批次): what was harvested together and is tested and certified together.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
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
    /// Quantity on valid certificates.
    pub certified: Decimal,
    /// Day of harvest, slaughter or catch.
    pub harvested_on: Date,
    /// Status.
    pub status: LotStatus,
    /// Why it is held.
    #[serde(default)]
    pub status_reason: String,
    /// When it was opened.
    pub opened_at: Time,
}

/// By operator; part `""` holds all.
pub const BY_OPERATOR: Index = Index("lot.operator");
/// By number.
pub const BY_NO: Index = Index("lot.no=");
/// By status.
pub const BY_STATUS: Index = Index("lot.status");

impl Entity for Lot {
    const TABLE: Table = Table("lot");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let status = match self.status {
            LotStatus::Open => "open",
            LotStatus::Held => "held",
        };
        vec![
            Entry::new(BY_OPERATOR, "", &self.id),
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
            Entry::new(BY_NO, &self.no, ""),
            Entry::new(BY_STATUS, status, &self.id),
        ]
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

/// Command: opens a lot at harvest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenLot {
    /// Product.
    pub product: String,
    /// Site of the same operator.
    pub site: String,
    /// Quantity in the product's unit.
    pub quantity: Decimal,
    /// Day of harvest, slaughter or catch; not in the future.
    pub harvested_on: Date,
}

/// Event payload: a lot was held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotHeld {
    /// Lot.
    pub lot: String,
    /// Reason for people.
    pub reason: String,
}

pub(crate) fn open(ctx: &mut Context<'_>, c: OpenLot) -> Result<Lot, DomainError> {
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
    check.done()?;
    let day = c.harvested_on.strftime("%Y%m%d").to_string();
    let last = ctx.state.get::<LotDay>(&day)?.map_or(0, |d| d.last);
    Ok(Lot {
        id: new_id("lot", ctx.time, ctx.random),
        no: format!("L{day}-{:04}", last + 1),
        operator: product.operator,
        product: product.id,
        product_name: product.name,
        site: site.id,
        area: site.area,
        area_name: site.area_name,
        quantity: c.quantity,
        unit: product.unit,
        certified: Decimal::ZERO,
        harvested_on: c.harvested_on,
        status: LotStatus::Open,
        status_reason: String::new(),
        opened_at: ctx.time,
    })
}

/// The day and running number behind a lot number, kept when the lot is applied.
pub(crate) fn day_of(lot: &Lot) -> Option<LotDay> {
    let (day, number) = lot.no.strip_prefix('L')?.split_once('-')?;
    Some(LotDay { day: day.into(), last: number.parse().ok()? })
}
