//! A residue analyzer (enzyme inhibition) in software: plausible results from a seed. The caller gives the
//! time; the same seed, serial number and calls give the same bytes.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use tianyin_domain::id::{Random, SeededRandom};
use tianyin_domain::measurement::{
    DeviceClock, DeviceInfo, DeviceLimit, DeviceVerdict, Item, Measurement, Method, Person,
    Qualifier, RawReadings, ResultKind, Sample, Value, ValueKind,
};
use tianyin_domain::time::{Time, to_millisecond};

use crate::lz4000t::{Lz4000tError, Record, frames};

/// A device's clock shows China's time (UTC+8).
const CHINA: Offset = Offset::constant(8);

/// The device's own limit, hundredths of a percent. It calls exactly 50.00 合格, as the vendor's program
/// does, while GB/T 5009.199-2003 makes it positive: the appliance must show such a difference.
const DEVICE_LIMIT_HUNDREDTHS: i16 = 5000;

/// What is put into the analyzer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SampleSpec {
    /// Lot number or trace code. The LZ-4000T has no field for it; only the JSON carries it.
    pub lot_no: String,
    /// Name of the product; the LZ-4000T keeps three Chinese characters of it.
    pub name: String,
    /// Inhibition in hundredths of a percent (1654 is 16.54 %); `None` draws a plausible one, mostly low,
    /// one in twenty positive.
    pub inhibition_hundredths: Option<i16>,
}

/// One simulated analyzer.
#[derive(Debug, Clone)]
pub struct AnalyzerSim {
    random: SeededRandom,
    serial: String,
    next_record: u16,
}

impl AnalyzerSim {
    /// An analyzer with a serial number that counts its records from `first_record`. A second run with the
    /// same serial number must go on counting, or its results look like repeats of the first.
    pub fn new(seed: u64, serial: impl Into<String>, first_record: u16) -> Self {
        Self { random: SeededRandom(seed), serial: serial.into(), next_record: first_record }
    }

    /// Number the next result gets.
    pub fn next_record(&self) -> u16 {
        self.next_record
    }

    /// Measures a sample and stores it the way an LZ-4000T does.
    pub fn record(&mut self, sample: &SampleSpec, at: Time) -> Record {
        let inhibition_hundredths =
            sample.inhibition_hundredths.unwrap_or_else(|| self.draw_inhibition());
        let record_no = self.next_record;
        self.next_record = self.next_record.checked_add(1).unwrap_or(1);
        Record {
            record_no,
            name: sample.name.clone(),
            time: device_time(at),
            inhibition_hundredths,
        }
    }

    /// Measures samples and returns what an LZ-4000T sends for them: one frame each, as one payload of
    /// `up/raw`. Fails for more than 255 samples or a year the device cannot hold.
    pub fn lz4000t(&mut self, samples: &[SampleSpec], at: Time) -> Result<Vec<u8>, Lz4000tError> {
        let records: Vec<Record> = samples.iter().map(|sample| self.record(sample, at)).collect();
        frames(&records)
    }

    /// Measures a sample and returns the canonical message, payload of `up/result` when written as JSON.
    pub fn measurement(&mut self, sample: &SampleSpec, at: Time) -> Measurement {
        let record = self.record(sample, at);
        let inhibition = i32::from(record.inhibition_hundredths);
        // A control's absorbance changes by 0.3 to 0.8 in the reaction time.
        let control = 3_000 + self.draw(5_001) as i32;
        let delta = (control * (10_000 - inhibition) + 5_000).div_euclid(10_000);
        let verdict = if record.inhibition_hundredths <= DEVICE_LIMIT_HUNDREDTHS {
            DeviceVerdict::Pass
        } else {
            DeviceVerdict::Fail
        };
        Measurement {
            v: 1,
            msg_id: format!(
                "{}-{}-{}",
                self.serial,
                record.time.strftime("%Y%m%d"),
                record.record_no
            ),
            device: DeviceInfo {
                sn: self.serial.clone(),
                model: "SIM-JSON".into(),
                vendor: "tianyin".into(),
                fw: env!("CARGO_PKG_VERSION").into(),
            },
            record_no: Some(record.record_no.into()),
            channel: Some(1 + self.draw(8)),
            kind: ResultKind::Initial,
            retest_of: None,
            sample: Sample {
                name: sample.name.clone(),
                batch_code: sample.lot_no.clone(),
                ..Sample::default()
            },
            method: Method::EnzymeInhibition,
            item: Item {
                code: "pesticide_op_carb".into(),
                name: "有机磷和氨基甲酸酯类农药".into(),
            },
            value: Value {
                num: decimal(inhibition, 2),
                unit: "%".into(),
                kind: ValueKind::InhibitionRate,
                op: Qualifier::Equal,
            },
            lod: String::new(),
            loq: String::new(),
            report_no: String::new(),
            raw: RawReadings {
                delta_a: decimal(delta, 4),
                control_delta_a: decimal(control, 4),
                ..RawReadings::default()
            },
            limit: DeviceLimit {
                num: "50".into(),
                unit: "%".into(),
                basis: "GB/T 5009.199-2003".into(),
            },
            device_verdict: Some(verdict),
            tested_at: Some(to_millisecond(at)),
            clock: DeviceClock { synced: true, uptime_ms: 0 },
            operator: Person::default(),
            blank: false,
            geo: serde_json::Value::Object(serde_json::Map::new()),
        }
    }

    /// [`Self::measurement`] as JSON bytes.
    pub fn json(&mut self, sample: &SampleSpec, at: Time) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&self.measurement(sample, at))
    }

    /// Mostly 0.00 to 29.99 %, one in twenty 55.00 to 94.99 %: clear cases, none near the limit.
    fn draw_inhibition(&mut self) -> i16 {
        let value = if self.draw(20) == 0 { 5_500 + self.draw(4_000) } else { self.draw(3_000) };
        i16::try_from(value).unwrap_or(i16::MAX)
    }

    /// A number below `bound`; the slight unevenness of the remainder does not matter here.
    fn draw(&mut self, bound: u32) -> u32 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % u64::from(bound.max(1))) as u32
    }
}

/// What the device's clock shows, in whole seconds.
fn device_time(at: Time) -> DateTime {
    let shown = CHINA.to_datetime(at);
    shown.with().subsec_nanosecond(0).build().unwrap_or(shown)
}

/// `1654` with two places is `16.54`.
fn decimal(scaled: i32, places: usize) -> String {
    let digits = format!("{:0width$}", scaled.unsigned_abs(), width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    format!("{}{whole}.{part}", if scaled < 0 { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use tianyin_domain::Decimal;

    use super::*;
    use crate::lz4000t::{RECORD_FRAME_BYTES, crc8};

    fn noon() -> Time {
        "2026-11-21T09:00:00.123+08:00".parse().unwrap()
    }

    fn sample(inhibition_hundredths: Option<i16>) -> SampleSpec {
        SampleSpec { lot_no: "XT-LOT-1".into(), name: "湘潭湘莲".into(), inhibition_hundredths }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let run = |seed| {
            let mut sim = AnalyzerSim::new(seed, "SIM1", 1);
            let json: Vec<Vec<u8>> =
                (0..5).map(|_| sim.json(&sample(None), noon()).unwrap()).collect();
            (json, sim.lz4000t(&[sample(None), sample(None)], noon()).unwrap())
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn json_reads_back_and_says_what_was_measured() {
        let mut sim = AnalyzerSim::new(1, "SIM1", 41);
        let bytes = sim.json(&sample(Some(1654)), noon()).unwrap();
        let message: Measurement = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(message.msg_id, "SIM1-20261121-41");
        assert_eq!(message.value.num, "16.54");
        assert_eq!(
            (message.sample.batch_code.as_str(), message.sample.name.as_str()),
            ("XT-LOT-1", "湘潭湘莲")
        );
        assert_eq!(message.tested_at, Some(noon()));
        assert_eq!(message.device_verdict, Some(DeviceVerdict::Pass));
        assert_eq!(sim.next_record(), 42);
    }

    #[test]
    fn readings_explain_the_value() {
        let mut sim = AnalyzerSim::new(3, "SIM1", 1);
        for given in [None, Some(0), Some(4996), Some(5000), Some(10_000), Some(-150)] {
            let message = sim.measurement(&sample(given), noon());
            let control: Decimal = message.raw.control_delta_a.parse().unwrap();
            let delta: Decimal = message.raw.delta_a.parse().unwrap();
            assert!(control >= Decimal::new(3, 1) && control <= Decimal::new(8, 1), "{control}");
            let computed = (control - delta) / control * Decimal::ONE_HUNDRED;
            let off = (computed - message.value.decimal().unwrap()).abs();
            // Readings have four places, so that the value follows to within two hundredths.
            assert!(off <= Decimal::new(2, 2), "{given:?}: {computed} for {}", message.value.num);
        }
    }

    #[test]
    fn the_device_calls_exactly_fifty_a_pass() {
        let mut sim = AnalyzerSim::new(3, "SIM1", 1);
        for (value, text, verdict) in [
            (4996, "49.96", DeviceVerdict::Pass),
            (5000, "50.00", DeviceVerdict::Pass),
            (5001, "50.01", DeviceVerdict::Fail),
            (-5, "-0.05", DeviceVerdict::Pass),
        ] {
            let message = sim.measurement(&sample(Some(value)), noon());
            assert_eq!((message.value.num.as_str(), message.device_verdict), (text, Some(verdict)));
        }
    }

    #[test]
    fn drawn_values_are_plausible_and_some_are_positive() {
        let mut sim = AnalyzerSim::new(5, "SIM1", 1);
        let values: Vec<i16> =
            (0..400).map(|_| sim.record(&sample(None), noon()).inhibition_hundredths).collect();
        assert!(values.iter().all(|v| (0..3_000).contains(v) || (5_500..9_500).contains(v)));
        let positive = values.iter().filter(|v| **v >= 5_000).count();
        assert!((5..60).contains(&positive), "{positive} of 400");
    }

    #[test]
    fn raw_payloads_are_whole_frames_in_china_time() {
        let mut sim = AnalyzerSim::new(5, "SIM1", u16::MAX);
        let bytes = sim.lz4000t(&[sample(Some(1654)), sample(Some(-1))], noon()).unwrap();
        assert_eq!(bytes.len(), 2 * RECORD_FRAME_BYTES);
        assert_eq!(bytes[16..22], [26, 11, 21, 9, 0, 0]);
        assert_eq!(bytes[22..24], 1654_i16.to_le_bytes());
        assert_eq!(bytes[24], crc8(&bytes[1..24]));
        assert_eq!(bytes[8..10], [0xFF, 0xFF]);
        assert_eq!(bytes[34..36], [1, 0], "record numbers start again after 65535");
        let long_ago: Time = "1970-01-01T00:00:00Z".parse().unwrap();
        assert!(matches!(sim.lz4000t(&[sample(None)], long_ago), Err(Lz4000tError::Year { .. })));
    }
}
