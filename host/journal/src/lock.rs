use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Mutex;

use crate::error::{JournalError, io_error};

const LOCK_FILE: &str = "lock";

/// Keeps other processes from writing to a folder, and lets one sealing go on in it at a time.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
    /// Held while a segment is sealed.
    pub sealing: Mutex<()>,
}

impl FolderLock {
    pub(crate) fn take(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(LOCK_FILE);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(io_error("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Locked(dir.into())),
            // Some network folders know no locks.
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(e)) => return Err(io_error("lock", path)(e)),
        }
        Ok(Self { _file: file, sealing: Mutex::new(()) })
    }
}
