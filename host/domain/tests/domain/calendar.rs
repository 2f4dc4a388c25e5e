//! Working days (工作日): weekends, holidays, make-up days, years nobody knows yet.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tianyin_domain::calendar::{Calendar, end_of};
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, Time};

use crate::farm::day;

/// What is known of autumn 2026.
pub fn autumn() -> Calendar {
    let off = (1..=7).map(|n| jiff::civil::date(2026, 10, n)).collect();
    let on = ["2026-09-20", "2026-10-10"].map(day).into();
    Calendar { years: [2026].into(), off, on }
}

#[test]
fn clocks_of_working_days() {
    let calendar = autumn();
    let cases = [
        // Over a weekend.
        ("2026-11-20", 5, "2026-11-27", false),
        ("2026-11-20", 7, "2026-12-01", false),
        ("2026-11-16", 5, "2026-11-23", false),
        ("2026-11-16", 1, "2026-11-17", false),
        // On a Saturday and a Sunday: Monday is the first that counts.
        ("2026-11-21", 5, "2026-11-27", false),
        ("2026-11-22", 5, "2026-11-27", false),
        // Over the National Day holiday, with the Saturday that makes up for it.
        ("2026-09-29", 5, "2026-10-12", false),
        ("2026-09-30", 1, "2026-10-08", false),
        ("2026-10-03", 3, "2026-10-10", false),
        // From a Saturday off to the Sunday that is worked on.
        ("2026-09-19", 1, "2026-09-20", false),
        ("2026-09-18", 5, "2026-09-24", false),
        // The last working day of the year is known, New Year is not.
        ("2026-12-24", 5, "2026-12-31", false),
        ("2026-12-28", 5, "2027-01-04", true),
        ("2027-03-01", 5, "2027-03-08", true),
        // The day itself belongs to no clock, whatever its year.
        ("2025-12-31", 1, "2026-01-01", false),
    ];
    for (from, days, last, guessed) in cases {
        let told = calendar.after(day(from), days);
        assert_eq!((told.day, told.guessed), (day(last), guessed), "{from} + {days}");
    }
    let none = calendar.after(day("2026-11-21"), 0);
    assert_eq!((none.day, none.guessed), (day("2026-11-21"), false), "no clock at all");
}

#[test]
fn a_worked_weekend_is_no_weekend() {
    let calendar = autumn();
    for (of, working) in [
        ("2026-09-20", true),
        ("2026-09-27", false),
        ("2026-09-30", true),
        ("2026-10-01", false),
        ("2026-10-07", false),
        ("2026-10-08", true),
        ("2026-10-10", true),
        ("2026-10-11", false),
    ] {
        assert_eq!(calendar.is_working(day(of)), working, "{of}");
    }
    // A day that both lists name is worked on.
    let both = Calendar { off: [day("2026-10-10")].into(), ..calendar };
    assert!(both.is_working(day("2026-10-10")));
}

#[test]
fn a_day_ends_at_midnight_in_china() {
    let last = end_of(day("2026-11-27"));
    assert_eq!(last.to_string(), "2026-11-27T15:59:59.999Z");
    assert_eq!(china_date(last), day("2026-11-27"));
    let next: Time = last + jiff::SignedDuration::from_millis(1);
    assert_eq!(china_date(next), day("2026-11-28"));
}

fn days(of: usize) -> impl Strategy<Value = BTreeSet<Date>> {
    let one = (0i64..400).prop_map(|n| day("2026-01-01") + jiff::Span::new().days(n));
    proptest::collection::btree_set(one, 0..of)
}

proptest! {
    #[test]
    fn a_clock_runs_over_so_many_working_days(
        off in days(60),
        on in days(30),
        known in any::<bool>(),
        start in 0i64..300,
        count in 1u32..40,
    ) {
        let years = if known { [2026, 2027].into() } else { [2027].into() };
        let calendar = Calendar { years, off, on };
        let from = day("2026-01-01") + jiff::Span::new().days(start);
        let told = calendar.after(from, count);
        let next = from.tomorrow().unwrap();
        let over: Vec<Date> = next.series(jiff::Span::new().days(1))
            .take_while(|one| *one <= told.day)
            .collect();
        let working = over.iter().filter(|one| calendar.is_working(**one)).count();
        prop_assert_eq!(working, count as usize);
        prop_assert!(calendar.is_working(told.day));
        let unknown = over.iter().any(|one| !calendar.years.contains(&one.year()));
        prop_assert_eq!(told.guessed, unknown);
        // One more day is a later day.
        prop_assert!(calendar.after(from, count + 1).day > told.day);
    }
}
