//! Scans at the mirror are counted when its host's log is imported. Where the lines are read is another matter
//! than where they are counted: the command line reads a file that only its user may read, and the service
//! counts.
//!
//! How far a log was imported is a time and the number of its lines of that time. What is before it is passed
//! over, so that a log may be imported again when it has grown, and its rotated parts in any order in one go.
//! Of lines that are out of order by a few seconds, as Apache writes them, those that come after the end of an
//! import are not counted any more, and so are lines of another file with the very second that the first ends
//! with: a scan too few now and then, never one too many.
//!
//! A scan is counted with its city as at the appliance: the address is looked up where the line is read, and goes
//! nowhere. What is counted at once is of one day, because scans of a day are what copied labels are known by.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tianyin_domain::code::Code;
use tianyin_domain::command::{Command, Envelope};
use tianyin_domain::mirror_log::{AHEAD_S, CODES_MAX, ImportMirrorLog, MirrorLog, Place};
use tianyin_domain::scan::{AreaScans, ScanCount};
use tianyin_domain::time::china_date;
use tianyin_domain::{Actor, Date, State, Time};

use super::log::{self, BadLine, Piece, Source, What};
use crate::app::scans::seen_in;
use crate::app::{App, AppError};
use crate::edge::now;

/// Lines of one import.
pub const LINES_MAX: u64 = 10_000_000;
/// Plain bytes of one import.
pub const BYTES_MAX: u64 = 8 << 30;
/// Bad lines that are told one by one.
const BAD_TOLD_MAX: usize = 20;
/// Lines at the beginning of a file among which its first time is looked for.
const HEAD_LINES: usize = 1_000;

/// What the host's log is called when nobody says.
pub const DEFAULT_NAME: &str = "access";

/// Why a log was not read to its end. What was counted before stays counted.
#[derive(Debug, thiserror::Error)]
pub enum LogFailed {
    /// The file cannot be read.
    #[error("{file}: {error}")]
    Io {
        /// Which.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// More than [`LINES_MAX`] lines or [`BYTES_MAX`] bytes.
    #[error("日志太长,请拆成几个文件 / the log is too long, split it")]
    TooLong,
}

impl From<LogFailed> for AppError {
    fn from(failed: LogFailed) -> Self {
        match failed {
            LogFailed::Io { .. } => {
                Self::refused_with("log_unreadable", vec![("detail", failed.to_string())])
            }
            LogFailed::TooLong => Self::refused("log_too_long"),
        }
    }
}

/// A bad line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadLineAt {
    /// File.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Why.
    pub why: BadLine,
}

/// What an import came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Lines read.
    pub lines: u64,
    /// Scans counted.
    pub scans: u64,
    /// Pages of codes that are not those of a certificate, such as those of ID cards.
    pub other_codes: u64,
    /// Lines that were imported before.
    pub known: u64,
    /// Pages that programs looked at.
    pub bots: u64,
    /// Lines of other things.
    pub others: u64,
    /// Bad lines.
    pub bad: u64,
    /// The first of them.
    pub bad_lines: Vec<BadLineAt>,
}

/// What a count came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Scans of certificates' codes.
    pub scans: u64,
    /// Those of others.
    pub other_codes: u64,
}

/// Where counts go.
pub trait Sink {
    /// What may go wrong there, or with the log.
    type Error: From<LogFailed>;
    /// The city of an address, as a region code of 4 digits.
    fn area_of(&self, address: IpAddr) -> Option<String>;
    /// How far a log was imported.
    fn place(&mut self, name: &str) -> Result<Option<Place>, Self::Error>;
    /// Counts.
    fn count(&mut self, import: ImportMirrorLog) -> Result<Counted, Self::Error>;
}

/// Imports the files of one log, in the order of their first times.
///
/// # Errors
/// When a file cannot be read or is too long, and what the sink says. What was counted before stays.
pub fn import<S: Sink>(
    name: &str,
    mut sources: Vec<Source>,
    sink: &mut S,
) -> Result<Imported, S::Error> {
    // Whoever gives several files has the newest first, as shells sort them.
    if sources.len() > 1 {
        let mut timed = Vec::with_capacity(sources.len());
        for source in sources {
            timed.push((first_time(&source)?, source));
        }
        timed.sort_by_key(|(first, _)| *first);
        sources = timed.into_iter().map(|(_, source)| source).collect();
    }
    let place = sink.place(name)?;
    let latest_s = now().as_second().saturating_add(AHEAD_S);
    let mut import = Import {
        name,
        sink,
        latest_s,
        recorded: place,
        begun_at: place,
        at: place,
        same: 0,
        counts: HashMap::new(),
        day: None,
        bytes: 0,
        told: Imported::default(),
    };
    for source in &sources {
        import.file(source)?;
    }
    Ok(import.told)
}

fn first_time(source: &Source) -> Result<Option<Time>, LogFailed> {
    let failed = |error| LogFailed::Io { file: source.name(), error };
    let mut reader = source.open().map_err(failed)?;
    for _ in 0..HEAD_LINES {
        match log::next(&mut *reader).map_err(failed)? {
            Some((Piece::Line(line), _)) => {
                if let Ok(told) = log::read(&line) {
                    return Ok(Some(told.at));
                }
            }
            Some((Piece::TooLong, _)) => {}
            None => break,
        }
    }
    Ok(None)
}

/// Scans of a code.
struct Seen {
    count: u64,
    first_at: Time,
    areas: Vec<AreaScans>,
}

struct Import<'a, S: Sink> {
    name: &'a str,
    sink: &'a mut S,
    latest_s: i64,
    /// What is on record.
    recorded: Option<Place>,
    /// The same when the file was begun.
    begun_at: Option<Place>,
    /// How far it is.
    at: Option<Place>,
    /// Lines of the time at which the file was begun, so far.
    same: u64,
    counts: HashMap<String, Seen>,
    /// The day of what is counted.
    day: Option<Date>,
    bytes: u64,
    told: Imported,
}

impl<S: Sink> Import<'_, S> {
    fn file(&mut self, source: &Source) -> Result<(), S::Error> {
        (self.begun_at, self.same) = (self.recorded, 0);
        let failed = |error| LogFailed::Io { file: source.name(), error };
        let mut reader = source.open().map_err(failed)?;
        let mut number = 0;
        while let Some((piece, bytes)) = log::next(&mut *reader).map_err(failed)? {
            number += 1;
            self.told.lines += 1;
            self.bytes += bytes;
            if self.told.lines > LINES_MAX || self.bytes > BYTES_MAX {
                return Err(LogFailed::TooLong.into());
            }
            let read = match piece {
                Piece::Line(line) if line.is_empty() => continue,
                Piece::Line(line) => log::read(&line),
                Piece::TooLong => Err(BadLine::TooLong),
            };
            match read {
                Ok(told) if told.at.as_second() > self.latest_s => {
                    self.bad(source, number, BadLine::Future);
                }
                Ok(told) => self.line(told)?,
                Err(why) => self.bad(source, number, why),
            }
        }
        self.flush()
    }

    fn bad(&mut self, source: &Source, line: u64, why: BadLine) {
        self.told.bad += 1;
        if self.told.bad_lines.len() < BAD_TOLD_MAX {
            self.told.bad_lines.push(BadLineAt { file: source.name(), line, why });
        }
    }

    fn line(&mut self, told: log::Told) -> Result<(), S::Error> {
        if !self.is_new(told.at) {
            self.told.known += 1;
            return Ok(());
        }
        let day = china_date(told.at);
        if self.day.is_some_and(|known| known < day) && !self.counts.is_empty() {
            self.flush()?;
        }
        self.day = self.day.max(Some(day));
        self.at = Some(match self.at {
            Some(at) if told.at < at.at => at,
            Some(at) if told.at == at.at => Place { lines: at.lines + 1, ..at },
            _ => Place { at: told.at, lines: 1 },
        });
        match told.what {
            What::Scan(code) => {
                let area = told.by.and_then(|address| self.sink.area_of(address));
                let new = Seen { count: 0, first_at: told.at, areas: Vec::new() };
                let seen = self.counts.entry(code).or_insert(new);
                seen.count += 1;
                seen.first_at = told.at.min(seen.first_at);
                seen_in(&mut seen.areas, area);
            }
            What::Bot => self.told.bots += 1,
            What::Other => self.told.others += 1,
        }
        if self.counts.len() >= CODES_MAX { self.flush() } else { Ok(()) }
    }

    /// Whether a line of that time was not imported before.
    fn is_new(&mut self, time: Time) -> bool {
        let Some(begun) = self.begun_at else { return true };
        if time != begun.at {
            return time > begun.at;
        }
        self.same += 1;
        self.same > begun.lines
    }

    /// Counts what was gathered, with the place it goes up to.
    fn flush(&mut self) -> Result<(), S::Error> {
        let Some(mut through) = self.at else { return Ok(()) };
        if Some(through) <= self.recorded {
            if self.counts.is_empty() {
                return Ok(());
            }
            // Nothing but lines out of order since the last time: the place moves all the same.
            through.lines += 1;
            self.at = Some(through);
        }
        let counts = self.counts.drain();
        let counts = counts.map(|(code, seen)| ScanCount {
            areas: seen.areas,
            ..ScanCount::new(code, seen.count, seen.first_at)
        });
        let import = ImportMirrorLog {
            name: self.name.to_owned(),
            after: self.recorded,
            through,
            counts: counts.collect(),
        };
        let counted = self.sink.count(import)?;
        self.told.scans += counted.scans;
        self.told.other_codes += counted.other_codes;
        self.recorded = Some(through);
        Ok(())
    }
}

/// Counts here, as somebody. Blocks.
pub struct Here<'a> {
    /// The appliance.
    pub app: &'a App,
    /// Who imports.
    pub actor: &'a Actor,
}

impl Sink for Here<'_> {
    type Error = AppError;

    fn area_of(&self, address: IpAddr) -> Option<String> {
        self.app.area_of(address)
    }

    fn place(&mut self, name: &str) -> Result<Option<Place>, AppError> {
        self.app.mirror_log_place(name)
    }

    fn count(&mut self, import: ImportMirrorLog) -> Result<Counted, AppError> {
        self.app.count_mirror_log(self.actor, import)
    }
}

impl App {
    /// How far a log was imported.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn mirror_log_place(&self, name: &str) -> Result<Option<Place>, AppError> {
        let state: &dyn State = &self.store;
        Ok(state.get::<MirrorLog>(name)?.map(|log| log.through))
    }

    /// Counts the scans of some lines of a log. Blocks.
    ///
    /// # Errors
    /// `mirror_log_moved` when it was imported meanwhile; when nothing can be written.
    pub fn count_mirror_log(
        &self,
        actor: &Actor,
        mut import: ImportMirrorLog,
    ) -> Result<Counted, AppError> {
        let state: &dyn State = &self.store;
        let (mut counted, mut known) = (Counted::default(), Vec::new());
        for mut one in std::mem::take(&mut import.counts) {
            let own = state.get::<Code>(&one.code)?.is_some();
            one.unit = if own { None } else { self.unit_of(&one.code)? };
            if own || one.unit.is_some() {
                counted.scans = counted.scans.saturating_add(one.count);
                known.push(one);
            } else {
                counted.other_codes = counted.other_codes.saturating_add(one.count);
            }
        }
        import.counts = known;
        self.submit_blocking(Envelope {
            actor: actor.clone(),
            command: Command::ImportMirrorLog(import),
            time: now(),
            idempotency_key: None,
            based_on: Vec::new(),
        })?;
        self.scans_counted_elsewhere();
        Ok(counted)
    }
}

#[cfg(test)]
mod tests;
