use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{StoreError, io_error};
use crate::open::{Options, beside, parent};
use crate::store::Store;
use crate::swap::settle;

/// sled's threads may hold its file for a moment after the last handle is gone.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Builds a new store beside the one in `dir` and swaps them. `fill` gets the empty store and commits
/// everything to it, in batches of its own choice; when it fails, or the power does, the old store is
/// still there. The store in `dir` must be closed, or it is [`StoreError::InUse`].
pub fn rebuild<E: From<StoreError>>(
    dir: &Path,
    options: &Options,
    fill: impl FnOnce(&Store) -> Result<(), E>,
) -> Result<(), E> {
    wait_closed(dir, CLOSE_WAIT)?;
    settle(dir)?;
    let new = beside(dir, "new");
    remove(&new)?;
    let (store, _) = Store::open(&new, options)?;
    let filled = fill(&store).and_then(|()| Ok(store.flush()?));
    drop(store);
    if let Err(error) = filled {
        // The fill's error is the one to tell; a rest that cannot be removed now goes next time.
        let _ = wait_closed(&new, CLOSE_WAIT).and_then(|()| remove(&new));
        return Err(error);
    }
    wait_closed(&new, CLOSE_WAIT)?;
    sync_all(&new)?;
    wait_closed(dir, CLOSE_WAIT)?;
    Ok(swap(dir, &new)?)
}

/// Puts `new` where `dir` is. Between the two renames there is no store; [`finish_swap`] sees that.
fn swap(dir: &Path, new: &Path) -> Result<(), StoreError> {
    let old = beside(dir, "old");
    remove(&old)?;
    if dir.exists() {
        fs::rename(dir, &old).map_err(io_error("move", dir))?;
    }
    if let Err(error) = fs::rename(new, dir) {
        let _ = fs::rename(&old, dir);
        return Err(io_error("move", new)(error));
    }
    sync_dir(parent(dir))?;
    remove(&old)
}

/// Ends a swap that was interrupted. A new store that is not complete yet does no harm either: the
/// journal is replayed from its `applied_seq` on.
pub(crate) fn finish_swap(dir: &Path) -> Result<(), StoreError> {
    settle(dir)?;
    let (new, old) = (beside(dir, "new"), beside(dir, "old"));
    if !dir.exists() {
        for source in [new, old.clone()] {
            if source.exists() {
                fs::rename(&source, dir).map_err(io_error("move", &source))?;
                sync_dir(parent(dir))?;
                break;
            }
        }
    }
    if dir.exists() { remove(&old) } else { Ok(()) }
}

/// Waits until no one holds sled's lock on the store.
pub(crate) fn wait_closed(dir: &Path, at_most: Duration) -> Result<(), StoreError> {
    let path = dir.join("db");
    let started = Instant::now();
    loop {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(io_error("open", path)(e)),
        };
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if started.elapsed() >= at_most => {
                return Err(StoreError::InUse(dir.into()));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::Error(e)) => return Err(io_error("lock", path)(e)),
        }
    }
}

pub(crate) fn remove(dir: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io_error("remove", dir)(e)),
        _ => Ok(()),
    }
}

/// Fsyncs every file of the store: sled's own flush does not, and here the old one is given up for it.
pub(crate) fn sync_all(dir: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let path = entry.map_err(io_error("list", dir))?.path();
        if path.is_dir() {
            sync_all(&path)?;
        } else {
            File::open(&path).and_then(|f| f.sync_all()).map_err(io_error("sync", path))?;
        }
    }
    sync_dir(dir)
}

pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|f| f.sync_all()).map_err(io_error("sync", dir))
}
