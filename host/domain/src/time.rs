//! Instants and civil dates. China keeps one time zone (UTC+8, no daylight saving), so a fixed
//! offset is exact and no time-zone database is needed.

pub use jiff::Timestamp as Time;
pub use jiff::civil::Date;

const CHINA: jiff::tz::Offset = jiff::tz::Offset::constant(8);

/// The civil date in China at `time`.
pub fn china_date(time: Time) -> Date {
    CHINA.to_datetime(time).date()
}

/// The civil date and time in China at `time`.
pub fn china_datetime(time: Time) -> jiff::civil::DateTime {
    CHINA.to_datetime(time)
}

/// `2026-11-20 08:41` in China time, as people read it.
pub fn china_minute(time: Time) -> String {
    CHINA.to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string()
}

/// `2026-11-20T08:41:00+08:00`: the instant of a civil date and time told in China.
pub fn from_china(when: jiff::civil::DateTime) -> Option<Time> {
    CHINA.to_timestamp(when).ok()
}

/// Cuts an instant to whole milliseconds, the resolution of everything recorded.
pub fn to_millisecond(time: Time) -> Time {
    Time::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
