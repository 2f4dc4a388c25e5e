//! A text that is compressed once and sent many times with a different line in its middle. A gzip
//! stream (RFC 1952) may be cut between deflate blocks (RFC 1951): what stands before and after the
//! line is compressed, the line goes between as a block that is not.

use flate2::{Compress, Compression, Crc, FlushCompress};

/// Ten bytes: magic, deflate, no flags, no time, no level, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The text of a block that is not compressed has at most this many bytes.
const STORED_BYTES_MAX: usize = u16::MAX as usize;

/// The compressed text around the line.
pub(super) struct Squeezed {
    head: Vec<u8>,
    head_crc: Crc,
    tail: Vec<u8>,
    tail_crc: Crc,
}

impl Squeezed {
    pub fn new(head: &str, tail: &str) -> Self {
        // A full flush ends at a whole byte, and nothing after it refers to what was before.
        Self {
            head: [&HEADER[..], &deflate(head, FlushCompress::Full)].concat(),
            head_crc: crc(head),
            tail: deflate(tail, FlushCompress::Finish),
            tail_crc: crc(tail),
        }
    }

    /// The gzip stream of head, line and tail. A line of more than 65,535 bytes is left out.
    pub fn around(&self, line: &str) -> Vec<u8> {
        let line = if line.len() > STORED_BYTES_MAX { "" } else { line };
        let mut out = Vec::with_capacity(self.head.len() + line.len() + self.tail.len() + 13);
        out.extend_from_slice(&self.head);
        let size = line.len() as u16;
        out.push(0);
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(&(!size).to_le_bytes());
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(&self.tail);
        let mut whole = Crc::new();
        for part in [&self.head_crc, &crc(line), &self.tail_crc] {
            whole.combine(part);
        }
        out.extend_from_slice(&whole.sum().to_le_bytes());
        out.extend_from_slice(&whole.amount().to_le_bytes());
        out
    }
}

fn crc(text: &str) -> Crc {
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    crc
}

fn deflate(text: &str, end: FlushCompress) -> Vec<u8> {
    let mut compress = Compress::new(Compression::default(), false);
    let mut out = Vec::with_capacity(text.len() / 2 + 64);
    loop {
        let read = compress.total_in() as usize;
        let rest = text.as_bytes().get(read..).unwrap_or_default();
        // It never fails for input of its own making; what it does not fill, it has ended.
        let done = compress.compress_vec(rest, &mut out, end).is_err();
        if done || out.len() < out.capacity() {
            return out;
        }
        out.reserve(1024);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    fn unpacked(bytes: &[u8]) -> String {
        let mut text = String::new();
        let mut decoder = flate2::read::GzDecoder::new(bytes);
        decoder.read_to_string(&mut text).unwrap();
        assert!(decoder.into_inner().is_empty(), "bytes after the end");
        text
    }

    proptest! {
        #[test]
        fn every_line_fits_in(head in "(?s).{0,3000}", line in ".{0,80}", tail in "(?s).{0,3000}") {
            let squeezed = Squeezed::new(&head, &tail);
            for line in [line.as_str(), "", "第 1 次查询"] {
                prop_assert_eq!(unpacked(&squeezed.around(line)), format!("{head}{line}{tail}"));
            }
        }
    }

    #[test]
    fn long_texts() {
        let head: String = (0..20_000).map(|n| format!("{n}, ")).collect();
        let squeezed = Squeezed::new(&head, &head);
        assert_eq!(unpacked(&squeezed.around("x")), format!("{head}x{head}"));
        assert!(squeezed.around("x").len() < head.len());
        let too_long = "x".repeat(STORED_BYTES_MAX + 1);
        assert_eq!(unpacked(&squeezed.around(&too_long)), format!("{head}{head}"));
    }
}
