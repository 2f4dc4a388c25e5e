//! Folders that are still there after a power cut.

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::Context as _;

/// Makes a folder with those above it, and sees to it that its name survives a power cut: a file that
/// was synced is lost all the same when the name of its folder is.
pub fn make(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    // Also when it was there: the start that made it may not have come to this.
    let absolute = std::path::absolute(dir).with_context(|| dir.display().to_string())?;
    let Some(parent) = absolute.parent() else { return Ok(()) };
    match File::open(parent).and_then(|parent| parent.sync_all()) {
        // A folder that the service may not read was not made by the service, nor what is in it.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done.with_context(|| format!("sync {}", parent.display())),
    }
}
