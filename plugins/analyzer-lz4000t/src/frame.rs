//! Framing: `7E CMD LEN(u16 LE) DATA CRC8 AA`, found by length, never by looking for the next 7E.
//!
//! Every byte of the input ends up in exactly one frame or one problem.

use tianyin_plugin::Problem;

const START: u8 = 0x7E;
const END: u8 = 0xAA;
/// Start, command, two length bytes, CRC and end.
const OVERHEAD: usize = 6;
/// DATA of a record frame.
const RECORD_DATA_LEN: usize = 20;
/// Longest DATA believed. Records have 20 bytes; a larger length is a damaged one.
const DATA_MAX: usize = 64;

/// Commands of the protocol.
pub mod command {
    /// Host: are you there?
    pub const PING: u8 = 0x00;
    /// Device: I am.
    pub const PING_REPLY: u8 = 0x01;
    /// Host: send the records of a day.
    pub const READ_DAY: u8 = 0x10;
    /// Device: one record.
    pub const RECORD: u8 = 0x11;
    /// Host: how many records has a day?
    pub const COUNT_DAY: u8 = 0x12;
    /// Device: that many.
    pub const COUNT_REPLY: u8 = 0x13;

    /// Whether the protocol has this command.
    pub fn is_known(command: u8) -> bool {
        matches!(command, PING | PING_REPLY | READ_DAY | RECORD | COUNT_DAY | COUNT_REPLY)
    }
}

/// A frame whose length, end byte and CRC agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Position of its 7E in the message.
    pub offset: usize,
    /// CMD.
    pub command: u8,
    /// DATA.
    pub data: &'a [u8],
}

impl Frame<'_> {
    /// Bytes from 7E to AA.
    pub fn total_len(&self) -> usize {
        self.data.len() + OVERHEAD
    }

    /// Whether it is a record of the documented length.
    pub fn is_record(&self) -> bool {
        self.command == command::RECORD && self.data.len() == RECORD_DATA_LEN
    }
}

/// A message taken apart.
#[derive(Debug, Default, PartialEq)]
pub struct Split<'a> {
    /// Whole frames, in order.
    pub frames: Vec<Frame<'a>>,
    /// What lies between them, in order.
    pub problems: Vec<Problem>,
}

/// Takes a message apart.
pub fn split(bytes: &[u8]) -> Split<'_> {
    let mut found = Split::default();
    let mut at = 0;
    while at < bytes.len() {
        at = step(bytes, at, &mut found);
    }
    found
}

/// Consumes what starts at `at`; gives the next position.
fn step<'a>(bytes: &'a [u8], at: usize, found: &mut Split<'a>) -> usize {
    let (end, reason, text) = match look(bytes, at) {
        Look::Whole(frame) if is_believed(bytes, at, &frame) => {
            found.frames.push(frame);
            return at + frame.total_len();
        }
        // "7E 7E": the first byte is the extra one, the frame may start at the second.
        _ if bytes[at..].starts_with(&[START, START]) => {
            (at + 1, "doubled_start", String::from("doubled start byte 7E"))
        }
        Look::Broken { claimed, reason, text } => {
            (next_known(bytes, at, claimed).unwrap_or(at + claimed), reason, text)
        }
        Look::Whole(_) | Look::Nothing => {
            (next_start(bytes, at), "garbage", String::from("bytes outside any frame"))
        }
    };
    report(&mut found.problems, at, end, reason, text);
    end
}

/// Noise can look like a whole frame by chance, about once in 256 tries. A record inside it is the
/// better reading: no other frame of the protocol is long enough to hold one.
fn is_believed(bytes: &[u8], at: usize, frame: &Frame<'_>) -> bool {
    let len = frame.total_len();
    frame.is_record()
        || (next(bytes, at, len, |inner| inner.is_record()).is_none()
            && (command::is_known(frame.command) || next_known(bytes, at, len).is_none()))
}

/// What a position looks like.
enum Look<'a> {
    Whole(Frame<'a>),
    /// Begins like a frame of the protocol that would take `claimed` bytes.
    Broken {
        claimed: usize,
        reason: &'static str,
        text: String,
    },
    Nothing,
}

fn look(bytes: &[u8], at: usize) -> Look<'_> {
    let rest = &bytes[at..];
    if rest[0] != START {
        return Look::Nothing;
    }
    let known = rest.get(1).is_none_or(|&command| command::is_known(command));
    let broken = |claimed, reason, text| {
        if known { Look::Broken { claimed, reason, text } } else { Look::Nothing }
    };
    if rest.len() < 4 {
        return broken(
            rest.len(),
            "truncated",
            format!("the message ends after {} bytes of a frame", rest.len()),
        );
    }
    let data_len = usize::from(u16::from_le_bytes([rest[2], rest[3]]));
    if data_len > DATA_MAX {
        return Look::Nothing;
    }
    let total = data_len + OVERHEAD;
    if rest.len() < total {
        let text = format!("the message ends after {} of {total} bytes of a frame", rest.len());
        return broken(rest.len(), "truncated", text);
    }
    if rest[total - 1] != END {
        let text =
            format!("a frame of {total} bytes ends with {:02X} instead of AA", rest[total - 1]);
        return broken(total, "end", text);
    }
    let (said, is) = (rest[total - 2], crc8(&rest[1..total - 2]));
    if said != is {
        return broken(total, "crc", format!("checksum {said:02X} of a frame should be {is:02X}"));
    }
    Look::Whole(Frame { offset: at, command: rest[1], data: &rest[4..total - 2] })
}

/// Where a whole frame of the protocol starts inside the `len` bytes from `at`, after its first.
fn next_known(bytes: &[u8], at: usize, len: usize) -> Option<usize> {
    next(bytes, at, len, |frame| command::is_known(frame.command))
}

/// Where a whole frame of a kind starts inside the `len` bytes from `at`, after its first.
fn next(bytes: &[u8], at: usize, len: usize, kind: impl Fn(&Frame<'_>) -> bool) -> Option<usize> {
    (at + 1..at + len).find(|&p| matches!(look(bytes, p), Look::Whole(frame) if kind(&frame)))
}

fn next_start(bytes: &[u8], at: usize) -> usize {
    bytes[at + 1..].iter().position(|&byte| byte == START).map_or(bytes.len(), |more| at + 1 + more)
}

/// Adds a problem, or lengthens the last one when it goes on.
fn report(problems: &mut Vec<Problem>, at: usize, end: usize, reason: &str, text: String) {
    let next = Problem::new(at, end - at, reason, text);
    match problems.last_mut() {
        Some(last)
            if matches!(reason, "garbage" | "doubled_start")
                && last.reason == reason
                && last.offset + last.length == next.offset =>
        {
            last.length += next.length;
        }
        _ => problems.push(next),
    }
}

/// CRC-8: polynomial 0x31, initial 0, most significant bit first.
pub fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(
            crc ^ byte,
            |crc: u8, _| if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x31 },
        )
    })
}
