use std::path::Path;

use crate::error::{Damage, JournalError};
use crate::journal::Head;
use crate::lines::LineReader;
use crate::recover::{check_name, check_torn};
use crate::scan::{Chain, Scan, scan_each};
use crate::seal::Seal;
use crate::segment::{self, Form, Segment};

/// Lines between two reports of progress.
const REPORT_EVERY_LINES: u64 = 1024;

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Last line checked.
    pub seq: u64,
    /// Bytes checked.
    pub done_bytes: u64,
    /// Bytes of the lines of all segments, uncompressed.
    pub total_bytes: u64,
}

/// What a verification found, when nothing acknowledged is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segments read.
    pub segments: usize,
    /// Groups found whole.
    pub groups: u64,
    /// Bytes of lines found whole, uncompressed.
    pub bytes: u64,
    /// The last whole line; its `seq` is the number of lines.
    pub head: Head,
    /// An unfinished write at the end, which the next [`Journal::open`](crate::Journal::open) will
    /// cut off.
    pub torn: Option<Damage>,
}

/// Damage that is another one each time is looked for again, at most so often.
const LOOKS_MAX: usize = 5;

/// Recomputes the whole chain and compares the seals with it, one line in memory at a time. Takes no
/// lock and writes nothing: beside a running writer, `until` names the last acknowledged line, and what
/// follows is not looked at; `None` reads to the end.
pub fn verify(
    dir: &Path,
    until: Option<u64>,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyReport, JournalError> {
    let mut result = verify_once(dir, until, progress);
    // A segment that is sealed while the folder is listed may be missing there. Damage stays.
    for _ in 0..LOOKS_MAX {
        let Err(JournalError::Damaged(before)) = &result else { break };
        let again = verify_once(dir, until, progress);
        if matches!(&again, Err(JournalError::Damaged(now)) if now == before) {
            break;
        }
        result = again;
    }
    result
}

fn verify_once(
    dir: &Path,
    until: Option<u64>,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyReport, JournalError> {
    let segments = segment::list(dir)?;
    let total_bytes = segments.iter().map(|s| plain_bytes(dir, s)).sum();
    let mut report =
        VerifyReport { segments: 0, groups: 0, bytes: 0, head: Chain::start().head, torn: None };
    let mut chain = Chain::start();
    for (index, segment) in segments.iter().enumerate() {
        if until.is_some_and(|until| chain.head.seq >= until) {
            break;
        }
        check_name(segment, &chain)?;
        let before_bytes = report.bytes;
        let mut reader = LineReader::open_with(segment, true)?;
        // Loaded after the file was opened: a compressed one has its seal by then.
        let seal = Seal::load(dir, segment.first_seq)?;
        let found =
            scan_each(&mut reader, chain, until.unwrap_or(u64::MAX), &mut |line, begin| {
                report.groups += u64::from(line.seq == line.group + (line.size - 1));
                if line.seq.is_multiple_of(REPORT_EVERY_LINES) {
                    let done_bytes = before_bytes + begin;
                    progress(Progress { seq: line.seq, done_bytes, total_bytes });
                }
            })?;
        let is_last = index + 1 == segments.len() && until.is_none();
        let before = std::mem::replace(&mut chain, found.whole.chain);
        report.segments += 1;
        report.bytes += found.whole.offset;
        match seal {
            Some(seal) => check_seal(dir, &mut reader, found, &before, &seal)?,
            None => report.torn = check_end(found, is_last && !reader.is_gz())?,
        }
        if reader.is_reserving && index + 1 < segments.len() {
            let (segment, line, offset) = (reader.path.clone(), reader.lines, reader.offset);
            let reason = "zeros follow the last line".into();
            return Err(JournalError::Damaged(Damage { segment, line, offset, reason }));
        }
    }
    report.head = chain.head;
    progress(Progress { seq: chain.head.seq, done_bytes: report.bytes, total_bytes });
    match until {
        Some(until) if report.head.seq < until => Err(ends_early(dir, report.head.seq, until)),
        _ => Ok(report),
    }
}

fn plain_bytes(dir: &Path, segment: &Segment) -> u64 {
    let seal = match segment.form {
        Form::Plain => None,
        // What is wrong with a seal is told when its segment is read.
        Form::Gz => Seal::load(dir, segment.first_seq).ok().flatten(),
    };
    seal.map_or(segment.bytes, |seal| seal.bytes)
}

/// Compares a sealed segment with its seal, if it was read to its end.
fn check_seal(
    dir: &Path,
    reader: &mut LineReader,
    found: Scan,
    before: &Chain,
    seal: &Seal,
) -> Result<(), JournalError> {
    let end = found.into_whole()?;
    if reader.next_piece()?.is_some() {
        return Ok(());
    }
    let gz = match reader.gz_seal() {
        Some(Ok(gz)) => Some(gz),
        Some(Err(reason)) => {
            let (segment, reason) = (reader.path.clone(), reason.into());
            return Err(JournalError::Damaged(Damage { segment, line: 0, offset: 0, reason }));
        }
        None => seal.gz.clone(),
    };
    seal.compare(&Seal::new(before, &end, reader.offset, gz), dir, &reader.path)
}

/// Only the very end of the last segment may be torn, and nothing before an acknowledged line.
fn check_end(found: Scan, may_be_torn: bool) -> Result<Option<Damage>, JournalError> {
    if !may_be_torn {
        return found.into_whole().map(|_| None);
    }
    if let Some(bad) = &found.bad {
        check_torn(&found, bad)?;
    }
    Ok(found.bad)
}

fn ends_early(dir: &Path, seq: u64, until: u64) -> JournalError {
    let reason = format!("the journal ends with line {seq}, but {until} was acknowledged");
    JournalError::Damaged(Damage { segment: dir.into(), line: 0, offset: 0, reason })
}
