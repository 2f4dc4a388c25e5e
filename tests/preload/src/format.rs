//! The log: records one after the other, in the order in which they happened. Also compiled into the
//! reader of the log, in the crate of the tests.
//!
//! A record is a head of [`HEAD_BYTES`], a path and data. Numbers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | [`MAGIC`] |
//! | 4..8 | kind |
//! | 8..12 | process id |
//! | 12..16 | handle: number of the opened file, from 1 on, never used twice by a process |
//! | 16..24 | first number, see the kind |
//! | 24..32 | second number, see the kind |
//! | 32..36 | length of the path |
//! | 36..40 | length of the data |

/// Begins every record.
pub const MAGIC: u32 = 0x3152_5954;
/// Length of a record without path and data.
pub const HEAD_BYTES: usize = 40;

/// The library was loaded into a process.
pub const LOADED: u32 = 1;
/// A file or folder was opened or made: flags, mode; path.
pub const OPEN: u32 = 2;
/// Bytes were written: offset; data. The second number is their count, also when data is left out.
pub const WRITE: u32 = 3;
/// The size was set: size.
pub const RESIZE: u32 = 4;
/// A sync begins: number of the sync, 1 for fdatasync(2) or 0 for fsync(2).
pub const SYNC_BEGIN: u32 = 5;
/// A sync has ended: number of the sync, errno or 0.
pub const SYNC_END: u32 = 6;
/// sync_file_range(2), which promises nothing.
pub const SYNC_RANGE: u32 = 7;
/// Renamed: old path as path, new path as data.
pub const RENAME: u32 = 8;
/// A file was removed: path.
pub const UNLINK: u32 = 9;
/// A folder was made: mode; path.
pub const MKDIR: u32 = 10;
/// A folder was removed: path.
pub const RMDIR: u32 = 11;
/// Another name for a file: old path as path, new path as data.
pub const LINK: u32 = 12;
/// Written by the test itself: data.
pub const MARK: u32 = 13;
/// A fault was injected: 1 for a sync or 2 for a write, errno.
pub const FAULT: u32 = 14;

/// The head of a record.
pub fn head(
    kind: u32,
    process: u32,
    handle: u32,
    numbers: (u64, u64),
    path_bytes: usize,
    data_bytes: usize,
) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    head[4..8].copy_from_slice(&kind.to_le_bytes());
    head[8..12].copy_from_slice(&process.to_le_bytes());
    head[12..16].copy_from_slice(&handle.to_le_bytes());
    head[16..24].copy_from_slice(&numbers.0.to_le_bytes());
    head[24..32].copy_from_slice(&numbers.1.to_le_bytes());
    head[32..36].copy_from_slice(&(path_bytes as u32).to_le_bytes());
    head[36..40].copy_from_slice(&(data_bytes as u32).to_le_bytes());
    head
}
