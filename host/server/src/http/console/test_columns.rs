//! The picture of the tests of days or months: pass rates above, numbers below.

use askama::Template;

use super::bars::rate_text;
use super::filters;
use super::test_stats::period_name;
use crate::app::test_stats::{Period, Tally, TestStats};
use crate::texts::tf;

/// The columns: room on the left for the axis, width of the rest, the widest column with its gap.
const LEFT: u64 = 46;
const PLOT: u64 = 690;
const SLOT_MAX: u64 = 60;
/// Foot and height of the columns of pass rates, and of those of numbers.
const RATES: (u64, u64) = (76, 60);
const NUMBERS: (u64, u64) = (206, 100);
/// Room that a label below a column takes.
const LABEL: u64 = 38;

/// The picture.
#[derive(Template)]
#[template(path = "tests/_columns.html")]
pub(super) struct Columns {
    width: u64,
    /// The largest number.
    most: u64,
    drawn: Vec<Column>,
}

impl askama::filters::HtmlSafe for Columns {}

/// A day or month.
struct Column {
    x: u64,
    middle: u64,
    width: u64,
    /// Below it; empty where there is no room.
    label: String,
    /// All of it in words.
    title: String,
    rate: Option<Part>,
    pass: Part,
    fail: Part,
    invalid: Part,
}

/// A piece of a column.
struct Part {
    y: u64,
    height: u64,
}

impl Columns {
    /// The picture of some figures.
    pub fn of(stats: &TestStats) -> Self {
        let count = u64::try_from(stats.periods.len()).unwrap_or(1).max(1);
        let most = stats.periods.iter().map(|one| one.tally.total).max().unwrap_or(0).max(1);
        let slot = (PLOT / count).clamp(1, SLOT_MAX);
        // Labels do not run into each other.
        let every = LABEL.div_ceil(slot);
        let mut drawn = Vec::new();
        for (nth, period) in (0_u64..).zip(&stats.periods) {
            let label = match nth % every {
                0 if stats.daily => period.first.strftime("%m-%d").to_string(),
                0 => period.first.strftime("%y-%m").to_string(),
                _ => String::new(),
            };
            let width = (slot * 7 / 10).max(2);
            let x = LEFT + nth * slot + (slot - width.min(slot)) / 2;
            drawn.push(Column::of(stats, period, (x, width), label, most));
        }
        Self { width: LEFT + count * slot + 8, most, drawn }
    }
}

impl Column {
    fn of(
        stats: &TestStats,
        period: &Period,
        (x, width): (u64, u64),
        label: String,
        most: u64,
    ) -> Self {
        let tally = &period.tally;
        let tall = |count: u64| if count == 0 { 0 } else { (count * NUMBERS.1 / most).max(1) };
        let (pass, fail, invalid) = (tall(tally.pass), tall(tally.fail), tall(tally.invalid));
        // One stands on the other.
        let part = |below: u64, height: u64| Part { y: NUMBERS.0 - below - height, height };
        let rate = tally.rate().map(|rate| {
            let height = rate * RATES.1 / 1000;
            Part { y: RATES.0 - height, height }
        });
        Self {
            middle: x + width / 2,
            x,
            width,
            label,
            title: format!("{} {}", period_name(stats, period), sentence(tally)),
            rate,
            pass: part(0, pass),
            fail: part(pass, fail),
            invalid: part(pass + fail, invalid),
        }
    }
}

/// A tally in words.
fn sentence(tally: &Tally) -> String {
    let (total, pass) = (tally.total.to_string(), tally.pass.to_string());
    let (fail, rate) = (tally.fail.to_string(), rate_text(tally));
    let values = [
        ("total", total.as_str()),
        ("pass", pass.as_str()),
        ("fail", fail.as_str()),
        ("rate", rate.as_str()),
    ];
    tf("test_stats.sentence", values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parts_stand_on_each_other() {
        let tally = Tally { total: 10, pass: 7, fail: 1, invalid: 2 };
        let period = |text: &str, tally| Period { first: text.parse().unwrap(), tally };
        let periods = vec![period("2026-10-01", tally), period("2026-11-01", Tally::default())];
        let picture = Columns::of(&TestStats { periods, ..TestStats::default() });
        let full = &picture.drawn[0];
        let at = |part: &Part| (part.y, part.height);
        assert_eq!((at(&full.pass), at(&full.fail)), ((136, 70), (126, 10)));
        assert_eq!(at(&full.invalid), (106, 20));
        assert_eq!(full.rate.as_ref().map(at), Some((24, 52)));
        let empty = &picture.drawn[1];
        assert!(empty.rate.is_none() && empty.pass.height == 0);
        assert_eq!((full.label.as_str(), picture.most), ("26-10", 10));
    }
}
