use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::disk::sync_dir;
use crate::error::{Damage, JournalError, io_error};
use crate::line;
use crate::lines::{LineReader, Piece};
use crate::scan::{Chain, Scan, scan};
use crate::seal::Seal;
use crate::segment::{self, Form, Segment};

const CUT_FILES_MAX: u32 = 9999;

/// What opening a journal found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segments in the folder.
    pub segments: usize,
    /// The torn last group that was cut off.
    pub cut: Option<Cut>,
    /// The last line was whole but for its line break, which was added.
    pub newline_added: bool,
}

/// Bytes that were cut off the end of the last segment: an unfinished write, never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The segment.
    pub segment: PathBuf,
    /// Byte from which on it was cut.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Sequence number that the first cut line had or would have had.
    pub first_seq: u64,
    /// What was wrong with them.
    pub reason: String,
    /// Where they are kept.
    pub kept_in: PathBuf,
}

/// A journal as it was found; nothing is changed yet.
#[derive(Debug)]
pub(crate) struct Examined {
    pub segments: usize,
    /// After the last whole group.
    pub chain: Chain,
    /// The last segment, if it is to be continued. A sealed one is not: the next line begins another.
    pub open: Option<OpenEnd>,
}

/// A last segment that more lines can be appended to.
#[derive(Debug)]
pub(crate) struct OpenEnd {
    segment: Segment,
    found: Scan,
}

/// Checks the links between the segments, by their seals as far as there are any, and every line of
/// the last one if it has no seal.
pub(crate) fn examine(dir: &Path) -> Result<Examined, JournalError> {
    let list = segment::list(dir)?;
    let segments = list.len();
    let mut chain = Chain::start();
    let Some((last, others)) = list.split_last() else {
        return Ok(Examined { segments, chain, open: None });
    };
    for segment in others {
        chain = pass(dir, segment, chain)?;
    }
    if last.is_sealed || last.form == Form::Gz {
        chain = pass(dir, last, chain)?;
        return Ok(Examined { segments, chain, open: None });
    }
    check_name(last, &chain)?;
    let found = scan(&mut LineReader::open(last)?, chain, u64::MAX)?;
    if let Some(bad) = &found.bad {
        check_torn(&found, bad)?;
    }
    chain = found.whole.chain;
    Ok(Examined { segments, chain, open: Some(OpenEnd { segment: last.clone(), found }) })
}

/// The chain after a segment that is not read as a whole.
fn pass(dir: &Path, segment: &Segment, chain: Chain) -> Result<Chain, JournalError> {
    check_name(segment, &chain)?;
    if let Some(seal) = Seal::load(dir, segment.first_seq)? {
        return seal.follow(segment, &chain);
    }
    check_first_line(segment, chain)?;
    Chain::at_end_of(segment, chain)
}

/// What becomes of a torn end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Torn {
    /// Its bytes are kept in a file beside.
    Keep,
    /// They are dropped: the journal this is a copy of has them all.
    Drop,
}

/// The file that is continued.
#[derive(Debug)]
pub(crate) struct Append {
    pub path: PathBuf,
    pub bytes: u64,
}

impl Examined {
    /// Repairs the end and makes sure that everything accepted is on disk, because what is accepted
    /// now counts as acknowledged.
    pub(crate) fn repair(
        self,
        dir: &Path,
        torn: Torn,
    ) -> Result<(Option<Append>, Recovery), JournalError> {
        let mut recovery = Recovery { segments: self.segments, ..Recovery::default() };
        let Some(OpenEnd { segment, found }) = self.open else { return Ok((None, recovery)) };
        let path = segment.path;
        let mut bytes = found.whole.offset;
        if let Some(bad) = &found.bad {
            match torn {
                Torn::Keep => recovery.cut = Some(cut(dir, &path, &found, bad)?),
                Torn::Drop => truncate(&path, bytes)?,
            }
        } else if found.newline_missing {
            add_newline(&path, bytes).map_err(io_error("repair", &path))?;
            recovery.newline_added = true;
            bytes += 1;
        }
        let reserved = path.metadata().map_err(io_error("stat", &path))?.len() > bytes;
        if reserved {
            truncate(&path, bytes)?;
        }
        let synced = File::open(&path).and_then(|f| f.sync_all()).and_then(|()| sync_dir(dir));
        synced.map_err(io_error("sync", &path))?;
        Ok((Some(Append { path, bytes }), recovery))
    }
}

/// The segment must begin where the one before ends.
pub(crate) fn check_name(segment: &Segment, before: &Chain) -> Result<(), JournalError> {
    let expected = before.head.seq + 1;
    if segment.first_seq == expected {
        return Ok(());
    }
    let reason = format!(
        "the segment begins with line {} by its name, but {expected} comes next: a segment is missing, \
         cut short or does not belong here",
        segment.first_seq
    );
    Err(JournalError::Damaged(Damage { segment: segment.path.clone(), line: 1, offset: 0, reason }))
}

fn check_first_line(segment: &Segment, mut chain: Chain) -> Result<(), JournalError> {
    let mut reader = LineReader::open(segment)?;
    let reason = match reader.next_piece()? {
        Some(Piece::Line(text)) => match chain.accept(text) {
            Ok(_) => return Ok(()),
            Err(reason) => reason,
        },
        _ => "no line".into(),
    };
    Err(JournalError::Damaged(Damage { segment: segment.path.clone(), line: 1, offset: 0, reason }))
}

/// Whether what is bad at the end of the last segment is a torn write of its last group. Lines of
/// that group may have reached the disk in any order; any other whole line was acknowledged, or is
/// something this program does not understand, and must not be cut.
pub(crate) fn check_torn(found: &Scan, bad: &Damage) -> Result<(), JournalError> {
    let mut tail = Vec::new();
    let mut read = || -> io::Result<()> {
        let mut file = File::open(&found.path)?;
        file.seek(SeekFrom::Start(bad.offset))?;
        file.read_to_end(&mut tail).map(drop)
    };
    read().map_err(io_error("read", &found.path))?;
    let torn_group = found.whole.chain.open_group();
    let Some((at, text)) = whole_lines(&tail)
        .find(|(_, text)| !line::parse(text).is_ok_and(|line| line.group == torn_group))
    else {
        return Ok(());
    };
    let seq = line::seq_of(text).unwrap_or_default();
    let after = bad.offset + at as u64;
    let reason = match at {
        0 => bad.reason.clone(),
        _ => format!("{}; a whole line {seq} follows at byte {after}", bad.reason),
    };
    Err(JournalError::Damaged(Damage { reason, ..bad.clone() }))
}

/// Every line with a right hash of its own, also behind garbage that swallowed its line break.
fn whole_lines(tail: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    const START: &[u8] = br#"{"v":"#;
    let starts = tail.windows(START.len()).enumerate().filter(|(_, window)| *window == START);
    starts.filter_map(|(at, _)| {
        let text = &tail[at..];
        line::seq_of(text)?;
        let end = text.iter().take(line::LINE_BYTES_CEILING).position(|c| *c == b'\n');
        let text = &text[..end.unwrap_or(text.len())];
        line::is_self_consistent(text).then_some((at, text))
    })
}

fn cut(dir: &Path, segment: &Path, found: &Scan, bad: &Damage) -> Result<Cut, JournalError> {
    let offset = found.whole.offset;
    let (kept_in, bytes) = keep(segment, offset)?;
    sync_dir(dir).map_err(io_error("sync", dir))?;
    truncate(segment, offset)?;
    let cut = Cut {
        segment: segment.into(),
        offset,
        bytes,
        first_seq: found.whole.chain.head.seq + 1,
        reason: bad.reason.clone(),
        kept_in,
    };
    tracing::warn!(
        segment = %cut.segment.display(), offset, bytes, first_seq = cut.first_seq,
        kept_in = %cut.kept_in.display(), reason = %cut.reason,
        "journal ended in an unfinished write, which was never acknowledged; it was cut off"
    );
    Ok(cut)
}

pub(crate) fn truncate(path: &Path, bytes: u64) -> Result<(), JournalError> {
    let file = OpenOptions::new().write(true).open(path);
    let cut = file.and_then(|f| f.set_len(bytes).and_then(|()| f.sync_all()));
    cut.map_err(io_error("cut the torn end off", path))
}

/// Copies everything from `offset` on into a new file beside the segment.
fn keep(segment: &Path, offset: u64) -> Result<(PathBuf, u64), JournalError> {
    for n in 1..=CUT_FILES_MAX {
        let mut name = segment.as_os_str().to_owned();
        name.push(format!(".cut-{n}"));
        let path = PathBuf::from(name);
        let mut copy = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(copy) => copy,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(io_error("create", path)(e)),
        };
        let mut write = || -> io::Result<u64> {
            let mut file = File::open(segment)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut tail = Vec::new();
            file.read_to_end(&mut tail)?;
            // Behind what was written there may be reserved space.
            tail.truncate(tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
            copy.write_all(&tail)?;
            copy.sync_all()?;
            Ok(tail.len() as u64)
        };
        let bytes = write().map_err(io_error("write", &path))?;
        return Ok((path, bytes));
    }
    let full = io::Error::other(format!("{CUT_FILES_MAX} cut files are there already"));
    Err(io_error("keep the torn end of", segment)(full))
}

fn add_newline(path: &Path, offset: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all_at(b"\n", offset)
}
