//! Which codes of a pack have their files, and of what look: ranges in order, in a small file for each pack in
//! the data folder, which may be lost. A pack of a million codes is a line or two of it.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::PathBuf;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::position::{boot, replace};

/// Name of their folder in the data folder.
pub const RECORDS: &str = "mirror-units";
/// Form of the files.
const FORMAT: u32 = 1;
/// Largest file that is read, in bytes: the ranges that a pack may have take a tenth of it.
const RECORD_BYTES_MAX: u64 = 2 << 20;

/// Codes in a row whose files look the same but for the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Range {
    from: u32,
    to: u32,
    /// Digest of what they look like.
    look: u64,
}

/// Codes of a pack that have their files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    ranges: Vec<Range>,
}

impl Written {
    /// The first of the codes from one to another, in a row, that have no file of this look.
    pub(super) fn missing(&self, from: u32, to: u32, look: u64) -> Option<(u32, u32)> {
        let mut next = from;
        let behind = self.ranges.partition_point(|range| range.to < from);
        for range in self.ranges.iter().skip(behind) {
            if next > to || range.from > to {
                break;
            }
            if range.look != look {
                continue;
            }
            if range.from > next {
                return Some((next, range.from - 1));
            }
            next = range.to + 1;
        }
        (next <= to).then_some((next, to))
    }

    /// These have files of this look now.
    pub(super) fn put(&mut self, from: u32, to: u32, look: u64) {
        let new = Range { from, to, look };
        let mut ranges = Vec::with_capacity(self.ranges.len() + 2);
        for old in std::mem::take(&mut self.ranges) {
            if old.to < from || to < old.from {
                ranges.push(old);
                continue;
            }
            if old.from < from {
                ranges.push(Range { to: from - 1, ..old });
            }
            if to < old.to {
                ranges.push(Range { from: to + 1, ..old });
            }
        }
        let at = ranges.partition_point(|range| range.from < from);
        ranges.insert(at, new);
        ranges.dedup_by(|next, last| {
            let is_one = last.to + 1 == next.from && last.look == next.look;
            if is_one {
                last.to = next.to;
            }
            is_one
        });
        self.ranges = ranges;
    }

    /// How many they are.
    pub(super) fn count(&self) -> u32 {
        self.ranges.iter().map(|range| range.to - range.from + 1).sum()
    }
}

/// The files of all packs.
#[derive(Debug)]
pub(super) struct Records {
    /// An export keeps none.
    dir: Option<PathBuf>,
    /// [`super::folder::Mark::id`].
    folder: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    format: u32,
    /// The machine was started then, as in [`super::position::Position`].
    boot: String,
    folder: String,
    written: Written,
}

impl Records {
    /// Those of a mirror, in this folder.
    pub(super) fn new(dir: Option<PathBuf>, folder: &str) -> Self {
        Self { dir, folder: folder.to_owned() }
    }

    /// What was written last of a pack; nothing when that is not to be believed.
    pub(super) fn read(&self, pack: &str) -> Written {
        let known = || -> Option<Record> {
            let mut text = String::new();
            let file = fs::File::open(self.path(pack)?).ok()?;
            file.take(RECORD_BYTES_MAX).read_to_string(&mut text).ok()?;
            serde_json::from_str(&text).ok()
        };
        let is_good = |known: &Record| {
            known.format == FORMAT && known.boot == boot() && known.folder == self.folder
        };
        known().filter(is_good).map(|known| known.written).unwrap_or_default()
    }

    /// Writes it.
    pub(super) fn write(&self, pack: &str, written: &Written) -> anyhow::Result<()> {
        let (Some(dir), Some(path)) = (&self.dir, self.path(pack)) else { return Ok(()) };
        if !dir.is_dir() {
            fs::create_dir(dir).with_context(|| format!("{}", dir.display()))?;
        }
        let (folder, written) = (self.folder.clone(), written.clone());
        replace(&path, &Record { format: FORMAT, boot: boot(), folder, written })
    }

    /// Forgets all, so that every file is looked at again.
    pub(super) fn forget(&self) -> anyhow::Result<()> {
        let Some(dir) = &self.dir else { return Ok(()) };
        match fs::remove_dir_all(dir) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(e).with_context(|| format!("{}", dir.display()))
            }
            _ => Ok(()),
        }
    }

    /// Ids are made here and are names of files; whatever else comes along is none.
    fn path(&self, pack: &str) -> Option<PathBuf> {
        let is_id =
            !pack.is_empty() && pack.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        Some(self.dir.as_ref()?.join(format!("{pack}.json"))).filter(|_| is_id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_missing_is_found_piece_by_piece() {
        let mut written = Written::default();
        assert_eq!(written.missing(1, 10, 7), Some((1, 10)));
        written.put(1, 10, 7);
        written.put(4, 5, 8);
        assert_eq!((written.missing(1, 10, 7), written.missing(4, 5, 8)), (Some((4, 5)), None));
        assert_eq!(written.missing(5, 20, 7), Some((5, 5)));
        written.put(5, 5, 7);
        assert_eq!(written.missing(5, 20, 7), Some((11, 20)));
        written.put(4, 4, 7);
        assert_eq!((written.missing(1, 10, 7), written.ranges.len()), (None, 1));
        assert_eq!(written.count(), 10);
    }

    proptest! {
        /// As a table with a row for each code would have it.
        #[test]
        fn ranges_are_as_good_as_a_table(
            puts in proptest::collection::vec((1u32..60, 0u32..20, 1u64..4), 0..40),
        ) {
            let (mut written, mut table) = (Written::default(), [0u64; 100]);
            for (from, more, look) in puts {
                written.put(from, from + more, look);
                table[from as usize..=(from + more) as usize].fill(look);
            }
            prop_assert_eq!(written.count() as usize, table.iter().filter(|l| **l > 0).count());
            for pair in written.ranges.windows(2) {
                prop_assert!(pair[0].to < pair[1].from, "{:?}", written);
                let goes_on = pair[0].to + 1 == pair[1].from && pair[0].look == pair[1].look;
                prop_assert!(!goes_on, "{:?}", written);
            }
            for (from, to, look) in [(1, 99, 1), (10, 50, 2), (7, 7, 3)] {
                let is_missing = |code: &u32| table[*code as usize] != look;
                let first = (from..=to).find(is_missing);
                let last = first.map(|first| (first..=to).take_while(is_missing).last());
                prop_assert_eq!(written.missing(from, to, look), first.zip(last.flatten()));
            }
        }
    }

    #[test]
    fn a_record_of_another_mirror_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let records = |folder: &str| Records::new(Some(dir.path().join(RECORDS)), folder);
        let mut written = Written::default();
        written.put(3, 9, u64::MAX);
        let known = records("a");
        known.write("pck_1", &written).unwrap();
        assert_eq!((known.read("pck_1"), known.read("pck_2")), (written, Written::default()));
        assert_eq!(records("b").read("pck_1"), Written::default());
        assert_eq!(known.read("../pck_1"), Written::default());
        known.forget().unwrap();
        known.forget().unwrap();
        assert_eq!(known.read("pck_1"), Written::default());
    }
}
