#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use super::format::{self, head};
use super::{Disk, Model, Recording};
use crate::appliance::test_folder;

const O_CREAT: u64 = 0o100;
const SEEDS: std::ops::Range<u64> = 0..200;

/// A log as the recorder would write it.
struct Log {
    root: PathBuf,
    bytes: Vec<u8>,
}

impl Log {
    fn new() -> Self {
        Self { root: PathBuf::from("/data"), bytes: Vec::new() }
    }

    fn add(&mut self, kind: u32, file: u32, numbers: (u64, u64), path: &str, data: &[u8]) {
        let path = if path.is_empty() { String::new() } else { format!("/data/{path}") };
        let path = path.trim_end_matches("/.").as_bytes();
        self.bytes.extend(head(kind, 1, file, numbers, path.len(), data.len()));
        self.bytes.extend(path);
        self.bytes.extend(data);
    }

    fn make(&mut self, file: u32, path: &str) {
        self.add(format::OPEN, file, (O_CREAT, 0o600), path, b"");
    }

    fn write(&mut self, file: u32, at: u64, data: &[u8]) {
        self.add(format::WRITE, file, (at, data.len() as u64), "", data);
    }

    fn sync(&mut self, file: u32, number: u64, errno: u64) {
        self.add(format::SYNC_BEGIN, file, (number, 1), "", b"");
        self.add(format::SYNC_END, file, (number, errno), "", b"");
    }

    fn read(&self) -> Recording {
        let file = test_folder().unwrap().join("log");
        std::fs::write(&file, &self.bytes).unwrap();
        Recording::read(&file, &self.root).unwrap()
    }
}

/// What is in a file after a cut at the end of the record; `None` when there is no such file.
fn after(recording: &Recording, base: &Path, model: Model, name: &str) -> Option<Vec<u8>> {
    let mut disk = Disk::new(recording, base).unwrap();
    disk.play_until(recording.records.len()).unwrap();
    let folder = test_folder().unwrap();
    std::fs::remove_dir(&folder).unwrap();
    disk.write_out(model, &folder).unwrap();
    let found = std::fs::read(folder.join(name)).ok();
    std::fs::remove_dir_all(&folder).unwrap();
    found
}

#[test]
fn a_file_is_safe_when_it_and_its_name_are_synced() {
    let base = test_folder().unwrap();
    let mut log = Log::new();
    log.make(1, "a");
    log.write(1, 0, b"safe");
    log.sync(1, 1, 0);
    let only_bytes = log.read();
    assert_eq!(after(&only_bytes, &base, Model::OnlySynced, "a"), None, "its name was not synced");
    log.add(format::OPEN, 2, (0, 0), ".", b"");
    log.sync(2, 2, 0);
    log.write(1, 4, b" lost");
    log.sync(1, 3, 5);
    let both = log.read();
    assert_eq!(after(&both, &base, Model::OnlySynced, "a").unwrap(), b"safe");
    assert_eq!(after(&both, &base, Model::All, "a").unwrap(), b"safe lost");
    let mut seen = std::collections::BTreeSet::new();
    for seed in SEEDS {
        let found = after(&both, &base, Model::Some(seed), "a").unwrap();
        assert!(found.starts_with(b"safe"), "{found:?}");
        seen.insert(found);
    }
    assert!(seen.contains(&b"safe"[..]) && seen.contains(&b"safe lost"[..]), "{seen:?}");
}

#[test]
fn a_write_that_came_after_the_sync_began_is_not_covered_by_it() {
    let base = test_folder().unwrap();
    std::fs::write(base.join("a"), b"old").unwrap();
    let mut log = Log::new();
    log.add(format::OPEN, 1, (1, 0), "a", b"");
    log.add(format::SYNC_BEGIN, 1, (1, 1), "", b"");
    log.write(1, 0, b"new");
    log.add(format::SYNC_END, 1, (1, 0), "", b"");
    assert_eq!(after(&log.read(), &base, Model::OnlySynced, "a").unwrap(), b"old");
}

#[test]
fn sectors_are_whole_and_writes_are_torn_between_them() {
    let base = test_folder().unwrap();
    std::fs::write(base.join("a"), [b'o'; 1024]).unwrap();
    let mut log = Log::new();
    log.add(format::OPEN, 1, (1, 0), "a", b"");
    // Two writes of one sector: the second is never there without the first.
    log.write(1, 0, &[b'1'; 1024]);
    log.write(1, 100, &[b'2'; 50]);
    let recording = log.read();
    let mut torn = 0;
    for seed in SEEDS {
        let found = after(&recording, &base, Model::Some(seed), "a").unwrap();
        assert_eq!(found.len(), 1024);
        let (first, second) = found.split_at(512);
        assert!(second.iter().all(|byte| *byte == second[0]));
        assert!([b'o', b'1'].contains(&first[0]) && first[0] == first[511]);
        assert!(first[120] == first[0] || (first[120] == b'2' && first[0] == b'1'));
        torn += usize::from(first[0] != second[0]);
    }
    assert!(torn > 0, "no write was torn");
}

#[test]
fn a_rename_happens_as_a_whole_or_not_at_all() {
    let base = test_folder().unwrap();
    std::fs::write(base.join("a"), b"old").unwrap();
    let mut log = Log::new();
    log.make(1, "tmp");
    log.write(1, 0, b"new");
    log.sync(1, 1, 0);
    log.add(format::RENAME, 0, (0, 0), "tmp", b"/data/a");
    let recording = log.read();
    let mut seen = std::collections::BTreeSet::new();
    for seed in SEEDS {
        let name = after(&recording, &base, Model::Some(seed), "a").unwrap();
        let temporary = after(&recording, &base, Model::Some(seed), "tmp");
        assert!(name == b"old" || (name == b"new" && temporary.is_none()), "{name:?}");
        seen.insert(name);
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!(after(&recording, &base, Model::OnlySynced, "a").unwrap(), b"old");
}

#[test]
fn a_gap_in_the_record_is_noticed() {
    let base = test_folder().unwrap();
    let mut log = Log::new();
    log.make(1, "a");
    let recording = log.read();
    let mut disk = Disk::new(&recording, &base).unwrap();
    disk.play_until(recording.records.len()).unwrap();
    assert_eq!(disk.differences(&base).unwrap().len(), 1, "recorded, but not there");
    log.write(7, 0, b"x");
    let recording = log.read();
    let mut disk = Disk::new(&recording, &base).unwrap();
    assert!(disk.play_until(recording.records.len()).is_err(), "a write to no open file");
}
