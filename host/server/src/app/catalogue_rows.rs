//! Rows of a sheet of inputs put together to products: rows of one registration number are one product,
//! and say the same of it or leave it to the first of them.

use std::collections::HashMap;

use tianyin_domain::Date;
use tianyin_domain::input::{InputKind, RegisteredUse, registration_key};
use tianyin_sheets::{Row, Sheet};

use super::catalogue_import::{BadRow, LAYOUT};
use super::input_words::{kind_text, kind_word};
use super::sheet::Columns;
use crate::texts::{t, tf};

/// A product as the sheet has it.
pub struct Product {
    /// Registration number as it is compared; empty for none.
    pub number: String,
    /// Trade name.
    pub name: String,
    /// Kind.
    pub kind: InputKind,
    /// Active substances.
    pub substances: Vec<String>,
    /// First day it is good for.
    pub valid_from: Option<Date>,
    /// Where it was taken from.
    pub source: String,
    /// Day it was looked up there.
    pub source_on: Option<Date>,
    /// Its rows: line, and the use where the row tells one.
    rows: Vec<(usize, Option<RegisteredUse>)>,
}

impl Product {
    /// Its first line.
    pub fn line(&self) -> usize {
        self.rows.first().map_or(0, |row| row.0)
    }

    /// Its registered uses.
    pub fn uses(&self) -> impl Iterator<Item = &RegisteredUse> {
        self.rows.iter().filter_map(|row| row.1.as_ref())
    }

    /// All of its rows are bad for the same reasons.
    pub fn all_bad<'a>(&'a self, why: &'a [String]) -> impl Iterator<Item = BadRow> + 'a {
        let bad = |line: usize| BadRow { line, name: self.name.clone(), why: why.to_vec() };
        self.rows.iter().map(move |row| bad(row.0))
    }
}

/// A row that could be read.
struct Read {
    number: String,
    name: String,
    kind: Option<InputKind>,
    substances: Vec<String>,
    valid_from: Option<Date>,
    source: String,
    source_on: Option<Date>,
    one: Option<RegisteredUse>,
}

/// The products of a sheet, in its order, and the rows that cannot be taken in: a product with a bad row
/// is left out as a whole, or one of its intervals would be missing and nobody would know.
pub fn products(columns: &Columns, sheet: &Sheet) -> (Vec<Product>, Vec<BadRow>) {
    let mut all: Vec<(Product, bool)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut bad = Vec::new();
    for row in &sheet.rows {
        let (read, mut why) = read(columns, row);
        let key = match read.number.is_empty() {
            true => format!("{}\u{1f}{}", read.kind.map(kind_word).unwrap_or_default(), read.name),
            false => read.number.clone(),
        };
        let place = *places.entry(key).or_insert_with(|| {
            all.push((begun(&read, &mut why), true));
            all.len() - 1
        });
        let Some((product, good)) = all.get_mut(place) else { continue };
        why.extend(disagreements(product, &read));
        if !why.is_empty() {
            *good = false;
            bad.push(BadRow { line: row.line, name: product.name.clone(), why });
        }
        product.rows.push((row.line, read.one));
    }
    let mut good = Vec::new();
    for (product, is_good) in all {
        if is_good {
            good.push(product);
            continue;
        }
        let why = [t("input_sheet.others_bad").to_owned()];
        let others: Vec<BadRow> =
            product.all_bad(&why).filter(|row| !bad.iter().any(|b| b.line == row.line)).collect();
        bad.extend(others);
    }
    (good, bad)
}

/// A product from its first row.
fn begun(read: &Read, why: &mut Vec<String>) -> Product {
    if read.name.is_empty() {
        why.push(LAYOUT.fault("name", "required"));
    }
    if read.kind.is_none() && why.is_empty() {
        why.push(LAYOUT.fault("kind", "required"));
    }
    Product {
        number: read.number.clone(),
        name: read.name.clone(),
        kind: read.kind.unwrap_or(InputKind::Other),
        substances: read.substances.clone(),
        valid_from: read.valid_from,
        source: read.source.clone(),
        source_on: read.source_on,
        rows: Vec::new(),
    }
}

/// What a row says of its product that the first row says otherwise; a crop that was there before.
fn disagreements(product: &Product, read: &Read) -> Vec<String> {
    if product.rows.is_empty() {
        return Vec::new();
    }
    let mut columns = Vec::new();
    if !read.name.is_empty() && read.name != product.name {
        columns.push("name");
    }
    if read.kind.is_some_and(|kind| kind != product.kind) {
        columns.push("kind");
    }
    if !read.substances.is_empty() && read.substances != product.substances {
        columns.push("substances");
    }
    if read.valid_from.is_some() && read.valid_from != product.valid_from {
        columns.push("valid_from");
    }
    let line = product.line().to_string();
    let told = |column: &str| {
        let params = [("column", LAYOUT.heading(column)), ("line", line.as_str())];
        tf("input_sheet.differs", params)
    };
    let mut why: Vec<String> = columns.into_iter().map(told).collect();
    let same_crop = |one: &&(usize, Option<RegisteredUse>)| match (&one.1, &read.one) {
        (Some(before), Some(now)) => before.crop == now.crop,
        _ => false,
    };
    if let Some((line, _)) = product.rows.iter().find(same_crop) {
        why.push(tf("input_sheet.crop_twice", [("line", line.to_string().as_str())]));
    }
    why
}

fn read(columns: &Columns, row: &Row) -> (Read, Vec<String>) {
    let mut why = LAYOUT.unreadable(columns, row);
    let text = |column: &str| columns.text(row, column).unwrap_or_default().to_owned();
    let kind = kind_of(&text("kind"));
    if kind.is_none() && !text("kind").is_empty() {
        why.push(LAYOUT.fault("kind", "unknown_input_kind"));
    }
    let mut number = |column: &'static str| {
        let read = number_of(&text(column));
        if read.is_err() {
            why.push(LAYOUT.fault(column, "no_number"));
        }
        read.unwrap_or_default()
    };
    let max_uses = number("max_uses");
    let interval_days = number("interval_days");
    let interval_degree_days = number("interval_degree_days");
    let mut day = |column: &'static str| {
        let read = day_of(&text(column));
        if read.is_err() {
            why.push(LAYOUT.fault(column, "no_day"));
        }
        read.unwrap_or_default()
    };
    let (valid_from, source_on) = (day("valid_from"), day("source_on"));
    let crop = Some(text("crop")).filter(|crop| crop != t("use_words.every_crop"));
    let crop = crop.unwrap_or_default();
    let dose = text("dose");
    // A product without registered uses, such as a fertiliser, is a row that tells none.
    let tells = [&text("crop"), &dose, &text("interval_days"), &text("interval_degree_days")];
    let tells_a_use = tells.iter().any(|text| !text.is_empty());
    if tells_a_use && interval_days.is_none() && interval_degree_days.is_none() && why.is_empty() {
        why.push(LAYOUT.fault("interval_days", "required"));
    }
    let one = RegisteredUse { crop, interval_days, dose, interval_degree_days, max_uses };
    let read = Read {
        number: registration_key(&text("registration_no")),
        name: text("name"),
        kind,
        substances: substances_of(&text("substances")),
        valid_from,
        source: text("source"),
        source_on,
        one: tells_a_use.then_some(one),
    };
    (read, why)
}

/// Names parted as people part them: by commas of both widths, semicolons, plus signs.
pub fn substances_of(text: &str) -> Vec<String> {
    let parts = |c: char| matches!(c, ';' | '+' | '\u{3001}' | '\u{FF0C}' | '\u{FF1B}' | '\n');
    let trimmed = text.split(parts).flat_map(by_comma).map(|one| one.trim().to_owned());
    trimmed.filter(|one| !one.is_empty()).collect()
}

/// A comma between digits belongs to a name, such as 2,4-滴.
fn by_comma(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let is_digit =
        |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(char::is_ascii_digit);
    let mut parts = vec![String::new()];
    for (at, c) in chars.iter().enumerate() {
        let inside = is_digit(at.checked_sub(1)) && is_digit(Some(at + 1));
        match parts.last_mut() {
            Some(part) if *c != ',' || inside => part.push(*c),
            _ => parts.push(String::new()),
        }
    }
    parts
}

fn kind_of(text: &str) -> Option<InputKind> {
    InputKind::ALL.into_iter().find(|kind| kind_word(*kind) == text || kind_text(*kind) == text)
}

/// A whole number, with the unit that people write behind it; nothing for an empty cell.
fn number_of(text: &str) -> Result<Option<u32>, ()> {
    match text {
        "" | "-" | "/" | "\u{2014}" => Ok(None),
        text => {
            let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
            digits.parse().map(Some).map_err(|_| ())
        }
    }
}

/// A day as people write it: 2026-06-01, 2026/6/1, 2026.6.1, 2026年6月1日.
pub(super) fn day_of(text: &str) -> Result<Option<Date>, ()> {
    if text.is_empty() {
        return Ok(None);
    }
    let parts: Vec<&str> =
        text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    let [year, month, day] = parts[..] else { return Err(()) };
    let number = |text: &str| text.parse::<i16>().map_err(|_| ());
    let small = |text: &str| text.parse::<i8>().map_err(|_| ());
    Date::new(number(year)?, small(month)?, small(day)?).map(Some).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_people_write_them() {
        let day = Date::new(2026, 6, 1).ok();
        for text in ["2026-06-01", "2026/6/1", "2026.6.1", "2026年6月1日"] {
            assert_eq!(day_of(text), Ok(day), "{text}");
        }
        assert_eq!(day_of(""), Ok(None));
        for text in ["6月1日", "2026-13-01", "明天", "20260601"] {
            assert_eq!(day_of(text), Err(()), "{text}");
        }
        for (text, number) in [
            ("7", Ok(Some(7))),
            ("7天", Ok(Some(7))),
            ("", Ok(None)),
            ("-", Ok(None)),
            ("7-10", Err(())),
            ("不详", Err(())),
        ] {
            assert_eq!(number_of(text), number, "{text}");
        }
        assert_eq!(
            substances_of("吡蚜酮、噻虫嗪,甲+乙;2,4-滴"),
            ["吡蚜酮", "噻虫嗪", "甲", "乙", "2,4-滴"]
        );
        assert_eq!(substances_of(" "), Vec::<String>::new());
    }
}
