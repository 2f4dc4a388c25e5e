//! A whole message: frames to results, and whether all that was announced has come.

use std::collections::{BTreeMap, BTreeSet};

use tianyin_plugin::{Decoded, Problem};

use crate::frame::{self, Frame, command};
use crate::record::Record;

/// Settings of the plugin (`plugin.toml`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether the inhibition is a signed number. Not documented by the vendor.
    pub signed: bool,
}

impl Settings {
    /// Reads settings by key; an error names the key.
    pub fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        match get("signed") {
            None | Some("true") => Ok(Self { signed: true }),
            Some("false") => Ok(Self { signed: false }),
            Some(other) => Err(format!("setting signed is {other:?}; it must be true or false")),
        }
    }
}

/// Decodes a message. An error only when there is nothing to decode.
pub fn decode(bytes: &[u8], settings: Settings) -> Result<Decoded, String> {
    if bytes.is_empty() {
        return Err("the message is empty".into());
    }
    let split = frame::split(bytes);
    let mut decoded = Decoded { problems: split.problems, ..Decoded::default() };
    let mut days = BTreeMap::<[u8; 3], Day>::new();
    for frame in &split.frames {
        let Some(record) = record_of(frame, &mut decoded.problems) else { continue };
        let (measurement, problems) = record.measurement(settings);
        decoded.measurements.push(measurement);
        decoded.problems.extend(problems);
        days.entry([record.stamp[0], record.stamp[1], record.stamp[2]]).or_default().add(&record);
    }
    decoded.problems.extend(days.iter().flat_map(|(date, day)| day.problem(date)));
    // What concerns the whole message comes first.
    decoded.problems.sort_by_key(|problem| (problem.length > 0, problem.offset));
    decoded.announced_count = (!days.is_empty()).then(|| days.values().map(Day::announced).sum());
    Ok(decoded)
}

/// The record in a frame; other known frames carry no result, unknown ones are a problem.
fn record_of(frame: &Frame<'_>, problems: &mut Vec<Problem>) -> Option<Record> {
    let mut report =
        |reason, text| problems.push(Problem::new(frame.offset, frame.total_len(), reason, text));
    if frame.command == command::RECORD {
        let record = Record::read(frame);
        if record.is_none() {
            report(
                "record_length",
                format!("a record has {} data bytes instead of 20", frame.data.len()),
            );
        }
        return record;
    }
    if !command::is_known(frame.command) {
        report(
            "unknown_command",
            format!("command {:02X} is not part of the protocol", frame.command),
        );
    }
    None
}

/// Records are read by day, and each frame announces how many the day has.
#[derive(Default)]
struct Day {
    announced: BTreeSet<u8>,
    /// Distinct ones: a record asked for twice counts once.
    received: BTreeSet<String>,
}

impl Day {
    fn add(&mut self, record: &Record) {
        self.announced.insert(record.announced);
        self.received.insert(record.id());
    }

    fn announced(&self) -> u32 {
        self.announced.last().copied().unwrap_or(0).into()
    }

    fn problem(&self, [yy, mm, dd]: &[u8; 3]) -> Option<Problem> {
        let (announced, received) = (self.announced() as usize, self.received.len());
        let day = format!("20{yy:02}-{mm:02}-{dd:02}");
        let (reason, text) = if received < announced {
            (
                "missing_records",
                format!("{day}: {announced} records announced, {received} received"),
            )
        } else if received > announced || self.announced.len() > 1 {
            let counts: Vec<String> = self.announced.iter().map(u8::to_string).collect();
            (
                "count_differs",
                format!("{day}: announced {}, received {received}", counts.join(" and ")),
            )
        } else {
            return None;
        };
        Some(Problem::new(0, 0, reason, text))
    }
}
