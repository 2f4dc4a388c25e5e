//! A laboratory's sheet: how long 10,000 results take from the file to the journal, checked, judged and on disk.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tianyin_tests::Appliance;
use tianyin_tests::appliance::Setting;

use super::{Line, Must};

/// Results of one sheet.
const ROWS: usize = 10_000;

pub(super) fn measure() -> Result<Vec<Line>> {
    let appliance = Appliance::start_with(Setting::new()?)?;
    let api = appliance.api("admin")?;
    let lots = api.list("/lots")?;
    let told = |lot: &Value| {
        Some((lot["no"].as_str()?.to_owned(), lot["harvested_on"].as_str()?.to_owned()))
    };
    let lots: Vec<(String, String)> = lots.iter().filter_map(told).collect();
    ensure!(!lots.is_empty(), "the demo county has no lot");
    let sheet = rows(&lots);
    let csv = [("Content-Type", "text/csv")];
    let started = Instant::now();
    let plan: Value =
        api.send("POST", "/tests/import", &csv, sheet.as_bytes())?.expect(200)?.json()?;
    let checked_s = started.elapsed().as_secs_f64();
    ensure!(plan["new"] == ROWS, "{plan}");
    let id = plan["id"].as_str().context("no plan")?;
    let done: Value = api.done(&format!("/tests/import/{id}/accept"), &json!({}))?;
    ensure!(done["added"] == ROWS, "{done}");
    let total_s = started.elapsed().as_secs_f64();
    let again = Instant::now();
    let plan: Value =
        api.send("POST", "/tests/import", &csv, sheet.as_bytes())?.expect(200)?.json()?;
    ensure!(plan["known"] == ROWS, "{plan}");
    let known_s = again.elapsed().as_secs_f64();
    let must = Some(Must::Below(30.0));
    Ok(vec![
        Line { what: "import of 10,000 results", value: total_s, unit: "s", must },
        Line { what: "of it, the check", value: checked_s, unit: "s", must: None },
        Line { what: "check of the same sheet again", value: known_s, unit: "s", must: None },
    ])
}

/// A row for each lot in turn, tested on the day of its harvest.
fn rows(lots: &[(String, String)]) -> String {
    let mut sheet = String::from("批次号,检测项目,检测方法,检测值,单位,检测日期,报告编号\n");
    for (n, (lot, day)) in lots.iter().cycle().take(ROWS).enumerate() {
        let value = format!("{}.{}", n % 40, n % 10);
        let _ = writeln!(sheet, "{lot},有机磷和氨基甲酸酯类,酶抑制率法,{value},%,{day},R{n}");
    }
    sheet
}
