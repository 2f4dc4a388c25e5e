//! Durable commands beside SQLite doing the same work in the same run.

use anyhow::{Context, Result};
use serde_json::Value;
use tianyin_tests::Appliance;
use tianyin_tests::appliance::Setting;
use tianyin_tests::child;

use super::{Line, Must, TOOL_TIMEOUT, example};

const ROUNDS: &str = "3";
const ROUND_S: &str = "4";

pub(super) fn measure() -> Result<Vec<Line>> {
    let made = Appliance::made(Setting::new()?)?;
    let demo = made.setting.data.display().to_string();
    let arguments = [demo.as_str(), ROUNDS, ROUND_S];
    let told = child::run(
        &example("kernel")?,
        |c| {
            c.args(arguments);
        },
        TOOL_TIMEOUT,
    )?;
    let told: Value = serde_json::from_str(&told).context(told)?;
    let line = |what, key: &str, unit, must| {
        let value = told[key].as_f64().with_context(|| format!("{key} in {told}"))?;
        anyhow::Ok(Line { what, value, unit, must })
    };
    let (same, single) = (Some(Must::AtLeast(1.0)), Some(Must::AtLeast(5.0)));
    Ok(vec![
        line("64 callers against SQLite, same grouping", "to_sqlite_grouped", "x", same)?,
        line("64 callers against SQLite, one commit each", "to_sqlite_single", "x", single)?,
        line("64 callers, durable commands a second", "ours_per_s", "/s", None)?,
        line("SQLite, same grouping", "sqlite_grouped_per_s", "/s", None)?,
        line("SQLite, one commit each", "sqlite_single_per_s", "/s", None)?,
        line(
            "one caller against bare write and fdatasync",
            "one_caller_to_bare",
            "x",
            Some(Must::Below(1.5)),
        )?,
        line("one caller, p50", "one_caller_us", "us", None)?,
    ])
}
