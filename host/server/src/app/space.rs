//! Space on the disks of the data folder. Before it runs out the appliance goes read-only, and comes
//! back by itself; a ballast file is what closing and starting can still use when it has run out.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use tianyin_store::StoreError;

use super::gate::{Gate, Shortage};
use crate::config::Disk;

/// Name of the ballast in the data folder.
pub const BALLAST_FILE: &str = "ballast.bin";
const MIB: u64 = 1 << 20;
/// At least this much more than the limit must be free before it goes on.
const HYSTERESIS_MIN: u64 = 8 * MIB;
/// The store tells of a write that failed only when it is used the next time.
const SHORT_LATELY: Duration = Duration::from_secs(30);
/// What the store's log and a repair may want at start.
const START_BYTES: u64 = 24 * MIB;

/// Watches the disks.
#[derive(Debug)]
pub struct Space {
    data: PathBuf,
    folders: Vec<PathBuf>,
    free_min: u64,
    ballast_bytes: u64,
    /// When the disk was last seen short.
    short_at: Mutex<Option<Instant>>,
}

/// What there is, for health and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct SpaceState {
    /// Free on the tightest disk of the data folder, bytes.
    pub free_bytes: u64,
    /// Below this it is read-only.
    pub free_min_bytes: u64,
    /// The ballast as it is now, bytes; 0 when it was used up or is off.
    pub ballast_bytes: u64,
    /// The ballast as it should be.
    pub ballast_wanted_bytes: u64,
}

impl Space {
    /// Watches the disks that hold `data` and the folders in it that may be disks of their own.
    pub fn new(data: &Path, settings: &Disk) -> Self {
        let inside = ["journal", "store", "vault", "blobs"].map(|name| data.join(name));
        Self {
            data: data.into(),
            folders: [data.to_owned()].into_iter().chain(inside).collect(),
            free_min: settings.free_min_mib * MIB,
            ballast_bytes: settings.ballast_mib * MIB,
            short_at: Mutex::default(),
        }
    }

    /// Before anything is opened: gives the ballast back when there is too little to start with, and
    /// refuses to begin a new data folder on a disk that is full already.
    pub fn prepare_start(&self, is_new: bool) -> anyhow::Result<()> {
        let (folder, free) = self.tightest();
        if is_new && free < self.free_min {
            let Shortage { folder, free_mib, need_mib } = self.shortage_of(folder, free);
            anyhow::bail!(
                "磁盘空间不足,没有开始:{folder} 所在磁盘仅剩 {free_mib} MiB,请再腾出至少 {need_mib} MiB 后重新启动 \
                 / not enough space to begin: {free_mib} MiB left on the disk of {folder}, free {need_mib} MiB more"
            );
        }
        if free < START_BYTES {
            self.release_ballast();
        }
        Ok(())
    }

    /// Looks at the disks, shuts the gate when they are short, opens it when there is space again.
    pub fn check(&self, gate: &Gate) {
        let (folder, free) = self.tightest();
        let was_shut = gate.reason().is_some();
        let enough = if was_shut { self.resume_bytes() } else { self.free_min };
        if free < enough {
            let shortage = self.shortage_of(folder, free);
            if !was_shut {
                tracing::error!(folder = %shortage.folder, free_mib = shortage.free_mib, need_mib = shortage.need_mib, "disk is nearly full: read-only until there is space");
            }
            return gate.shut_low(shortage);
        }
        gate.open();
    }

    /// Whether there is enough to go on after the disk was full.
    pub fn is_enough(&self) -> bool {
        self.tightest().1 >= self.resume_bytes()
    }

    /// Whether a write that failed just now, whatever it said, may have failed for want of space.
    pub fn was_short(&self) -> bool {
        !self.is_enough() || self.short_at.lock().is_some_and(|at| at.elapsed() < SHORT_LATELY)
    }

    /// What a person has to free now.
    pub fn shortage(&self) -> Shortage {
        let (folder, free) = self.tightest();
        self.shortage_of(folder, free)
    }

    /// Gives the ballast back to the disk; whether there was one.
    pub fn release_ballast(&self) -> bool {
        let path = self.data.join(BALLAST_FILE);
        let released = std::fs::remove_file(&path).is_ok();
        if released {
            tracing::warn!(file = %path.display(), "the disk is full: ballast released");
        }
        released
    }

    /// Makes the ballast when it is missing and there is space for it beside what must be free.
    pub fn keep_ballast(&self) {
        let path = self.data.join(BALLAST_FILE);
        let there = ballast_bytes(&path);
        if there == self.ballast_bytes {
            return;
        }
        let result = match self.ballast_bytes {
            0 => std::fs::remove_file(&path),
            wanted if self.tightest().1 + there < self.resume_bytes() + wanted => return,
            wanted => make_ballast(&path, wanted),
        };
        if let Err(e) = result {
            let _ = std::fs::remove_file(&path);
            tracing::warn!(file = %path.display(), error = %e, "no ballast could be made");
        }
    }

    /// What there is now.
    pub fn state(&self) -> SpaceState {
        SpaceState {
            free_bytes: self.tightest().1,
            free_min_bytes: self.free_min,
            ballast_bytes: ballast_bytes(&self.data.join(BALLAST_FILE)),
            ballast_wanted_bytes: self.ballast_bytes,
        }
    }

    /// The folder with the least space, and the space, for an ordinary user, in bytes. What cannot be
    /// asked does not count: a folder that is not there yet, a file system without an answer.
    fn tightest(&self) -> (&Path, u64) {
        let free = |folder: &Path| {
            statvfs(folder).ok().map(|found| found.f_bavail.saturating_mul(found.f_frsize))
        };
        let found =
            self.folders.iter().filter_map(|folder| Some((folder.as_path(), free(folder)?)));
        let (folder, free) =
            found.min_by_key(|(_, free)| *free).unwrap_or((self.data.as_path(), u64::MAX));
        if free < self.resume_bytes() {
            *self.short_at.lock() = Some(Instant::now());
        }
        (folder, free)
    }

    fn resume_bytes(&self) -> u64 {
        self.free_min + HYSTERESIS_MIN.max(self.free_min / 8)
    }

    fn shortage_of(&self, folder: &Path, free: u64) -> Shortage {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let need = self.resume_bytes().saturating_sub(free).div_ceil(MIB).max(1);
        Shortage { folder: folder.display().to_string(), free_mib: free / MIB, need_mib: need }
    }
}

fn ballast_bytes(path: &Path) -> u64 {
    path.metadata().map_or(0, |m| m.len())
}

/// Really takes the space: a file with a hole would be no ballast.
fn make_ballast(path: &Path, bytes: u64) -> io::Result<()> {
    let _ = std::fs::remove_file(path);
    let mut file = File::options().write(true).create_new(true).open(path)?;
    if fallocate(&file, FallocateFlags::empty(), 0, bytes).is_ok() {
        return file.sync_all();
    }
    // Bytes that no file system can pack away.
    let mut chunk = vec![0u8; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        getrandom::fill(&mut chunk).map_err(io::Error::other)?;
        let now = left.min(chunk.len() as u64);
        file.write_all(chunk.get(..now as usize).unwrap_or_default())?;
        left -= now;
    }
    file.sync_all()
}

/// Whether the disk, or what this user may have of it, was full somewhere down this error.
pub fn is_full(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<StoreError>().is_some_and(StoreError::is_full)
            || cause.downcast_ref::<io::Error>().is_some_and(|e| {
                matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    fn space(dir: &Path, free_min_mib: u64) -> Space {
        Space::new(dir, &Disk { ballast_mib: 2, free_min_mib })
    }

    #[test]
    fn the_gate_follows_the_space() {
        let dir = tempfile::tempdir().unwrap();
        let gate = Gate::default();
        space(dir.path(), 0).check(&gate);
        assert!(gate.reason().is_none() && !gate.take_opened());
        let never = space(dir.path(), 1 << 30);
        never.check(&gate);
        assert!(!gate.take_opened());
        let reason = gate.reason().unwrap().to_string();
        assert!(reason.contains(&dir.path().display().to_string()), "{reason}");
        assert!(never.prepare_start(true).is_err() && never.prepare_start(false).is_ok());
        space(dir.path(), 0).check(&gate);
        assert!(gate.take_opened());
        assert!(gate.reason().is_none());
    }

    #[test]
    fn ballast_takes_real_space_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let space = space(dir.path(), 0);
        space.keep_ballast();
        let file = dir.path().join(BALLAST_FILE).metadata().unwrap();
        assert_eq!(file.len(), 2 * MIB);
        assert!(file.blocks() * 512 >= 2 * MIB, "a hole");
        assert_eq!(space.state().ballast_bytes, 2 * MIB);
        assert!(space.release_ballast() && !space.release_ballast());
        space.keep_ballast();
        assert_eq!(space.state().ballast_bytes, 2 * MIB);
        Space::new(dir.path(), &Disk { ballast_mib: 0, free_min_mib: 0 }).keep_ballast();
        assert_eq!(space.state().ballast_bytes, 0);
    }
}
