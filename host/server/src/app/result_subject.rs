//! Whose a result of a laboratory's sheet is, and what of it goes on record.

use tianyin_domain::Date;
use tianyin_domain::lot::Lot;
use tianyin_domain::measurement::{DeviceInfo, DeviceLimit, Item, Measurement, Person, Sample};
use tianyin_domain::sampling::Sampling;
use tianyin_domain::time::from_china;

use super::result_rows::ResultRow;
use super::testing::Entry;
use crate::edge::{now, sha256_hex};
use crate::words::Word as _;

/// What the message ids of results begin with that came from a sheet.
pub const SHEET_MARK: &str = "sheet/";
/// Characters of the digest in a message id.
const ID_DIGITS: usize = 40;

/// Whose results rows are: a sample, or a lot.
#[derive(Debug)]
pub struct Subject {
    /// Sample.
    sampling: Option<String>,
    /// Number of the sample.
    sample_no: String,
    /// Lot, where there is no sample to tell it.
    lot: Option<String>,
    /// Number of the lot; empty for a sample of what was not harvested yet.
    lot_no: String,
    /// Product.
    product_name: String,
    /// Day the sample was taken.
    pub sampled_on: Option<Date>,
}

impl Subject {
    /// A lot without a sample.
    pub fn of_lot(lot: Lot) -> Self {
        Self {
            sampling: None,
            sample_no: String::new(),
            lot: Some(lot.id),
            lot_no: lot.no,
            product_name: lot.product_name,
            sampled_on: None,
        }
    }

    /// A sample, with the lot that the sheet names beside it; `None` when that is not the sample's lot.
    pub fn of_sample(sampling: Sampling, lot: Option<&Lot>) -> Option<Self> {
        let fits = lot.is_none_or(|lot| sampling.lot.as_ref() == Some(&lot.id));
        fits.then_some(Self {
            sampling: Some(sampling.id),
            sample_no: sampling.no,
            lot: None,
            lot_no: sampling.lot_no,
            product_name: sampling.product_name,
            sampled_on: Some(sampling.sampled_on),
        })
    }

    /// The sample and `true`, or the lot and `false`.
    pub fn whose(&self) -> (&str, bool) {
        match &self.sampling {
            Some(sampling) => (sampling, true),
            None => (self.lot.as_deref().unwrap_or_default(), false),
        }
    }

    /// The number that people know it by: of the sample, else of the lot.
    pub fn number(&self) -> &str {
        if self.sample_no.is_empty() { &self.lot_no } else { &self.sample_no }
    }

    /// A row as it goes on record. It was measured at noon, China time, of the day the sheet tells; today
    /// not later than now.
    pub fn entry(&self, row: &ResultRow, digest: &str) -> Entry {
        let id: String = digest.chars().take(ID_DIGITS).collect();
        let tested_at = from_china(row.tested_on.at(12, 0, 0, 0)).map(|time| time.min(now()));
        let item = Item { code: String::new(), name: row.item.clone() };
        let measurement = Measurement {
            msg_id: format!("{SHEET_MARK}{id}"),
            device: DeviceInfo { model: row.device_model.clone(), ..DeviceInfo::default() },
            sample: Sample {
                no: self.sample_no.clone(),
                name: self.product_name.clone(),
                batch_code: self.lot_no.clone(),
                ..Sample::default()
            },
            lod: row.lod.clone(),
            loq: row.loq.clone(),
            report_no: row.report_no.clone(),
            limit: DeviceLimit { basis: row.standard.clone(), ..DeviceLimit::default() },
            operator: Person { id: String::new(), name: row.tester.clone() },
            ..Measurement::told(row.method, item, row.value.clone(), tested_at)
        };
        Entry {
            measurement,
            lot: self.lot.clone(),
            sampling: self.sampling.clone(),
            laboratory: row.laboratory.clone(),
            objection: None,
        }
    }
}

/// SHA-256 (hex) of what a row says: whose result, item, method, result, day, report. The same number with
/// other zeros behind it, as spreadsheets leave them out, is the same result.
pub fn digest(row: &ResultRow, subject: &Subject) -> String {
    let number = row.value.decimal().map(|number| number.normalize().to_string());
    let (method, day) = (row.method.api_word(), row.tested_on.to_string());
    let parts: [&str; 8] = [
        subject.whose().0,
        &row.item,
        &method,
        row.value.op.as_str(),
        number.as_deref().unwrap_or(&row.value.num),
        &row.value.unit,
        &day,
        &row.report_no,
    ];
    sha256_hex(parts.join("\u{1f}").as_bytes())
}

#[cfg(test)]
mod tests {
    use tianyin_domain::measurement::{Method, Qualifier, Value, ValueKind};

    use super::*;

    fn row(num: &str, report_no: &str, tester: &str) -> ResultRow {
        ResultRow {
            line: 2,
            sample_no: String::new(),
            lot_no: "L20261120-0001".into(),
            item: "毒死蜱".into(),
            method: Method::Elisa,
            value: Value {
                num: num.into(),
                unit: "mg/kg".into(),
                kind: ValueKind::Concentration,
                op: Qualifier::Less,
            },
            lod: String::new(),
            loq: String::new(),
            standard: String::new(),
            tested_on: Date::constant(2026, 11, 21),
            tester: tester.into(),
            laboratory: String::new(),
            device_model: String::new(),
            report_no: report_no.into(),
        }
    }

    #[test]
    fn a_result_is_known_again_by_what_it_says() {
        let subject = |lot: &str| Subject {
            sampling: None,
            sample_no: String::new(),
            lot: Some(lot.into()),
            lot_no: "L20261120-0001".into(),
            product_name: "莲藕".into(),
            sampled_on: None,
        };
        let one = digest(&row("0.05", "118", "李检"), &subject("lot_a"));
        assert_eq!(one, digest(&row("0.050", "118", "王检"), &subject("lot_a")));
        for other in [
            digest(&row("0.06", "118", "李检"), &subject("lot_a")),
            digest(&row("0.05", "119", "李检"), &subject("lot_a")),
            digest(&row("0.05", "118", "李检"), &subject("lot_b")),
        ] {
            assert_ne!(one, other);
        }
        let entry = subject("lot_a").entry(&row("0.05", "118", "李检"), &one);
        assert_eq!(entry.measurement.msg_id.len(), SHEET_MARK.len() + ID_DIGITS);
        assert_eq!((entry.lot.as_deref(), entry.sampling), (Some("lot_a"), None));
    }
}
