use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::error::{JournalError, io_error};

const LOCK_WAIT: Duration = Duration::from_millis(500);
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
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // A program that is just being started holds a copy of every handle until it runs.
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_WAIT => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => return Err(JournalError::Locked(dir.into())),
                // Some network folders know no locks.
                Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => break,
                Err(TryLockError::Error(e)) => return Err(io_error("lock", path)(e)),
            }
        }
        Ok(Self { _file: file, sealing: Mutex::new(()) })
    }
}
