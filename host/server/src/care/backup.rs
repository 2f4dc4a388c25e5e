//! `backup`: everything of a data folder that cannot be made again, in one file, at one moment.
//!
//! The moment is a line of the journal. Secrets and photos are on disk before the line that refers to
//! them, so what is packed after the line was noted holds everything that the line needs; a secret
//! that is replaced meanwhile is erased, so those are read before as well, and so is the signing key.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use tianyin_domain::signing_key::in_force;

use super::archive::{Manifest, Packer, part_of, unpack};
use super::lines;
use super::on_record::OnRecord;
use super::scratch::{self, SCRATCH, SET_ASIDE, sync_dir};
use super::{CODE_KEY_FILE, signing};
use crate::app::mirror::{MARK_FILE, STATE_FILE, UNIT_RECORDS};
use crate::app::replay::fill;
use crate::code_key::CodeKey;
use crate::key_files::holds;

/// The folder is listed again when the journal seals a segment meanwhile.
const LISTINGS_MAX: usize = 20;
/// Names in the data folder that are not packed: what is made again, what is being done.
const LEFT_OUT: [&str; 6] =
    [SET_ASIDE, "ballast", "lost+found", "admin.sock", STATE_FILE, UNIT_RECORDS];

/// Where a journal ends for a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Sequence number of the last line.
    pub head: u64,
    /// Its hash, hex.
    pub hash: String,
}

/// What was made.
#[derive(Debug, serde::Serialize)]
pub struct Made {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The last line in it.
    pub head: u64,
    /// That line's hash.
    pub hash: String,
    /// Files in it.
    pub files: usize,
    /// Records by table.
    pub records: BTreeMap<String, u64>,
    /// It was unpacked, verified and counted.
    pub tested: bool,
}

/// Packs a data folder. `moment` is asked once, when the secrets have been read: by a service that
/// runs, the last acknowledged line. `test`: unpack, verify and count at the end.
pub fn backup(
    data: &Path,
    file: &Path,
    moment: impl FnOnce() -> anyhow::Result<Moment>,
    test: bool,
    progress: &mut dyn FnMut(&str),
) -> anyhow::Result<Made> {
    ensure!(data.join("journal").is_dir(), "{} is no data folder", data.display());
    check_target(data, file)?;
    let part = part_of(file);
    // What an earlier backup left when it was killed.
    if part.exists() {
        std::fs::remove_file(&part).with_context(|| format!("remove {}", part.display()))?;
    }
    let packed = pack(data, &part, moment, progress);
    let manifest = packed.inspect_err(|_| {
        let _ = std::fs::remove_file(&part);
    })?;
    if test {
        progress("test");
        restore_test(data, &part, &manifest).inspect_err(|_| {
            let _ = std::fs::remove_file(&part);
        })?;
    }
    // Without replacing what somebody else put there meanwhile.
    std::fs::hard_link(&part, file)
        .or_else(|_| rename_new(&part, file))
        .with_context(|| format!("name it {}", file.display()))?;
    let _ = std::fs::remove_file(&part);
    sync_dir(parent_of(file))?;
    Ok(Made {
        file: file.to_owned(),
        bytes: file.metadata()?.len(),
        head: manifest.head,
        hash: manifest.hash,
        files: manifest.files.len(),
        records: manifest.records,
        tested: test,
    })
}

/// File systems of USB sticks know no hard links.
fn rename_new(part: &Path, file: &Path) -> io::Result<()> {
    if file.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    std::fs::rename(part, file)
}

fn check_target(data: &Path, file: &Path) -> anyhow::Result<()> {
    ensure!(
        file.symlink_metadata().is_err(),
        "{} 已经存在,备份不会覆盖它,请换一个文件名 / exists, and a backup replaces nothing",
        file.display()
    );
    let parent = parent_of(file);
    let parent = parent.canonicalize().with_context(|| format!("folder {}", parent.display()))?;
    ensure!(
        !parent.starts_with(data.canonicalize()?),
        "备份不能放在数据目录里:硬盘坏了会一起丢 / not inside the data folder: both would be lost together"
    );
    Ok(())
}

fn parent_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn pack(
    data: &Path,
    part: &Path,
    moment: impl FnOnce() -> anyhow::Result<Moment>,
    progress: &mut dyn FnMut(&str),
) -> anyhow::Result<Manifest> {
    progress("vault");
    let mut secrets = read_small(&data.join("vault"))?;
    let keys = signing::read(data)?;
    let Moment { head, hash } = moment()?;
    secrets.extend(read_small(&data.join("vault"))?);
    let mut packer = Packer::create(part)?;
    for (name, content) in &secrets {
        packer.add(&format!("vault/{name}"), content.as_slice(), content.len() as u64)?;
    }
    progress("count");
    let on_record = OnRecord::read_whole(&data.join("journal"), head)?;
    for (name, content) in signing::at(data, keys, &on_record.signing_keys)? {
        packer.add(&format!("keys/{name}"), content.as_slice(), content.len() as u64)?;
    }
    progress("journal");
    pack_journal(&mut packer, &data.join("journal"), head)?;
    progress("files");
    for path in others(data)? {
        let name = path.strip_prefix(data)?.to_str().context("a file name is not UTF-8")?;
        let file = match File::open(&path) {
            Ok(file) => file,
            // An upload that nobody used is swept meanwhile.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e).with_context(|| format!("open {}", path.display())),
        };
        let bytes = file.metadata()?.len();
        packer.add(name, file, bytes)?;
    }
    let records = on_record.counts.iter().map(|(table, n)| ((*table).to_owned(), *n)).collect();
    packer.finish(Manifest::new(head, &hash, records))
}

/// All files of a folder of small files; one that goes meanwhile is left out.
fn read_small(dir: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    if !dir.exists() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        if !entry.file_type()?.is_file() || name.is_empty() || name.contains('.') {
            continue;
        }
        match std::fs::read(entry.path()) {
            Ok(content) => {
                found.insert(name, content);
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e).with_context(|| format!("read {}", entry.path().display())),
        }
    }
    Ok(found)
}

/// Packs the journal's segments up to line `head`. The last one is cut after that line, and packed
/// plain whatever it has become meanwhile.
fn pack_journal(packer: &mut Packer, dir: &Path, head: u64) -> anyhow::Result<()> {
    if head == 0 {
        return Ok(());
    }
    let mut segments = open_segments(dir)?;
    segments.retain(|segment| segment.first <= head);
    let last = segments.iter().map(|segment| segment.first).max().unwrap_or(0);
    for segment in segments {
        if segment.first < last {
            let bytes = segment.file.metadata()?.len();
            packer.add(&format!("journal/{}", segment.name), segment.file, bytes)?;
        } else if segment.name.ends_with(".jsonl") || segment.name.ends_with(".jsonl.gz") {
            let lines = head - segment.first + 1;
            let bytes = bytes_of_lines(&segment, lines)?;
            let content = segment.plain_lines()?;
            packer.add(&format!("journal/{:016}.jsonl", segment.first), content, bytes)?;
        }
    }
    Ok(())
}

struct Segment {
    first: u64,
    name: String,
    file: File,
}

impl Segment {
    /// Its plain lines. The handle stays good when the file loses its name.
    fn plain_lines(&self) -> anyhow::Result<Box<dyn io::BufRead>> {
        let mut file = self.file.try_clone()?;
        io::Seek::rewind(&mut file)?;
        Ok(lines::plain(Path::new(&self.name), file))
    }
}

/// Opens every file of every segment; a plain file goes when it has been compressed, so the folder is
/// listed again until all of them are open. Where there are both, the plain one is taken, and a seal
/// only of a compressed one: it speaks of that file, and a missing one is made anew.
fn open_segments(dir: &Path) -> anyhow::Result<Vec<Segment>> {
    for _ in 0..LISTINGS_MAX {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        if let Some(segments) = open_all(dir, &names)? {
            return Ok(segments);
        }
    }
    anyhow::bail!("{} changes all the time", dir.display())
}

fn open_all(dir: &Path, names: &[String]) -> anyhow::Result<Option<Vec<Segment>>> {
    let mut segments = Vec::new();
    for name in names {
        let Some((digits, form)) = name.split_once('.') else { continue };
        let Ok(first) = digits.parse() else { continue };
        let plain = format!("{digits}.jsonl");
        let is_plain = names.contains(&plain);
        if !(form == "jsonl" || (!is_plain && matches!(form, "jsonl.gz" | "seal"))) {
            continue;
        }
        let path = dir.join(name);
        match File::open(&path) {
            Ok(file) => segments.push(Segment { first, name: name.clone(), file }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("open {}", path.display())),
        }
    }
    Ok(Some(segments))
}

/// Plain bytes of the first `lines` lines of a segment.
fn bytes_of_lines(segment: &Segment, lines: u64) -> anyhow::Result<u64> {
    let mut reader = segment.plain_lines()?;
    let mut bytes = 0;
    for n in 0..lines {
        let mut line = Vec::new();
        let max = tianyin_journal::LINE_BYTES_CEILING as u64 + 1;
        let read = reader.by_ref().take(max).read_until(b'\n', &mut line)?;
        ensure!(line.last() == Some(&b'\n'), "{} ends after {n} lines", segment.name);
        bytes += read as u64;
    }
    Ok(bytes)
}

/// Every other file of the data folder.
fn others(data: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let relative = path.strip_prefix(data)?;
            if is_left_out(relative) {
                continue;
            }
            if kind.is_dir() {
                // Pages of a mirror are made again.
                if !path.join(MARK_FILE).exists() {
                    folders.push(path);
                }
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_left_out(relative: &Path) -> bool {
    let mut parts = relative.components().map(|c| c.as_os_str().to_string_lossy().into_owned());
    let first = parts.next().unwrap_or_default();
    let second = parts.next();
    let is_store = first == "store" || first.starts_with("store.");
    let is_packed_apart = ["journal", "vault"].contains(&first.as_str());
    let is_temporary = first.starts_with(SCRATCH)
        || relative.extension().is_some_and(|e| e == "tmp" || e == "part" || e == "sock")
        || (first == "blobs" && second.as_deref() == Some("incoming"));
    let is_signing = first == "keys" && second.as_deref().is_some_and(signing::is_one);
    is_store
        || is_signing
        || is_packed_apart
        || is_temporary
        || LEFT_OUT.iter().any(|name| first.starts_with(name))
}

/// Unpacks a backup, verifies the chain, builds a store of it and counts its records.
fn restore_test(data: &Path, file: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let scratch = scratch::new(data)?;
    let to = scratch.path().join("data");
    std::fs::create_dir(&to)?;
    unpack(file, &to, u64::MAX).context("restore test")?;
    check_unpacked(&to, manifest).context("restore test")?;
    let options = tianyin_store::Options::default();
    let (store, _) = tianyin_store::Store::open(&scratch.path().join("store"), &options)?;
    let reader = tianyin_journal::Reader::new(&to.join("journal"), 1);
    fill(&store, reader, manifest.head, |_| {})?;
    let counted = store.record_counts()?;
    for (table, expected) in &manifest.records {
        let found = counted.get(table).copied().unwrap_or(0);
        ensure!(
            found == *expected,
            "restore test: {found} records of {table}, {expected} expected"
        );
    }
    Ok(())
}

/// The chain of an unpacked journal is whole and ends where the manifest says, and every photo and
/// secret that it refers to is there.
pub fn check_unpacked(dir: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let journal = dir.join("journal");
    let (head, hash) = match journal.is_dir() {
        true => {
            let report = tianyin_journal::verify(&journal, None, &mut |_| {})?;
            ensure!(report.torn.is_none(), "the journal in the backup ends inside a group");
            (report.head.seq, report.head.hash.to_string())
        }
        false => (0, manifest.hash.clone()),
    };
    ensure!(
        (head, &hash) == (manifest.head, &manifest.hash),
        "the journal in the backup ends with line {head} {hash}, not {} {}",
        manifest.head,
        manifest.hash
    );
    if head == 0 {
        return Ok(());
    }
    let on_record = OnRecord::read_whole(&journal, head)?;
    if let Some(current) = in_force(&on_record.signing_keys) {
        let is_there = holds(&dir.join("keys"), current);
        ensure!(is_there, "the signing key {} is missing: run `tianyin doctor`", current.id);
    }
    if let Some(known) = &on_record.code_key {
        let packed = std::fs::read(dir.join(CODE_KEY_FILE)).ok();
        let is_there = packed.and_then(|key| CodeKey::check_of(&key)).as_ref() == Some(known);
        ensure!(is_there, "the key of the code packs is missing: run `tianyin doctor`");
    }
    for (hash, (_, record)) in &on_record.blobs {
        // A blob is named by the digest that the manifest has of it.
        let packed = manifest.files.get(&format!("blobs/{}/{hash}", &hash[..2]));
        let is_whole = packed.is_some_and(|packed| packed.sm3 == *hash);
        ensure!(is_whole, "a photo of {record} is missing or damaged: run `tianyin doctor`");
    }
    for (token, record) in &on_record.secrets {
        let is_there = dir.join("vault").join(token).is_file();
        ensure!(is_there, "a secret of {record} is missing: run `tianyin doctor`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::ops::ControlFlow;

    use serde_json::value::RawValue;
    use tianyin_journal::{Journal, NewLine, Options};

    /// A journal of 200 groups of two lines in many segments, the first half of them compressed.
    fn data_folder(data: &Path) -> Vec<Moment> {
        let dir = data.join("journal");
        let options = Options { segment_bytes_max: 4096, ..Options::default() };
        let (mut journal, _) = Journal::open(&dir, options).unwrap();
        let mut moments = Vec::new();
        for group in 0..200 {
            let actor = RawValue::from_string(format!("\"{group}\"")).unwrap();
            let events = RawValue::from_string("[]".into()).unwrap();
            let line = NewLine { time: "2026-03-01T08:00:00.000Z", actor: &actor, events: &events };
            journal.append_group(&[line, line]).unwrap();
            let head = journal.head();
            moments.push(Moment { head: head.seq, hash: head.hash.to_string() });
            if group == 100 {
                let sealer = journal.sealer();
                while sealer.seal_next(true, &mut |_| ControlFlow::Continue(())).unwrap().is_some()
                {
                }
            }
        }
        for (name, content) in
            [("vault/a1", "secret"), ("keys/county.key.pem", "key"), ("store/db", "sled")]
        {
            let path = data.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        moments
    }

    #[test]
    fn the_journal_is_cut_at_the_moment_whatever_form_its_segments_have() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let moments = data_folder(&data);
        let forms = |ending: &str| {
            let files = std::fs::read_dir(data.join("journal")).unwrap().flatten();
            files.filter(|f| f.file_name().to_string_lossy().ends_with(ending)).count()
        };
        assert!(forms(".jsonl.gz") > 3 && forms(".seal") > 3 && forms(".jsonl") > 3);
        for at in [0, 1, 40, 99, 100, 101, 150, 199] {
            let moment = moments[at].clone();
            let file = dir.path().join(format!("{at}.tgz"));
            let expected = moment.clone();
            let made = backup(&data, &file, || Ok(moment), false, &mut |_| {}).unwrap();
            assert_eq!((made.head, &made.hash), (expected.head, &expected.hash));
            let to = tempfile::tempdir().unwrap();
            let manifest = unpack(&file, to.path(), 1 << 20).unwrap();
            check_unpacked(to.path(), &manifest).unwrap();
            let (journal, recovery) =
                Journal::open(&to.path().join("journal"), Options::default()).unwrap();
            assert_eq!((journal.head().seq, recovery.cut), (expected.head, None));
            assert!(to.path().join("vault/a1").exists() && !to.path().join("store").exists());
            assert!(!file.with_extension("tgz.part").exists());
        }
    }

    #[test]
    fn a_backup_of_what_is_not_whole_fails_its_test() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let moment = data_folder(&data).remove(150);
        let segments = lines::segments(&data.join("journal")).unwrap();
        let last_before = segments.range(..moment.head).next_back().unwrap().1;
        let mut bytes = std::fs::read(last_before).unwrap();
        bytes[50] ^= 1;
        std::fs::write(last_before, bytes).unwrap();
        let file = dir.path().join("b.tgz");
        assert!(backup(&data, &file, || Ok(moment), true, &mut |_| {}).is_err());
        assert!(!file.exists() && !part_of(&file).exists());
    }
}
