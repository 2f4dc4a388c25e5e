//! Space ahead of the last line. A sync of a file that has grown must also bring its new length to the
//! disk, which takes a write more than the line itself; a sync of bytes that were there does not. So
//! the segment being written ends in zeros, which the lines to come overwrite. [`LineReader`] takes
//! them for the end of the file; they go when the segment is full, when the journal is closed, and when
//! it is opened after a crash.
//!
//! [`LineReader`]: crate::lines::LineReader

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::disk::{Disk, FileDisk, SegmentFile};

/// So much is reserved at once.
const STEP_BYTES: u64 = 256 << 10;

/// The file system, with space reserved in segments.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReservingDisk;

struct Segment {
    file: File,
    /// Where the next line begins.
    end: u64,
    /// Length of the file: from `end` on there are zeros.
    reserved: u64,
    /// Nobody knows what is on the disk: nothing is changed any more.
    failed: bool,
}

impl Disk for ReservingDisk {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Box::new(Segment { file, end: 0, reserved: 0, failed: false }))
    }

    fn append(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let file = OpenOptions::new().write(true).open(path)?;
        let end = file.metadata()?.len();
        Ok(Box::new(Segment { file, end, reserved: end, failed: false }))
    }

    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        FileDisk.sync_dir(dir)
    }
}

impl Segment {
    /// Writes the lines and zeros behind them; all of it is wanted by the same sync.
    fn write_and_reserve(&mut self, lines: &[u8]) -> io::Result<()> {
        let reserved = (self.end + lines.len() as u64).next_multiple_of(STEP_BYTES);
        let mut bytes = lines.to_vec();
        bytes.resize(usize::try_from(reserved - self.end).unwrap_or(lines.len()), 0);
        self.file.write_all_at(&bytes, self.end)?;
        self.reserved = self.end + bytes.len() as u64;
        Ok(())
    }
}

impl SegmentFile for Segment {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.end + bytes.len() as u64;
        if end <= self.reserved {
            self.file.write_all_at(bytes, self.end)?;
        } else if self.write_and_reserve(bytes).is_err() {
            // There may be room for the lines alone.
            self.file.set_len(self.end)?;
            self.reserved = self.end;
            self.file.write_all_at(bytes, self.end)?;
            self.reserved = end;
        }
        self.end = end;
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.file.sync_data().inspect_err(|_| self.failed = true)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.reserved = self.end;
        self.file.sync_all()
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // Only for whoever looks at the file; a reader knows what the zeros are.
        if self.reserved > self.end && !self.failed {
            let _ = self.file.set_len(self.end);
        }
    }
}
