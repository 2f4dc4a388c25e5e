//! Tests (检测): a measurement, whose sample it was, and what our own rule says of it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::actor::{Actor, Role};
use crate::check::Check;
use crate::decide::Context;
use crate::device::Device;
use crate::error::DomainError;
use crate::finding::{Judgement, Verdict};
use crate::id::new_id;
use crate::lot::Lot;
use crate::measurement::Measurement;
use crate::message::Message;
use crate::state::{Entity, Entry, Index, Table};
use crate::time::Time;

/// Our verdict; the device's own stands in the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestVerdict {
    /// 合格.
    Pass,
    /// 超标 / 阳性.
    Fail,
    /// 无效或不能判定.
    Invalid,
}

impl TestVerdict {
    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Invalid => "invalid",
        }
    }
}

impl From<Verdict> for TestVerdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Deny => Self::Fail,
            Verdict::Hold => Self::Invalid,
        }
    }
}

/// How a test found its lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchedBy {
    /// The lot's number or code was in the message.
    Number,
    /// The lot was scanned on the same bench shortly before.
    Bench,
    /// A person chose it.
    Person,
}

/// Who tested for whom (R-094: tested party ≠ testing party).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConductedBy {
    /// The operator itself.
    Own,
    /// Somebody else for the operator.
    Commissioned,
}

/// Where a test's numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Measured by a device on record.
    Device,
    /// Typed by a person.
    Typed,
}

/// A test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// Id, `tst_…`.
    pub id: String,
    /// Device; empty when typed.
    #[serde(default)]
    pub device: String,
    /// Device's name and place at the time.
    #[serde(default)]
    pub device_name: String,
    /// Message it came from; empty when typed.
    #[serde(default)]
    pub message: String,
    /// Origin of the numbers.
    pub origin: Origin,
    /// What was measured.
    pub measurement: Measurement,
    /// SHA-256 (hex) of the measurement, to tell a duplicate from a conflict.
    pub content_sha256: String,
    /// Lot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// Lot number at the time of matching.
    #[serde(default)]
    pub lot_no: String,
    /// Product name at the time of matching.
    #[serde(default)]
    pub product_name: String,
    /// Operator of the lot.
    #[serde(default)]
    pub operator: String,
    /// How the lot was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_by: Option<MatchedBy>,
    /// Who tested, once the lot is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conducted_by: Option<ConductedBy>,
    /// Our verdict.
    pub verdict: TestVerdict,
    /// Why.
    pub judgement: Judgement,
    /// Flags for people, codes of the catalogue: `clock_none`, `clock_off`.
    #[serde(default)]
    pub flags: Vec<String>,
    /// Server's time of receipt.
    pub received_at: Time,
    /// Region code.
    #[serde(default)]
    pub area: String,
}

impl Test {
    /// When it was measured, as far as known: device time, else receipt.
    pub fn tested_at(&self) -> Time {
        self.measurement.tested_at.unwrap_or(self.received_at)
    }
}

/// By lot.
pub const BY_LOT: Index = Index("test.lot");
/// By verdict; part `""` holds all.
pub const BY_VERDICT: Index = Index("test.verdict");
/// Tests without a lot.
pub const UNMATCHED: Index = Index("test.unmatched");
/// By device and message id of the device.
pub const BY_DEVICE_ID: Index = Index("test.device_id=");
/// By operator.
pub const BY_OPERATOR: Index = Index("test.operator");

/// Key of [`BY_DEVICE_ID`].
pub fn device_key(device: &str, msg_id: &str) -> String {
    format!("{device}/{msg_id}")
}

/// SHA-256 (hex) over the measurement as canonical JSON.
pub fn content_sha256(measurement: &Measurement) -> String {
    let json = serde_json::to_vec(measurement).unwrap_or_default();
    hex::encode(Sha256::digest(json))
}

impl Entity for Test {
    const TABLE: Table = Table("test");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut out = vec![
            Entry::new(BY_VERDICT, "", &self.id),
            Entry::new(BY_VERDICT, self.verdict.as_str(), &self.id),
        ];
        if !self.device.is_empty() {
            let key = device_key(&self.device, &self.measurement.msg_id);
            out.push(Entry::new(BY_DEVICE_ID, key, ""));
        }
        match &self.lot {
            Some(lot) => out.push(Entry::new(BY_LOT, lot, &self.id)),
            None if !self.measurement.blank => out.push(Entry::new(UNMATCHED, "", &self.id)),
            None => {}
        }
        if !self.operator.is_empty() {
            out.push(Entry::new(BY_OPERATOR, &self.operator, &self.id));
        }
        out
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: takes in one measurement with our judgement of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordTest {
    /// Device, or `""` when typed.
    pub device: String,
    /// Message, or `""`.
    pub message: String,
    /// Origin.
    pub origin: Origin,
    /// What was measured.
    pub measurement: Measurement,
    /// Lot and how it was found.
    pub lot: Option<(String, MatchedBy)>,
    /// Judgement by `testing/judge`.
    pub judgement: Judgement,
    /// Server's time of receipt.
    pub received_at: Time,
}

/// Command: a person says whose sample it was; the rule judges again with the product known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignTest {
    /// Test.
    pub test: String,
    /// Lot.
    pub lot: String,
    /// New judgement.
    pub judgement: Judgement,
}

/// Event payload: a test was given its lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestAssigned {
    /// Test.
    pub test: String,
    /// Lot.
    pub lot: String,
    /// Lot number.
    pub lot_no: String,
    /// Product name.
    pub product_name: String,
    /// Operator.
    pub operator: String,
    /// Region code.
    pub area: String,
    /// Who tested.
    pub conducted_by: ConductedBy,
    /// New judgement.
    pub judgement: Judgement,
}

/// What `record` found.
pub(crate) enum Recorded {
    New(Box<Test>),
    Duplicate(String),
    /// Same id, other content; the id of the test that stands.
    Conflict(String),
}

/// Skew of the device's clock that is flagged, in seconds.
const CLOCK_SKEW_S_MAX: i64 = 600;
/// A first measurement may be sent days later; older device time is flagged.
const CLOCK_AGE_S_MAX: i64 = 30 * 86_400;

fn clock_flags(measurement: &Measurement, received_at: Time) -> Vec<String> {
    let flag = match measurement.tested_at {
        None => Some("clock_none"),
        Some(t) => {
            let year = crate::time::china_date(t).year();
            let age_s = received_at.as_second() - t.as_second();
            if year <= 2000 {
                Some("clock_none")
            } else if !(-CLOCK_SKEW_S_MAX..=CLOCK_AGE_S_MAX).contains(&age_s) {
                Some("clock_off")
            } else {
                None
            }
        }
    };
    flag.into_iter().map(String::from).collect()
}

pub(crate) fn record(ctx: &mut Context<'_>, c: RecordTest) -> Result<Recorded, DomainError> {
    let m = &c.measurement;
    let mut check = Check::new();
    check
        .ensure(m.v == 1, "v", "bad_version")
        .text("msg_id", &m.msg_id, 128)
        .optional_text("sample.no", &m.sample.no, 64)
        .optional_text("sample.name", &m.sample.name, 64)
        .optional_text("sample.batch_code", &m.sample.batch_code, 64)
        .optional_text("value.num", &m.value.num, 32)
        .optional_text("value.unit", &m.value.unit, 16)
        .optional_text("item.name", &m.item.name, 64)
        // Who typed it is known now only; a lot given later could not tell an own test any more.
        .ensure(c.origin != Origin::Typed || c.lot.is_some(), "lot", "required");
    check.done()?;
    if m.blank && c.lot.is_some() {
        return Err(DomainError::refused("test_is_blank", &[]));
    }
    if !c.message.is_empty() {
        ctx.require::<Message>("message", &c.message)?;
    }
    let content_sha256 = content_sha256(m);
    if !c.device.is_empty()
        && let Some(known) =
            ctx.state.find::<Test>(BY_DEVICE_ID, &device_key(&c.device, &m.msg_id))?
    {
        return Ok(if known.content_sha256 == content_sha256 {
            Recorded::Duplicate(known.id)
        } else {
            Recorded::Conflict(known.id)
        });
    }
    let device = match c.device.as_str() {
        "" => None,
        id => Some(ctx.require::<Device>("device", id)?),
    };
    let mut test = Test {
        id: new_id("tst", ctx.time, ctx.random),
        device: c.device,
        device_name: device.as_ref().map(described).unwrap_or_default(),
        message: c.message,
        origin: c.origin,
        flags: clock_flags(m, c.received_at),
        measurement: c.measurement,
        content_sha256,
        lot: None,
        lot_no: String::new(),
        product_name: String::new(),
        operator: String::new(),
        matched_by: None,
        conducted_by: None,
        verdict: c.judgement.verdict.into(),
        judgement: c.judgement,
        received_at: c.received_at,
        area: device.as_ref().map(|d| d.area.clone()).unwrap_or_default(),
    };
    if let Some((lot, matched_by)) = c.lot {
        let lot: Lot = ctx.require("lot", &lot)?;
        test.conducted_by = Some(conducted_by(ctx.actor, device.as_ref(), &lot));
        test.matched_by = Some(matched_by);
        (test.lot_no, test.product_name) = (lot.no, lot.product_name);
        (test.operator, test.area) = (lot.operator, lot.area);
        test.lot = Some(lot.id);
    }
    Ok(Recorded::New(Box::new(test)))
}

pub(crate) fn assign(ctx: &mut Context<'_>, c: AssignTest) -> Result<TestAssigned, DomainError> {
    let test: Test = ctx.require("test", &c.test)?;
    let lot: Lot = ctx.require("lot", &c.lot)?;
    if test.lot.is_some() {
        return Err(DomainError::refused("test_has_lot", &[("no", &test.lot_no)]));
    }
    if test.measurement.blank {
        return Err(DomainError::refused("test_is_blank", &[]));
    }
    let device = ctx.state.get::<Device>(&test.device)?;
    Ok(TestAssigned {
        test: test.id,
        conducted_by: conducted_by(ctx.actor, device.as_ref(), &lot),
        lot: lot.id,
        lot_no: lot.no,
        product_name: lot.product_name,
        operator: lot.operator,
        area: lot.area,
        judgement: c.judgement,
    })
}

fn described(device: &Device) -> String {
    format!("{} {}", device.place, device.model).trim().to_owned()
}

/// A device of the operator itself, or a result its own people typed, makes it an own test;
/// anybody else's is a commissioned one.
fn conducted_by(actor: &Actor, device: Option<&Device>, lot: &Lot) -> ConductedBy {
    let own = match device {
        Some(device) => device.operator.as_deref() == Some(&lot.operator),
        None => matches!(actor, Actor::User { role: Role::Producer, .. }),
    };
    if own { ConductedBy::Own } else { ConductedBy::Commissioned }
}
