//! A segment read line by line, plain or compressed, with a bounded buffer.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use crate::error::{Damage, JournalError, io_error};
use crate::gz::{Members, Start};
use crate::line::LINE_BYTES_CEILING;
use crate::seal::{GzSeal, Member};
use crate::segment::{Form, Segment};

const BUFFER_BYTES: usize = 256 << 10;

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

#[derive(Debug)]
enum Source {
    Plain(BufReader<File>),
    Gz(BufReader<Members>),
    /// After a seek that failed.
    Closed,
}

/// Reads a segment line by line.
#[derive(Debug)]
pub(crate) struct LineReader {
    /// The file.
    pub path: PathBuf,
    /// Number of the segment's first line, by its name.
    pub first_seq: u64,
    source: Source,
    buf: Vec<u8>,
    /// Byte of the plain lines at which the next line begins.
    pub offset: u64,
    /// Lines read so far.
    pub lines: u64,
    /// Zeros were seen at the end, as a segment has them only while it is written.
    pub is_reserving: bool,
    /// Sequence numbers of the lines with which the members of a compressed segment begin.
    member_seqs: Vec<u64>,
}

impl LineReader {
    /// Opens the plain file, or the compressed one when the plain one is gone.
    pub(crate) fn open(segment: &Segment) -> Result<Self, JournalError> {
        Self::open_with(segment, false)
    }

    /// The same; of a compressed file also the SM3 is taken, for [`LineReader::gz_seal`].
    pub(crate) fn open_with(segment: &Segment, digest: bool) -> Result<Self, JournalError> {
        if segment.form == Form::Plain {
            match File::open(&segment.path) {
                Ok(file) => {
                    let source = Source::Plain(BufReader::with_capacity(BUFFER_BYTES, file));
                    return Ok(Self::new(segment.path.clone(), segment.first_seq, source));
                }
                // It was compressed since the folder was listed.
                Err(e) if e.kind() == io::ErrorKind::NotFound && segment.gz_path().exists() => {}
                Err(e) => return Err(io_error("open", &segment.path)(e)),
            }
        }
        Self::open_gz(segment.gz_path(), segment.first_seq, digest)
    }

    /// Opens a compressed file, whatever its name.
    pub(crate) fn open_gz(
        path: PathBuf,
        first_seq: u64,
        digest: bool,
    ) -> Result<Self, JournalError> {
        let file = File::open(&path).map_err(io_error("open", &path))?;
        let mut reader = Self::new(path, first_seq, Source::Closed);
        let members = Members::open(file, digest).map_err(|e| reader.failed(e))?;
        reader.source = Source::Gz(BufReader::with_capacity(BUFFER_BYTES, members));
        Ok(reader)
    }

    fn new(path: PathBuf, first_seq: u64, source: Source) -> Self {
        let (buf, member_seqs) = (Vec::new(), Vec::new());
        let (offset, lines, is_reserving) = (0, 0, false);
        Self { path, first_seq, source, buf, offset, lines, is_reserving, member_seqs }
    }

    pub(crate) fn is_gz(&self) -> bool {
        !matches!(self.source, Source::Plain(_))
    }

    /// Continues at a byte of a plain file where a line begins.
    pub(crate) fn seek(&mut self, offset: u64) -> Result<(), JournalError> {
        if let Source::Plain(file) = &mut self.source {
            file.seek(SeekFrom::Start(offset)).map_err(io_error("seek in", &self.path))?;
            self.offset = offset;
        }
        Ok(())
    }

    /// What of a plain file was read ahead of the next line is read again.
    pub(crate) fn forget_ahead(&mut self) -> Result<(), JournalError> {
        self.seek(self.offset)
    }

    /// Continues at a member of a compressed file; not to be used with a digest.
    pub(crate) fn seek_member(&mut self, start: Start) -> Result<(), JournalError> {
        if let Source::Gz(members) = std::mem::replace(&mut self.source, Source::Closed) {
            self.offset = start.plain;
            let members = members.into_inner().seek(start).map_err(|e| self.failed(e))?;
            self.source = Source::Gz(BufReader::with_capacity(BUFFER_BYTES, members));
        }
        Ok(())
    }

    /// The next line; `None` at the end of the file or where only reserved space follows, where it may
    /// be called again later.
    pub(crate) fn next_piece(&mut self) -> Result<Option<Piece<'_>>, JournalError> {
        self.read_line()?;
        if self.buf.contains(&0) && !self.is_gz() {
            // Reserved space, or read before it was written.
            self.seek(self.offset)?;
            self.read_line()?;
            let written = self.buf.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            if written < self.buf.len() {
                self.is_reserving = true;
                self.buf.truncate(written);
                self.seek(self.offset + written as u64)?;
                self.offset -= written as u64;
            }
        }
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

    fn read_line(&mut self) -> Result<(), JournalError> {
        self.buf.clear();
        let read = match &mut self.source {
            Source::Plain(file) => read_line(file, &mut self.buf),
            Source::Gz(members) => read_line(members, &mut self.buf),
            Source::Closed => Err(io::Error::other("a seek failed before")),
        };
        read.map(drop).map_err(|e| self.failed(e))
    }

    /// What the decompressor finds wrong is damage of the file; what the file system says is not.
    fn failed(&self, e: io::Error) -> JournalError {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        if self.is_gz() && matches!(e.kind(), InvalidData | InvalidInput | UnexpectedEof) {
            let (segment, line, offset) = (self.path.clone(), self.lines + 1, self.offset);
            let reason = format!("the compressed data is damaged: {e}");
            return JournalError::Damaged(Damage { segment, line, offset, reason });
        }
        io_error("read", &self.path)(e)
    }

    /// To be told of every line: number and the byte at which it began.
    pub(crate) fn note(&mut self, begin: u64, seq: u64) {
        if let Source::Gz(members) = &self.source
            && let Some(start) = members.get_ref().starts().get(self.member_seqs.len())
            && start.plain == begin
        {
            self.member_seqs.push(seq);
        }
    }

    /// What a seal says of the compressed file, after [`LineReader::open_with`] a digest and reading
    /// to the end; `None` for a plain one. The error is what is wrong with its members.
    pub(crate) fn gz_seal(&self) -> Option<Result<GzSeal, &'static str>> {
        let Source::Gz(members) = &self.source else { return None };
        let members = members.get_ref();
        let starts = members.starts();
        let (Some((bytes, sm3)), true) =
            (members.whole_file(), starts.len() == self.member_seqs.len())
        else {
            return Some(Err("a gzip member does not begin with a line"));
        };
        let each = self.member_seqs.iter().zip(starts);
        let members = each.map(|(seq, start)| Member(*seq, start.plain, start.gz)).collect();
        Some(Ok(GzSeal { bytes, sm3, members }))
    }
}

fn read_line(file: &mut impl BufRead, buf: &mut Vec<u8>) -> io::Result<usize> {
    file.take(LINE_BYTES_CEILING as u64 + 1).read_until(b'\n', buf)
}

/// The last line of a plain segment, with its `\n`, and the byte at which it begins.
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
