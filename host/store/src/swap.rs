//! A store built beside the one in use takes its place while that is read.
//!
//! sled reaches some of its files by path, so an open store's folder cannot be renamed. The new one
//! therefore stays where it was built until the next opening; a small file beside, the pointer, says
//! that it is the one that counts. Writing the pointer is the moment of the swap on disk: before it a
//! crash leaves the old store, after it the new one, and each is only a view of the journal.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{StoreError, guard, io_error};
use crate::open::{Options, beside, parent};
use crate::rebuild::{CLOSE_WAIT, remove, sync_all, sync_dir, wait_closed};
use crate::store::{Handles, Store};

/// Where a store may be built; one of them may hold the one in use.
const BUILD_SUFFIXES: [&str; 2] = ["new", "new2"];
/// The pointer: the name of the folder that counts.
const POINTER_SUFFIX: &str = "current";
/// What it is called until all of it is on the disk.
const UNNAMED_SUFFIX: &str = "current.tmp";
/// Whoever still reads the old store gets this long to end.
const READERS_WAIT: Duration = Duration::from_secs(60);

/// A store being built beside the one in use. What is left of it after a crash, or when it is dropped
/// before its time, goes when the store is opened or built the next time.
#[derive(Debug)]
pub struct Beside {
    store: Store,
    folder: PathBuf,
}

impl Beside {
    /// The store to fill.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Brings to the disk what was filled in so far: sled's own flush does not.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.store.flush()?;
        sync_all(&self.folder)
    }

    /// Gives it up and removes it.
    pub fn discard(self) -> Result<(), StoreError> {
        let Self { store, folder } = self;
        drop(store);
        wait_closed(&folder, CLOSE_WAIT)?;
        remove(&folder)
    }
}

/// The store that was in use before; it takes disk space until it is removed.
#[derive(Debug)]
pub struct Retired {
    store: Store,
    handles: Option<Handles>,
    folder: PathBuf,
}

impl Retired {
    /// Waits until nobody reads it any more, at most a minute, and removes it. When that fails it goes
    /// at the next opening.
    pub fn remove(mut self) -> Result<(), StoreError> {
        let handles = self.handles.take();
        guard(|| {
            drop(handles);
            Ok(())
        })?;
        wait_closed(&self.folder, READERS_WAIT)?;
        let old = beside(self.store.dir(), "old");
        {
            let _no_writer = self.store.lock_writer();
            if self.store.folder() == Some(self.folder.clone()) {
                // Opened anew meanwhile: the folder has the name of the one in use again.
                return Ok(());
            }
            remove(&old)?;
            fs::rename(&self.folder, &old).map_err(io_error("move", &self.folder))?;
        }
        remove(&old)
    }
}

impl Store {
    /// Opens an empty store beside this one, to be filled and then handed to [`Store::replace_with`].
    /// One at a time: what an earlier build left is removed.
    pub fn build_beside(&self, options: &Options) -> Result<Beside, StoreError> {
        let in_use = self.folder().ok_or_else(|| StoreError::InUse(self.dir().into()))?;
        let mut places = BUILD_SUFFIXES.iter().map(|suffix| beside(self.dir(), suffix));
        let folder = places.find(|place| *place != in_use);
        let folder = folder.ok_or_else(|| StoreError::InUse(self.dir().into()))?;
        wait_closed(&folder, CLOSE_WAIT)?;
        remove(&folder)?;
        let (store, _) = Store::open(&folder, options)?;
        Ok(Beside { store, folder })
    }

    /// Takes the new store in place of this one, for all clones of this one: what is read from now on
    /// comes from the new one, what is being read ends with the old one. The new one must be as far as
    /// this one, so the caller keeps commits away from the last line filled in until this returns.
    pub fn replace_with(&self, new: Beside) -> Result<Retired, StoreError> {
        let _writer = self.lock_writer();
        let (applied, given) = (self.applied_seq(), new.store.applied_seq());
        if given < applied {
            return Err(StoreError::NotForward { applied, given });
        }
        let Beside { store, folder } = new;
        let handles = store.take_handles().ok_or_else(|| StoreError::InUse(folder.clone()))?;
        point_to(self.dir(), &folder)?;
        let folder = self.folder().unwrap_or_else(|| self.dir().into());
        let handles = self.put_handles(handles, given);
        Ok(Retired { store: self.clone(), handles, folder })
    }
}

/// Makes `folder` the one that counts, durably.
fn point_to(dir: &Path, folder: &Path) -> Result<(), StoreError> {
    let pointer = beside(dir, POINTER_SUFFIX);
    let unnamed = beside(dir, UNNAMED_SUFFIX);
    let name = folder.file_name().unwrap_or_default();
    let written = File::create(&unnamed).and_then(|mut file| {
        file.write_all(name.as_encoded_bytes()).and_then(|()| file.sync_all())
    });
    written.map_err(io_error("write", &unnamed))?;
    fs::rename(&unnamed, &pointer).map_err(io_error("write", &pointer))?;
    sync_dir(parent(dir))
}

/// The folder that opening the store of `dir` would take: `dir`, or after a swap the one the pointer
/// names. For who looks at the files of a store that nobody has open, and changes nothing.
pub fn folder_in_use(dir: &Path) -> Result<PathBuf, StoreError> {
    Ok(pointed(dir)?.unwrap_or_else(|| dir.into()))
}

/// The folder that the pointer names, if there are both.
fn pointed(dir: &Path) -> Result<Option<PathBuf>, StoreError> {
    let pointer = beside(dir, POINTER_SUFFIX);
    let name = match fs::read(&pointer) {
        Ok(name) => name,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error("read", pointer)(e)),
    };
    let mut built = BUILD_SUFFIXES.iter().map(|suffix| beside(dir, suffix));
    let is_named = |b: &PathBuf| b.file_name().is_some_and(|n| n.as_encoded_bytes() == name);
    Ok(built.find(|b| is_named(b) && b.exists()))
}

/// Brings the store that counts back under its own name and removes what is left of others, as
/// opening does. Refused while anybody has one of them open.
pub fn settle(dir: &Path) -> Result<(), StoreError> {
    let pointer = beside(dir, POINTER_SUFFIX);
    let built = BUILD_SUFFIXES.map(|suffix| beside(dir, suffix));
    let left = built.iter().any(|folder| folder.exists());
    if !left && !pointer.exists() {
        return Ok(());
    }
    for folder in built.iter().map(PathBuf::as_path).chain([dir]) {
        wait_closed(folder, CLOSE_WAIT)?;
    }
    if let Some(folder) = pointed(dir)? {
        let old = beside(dir, "old");
        remove(&old)?;
        if dir.exists() {
            fs::rename(dir, &old).map_err(io_error("move", dir))?;
        }
        fs::rename(&folder, dir).map_err(io_error("move", folder))?;
        sync_dir(parent(dir))?;
    }
    for file in [pointer, beside(dir, UNNAMED_SUFFIX)] {
        match fs::remove_file(&file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error("remove", file)(e));
            }
            _ => {}
        }
    }
    sync_dir(parent(dir))?;
    if dir.exists() {
        for folder in &built {
            remove(folder)?;
        }
    }
    Ok(())
}
