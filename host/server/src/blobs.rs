//! Photos and documents as files named by their content: `blobs/ab/abcdef…`, the name being the SM3 of
//! the bytes. A blob is durable before [`Upload::finish`] returns, so that no event can refer to one
//! that a power cut would take.
//!
//! What was uploaded and is on no record yet belongs to nobody: only its uploader may refer to it or
//! see it, for an hour and not across a restart, and after a day it is swept away.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use parking_lot::Mutex;
use sm3::{Digest as _, Sm3};
use tempfile::NamedTempFile;
use tianyin_domain::attachment::{BLOB_BYTES_MAX, BlobKind, is_blob_hash};

use crate::keys::restrict;

/// An uploader may refer to what was uploaded for this long.
const FRESH: Duration = Duration::from_secs(3600);
/// A blob without a record is kept this long.
pub const ORPHAN: Duration = Duration::from_secs(24 * 3600);
/// Uploads without a record that one person may have at a time: three records full.
const FRESH_PER_PERSON_MAX: usize = 27;
/// The same for all together; with [`BLOB_BYTES_MAX`] 16 GiB in the worst hour.
const FRESH_MAX: usize = 2048;
/// Where uploads grow; what a crash leaves here is removed at the next start.
const INCOMING: &str = "incoming";

/// Why an upload was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Neither JPEG, PNG, WebP nor PDF.
    #[error("not a picture or document of a known kind")]
    Kind,
    /// No bytes.
    #[error("empty")]
    Empty,
    /// More than [`BLOB_BYTES_MAX`] bytes.
    #[error("larger than {BLOB_BYTES_MAX} bytes")]
    TooLarge,
    /// Too many uploads that were never referred to.
    #[error("too many uploads without a record")]
    TooMany,
    /// The disk refused.
    #[error("blob folder: {0}")]
    Io(#[from] io::Error),
}

/// A blob that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// SM3 of the content, hex.
    pub hash: String,
    /// What it is.
    pub kind: BlobKind,
    /// Size.
    pub bytes: u64,
}

/// The blob folder.
pub struct Blobs {
    dir: PathBuf,
    /// Uploads that are on no record yet, by digest and uploader. Also the lock between an upload
    /// that finds its blob there already and the sweep that removes it.
    fresh: Mutex<HashMap<(String, String), Instant>>,
}

impl Blobs {
    /// Opens the folder, making it at first start.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let incoming = dir.join(INCOMING);
        if incoming.exists() {
            std::fs::remove_dir_all(&incoming)
                .with_context(|| format!("clear {}", incoming.display()))?;
        }
        crate::folders::make(dir)?;
        std::fs::create_dir_all(&incoming)
            .with_context(|| format!("create {}", incoming.display()))?;
        restrict(dir)?;
        Ok(Self { dir: dir.into(), fresh: Mutex::default() })
    }

    /// Begins an upload.
    pub fn begin(&self) -> io::Result<Upload> {
        let file = NamedTempFile::new_in(self.dir.join(INCOMING))?;
        Ok(Upload { file, hasher: Sm3::new(), head: Vec::new(), bytes: 0 })
    }

    /// What is known of a blob: kind and size by the file itself. `None` when there is none.
    pub fn look(&self, hash: &str) -> io::Result<Option<Blob>> {
        if !is_blob_hash(hash) {
            return Ok(None);
        }
        let Some(mut file) = found(std::fs::File::open(path_of(&self.dir, hash)))? else {
            return Ok(None);
        };
        let bytes = file.metadata()?.len();
        let mut head = Vec::new();
        io::Read::read_to_end(
            &mut io::Read::take(&mut file, BlobKind::HEAD_BYTES as u64),
            &mut head,
        )?;
        Ok(BlobKind::of(&head).map(|kind| Blob { hash: hash.to_owned(), kind, bytes }))
    }

    /// The content, at most [`BLOB_BYTES_MAX`] bytes; `None` when there is none.
    pub fn read(&self, hash: &str) -> io::Result<Option<Vec<u8>>> {
        if !is_blob_hash(hash) {
            return Ok(None);
        }
        found(std::fs::read(path_of(&self.dir, hash)))
    }

    /// Whether a person uploaded this just now.
    pub fn is_fresh(&self, hash: &str, uploader: &str) -> bool {
        let key = (hash.to_owned(), uploader.to_owned());
        self.fresh.lock().get(&key).is_some_and(|at| at.elapsed() < FRESH)
    }

    /// The upload has its record: it no longer counts against its uploader.
    pub fn settle(&self, hash: &str, uploader: &str) {
        self.fresh.lock().remove(&(hash.to_owned(), uploader.to_owned()));
    }

    /// Blobs that have not been touched for `age`, at most `limit`, for the sweep.
    pub fn older_than(&self, age: Duration, limit: usize) -> io::Result<Vec<String>> {
        let mut old = Vec::new();
        for hash in list(&self.dir)? {
            let hash = hash?;
            let Some(file) = found(std::fs::metadata(path_of(&self.dir, &hash)))? else { continue };
            if is_older(file.modified()?, age) {
                old.push(hash);
                if old.len() == limit {
                    break;
                }
            }
        }
        Ok(old)
    }

    /// Removes a blob that no record refers to, unless it was uploaded again meanwhile.
    pub fn remove_orphan(&self, hash: &str, age: Duration) -> io::Result<bool> {
        let mut fresh = self.fresh.lock();
        fresh.retain(|_, at| at.elapsed() < FRESH);
        let path = path_of(&self.dir, hash);
        let Some(file) = found(std::fs::metadata(&path))? else { return Ok(false) };
        if fresh.keys().any(|(h, _)| h == hash) || !is_older(file.modified()?, age) {
            return Ok(false);
        }
        std::fs::remove_file(path)?;
        Ok(true)
    }

    /// Notes who uploaded, within the limits.
    fn note(
        &self,
        fresh: &mut HashMap<(String, String), Instant>,
        hash: &str,
        uploader: &str,
    ) -> Result<(), BlobError> {
        fresh.retain(|_, at| at.elapsed() < FRESH);
        let key = (hash.to_owned(), uploader.to_owned());
        let own = fresh.keys().filter(|(_, u)| u == uploader).count();
        if !fresh.contains_key(&key) && (own >= FRESH_PER_PERSON_MAX || fresh.len() >= FRESH_MAX) {
            return Err(BlobError::TooMany);
        }
        fresh.insert(key, Instant::now());
        Ok(())
    }
}

/// An upload under way; dropped, it leaves nothing.
pub struct Upload {
    file: NamedTempFile,
    hasher: Sm3,
    head: Vec<u8>,
    bytes: u64,
}

impl Upload {
    /// Takes in the next bytes. What is too large or of a wrong kind is refused as soon as that shows.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), BlobError> {
        self.bytes += chunk.len() as u64;
        if self.bytes > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge);
        }
        let missing = BlobKind::HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&chunk[..chunk.len().min(missing)]);
        if self.head.len() == BlobKind::HEAD_BYTES && BlobKind::of(&self.head).is_none() {
            return Err(BlobError::Kind);
        }
        self.hasher.update(chunk);
        Ok(self.file.write_all(chunk)?)
    }

    /// Makes the blob durable and lets its uploader refer to it. A blob that is there already stays.
    pub fn finish(self, blobs: &Blobs, uploader: &str) -> Result<Blob, BlobError> {
        let Self { file, hasher, head, bytes } = self;
        if bytes == 0 {
            return Err(BlobError::Empty);
        }
        let kind = BlobKind::of(&head).ok_or(BlobError::Kind)?;
        let hash = hex::encode(hasher.finalize());
        let path = path_of(&blobs.dir, &hash);
        file.as_file().sync_all()?;
        let folder = path.parent().unwrap_or(&blobs.dir);
        let mut fresh = blobs.fresh.lock();
        blobs.note(&mut fresh, &hash, uploader)?;
        std::fs::create_dir_all(folder)?;
        sync_dir(&blobs.dir)?;
        // Over a file of the same name too: the same bytes, with today's date, and if that file was
        // damaged it is whole again. Renamed by the standard library, because tempfile makes the system
        // call itself, where no test of power cuts can see it.
        let incoming = file.into_temp_path();
        std::fs::rename(&incoming, &path)?;
        // It has another name now; there is nothing to be removed.
        let _ = incoming.keep();
        sync_dir(folder)?;
        Ok(Blob { hash, kind, bytes })
    }
}

/// `blobs/ab/abcdef…`.
pub fn path_of(dir: &Path, hash: &str) -> PathBuf {
    dir.join(hash.get(..2).unwrap_or("00")).join(hash)
}

/// SM3 of a content in memory, as a blob is named.
pub fn hash_of(bytes: &[u8]) -> String {
    hex::encode(Sm3::digest(bytes))
}

/// SM3 of a file's content, hex.
pub fn hash_of_file(path: &Path) -> io::Result<String> {
    let mut hasher = Hasher(Sm3::new());
    io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
    Ok(hex::encode(hasher.0.finalize()))
}

struct Hasher(Sm3);

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Digests of all blobs in a folder, in no order. Other files are none of its business.
pub fn list(dir: &Path) -> io::Result<impl Iterator<Item = io::Result<String>>> {
    let mut folders = Vec::new();
    for entry in found(std::fs::read_dir(dir))?.into_iter().flatten() {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|n| n.len() == 2) && entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    let files = folders.into_iter().map(std::fs::read_dir);
    let names = files.flat_map(|files| match files {
        Ok(files) => files.map(|f| f.map(|f| f.file_name())).collect(),
        Err(e) => vec![Err(e)],
    });
    Ok(names.filter_map(|name| match name {
        Ok(name) => name.into_string().ok().filter(|n| is_blob_hash(n)).map(Ok),
        Err(e) => Some(Err(e)),
    }))
}

fn is_older(modified: SystemTime, age: Duration) -> bool {
    SystemTime::now().duration_since(modified).is_ok_and(|passed| passed > age)
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PHOTO: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0 lotus";
    /// By OpenSSL: `printf … | openssl dgst -sm3`.
    const PHOTO_SM3: &str = "0b4ab35ed9dcdb40be8101b4fe6e38902bebb6fb42813ca54c611abc8c0d5419";

    fn put(blobs: &Blobs, chunks: &[&[u8]], who: &str) -> Result<Blob, BlobError> {
        let mut upload = blobs.begin().unwrap();
        for chunk in chunks {
            upload.write(chunk)?;
        }
        upload.finish(blobs, who)
    }

    #[test]
    fn content_is_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let blob = put(&blobs, &[&PHOTO[..2], &PHOTO[2..5], &PHOTO[5..]], "user/a").unwrap();
        assert_eq!(blob.hash, PHOTO_SM3);
        assert_eq!((blob.kind, blob.bytes), (BlobKind::Jpeg, PHOTO.len() as u64));
        assert_eq!(blobs.look(&blob.hash).unwrap(), Some(blob.clone()));
        assert_eq!(blobs.read(&blob.hash).unwrap().unwrap(), PHOTO);
        assert_eq!(hash_of_file(&path_of(dir.path(), &blob.hash)).unwrap(), blob.hash);
        assert_eq!(put(&blobs, &[PHOTO], "user/b").unwrap(), blob, "the same again");
        assert_eq!(list(dir.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(dir.path().join(INCOMING)).unwrap().count(), 0);
        assert!(blobs.is_fresh(&blob.hash, "user/a") && blobs.is_fresh(&blob.hash, "user/b"));
        assert!(!blobs.is_fresh(&blob.hash, "user/c"));
    }

    #[test]
    fn what_is_no_photo_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let large = vec![0; usize::try_from(BLOB_BYTES_MAX).unwrap()];
        assert!(matches!(put(&blobs, &[b"<svg onload=x>......"], "a"), Err(BlobError::Kind)));
        assert!(matches!(put(&blobs, &[b"GIF"], "a"), Err(BlobError::Kind)));
        assert!(matches!(put(&blobs, &[], "a"), Err(BlobError::Empty)));
        assert!(matches!(put(&blobs, &[PHOTO, &large], "a"), Err(BlobError::TooLarge)));
        assert_eq!(list(dir.path()).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(dir.path().join(INCOMING)).unwrap().count(), 0);
        assert_eq!(blobs.look("../keys/vault.key").unwrap(), None);
        assert_eq!(blobs.read("../keys/vault.key").unwrap(), None);
    }

    #[test]
    fn one_person_cannot_fill_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let photo = |n: usize| [PHOTO, n.to_string().as_bytes()].concat();
        for n in 0..FRESH_PER_PERSON_MAX {
            put(&blobs, &[&photo(n)], "a").unwrap();
        }
        put(&blobs, &[&photo(0)], "a").unwrap();
        assert!(matches!(put(&blobs, &[&photo(99)], "a"), Err(BlobError::TooMany)));
        put(&blobs, &[&photo(99)], "b").unwrap();
        let first = put(&blobs, &[&photo(0)], "a").unwrap();
        blobs.settle(&first.hash, "a");
        put(&blobs, &[&photo(98)], "a").unwrap();
    }

    #[test]
    fn only_what_is_old_and_unclaimed_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let blob = put(&blobs, &[PHOTO], "a").unwrap();
        assert_eq!(blobs.older_than(ORPHAN, 9).unwrap(), [""; 0]);
        let file = std::fs::File::options().write(true).open(path_of(dir.path(), &blob.hash));
        file.unwrap().set_modified(SystemTime::now() - ORPHAN - Duration::from_secs(60)).unwrap();
        assert_eq!(blobs.older_than(ORPHAN, 9).unwrap(), std::slice::from_ref(&blob.hash));
        assert!(!blobs.remove_orphan(&blob.hash, ORPHAN).unwrap(), "its uploader may yet use it");
        let later = Blobs::open(dir.path()).unwrap();
        assert!(later.remove_orphan(&blob.hash, ORPHAN).unwrap());
        assert_eq!(later.look(&blob.hash).unwrap(), None);
        assert!(!later.remove_orphan(&blob.hash, ORPHAN).unwrap());
    }
}
