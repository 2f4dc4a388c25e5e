//! The folder of the mirror: files appear whole or not at all, and are touched only when they change, so that
//! rsync and FTP carry what is new. Nothing is synced: what a power cut takes is made again.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::fs::statvfs;
use serde::{Deserialize, Serialize};

/// By which a folder is known to be a mirror, and which: exchanged for another one it is begun anew. How far it
/// is stands in the data folder, for it names codes, and what is here may be seen by everybody.
pub const MARK_FILE: &str = ".tianyin-mirror";
/// Largest mark that is read, in bytes.
const MARK_BYTES_MAX: u64 = 4096;

/// Bytes and numbers of files that are left free for pages.
const ROOM_MIN: u64 = 128 << 20;
const FILES_LEFT_MIN: u64 = 10_000;

/// What a folder says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Region code of the county whose pages these are.
    pub county: String,
    /// Drawn when the folder was begun.
    pub id: String,
}

/// A folder of files for a web host.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    part: PathBuf,
}

impl Folder {
    /// Opens the folder, making it when the one above it is there. `part` is the name of what is being
    /// written.
    pub(super) fn open(dir: &Path, part: &str) -> anyhow::Result<Self> {
        let described = || format!("{}", dir.display());
        match fs::create_dir(dir) {
            Ok(()) => set_mode(dir, 0o755),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).with_context(described),
        }
        anyhow::ensure!(dir.is_dir(), "{} is no folder", dir.display());
        // As the kernel names it: a way that changes later does not lead elsewhere in between.
        let dir = dir.canonicalize().with_context(described)?;
        let part = dir.join(part);
        // What a crash left.
        let _ = fs::remove_file(&part);
        Ok(Self { dir, part })
    }

    /// Writes a file unless it has these very bytes; whether it was written.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<bool> {
        let path = self.dir.join(name);
        self.replace(&path, bytes).with_context(|| format!("{}", path.display()))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<bool> {
        if is_same(path, bytes)? {
            return Ok(false);
        }
        if let Some(parent) = path.parent() {
            self.make(parent)?;
        }
        let written = self.put(path, bytes);
        if written.is_err() {
            // A full disk would keep half a file.
            let _ = fs::remove_file(&self.part);
        }
        written.map(|()| true)
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(&self.part)?;
        file.write_all(bytes)?;
        drop(file);
        set_mode(&self.part, 0o644);
        fs::rename(&self.part, path)
    }

    /// Makes the folders below the mirror's own; that one is not made up for when it is away.
    fn make(&self, folder: &Path) -> io::Result<()> {
        if folder == self.dir || folder.is_dir() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.make(parent)?;
        }
        fs::create_dir(folder)?;
        set_mode(folder, 0o755);
        Ok(())
    }

    /// Whether there is such a file, with anything in it.
    pub(super) fn has(&self, name: &str) -> bool {
        fs::metadata(self.dir.join(name)).is_ok_and(|found| found.is_file() && found.len() > 0)
    }

    /// Whether a file ends in these bytes.
    pub(super) fn ends_in(&self, name: &str, bytes: &[u8]) -> bool {
        let end = || -> io::Result<Vec<u8>> {
            let mut file = File::open(self.dir.join(name))?;
            let back = i64::try_from(bytes.len()).map_err(io::Error::other)?;
            file.seek(SeekFrom::End(-back))?;
            let mut end = Vec::with_capacity(bytes.len());
            file.take(bytes.len() as u64).read_to_end(&mut end)?;
            Ok(end)
        };
        end().is_ok_and(|end| end == bytes)
    }

    /// Refuses to take the space from a data folder on the same disk that the appliance needs to go on.
    pub(super) fn leave_space(&self, data: &Path, free_min: u64) -> anyhow::Result<()> {
        let own = fs::metadata(&self.dir).with_context(|| format!("{}", self.dir.display()))?;
        let shares = fs::metadata(data).is_ok_and(|data| data.dev() == own.dev());
        let found = statvfs(&self.dir).map_err(io::Error::from)?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        anyhow::ensure!(
            !shares || free >= free_min.saturating_mul(2),
            "磁盘空间不足,{} 所在磁盘仅剩 {} MiB / not enough disk space",
            self.dir.display(),
            free >> 20
        );
        Ok(())
    }

    /// Refuses files of packs while the space for pages could run out by them: pages tell of voids and recalls.
    /// There are so many that files without a number left are a limit as well.
    pub(super) fn leave_room(&self, data: &Path, free_min: u64) -> anyhow::Result<()> {
        self.leave_space(data, free_min.saturating_add(free_min / 2))?;
        let found = statvfs(&self.dir).map_err(io::Error::from)?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        // Some file systems do not number their files.
        let is_numbered = found.f_files > 0;
        anyhow::ensure!(
            free >= ROOM_MIN && (!is_numbered || found.f_favail >= FILES_LEFT_MIN),
            "{} 所在磁盘仅剩 {} MiB、可建文件 {} 个 / not enough room",
            self.dir.display(),
            free >> 20,
            found.f_favail
        );
        Ok(())
    }

    /// Which mirror is here; `None` when there is none, or none that can be read.
    pub(super) fn mark(&self) -> Option<Mark> {
        let file = File::open(self.dir.join(MARK_FILE)).ok()?;
        let mut text = String::new();
        file.take(MARK_BYTES_MAX).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Says which mirror is here.
    pub(super) fn set_mark(&self, mark: &Mark) -> anyhow::Result<()> {
        let text = serde_json::to_vec(mark)?;
        self.write(MARK_FILE, &text).map(|_| ())
    }
}

fn is_same(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() == bytes.len() as u64 => {
            Ok(fs::read(path)? == bytes)
        }
        Ok(_) => Ok(false),
        // A part of the way may be a file, or not be there yet.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

/// File systems of USB sticks know no modes.
fn set_mode(path: &Path, mode: u32) {
    let _ = fs::set_permissions(path, Permissions::from_mode(mode));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder(dir: &Path) -> Folder {
        Folder::open(&dir.join("www"), ".part").unwrap()
    }

    #[test]
    fn a_file_is_touched_only_when_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let www = folder(dir.path());
        let path = dir.path().join("www/T/CODE/index.html");
        assert!(www.write("T/CODE/index.html", b"one").unwrap());
        let first = fs::metadata(&path).unwrap();
        assert_eq!(first.mode() & 0o777, 0o644);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o755);
        assert!(!www.write("T/CODE/index.html", b"one").unwrap());
        assert_eq!(fs::metadata(&path).unwrap().ino(), first.ino());
        assert!(www.write("T/CODE/index.html", b"two").unwrap());
        assert_ne!(fs::metadata(&path).unwrap().ino(), first.ino());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert!(!dir.path().join("www/.part").exists());
        assert!(www.ends_in("T/CODE/index.html", b"wo") && www.has("T/CODE/index.html"));
        assert!(!www.ends_in("T/CODE/index.html", b"longer than it") && !www.has("T/CODE"));
    }

    #[test]
    fn a_folder_that_is_away_is_not_made_up_for() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Folder::open(&dir.path().join("no/www"), ".part").is_err());
        let www = folder(dir.path());
        fs::remove_dir(dir.path().join("www")).unwrap();
        assert!(www.write("T/CODE/index.html", b"one").is_err());
        assert!(!dir.path().join("www").exists());
        fs::write(dir.path().join("www"), b"a file").unwrap();
        assert!(Folder::open(&dir.path().join("www"), ".part").is_err());
    }

    #[test]
    fn packs_leave_room_for_pages() {
        let dir = tempfile::tempdir().unwrap();
        let www = folder(dir.path());
        assert!(www.leave_room(dir.path(), u64::MAX / 8).is_err());
        // Another disk than that of the data folder.
        assert!(www.leave_space(&dir.path().join("gone"), u64::MAX / 8).is_ok());
    }

    #[test]
    fn the_mark_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let www = folder(dir.path());
        assert_eq!(www.mark(), None);
        let mark = Mark { county: "430321".into(), id: "x".into() };
        www.set_mark(&mark).unwrap();
        assert_eq!(www.mark(), Some(mark));
        fs::write(dir.path().join("www").join(MARK_FILE), b"{half").unwrap();
        assert_eq!(www.mark(), None);
    }
}
