//! The chain of lots: a recall over a million edges, and the page of a lot with 200 records.

use anyhow::{Context, Result};
use serde_json::Value;
use tianyin_tests::child;

use super::{Line, Must, TOOL_TIMEOUT, example};

pub(super) fn measure() -> Result<Vec<Line>> {
    let told = child::run(&example("chain")?, |_| {}, TOOL_TIMEOUT)?;
    let told: Value = serde_json::from_str(&told).context(told)?;
    let line = |what, key: &str, must| {
        let value = told[key].as_f64().with_context(|| format!("{key} in {told}"))?;
        anyhow::Ok(Line { what, value, unit: "ms", must })
    };
    let must = Some(Must::Below(500.0));
    Ok(vec![
        line("recall of 20,000 lots among 1,000,000 edges", "recall_ms", must)?,
        line("the same, slowest of nine", "recall_worst_ms", must)?,
        line("the same walk through the store", "walked_ms", None)?,
        line("3,000 ancestors of a lot", "back_ms", None)?,
    ])
}
