//! Sizes on disk.

use anyhow::Result;
use tianyin_tests::place;

use super::Line;

/// The binary as it was built for this run and, when there is one, as packages hold it.
pub(super) fn sizes() -> Result<Vec<Line>> {
    let own = place::binary()?;
    let release = place::root().join("target/release/tianyin");
    let mut lines = Vec::new();
    for (what, path) in [("binary, with line tables", own), ("binary, release build", release)] {
        if let Ok(file) = std::fs::metadata(&path) {
            lines.push(Line { what, value: file.len() as f64 / 1e6, unit: "MB", must: None });
        }
    }
    Ok(lines)
}
