//! The canonical result message of analyzers (`up/result`, and what a decoder plugin returns).
//! Empty means unknown: nothing is invented. An unknown key is an error that names it: a misspelt
//! one would otherwise lose a reading in silence. Source: domain/testing, section 8.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// Which device spoke, as it says itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceInfo {
    /// Serial number.
    pub sn: String,
    /// Model.
    pub model: String,
    /// Vendor.
    pub vendor: String,
    /// Firmware.
    pub fw: String,
}

/// First measurement or a repeat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultKind {
    /// First measurement.
    #[default]
    Initial,
    /// Repeat; `retest_of` names the first.
    Retest,
}

/// The sample as the device knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sample {
    /// Sample number.
    pub no: String,
    /// Name, often cut by the device.
    pub name: String,
    /// Lot number or trace code of the lot.
    pub batch_code: String,
    /// Tested party.
    pub unit_under_test: String,
    /// Market stall.
    pub stall: String,
}

/// Measuring method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// 酶抑制率法.
    EnzymeInhibition,
    /// 胶体金免疫层析.
    ColloidalGold,
    /// 酶联免疫.
    Elisa,
    /// Everything else.
    Other,
    /// 色谱、质谱.
    Chromatography,
}

impl Method {
    /// Every method, in the order of a choice list.
    pub const ALL: [Self; 5] = [
        Self::EnzymeInhibition,
        Self::ColloidalGold,
        Self::Elisa,
        Self::Chromatography,
        Self::Other,
    ];

    /// Whether it is a rapid one (快速检测方法): it screens, and decides no objection (law art 51).
    pub fn is_rapid(self) -> bool {
        matches!(self, Self::EnzymeInhibition | Self::ColloidalGold | Self::Elisa)
    }
}

/// What was looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Item {
    /// Code, such as `pesticide_op_carb`; empty when the device has none.
    pub code: String,
    /// Name in Chinese.
    pub name: String,
}

/// What kind of number a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// Inhibition rate in percent.
    InhibitionRate,
    /// Amount per mass, usually mg/kg.
    Concentration,
    /// `negative`, `positive` or `invalid` in `num`.
    Qualitative,
}

/// Qualifier of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Qualifier {
    /// Exactly measured.
    #[default]
    #[serde(rename = "=")]
    Equal,
    /// Below what could be measured.
    #[serde(rename = "<")]
    Less,
    /// Above the measuring range.
    #[serde(rename = ">")]
    Greater,
    /// 未检出: below the limit of detection.
    #[serde(rename = "ND")]
    NotDetected,
    /// Detected, below the limit of quantification.
    #[serde(rename = "<LOQ")]
    BelowQuantification,
}

impl Qualifier {
    /// Every qualifier, in the order of a choice list.
    pub const ALL: [Self; 5] =
        [Self::Equal, Self::Less, Self::Greater, Self::NotDetected, Self::BelowQuantification];

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::Greater => ">",
            Self::NotDetected => "ND",
            Self::BelowQuantification => "<LOQ",
        }
    }

    /// Whether it says all that is to be said without a number.
    pub fn stands_alone(self) -> bool {
        matches!(self, Self::NotDetected | Self::BelowQuantification)
    }
}

/// A measured value. `num` is a decimal string, or a word where `kind` is qualitative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// Decimal string, never a binary float; empty when the device gave no number.
    pub num: String,
    /// Unit as printed, `%` or `mg/kg`.
    #[serde(default)]
    pub unit: String,
    /// Kind of number.
    pub kind: ValueKind,
    /// Qualifier.
    #[serde(default)]
    pub op: Qualifier,
}

impl Value {
    /// The number, when there is one.
    pub fn decimal(&self) -> Option<Decimal> {
        self.num.parse().ok()
    }
}

/// Readings behind the value, kept as strings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawReadings {
    /// Absorbance.
    pub absorbance: String,
    /// Absorbance change of the sample.
    pub delta_a: String,
    /// Absorbance change of the control, ΔA0.
    pub control_delta_a: String,
    /// Colour ratio of test and control line.
    pub ct_ratio: String,
}

/// The limit the device used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceLimit {
    /// Decimal string.
    pub num: String,
    /// Unit.
    pub unit: String,
    /// Standard.
    pub basis: String,
}

/// What the device itself concluded; kept beside our own verdict, never smoothed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceVerdict {
    /// 合格.
    Pass,
    /// 不合格.
    Fail,
    /// 可疑.
    Suspect,
    /// 无效.
    Invalid,
}

/// State of the device's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceClock {
    /// Whether it says it is synchronised.
    pub synced: bool,
    /// Milliseconds since its start.
    pub uptime_ms: u64,
}

/// Who measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Person {
    /// Id on the device.
    pub id: String,
    /// Name.
    pub name: String,
}

/// One result of one sample and item, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// Format version, 1.
    pub v: u32,
    /// Unique per device: uuid, or serial-date-record number.
    pub msg_id: String,
    /// The device about itself.
    #[serde(default)]
    pub device: DeviceInfo,
    /// Record number on the device.
    #[serde(default)]
    pub record_no: Option<u64>,
    /// Channel.
    #[serde(default)]
    pub channel: Option<u32>,
    /// First or repeat.
    #[serde(default)]
    pub kind: ResultKind,
    /// `msg_id` of the first measurement.
    #[serde(default)]
    pub retest_of: Option<String>,
    /// The sample.
    #[serde(default)]
    pub sample: Sample,
    /// Method.
    pub method: Method,
    /// Item.
    #[serde(default)]
    pub item: Item,
    /// Value.
    pub value: Value,
    /// Readings.
    #[serde(default)]
    pub raw: RawReadings,
    /// Limit of detection of this very run, in the value's unit; empty when not told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lod: String,
    /// Limit of quantification of this very run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub loq: String,
    /// Number of the report; empty when there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub report_no: String,
    /// The device's limit.
    #[serde(default)]
    pub limit: DeviceLimit,
    /// The device's verdict, when it gives one.
    #[serde(default)]
    pub device_verdict: Option<DeviceVerdict>,
    /// Device time; `None` when the device gave none.
    #[serde(default)]
    pub tested_at: Option<Time>,
    /// Its clock.
    #[serde(default)]
    pub clock: DeviceClock,
    /// Who measured.
    #[serde(default)]
    pub operator: Person,
    /// A control run; never counts as a sample result.
    #[serde(default)]
    pub blank: bool,
    /// Position, as the device gives it; fractions as decimal strings.
    #[serde(default, with = "without_floats")]
    pub geo: serde_json::Value,
}

impl Measurement {
    /// One that a person tells: what nobody told stays empty.
    pub fn told(method: Method, item: Item, value: Value, tested_at: Option<Time>) -> Self {
        Self {
            v: 1,
            msg_id: String::new(),
            device: DeviceInfo::default(),
            record_no: None,
            channel: None,
            kind: ResultKind::default(),
            retest_of: None,
            sample: Sample::default(),
            method,
            item,
            value,
            raw: RawReadings::default(),
            lod: String::new(),
            loq: String::new(),
            report_no: String::new(),
            limit: DeviceLimit::default(),
            device_verdict: None,
            tested_at,
            clock: DeviceClock::default(),
            operator: Person::default(),
            blank: false,
            geo: serde_json::Value::Null,
        }
    }
}

/// Any JSON with its fractions as decimal strings: a binary float need not come back as the same
/// number when the journal is read again, and a replay must lead to the same record.
mod without_floats {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Value, D::Error> {
        Value::deserialize(d).map(spelt)
    }

    pub fn serialize<S: Serializer>(value: &Value, s: S) -> Result<S::Ok, S::Error> {
        spelt(value.clone()).serialize(s)
    }

    fn spelt(value: Value) -> Value {
        match value {
            Value::Number(n) if n.is_f64() => Value::String(n.to_string()),
            Value::Array(items) => items.into_iter().map(spelt).collect(),
            Value::Object(fields) => fields.into_iter().map(|(k, v)| (k, spelt(v))).collect(),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named() {
        let json = r#"{"v":1,"msg_id":"1","method":"elisa","sample":{"numer":"7"},
            "value":{"num":"1","kind":"concentration"}}"#;
        let told = serde_json::from_str::<Measurement>(json).map_err(|e| e.to_string());
        assert!(told.is_err_and(|e| e.contains("numer")));
    }
}
