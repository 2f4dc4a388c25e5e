//! Reads the log of the preloaded recorder.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::format::{self, HEAD_BYTES};

/// One record: which process, and what it did.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Process.
    pub process: u32,
    /// What happened.
    pub action: Action,
}

/// What a program did. A file is the number of its opening; paths are relative to the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Action {
    /// The recorder was loaded.
    Loaded,
    /// A file or folder was opened or made.
    Open { file: u32, path: String, flags: i32, mode: u32 },
    /// Bytes of the log at `data` were written at an offset.
    Write { file: u32, at: u64, bytes: u64, data: Range<usize> },
    /// The size was set.
    Resize { file: u32, size: u64 },
    /// A sync was asked for.
    SyncBegin { file: u32, number: u64, data_only: bool },
    /// A sync has ended; 0 is success.
    SyncEnd { file: u32, number: u64, errno: u64 },
    /// sync_file_range.
    SyncRange { file: u32 },
    /// Renamed; `None` is outside the folder.
    Rename { from: Option<String>, to: Option<String> },
    /// A file was removed.
    Unlink { path: String },
    /// A folder was made.
    MakeFolder { path: String, mode: u32 },
    /// A folder was removed.
    RemoveFolder { path: String },
    /// Another name for a file.
    Link { from: Option<String>, to: Option<String> },
    /// Written by the test.
    Mark { data: Range<usize> },
    /// A fault was injected into this file.
    Fault { file: u32 },
}

/// Something that was known to the outside.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Where in the record.
    pub index: usize,
    /// What.
    pub what: Value,
}

/// A whole log.
#[derive(Debug)]
pub struct Recording {
    /// Records in their order.
    pub records: Vec<Recorded>,
    bytes: Vec<u8>,
}

impl Recording {
    /// Reads a log. Every record must be whole: a program that was killed writes it or does not.
    pub fn read(log: &Path, root: &Path) -> Result<Self> {
        let bytes = std::fs::read(log).with_context(|| format!("read {}", log.display()))?;
        let mut records = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let (record, end) = parse(&bytes, at, root)
                .with_context(|| format!("{}: record at byte {at}", log.display()))?;
            records.push(record);
            at = end;
        }
        Ok(Self { records, bytes })
    }

    /// Bytes of a write or mark.
    pub fn data(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.clone()]
    }

    /// What the test noted.
    pub fn marks(&self) -> Vec<Mark> {
        let marks = self.records.iter().enumerate().filter_map(|(index, r)| match &r.action {
            Action::Mark { data } => {
                let what = serde_json::from_slice(self.data(data)).unwrap_or_default();
                Some(Mark { index, what })
            }
            _ => None,
        });
        marks.collect()
    }

    /// For every record that is about an open file: its path when it was opened.
    pub fn paths(&self) -> Vec<(&Recorded, &str)> {
        let mut names = HashMap::new();
        let mut found = Vec::new();
        for record in &self.records {
            let file = match &record.action {
                Action::Loaded => {
                    names.retain(|(process, _), _| *process != record.process);
                    continue;
                }
                Action::Open { file, path, .. } => {
                    names.insert((record.process, *file), path.as_str());
                    *file
                }
                Action::Write { file, .. }
                | Action::Resize { file, .. }
                | Action::SyncBegin { file, .. }
                | Action::SyncEnd { file, .. }
                | Action::SyncRange { file }
                | Action::Fault { file } => *file,
                _ => continue,
            };
            if let Some(path) = names.get(&(record.process, file)) {
                found.push((record, *path));
            }
        }
        found
    }

    /// Syncs that succeeded of files whose path `is_meant`.
    pub fn syncs(&self, is_meant: impl Fn(&str) -> bool) -> usize {
        let is_sync = |action: &Action| matches!(action, Action::SyncEnd { errno: 0, .. });
        self.paths().iter().filter(|(r, path)| is_sync(&r.action) && is_meant(path)).count()
    }
}

fn parse(bytes: &[u8], at: usize, root: &Path) -> Result<(Recorded, usize)> {
    let head = bytes.get(at..at + HEAD_BYTES).context("no whole head")?;
    let short = |n: usize| u32::from_le_bytes([head[n], head[n + 1], head[n + 2], head[n + 3]]);
    let long = |n: usize| u64::from(short(n)) | (u64::from(short(n + 4)) << 32);
    ensure!(short(0) == format::MAGIC, "no record begins here");
    let (process, file, a, b) = (short(8), short(12), long(16), long(24));
    let path_end = at + HEAD_BYTES + short(32) as usize;
    let end = path_end + short(36) as usize;
    let path = bytes.get(at + HEAD_BYTES..path_end).context("no whole path")?;
    ensure!(end <= bytes.len(), "no whole data");
    let data = path_end..end;
    let within = |path: &[u8]| -> Result<Option<String>> {
        if path.is_empty() {
            return Ok(None);
        }
        let path = PathBuf::from(std::str::from_utf8(path)?);
        let path = path.strip_prefix(root).context("a path outside the folder")?;
        Ok(Some(path.to_str().context("path")?.to_owned()))
    };
    let named = || within(path)?.context("no path");
    let action = match short(4) {
        format::LOADED => Action::Loaded,
        format::OPEN => Action::Open { file, path: named()?, flags: a as i32, mode: b as u32 },
        format::WRITE => Action::Write { file, at: a, bytes: b, data },
        format::RESIZE => Action::Resize { file, size: a },
        format::SYNC_BEGIN => Action::SyncBegin { file, number: a, data_only: b == 1 },
        format::SYNC_END => Action::SyncEnd { file, number: a, errno: b },
        format::SYNC_RANGE => Action::SyncRange { file },
        format::RENAME => Action::Rename { from: within(path)?, to: within(&bytes[data])? },
        format::UNLINK => Action::Unlink { path: named()? },
        format::MKDIR => Action::MakeFolder { path: named()?, mode: a as u32 },
        format::RMDIR => Action::RemoveFolder { path: named()? },
        format::LINK => Action::Link { from: within(path)?, to: within(&bytes[data])? },
        format::MARK => Action::Mark { data },
        format::FAULT => Action::Fault { file },
        kind => bail!("records of kind {kind} are not known"),
    };
    Ok((Recorded { process, action }, end))
}

/// Appends a mark with one write, as the recorder appends its records.
pub(super) fn append_mark(log: &Path, data: &[u8]) -> Result<()> {
    let head = format::head(format::MARK, std::process::id(), 0, (0, 0), 0, data.len());
    let mut file = File::options().append(true).create(true).open(log)?;
    let record = [&head[..], data].concat();
    let written = file.write(&record)?;
    ensure!(written == record.len(), "the mark was not written whole");
    Ok(())
}
