//! Sorted runs of changes in a file without a name, and their merging: how more changes are brought
//! into the order of keys than the memory holds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::change::{Change, encode, take};
use crate::error::{StoreError, io_error};
use crate::value::damaged;

/// Read at once from all runs together, and from each of them.
const READ_BYTES: usize = 16 << 20;
const READ_BYTES_OF_RUN: std::ops::RangeInclusive<usize> = 4 << 10..=256 << 10;

/// The file; it goes with the last handle, or with the process.
#[derive(Debug)]
pub(crate) struct Spill {
    file: File,
    folder: PathBuf,
}

/// Where a value stands in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    offset: u64,
    bytes: u32,
}

/// Where changes in the order of their keys stand in the file.
pub(crate) type Run = Range<u64>;

impl Spill {
    pub(crate) fn new(folder: &Path) -> Result<Self, StoreError> {
        let file = tempfile::tempfile_in(folder).map_err(io_error("create a file in", folder))?;
        Ok(Self { file, folder: folder.into() })
    }

    /// Writes sorted changes as a run from `offset` on, and tells where each value stands.
    pub(crate) fn write(
        &self,
        offset: u64,
        changes: &[Change],
        mut placed: impl FnMut(&[u8], Place),
    ) -> Result<Run, StoreError> {
        let mut bytes = Vec::new();
        for (key, value) in changes {
            encode(&mut bytes, key, value.as_deref());
            if let Some(value) = value {
                let end = offset + bytes.len() as u64;
                let place = Place { offset: end - value.len() as u64, bytes: value.len() as u32 };
                placed(key, place);
            }
        }
        self.file
            .write_all_at(&bytes, offset)
            .map_err(io_error("write a file in", &self.folder))?;
        Ok(offset..offset + bytes.len() as u64)
    }

    pub(crate) fn read(&self, place: Place) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; place.bytes as usize];
        self.read_at(&mut bytes, place.offset)?;
        Ok(bytes)
    }

    /// The changes of all runs in the order of keys; of those of the same key only that of the last run.
    pub(crate) fn merge(&self, runs: &[Run]) -> Result<Merge<'_>, StoreError> {
        let mut merge = Merge { heads: BinaryHeap::new(), last_key: None };
        let (least, most) = READ_BYTES_OF_RUN.into_inner();
        let read_bytes = (READ_BYTES / runs.len().max(1)).clamp(least, most);
        for (number, run) in runs.iter().enumerate() {
            let (rest, bytes) = (run.clone(), Vec::new());
            merge.push(number, Reader { spill: self, rest, read_bytes, bytes, at: 0 })?;
        }
        Ok(merge)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<(), StoreError> {
        self.file.read_exact_at(bytes, offset).map_err(io_error("read a file in", &self.folder))
    }
}

/// Reads a run from its begin to its end.
struct Reader<'a> {
    spill: &'a Spill,
    /// What was not read yet.
    rest: Run,
    read_bytes: usize,
    bytes: Vec<u8>,
    /// How much of the bytes was given.
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Option<Change>, StoreError> {
        loop {
            let mut bytes = &self.bytes[self.at..];
            if let Some((key, value)) = take(&mut bytes) {
                let change = (key.into(), value.map(Into::into));
                self.at = self.bytes.len() - bytes.len();
                return Ok(Some(change));
            }
            if self.rest.is_empty() {
                return if bytes.is_empty() { Ok(None) } else { Err(damaged()) };
            }
            self.read_on()?;
        }
    }

    fn read_on(&mut self) -> Result<(), StoreError> {
        self.bytes.drain(..self.at);
        self.at = 0;
        let left = usize::try_from(self.rest.end - self.rest.start).unwrap_or(usize::MAX);
        let known = self.bytes.len();
        // A change that is larger than that is read in several steps.
        self.bytes.resize(known + left.min(self.read_bytes.max(known)), 0);
        let new = &mut self.bytes[known..];
        self.spill.read_at(new, self.rest.start)?;
        self.rest.start += new.len() as u64;
        Ok(())
    }
}

/// See [`Spill::merge`].
pub(crate) struct Merge<'a> {
    heads: BinaryHeap<Head<'a>>,
    last_key: Option<sled::IVec>,
}

impl<'a> Merge<'a> {
    pub(crate) fn next(&mut self) -> Result<Option<Change>, StoreError> {
        while let Some(head) = self.heads.pop() {
            let Head { change, run, reader } = head;
            self.push(run, reader)?;
            if self.last_key.as_ref() != Some(&change.0) {
                self.last_key = Some(change.0.clone());
                return Ok(Some(change));
            }
        }
        Ok(None)
    }

    fn push(&mut self, run: usize, mut reader: Reader<'a>) -> Result<(), StoreError> {
        if let Some(change) = reader.next()? {
            self.heads.push(Head { change, run, reader });
        }
        Ok(())
    }
}

/// The next change of a run.
struct Head<'a> {
    change: Change,
    run: usize,
    reader: Reader<'a>,
}

impl Ord for Head<'_> {
    /// The greatest is the first to come: the smallest key, and of equal ones the last run's.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (Reverse(&self.change.0), self.run).cmp(&(Reverse(&other.change.0), other.run))
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head<'_> {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

    /// Few keys, so that they meet; some values larger than what is read at once.
    fn batch() -> impl Strategy<Value = Batch> {
        let value = prop_oneof![
            3 => prop::collection::vec(any::<u8>(), 0..9),
            1 => Just(vec![9; 700 << 10]),
        ];
        let key = prop::collection::vec(0_u8..3, 1..4);
        prop::collection::btree_map(key, prop::option::of(value), 0..20)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

        #[test]
        fn merged_runs_are_what_a_map_would_hold(batches in prop::collection::vec(batch(), 0..6)) {
            let spill = Spill::new(&std::env::temp_dir()).unwrap();
            let (mut runs, mut all) = (Vec::new(), Batch::new());
            for batch in batches {
                let ivec = |v: &Option<Vec<u8>>| v.as_deref().map(Into::into);
                let changes: Vec<Change> =
                    batch.iter().map(|(k, v)| (k.as_slice().into(), ivec(v))).collect();
                let mut places = Vec::new();
                let end = runs.last().map_or(0, |run: &Run| run.end);
                let place = |key: &[u8], place| places.push((key.to_vec(), place));
                runs.push(spill.write(end, &changes, place).unwrap());
                for (key, place) in places {
                    prop_assert_eq!(Some(spill.read(place).unwrap()), batch[&key].clone());
                }
                all.extend(batch);
            }
            let mut merge = spill.merge(&runs).unwrap();
            for (key, value) in all {
                let (k, v) = merge.next().unwrap().unwrap();
                prop_assert_eq!((k.to_vec(), v.map(|v| v.to_vec())), (key, value));
            }
            prop_assert!(merge.next().unwrap().is_none());
        }
    }
}
