//! Working days (工作日): weekends, public holidays and make-up days, and the clocks that count in them
//! (law art 51). The days themselves are data: the State Council names them year by year.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::time::{Date, Time, from_china};

/// What is known of the working days of some years.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Years whose arrangement is known.
    pub years: BTreeSet<i16>,
    /// Days off, weekends among them or not.
    pub off: BTreeSet<Date>,
    /// Weekend days that are worked on.
    pub on: BTreeSet<Date>,
}

/// The last moment of a clock, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// Last day.
    pub day: Date,
    /// A day of it lies in a year whose holidays are not known: only weekends were left out.
    pub guessed: bool,
}

/// Days that a clock runs over at most, so that it ends whatever the data says.
const DAYS_MAX: i32 = 400;

impl Calendar {
    /// Whether people work on a day.
    pub fn is_working(&self, day: Date) -> bool {
        if self.on.contains(&day) {
            return true;
        }
        let weekend =
            matches!(day.weekday(), jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday);
        !weekend && !self.off.contains(&day)
    }

    /// The last day of a clock of `days` working days: the day after `from` is the first that may count.
    pub fn after(&self, from: Date, days: u32) -> Deadline {
        let mut left = days;
        let mut last = from;
        let mut guessed = false;
        for n in 1..=DAYS_MAX {
            let Ok(day) = from.checked_add(jiff::Span::new().days(n)) else { break };
            if left == 0 {
                break;
            }
            guessed |= !self.years.contains(&day.year());
            last = day;
            if self.is_working(day) {
                left -= 1;
            }
        }
        Deadline { day: last, guessed }
    }
}

/// The end of a day in China: the last instant at which it is not over.
pub fn end_of(day: Date) -> Time {
    from_china(day.at(23, 59, 59, 999_000_000)).unwrap_or(Time::MAX)
}
