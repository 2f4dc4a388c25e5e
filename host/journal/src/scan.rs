use std::path::PathBuf;

use crate::error::{Damage, JournalError};
use crate::hash::Hash;
use crate::journal::Head;
use crate::line::{self, LineRef};
use crate::lines::{LineReader, Piece, last_line};
use crate::segment::{Form, Segment};

/// The chain up to some line: what the next line must follow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    pub head: Head,
    group: u64,
    group_end: u64,
}

impl Chain {
    /// Before line 1.
    pub(crate) fn start() -> Self {
        Self { head: Head { seq: 0, hash: Hash::ZERO }, group: 0, group_end: 0 }
    }

    /// After the line `head`, the last of the group that began with line `group`.
    pub(crate) fn after(head: Head, group: u64) -> Self {
        Self { head, group, group_end: head.seq }
    }

    /// First line of the last line's group.
    pub(crate) fn group(&self) -> u64 {
        self.group
    }

    /// Whether the last line ended its group.
    pub(crate) fn is_whole(&self) -> bool {
        self.head.seq == self.group_end
    }

    /// First line of the group that the next line belongs to.
    pub(crate) fn open_group(&self) -> u64 {
        if self.is_whole() { self.head.seq + 1 } else { self.group }
    }

    /// Checks that `text` is the next line, hash included.
    pub(crate) fn accept<'a>(&mut self, text: &'a [u8]) -> Result<LineRef<'a>, String> {
        let line = line::parse(text)?;
        if line::hash_of(text) != Some(line.hash) {
            return Err("hash does not match the line".into());
        }
        if line.seq != self.head.seq + 1 {
            return Err(format!("seq is {}, {} expected", line.seq, self.head.seq + 1));
        }
        if line.prev != self.head.hash {
            return Err("prev is not the hash of the line before".into());
        }
        self.enter_group(&line)?;
        self.head = Head { seq: line.seq, hash: line.hash };
        Ok(line)
    }

    fn enter_group(&mut self, line: &LineRef<'_>) -> Result<(), String> {
        let end = line.group.checked_add(line.size).map(|e| e - 1);
        let end = end.filter(|_| line.size > 0).ok_or("group or size out of range")?;
        if line.group != self.open_group() || (!self.is_whole() && end != self.group_end) {
            return Err(format!("group {} of {} lines does not follow", line.group, line.size));
        }
        (self.group, self.group_end) = (line.group, end);
        Ok(())
    }

    /// The chain at the end of a segment that is not the last and has no seal: from the last line
    /// alone, if it is a plain one.
    pub(crate) fn at_end_of(segment: &Segment, before: Self) -> Result<Self, JournalError> {
        if segment.form == Form::Gz {
            return scan(&mut LineReader::open(segment)?, before, u64::MAX)?.into_whole();
        }
        let (offset, bytes) = last_line(segment)?;
        let damaged = |reason: String| {
            let segment = segment.path.clone();
            JournalError::Damaged(Damage { segment, line: 0, offset, reason })
        };
        let Some(text) = bytes.strip_suffix(b"\n") else {
            return Err(damaged("a segment that is not the last does not end with a line".into()));
        };
        let line = line::parse(text).map_err(&damaged)?;
        if line::hash_of(text) != Some(line.hash) {
            return Err(damaged("hash does not match the line".into()));
        }
        if line.seq != line.group.saturating_add(line.size).saturating_sub(1) {
            return Err(damaged("the segment ends inside a group".into()));
        }
        Ok(Self::after(Head { seq: line.seq, hash: line.hash }, line.group))
    }
}

/// A place in a segment after a whole group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub chain: Chain,
    pub offset: u64,
    pub lines: u64,
}

/// What a scan of one segment found.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The file.
    pub path: PathBuf,
    /// After the last whole group.
    pub whole: Mark,
    /// The first thing that does not belong, if any; a group without its last lines is one.
    pub bad: Option<Damage>,
    /// The last line is whole but for its `\n`.
    pub newline_missing: bool,
}

impl Scan {
    /// The chain at the end of a segment in which nothing may be wrong.
    pub(crate) fn into_whole(self) -> Result<Chain, JournalError> {
        let newline = self.newline_damage();
        match self.bad.or(newline) {
            Some(bad) => Err(JournalError::Damaged(bad)),
            None => Ok(self.whole.chain),
        }
    }

    /// The missing line break as damage, where it may not be missing.
    fn newline_damage(&self) -> Option<Damage> {
        self.newline_missing.then(|| Damage {
            segment: self.path.clone(),
            line: self.whole.lines,
            offset: self.whole.offset,
            reason: "the last line has no line break".into(),
        })
    }
}

/// Reads lines from a segment's first on and checks that they continue `chain`, up to line `until`
/// or the end of the file.
pub(crate) fn scan(
    reader: &mut LineReader,
    chain: Chain,
    until: u64,
) -> Result<Scan, JournalError> {
    scan_each(reader, chain, until, &mut |_, _| {})
}

/// The same; `each` sees every good line and the byte at which it begins.
pub(crate) fn scan_each(
    reader: &mut LineReader,
    mut chain: Chain,
    until: u64,
    each: &mut dyn FnMut(&LineRef<'_>, u64),
) -> Result<Scan, JournalError> {
    let path = reader.path.clone();
    let mut whole = Mark { chain, offset: 0, lines: 0 };
    let mut newline_missing = false;
    let damage = |line: u64, offset, reason: String| {
        Some(Damage { segment: path.clone(), line, offset, reason })
    };
    let bad = loop {
        if chain.head.seq >= until {
            break None;
        }
        let (number, begin) = (reader.lines + 1, reader.offset);
        let accepted = match reader.next_piece()? {
            None if chain.is_whole() => break None,
            None => {
                let reason = format!("the file ends inside the group of line {}", chain.group);
                break damage(number, begin, reason);
            }
            Some(Piece::TooLong) => break damage(number, begin, "line is too long".into()),
            Some(Piece::Line(text)) => chain.accept(text),
            Some(Piece::Unterminated(text)) => {
                newline_missing = true;
                chain.accept(text)
            }
        };
        match accepted {
            Err(reason) => break damage(number, begin, reason),
            Ok(line) => each(&line, begin),
        }
        reader.note(begin, chain.head.seq);
        if chain.is_whole() {
            whole = Mark { chain, offset: reader.offset, lines: reader.lines };
        }
    };
    let newline_missing = newline_missing && bad.is_none();
    Ok(Scan { path, whole, bad, newline_missing })
}
