//! One row of a laboratory's sheet, read: a result of one item of one sample. Nothing is looked up here.

use std::collections::HashMap;

use tianyin_domain::Date;
use tianyin_domain::measurement::{Method, Value};
use tianyin_sheets::Row;

use super::catalogue_rows::day_of;
use super::result_import::LAYOUT;
use super::result_value::{decimal_of, plain, squeezed, value_of};
use super::sheet::Columns;
use crate::texts::{t_static, tf};
use crate::words::Word as _;

/// Characters of names and numbers; see also `domain::test_take`.
const TEXT_MAX: usize = 64;
/// Characters of a lot's number, or of what stands on its label.
const LOT_MAX: usize = 256;
/// Characters of a person's name.
const PERSON_MAX: usize = 32;
/// Characters of a unit.
const UNIT_MAX: usize = 16;

/// A row that could be read.
#[derive(Debug)]
pub struct ResultRow {
    /// Line in the sheet.
    pub line: usize,
    /// Number of the sample; empty when only the lot is told.
    pub sample_no: String,
    /// Number of the lot, or what stands on its label; empty when only the sample is told.
    pub lot_no: String,
    /// Item that was looked for.
    pub item: String,
    /// Method.
    pub method: Method,
    /// Result.
    pub value: Value,
    /// Limit of detection, in the unit of the value; empty when not told.
    pub lod: String,
    /// Limit of quantification, in the unit of the value; empty when not told.
    pub loq: String,
    /// Standard of the method.
    pub standard: String,
    /// Day of the test.
    pub tested_on: Date,
    /// Who tested.
    pub tester: String,
    /// Testing party; empty for that of the sample.
    pub laboratory: String,
    /// Model of the device.
    pub device_model: String,
    /// Number of the report.
    pub report_no: String,
}

/// Reads the rows of one sheet.
pub struct Reader<'a> {
    columns: &'a Columns,
    /// Methods by every word that they go by.
    methods: HashMap<String, Method>,
    today: Date,
}

impl<'a> Reader<'a> {
    /// For a sheet with these columns; no test is later than `today`.
    pub fn new(columns: &'a Columns, today: Date) -> Self {
        let mut methods = HashMap::new();
        for method in Method::ALL {
            let also = t_static(&format!("result_method.{}", method.api_word()));
            let also = also.unwrap_or_default().split(' ').map(str::to_owned);
            for word in [method.api_word(), method.word()].into_iter().chain(also) {
                methods.insert(method_key(&word), method);
            }
        }
        methods.remove("");
        Self { columns, methods, today }
    }

    /// Reads a row.
    ///
    /// # Errors
    /// Everything that is wrong with its cells, in words.
    pub fn read(&self, row: &Row) -> Result<ResultRow, Vec<String>> {
        let why = LAYOUT.unreadable(self.columns, row);
        let mut cells = Cells { columns: self.columns, row, why };
        let sample_no = plain(&cells.text("sample_no", TEXT_MAX)).to_ascii_uppercase();
        let lot_no = plain(&cells.text("lot_no", LOT_MAX));
        if sample_no.is_empty() && lot_no.is_empty() {
            cells.bad("sample_no", "sample_or_lot");
        }
        let item = cells.text("item", TEXT_MAX);
        if item.is_empty() {
            cells.bad("item", "required");
        }
        let method = self.method(&mut cells);
        let value = cells.value();
        let (lod, loq) = (cells.limit("lod"), cells.limit("loq"));
        let without_unit = value.as_ref().is_some_and(|value| value.unit.is_empty());
        if without_unit && !(lod.is_empty() && loq.is_empty()) {
            cells.bad("unit", "unit_required");
        }
        let tested_on = self.day(&mut cells);
        let standard = cells.text("standard", TEXT_MAX);
        let tester = cells.text("tester", PERSON_MAX);
        let laboratory = cells.text("laboratory", TEXT_MAX);
        let device_model = cells.text("device_model", TEXT_MAX);
        let report_no = cells.text("report_no", TEXT_MAX);
        let (Some(method), Some(value), Some(tested_on), true) =
            (method, value, tested_on, cells.why.is_empty())
        else {
            return Err(cells.why);
        };
        Ok(ResultRow {
            line: row.line,
            sample_no,
            lot_no,
            item,
            method,
            value,
            lod,
            loq,
            standard,
            tested_on,
            tester,
            laboratory,
            device_model,
            report_no,
        })
    }

    fn method(&self, cells: &mut Cells<'_>) -> Option<Method> {
        let text = cells.raw("method");
        if text.is_empty() {
            cells.bad("method", "required");
            return None;
        }
        let found = self.methods.get(&method_key(text)).copied();
        if found.is_none() {
            let words = Method::ALL.map(|one| one.word()).join("\u{3001}");
            let text = tf("sheet_fault.one_of", [("words", words.as_str())]);
            cells.why.push(format!("{} {text}", LAYOUT.heading("method")));
        }
        found
    }

    fn day(&self, cells: &mut Cells<'_>) -> Option<Date> {
        let text = plain(cells.raw("tested_on"));
        // Some programs write the time of day behind the day.
        let text = match text.contains(':') {
            true => text.split([' ', 'T']).next().unwrap_or_default(),
            false => text.as_str(),
        };
        match day_of(text) {
            Ok(None) => cells.bad("tested_on", "required"),
            Ok(Some(day)) if day > self.today => cells.bad("tested_on", "in_future"),
            Ok(Some(day)) if day.year() >= 2000 => return Some(day),
            _ => cells.bad("tested_on", "no_day"),
        }
        None
    }
}

/// How a word for a method is compared: by its letters, whatever their width and case.
fn method_key(word: &str) -> String {
    squeezed(&plain(word)).to_ascii_lowercase()
}

/// The cells of one row, and what is wrong with them so far.
struct Cells<'a> {
    columns: &'a Columns,
    row: &'a Row,
    why: Vec<String>,
}

impl<'a> Cells<'a> {
    fn raw(&self, column: &str) -> &'a str {
        self.columns.text(self.row, column).unwrap_or_default()
    }

    /// Notes a fault, unless the cell cannot be read at all: that was noted before.
    fn bad(&mut self, column: &str, code: &str) {
        let cell = self.columns.cell(self.row, column);
        if cell.is_none_or(|cell| cell.text().is_some()) {
            self.why.push(LAYOUT.fault(column, code));
        }
    }

    fn too_long(&mut self, column: &str, max: usize) {
        let text = tf("field.too_long", [("max", max.to_string().as_str())]);
        self.why.push(format!("{} {text}", LAYOUT.heading(column)));
    }

    fn text(&mut self, column: &str, max: usize) -> String {
        let text = self.raw(column).trim();
        if text.chars().count() > max {
            self.too_long(column, max);
        }
        text.to_owned()
    }

    fn value(&mut self) -> Option<Value> {
        match value_of(self.raw("value"), self.raw("qualifier"), self.raw("unit")) {
            Ok(value) if value.unit.chars().count() > UNIT_MAX => {
                self.too_long("unit", UNIT_MAX);
                None
            }
            Ok(value) => Some(value),
            Err((column, code)) => {
                self.bad(column, code);
                None
            }
        }
    }

    /// A limit of the run; people draw a line where there is none.
    fn limit(&mut self, column: &'static str) -> String {
        let text = plain(self.raw(column));
        if matches!(text.as_str(), "" | "-" | "/" | "\u{2014}" | "\u{2014}\u{2014}") {
            return String::new();
        }
        let limit = decimal_of(&text).filter(|number| !number.starts_with('-'));
        if limit.is_none() {
            self.bad(column, "no_decimal");
        }
        limit.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use tianyin_domain::measurement::{Qualifier, ValueKind};

    use super::*;

    const HEADER: &str = "样品编号,批次号,检测项目,检测方法,符号,检测值,单位,检出限,定量限,检测标准,检测日期,检测人,检测机构,仪器型号,报告编号";

    /// The rows of a sheet: each read, or its faults.
    fn rows(lines: &str) -> Vec<Result<ResultRow, Vec<String>>> {
        let Ok(sheet) = tianyin_sheets::read(format!("{HEADER}\n{lines}").as_bytes()) else {
            return Vec::new();
        };
        let Ok(columns) = LAYOUT.find(&sheet) else { return Vec::new() };
        assert_eq!(columns.ignored, Vec::<String>::new());
        let Ok(today) = Date::new(2026, 11, 23) else { return Vec::new() };
        let reader = Reader::new(&columns, today);
        sheet.rows.iter().map(|row| reader.read(row)).collect()
    }

    fn faults(line: &str) -> String {
        let read: Vec<Vec<String>> = rows(line).into_iter().filter_map(Result::err).collect();
        read.concat().join("|")
    }

    #[test]
    fn a_row_is_read_as_a_laboratory_writes_it() {
        let line = "s20261120-0001,,毒死蜱,气相色谱法,,＜0.01,mg/kg,0.003,0.01,GB 23200.113,\
                    2026/11/21,李检,县检测中心,GC-2030,2026-118";
        let read: Vec<ResultRow> = rows(line).into_iter().flatten().collect();
        assert_eq!(read.len(), 1, "{}", faults(line));
        for row in read {
            assert_eq!((row.line, row.sample_no.as_str()), (2, "S20261120-0001"));
            assert_eq!(row.method, Method::Chromatography);
            let value = (row.value.num.as_str(), row.value.op, row.value.kind);
            assert_eq!(value, ("0.01", Qualifier::Less, ValueKind::Concentration));
            assert_eq!((row.lod.as_str(), row.loq.as_str()), ("0.003", "0.01"));
            assert_eq!(Ok(row.tested_on), Date::new(2026, 11, 21).map_err(drop));
            assert_eq!(row.report_no, "2026-118");
        }
    }

    #[test]
    fn methods_go_by_many_words() {
        for (word, method) in [
            ("酶抑制率法", Method::EnzymeInhibition),
            ("enzyme_inhibition", Method::EnzymeInhibition),
            ("胶体金", Method::ColloidalGold),
            ("胶体金法", Method::ColloidalGold),
            ("ＥＬＩＳＡ", Method::Elisa),
            ("酶联免疫法", Method::Elisa),
            ("色谱/质谱", Method::Chromatography),
            ("LC-MS/MS", Method::Chromatography),
            ("其他方法", Method::Other),
        ] {
            let line = format!(",L1,毒死蜱,{word},,阴性,,,,,2026-11-21,,,,");
            let read: Vec<Method> = rows(&line).into_iter().flatten().map(|r| r.method).collect();
            assert_eq!(read, [method], "{word}: {}", faults(&line));
        }
        assert!(faults(",L1,毒死蜱,目测,,阴性,,,,,2026-11-21,,,,").contains("酶抑制率法"));
    }

    #[test]
    fn every_fault_of_a_row_is_told_at_once() {
        let told = faults(",,,,,,,,,,,,,,无");
        for heading in ["样品编号", "检测项目", "检测方法", "检测值", "检测日期"]
        {
            assert!(told.contains(heading), "{heading}: {told}");
        }
        for (line, heading) in [
            (",L1,毒死蜱,elisa,,0.1,,,,,2026-11-21,,,,", "单位"),
            (",L1,毒死蜱,elisa,,未检出,,0.01,,,2026-11-21,,,,", "单位"),
            (",L1,毒死蜱,elisa,,0.1,mg/kg,<0.01,,,2026-11-21,,,,", "检出限"),
            (",L1,毒死蜱,elisa,,0.1,mg/kg,,-1,,2026-11-21,,,,", "定量限"),
            (",L1,毒死蜱,elisa,,0.1,mg/kg,,,,2026-11-24,,,,", "检测日期"),
            (",L1,毒死蜱,elisa,,0.1,mg/kg,,,,11月21日,,,,", "检测日期"),
            (",L1,毒死蜱,elisa,,0.1,mg/kg,,,,1926-11-21,,,,", "检测日期"),
            (",L1,毒死蜱,elisa,,0.1,milligrams-per-kilogram,,,,2026-11-21,,,,", "单位"),
        ] {
            let told = faults(line);
            assert!(told.starts_with(heading) && !told.contains('|'), "{line}: {told}");
        }
        let dashes = ",L1,毒死蜱,elisa,,未检出,,-,/,,2026-11-21 09:30:00,,,,";
        assert_eq!(faults(dashes), "");
    }

    #[test]
    fn every_column_has_a_heading() {
        assert_eq!(LAYOUT.headings().join(","), HEADER);
    }
}
