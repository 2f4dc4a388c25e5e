//! The backup's file: a gzipped tar of plain files, with a manifest at its end that names every one
//! with size and SM3. What comes out of an archive is trusted only after the whole of it was checked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sm3::{Digest as _, Sm3};
use tar::{Archive, Builder, EntryType, Header};
use tianyin_domain::Time;

/// Version of the archive's form.
const FORMAT: u32 = 1;
/// Name of the manifest.
pub const MANIFEST: &str = "MANIFEST.json";
const MANIFEST_BYTES_MAX: u64 = 512 << 20;
/// Files in one archive.
const FILES_MAX: usize = 4_000_000;
/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 4 << 30;
const PATH_BYTES_MAX: usize = 512;
const PATH_DEPTH_MAX: usize = 16;

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// Size.
    pub bytes: u64,
    /// SM3, hex.
    pub sm3: String,
}

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the form, 1.
    pub format: u32,
    /// Version of the program that wrote it.
    pub version: String,
    /// When.
    pub made_at: Time,
    /// Sequence number of the journal's last line in it.
    pub head: u64,
    /// Its hash, hex.
    pub hash: String,
    /// Records by table, as the journal tells them.
    pub records: BTreeMap<String, u64>,
    /// Every other file by its path in the data folder.
    pub files: BTreeMap<String, Packed>,
}

/// Writes an archive.
pub struct Packer {
    tar: Builder<GzEncoder<BufWriter<File>>>,
    files: BTreeMap<String, Packed>,
}

impl Packer {
    /// Into a new file that only its owner may read.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let file = File::options().write(true).create_new(true).mode(0o600).open(path);
        let file = file.with_context(|| format!("create {}", path.display()))?;
        let gz = GzEncoder::new(BufWriter::with_capacity(256 << 10, file), Compression::fast());
        Ok(Self { tar: Builder::new(gz), files: BTreeMap::new() })
    }

    /// Adds the first `bytes` of a file; fewer are an error.
    pub fn add(&mut self, path: &str, content: impl Read, bytes: u64) -> anyhow::Result<()> {
        let mut hashing = Hashing { inner: content.take(bytes), hasher: Sm3::new(), bytes: 0 };
        self.append(path, &mut hashing, bytes).with_context(|| format!("pack {path}"))?;
        ensure!(hashing.bytes == bytes, "pack {path}: it became shorter meanwhile");
        let packed = Packed { bytes, sm3: hex::encode(hashing.hasher.finalize()) };
        self.files.insert(path.to_owned(), packed);
        Ok(())
    }

    /// Writes the manifest and makes the archive durable.
    pub fn finish(mut self, mut manifest: Manifest) -> anyhow::Result<Manifest> {
        manifest.files = std::mem::take(&mut self.files);
        let json = serde_json::to_vec(&manifest)?;
        self.append(MANIFEST, &mut json.as_slice(), json.len() as u64)?;
        let gz = self.tar.into_inner().context("end the archive")?;
        let file = gz.finish().context("end the archive")?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all().context("sync the archive")?;
        Ok(manifest)
    }

    fn append(&mut self, path: &str, content: &mut dyn Read, bytes: u64) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(0);
        self.tar.append_data(&mut header, path, content)
    }
}

impl Manifest {
    /// A manifest that [`Packer::finish`] completes.
    pub fn new(head: u64, hash: &str, records: BTreeMap<String, u64>) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            made_at: crate::edge::now(),
            head,
            hash: hash.to_owned(),
            records,
            files: BTreeMap::new(),
        }
    }
}

/// Unpacks an archive into an empty folder and checks every file of it against the manifest. Links,
/// devices, paths that lead elsewhere, files that are not in the manifest, and more than `bytes_max`
/// bytes are refused; the caller throws the folder away then.
pub fn unpack(file: &Path, to: &Path, bytes_max: u64) -> anyhow::Result<Manifest> {
    let open = File::open(file).with_context(|| format!("open {}", file.display()))?;
    let gz = GzDecoder::new(BufReader::with_capacity(256 << 10, open));
    let mut archive = Archive::new(gz);
    let (mut found, mut manifest) = (BTreeMap::new(), None);
    let mut left = bytes_max;
    for entry in archive.entries().context("not a backup of this program")? {
        let mut entry = entry.context("the backup is damaged")?;
        let path = entry.path().context("the backup is damaged")?.into_owned();
        let name = safe_name(&path)?;
        let kind = entry.header().entry_type();
        ensure!(
            kind == EntryType::Regular,
            "{name}: a backup holds plain files only, not {kind:?}"
        );
        let bytes = entry.size();
        ensure!(bytes <= FILE_BYTES_MAX, "{name}: {bytes} bytes are too many");
        left = left.checked_sub(bytes).with_context(|| {
            format!(
                "{name}: the backup unpacks to more than the {bytes_max} bytes there is room for"
            )
        })?;
        if name == MANIFEST {
            ensure!(manifest.is_none() && bytes <= MANIFEST_BYTES_MAX, "more than one manifest");
            manifest = Some(read_manifest(&mut entry)?);
            continue;
        }
        ensure!(found.len() < FILES_MAX, "more than {FILES_MAX} files");
        ensure!(!found.contains_key(&name), "{name} is in the backup twice");
        let packed = write(&mut entry, &to.join(&name), bytes).with_context(|| name.clone())?;
        found.insert(name, packed);
    }
    // To the end of the stream, whose check sum is the last thing in it.
    let mut rest = archive.into_inner().take(bytes_max);
    std::io::copy(&mut rest, &mut std::io::sink()).context("the backup is damaged")?;
    let manifest: Manifest = manifest.context("the backup has no manifest: it is cut short")?;
    compare(&manifest, &found)?;
    Ok(manifest)
}

/// A relative path of plain names, as text.
fn safe_name(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let mut depth = 0;
    for component in path.components() {
        ensure!(matches!(component, Component::Normal(_)), "{shown}: the path leads elsewhere");
        depth += 1;
    }
    let name = path.to_str().with_context(|| format!("{shown}: the path is not UTF-8"))?;
    let good = (1..=PATH_DEPTH_MAX).contains(&depth)
        && name.len() <= PATH_BYTES_MAX
        && !name.chars().any(char::is_control)
        && !name.ends_with('/')
        && !name.contains("//");
    ensure!(good, "{shown}: the path is not one this program writes");
    Ok(name.to_owned())
}

fn read_manifest(entry: &mut impl Read) -> anyhow::Result<Manifest> {
    let manifest: Manifest =
        serde_json::from_reader(BufReader::new(entry)).context("the manifest is not readable")?;
    let format = manifest.format;
    ensure!(format == FORMAT, "form {format} of the backup is not known to this program");
    Ok(manifest)
}

fn write(entry: &mut impl Read, path: &Path, bytes: u64) -> anyhow::Result<Packed> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    let mut hashing = Hashing { inner: entry, hasher: Sm3::new(), bytes: 0 };
    io::copy(&mut hashing, &mut file)?;
    file.flush()?;
    ensure!(hashing.bytes == bytes, "cut short");
    Ok(Packed { bytes, sm3: hex::encode(hashing.hasher.finalize()) })
}

fn compare(manifest: &Manifest, found: &BTreeMap<String, Packed>) -> anyhow::Result<()> {
    for (name, packed) in &manifest.files {
        match found.get(name) {
            None => bail!("{name} is missing in the backup"),
            Some(found) if found != packed => bail!("{name} is damaged in the backup"),
            Some(_) => {}
        }
    }
    match found.keys().find(|name| !manifest.files.contains_key(*name)) {
        Some(name) => bail!("{name} is not in the backup's manifest"),
        None => Ok(()),
    }
}

struct Hashing<R> {
    inner: R,
    hasher: Sm3,
    bytes: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.hasher.update(&into[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

/// `FILE.part`, where an archive grows.
pub fn part_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    type Entry = (EntryType, &'static str, &'static [u8], &'static str);

    /// An archive as an enemy writes it: names go into the header as they are.
    fn hostile(path: &Path, entries: &[Entry], manifest: Option<&str>) {
        let gz = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
        let mut tar = Builder::new(gz);
        let manifest = manifest.map(|m| (EntryType::Regular, MANIFEST, m.as_bytes(), ""));
        for (kind, name, content, link) in entries.iter().copied().chain(manifest) {
            let mut header = Header::new_gnu();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
            header.set_entry_type(kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o777);
            header.set_cksum();
            tar.append(&header, content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
    }

    fn manifest(files: &[(&str, &[u8])]) -> String {
        let mut manifest = Manifest::new(1, "0", BTreeMap::new());
        for (name, content) in files {
            let sm3 = crate::blobs::hash_of(content);
            manifest.files.insert((*name).into(), Packed { bytes: content.len() as u64, sm3 });
        }
        serde_json::to_string(&manifest).unwrap()
    }

    fn refused(entries: &[Entry], manifest: Option<&str>, bytes_max: u64) -> String {
        let dir = tempfile::tempdir().unwrap();
        let (file, to) = (dir.path().join("a.tgz"), dir.path().join("to"));
        std::fs::create_dir(&to).unwrap();
        hostile(&file, entries, manifest);
        let error = format!("{:#}", unpack(&file, &to, bytes_max).unwrap_err());
        assert!(!dir.path().join("evil").exists(), "{error}");
        assert!(!to.join("link").exists(), "{error}");
        error
    }

    #[test]
    fn hostile_archives_are_refused() {
        use EntryType::{Directory, Fifo, Link, Regular, Symlink};
        let cases: [(&[Entry], &str); 12] = [
            (&[(Regular, "../evil", b"x", "")], "leads elsewhere"),
            (&[(Regular, "a/../../evil", b"x", "")], "leads elsewhere"),
            (&[(Regular, "/tmp/evil", b"x", "")], "leads elsewhere"),
            (&[(Regular, "./a", b"x", "")], "leads elsewhere"),
            (&[(Symlink, "link", b"", "/etc/passwd")], "plain files only"),
            (&[(Link, "link", b"", "a")], "plain files only"),
            (&[(Fifo, "link", b"", "")], "plain files only"),
            (&[(Directory, "folder", b"", "")], "plain files only"),
            (&[(Regular, "a", b"x", ""), (Regular, "a", b"y", "")], "twice"),
            (&[(Regular, "a\x01b", b"x", "")], "not one this program writes"),
            (&[(Regular, "unknown", b"x", "")], "not in the backup's manifest"),
            (&[(Regular, "journal/1", &[0; 2000], "")], "room for"),
        ];
        for (entries, expected) in cases {
            let error = refused(entries, Some(&manifest(&[])), 1500);
            assert!(error.contains(expected), "{expected}: {error}");
        }
        let one: &[Entry] = &[(Regular, "a", b"x", "")];
        assert!(refused(one, None, 9999).contains("no manifest"));
        assert!(refused(one, Some(&manifest(&[("a", b"y")])), 9999).contains("a is damaged"));
        let more = manifest(&[("a", b"x"), ("b", b"x")]);
        assert!(refused(one, Some(&more), 9999).contains("b is missing"));
        let future = manifest(&[]).replacen("\"format\":1", "\"format\":2", 1);
        assert!(refused(&[], Some(&future), 9999).contains("form 2"));
        assert!(refused(&[], Some("{"), 9999).contains("manifest"));
    }

    #[test]
    fn what_was_packed_comes_out_and_damage_shows() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("b.tgz");
        let mut packer = Packer::create(&file).unwrap();
        let long = format!("journal/{}", "x".repeat(150));
        packer.add("keys/county.pem", &b"key"[..], 3).unwrap();
        packer.add(&long, &[7; 100_000][..], 90_000).unwrap();
        assert!(packer.add("short", &b"x"[..], 2).is_err());
        let mut packer = Packer::create(&dir.path().join("c.tgz")).unwrap();
        packer.add("keys/county.pem", &b"key"[..], 3).unwrap();
        packer.add(&long, &[7; 100_000][..], 90_000).unwrap();
        let file = dir.path().join("c.tgz");
        let made = packer.finish(Manifest::new(5, "ab", BTreeMap::new())).unwrap();
        let to = dir.path().join("to");
        std::fs::create_dir(&to).unwrap();
        assert_eq!(unpack(&file, &to, 1 << 20).unwrap(), made);
        assert_eq!(std::fs::read(to.join(&long)).unwrap(), [7; 90_000]);

        let whole = std::fs::read(&file).unwrap();
        for at in [3, whole.len() / 2, whole.len() - 9] {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            let to = tempfile::tempdir().unwrap();
            std::fs::write(&file, &changed).unwrap();
            let found = unpack(&file, to.path(), 1 << 20);
            // Some bits of the gzip header say nothing; whatever comes out is what went in.
            assert!(found.is_err() || found.unwrap() == made, "byte {at}");
            std::fs::write(&file, &whole[..at]).unwrap();
            let to = tempfile::tempdir().unwrap();
            assert!(unpack(&file, to.path(), 1 << 20).is_err(), "cut at {at}");
        }
    }
}
