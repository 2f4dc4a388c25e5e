//! Scans at the mirror are counted when its host's log is imported. Where the lines are read is another matter
//! than where they are counted: the command line reads a file that only its user may read, and the service
//! counts.
//!
//! How far a log was imported is a time and the number of its lines of that time. What is before it is passed
//! over, so that a log may be imported again when it has grown, and its rotated parts in any order in one go.
//! Of lines that are out of order by a few seconds, as Apache writes them, those that come after the end of an
//! import are not counted any more, and so are lines of another file with the very second that the first ends
//! with: a scan too few now and then, never one too many.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;

use serde::{Deserialize, Serialize};
use tianyin_domain::code::Code;
use tianyin_domain::command::{Command, Envelope};
use tianyin_domain::mirror_log::{AHEAD_S, CODES_MAX, ImportMirrorLog, MirrorLog, Place};
use tianyin_domain::scan::ScanCount;
use tianyin_domain::{Actor, State, Time};

use super::log::{self, BadLine, Piece, Source, What};
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
    counts: HashMap<String, (u64, Time)>,
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
        self.at = Some(match self.at {
            Some(at) if told.at < at.at => at,
            Some(at) if told.at == at.at => Place { lines: at.lines + 1, ..at },
            _ => Place { at: told.at, lines: 1 },
        });
        match told.what {
            What::Scan(code) => match self.counts.entry(code) {
                Entry::Occupied(mut known) => {
                    let (count, first_at) = known.get_mut();
                    *count += 1;
                    *first_at = told.at.min(*first_at);
                }
                Entry::Vacant(new) => {
                    new.insert((1, told.at));
                }
            },
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
        let counts = counts.map(|(code, (count, first_at))| ScanCount::new(code, count, first_at));
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;
    use tianyin_domain::code;
    use tianyin_domain::id::SeededRandom;

    use super::*;

    /// Counts in memory, by the rules of the kernel.
    #[derive(Default)]
    struct Memory {
        place: Option<Place>,
        scans: HashMap<String, u64>,
        commands: usize,
    }

    impl Sink for Memory {
        type Error = LogFailed;

        fn place(&mut self, _: &str) -> Result<Option<Place>, LogFailed> {
            Ok(self.place)
        }

        fn count(&mut self, import: ImportMirrorLog) -> Result<Counted, LogFailed> {
            assert!(import.after == self.place && Some(import.through) > self.place);
            assert!(import.counts.len() <= CODES_MAX);
            self.place = Some(import.through);
            self.commands += 1;
            let scans = import.counts.iter().map(|one| one.count).sum();
            for one in import.counts {
                *self.scans.entry(one.code).or_default() += one.count;
            }
            Ok(Counted { scans, other_codes: 0 })
        }
    }

    fn code(n: u64) -> String {
        code::draw(&mut SeededRandom(n))
    }

    fn line(second: u32, code: &str) -> String {
        format!(
            "::1 - - [20/Nov/2025:16:{:02}:{:02} +0800] \"GET /T/{code}/ HTTP/1.1\" 200 9 \"-\" \"x\"\n",
            second / 60,
            second % 60
        )
    }

    fn source(text: &str) -> Source {
        Source::Bytes("log".into(), Bytes::copy_from_slice(text.as_bytes()))
    }

    fn run(sink: &mut Memory, texts: &[&str]) -> Imported {
        let sources = texts.iter().map(|text| source(text)).collect();
        import(DEFAULT_NAME, sources, sink).unwrap()
    }

    #[test]
    fn what_was_imported_counts_once() {
        let (mut sink, a) = (Memory::default(), code(1));
        // Lines of one second, of which the log has only the first two yet.
        let first = [line(1, &a), line(5, &a), line(5, &a)].concat();
        assert_eq!(run(&mut sink, &[&first]).scans, 3);
        let again = run(&mut sink, &[&first]);
        assert_eq!((again.scans, again.known, again.lines), (0, 3, 3));
        let grown = [first.as_str(), &line(5, &a), &line(9, &a)].concat();
        let grown = run(&mut sink, &[&grown]);
        assert_eq!((grown.scans, grown.known), (2, 3));
        assert_eq!(sink.scans[&a], 5);
        assert_eq!(sink.commands, 2, "nothing new, nothing written");
    }

    #[test]
    fn parts_come_in_any_order_and_twice() {
        let (mut sink, a) = (Memory::default(), code(1));
        let (old, new) = ([line(1, &a), line(2, &a)].concat(), line(30, &a));
        let told = run(&mut sink, &[&new, &old, &new]);
        assert_eq!((told.scans, told.known, sink.scans[&a]), (3, 1, 3));
    }

    #[test]
    fn lines_out_of_order_count_while_they_are_new() {
        let (mut sink, a) = (Memory::default(), code(1));
        let log = [line(7, &a), line(5, &a), line(7, &a), line(6, &a)].concat();
        assert_eq!(run(&mut sink, &[&log]).scans, 4);
        assert_eq!(run(&mut sink, &[&log]).scans, 0);
        assert_eq!(sink.place.unwrap().lines, 2);
    }

    #[test]
    fn many_codes_come_in_pieces() {
        let mut sink = Memory::default();
        let log: String = (0..2_500).map(|n| line(n, &code(u64::from(n)))).collect();
        assert_eq!(run(&mut sink, &[&log]).scans, 2_500);
        assert_eq!((sink.commands, sink.scans.len()), (3, 2_500));
        assert_eq!(run(&mut sink, &[&log]).known, 2_500);
        // A late line right after a piece.
        let mut sink = Memory::default();
        let piece: String = (0..1_000).map(|n| line(n, &code(u64::from(n)))).collect();
        assert_eq!(run(&mut sink, &[&[piece, line(5, &code(5))].concat()]).scans, 1_001);
        assert_eq!((sink.commands, sink.scans[&code(5)]), (2, 2));
    }

    #[test]
    fn bad_lines_are_numbered_and_the_rest_counts() {
        let (mut sink, a) = (Memory::default(), code(1));
        let future = line(1, &a).replace("2025", "2999");
        let log =
            [line(1, &a), "\n".into(), "half".to_owned() + "\n", future, line(2, &a)].concat();
        let told = run(&mut sink, &[&log]);
        assert_eq!((told.scans, told.lines, told.bad), (2, 5, 2));
        let bad: Vec<_> = told.bad_lines.iter().map(|bad| (bad.line, bad.why)).collect();
        assert_eq!(bad, [(3, BadLine::Form), (4, BadLine::Future)]);
        let noise = "noise\n".repeat(BAD_TOLD_MAX + 5);
        let told = run(&mut sink, &[&noise]);
        assert_eq!((told.bad, told.bad_lines.len()), (BAD_TOLD_MAX as u64 + 5, BAD_TOLD_MAX));
    }

    #[test]
    fn a_file_that_is_not_there_is_told_by_name() {
        let missing = Source::File("/no/such/log".into());
        let failed = import(DEFAULT_NAME, vec![missing], &mut Memory::default()).unwrap_err();
        assert!(failed.to_string().contains("/no/such/log"), "{failed}");
    }
}
