//! Which segments a folder holds, and in which form.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Damage, JournalError, io_error};

/// The folder is listed again when it changed meanwhile, at most so often.
const LISTINGS_MAX: usize = 10;

/// How the lines of a segment are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `….jsonl`
    Plain,
    /// `….jsonl.gz`
    Gz,
}

/// A segment: the plain file, or the compressed one when there is no plain one.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub first_seq: u64,
    /// The file that is read.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    pub form: Form,
    /// There is a compressed file, too.
    pub has_gz: bool,
    /// There is a seal.
    pub is_sealed: bool,
}

impl Segment {
    /// The segment that begins with line `first_seq`, if there is one.
    pub(crate) fn at(dir: &Path, first_seq: u64) -> Result<Option<Self>, JournalError> {
        // In this order: the plain file goes only when the other two are there.
        let mut found = Found::default();
        for kind in [Kind::Plain, Kind::Gz, Kind::Seal] {
            let path = dir.join(file_name(first_seq, kind));
            match path.metadata() {
                Ok(data) => found.add(kind, data.len()),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(io_error("stat", path)(e)),
            }
        }
        found.into_segment(dir, first_seq).transpose()
    }

    fn sibling(&self, kind: Kind) -> PathBuf {
        self.path.with_file_name(file_name(self.first_seq, kind))
    }

    pub(crate) fn plain_path(&self) -> PathBuf {
        self.sibling(Kind::Plain)
    }

    pub(crate) fn gz_path(&self) -> PathBuf {
        self.sibling(Kind::Gz)
    }

    pub(crate) fn seal_path(&self) -> PathBuf {
        self.sibling(Kind::Seal)
    }
}

/// The files of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Gz,
    Seal,
}

impl Kind {
    const ALL: [(Self, &str); 3] =
        [(Self::Plain, ".jsonl"), (Self::Gz, ".jsonl.gz"), (Self::Seal, ".seal")];

    fn ending(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, ending)| ending)
    }
}

/// Name of a file of the segment whose first line is `first_seq`.
pub(crate) fn file_name(first_seq: u64, kind: Kind) -> String {
    format!("{first_seq:016}{}", kind.ending())
}

/// Ending of a file that is being written and counts for nothing.
pub(crate) const PART: &str = "part";

pub(crate) fn is_part_name(name: &OsStr) -> bool {
    let whole = name.to_str().and_then(|name| name.strip_suffix(PART)?.strip_suffix('.'));
    whole.and_then(parse_name).is_some()
}

fn parse_name(name: &str) -> Option<(u64, Kind)> {
    let (digits, ending) = name.split_at_checked(16)?;
    digits.bytes().all(|c| c.is_ascii_digit()).then_some(())?;
    let (kind, _) = Kind::ALL.into_iter().find(|(_, known)| *known == ending)?;
    Some((digits.parse().ok()?, kind))
}

/// Sizes of the files of one segment.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    plain: Option<u64>,
    gz: Option<u64>,
    seal: bool,
}

impl Found {
    fn add(&mut self, kind: Kind, bytes: u64) {
        match kind {
            Kind::Plain => self.plain = Some(bytes),
            Kind::Gz => self.gz = Some(bytes),
            Kind::Seal => self.seal = true,
        }
    }

    fn into_segment(self, dir: &Path, first_seq: u64) -> Option<Result<Segment, JournalError>> {
        let (form, kind, bytes) = match (self.plain, self.gz) {
            (Some(bytes), _) => (Form::Plain, Kind::Plain, bytes),
            (None, Some(bytes)) => (Form::Gz, Kind::Gz, bytes),
            (None, None) if self.seal => return Some(Err(lost(dir, first_seq))),
            (None, None) => return None,
        };
        let path = dir.join(file_name(first_seq, kind));
        let (has_gz, is_sealed) = (self.gz.is_some(), self.seal);
        Some(Ok(Segment { first_seq, path, bytes, form, has_gz, is_sealed }))
    }

    fn has_lines(&self) -> bool {
        self.plain.is_some() || self.gz.is_some()
    }
}

fn lost(dir: &Path, first_seq: u64) -> JournalError {
    let segment = dir.join(file_name(first_seq, Kind::Plain));
    let reason = "the segment is missing: only its seal is there".into();
    JournalError::Damaged(Damage { segment, line: 0, offset: 0, reason })
}

/// All segments of the folder in order. Other files (lock, cut tails) are none of its business.
///
/// While a folder is listed, a segment may turn from plain to compressed, and neither file be seen. That
/// happens to a segment once. So it is listed until a listing has every segment of the one before, and
/// no new one, whose predecessor it may have missed; while segments come faster than that, at most
/// [`LISTINGS_MAX`] times.
pub(crate) fn list(dir: &Path) -> Result<Vec<Segment>, JournalError> {
    let mut before = entries(dir)?;
    for _ in 1..LISTINGS_MAX {
        let now = entries(dir)?;
        let is_whole = now.values().all(Found::has_lines) && now.keys().eq(before.keys());
        before = now;
        if is_whole {
            break;
        }
    }
    before.into_iter().filter_map(|(seq, found)| found.into_segment(dir, seq)).collect()
}

fn entries(dir: &Path) -> Result<BTreeMap<u64, Found>, JournalError> {
    let mut found: BTreeMap<u64, Found> = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(io_error("list", dir))? {
        let entry = entry.map_err(io_error("list", dir))?;
        let Some((first_seq, kind)) = entry.file_name().to_str().and_then(parse_name) else {
            continue;
        };
        match entry.metadata() {
            Ok(data) => found.entry(first_seq).or_default().add(kind, data.len()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(io_error("stat", entry.path())(e)),
        }
    }
    Ok(found)
}
