//! Journal lines read one by one, stepping over what is damaged. A line counts when its own hash is
//! right; whether it belongs where it stands is for the caller to see from `prev`.
//!
//! This knows the format on its own account, as any verifier may: it reads what the journal's own
//! reader, which stops at the first damage, will not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use sm3::{Digest as _, Sm3};
use tianyin_journal::LINE_BYTES_CEILING;

/// `,"hash":"` 64 digits `"}`
const HASH_MEMBER_BYTES: usize = 9 + 64 + 2;
/// `,"prev":"` 64 digits `"` before it
const PREV_MEMBER_BYTES: usize = 9 + 64 + 1;

/// A line whose hash is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLine {
    /// Sequence number.
    pub seq: u64,
    /// First line of its group.
    pub group: u64,
    /// Lines of its group.
    pub size: u64,
    /// Hash of the line before, hex.
    pub prev: String,
    /// Its hash, hex.
    pub hash: String,
    /// The line, without line break.
    pub text: Vec<u8>,
}

impl RawLine {
    /// Reads a line; `None` unless it is whole.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let body_end = text.len().checked_sub(HASH_MEMBER_BYTES)?;
        let (body, member) = text.split_at(body_end);
        let hash = hex_of(member.strip_prefix(br#","hash":""#)?.strip_suffix(br#""}"#)?)?;
        let prev = body.get(body.len().checked_sub(PREV_MEMBER_BYTES)?..)?;
        let prev = hex_of(prev.strip_prefix(br#","prev":""#)?.strip_suffix(b"\"")?)?;
        let digest = Sm3::new().chain_update(body).chain_update(b"}").finalize();
        if hex::encode(digest) != hash {
            return None;
        }
        let mut rest = text;
        let [_, seq, group, size] = [r#"{"v":"#, r#","seq":"#, r#","group":"#, r#","size":"#]
            .map(|name| number(&mut rest, name));
        Some(Self { seq: seq?, group: group?, size: size?, prev, hash, text: text.to_vec() })
    }

    /// The last line of its group.
    pub fn group_end(&self) -> u64 {
        self.group.saturating_add(self.size).saturating_sub(1)
    }
}

fn hex_of(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    tianyin_domain::attachment::is_blob_hash(text).then(|| text.to_owned())
}

fn number(rest: &mut &[u8], name: &str) -> Option<u64> {
    let after = rest.strip_prefix(name.as_bytes())?;
    let digits = after.iter().take_while(|c| c.is_ascii_digit()).count();
    let (number, tail) = after.split_at(digits);
    *rest = tail;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Whole lines of all segments of a folder, in the order of the files.
pub struct Lines {
    files: std::vec::IntoIter<PathBuf>,
    open: Option<Box<dyn BufRead>>,
}

impl Lines {
    /// Of a journal's folder; a folder that is not there has none.
    pub fn of(dir: &Path) -> io::Result<Self> {
        let files: Vec<PathBuf> = segments(dir)?.into_values().collect();
        Ok(Self { files: files.into_iter(), open: None })
    }

    /// The next piece of a file that ends with a line break; `None` at its end or where it cannot be
    /// read any further.
    fn piece(reader: &mut dyn BufRead) -> Option<Vec<u8>> {
        let mut piece = Vec::new();
        let read = reader.take(LINE_BYTES_CEILING as u64 + 1).read_until(b'\n', &mut piece);
        (read.is_ok() && !piece.is_empty()).then(|| {
            if piece.last() == Some(&b'\n') {
                piece.pop();
            }
            piece
        })
    }
}

impl Iterator for Lines {
    type Item = RawLine;
    fn next(&mut self) -> Option<RawLine> {
        loop {
            let Some(reader) = &mut self.open else {
                let path = self.files.next()?;
                self.open = File::open(&path).ok().map(|file| plain(&path, file));
                continue;
            };
            match Self::piece(reader.as_mut()) {
                None => self.open = None,
                Some(text) => {
                    if let Some(line) = RawLine::parse(&text) {
                        return Some(line);
                    }
                }
            }
        }
    }
}

/// The files of all segments by their first line, the plain one where there are both.
pub fn segments(dir: &Path) -> io::Result<BTreeMap<u64, PathBuf>> {
    let mut found = BTreeMap::new();
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(found),
        other => other?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((digits, form)) = name.split_once('.') else { continue };
        let Ok(first) = digits.parse::<u64>() else { continue };
        match form {
            "jsonl" => {
                found.insert(first, path);
            }
            "jsonl.gz" => {
                found.entry(first).or_insert(path);
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The plain lines of a segment, compressed or not by its name.
pub fn plain(name: &Path, file: File) -> Box<dyn BufRead> {
    let file = BufReader::with_capacity(256 << 10, file);
    if name.extension().is_some_and(|e| e == "gz") {
        Box::new(BufReader::new(MultiGzDecoder::new(file)))
    } else {
        Box::new(file)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The journal's own golden line.
    const GOLDEN: &str = concat!(
        r#"{"v":1,"seq":1,"group":1,"size":1,"time":"2026-03-01T08:00:00.000Z","#,
        r#""actor":{"kind":"system"},"events":[{"type":"lot_opened","名":"湘莲"}],"#,
        r#""prev":"0000000000000000000000000000000000000000000000000000000000000000","#,
        r#""hash":"c15f9616b09b105cb265d6c3c267853d489ee2b249e1b39218f4c08aff13c9f4"}"#,
    );

    #[test]
    fn only_whole_lines_count() {
        let line = RawLine::parse(GOLDEN.as_bytes()).unwrap();
        assert_eq!((line.seq, line.group, line.size, line.group_end()), (1, 1, 1, 1));
        assert_eq!(line.prev, "0".repeat(64));
        assert!(line.hash.starts_with("c15f9616"));
        for at in 0..GOLDEN.len() {
            let mut changed = GOLDEN.as_bytes().to_vec();
            changed[at] ^= 1;
            assert_eq!(RawLine::parse(&changed), None, "byte {at}");
            assert_eq!(RawLine::parse(&GOLDEN.as_bytes()[..at]), None, "cut at {at}");
        }
    }
}
