//! Append-only, hash-chained, fsynced event log.
//!
//! The crate knows files and nothing of what the events mean. [`Journal`] is the one writer,
//! [`Reader`] follows it, [`verify`] recomputes the whole chain.
//!
//! # Format, version 1
//!
//! A journal is a folder of segments. `0000000000000001.jsonl` is named after the sequence number of
//! its first line (16 decimal digits). A segment is UTF-8 text; every line ends with one `\n`, is a
//! JSON object with exactly these members in this order and no space between them, and holds the
//! events of **one** command:
//!
//! ```text
//! {"v":1,"seq":12,"group":11,"size":2,"time":"2026-03-01T08:00:00.000Z","actor":…,"events":[…],"prev":"…","hash":"…"}
//! ```
//!
//! | member | meaning |
//! |---|---|
//! | `v` | format version, 1 |
//! | `seq` | number of the line: 1, 2, 3 … over all segments, without a gap |
//! | `group` | `seq` of the first line of the group that was made durable by one fdatasync |
//! | `size` | number of lines of that group; they stand in one segment, one after the other |
//! | `time` | UTC, milliseconds, 24 characters |
//! | `actor` | any JSON value: who gave the command |
//! | `events` | JSON array: the command's events; what they mean is the caller's |
//! | `prev` | `hash` of the line before; 64 zeros in line 1 |
//! | `hash` | SM3 (GB/T 32905-2016), 64 lower-case hex digits |
//!
//! `hash` is taken over the exact bytes of the line without its `,"hash":"…"` member. As that member
//! is always the last one and always 74 bytes long, a verifier needs no JSON parser for it:
//!
//! ```python
//! line = raw.rstrip(b"\n")
//! assert line[-75:-66] == b',"hash":"' and line[-2:] == b'"}'
//! assert hashlib.new("sm3", line[:-75] + b"}").hexdigest() == line[-66:-2].decode()
//! ```
//!
//! A verifier checks for each line: the hash, `prev` = hash of the line before, `seq` = that of the
//! line before + 1, the segment's name = `seq` of its first line, `group`/`size` as in the table.
//!
//! # What survives
//!
//! [`Journal::append_group`] returns after one write and one fdatasync. What a crash leaves behind
//! an unfinished write is a torn last group: it was never acknowledged, so [`Journal::open`] cuts it
//! whole and keeps the bytes beside in `….jsonl.cut-1`. `size` tells a torn group from a whole one
//! even when it broke between two lines. Damage anywhere else is an error that names segment, line,
//! byte and reason, and nothing is changed.

mod disk;
mod error;
mod hash;
mod journal;
mod line;
mod reader;
mod recover;
mod scan;
mod segment;
mod verify;

pub use disk::{Disk, FileDisk, SegmentFile};
pub use error::{Damage, JournalError};
pub use hash::{BadHash, Hash};
pub use journal::{Head, Journal, Options, Seqs};
pub use line::{LINE_BYTES_CEILING, Line, NewLine};
pub use reader::Reader;
pub use recover::{Cut, Recovery};
pub use verify::{Progress, VerifyReport, verify};
