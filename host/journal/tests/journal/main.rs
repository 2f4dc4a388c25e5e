//! Tests of the journal on real files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod append;
mod copy;
mod faults;
mod property;
mod python;
mod read;
mod recovery;
mod reserve;
mod sealing;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use tianyin_journal::{
    Damage, Journal, JournalError, NewLine, Options, Reader, Recovery, Sealed, Sealer, Seqs,
};

const TIME: &str = "2026-03-01T08:00:00.000Z";

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.into()).unwrap()
}

/// A folder in memory, if there is one, where a sync takes no time.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn small() -> Options {
    Options { segment_bytes_max: 2048, group_bytes_max: 2048, line_bytes_max: 1024 }
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

/// Seals whatever can be sealed.
fn seal_all(sealer: &Sealer, compress: bool) -> Vec<Sealed> {
    let next = || sealer.seal_next(compress, &mut |_| ControlFlow::Continue(())).unwrap();
    std::iter::from_fn(next).collect()
}

/// Names and bytes of all files of a folder but its lock.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap());
    let files = entries.map(|e| (e.file_name().into_string().unwrap(), e.path()));
    files.filter(|(name, _)| name != "lock").map(|(n, p)| (n, std::fs::read(p).unwrap())).collect()
}

/// The files of a folder made anew in another.
fn restore(dir: &Path, files: &BTreeMap<String, Vec<u8>>) {
    std::fs::remove_dir_all(dir).unwrap();
    std::fs::create_dir(dir).unwrap();
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

/// The damage that a result tells.
fn damage(result: Result<impl Sized, JournalError>) -> Damage {
    match result.err() {
        Some(JournalError::Damaged(damage)) => damage,
        other => panic!("damage expected, got {other:?}"),
    }
}
