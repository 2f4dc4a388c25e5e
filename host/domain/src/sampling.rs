//! Samples (抽样): what was taken where, by whom, for what, and how far it is (law art 46 to 48, R-096). The
//! number stands on the sample: by it results find their way back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Role};
use crate::attachment::{self, Attachment};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::lot::{Lot, LotStatus};
use crate::product::Product;
use crate::site::Site;
use crate::state::{Entity, Entry, Index, Overlay, State, StateError, Table};
use crate::time::{Date, Time, china_date};

/// Items of one sample.
pub const ITEMS_MAX: usize = 60;
/// People who take one sample.
const PEOPLE_MAX: usize = 5;
/// Samples of one lot that are looked at.
const OF_LOT_MAX: usize = 500;
/// Lots that were cut from one another and are looked at.
const GENERATIONS_MAX: usize = 100;

/// What a sample is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// 监督抽查: the result may lead to a penalty and may be objected to.
    Supervision,
    /// 风险监测.
    Monitoring,
    /// 例行监测.
    Routine,
    /// 委托检测: the operator asks for it.
    Commissioned,
    /// 自检: the operator's own.
    Own,
}

impl Purpose {
    /// Every purpose, in the order of a choice list.
    pub const ALL: [Self; 5] =
        [Self::Supervision, Self::Monitoring, Self::Routine, Self::Commissioned, Self::Own];

    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supervision => "supervision",
            Self::Monitoring => "monitoring",
            Self::Routine => "routine",
            Self::Commissioned => "commissioned",
            Self::Own => "own",
        }
    }
}

/// Whose plan a sample is of; the later is the higher (law art 46).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// 乡镇.
    Township,
    /// 县级.
    County,
    /// 市级.
    City,
    /// 省级.
    Province,
    /// 部级.
    Nation,
}

impl Level {
    /// Every level, in the order of a choice list.
    pub const ALL: [Self; 5] =
        [Self::Township, Self::County, Self::City, Self::Province, Self::Nation];

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Township => "township",
            Self::County => "county",
            Self::City => "city",
            Self::Province => "province",
            Self::Nation => "nation",
        }
    }
}

/// How far a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplingStatus {
    /// Taken, on its way.
    Taken,
    /// In the laboratory.
    Received,
    /// There are results.
    Reported,
    /// Came to nothing, with the reason.
    Cancelled,
}

impl SamplingStatus {
    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Received => "received",
            Self::Reported => "reported",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A sample and its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// Id, `smp_…`.
    pub id: String,
    /// Number on the sample, `S20261123-0001`.
    pub no: String,
    /// Purpose.
    pub purpose: Purpose,
    /// Whose plan.
    pub level: Level,
    /// Plan or order it goes back to, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub basis: String,
    /// Lot; `None` for what was not harvested yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// Lot number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lot_no: String,
    /// Tested party.
    pub operator: String,
    /// Product.
    pub product: String,
    /// Product's name.
    pub product_name: String,
    /// Site.
    pub site: String,
    /// Region code.
    pub area: String,
    /// Place, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// Day.
    pub sampled_on: Date,
    /// Who took it; two at least for supervision.
    pub sampled_by: Vec<String>,
    /// How much, with its unit.
    pub quantity: String,
    /// Items to be looked for.
    pub items: Vec<String>,
    /// Laboratory (testing party, R-094).
    pub laboratory: String,
    /// Remarks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Photos and papers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Who entered it.
    pub taken_by: String,
    /// When it was entered.
    pub taken_at: Time,
    /// Status.
    pub status: SamplingStatus,
    /// When the laboratory had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Time>,
    /// In what state it came.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Why it came to nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cancelled: String,
}

/// By lot.
pub const BY_LOT: Index = Index("sampling.lot");
/// By status; part `""` holds all.
pub const BY_STATUS: Index = Index("sampling.status");
/// By operator.
pub const BY_OPERATOR: Index = Index("sampling.operator");
/// By number.
pub const BY_NO: Index = Index("sampling.no=");
/// By digest of an attachment.
pub const BY_ATTACHMENT: Index = Index("sampling.attachment");

impl Entity for Sampling {
    const TABLE: Table = Table("sampling");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut out = vec![
            Entry::new(BY_STATUS, "", &self.id),
            Entry::new(BY_STATUS, self.status.as_str(), &self.id),
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
            Entry::new(BY_NO, &self.no, ""),
        ];
        out.extend(self.lot.iter().map(|lot| Entry::new(BY_LOT, lot, &self.id)));
        out.extend(self.attachments.iter().map(|a| Entry::new(BY_ATTACHMENT, &a.hash, &self.id)));
        out
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Highest number given out on one day of sampling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplingDay {
    /// Day as `20261123`.
    pub day: String,
    /// Last number.
    pub last: u32,
}

impl Entity for SamplingDay {
    const TABLE: Table = Table("sampling_day");
    fn id(&self) -> &str {
        &self.day
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

/// Command: a sample was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakeSample {
    /// Purpose.
    pub purpose: Purpose,
    /// Whose plan.
    pub level: Level,
    /// Plan or order, at most 128 characters.
    #[serde(default)]
    pub basis: String,
    /// Lot; else site and product.
    #[serde(default)]
    pub lot: Option<String>,
    /// Site, without a lot.
    #[serde(default)]
    pub site: Option<String>,
    /// Product, without a lot.
    #[serde(default)]
    pub product: Option<String>,
    /// Place, at most 64 characters.
    #[serde(default)]
    pub place: String,
    /// Day.
    pub sampled_on: Date,
    /// Names, 1 to 5.
    pub sampled_by: Vec<String>,
    /// How much, at most 32 characters.
    pub quantity: String,
    /// Items, 1 to 60.
    pub items: Vec<String>,
    /// Laboratory, at most 64 characters.
    pub laboratory: String,
    /// Remarks, at most 256 characters.
    #[serde(default)]
    pub note: String,
    /// Photos and papers, uploaded before.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

/// Command and event payload: the laboratory has the sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiveSample {
    /// Sample.
    pub sampling: String,
    /// In what state it came, at most 64 characters.
    #[serde(default)]
    pub condition: String,
}

/// Command and event payload: a sample came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelSample {
    /// Sample.
    pub sampling: String,
    /// Why, at most 128 characters.
    pub reason: String,
}

pub(crate) fn take(ctx: &mut Context<'_>, c: TakeSample) -> Result<Sampling, DomainError> {
    if is_producer(ctx.actor) && c.purpose != Purpose::Own {
        return Err(DomainError::refused("sampling_is_official", &[]));
    }
    let lot: Option<Lot> = match &c.lot {
        Some(lot) => Some(ctx.require("lot", lot)?),
        None => None,
    };
    let mut check = Check::new();
    check_fields(&mut check, &c, china_date(ctx.time));
    if let Some(lot) = &lot {
        check.ensure(c.sampled_on >= lot.harvested_on, "sampled_on", "before_harvest");
    } else {
        check.ensure(c.site.is_some(), "site", "required");
        check.ensure(c.product.is_some(), "product", "required");
    }
    check.done()?;
    let (site, product) = match &lot {
        Some(lot) => (&lot.site, &lot.product),
        None => (required(c.site.as_ref(), "site")?, required(c.product.as_ref(), "product")?),
    };
    let site: Site = ctx.require("site", site)?;
    let product: Product = ctx.require("product", product)?;
    if let Some(lot) = &lot {
        not_sampled_by_superior(ctx.state, lot, &c)?;
    } else if site.operator != product.operator {
        return Err(DomainError::field("site", "other_operator"));
    }
    let day = c.sampled_on.strftime("%Y%m%d").to_string();
    let last = ctx.state.get::<SamplingDay>(&day)?.map_or(0, |known| known.last);
    let trimmed = |all: Vec<String>| -> Vec<String> {
        let all = all.into_iter().map(|one| one.trim().to_owned());
        all.filter(|one| !one.is_empty()).collect()
    };
    Ok(Sampling {
        id: new_id("smp", ctx.time, ctx.random),
        no: format!("S{day}-{:04}", last + 1),
        purpose: c.purpose,
        level: c.level,
        basis: c.basis.trim().to_owned(),
        lot: lot.as_ref().map(|lot| lot.id.clone()),
        lot_no: lot.as_ref().map(|lot| lot.no.clone()).unwrap_or_default(),
        operator: lot.as_ref().map_or(product.operator, |lot| lot.operator.clone()),
        product: product.id,
        product_name: lot.as_ref().map_or(product.name, |lot| lot.product_name.clone()),
        site: site.id,
        area: lot.map_or(site.area, |lot| lot.area),
        place: c.place.trim().to_owned(),
        sampled_on: c.sampled_on,
        sampled_by: trimmed(c.sampled_by),
        quantity: c.quantity.trim().to_owned(),
        items: trimmed(c.items),
        laboratory: c.laboratory.trim().to_owned(),
        note: c.note.trim().to_owned(),
        attachments: c.attachments,
        taken_by: ctx.actor.name(),
        taken_at: ctx.time,
        status: SamplingStatus::Taken,
        received_at: None,
        condition: String::new(),
        cancelled: String::new(),
    })
}

fn is_producer(actor: &Actor) -> bool {
    matches!(actor, Actor::User { role: Role::Producer, .. })
}

fn required<'a>(value: Option<&'a String>, field: &str) -> Result<&'a String, DomainError> {
    value.ok_or_else(|| DomainError::field(field, "required"))
}

fn check_fields(check: &mut Check, c: &TakeSample, today: Date) {
    check
        .optional_text("basis", &c.basis, 128)
        .optional_text("place", &c.place, 64)
        .day_done("sampled_on", c.sampled_on, today)
        .text("quantity", &c.quantity, 32)
        .text("laboratory", &c.laboratory, 64)
        .optional_text("note", &c.note, 256);
    let filled = |all: &[String]| all.iter().filter(|one| !one.trim().is_empty()).count();
    // One name twice is one person.
    let people: BTreeSet<&str> = c.sampled_by.iter().map(|one| one.trim()).collect();
    let people = people.iter().filter(|one| !one.is_empty()).count();
    // One witness is no sampling by which anybody is punished (law art 53, 57).
    let needed = if c.purpose == Purpose::Supervision { 2 } else { 1 };
    check.ensure((needed..=PEOPLE_MAX).contains(&people), "sampled_by", "too_few_samplers");
    check.ensure((1..=ITEMS_MAX).contains(&filled(&c.items)), "items", "required");
    for name in &c.sampled_by {
        check.optional_text("sampled_by", name, 32);
    }
    for item in &c.items {
        check.optional_text("items", item, 64);
    }
    attachment::check(check, &c.attachments);
}

/// What a superior has taken for supervision, a lower level does not take again (law art 47). A part that
/// was split off is of the same batch.
fn not_sampled_by_superior(
    state: &dyn State,
    lot: &Lot,
    c: &TakeSample,
) -> Result<(), DomainError> {
    if lot.status == LotStatus::Void {
        return Err(DomainError::refused("lot_void", &[("no", &lot.no)]));
    }
    if c.purpose != Purpose::Supervision {
        return Ok(());
    }
    for lot in batch(state, lot)? {
        let taken: Vec<Sampling> = state.list(BY_LOT, &lot, OF_LOT_MAX)?;
        let bars = |one: &&Sampling| {
            one.purpose == Purpose::Supervision
                && one.status != SamplingStatus::Cancelled
                && one.level > c.level
        };
        if let Some(one) = taken.iter().find(bars) {
            let params =
                [("no", one.no.as_str()), ("level", one.level.as_str()), ("basis", &one.basis)];
            return Err(DomainError::refused("sampled_by_superior", &params));
        }
    }
    Ok(())
}

/// A lot, the lots that it was cut from one after another, and the lot of its harvest.
fn batch(state: &dyn State, lot: &Lot) -> Result<BTreeSet<String>, DomainError> {
    let mut batch: BTreeSet<String> = lot.harvest_lot().map(String::from).into_iter().collect();
    batch.insert(lot.id.clone());
    let mut sources = lot.sources.clone();
    // What was put together of several is a batch of its own.
    while let [only] = &sources[..]
        && batch.len() < GENERATIONS_MAX
    {
        batch.insert(only.lot.clone());
        let source: Option<Lot> = state.get(&only.lot)?;
        sources = source.map(|lot| lot.sources).unwrap_or_default();
    }
    Ok(batch)
}

pub(crate) fn receive(
    ctx: &mut Context<'_>,
    c: ReceiveSample,
) -> Result<ReceiveSample, DomainError> {
    let sampling: Sampling = ctx.require("sampling", &c.sampling)?;
    let mut check = Check::new();
    check.optional_text("condition", &c.condition, 64);
    check.done()?;
    if sampling.status != SamplingStatus::Taken {
        return Err(wrong_status(&sampling));
    }
    Ok(ReceiveSample { sampling: sampling.id, condition: c.condition.trim().to_owned() })
}

pub(crate) fn cancel(ctx: &mut Context<'_>, c: CancelSample) -> Result<CancelSample, DomainError> {
    let sampling: Sampling = ctx.require("sampling", &c.sampling)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    if is_producer(ctx.actor) && sampling.purpose != Purpose::Own {
        return Err(DomainError::refused("sampling_is_official", &[]));
    }
    if matches!(sampling.status, SamplingStatus::Reported | SamplingStatus::Cancelled) {
        return Err(wrong_status(&sampling));
    }
    Ok(CancelSample { sampling: sampling.id, reason: c.reason.trim().to_owned() })
}

fn wrong_status(sampling: &Sampling) -> DomainError {
    let params = [("no", sampling.no.as_str()), ("status", sampling.status.as_str())];
    DomainError::refused("sampling_status", &params)
}

pub(crate) fn taken(o: &mut Overlay<'_>, e: &Sampling) -> Result<(), StateError> {
    if let Some((day, number)) = e.no.strip_prefix('S').and_then(|no| no.split_once('-')) {
        let state: &dyn State = &*o;
        let before = state.get::<SamplingDay>(day)?.map_or(0, |known| known.last);
        let last = number.parse().unwrap_or(0).max(before);
        o.put(&SamplingDay { day: day.to_owned(), last })?;
    }
    if let Some(lot) = &e.lot {
        o.touch(format!("lot/{lot}"));
    }
    o.create(e)
}
