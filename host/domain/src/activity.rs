//! Production records (生产记录): what was done on a site or to a lot (law art 27). They are kept as they
//! were written: a wrong one is corrected by another that stands in its place, or struck out with the
//! reason, and stays to be read.

use serde::{Deserialize, Serialize};

use crate::attachment::{self, Attachment};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::input::{self, Input, InputKind};
use crate::lot::Lot;
use crate::product::{Industry, Product};
use crate::site::Site;
use crate::state::{Entity, Entry, Index, State, StateError, Table};
use crate::time::{Date, Time, china_date};

/// Water temperatures that fish live in, in tenths of a degree.
const WATER_TENTHS: std::ops::RangeInclusive<i32> = -20..=450;

/// Kind of activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// 播种 / 定植 / 投苗.
    Planting,
    /// 施肥.
    Fertilising,
    /// 用药.
    Treatment,
    /// 病虫害发生与防治.
    PestControl,
    /// 采收 / 屠宰 / 捕捞.
    Harvest,
    /// 初加工.
    Processing,
    /// Everything else.
    Other,
    /// 灌溉.
    Irrigation,
    /// 饲喂.
    Feeding,
    /// 免疫.
    Immunisation,
    /// 疫病 (病害) 发生.
    Disease,
    /// 消毒.
    Disinfection,
    /// 水质 (水温) 监测.
    WaterQuality,
    /// 无害化处理.
    Disposal,
}

impl ActivityKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 14] = [
        Self::Planting,
        Self::Irrigation,
        Self::Fertilising,
        Self::Feeding,
        Self::Treatment,
        Self::PestControl,
        Self::Immunisation,
        Self::Disease,
        Self::Disinfection,
        Self::WaterQuality,
        Self::Harvest,
        Self::Processing,
        Self::Disposal,
        Self::Other,
    ];

    /// Whether such work is done in an industry; offered first where nobody said which it is.
    pub fn is_of(self, industry: Industry) -> bool {
        let (plants, animals, fish) = match self {
            Self::Irrigation | Self::Fertilising | Self::PestControl => (true, false, false),
            Self::Feeding | Self::Disease | Self::Disinfection | Self::Disposal => {
                (false, true, true)
            }
            Self::Immunisation => (false, true, false),
            Self::WaterQuality => (false, false, true),
            Self::Planting | Self::Treatment | Self::Harvest | Self::Processing | Self::Other => {
                (true, true, true)
            }
        };
        match industry {
            Industry::Planting => plants,
            Industry::Livestock => animals,
            Industry::Aquaculture => fish,
            Industry::Other => true,
        }
    }

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planting => "planting",
            Self::Fertilising => "fertilising",
            Self::Treatment => "treatment",
            Self::PestControl => "pest_control",
            Self::Harvest => "harvest",
            Self::Processing => "processing",
            Self::Other => "other",
            Self::Irrigation => "irrigation",
            Self::Feeding => "feeding",
            Self::Immunisation => "immunisation",
            Self::Disease => "disease",
            Self::Disinfection => "disinfection",
            Self::WaterQuality => "water_quality",
            Self::Disposal => "disposal",
        }
    }
}

/// What was used, as it stood in the catalogue on that day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputUse {
    /// Input of the catalogue.
    pub input: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: InputKind,
    /// Active substances.
    pub substances: Vec<String>,
    /// Interval in days for this crop; `None` when the label has no such use.
    pub interval_days: Option<u32>,
    /// Dose as applied, in words.
    pub dose: String,
    /// Number of the catalogue's version that held on that day; 0 where none did, and on lines written
    /// before there were versions.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub version: u32,
    /// Interval in degree-days, where the label tells one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_degree_days: Option<u32>,
    /// Whether the registration had ended by that day.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
    /// Dose as on the label; empty where it tells none, and on lines of the time before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label_dose: String,
    /// Most uses in a season, where the label tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(version: &u32) -> bool {
    *version == 0
}

/// What an input is on a crop, by the version that held on the day of its last use. Where none had begun
/// yet it is still known what is in it, but no interval.
///
/// # Errors
/// When the state cannot be read.
pub fn input_on(
    state: &dyn State,
    newest: Input,
    crop: &str,
    day: Date,
    dose: String,
) -> Result<InputUse, StateError> {
    let versions = input::versions(state, &newest.id)?;
    let held = input::on_day(&versions, day);
    let label = held.and_then(|one| one.use_on(crop));
    let (version, ended) = held.map_or((0, false), |one| (one.version, one.ended));
    let (interval_days, interval_degree_days) =
        label.map_or((None, None), |one| (one.interval_days, one.interval_degree_days));
    let (label_dose, max_uses) =
        label.map_or((String::new(), None), |one| (one.dose.clone(), one.max_uses));
    let told = held.or(versions.last()).cloned().unwrap_or(newest);
    Ok(InputUse {
        input: told.id,
        name: told.name,
        kind: told.kind,
        substances: told.substances,
        interval_days,
        dose,
        version,
        interval_degree_days,
        ended,
        label_dose,
        max_uses,
    })
}

/// One production record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Id, `act_…`.
    pub id: String,
    /// Operator.
    pub operator: String,
    /// Site.
    pub site: String,
    /// Product it was done for.
    pub product: String,
    /// Lot, when the activity belongs to one lot only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// Region code.
    pub area: String,
    /// Kind.
    pub kind: ActivityKind,
    /// First day.
    pub date: Date,
    /// Last day, for use over several days (law art 27: dates of use and stop).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_on: Option<Date>,
    /// Input used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputUse>,
    /// Remarks.
    #[serde(default)]
    pub note: String,
    /// Photos and documents. Lines written before there were any have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Water temperature in tenths of a degree Celsius, where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub water_tenths: Option<i32>,
    /// When it was written down; absent on lines of the time before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<Time>,
    /// The record in whose place it stands, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<Correction>,
    /// The record that stands in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected_by: Option<String>,
    /// Why it was struck out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub struck: Option<String>,
}

/// What a record corrects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// The record before.
    pub activity: String,
    /// Why it was wrong.
    pub reason: String,
}

impl Activity {
    /// Whether it still counts: nothing stands in its place, and it was not struck out.
    pub fn counts(&self) -> bool {
        self.corrected_by.is_none() && self.struck.is_none()
    }

    /// The last day of it.
    pub fn last_day(&self) -> Date {
        self.stopped_on.unwrap_or(self.date)
    }

    /// Whether it is of the whole site and was done for a product up to a harvest of it.
    pub fn led_to(&self, product: &str, harvest: Date) -> bool {
        self.lot.is_none() && self.product == product && self.date <= harvest
    }

    /// Whether it was done for a lot: its own, and the site's for the product up to harvest. For a lot
    /// that a step made only what was done to that very lot: the rest was done for its harvest.
    pub fn belongs_to(&self, lot: &Lot) -> bool {
        match &self.lot {
            Some(own) => *own == lot.id,
            None => lot.step.is_none() && self.led_to(&lot.product, lot.harvested_on),
        }
    }
}

/// By site, sorted by date.
pub const BY_SITE: Index = Index("activity.site");
/// By operator, newest last; part `""` holds all.
pub const BY_OPERATOR: Index = Index("activity.operator");
/// By input, sorted by date.
pub const BY_INPUT: Index = Index("activity.input");
/// By digest of an attachment, sorted by date: who may see a blob is who may see a record with it.
pub const BY_ATTACHMENT: Index = Index("activity.attachment");

impl Entity for Activity {
    const TABLE: Table = Table("activity");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let date = self.date.to_string();
        let mut entries = vec![
            Entry::new(BY_SITE, &self.site, &date),
            Entry::new(BY_OPERATOR, &self.operator, &date),
            Entry::new(BY_OPERATOR, "", &date),
        ];
        let input = self.input.as_ref();
        entries.extend(input.map(|one| Entry::new(BY_INPUT, &one.input, &date)));
        entries
            .extend(self.attachments.iter().map(|one| Entry::new(BY_ATTACHMENT, &one.hash, &date)));
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: records an activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordActivity {
    /// Site.
    pub site: String,
    /// Product it was done for; its crop picks the interval.
    pub product: String,
    /// Lot, when it concerns one lot only.
    #[serde(default)]
    pub lot: Option<String>,
    /// Kind.
    pub kind: ActivityKind,
    /// First day; not in the future.
    pub date: Date,
    /// Last day.
    #[serde(default)]
    pub stopped_on: Option<Date>,
    /// Input of the catalogue.
    #[serde(default)]
    pub input: Option<String>,
    /// Dose in words.
    #[serde(default)]
    pub dose: String,
    /// Remarks.
    #[serde(default)]
    pub note: String,
    /// Water temperature in tenths of a degree Celsius; with [`ActivityKind::WaterQuality`] only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub water_tenths: Option<i32>,
    /// Photos and documents, each uploaded before; at most
    /// [`ATTACHMENTS_MAX`](crate::attachment::ATTACHMENTS_MAX).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// Command: a record was wrong; another takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrectActivity {
    /// The record.
    pub activity: String,
    /// All of it, as it should have been.
    pub data: RecordActivity,
    /// Why it was wrong, at most 128 characters.
    pub reason: String,
}

/// Command and event payload: a record was wrong as a whole, nothing takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrikeActivity {
    /// The record.
    pub activity: String,
    /// Why, at most 128 characters.
    pub reason: String,
}

pub(crate) fn correct(ctx: &mut Context<'_>, c: CorrectActivity) -> Result<Activity, DomainError> {
    let wrong: Activity = ctx.require("activity", &c.activity)?;
    let reason = checked_reason(&wrong, &c.reason)?;
    let right = record(ctx, c.data)?;
    if right.operator != wrong.operator {
        return Err(DomainError::field("site", "other_operator"));
    }
    Ok(Activity { corrects: Some(Correction { activity: wrong.id, reason }), ..right })
}

pub(crate) fn strike(
    ctx: &mut Context<'_>,
    c: StrikeActivity,
) -> Result<StrikeActivity, DomainError> {
    let wrong: Activity = ctx.require("activity", &c.activity)?;
    let reason = checked_reason(&wrong, &c.reason)?;
    Ok(StrikeActivity { activity: wrong.id, reason })
}

/// A record is put right once: what was wrong with the correction is corrected there.
fn checked_reason(wrong: &Activity, reason: &str) -> Result<String, DomainError> {
    if !wrong.counts() {
        return Err(DomainError::refused("activity_counts_no_more", &[]));
    }
    let mut check = Check::new();
    check.text("reason", reason, 128);
    check.done()?;
    Ok(reason.trim().to_owned())
}

pub(crate) fn record(ctx: &mut Context<'_>, c: RecordActivity) -> Result<Activity, DomainError> {
    let site: Site = ctx.require("site", &c.site)?;
    let product: Product = ctx.require("product", &c.product)?;
    let input = match c.input.as_deref().filter(|i| !i.is_empty()) {
        Some(id) => Some(ctx.require::<Input>("input", id)?),
        None => None,
    };
    let today = china_date(ctx.time);
    let stop = c.stopped_on.unwrap_or(c.date);
    let mut check = Check::new();
    check
        .optional_text("note", &c.note, 256)
        .optional_text("dose", &c.dose, 64)
        .ensure(product.operator == site.operator, "product", "other_operator")
        .day_done("date", c.date, today)
        .ensure(stop >= c.date && stop <= today, "stopped_on", "bad_range")
        .ensure(c.kind != ActivityKind::Treatment || input.is_some(), "input", "required")
        .ensure(
            c.water_tenths.is_none_or(|t| WATER_TENTHS.contains(&t)),
            "water_tenths",
            "bad_water",
        )
        .ensure(
            c.water_tenths.is_none() || c.kind == ActivityKind::WaterQuality,
            "water_tenths",
            "not_for_kind",
        );
    let lot = c.lot.filter(|id| !id.is_empty());
    if let Some(id) = &lot {
        let lot: Lot = ctx.require("lot", id)?;
        check.ensure(lot.site == site.id, "lot", "other_site");
        // The product's crop picks the interval: another product's would be the wrong one.
        check.ensure(lot.product == product.id, "product", "bad_choice");
    }
    attachment::check(&mut check, &c.attachments);
    check.done()?;
    // The interval counts from the last use, so its day picks the label.
    let input = match input {
        Some(input) => Some(input_on(ctx.state, input, &product.crop, stop, c.dose)?),
        None => None,
    };
    Ok(Activity {
        id: new_id("act", ctx.time, ctx.random),
        operator: site.operator,
        site: site.id,
        product: product.id,
        lot,
        area: site.area,
        kind: c.kind,
        date: c.date,
        stopped_on: c.stopped_on,
        input,
        note: c.note,
        attachments: c.attachments,
        water_tenths: c.water_tenths,
        recorded_at: Some(ctx.time),
        corrects: None,
        corrected_by: None,
        struck: None,
    })
}
