use std::path::PathBuf;

use crate::error::{JournalError, io_error};
use crate::journal::Journal;

/// What a write that failed before any sync may have left behind.
#[derive(Debug, Clone)]
pub(crate) struct FailedWrite {
    /// The segment that was written to.
    pub path: PathBuf,
    /// Its length before; 0 when it was being created.
    pub keep_bytes: u64,
}

impl Journal {
    /// Takes back the group whose write failed, so that lines are taken again, without opening the
    /// journal anew.
    ///
    /// Sound because nothing is guessed: every acknowledged byte was synced before the write began,
    /// the write was never followed by a sync, and where it began is known. So the segment is cut to
    /// exactly that length, which also removes a group of which only the last line break is missing,
    /// and synced. A sync that fails here, as anywhere, ends it: then, and when it was a sync that
    /// failed before, the answer is [`JournalError::Poisoned`] and only opening anew helps. Does
    /// nothing when no write failed.
    pub fn take_back(&mut self) -> Result<(), JournalError> {
        let Some(reason) = &self.poisoned else { return Ok(()) };
        let Some(FailedWrite { path, keep_bytes }) = self.failed_write.clone() else {
            return Err(JournalError::Poisoned(reason.clone()));
        };
        self.file = None;
        if keep_bytes == 0 {
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(io_error("remove", path)(e));
                }
                _ => {}
            }
        } else {
            self.disk.shorten(&path, keep_bytes).map_err(io_error("shorten", &path))?;
        }
        // From here on a failure is a failed sync: there is no second try.
        self.failed_write = None;
        if keep_bytes > 0 {
            let mut file = self.disk.append(&path).map_err(io_error("open", &path))?;
            file.sync_data().map_err(io_error("sync", &path))?;
            self.file = Some(file);
        }
        self.disk.sync_dir(&self.dir).map_err(io_error("sync", &self.dir))?;
        self.segment_bytes = keep_bytes;
        self.poisoned = None;
        tracing::warn!(segment = %path.display(), bytes = keep_bytes, "a write that failed was taken back");
        Ok(())
    }
}
