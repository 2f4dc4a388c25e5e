use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// A segment that is being written.
pub trait SegmentFile: Send {
    /// Appends all of `bytes`.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written survive a power cut: fdatasync(2).
    fn sync_data(&mut self) -> io::Result<()>;
    /// Makes the file end, durably, where the last write ended: another segment begins.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the journal's writer does to a disk, so that a test can make each of them fail.
pub trait Disk: Send {
    /// Creates a segment; it must not exist.
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;
    /// Opens a segment to append to it.
    fn append(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;
    /// Makes a new file's name survive a power cut: fsync(2) of the folder.
    fn sync_dir(&mut self, dir: &Path) -> io::Result<()>;
    /// Shortens a segment to `bytes`; what was cut is gone once the segment is synced.
    fn shorten(&mut self, path: &Path, bytes: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.set_len(bytes)
    }
}

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileDisk;

impl Disk for FileDisk {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(OpenOptions::new().append(true).create_new(true).open(path)?))
    }

    fn append(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }

    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        sync_dir(dir)
    }
}

impl SegmentFile for File {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(self, bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }
}

/// Some network folders do not know how to sync a folder; they keep names safe by themselves or not
/// at all, and there is nothing else to be done.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    match File::open(dir)?.sync_all() {
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result,
    }
}

/// Makes a folder and its name durable: synced segments in a folder whose name is lost are lost. A
/// parent that may not be read was not made by this program.
pub(crate) fn make_folder(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let Some(parent) = std::path::absolute(dir)?.parent().map(Path::to_owned) else {
        return Ok(());
    };
    match sync_dir(&parent) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}
