//! Tests of the journal on real files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod append;
mod property;
mod read;
mod recovery;

use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use tianyin_journal::{Journal, JournalError, NewLine, Options, Reader, Recovery, Seqs};

const TIME: &str = "2026-03-01T08:00:00.000Z";

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.into()).unwrap()
}

fn small() -> Options {
    Options { segment_bytes_max: 2048, line_bytes_max: 1024 }
}

fn open(dir: &Path) -> (Journal, Recovery) {
    Journal::open(dir, small()).unwrap()
}

/// Appends one group; each text becomes the events of a line.
fn append(journal: &mut Journal, events: &[&str]) -> Result<Seqs, JournalError> {
    let actor = raw(r#"{"kind":"system"}"#);
    let events: Vec<_> =
        events.iter().map(|e| raw(&serde_json::to_string(&[e]).unwrap())).collect();
    let lines: Vec<_> =
        events.iter().map(|events| NewLine { time: TIME, actor: &actor, events }).collect();
    journal.append_group(&lines)
}

/// The events of all lines, with hashes checked.
fn read_all(dir: &Path, head: u64) -> Vec<String> {
    let mut reader = Reader::new(dir, 1).checking_hashes();
    let lines = reader.lines_up_to(head).map(|line| {
        let [text]: [String; 1] = serde_json::from_str(line.unwrap().events.get()).unwrap();
        text
    });
    lines.collect()
}

fn segment(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:016}.jsonl"))
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = files.filter(|p| p.extension().is_some_and(|e| e == "jsonl")).collect();
    files.sort();
    files
}

/// Byte at which line `line` (from 1) of a file begins.
fn offset_of_line(bytes: &[u8], line: usize) -> usize {
    bytes.split_inclusive(|c| *c == b'\n').take(line - 1).map(<[u8]>::len).sum()
}
