//! The second copy: another folder, on another disk if possible, that follows the journal line by
//! line and holds the same bytes in the same segments.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, FileDisk, SegmentFile};
use crate::error::{JournalError, io_error};
use crate::journal::Head;
use crate::line::LineRef;
use crate::lock::FolderLock;
use crate::reader::{RawLine, Reader};
use crate::recover::{Torn, examine, truncate};
use crate::seal::clean_parts;
use crate::sealer::{Pace, Sealed, Sealer};
use crate::segment::{Kind, file_name};

/// Bytes after which a step ends, with the group: one sync for about this much.
const STEP_BYTES: usize = 4 << 20;

/// Keeps a second copy of a journal in another folder as the journal grows.
///
/// The folder must exist: one on a disk that is not there must not be made anew on the disk below.
/// What is in it is continued when its last line is that line of the journal; anything else is
/// refused and never changed. The copy is a journal like any other: [`verify`](crate::verify) checks
/// it, [`Journal::open`](crate::Journal::open) restores from it.
///
/// After any error the next [`SecondCopy::step`] looks at the folder afresh, so that a disk that was
/// full or away is taken up again; when to try again is the caller's.
pub struct SecondCopy {
    source: PathBuf,
    target: PathBuf,
    disk: Box<dyn Disk>,
    attached: Option<Attached>,
    doubt: Option<Doubt>,
}

/// The folder as it is being written to.
struct Attached {
    lock: Arc<FolderLock>,
    folder: Identity,
    file: Option<Open>,
    head: Head,
    reader: Reader,
}

struct Open {
    path: PathBuf,
    identity: Identity,
    file: Box<dyn SegmentFile>,
    /// Bytes known to be on the disk.
    bytes: u64,
}

/// What was written to a file whose sync failed: it may be in memory only, whatever a later sync says.
struct Doubt {
    path: PathBuf,
    identity: Identity,
    bytes: u64,
}

/// A file or folder whatever its name: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    fn of(data: &Metadata) -> Self {
        Self(data.dev(), data.ino())
    }

    fn at(path: &Path) -> Result<Self, JournalError> {
        path.metadata().map(|data| Self::of(&data)).map_err(io_error("find", path))
    }
}

impl SecondCopy {
    /// A copy of the journal in `source` in the folder `target`. Touches no file yet.
    pub fn new(source: &Path, target: &Path) -> Self {
        Self::new_on(Box::new(FileDisk), source, target)
    }

    /// The same, writing through `disk`, so that a test can make writes and syncs fail.
    pub fn new_on(disk: Box<dyn Disk>, source: &Path, target: &Path) -> Self {
        Self { source: source.into(), target: target.into(), disk, attached: None, doubt: None }
    }

    /// The last line that is on the copy's disk; `None` while the folder cannot be used.
    pub fn head(&self) -> Option<Head> {
        self.attached.as_ref().map(|attached| attached.head)
    }

    /// Whether copy and journal lie in the same file system, so that one broken disk takes both.
    pub fn is_on_same_disk(&self) -> Result<bool, JournalError> {
        Ok(Identity::at(&self.source)?.0 == Identity::at(&self.target)?.0)
    }

    /// Copies what is committed and not there yet, whole groups, about 4 MiB at most, and syncs it.
    /// Gives the copy's head; when its `seq` is `committed_seq`, the copy is complete.
    pub fn step(&mut self, committed_seq: u64) -> Result<Head, JournalError> {
        // One that is not there any more lets go of its lock before the folder is looked at afresh.
        let attached = self.attached.take().filter(|attached| attached.is_there(&self.target));
        let mut attached = match attached {
            Some(attached) => attached,
            None => self.attach(committed_seq)?,
        };
        let (from, copied) = (attached.head.seq, self.copy(&mut attached, committed_seq));
        match copied {
            Ok(()) => {
                let head = attached.head;
                self.attached = Some(attached);
                Ok(head)
            }
            Err(e) => {
                tracing::debug!(error = %e, from, committed_seq, "the copy is looked at afresh");
                let doubtful = |open: Open| {
                    let Open { path, identity, bytes, .. } = open;
                    Doubt { path, identity, bytes }
                };
                self.doubt = attached.file.map(doubtful).or(self.doubt.take());
                Err(e)
            }
        }
    }

    /// Seals, and with `compress` compresses, the first full segment of the copy that needs it.
    pub fn seal_next(
        &self,
        compress: bool,
        pace: &mut Pace<'_>,
    ) -> Result<Option<Sealed>, JournalError> {
        let Some(attached) = &self.attached else { return Ok(None) };
        Sealer::new(&self.target, &attached.lock).seal_next(compress, pace)
    }

    fn refused(&self, reason: impl Into<String>) -> JournalError {
        JournalError::Refused { target: self.target.clone(), reason: reason.into() }
    }

    /// Finds out where the copy ends, and that it is a copy of this journal.
    fn attach(&mut self, committed_seq: u64) -> Result<Attached, JournalError> {
        let folder = Identity::at(&self.target)?;
        if folder == Identity::at(&self.source)? {
            return Err(self.refused("it is the journal's own folder"));
        }
        let lock = Arc::new(FolderLock::take(&self.target)?);
        self.drop_doubtful()?;
        let examined = examine(&self.target)?;
        let head = examined.chain.head;
        self.check_same_journal(head, committed_seq)?;
        clean_parts(&self.target)?;
        let (append, _) = examined.repair(&self.target, Torn::Drop)?;
        let file = match append {
            Some(end) => {
                let file = self.disk.append(&end.path).map_err(io_error("open", &end.path))?;
                let identity = Identity::at(&end.path)?;
                Some(Open { path: end.path, identity, file, bytes: end.bytes })
            }
            None => None,
        };
        let reader = Reader::new(&self.source, head.seq + 1).after(head.hash);
        Ok(Attached { lock, folder, file, head, reader })
    }

    fn check_same_journal(&self, head: Head, committed_seq: u64) -> Result<(), JournalError> {
        if head.seq == 0 {
            return Ok(());
        }
        if head.seq > committed_seq {
            return Err(self.refused(format!(
                "it holds {} lines, the journal only {committed_seq}: it may be what the journal has \
                 lost, or of another journal",
                head.seq
            )));
        }
        let line = Reader::new(&self.source, head.seq).read_up_to(committed_seq)?;
        if line.is_none_or(|line| line.hash != head.hash) {
            return Err(self.refused(format!(
                "its last line {} is not that line of the journal: it is of another journal, or the \
                 journal was changed",
                head.seq
            )));
        }
        Ok(())
    }

    /// Drops what a failed sync left in doubt, if it is still that file.
    fn drop_doubtful(&mut self) -> Result<(), JournalError> {
        if let Some(doubt) = &self.doubt
            && let Ok(data) = doubt.path.metadata()
            && Identity::of(&data) == doubt.identity
            && data.len() > doubt.bytes
        {
            truncate(&doubt.path, doubt.bytes)?;
        }
        self.doubt = None;
        Ok(())
    }

    fn copy(&mut self, attached: &mut Attached, committed_seq: u64) -> Result<(), JournalError> {
        let mut batch = Batch::new(attached.head);
        let mut written_bytes = 0;
        while !(batch.is_whole() && written_bytes + batch.whole_bytes >= STEP_BYTES) {
            let added = attached.reader.next_with(committed_seq, |raw| {
                // Lines of two segments are not written together.
                let begins = raw.segment == raw.line.seq;
                let next = Batch::new(batch.head);
                let ended = begins.then(|| std::mem::replace(&mut batch, next));
                batch.begins_segment |= begins;
                batch.add(raw);
                ended
            })?;
            match added {
                Some(Some(ended)) => {
                    self.write(attached, &ended)?;
                    written_bytes += ended.whole_bytes;
                }
                Some(None) => {}
                None => break,
            }
        }
        if !batch.is_whole() {
            // What is said to be committed ends inside a group: its lines are read again.
            attached.reader = Reader::new(&self.source, batch.head.seq + 1).after(batch.head.hash);
        }
        self.write(attached, &batch)
    }

    /// Appends whole groups to the copy and syncs them.
    fn write(&mut self, attached: &mut Attached, batch: &Batch) -> Result<(), JournalError> {
        if batch.whole_bytes == 0 {
            return Ok(());
        }
        let path = self.target.join(file_name(attached.head.seq + 1, Kind::Plain));
        // One that got no line before a failure is used.
        let is_there = attached.file.as_ref().is_some_and(|open| open.path == path);
        let is_new = !is_there && (batch.begins_segment || attached.file.is_none());
        if is_new {
            let file = self.disk.create(&path).map_err(io_error("create", &path))?;
            let identity = Identity::at(&path)?;
            attached.file = Some(Open { path, identity, file, bytes: 0 });
        }
        let Some(open) = &mut attached.file else { return Ok(()) };
        let bytes = &batch.bytes[..batch.whole_bytes];
        open.file.write_all(bytes).map_err(io_error("write", &open.path))?;
        open.file.sync_data().map_err(io_error("sync", &open.path))?;
        if is_new {
            self.disk.sync_dir(&self.target).map_err(io_error("sync", &self.target))?;
        }
        open.bytes += bytes.len() as u64;
        attached.head = batch.head;
        Ok(())
    }
}

impl Attached {
    /// Whether folder and file are those under their names: a disk may have been taken out, or another
    /// mounted over them, and what is written would be seen by nobody.
    fn is_there(&self, target: &Path) -> bool {
        let same = |path: &Path, identity| Identity::at(path).is_ok_and(|now| now == identity);
        same(target, self.folder) && self.file.as_ref().is_none_or(|f| same(&f.path, f.identity))
    }
}

/// Lines to be written together.
struct Batch {
    bytes: Vec<u8>,
    /// Bytes of whole groups.
    whole_bytes: usize,
    /// The last line of the whole groups.
    head: Head,
    begins_segment: bool,
}

impl Batch {
    fn new(head: Head) -> Self {
        Self { bytes: Vec::new(), whole_bytes: 0, head, begins_segment: false }
    }

    fn add(&mut self, raw: &RawLine<'_>) {
        self.bytes.extend_from_slice(raw.text);
        self.bytes.push(b'\n');
        let LineRef { seq, group, size, hash, .. } = raw.line;
        if seq == group + (size - 1) {
            (self.whole_bytes, self.head) = (self.bytes.len(), Head { seq, hash });
        }
    }

    fn is_whole(&self) -> bool {
        self.bytes.len() == self.whole_bytes
    }
}

impl std::fmt::Debug for SecondCopy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { source, target, .. } = self;
        let mut out = f.debug_struct("SecondCopy");
        out.field("source", source).field("target", target).field("head", &self.head());
        out.finish_non_exhaustive()
    }
}
