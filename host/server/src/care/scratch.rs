//! Folders for work that leaves nothing behind, and the folder where replaced files go.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::TempDir;

/// What a scratch folder's name begins with; one that a crash left is removed by `doctor --fix`.
pub const SCRATCH: &str = ".scratch-";
/// Where originals go.
pub const SET_ASIDE: &str = "set-aside";

/// A folder in `parent` that is removed when dropped.
pub fn new(parent: &Path) -> anyhow::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(SCRATCH)
        .tempdir_in(parent)
        .with_context(|| format!("make a scratch folder in {}", parent.display()))
}

/// Now, as part of a file name: `20261120-160000`, UTC.
pub fn stamp() -> String {
    crate::edge::now().strftime("%Y%m%d-%H%M%S").to_string()
}

/// The same, made different from those of earlier cures.
pub fn new_stamp(data: &Path) -> String {
    let stamp = stamp();
    let numbered = (2..).map(|n| format!("{stamp}-{n}"));
    let mut names = std::iter::once(stamp.clone()).chain(numbered);
    let is_new = |name: &String| !data.join(SET_ASIDE).join(name).exists();
    names.find(is_new).unwrap_or(stamp)
}

/// Copies a folder with everything in it; other than folders and files is an error.
pub fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        } else {
            return Err(io::Error::other(format!("{} is no file", entry.path().display())));
        }
    }
    Ok(())
}

/// Moves a file or folder of the data folder to `set-aside/STAMP/` under its own path, durably. What
/// is not there is nothing to move.
pub fn set_aside(data: &Path, path: &Path, stamp: &str) -> anyhow::Result<Option<PathBuf>> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let relative = path.strip_prefix(data).context("not in the data folder")?;
    let target = data.join(SET_ASIDE).join(stamp).join(relative);
    let parent = target.parent().unwrap_or(data);
    std::fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    crate::keys::restrict(&data.join(SET_ASIDE))?;
    std::fs::rename(path, &target)
        .with_context(|| format!("move {} to {}", path.display(), target.display()))?;
    sync_dir(parent)?;
    sync_dir(path.parent().unwrap_or(data))?;
    Ok(Some(target))
}

/// Makes names in a folder survive a power cut.
pub fn sync_dir(dir: &Path) -> anyhow::Result<()> {
    std::fs::File::open(dir)
        .and_then(|d| d.sync_all())
        .with_context(|| format!("sync {}", dir.display()))
}
