//! Residue limits from a sheet: one edition of a standard (GB 2763) becomes part of the county's own table
//! `data/limits.toml`. No official machine-readable table is known, so a county brings its own.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Context as _;
use tianyin_domain::product::ProductClass;
use tianyin_domain::{Date, Decimal};
use tianyin_sheets::{Row, Sheet};
use toml::Value;

use super::sheet::{Columns, Layout};
use crate::words::Word as _;

/// A sheet of limits.
pub const LAYOUT: Layout = Layout {
    columns: &["substance", "product", "class", "num", "unit"],
    required: &["substance", "num", "unit"],
    table: "limit_sheet",
};

/// Where the table is in a pack of rules.
pub const TABLE: &str = "data/limits.toml";
/// Classes that limits are told for.
const CLASSES: [ProductClass; 7] = [
    ProductClass::Vegetable,
    ProductClass::Fruit,
    ProductClass::FreshTea,
    ProductClass::Livestock,
    ProductClass::Egg,
    ProductClass::Aquatic,
    ProductClass::Other,
];

/// The edition that a sheet holds.
#[derive(Debug, Clone)]
pub struct Edition {
    /// Number, such as `GB 2763-2026`.
    pub id: String,
    /// First day.
    pub valid_from: Date,
    /// Last day, once another took its place.
    pub valid_to: Option<Date>,
}

/// One limit of the sheet.
struct Limit {
    substance: String,
    product: String,
    class: &'static str,
    num: Decimal,
    unit: String,
}

/// The table with the edition as the sheet has it; its former rows of that edition are gone, other
/// editions stay. Gives the text of the file and the number of limits taken in.
///
/// # Errors
/// Missing columns; the lines that cannot be read, each with the reason in words: half a standard would
/// let pass what it should stop, so nothing is taken then.
pub fn merged(table: &str, sheet: &Sheet, edition: &Edition) -> anyhow::Result<(String, usize)> {
    let columns = LAYOUT.find(sheet).map_err(|error| anyhow::anyhow!(error.detail()))?;
    let (mut limits, mut faults, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for row in &sheet.rows {
        match read(&columns, row) {
            Ok(limit) => {
                if seen.insert((limit.substance.clone(), limit.product.clone(), limit.class)) {
                    limits.push(limit);
                } else {
                    faults.push(format!("{}: {}", row.line, LAYOUT.fault("substance", "repeated")));
                }
            }
            Err(why) => faults.push(format!("{}: {}", row.line, why.join(" "))),
        }
    }
    anyhow::ensure!(faults.is_empty(), faults.join("\n"));
    Ok((write(table, &limits, edition)?, limits.len()))
}

fn read(columns: &Columns, row: &Row) -> Result<Limit, Vec<String>> {
    let mut why = LAYOUT.unreadable(columns, row);
    let text = |column: &str| columns.text(row, column).unwrap_or_default().trim().to_owned();
    let substance = text("substance");
    if substance.is_empty() {
        why.push(LAYOUT.fault("substance", "required"));
    }
    let class = match text("class").as_str() {
        "" => Some(""),
        // `蔬菜` is enough for `蔬菜(含食用菌)`.
        word => {
            let fits = |c: &&ProductClass| c.as_str() == word || c.word().starts_with(word);
            CLASSES.iter().find(fits).map(|c| c.as_str())
        }
    };
    if class.is_none() {
        why.push(LAYOUT.fault("class", "unknown_class"));
    }
    let num: Option<Decimal> = text("num").parse().ok().filter(|num| *num >= Decimal::ZERO);
    if num.is_none() {
        why.push(LAYOUT.fault("num", "not_a_number"));
    }
    let unit = text("unit");
    if unit.is_empty() {
        why.push(LAYOUT.fault("unit", "required"));
    }
    match (class, num) {
        (Some(class), Some(num)) if why.is_empty() => {
            Ok(Limit { substance, product: text("product"), class, num, unit })
        }
        _ => Err(why),
    }
}

/// The file anew: its head, the editions, the rows of the other editions, and those of the sheet.
fn write(table: &str, limits: &[Limit], edition: &Edition) -> anyhow::Result<String> {
    let old: toml::Table = table.parse().context(TABLE)?;
    let rows = |key: &str| -> Vec<toml::Table> {
        let all = old.get(key).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_table).cloned().collect()
    };
    let of =
        |row: &toml::Table, key: &str| row.get(key).and_then(Value::as_str) == Some(&edition.id);
    let mut out = String::new();
    let mut about = old.get("about").and_then(Value::as_table).cloned().unwrap_or_default();
    about.insert("as_of".into(), Value::String(edition.valid_from.to_string()));
    writeln!(out, "[about]\n{}", toml::to_string(&about)?)?;
    let mut editions: Vec<toml::Table> =
        rows("version").into_iter().filter(|row| !of(row, "id")).collect();
    let mut fresh = toml::Table::new();
    fresh.insert("id".into(), edition.id.clone().into());
    fresh.insert("valid_from".into(), edition.valid_from.to_string().into());
    let known = rows("version").into_iter().find(|row| of(row, "id"));
    let ended = known.and_then(|row| row.get("valid_to").cloned());
    // An edition that has ended stays ended, unless another day is told.
    let to = edition.valid_to.map(|to| Value::String(to.to_string())).or(ended);
    fresh.extend(to.map(|to| ("valid_to".to_owned(), to)));
    editions.push(fresh);
    for one in &editions {
        writeln!(out, "[[version]]\n{}", toml::to_string(one)?)?;
    }
    for one in rows("limit").iter().filter(|row| !of(row, "version")) {
        writeln!(out, "[[limit]]\n{}", toml::to_string(one)?)?;
    }
    let quoted = |text: &str| Value::String(text.to_owned()).to_string();
    for one in limits {
        writeln!(out, "[[limit]]\nversion = {}", quoted(&edition.id))?;
        writeln!(out, "substance = {}", quoted(&one.substance))?;
        if !one.product.is_empty() {
            writeln!(out, "product = {}", quoted(&one.product))?;
        }
        if !one.class.is_empty() {
            writeln!(out, "class = {}", quoted(one.class))?;
        }
        writeln!(out, "num = {}\nunit = {}\n", quoted(&one.num.to_string()), quoted(&one.unit))?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tianyin_rules::RuleSet;

    use super::*;
    use crate::app::sheet;

    fn edition(id: &str, from: &str, to: Option<&str>) -> Edition {
        let day = |text: &str| text.parse().unwrap();
        Edition { id: id.into(), valid_from: day(from), valid_to: to.map(day) }
    }

    /// Trap 11: a sample of 2026-02-28 is judged by the edition of 2021, one of the day after by that of
    /// 2026; importing one again leaves the other alone.
    #[test]
    fn an_edition_is_taken_in_and_taken_in_anew() {
        let sheet = |num: &str| {
            let text = format!(
                "农药,食品,类别,限量,单位\n毒死蜱,辣椒,,{num},mg/kg\n毒死蜱,,蔬菜,0.02,mg/kg\n"
            );
            sheet::read(text.as_bytes()).unwrap()
        };
        let shipped = RuleSet::shipped().unwrap();
        let old = edition("GB 2763-2021", "2021-09-03", Some("2026-02-28"));
        let (one, count) = merged(&shipped.files()[TABLE], &sheet("1"), &old).unwrap();
        assert_eq!(count, 2);
        let new = edition("GB 2763-2026", "2026-03-01", None);
        let (two, _) = merged(&one, &sheet("0.5"), &new).unwrap();
        let (three, _) = merged(&two, &sheet("0.3"), &new).unwrap();
        let mut files = shipped.files().clone();
        files.insert(TABLE.into(), three);
        let rules = RuleSet::from_files(files, Default::default()).unwrap();
        let limits = rules.residue_limits().unwrap();
        let limit = |product: &str, day: &str| {
            let found = limits.limit("毒死蜱", "vegetable", product, day.parse().unwrap());
            found.map(|limit| limit.num.to_string())
        };
        assert_eq!(limit("辣椒", "2026-02-28").as_deref(), Some("1"));
        assert_eq!(limit("辣椒", "2026-03-01").as_deref(), Some("0.3"));
        assert_eq!(limit("白菜", "2026-03-01").as_deref(), Some("0.02"));
    }

    #[test]
    fn a_sheet_with_one_bad_line_is_not_taken() {
        let shipped = RuleSet::shipped().unwrap();
        let text = "农药,食品,类别,限量,单位\n毒死蜱,辣椒,,约 1,mg/kg\n,辣椒,花,1,\n毒死蜱,茄子,,1,mg/kg\n毒死蜱,茄子,,2,mg/kg\n";
        let sheet = sheet::read(text.as_bytes()).unwrap();
        let told =
            merged(&shipped.files()[TABLE], &sheet, &edition("GB 2763-2026", "2026-03-01", None));
        let told = told.unwrap_err().to_string();
        for part in ["2: 限量", "3: 农药", "类别", "单位", "5: 农药"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
