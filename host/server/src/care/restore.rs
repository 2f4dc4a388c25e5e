//! `restore`: a backup becomes the data folder; what was there before is kept beside it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::archive::{Manifest, unpack};
use super::backup::check_unpacked;
use super::lines::Lines;
use super::scratch::{self, stamp, sync_dir};

/// What the folder in place has that the backup has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// There is no data folder, or no journal in it.
    Nothing,
    /// The same history, and so many lines more.
    Later(u64),
    /// Another county's, or a history that took another way.
    Other,
}

/// What was restored.
#[derive(Debug, serde::Serialize)]
pub struct Restored {
    /// The last line.
    pub head: u64,
    /// Its hash.
    pub hash: String,
    /// When the backup was made.
    pub made_at: tianyin_domain::Time,
    /// Files.
    pub files: usize,
    /// Where the folder that was there is now.
    pub safety_copy: Option<PathBuf>,
}

/// A backup that was unpacked beside the data folder and verified; dropped, it is removed.
pub struct Unpacked {
    scratch: tempfile::TempDir,
    /// What is in it.
    pub manifest: Manifest,
    /// What would be left behind.
    pub before: Before,
}

/// Unpacks and verifies a backup beside the data folder, which is only read.
pub fn prepare(file: &Path, data: &Path) -> anyhow::Result<Unpacked> {
    let parent = parent_of(data);
    std::fs::create_dir_all(&parent).with_context(|| format!("create {}", parent.display()))?;
    let scratch = scratch::new(&parent)?;
    let to = scratch.path().join("data");
    std::fs::create_dir(&to)?;
    let manifest = unpack(file, &to, super::doctor::free_bytes(&parent)?)?;
    check_unpacked(&to, &manifest)?;
    let before = before(&data.join("journal"), &manifest)?;
    Ok(Unpacked { scratch, manifest, before })
}

impl Unpacked {
    /// Puts it in the data folder's place.
    pub fn put_in_place(self, data: &Path) -> anyhow::Result<Restored> {
        let new = self.scratch.path().join("data");
        crate::keys::restrict(&new)?;
        if let Ok(there) = data.metadata() {
            give_to(&new, there.uid(), there.gid())?;
        }
        sync_all(&new)?;
        let parent = parent_of(data);
        let mut safety_copy = None;
        if data.symlink_metadata().is_ok() {
            let mut name = data.file_name().context("the data folder has no name")?.to_owned();
            name.push(format!(".before-restore-{}", stamp()));
            let aside = parent.join(name);
            ensure!(aside.symlink_metadata().is_err(), "{} exists", aside.display());
            std::fs::rename(data, &aside).with_context(|| {
                format!("move {} aside; a mount point cannot be moved", data.display())
            })?;
            safety_copy = Some(aside);
        }
        if let Err(e) = std::fs::rename(&new, data) {
            if let Some(aside) = &safety_copy {
                std::fs::rename(aside, data).context("move the folder back")?;
            }
            return Err(e).with_context(|| format!("move the backup to {}", data.display()));
        }
        sync_dir(&parent)?;
        let Manifest { head, hash, made_at, files, .. } = self.manifest;
        Ok(Restored { head, hash, made_at, files: files.len(), safety_copy })
    }
}

/// The folder that holds `path`; of a bare name, the current one.
fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Compares the journal in place with the backup's head, damaged or not.
fn before(journal: &Path, manifest: &Manifest) -> anyhow::Result<Before> {
    let (mut last, mut same) = (0, manifest.head == 0);
    for line in Lines::of(journal).with_context(|| format!("read {}", journal.display()))? {
        last = last.max(line.seq);
        same |= line.seq == manifest.head && line.hash == manifest.hash;
    }
    Ok(match last {
        0 => Before::Nothing,
        last if same => Before::Later(last - manifest.head),
        // The line itself may be what is damaged; if the journal ends before it, nothing is lost.
        last if last < manifest.head && !same => Before::Later(0),
        _ => Before::Other,
    })
}

/// Everything in a folder belongs to the account that the old folder belonged to: `root` restores,
/// the service reads.
fn give_to(path: &Path, uid: u32, gid: u32) -> anyhow::Result<()> {
    let own = path.symlink_metadata()?;
    if (own.uid(), own.gid()) != (uid, gid) {
        std::os::unix::fs::lchown(path, Some(uid), Some(gid))
            .with_context(|| format!("give {} to account {uid}", path.display()))?;
    }
    if own.is_dir() {
        for entry in std::fs::read_dir(path)? {
            give_to(&entry?.path(), uid, gid)?;
        }
    }
    Ok(())
}

fn sync_all(dir: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_all(&path)?;
        } else {
            let synced = std::fs::File::open(&path).and_then(|f| f.sync_all());
            synced.with_context(|| format!("sync {}", path.display()))?;
        }
    }
    sync_dir(dir)
}
