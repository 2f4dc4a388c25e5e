//! Figures of the tests of a period: how many passed, by product, township, item, time, method and
//! testing party.

use std::ops::AddAssign;

use tianyin_domain::cell::TOWNSHIP_DIGITS;
use tianyin_domain::positive::Outcome;
use tianyin_domain::state::Index;
use tianyin_domain::test::{self, Test, TestVerdict};
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, Scope};
use tianyin_store::Store;

use super::grouping::{self, Names};
use super::{AppError, since};
use crate::regions;
use crate::words::Word as _;

/// Tests looked at for one answer; beyond that the figures say that they are not of all.
pub const TESTS_MAX: usize = 500_000;
/// Days up to which a period is told day by day.
const DAILY_MAX: i32 = 31;

/// The day of a test: when it was measured, as far as known. Nothing is measured after it was received,
/// whatever the clock of a device says.
pub fn day_of(test: &Test) -> Date {
    china_date(test.tested_at().min(test.received_at))
}

/// Gives the tests of a part of an index in sight to `what`, the newest first, back to those recorded
/// before `from`; at most `most`. Whether there were more.
///
/// # Errors
/// When the store cannot be read, and those of `what`.
pub fn each_since<E: From<AppError>>(
    store: &Store,
    scope: &Scope,
    (index, part): (Index, &str),
    from: Date,
    most: usize,
    what: impl FnMut(Test) -> Result<(), E>,
) -> Result<bool, E> {
    // Ids rise with the time of recording, which is never before that of measuring.
    let first = since::first_id("tst", from);
    since::each_since(store, scope, (index, part), most, |test: &Test| test.id < first, what)
}

/// Tests by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub total: u64,
    /// Passed.
    pub pass: u64,
    /// Did not pass.
    pub fail: u64,
    /// Could not be judged.
    pub invalid: u64,
}

impl Tally {
    /// Counts one more.
    pub fn count(&mut self, verdict: TestVerdict) {
        self.total += 1;
        match verdict {
            TestVerdict::Pass => self.pass += 1,
            TestVerdict::Fail => self.fail += 1,
            TestVerdict::Invalid => self.invalid += 1,
        }
    }

    /// Tenths of a percent of those decided that passed, rounded down: one failure is never lost in
    /// 100 %. `None` when nothing was decided.
    pub fn rate(&self) -> Option<u64> {
        (self.pass * 1000).checked_div(self.pass + self.fail)
    }

    fn of(verdict: TestVerdict) -> Self {
        let mut one = Self::default();
        one.count(verdict);
        one
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.pass += other.pass;
        self.fail += other.fail;
        self.invalid += other.invalid;
    }
}

/// Tests by name, the most first.
pub type Group = grouping::Group<Tally>;

/// A day or month with its tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Its first day.
    pub first: Date,
    /// Its tests.
    pub tally: Tally,
}

/// The figures of a period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestStats {
    /// All together.
    pub all: Tally,
    /// Told by day, else by month.
    pub daily: bool,
    /// Days or months in their order, also those without tests.
    pub periods: Vec<Period>,
    /// By product; empty for tests without a lot.
    pub products: Group,
    /// By township.
    pub townships: Group,
    /// By what was looked for.
    pub items: Group,
    /// By method.
    pub methods: Group,
    /// By who tested: laboratory, else device.
    pub parties: Group,
    /// There are more tests than were counted.
    pub cut: bool,
}

impl TestStats {
    /// Counts the tests in sight that were measured from one day to another, both included. Blanks, what
    /// was struck out and what proves nothing yet do not count. Blocks for as long as reading takes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of(store: &Store, scope: &Scope, from: Date, to: Date) -> Result<Self, AppError> {
        let mut counting = Counting::of(from, to);
        let part = (test::BY_VERDICT, "");
        let cut = each_since(store, scope, part, from, TESTS_MAX, |test| {
            counting.take(&test);
            Ok::<(), AppError>(())
        })?;
        Ok(Self { cut, ..counting.done() })
    }
}

/// The figures while they are made.
struct Counting {
    from: Date,
    to: Date,
    stats: TestStats,
    products: Names<Tally>,
    townships: Names<Tally>,
    items: Names<Tally>,
    methods: Names<Tally>,
    parties: Names<Tally>,
}

impl Counting {
    fn of(from: Date, to: Date) -> Self {
        let daily = is_daily(from, to);
        let periods = periods(from, to, daily);
        Self {
            from,
            to,
            stats: TestStats { daily, periods, ..TestStats::default() },
            products: Names::default(),
            townships: Names::default(),
            items: Names::default(),
            methods: Names::default(),
            parties: Names::default(),
        }
    }

    fn take(&mut self, test: &Test) {
        let day = day_of(test);
        let within = day >= self.from && day <= self.to;
        if !within || test.measurement.blank || !test.counts() || is_overturned(test) {
            return;
        }
        let verdict = test.verdict;
        self.stats.all.count(verdict);
        let first = if self.stats.daily { day } else { day.first_of_month() };
        if let Some(period) = self.stats.periods.iter_mut().find(|one| one.first == first) {
            period.tally.count(verdict);
        }
        let method = test.measurement.method.word();
        let item = test.measurement.item.name.trim();
        let party = if test.laboratory.is_empty() { &test.device_name } else { &test.laboratory };
        let one = Tally::of(verdict);
        self.products.add(&test.product_name, one);
        self.townships.add(test.area.get(..TOWNSHIP_DIGITS).unwrap_or(&test.area), one);
        self.items.add(if item.is_empty() { method.as_str() } else { item }, one);
        self.methods.add(&method, one);
        self.parties.add(party, one);
    }

    fn done(self) -> TestStats {
        let most = |tally: &Tally| tally.total;
        let mut townships = self.townships.sorted(most);
        for row in &mut townships.rows {
            if let Some(name) = regions::name(&row.name) {
                row.name = name.to_owned();
            }
        }
        TestStats {
            products: self.products.sorted(most),
            townships,
            items: self.items.sorted(most),
            methods: self.methods.sorted(most),
            parties: self.parties.sorted(most),
            ..self.stats
        }
    }
}

fn is_daily(from: Date, to: Date) -> bool {
    from.checked_add(jiff::Span::new().days(DAILY_MAX)).map_or(true, |end| to < end)
}

/// Every day or month from one day to another.
fn periods(from: Date, to: Date, daily: bool) -> Vec<Period> {
    let (mut first, step) = match daily {
        true => (from, jiff::Span::new().days(1)),
        false => (from.first_of_month(), jiff::Span::new().months(1)),
    };
    let mut periods = Vec::new();
    while first <= to {
        periods.push(Period { first, tally: Tally::default() });
        let Ok(next) = first.checked_add(step) else { break };
        first = next;
    }
    periods
}

/// Whether another result took a positive one's place: that one is counted.
fn is_overturned(test: &Test) -> bool {
    test.settled.as_ref().is_some_and(|one| one.outcome == Outcome::Released)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn the_rate_is_of_what_was_decided() {
        let rate = |pass, fail, invalid| {
            Tally { total: pass + fail + invalid, pass, fail, invalid }.rate()
        };
        assert_eq!(rate(0, 0, 0), None);
        assert_eq!(rate(0, 0, 7), None);
        assert_eq!(rate(39, 1, 5), Some(975));
        assert_eq!(rate(0, 3, 0), Some(0));
        assert_eq!(rate(2, 1, 0), Some(666));
        // One failure is not lost in the rounding.
        assert_eq!(rate(99_999, 1, 0), Some(999));
        assert_eq!(rate(8, 0, 1), Some(1000));
    }

    #[test]
    fn short_periods_are_told_by_day() {
        let (from, to) = (day("2026-11-01"), day("2026-12-01"));
        assert!(is_daily(from, to));
        let days = periods(from, to, true);
        assert_eq!((days.len(), days[30].first), (31, to));
        assert!(!is_daily(from, day("2026-12-02")));
        let months = periods(day("2025-12-31"), day("2026-02-01"), false);
        let firsts: Vec<Date> = months.iter().map(|one| one.first).collect();
        assert_eq!(firsts, [day("2025-12-01"), day("2026-01-01"), day("2026-02-01")]);
    }
}
