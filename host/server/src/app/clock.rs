//! Whether the clock can be believed. A certificate with a wrong date is a legal matter: it is refused
//! while the clock is known to be wrong. Everything else goes on, and no line of the journal is
//! earlier than the one before.
//!
//! What can be known: the clock is behind the last line of the journal, or behind the day this program
//! was built, or it moved forward by more than a day while the machine's uptime did not. A clock that
//! was set too far ahead while the service was stopped cannot be told from a service that was stopped
//! for long.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use parking_lot::Mutex;
use tianyin_domain::Time;
use tianyin_domain::time::{china_minute, to_millisecond};

use super::AppError;
use crate::edge::now;

/// A clock that was a little fast and was set right is no fault.
const BEHIND_MAX: SignedDuration = SignedDuration::from_mins(5);
/// A larger step forward than this is no correction of a clock that was right.
const JUMP_MAX: SignedDuration = SignedDuration::from_hours(24);
/// The machine that built the program may have been in another time zone, or a little fast.
const BUILD_SLACK: SignedDuration = SignedDuration::from_hours(24);

/// What is known of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockState {
    /// Nothing speaks against it.
    Right,
    /// Before this program was built.
    BeforeBuild(Time),
    /// Behind the last line of the journal, which has this time.
    Behind(Time),
    /// It should be about this time, going by how long the machine has run.
    Ahead(Time),
}

impl ClockState {
    /// Stable word for health and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::BeforeBuild(_) => "clock_before_build",
            Self::Behind(_) => "clock_behind",
            Self::Ahead(_) => "clock_ahead",
        }
    }

    /// The sentence that says what is wrong and what to do; `None` when nothing is.
    pub fn problem(self, shown: Time) -> Option<AppError> {
        let other = match self {
            Self::Right => return None,
            Self::BeforeBuild(t) | Self::Behind(t) | Self::Ahead(t) => t,
        };
        let params = vec![("now", china_minute(shown)), ("other", china_minute(other))];
        Some(AppError::refused_with(self.code(), params))
    }
}

/// The clock, and what it is compared with.
#[derive(Debug)]
pub struct Clock(Mutex<Known>);

#[derive(Debug)]
struct Known {
    built_at: Time,
    /// Latest time given to a line.
    last: Time,
    /// When the clock was last believed, and the machine's uptime then.
    believed: (Time, Instant),
    state: ClockState,
    /// Became right, and nobody has asked yet.
    healed: bool,
}

impl Clock {
    /// `last_line` is the time of the journal's last line. With `trust` a clock that is behind it is
    /// believed: somebody has made sure.
    pub fn new(last_line: Option<Time>, trust: bool) -> Self {
        let (shown, uptime) = (now(), Instant::now());
        let mut last = last_line.unwrap_or(Time::UNIX_EPOCH);
        if trust && shown < last {
            tracing::warn!(%shown, last_line = %last, "the clock is believed although it is behind the journal");
            last = shown;
        }
        let built_at = built_at().checked_sub(BUILD_SLACK).unwrap_or(Time::UNIX_EPOCH);
        let known = Known {
            built_at,
            last,
            believed: (shown, uptime),
            state: ClockState::Right,
            healed: false,
        };
        let clock = Self(Mutex::new(known));
        clock.look();
        clock
    }

    /// Compares the clock.
    pub fn look(&self) -> ClockState {
        self.0.lock().look(now(), Instant::now())
    }

    /// Whether it became right since this was last asked.
    pub fn take_healed(&self) -> bool {
        let mut known = self.0.lock();
        known.look(now(), Instant::now());
        std::mem::take(&mut known.healed)
    }

    /// What is wrong with it, with the sentence that says what to do.
    pub fn problem(&self) -> Option<AppError> {
        self.look().problem(now())
    }

    /// An error with the sentence when the clock is known to be wrong.
    pub fn require_right(&self) -> Result<(), AppError> {
        self.problem().map_or(Ok(()), Err)
    }

    /// The time that a line gets which is written now: never before an earlier one, and not what a
    /// clock says that jumped.
    pub fn now(&self) -> Time {
        let mut known = self.0.lock();
        known.look(now(), Instant::now());
        known.time(now(), Instant::now())
    }

    /// The same for the writer: the time of a command that was given at `given`. No later one is
    /// before it.
    pub fn stamp(&self, given: Time) -> Time {
        let mut known = self.0.lock();
        known.last = known.time(given, Instant::now());
        known.last
    }
}

impl Known {
    fn look(&mut self, shown: Time, uptime: Instant) -> ClockState {
        let before = self.state;
        let expected = self.expected(uptime);
        let was_believed = matches!(before, ClockState::Right | ClockState::Ahead(_));
        self.state = if self.last.duration_since(shown) > BEHIND_MAX {
            ClockState::Behind(self.last)
        } else if shown < self.built_at {
            ClockState::BeforeBuild(self.built_at)
        } else if was_believed && shown.duration_since(expected) > JUMP_MAX {
            ClockState::Ahead(expected)
        } else {
            self.believed = (shown, uptime);
            ClockState::Right
        };
        if before.code() != self.state.code() {
            match self.state {
                ClockState::Right => tracing::info!(%shown, "the clock is right again"),
                wrong => tracing::error!(%shown, problem = wrong.code(), "the clock is wrong"),
            }
        }
        self.healed |= before != ClockState::Right && self.state == ClockState::Right;
        self.state
    }

    fn expected(&self, uptime: Instant) -> Time {
        let (then, at) = self.believed;
        let passed = uptime.saturating_duration_since(at).min(Duration::from_secs(u32::MAX.into()));
        SignedDuration::try_from(passed).ok().and_then(|d| then.checked_add(d).ok()).unwrap_or(then)
    }

    fn time(&self, given: Time, uptime: Instant) -> Time {
        let given = match self.state {
            ClockState::Ahead(_) => to_millisecond(self.expected(uptime)).min(given),
            _ => given,
        };
        given.max(self.last)
    }
}

/// When this program was built; `SOURCE_DATE_EPOCH` where that was set.
fn built_at() -> Time {
    let seconds = env!("TIANYIN_BUILT_AT").parse().unwrap_or(0);
    Time::from_second(seconds).unwrap_or(Time::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn known(last: &str, shown: &str) -> (Known, Instant) {
        let start = Instant::now();
        let built_at = at("2026-01-01T00:00:00Z");
        let believed = (at(shown), start);
        (
            Known { built_at, last: at(last), believed, state: ClockState::Right, healed: false },
            start,
        )
    }

    #[test]
    fn behind_the_last_line() {
        let (mut known, start) = known("2026-05-01T08:00:00Z", "2026-05-01T08:00:00Z");
        // A few minutes are a correction; lines do not go back all the same.
        let shown = at("2026-05-01T07:56:00Z");
        assert_eq!(known.look(shown, start), ClockState::Right);
        assert_eq!(known.time(shown, start), at("2026-05-01T08:00:00Z"));
        let shown = at("2026-05-01T07:54:00Z");
        assert_eq!(known.look(shown, start), ClockState::Behind(at("2026-05-01T08:00:00Z")));
        let text = known.state.problem(shown).unwrap().detail();
        assert!(text.contains("系统时间不正确") && text.contains("2026-05-01 15:54"), "{text}");
        assert!(!known.healed);
        assert_eq!(known.look(at("2026-05-01T08:01:00Z"), start), ClockState::Right);
        assert!(known.healed);
    }

    #[test]
    fn before_the_program_was_built() {
        // A flat battery, then the right time from the network: a jump that heals.
        let (mut known, start) = known("1970-01-01T00:00:00Z", "2001-01-01T00:00:00Z");
        assert_eq!(known.look(at("2001-01-01T00:00:00Z"), start).code(), "clock_before_build");
        assert_eq!(known.look(at("2026-09-01T08:00:00Z"), start), ClockState::Right);
        assert!(known.healed);
    }

    #[test]
    fn a_jump_forward_is_not_believed() {
        let (mut known, start) = known("2026-05-01T08:00:00Z", "2026-05-01T08:00:00Z");
        let shown = at("2026-05-02T08:00:00Z");
        assert_eq!(known.look(shown, start), ClockState::Right, "a day is believed");
        let shown = at("2027-05-02T08:00:00Z");
        assert_eq!(known.look(shown, start + HOUR), ClockState::Ahead(at("2026-05-02T09:00:00Z")));
        // What is written meanwhile gets the time by uptime, so that nothing stands in the future.
        assert_eq!(known.time(shown, start + 2 * HOUR), at("2026-05-02T10:00:00Z"));
        known.last = at("2026-05-02T10:00:00Z");
        let back = at("2026-05-02T11:00:00Z");
        assert_eq!(known.look(back, start + 3 * HOUR), ClockState::Right);
        // Running on for long is no jump.
        let shown = at("2026-06-01T11:00:00Z");
        assert_eq!(known.look(shown, start + 723 * HOUR), ClockState::Right);
    }
}
