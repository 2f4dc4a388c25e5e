use crate::error::{Damage, JournalError};
use crate::hash::Hash;
use crate::journal::Head;
use crate::line::{self, LineRef};
use crate::segment::{LineReader, Piece, Segment, last_line};

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

    /// The chain at the end of a sealed segment, from its last line alone.
    pub(crate) fn at_end_of(segment: &Segment) -> Result<Self, JournalError> {
        let (offset, bytes) = last_line(segment)?;
        let damaged = |reason: String| {
            let segment = segment.path.clone();
            JournalError::Damaged(Damage { segment, line: 0, offset, reason })
        };
        let Some(text) = bytes.strip_suffix(b"\n") else {
            return Err(damaged("a sealed segment does not end with a line".into()));
        };
        let line = line::parse(text).map_err(&damaged)?;
        if line::hash_of(text) != Some(line.hash) {
            return Err(damaged("hash does not match the line".into()));
        }
        let group_end = line.group.saturating_add(line.size).saturating_sub(1);
        if line.seq != group_end {
            return Err(damaged("the segment ends inside a group".into()));
        }
        let head = Head { seq: line.seq, hash: line.hash };
        Ok(Self { head, group: line.group, group_end })
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
    /// After the last whole group.
    pub whole: Mark,
    /// The first thing that does not belong, if any; a group without its last lines is one.
    pub bad: Option<Damage>,
    /// The last line is whole but for its `\n`.
    pub newline_missing: bool,
}

/// Reads lines of `segment` from its first on and checks that they continue `chain`, up to line
/// `until` or the end of the file. `each` sees every good line and the byte at
/// which it begins.
pub(crate) fn scan(
    segment: &Segment,
    mut chain: Chain,
    until: u64,
    each: &mut dyn FnMut(&LineRef<'_>, u64),
) -> Result<Scan, JournalError> {
    let mut reader = LineReader::open(&segment.path)?;
    let mut whole = Mark { chain, offset: 0, lines: 0 };
    let mut newline_missing = false;
    let damage = |line: u64, offset, reason: String| {
        Some(Damage { segment: segment.path.clone(), line, offset, reason })
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
        if chain.is_whole() {
            whole = Mark { chain, offset: reader.offset, lines: reader.lines };
        }
    };
    let newline_missing = newline_missing && bad.is_none();
    Ok(Scan { whole, bad, newline_missing })
}
