use std::path::Path;

use crate::error::{Damage, JournalError};
use crate::journal::Head;
use crate::recover::{check_name, check_torn};
use crate::scan::{Chain, Scan, scan};
use crate::segment::{self, Segment};

/// Lines between two reports of progress.
const REPORT_EVERY_LINES: u64 = 1024;

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Last line checked.
    pub seq: u64,
    /// Bytes checked.
    pub done_bytes: u64,
    /// Bytes of all segments.
    pub total_bytes: u64,
}

/// What a verification found, when nothing acknowledged is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segments read.
    pub segments: usize,
    /// Groups found whole.
    pub groups: u64,
    /// Bytes found whole.
    pub bytes: u64,
    /// The last whole line; its `seq` is the number of lines.
    pub head: Head,
    /// An unfinished write at the end, which the next [`Journal::open`](crate::Journal::open) will
    /// cut off.
    pub torn: Option<Damage>,
}

/// Recomputes the whole chain. Takes no lock and writes nothing: beside a running writer, `until`
/// names the last acknowledged line, and what follows is not looked at; `None` reads to the end.
pub fn verify(
    dir: &Path,
    until: Option<u64>,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyReport, JournalError> {
    let segments = segment::list(dir)?;
    let total_bytes = segments.iter().map(|s| s.bytes).sum();
    let mut report =
        VerifyReport { segments: 0, groups: 0, bytes: 0, head: Chain::start().head, torn: None };
    let mut chain = Chain::start();
    for (index, segment) in segments.iter().enumerate() {
        if until.is_some_and(|until| chain.head.seq >= until) {
            break;
        }
        check_name(segment, &chain)?;
        let before_bytes = report.bytes;
        let found = scan(segment, chain, until.unwrap_or(u64::MAX), &mut |line, begin| {
            report.groups += u64::from(line.seq == line.group + (line.size - 1));
            if line.seq.is_multiple_of(REPORT_EVERY_LINES) {
                let done_bytes = before_bytes + begin;
                progress(Progress { seq: line.seq, done_bytes, total_bytes });
            }
        })?;
        let may_be_torn = index + 1 == segments.len() && until.is_none();
        chain = found.whole.chain;
        report.segments += 1;
        report.bytes += found.whole.offset;
        report.torn = check_end(segment, found, may_be_torn)?;
    }
    report.head = chain.head;
    progress(Progress { seq: chain.head.seq, done_bytes: report.bytes, total_bytes });
    match until {
        Some(until) if report.head.seq < until => Err(ends_early(dir, report.head.seq, until)),
        _ => Ok(report),
    }
}

/// Only the very end of the last segment may be torn, and nothing before an acknowledged line.
fn check_end(
    segment: &Segment,
    found: Scan,
    may_be_torn: bool,
) -> Result<Option<Damage>, JournalError> {
    match &found.bad {
        Some(bad) if !may_be_torn => Err(JournalError::Damaged(bad.clone())),
        Some(bad) => {
            check_torn(segment, &found, bad)?;
            Ok(found.bad)
        }
        None if found.newline_missing && !may_be_torn => Err(JournalError::Damaged(Damage {
            segment: segment.path.clone(),
            line: found.whole.lines,
            offset: found.whole.offset,
            reason: "the last line has no line break".into(),
        })),
        None => Ok(None),
    }
}

fn ends_early(dir: &Path, seq: u64, until: u64) -> JournalError {
    let reason = format!("the journal ends with line {seq}, but {until} was acknowledged");
    JournalError::Damaged(Damage { segment: dir.into(), line: 0, offset: 0, reason })
}
