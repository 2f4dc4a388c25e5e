//! Tables of figures with a bar in each row: what is good, what is bad and what is neither, as parts that follow
//! each other, all bars of a table to one scale.

use crate::app::grouping::{Group, Row};
use crate::texts::{t, tf};

/// Width of the longest bar.
const BAR: u64 = 200;
/// Width of what is there at all: it is to be seen.
const PART_MIN: u64 = 2;

/// Figures that a row tells.
pub(super) trait Figures: Copy {
    /// All of them.
    fn whole(&self) -> u64;
    /// What is good, what is bad, what is neither.
    fn parts(&self) -> [u64; 3];
    /// Tenths of a percent that are good; `None` where there is nothing to tell by.
    fn good_tenths(&self) -> Option<u64>;
}

/// A table of a page and of its sheet.
pub(super) struct Table<T> {
    /// Key of the heading.
    pub title: &'static str,
    pub rows: Vec<Told<T>>,
}

/// One of its rows.
pub(super) struct Told<T> {
    pub name: String,
    /// The page behind it, where there is one.
    pub href: String,
    pub tally: T,
    /// It sums up what is not listed.
    pub is_rest: bool,
}

/// A table with its bars.
pub(super) struct Section<T> {
    pub title: String,
    pub rows: Vec<Bar<T>>,
}

/// A row with its bar.
pub(super) struct Bar<T> {
    pub told: Told<T>,
    pub rate: String,
    /// Widths of the parts.
    pub good: u64,
    pub bad: u64,
    pub neither: u64,
}

impl<T: Figures> Section<T> {
    /// Draws the bars of a table.
    pub fn of(table: Table<T>) -> Self {
        let listed = table.rows.iter().filter(|row| !row.is_rest);
        let most = listed.map(|row| row.tally.whole()).max().unwrap_or(0).max(1);
        let bar = |told: Told<T>| {
            let width = |count: u64| match count {
                0 => 0,
                // A sum of many has no bar beside single ones.
                _ if told.is_rest => 0,
                count => (count * BAR / most).max(PART_MIN),
            };
            let [good, bad, neither] = told.tally.parts().map(width);
            Bar { rate: rate_text(&told.tally), good, bad, neither, told }
        };
        Self { title: t(table.title).to_owned(), rows: table.rows.into_iter().map(bar).collect() }
    }
}

/// Rows of a group: `told` gives a name for people and the page behind it, `others` is the key of the words for
/// those that are not listed, with their number as `n`.
pub(super) fn rows_of<T: Copy>(
    group: &Group<T>,
    told: impl Fn(&Row<T>) -> (String, String),
    others: &str,
) -> Vec<Told<T>> {
    let listed = group.rows.iter().map(|row| {
        let (name, href) = told(row);
        Told { name, href, tally: row.tally, is_rest: false }
    });
    let rest = group.others.map(|rest| Told {
        name: tf(others, [("n", rest.names.to_string().as_str())]),
        href: String::new(),
        tally: rest.tally,
        is_rest: true,
    });
    listed.chain(rest).collect()
}

/// `97.5%`.
pub(super) fn rate_text(figures: &impl Figures) -> String {
    match figures.good_tenths() {
        Some(rate) => format!("{}.{}%", rate / 10, rate % 10),
        None => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    struct Three(u64, u64, u64);

    impl Figures for Three {
        fn whole(&self) -> u64 {
            self.0 + self.1 + self.2
        }

        fn parts(&self) -> [u64; 3] {
            [self.0, self.1, self.2]
        }

        fn good_tenths(&self) -> Option<u64> {
            (self.0 * 1000).checked_div(self.0 + self.1)
        }
    }

    #[test]
    fn bars_are_as_long_as_their_numbers() {
        let row =
            |tally, is_rest| Told { name: String::new(), href: String::new(), tally, is_rest };
        let rows = vec![
            row(Three(300, 99, 1), false),
            row(Three(0, 100, 0), false),
            row(Three(0, 0, 0), false),
            row(Three(900, 0, 0), true),
        ];
        let section = Section::of(Table { title: "test_stats.by_item", rows });
        let widths: Vec<_> =
            section.rows.iter().map(|bar| [bar.good, bar.bad, bar.neither]).collect();
        assert_eq!(widths, [[150, 49, 2], [0, 50, 0], [0, 0, 0], [0, 0, 0]]);
        let rates: Vec<_> = section.rows.iter().map(|bar| bar.rate.as_str()).collect();
        assert_eq!(rates, ["75.1%", "0.0%", "–", "100.0%"]);
    }
}
