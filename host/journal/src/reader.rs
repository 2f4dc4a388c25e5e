use std::path::{Path, PathBuf};

use crate::error::{Damage, JournalError};
use crate::hash::Hash;
use crate::line::{self, Line, LineRef};
use crate::lines::{LineReader, Piece};
use crate::seal::Seal;
use crate::segment::{self, Segment};

/// Below this many bytes a segment is searched line by line.
const NEAR_BYTES: u64 = 64 << 10;

/// A line in the reader's buffer.
#[derive(Debug)]
pub(crate) struct RawLine<'a> {
    pub line: LineRef<'a>,
    /// Its bytes, without the `\n`.
    pub text: &'a [u8],
    /// First line of the segment it stands in.
    pub segment: u64,
}

/// Follows a journal, also while it is being written. Has file handles of its own.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    next_seq: u64,
    open: Option<LineReader>,
    /// What was committed, as far as known, when `open` last read ahead.
    committed_seq: u64,
    check_hashes: bool,
    prev: Option<Hash>,
}

impl Reader {
    /// A reader whose first line will be `from_seq` (0 is taken as 1). Touches no file yet.
    pub fn new(dir: &Path, from_seq: u64) -> Self {
        let next_seq = from_seq.max(1);
        let (open, committed_seq, prev) = (None, 0, None);
        Self { dir: dir.into(), next_seq, open, committed_seq, check_hashes: false, prev }
    }

    /// Also recomputes the hash of every line and compares `prev` with the line before.
    #[must_use]
    pub fn checking_hashes(mut self) -> Self {
        self.check_hashes = true;
        self
    }

    /// Sequence number of the line that comes next.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The next line, or `None` when that would be later than `committed_seq`; then it can be asked
    /// again once more is committed. The caller names what is committed, because what stands in the
    /// file beyond may be an unfinished write.
    pub fn read_up_to(&mut self, committed_seq: u64) -> Result<Option<Line>, JournalError> {
        self.next_with(committed_seq, |raw| raw.line.to_line())
    }

    /// The same for who wants the bytes.
    pub(crate) fn next_with<T>(
        &mut self,
        committed_seq: u64,
        take: impl FnOnce(&RawLine<'_>) -> T,
    ) -> Result<Option<T>, JournalError> {
        if self.next_seq > committed_seq {
            return Ok(None);
        }
        let mut take = Some(take);
        if std::mem::replace(&mut self.committed_seq, committed_seq) != committed_seq
            && let Some(file) = &mut self.open
        {
            // Beyond what was committed then, a failed write may have been read, which has since been
            // taken back and written over.
            file.forget_ahead()?;
        }
        loop {
            let mut file = match self.open.take() {
                Some(file) => file,
                None => self.open_segment()?,
            };
            if let Some(taken) = self.read_from(&mut file, &mut take)? {
                self.open = Some(file);
                return Ok(Some(taken));
            }
            // The segment has no more lines, so the next one begins a segment; if there is none,
            // what was committed is gone.
            let next = Segment::at(&self.dir, self.next_seq)?;
            let Some(next) = next.filter(|_| file.first_seq != self.next_seq) else {
                return Err(self.damage(&file, "the file ends before a committed line"));
            };
            self.open = Some(LineReader::open(&next)?);
        }
    }

    /// Also checks that the first line follows a line with this hash.
    pub(crate) fn after(mut self, hash: Hash) -> Self {
        self.prev = Some(hash);
        self.checking_hashes()
    }

    /// All lines from the next one to `committed_seq`; ends after an error.
    pub fn lines_up_to(
        &mut self,
        committed_seq: u64,
    ) -> impl Iterator<Item = Result<Line, JournalError>> {
        let mut failed = false;
        std::iter::from_fn(move || {
            if failed {
                return None;
            }
            let next = self.read_up_to(committed_seq).transpose();
            failed = matches!(next, Some(Err(_)));
            next
        })
    }

    /// The line `next_seq`, lines before it skipped; `None` at the end of the file.
    fn read_from<T>(
        &mut self,
        file: &mut LineReader,
        take: &mut Option<impl FnOnce(&RawLine<'_>) -> T>,
    ) -> Result<Option<T>, JournalError> {
        loop {
            let (begin, segment) = (file.offset, file.first_seq);
            let text = match file.next_piece()? {
                None => return Ok(None),
                Some(Piece::Line(text)) => text,
                Some(_) => return Err(self.damage(file, "a committed line is not whole")),
            };
            if line::seq_of(text).is_some_and(|seq| seq < self.next_seq) {
                continue;
            }
            return match self.check(text) {
                Ok(line) => {
                    (self.next_seq, self.prev) = (line.seq + 1, Some(line.hash));
                    let raw = RawLine { line, text, segment };
                    Ok(take.take().map(|take| take(&raw)))
                }
                Err(reason) => {
                    file.offset = begin;
                    Err(self.damage(file, &reason))
                }
            };
        }
    }

    fn check<'a>(&self, text: &'a [u8]) -> Result<LineRef<'a>, String> {
        let line = line::parse(text)?;
        if line.seq != self.next_seq {
            return Err(format!("seq is {}, {} expected", line.seq, self.next_seq));
        }
        if self.check_hashes {
            if line::hash_of(text) != Some(line.hash) {
                return Err("hash does not match the line".into());
            }
            if self.prev.is_some_and(|prev| prev != line.prev) {
                return Err("prev is not the hash of the line before".into());
            }
        }
        Ok(line)
    }

    fn open_segment(&self) -> Result<LineReader, JournalError> {
        let segments = segment::list(&self.dir)?;
        let holds = segments.iter().rev().find(|s| s.first_seq <= self.next_seq);
        let Some(segment) = holds else {
            let (segment, line, offset) = (self.dir.clone(), 0, 0);
            let reason = format!("no segment holds the committed line {}", self.next_seq);
            return Err(JournalError::Damaged(Damage { segment, line, offset, reason }));
        };
        let mut file = LineReader::open(segment)?;
        if !file.is_gz() {
            seek_near(&mut file, segment, self.next_seq)?;
        } else if let Some(seal) = Seal::load(&self.dir, segment.first_seq)?
            && let Some(start) = seal.gz.and_then(|gz| gz.member_of(self.next_seq))
        {
            file.seek_member(start)?;
        }
        Ok(file)
    }

    fn damage(&self, file: &LineReader, reason: &str) -> JournalError {
        JournalError::Damaged(Damage {
            segment: file.path.clone(),
            line: 0,
            offset: file.offset,
            reason: format!("{reason} (line {} was to be read)", self.next_seq),
        })
    }
}

/// Moves `file` to a line not after `seq`, by halving; anything odd counts as "after".
fn seek_near(file: &mut LineReader, segment: &Segment, seq: u64) -> Result<(), JournalError> {
    let (mut at_or_before, mut after) = (0, segment.bytes);
    while after - at_or_before > NEAR_BYTES {
        let middle = at_or_before + (after - at_or_before) / 2;
        file.seek(middle)?;
        // The middle of a line, most likely: its end is skipped.
        file.next_piece()?;
        let begin = file.offset;
        let found = match file.next_piece()? {
            Some(Piece::Line(text)) => line::seq_of(text),
            _ => None,
        };
        match found {
            Some(found) if found <= seq && begin < after => at_or_before = begin,
            _ => after = middle,
        }
    }
    file.seek(at_or_before)
}
