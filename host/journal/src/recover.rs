use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::disk::sync_dir;
use crate::error::{Damage, JournalError, io_error};
use crate::line;
use crate::scan::{Chain, Scan, scan};
use crate::segment::{LineReader, Piece, Segment};

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

/// Checks the segments, repairs the tail and makes sure that everything accepted is on disk, because
/// what is accepted now counts as acknowledged. Gives the chain and the size of the last segment.
pub(crate) fn recover(
    dir: &Path,
    segments: &[Segment],
) -> Result<(Chain, u64, Recovery), JournalError> {
    let mut recovery = Recovery { segments: segments.len(), ..Recovery::default() };
    let Some((last, sealed)) = segments.split_last() else {
        return Ok((Chain::start(), 0, recovery));
    };
    let mut chain = Chain::start();
    for segment in sealed {
        check_name(segment, &chain)?;
        check_first_line(segment, chain)?;
        chain = Chain::at_end_of(segment)?;
    }
    check_name(last, &chain)?;
    let found = scan(last, chain, u64::MAX, &mut |_, _| {})?;
    let mut bytes = found.whole.offset;
    if let Some(bad) = &found.bad {
        check_torn(last, &found, bad)?;
        recovery.cut = Some(cut(dir, last, &found, bad)?);
    } else if found.newline_missing {
        add_newline(&last.path).map_err(io_error("repair", &last.path))?;
        recovery.newline_added = true;
        bytes += 1;
    }
    let synced = File::open(&last.path).and_then(|f| f.sync_all()).and_then(|()| sync_dir(dir));
    synced.map_err(io_error("sync", &last.path))?;
    Ok((found.whole.chain, bytes, recovery))
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
    let mut reader = LineReader::open(&segment.path)?;
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
pub(crate) fn check_torn(
    segment: &Segment,
    found: &Scan,
    bad: &Damage,
) -> Result<(), JournalError> {
    let mut tail = Vec::new();
    let mut read = || -> io::Result<()> {
        let mut file = File::open(&segment.path)?;
        file.seek(SeekFrom::Start(bad.offset))?;
        file.read_to_end(&mut tail).map(drop)
    };
    read().map_err(io_error("read", &segment.path))?;
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

fn cut(dir: &Path, segment: &Segment, found: &Scan, bad: &Damage) -> Result<Cut, JournalError> {
    let offset = found.whole.offset;
    let (kept_in, bytes) = keep(segment, offset)?;
    sync_dir(dir).map_err(io_error("sync", dir))?;
    let file = OpenOptions::new().write(true).open(&segment.path);
    let cut = file.and_then(|f| f.set_len(offset).and_then(|()| f.sync_all()));
    cut.map_err(io_error("cut the torn end off", &segment.path))?;
    let cut = Cut {
        segment: segment.path.clone(),
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

/// Copies everything from `offset` on into a new file beside the segment.
fn keep(segment: &Segment, offset: u64) -> Result<(PathBuf, u64), JournalError> {
    for n in 1..=CUT_FILES_MAX {
        let mut name = segment.path.clone().into_os_string();
        name.push(format!(".cut-{n}"));
        let path = PathBuf::from(name);
        let mut copy = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(copy) => copy,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(io_error("create", path)(e)),
        };
        let mut write = || -> io::Result<u64> {
            let mut file = File::open(&segment.path)?;
            file.seek(SeekFrom::Start(offset))?;
            let bytes = io::copy(&mut file, &mut copy)?;
            copy.sync_all()?;
            Ok(bytes)
        };
        let bytes = write().map_err(io_error("write", &path))?;
        return Ok((path, bytes));
    }
    let full = io::Error::other(format!("{CUT_FILES_MAX} cut files are there already"));
    Err(io_error("keep the torn end of", &segment.path)(full))
}

fn add_newline(path: &Path) -> io::Result<()> {
    OpenOptions::new().append(true).open(path)?.write_all(b"\n")
}
