//! The period that figures are asked for: its days, and the ones to choose from.

use tianyin_domain::Date;
use tianyin_domain::time::china_date;

use super::page::Chip;
use crate::edge::now;
use crate::texts::t;

/// Longest period.
const YEARS_MAX: i32 = 3;

/// First and last day as an address has them, this month unless it says so; or the key of what is wrong.
pub fn days(from: &str, to: &str) -> Result<(Date, Date), &'static str> {
    days_on(from, to, china_date(now()))
}

fn days_on(from: &str, to: &str, today: Date) -> Result<(Date, Date), &'static str> {
    let day = |text: &str| text.trim().parse::<Date>().map_err(|_| "period.bad_date");
    let to = match to.trim() {
        "" => today,
        text => day(text)?,
    };
    let from = match from.trim() {
        "" => to.first_of_month(),
        text => day(text)?,
    };
    let end = from.checked_add(jiff::Span::new().years(YEARS_MAX));
    match end.map_err(|_| "period.bad_date")? {
        _ if to < from => Err("period.reversed"),
        end if to >= end => Err("period.too_long"),
        _ => Ok((from, to)),
    }
}

/// Periods that people ask for most. `base` is the address up to where the days begin: it ends in `?` or
/// `&`.
pub fn chips(base: &str, from: &str, to: &str) -> Vec<Chip> {
    let today = china_date(now());
    let month = today.first_of_month();
    let year = month.first_of_year();
    let before = |day: Date| day.yesterday().unwrap_or(day);
    let (last_month, last_year) = (before(month), before(year));
    let offered = [
        ("period.this_month", month, today),
        ("period.last_month", last_month.first_of_month(), last_month),
        ("period.this_year", year, today),
        ("period.last_year", last_year.first_of_year(), last_year),
    ];
    let chip = |(text, first, last): (&str, Date, Date)| Chip {
        href: format!("{base}from={first}&to={last}"),
        text: t(text).to_owned(),
        count: None,
        on: first.to_string() == from && last.to_string() == to,
    };
    offered.into_iter().map(chip).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_period_is_this_month_unless_asked_for() {
        let today: Date = "2026-11-23".parse().unwrap();
        let asked = |from: &str, to: &str| {
            days_on(from, to, today).map(|(from, to)| format!("{from} {to}"))
        };
        assert_eq!(asked("", ""), Ok("2026-11-01 2026-11-23".to_owned()));
        assert_eq!(asked("", "2026-02-10"), Ok("2026-02-01 2026-02-10".to_owned()));
        assert_eq!(asked("2023-11-24", ""), Ok("2023-11-24 2026-11-23".to_owned()));
        assert_eq!(asked("2023-11-23", ""), Err("period.too_long"));
        assert_eq!(asked("2026-11-24", ""), Err("period.reversed"));
        assert_eq!(asked("11/1", ""), Err("period.bad_date"));
        assert_eq!(asked("2026-02-30", ""), Err("period.bad_date"));
        assert_eq!(asked("9999-12-31", "9999-12-31"), Err("period.bad_date"));
    }
}
