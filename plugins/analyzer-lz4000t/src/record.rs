//! The 0x11 record. Offsets below count from 0 in DATA, which starts at byte 4 of the frame.
//!
//! | DATA | frame | content |
//! |---|---|---|
//! | 0 | 4 | total count |
//! | 1–3 | 5–7 | not documented |
//! | 4–5 | 8–9 | record number, LE |
//! | 6–11 | 10–15 | sample name, GBK |
//! | 12–17 | 16–21 | yy mm dd HH MM SS |
//! | 18–19 | 22–23 | inhibition % × 100, LE |
//!
//! The frame has no verdict, no limit, no channel and no serial number: none is made up.

use tianyin_plugin::{Measurement, Method, Problem, Value, ValueKind};

use crate::frame::Frame;
use crate::message::Settings;
use crate::name::{self, Flaw};

/// Length of a record's DATA.
pub const DATA_LEN: usize = 20;
const NAME: std::ops::Range<usize> = 6..12;
const STAMP: std::ops::Range<usize> = 12..18;
/// Where DATA starts in a frame.
const DATA_AT: usize = 4;

/// Device time as sent: years since 2000, month, day, hour, minute, second.
pub type Stamp = [u8; 6];

/// A record as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Position of the frame in the message.
    pub offset: usize,
    /// How many records the device announces for the day read.
    pub announced: u8,
    /// Record number.
    pub number: u16,
    /// Sample name, GBK.
    pub name: [u8; 6],
    /// Device time.
    pub stamp: Stamp,
    /// Inhibition in hundredths of a percent, before it is known whether it is signed.
    pub inhibition: u16,
}

impl Record {
    /// Reads DATA of a 0x11 frame; `None` when it has another length.
    pub fn read(frame: &Frame<'_>) -> Option<Self> {
        let data: &[u8; DATA_LEN] = frame.data.try_into().ok()?;
        Some(Self {
            offset: frame.offset,
            announced: data[0],
            number: u16::from_le_bytes([data[4], data[5]]),
            name: data[NAME].try_into().ok()?,
            stamp: data[STAMP].try_into().ok()?,
            inhibition: u16::from_le_bytes([data[18], data[19]]),
        })
    }

    /// The canonical result, and what a person should know about it.
    pub fn measurement(&self, settings: Settings) -> (Measurement, Vec<Problem>) {
        let value = Value::exactly(
            percent(self.inhibition, settings.signed),
            "%",
            ValueKind::InhibitionRate,
        );
        let mut result = Measurement::new(self.id(), Method::EnzymeInhibition, value);
        let mut problems = Vec::new();
        result.record_no = Some(self.number.into());
        let name = name::read(&self.name);
        if let Some((at, flaw)) = name.flaw {
            problems.push(self.name_problem(at, flaw));
        }
        result.sample.name = name.text;
        result.tested_at = china_time(&self.stamp);
        if result.tested_at.is_none() {
            let text = format!(
                "record {}: device time {} is not a time",
                self.number,
                dotted(&self.stamp)
            );
            problems.push(Problem::new(
                self.offset + DATA_AT + STAMP.start,
                STAMP.len(),
                "clock",
                text,
            ));
        }
        (result, problems)
    }

    /// `yymmdd-HHMMSS-number`. The frame carries no serial number: the host adds the device.
    pub fn id(&self) -> String {
        let [yy, mm, dd, hour, minute, second] = self.stamp;
        format!("{yy:02}{mm:02}{dd:02}-{hour:02}{minute:02}{second:02}-{}", self.number)
    }

    fn name_problem(&self, at: usize, flaw: Flaw) -> Problem {
        let (reason, what) = match flaw {
            Flaw::Cut => ("name_cut", "is cut inside a character"),
            Flaw::NotText => ("name_encoding", "is not GBK text"),
        };
        let hex: String = self.name.iter().map(|byte| format!("{byte:02X}")).collect();
        let text = format!("record {}: sample name {hex} {what}", self.number);
        Problem::new(self.offset + DATA_AT + NAME.start + at, NAME.len() - at, reason, text)
    }
}

fn dotted(stamp: &Stamp) -> String {
    stamp.map(|part| format!("{part:02}")).join(" ")
}

/// Hundredths as a decimal string with two decimals.
fn percent(hundredths: u16, signed: bool) -> String {
    let value = if signed { i32::from(hundredths.cast_signed()) } else { i32::from(hundredths) };
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", value.abs() / 100, value.abs() % 100)
}

/// RFC 3339 in China time; `None` for no date, and for the years 2000 and 1970, which a clock
/// without battery shows.
fn china_time(&[yy, month, day, hour, minute, second]: &Stamp) -> Option<String> {
    let clock_is_set = yy != 0 && yy != 70 && yy < 100;
    let valid = (1..=12).contains(&month)
        && (1..=days_of(yy, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    (clock_is_set && valid)
        .then(|| format!("20{yy:02}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+08:00"))
}

/// Days of a month in 2000–2099, where every fourth year is a leap year.
fn days_of(yy: u8, month: u8) -> u8 {
    match month {
        2 if yy.is_multiple_of(4) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
