//! A compressed segment: gzip members one after the other, each of about [`MEMBER_BYTES`] of whole
//! lines, so that a reader can begin at any of them. `zcat` and every gzip library read it as one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use crate::hash::{Hash, Hasher};

/// Plain bytes after which a member ends with the line.
const MEMBER_BYTES: u64 = 1 << 20;
/// A segment never holds more, compressed or not: what a decompression bomb is stopped by.
pub(crate) const SEGMENT_BYTES_CEILING: u64 = 1 << 30;
/// More members than the longest segment of the shortest members this program writes.
const MEMBERS_MAX: usize = 1 << 16;
const BUFFER_BYTES: usize = 64 << 10;

/// Where a member begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// Byte of the plain lines.
    pub plain: u64,
    /// Byte of the compressed file.
    pub gz: u64,
}

/// Reads the plain bytes of all members and remembers where they begin.
#[derive(Debug)]
pub(crate) struct Members {
    state: State,
    starts: Vec<Start>,
    plain: u64,
}

#[derive(Debug)]
enum State {
    In(Box<GzDecoder<Input>>),
    End(Input),
    /// After an error, or while the state changes.
    Broken,
}

impl Members {
    /// From the first member on. `digest`: also the SM3 of the compressed file.
    pub(crate) fn open(file: File, digest: bool) -> io::Result<Self> {
        Self::open_at(file, Start { plain: 0, gz: 0 }, digest)
    }

    /// From the member that begins at `start`.
    fn open_at(mut file: File, start: Start, digest: bool) -> io::Result<Self> {
        file.seek(SeekFrom::Start(start.gz))?;
        let hashed = Hashed { file, hasher: digest.then(Hasher::new) };
        let input = Input { file: BufReader::with_capacity(BUFFER_BYTES, hashed), at: start.gz };
        let mut members = Self { state: State::Broken, starts: Vec::new(), plain: start.plain };
        members.begin(input)?;
        Ok(members)
    }

    /// Continues at another member.
    pub(crate) fn seek(self, start: Start) -> io::Result<Self> {
        let input = match self.state {
            State::In(decoder) => decoder.into_inner(),
            State::End(input) => input,
            State::Broken => return Err(io::Error::other("reading failed before")),
        };
        Self::open_at(input.file.into_inner().file, start, false)
    }

    fn begin(&mut self, mut input: Input) -> io::Result<()> {
        if input.fill_buf()?.is_empty() {
            self.state = State::End(input);
            return Ok(());
        }
        if self.starts.len() >= MEMBERS_MAX {
            return Err(invalid(format!("more than {MEMBERS_MAX} gzip members")));
        }
        self.starts.push(Start { plain: self.plain, gz: input.at });
        self.state = State::In(Box::new(GzDecoder::new(input)));
        Ok(())
    }

    /// Members that were begun so far.
    pub(crate) fn starts(&self) -> &[Start] {
        &self.starts
    }

    /// Bytes and SM3 of the compressed file, once it was read to its end with `digest`.
    pub(crate) fn whole_file(&self) -> Option<(u64, Hash)> {
        let State::End(input) = &self.state else { return None };
        Some((input.at, input.file.get_ref().hasher.as_ref()?.finish()))
    }
}

impl Read for Members {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let State::In(decoder) = &mut self.state else { return Ok(0) };
            let n = decoder.read(into)?;
            self.plain += n as u64;
            if self.plain > SEGMENT_BYTES_CEILING {
                return Err(invalid(format!("holds more than {SEGMENT_BYTES_CEILING} bytes")));
            }
            if n > 0 || into.is_empty() {
                return Ok(n);
            }
            if let State::In(decoder) = std::mem::replace(&mut self.state, State::Broken) {
                self.begin(decoder.into_inner())?;
            }
        }
    }
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// What the decoder takes from: counts what it took.
#[derive(Debug)]
struct Input {
    file: BufReader<Hashed>,
    at: u64,
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(into)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.file.consume(n);
        self.at += n as u64;
    }
}

#[derive(Debug)]
struct Hashed {
    file: File,
    hasher: Option<Hasher>,
}

impl Read for Hashed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(into)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&into[..n]);
        }
        Ok(n)
    }
}

/// Writes a compressed segment, line by line. The same lines give the same bytes.
pub(crate) struct Compressor {
    member: Option<GzEncoder<BufWriter<File>>>,
    member_bytes: u64,
    /// Plain bytes written.
    pub bytes: u64,
}

impl Compressor {
    pub(crate) fn new(file: File) -> Self {
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        Self { member: Some(begin_member(file)), member_bytes: 0, bytes: 0 }
    }

    /// Writes a line, given without its `\n`; tells whether it was the last of a member.
    pub(crate) fn line(&mut self, text: &[u8]) -> io::Result<bool> {
        if self.member_bytes >= MEMBER_BYTES {
            self.member = Some(begin_member(self.end_member()?));
            self.member_bytes = 0;
        }
        let member =
            self.member.as_mut().ok_or_else(|| io::Error::other("a write failed before"))?;
        member.write_all(text)?;
        member.write_all(b"\n")?;
        let written = text.len() as u64 + 1;
        self.member_bytes += written;
        self.bytes += written;
        Ok(self.member_bytes >= MEMBER_BYTES)
    }

    fn end_member(&mut self) -> io::Result<BufWriter<File>> {
        self.member.take().ok_or_else(|| io::Error::other("a write failed before"))?.finish()
    }

    /// Ends the last member; the file is written, but not synced.
    pub(crate) fn finish(mut self) -> io::Result<File> {
        self.end_member()?.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// A header without time, name and system: nothing in the file but the lines.
fn begin_member(file: BufWriter<File>) -> GzEncoder<BufWriter<File>> {
    GzBuilder::new().mtime(0).operating_system(255).write(file, Compression::new(6))
}
