//! Tests (检测): a measurement, whose sample it was, and what our own rule says of it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::finding::{Judgement, Verdict};
use crate::measurement::Measurement;
use crate::positive::{Delivered, Settled, Verified};
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
    /// The number of a sample was in the message.
    Sample,
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
    /// Sample it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<String>,
    /// Number of that sample.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sample_no: String,
    /// Testing party, as far as known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub laboratory: String,
    /// Who typed it; empty for what a device sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub entered_by: String,
    /// A second person has to look at it before it proves anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_verification: bool,
    /// The second person's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// Why it was struck out, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub struck: Option<String>,
    /// When the tested party was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Delivered>,
    /// Objection that it decides: it is a retest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objection: Option<String>,
    /// What became of what was positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
}

impl Test {
    /// Whether anything may rest on it. What was struck out never was; what nobody verified yet proves
    /// nothing good, but a positive result counts at once.
    pub fn counts(&self) -> bool {
        let verified = !self.needs_verification || self.verified.is_some();
        self.struck.is_none() && (verified || self.verdict == TestVerdict::Fail)
    }

    /// Whether a second person is still to look at it.
    pub fn waits_for_verification(&self) -> bool {
        self.needs_verification && self.verified.is_none() && self.struck.is_none()
    }

    /// Whether it is positive and nobody has said yet what became of the goods.
    pub fn is_open_positive(&self) -> bool {
        let fails = self.verdict == TestVerdict::Fail && !self.measurement.blank;
        fails && self.struck.is_none() && self.settled.is_none() && self.objection.is_none()
    }

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
/// By sample.
pub const BY_SAMPLING: Index = Index("test.sampling");
/// Retests by objection.
pub const BY_OBJECTION: Index = Index("test.objection");
/// Repeats by device and message id of the first measurement, known or not.
pub const BY_FIRST: Index = Index("test.first");
/// Those that wait for a second person.
pub const UNVERIFIED: Index = Index("test.unverified");
/// Positive ones that are not settled.
pub const POSITIVE: Index = Index("test.positive");
/// Measured with water or a standard in place of a sample, by device.
pub const BLANKS: Index = Index("test.blank");

/// By digest of an attachment of what became of the goods.
pub const BY_ATTACHMENT: Index = Index("test.attachment");

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
            None if self.measurement.blank => {
                out.push(Entry::new(BLANKS, &self.device, &self.id));
            }
            None if self.sampling.is_none() && self.struck.is_none() => {
                out.push(Entry::new(UNMATCHED, "", &self.id));
            }
            None => {}
        }
        out.extend(self.sampling.iter().map(|one| Entry::new(BY_SAMPLING, one, &self.id)));
        out.extend(self.objection.iter().map(|one| Entry::new(BY_OBJECTION, one, &self.id)));
        if let Some(first) = self.measurement.retest_of.as_ref().filter(|one| !one.is_empty()) {
            out.push(Entry::new(BY_FIRST, device_key(&self.device, first), &self.id));
        }
        if self.waits_for_verification() {
            out.push(Entry::new(UNVERIFIED, "", &self.id));
        }
        if self.is_open_positive() {
            out.push(Entry::new(POSITIVE, "", &self.id));
        }
        let files = self.settled.iter().flat_map(|one| &one.attachments);
        out.extend(files.map(|one| Entry::new(BY_ATTACHMENT, &one.hash, &self.id)));
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
    /// Sample it is of; its lot is the sample's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<String>,
    /// Testing party, where it is told; else the sample's laboratory, or the place of the device.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub laboratory: String,
    /// Objection that it decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objection: Option<String>,
}

/// Command: a person says whose sample it was; the rule judges again with the product known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignTest {
    /// Test.
    pub test: String,
    /// Lot; empty for a sample of what was not harvested yet.
    pub lot: String,
    /// New judgement.
    pub judgement: Judgement,
    /// Sample that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<String>,
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
    /// Sample that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<String>,
    /// Number of that sample.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sample_no: String,
    /// Testing party.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub laboratory: String,
    /// A second person has to look at it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_verification: bool,
}
