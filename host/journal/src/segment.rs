use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::{JournalError, io_error};
use crate::line::LINE_BYTES_CEILING;

/// A segment's file.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub first_seq: u64,
    pub path: PathBuf,
    pub bytes: u64,
}

/// Name of the segment whose first line is `first_seq`.
pub(crate) fn file_name(first_seq: u64) -> String {
    format!("{first_seq:016}.jsonl")
}

/// All segments of the folder in order. Other files (lock, cut tails) are none of its business.
pub(crate) fn list(dir: &Path) -> Result<Vec<Segment>, JournalError> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io_error("list", dir))? {
        let entry = entry.map_err(io_error("list", dir))?;
        let Some(first_seq) = entry.file_name().to_str().and_then(parse_name) else { continue };
        let path = entry.path();
        let bytes = entry.metadata().map_err(io_error("stat", &path))?.len();
        segments.push(Segment { first_seq, path, bytes });
    }
    segments.sort_by_key(|s| s.first_seq);
    Ok(segments)
}

fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".jsonl")?;
    (digits.len() == 16 && digits.bytes().all(|c| c.is_ascii_digit())).then_some(())?;
    digits.parse().ok()
}

/// What stands next in a segment.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    /// A line, without its `\n`.
    Line(&'a [u8]),
    /// The file ends without a `\n`.
    Unterminated(&'a [u8]),
    /// Longer than any line may be.
    TooLong,
}

/// Reads a segment line by line, with a bounded buffer.
#[derive(Debug)]
pub(crate) struct LineReader {
    pub path: PathBuf,
    file: BufReader<File>,
    buf: Vec<u8>,
    /// Byte at which the next line begins.
    pub offset: u64,
    /// Lines read so far.
    pub lines: u64,
}

impl LineReader {
    pub(crate) fn open(path: &Path) -> Result<Self, JournalError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        let file = BufReader::with_capacity(256 << 10, file);
        Ok(Self { path: path.into(), file, buf: Vec::new(), offset: 0, lines: 0 })
    }

    /// Continues at a byte where a line begins.
    pub(crate) fn seek(&mut self, offset: u64) -> Result<(), JournalError> {
        self.file.seek(SeekFrom::Start(offset)).map_err(io_error("seek in", &self.path))?;
        self.offset = offset;
        Ok(())
    }

    /// The next line; `None` at the end of the file, where it may be called again later.
    pub(crate) fn next_piece(&mut self) -> Result<Option<Piece<'_>>, JournalError> {
        self.buf.clear();
        read_line(&mut self.file, &mut self.buf).map_err(io_error("read", &self.path))?;
        if self.buf.is_empty() {
            return Ok(None);
        }
        self.offset += self.buf.len() as u64;
        self.lines += 1;
        Ok(Some(match self.buf.split_last() {
            Some((b'\n', line)) => Piece::Line(line),
            _ if self.buf.len() > LINE_BYTES_CEILING => Piece::TooLong,
            _ => Piece::Unterminated(&self.buf),
        }))
    }
}

fn read_line(file: &mut BufReader<File>, buf: &mut Vec<u8>) -> io::Result<usize> {
    file.by_ref().take(LINE_BYTES_CEILING as u64 + 1).read_until(b'\n', buf)
}

/// The last line of a segment, with its `\n`, and the byte at which it begins.
pub(crate) fn last_line(segment: &Segment) -> Result<(u64, Vec<u8>), JournalError> {
    let read = || -> io::Result<(u64, Vec<u8>)> {
        let mut file = File::open(&segment.path)?;
        let mut window = 64 << 10;
        loop {
            let start = segment.bytes.saturating_sub(window);
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = Vec::new();
            file.by_ref().take(segment.bytes - start).read_to_end(&mut bytes)?;
            let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            if let Some(newline) = text.iter().rposition(|c| *c == b'\n') {
                return Ok((start + newline as u64 + 1, bytes.split_off(newline + 1)));
            }
            if start == 0 || window > LINE_BYTES_CEILING as u64 {
                return Ok((start, bytes));
            }
            window *= 4;
        }
    };
    read().map_err(io_error("read", &segment.path))
}
