use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, FileDisk, SegmentFile, make_folder};
use crate::error::{JournalError, io_error, is_full};
use crate::gz::SEGMENT_BYTES_CEILING;
use crate::hash::Hash;
use crate::line::{LINE_BYTES_CEILING, NewLine, Place, encode};
use crate::lock::FolderLock;
use crate::recover::{Recovery, Torn, examine};
use crate::seal::clean_parts;
use crate::sealer::Sealer;
use crate::segment::{Kind, file_name};
use crate::take_back::FailedWrite;

const SEGMENT_BYTES_RANGE: std::ops::RangeInclusive<u64> = 1024..=SEGMENT_BYTES_CEILING;

/// Limits of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A new segment begins before a group that would make the current one larger; a group that is
    /// larger by itself has a segment of its own. 1 KiB to 1 GiB, by default 64 MiB.
    pub segment_bytes_max: u64,
    /// Largest group. 1 KiB to 1 GiB, by default 64 MiB.
    pub group_bytes_max: u64,
    /// Largest line. At most [`LINE_BYTES_CEILING`], by default 4 MiB.
    pub line_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes_max: 64 << 20, group_bytes_max: 64 << 20, line_bytes_max: 4 << 20 }
    }
}

impl Options {
    fn check(&self) -> Result<(), JournalError> {
        for (name, bytes) in [
            ("segment_bytes_max", self.segment_bytes_max),
            ("group_bytes_max", self.group_bytes_max),
        ] {
            if !SEGMENT_BYTES_RANGE.contains(&bytes) {
                let text = format!("{name}: must be in {SEGMENT_BYTES_RANGE:?}");
                return Err(JournalError::BadOption(text));
            }
        }
        if self.line_bytes_max == 0 || self.line_bytes_max > LINE_BYTES_CEILING {
            let text = format!("line_bytes_max: must be in 1..={LINE_BYTES_CEILING}");
            return Err(JournalError::BadOption(text));
        }
        Ok(())
    }
}

/// The last line of a journal: number and hash. What a checkpoint signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Sequence number, 0 for an empty journal.
    pub seq: u64,
    /// Hash of that line, [`Hash::ZERO`] for an empty journal.
    pub hash: Hash,
}

/// The sequence numbers of an appended group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seqs {
    /// Of its first line.
    pub first: u64,
    /// Of its last line.
    pub last: u64,
}

/// The one writer of a journal; a lock on the folder keeps a second one out.
pub struct Journal {
    pub(crate) dir: PathBuf,
    options: Options,
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) file: Option<Box<dyn SegmentFile>>,
    segment: PathBuf,
    pub(crate) segment_bytes: u64,
    head: Head,
    pub(crate) poisoned: Option<String>,
    pub(crate) failed_write: Option<FailedWrite>,
    data_syncs: u64,
    buf: Vec<u8>,
    lock: Arc<FolderLock>,
}

impl Journal {
    /// Opens the journal in `dir`, which is created when missing, for writing. Verifies the last
    /// segment fully, unless it is sealed, and the links between the others, by their seals as far as
    /// there are any, and cuts off a torn last group; damage anywhere else is
    /// [`JournalError::Damaged`] and changes nothing.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery), JournalError> {
        Self::open_on(Box::new(FileDisk), dir, options)
    }

    /// The same, writing through `disk`: [`ReservingDisk`](crate::ReservingDisk), or one of a test whose
    /// writes and syncs fail.
    pub fn open_on(
        mut disk: Box<dyn Disk>,
        dir: &Path,
        options: Options,
    ) -> Result<(Self, Recovery), JournalError> {
        options.check()?;
        make_folder(dir).map_err(io_error("create", dir))?;
        let lock = Arc::new(FolderLock::take(dir)?);
        clean_parts(dir)?;
        let examined = examine(dir)?;
        let head = examined.chain.head;
        let (append, recovery) = examined.repair(dir, Torn::Keep)?;
        let (file, segment, segment_bytes) = match append {
            Some(end) => {
                let file = disk.append(&end.path).map_err(io_error("open", &end.path))?;
                (Some(file), end.path, end.bytes)
            }
            None => (None, PathBuf::new(), 0),
        };
        let journal = Self {
            dir: dir.into(),
            options,
            disk,
            file,
            segment,
            segment_bytes,
            head,
            poisoned: None,
            failed_write: None,
            data_syncs: 0,
            buf: Vec::new(),
            lock,
        };
        Ok((journal, recovery))
    }

    /// Appends a group with one write and one fdatasync, and one fsync of the folder when it begins a
    /// new segment. When this returns, the group survives a power cut.
    ///
    /// A line or group that breaks a limit is refused before anything is written. After a write or
    /// sync that failed nothing is known about the disk, and a sync that is tried again may claim
    /// success without having written the pages, so every later call fails with
    /// [`JournalError::Poisoned`]; opening the journal again finds out what is there. After a write
    /// that the full disk refused, [`Journal::take_back`] can do without.
    pub fn append_group(&mut self, lines: &[NewLine<'_>]) -> Result<Seqs, JournalError> {
        if let Some(reason) = &self.poisoned {
            return Err(JournalError::Poisoned(reason.clone()));
        }
        let head = self.encode_group(lines)?;
        self.write_group().inspect_err(|e| self.poisoned = Some(e.to_string()))?;
        let seqs = Seqs { first: self.head.seq + 1, last: head.seq };
        self.head = head;
        Ok(seqs)
    }

    /// Fills the buffer; gives the head as it will be.
    fn encode_group(&mut self, lines: &[NewLine<'_>]) -> Result<Head, JournalError> {
        self.buf.clear();
        let Head { mut seq, hash: mut prev } = self.head;
        let (group, size) = (seq + 1, lines.len() as u64);
        for (index, new) in lines.iter().enumerate() {
            seq += 1;
            let start = self.buf.len();
            let place = Place { seq, group, size, prev };
            let bad = |reason| JournalError::BadLine { index, reason };
            prev = encode(&mut self.buf, &place, new).map_err(bad)?;
            let (bytes, max) = (self.buf.len() - start, self.options.line_bytes_max);
            if bytes > max {
                return Err(bad(format!("{bytes} bytes, at most {max} are allowed")));
            }
        }
        let (bytes, max) = (self.buf.len(), self.options.group_bytes_max);
        if lines.is_empty() || bytes as u64 > max {
            return Err(JournalError::BadGroup { lines: lines.len(), bytes, max });
        }
        Ok(Head { seq, hash: prev })
    }

    fn write_group(&mut self) -> Result<(), JournalError> {
        let bytes = self.buf.len() as u64;
        let full =
            self.segment_bytes > 0 && self.segment_bytes + bytes > self.options.segment_bytes_max;
        let (mut file, is_new) = match self.file.take() {
            Some(file) if !full => (file, false),
            before => {
                if let Some(mut file) = before {
                    file.finish().map_err(io_error("end a segment in", &self.dir))?;
                }
                (self.create_segment()?, true)
            }
        };
        if let Err(error) = file.write_all(&self.buf) {
            self.note_failed_write(&error);
            return Err(io_error("write to the journal in", &self.dir)(error));
        }
        self.data_syncs += 1;
        file.sync_data().map_err(io_error("sync the journal in", &self.dir))?;
        if is_new {
            self.disk.sync_dir(&self.dir).map_err(io_error("sync", &self.dir))?;
        }
        self.segment_bytes += bytes;
        self.file = Some(file);
        Ok(())
    }

    fn create_segment(&mut self) -> Result<Box<dyn SegmentFile>, JournalError> {
        let path = self.dir.join(file_name(self.head.seq + 1, Kind::Plain));
        self.segment_bytes = 0;
        self.segment.clone_from(&path);
        self.disk.create(&path).map_err(|error| {
            self.note_failed_write(&error);
            io_error("create", path)(error)
        })
    }

    /// Notes what a write that the full disk refused may have left behind.
    fn note_failed_write(&mut self, error: &std::io::Error) {
        if !is_full(error) {
            return;
        }
        let left = FailedWrite { path: self.segment.clone(), keep_bytes: self.segment_bytes };
        self.failed_write = Some(left);
    }

    /// Sequence number that the next line will get.
    pub fn next_seq(&self) -> u64 {
        self.head.seq + 1
    }

    /// What seals this journal's full segments, beside this writer.
    pub fn sealer(&self) -> Sealer {
        Sealer::new(&self.dir, &self.lock)
    }

    /// The last acknowledged line.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Why no more lines are taken, if so.
    pub fn poisoned(&self) -> Option<&str> {
        self.poisoned.as_deref()
    }

    /// How many fdatasyncs of segments were asked for since opening: one per group.
    pub fn data_syncs(&self) -> u64 {
        self.data_syncs
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { dir, head, poisoned, .. } = self;
        let mut out = f.debug_struct("Journal");
        out.field("dir", dir)
            .field("head", head)
            .field("poisoned", poisoned)
            .finish_non_exhaustive()
    }
}
