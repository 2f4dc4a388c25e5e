//! Starting points in which everything is unknown, so that a decoder names only what it knows.

use crate::{
    Decoded, DeviceInfo, DeviceLimit, Item, Measurement, Method, Person, Problem, Qualifier,
    RawReadings, ResultKind, Sample, Value, ValueKind,
};

impl Measurement {
    /// A first measurement of which only id, method and value are known.
    pub fn new(msg_id: impl Into<String>, method: Method, value: Value) -> Self {
        Self {
            msg_id: msg_id.into(),
            device: DeviceInfo::default(),
            record_no: None,
            channel: None,
            kind: ResultKind::Initial,
            retest_of: None,
            sample: Sample::default(),
            method,
            item: Item::default(),
            value,
            raw: RawReadings::default(),
            limit: DeviceLimit::default(),
            device_verdict: None,
            tested_at: None,
            clock: None,
            operator: Person::default(),
            blank: false,
            geo: String::new(),
        }
    }
}

impl Value {
    /// A number as measured, such as `("16.54", "%", ValueKind::InhibitionRate)`.
    pub fn exactly(num: impl Into<String>, unit: &str, kind: ValueKind) -> Self {
        Self { num: num.into(), unit: unit.into(), kind, op: Qualifier::Equal }
    }
}

impl Problem {
    /// A problem with `length` bytes from `offset` on.
    pub fn new(offset: usize, length: usize, reason: &str, text: impl Into<String>) -> Self {
        let fit = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { offset: fit(offset), length: fit(length), reason: reason.into(), text: text.into() }
    }
}

/// Nothing found.
impl Default for Decoded {
    fn default() -> Self {
        Self { measurements: Vec::new(), problems: Vec::new(), announced_count: None }
    }
}

/// Unknown.
impl Default for DeviceInfo {
    fn default() -> Self {
        Self { sn: String::new(), model: String::new(), vendor: String::new(), fw: String::new() }
    }
}

/// Unknown.
impl Default for Sample {
    fn default() -> Self {
        let unknown = String::new;
        Self {
            no: unknown(),
            name: unknown(),
            batch_code: unknown(),
            unit_under_test: unknown(),
            stall: unknown(),
        }
    }
}

/// Unknown.
impl Default for Item {
    fn default() -> Self {
        Self { code: String::new(), name: String::new() }
    }
}

/// Unknown.
impl Default for RawReadings {
    fn default() -> Self {
        let unknown = String::new;
        Self {
            absorbance: unknown(),
            delta_a: unknown(),
            control_delta_a: unknown(),
            ct_ratio: unknown(),
        }
    }
}

/// Unknown.
impl Default for DeviceLimit {
    fn default() -> Self {
        Self { num: String::new(), unit: String::new(), basis: String::new() }
    }
}

/// Unknown.
impl Default for Person {
    fn default() -> Self {
        Self { id: String::new(), name: String::new() }
    }
}
