//! Append-only, hash-chained, fsynced event log.
//!
//! The crate knows files and nothing of what the events mean. [`Journal`] is the one writer,
//! [`Reader`] follows it, [`verify`] recomputes the whole chain. Beside the writer [`Sealer`] seals and
//! compresses full segments, and [`SecondCopy`] keeps a copy in another folder.
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
//! The last segment may end in zero bytes: space reserved for the lines to come, which counts as the
//! end of the file. In an earlier segment they are damage.
//!
//! `packaging/verify_journal.py` is such a verifier, and shares no code with this crate.
//!
//! # Sealed segments
//!
//! A segment that is not the last is full and never written again. Then it gets a *seal* beside it,
//! `0000000000000001.seal`: one line of JSON with its members in this order and no space between them,
//!
//! ```text
//! {"v":1,"first":1,"last":812,"group":811,"prev":"…","hash":"…","bytes":1048021,"gz":{"bytes":91377,"sm3":"…","members":[[1,0,0],…]}}
//! ```
//!
//! | member | meaning |
//! |---|---|
//! | `v` | version of the seal's format, 1 |
//! | `first`, `last` | `seq` of the first and last line |
//! | `group` | `group` of the last line |
//! | `prev` | `prev` of the first line, so that seals form the chain, too |
//! | `hash` | `hash` of the last line. It fixes every byte of the segment, as the chain leads to it |
//! | `bytes` | size of all lines, at most 1 GiB |
//! | `gz` | of the compressed file, when there is one: its size, the SM3 of its bytes, its members |
//!
//! A compressed segment, `0000000000000001.jsonl.gz`, holds the same bytes and takes the place of the
//! plain one. It is a row of gzip members (RFC 1952), each of at least 1 MiB of whole lines but for the
//! last; `zcat` and every gzip library read it as one. `members` says of each the `seq` of its first
//! line, its byte in the plain lines and its byte in the file, so that a reader can begin there. The
//! SM3 of the file makes also those bits count that a decompressor does not look at.
//!
//! Opening reads the seals, and the lines of the last segment only. A plain file wins over a compressed
//! one beside it. A seal that is missing is made anew; one that says something else than its segment, or
//! whose segment is missing, is damage. `….part` is a file that was not finished: it counts for nothing.
//!
//! # What survives
//!
//! [`Journal::append_group`] returns after one write and one fdatasync. What a crash leaves behind
//! an unfinished write is a torn last group: it was never acknowledged, so [`Journal::open`] cuts it
//! whole and keeps the bytes beside in `….jsonl.cut-1`. `size` tells a torn group from a whole one
//! even when it broke between two lines. A write that the full disk refused is no such riddle: no sync
//! was asked for, so [`Journal::take_back`] cuts what it left and the journal goes on. Damage anywhere else is an error that names segment, line,
//! byte and reason, and nothing is changed.
//!
//! A compressed file is written, synced and read back line by line before it is named and sealed, and
//! only then the plain one goes: an interrupted sealing is finished by the next.

mod disk;
mod error;
mod gz;
mod hash;
mod journal;
mod line;
mod lines;
mod lock;
mod reader;
mod recover;
mod reserve;
mod scan;
mod seal;
mod sealer;
mod second_copy;
mod segment;
mod take_back;
mod verify;

pub use disk::{Disk, FileDisk, SegmentFile};
pub use error::{Damage, JournalError};
pub use hash::{BadHash, Hash};
pub use journal::{Head, Journal, Options, Seqs};
pub use line::{LINE_BYTES_CEILING, Line, NewLine};
pub use reader::Reader;
pub use recover::{Cut, Recovery};
pub use reserve::ReservingDisk;
pub use sealer::{Pace, SealStep, Sealed, Sealer};
pub use second_copy::SecondCopy;
pub use verify::{Progress, VerifyReport, verify};
