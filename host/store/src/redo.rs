//! The note of what is about to be taken to sled, so that all of it gets there or nothing.
//!
//! sled's own batches would do, but every reader waits while one is applied. So the changes are noted
//! in a tree of their own first, then made one by one, then the note goes. sled's log keeps the order
//! of all writes: after a crash it ends somewhere, and if that is between the note and its end, the
//! note is complete and [`mend`] makes the changes again.

use sled::IVec;

use crate::change::{encode, take};
use crate::error::StoreError;
use crate::value::damaged;

const TREE: &str = "redo";
/// sled puts a value of a quarter of its segments into a file of its own, which is slow.
const PART_BYTES_MAX: usize = 512 << 10;

/// Notes of one opened store. Key: number of the note, number of the part. Value: parts of this note,
/// and the part.
pub(crate) struct Redo {
    tree: sled::Tree,
    number: u64,
}

impl Redo {
    pub(crate) fn open(db: &sled::Db) -> Result<Self, StoreError> {
        Ok(Self { tree: db.open_tree(TREE)?, number: 0 })
    }

    /// Notes changes, and tells their size in bytes. Notes whose changes could not be made stay until
    /// [`Redo::forget`]: they come first when the store is opened.
    pub(crate) fn note<'a>(
        &mut self,
        changes: impl Iterator<Item = (&'a IVec, Option<&'a IVec>)>,
    ) -> Result<usize, StoreError> {
        let mut bytes = Vec::new();
        for (key, value) in changes {
            encode(&mut bytes, key, value.map(AsRef::as_ref));
        }
        self.number += 1;
        let parts = bytes.chunks(PART_BYTES_MAX);
        let count = parts.len() as u32;
        for (part, bytes) in (0_u32..).zip(parts) {
            let value = [&count.to_be_bytes(), bytes].concat();
            self.tree.insert(key_of(self.number, part), value)?;
        }
        Ok(bytes.len())
    }

    /// The changes are made.
    pub(crate) fn forget(&self) -> Result<(), StoreError> {
        forget(&self.tree)
    }
}

/// Makes the changes of complete notes, which a crash has left, and removes all notes.
pub(crate) fn mend(db: &sled::Db) -> Result<(), StoreError> {
    let redo = db.open_tree(TREE)?;
    let mut note = Vec::new();
    let mut next = (0, 0);
    for entry in &redo {
        let (key, value) = entry?;
        let (number, part) = numbers_of(&key)?;
        let (count, bytes) = value.split_first_chunk::<4>().ok_or_else(damaged)?;
        if part == 0 {
            note.clear();
        } else if (number, part) != next {
            continue;
        }
        next = (number, part + 1);
        note.extend_from_slice(bytes);
        if part + 1 == u32::from_be_bytes(*count) {
            make(db, &note)?;
        }
    }
    forget(&redo)
}

fn make(db: &sled::Db, mut note: &[u8]) -> Result<(), StoreError> {
    while !note.is_empty() {
        let (key, value) = take(&mut note).ok_or_else(damaged)?;
        match value {
            Some(value) => db.insert(key, value)?,
            None => db.remove(key)?,
        };
    }
    Ok(())
}

fn forget(redo: &sled::Tree) -> Result<(), StoreError> {
    for key in redo.iter().keys() {
        redo.remove(key?)?;
    }
    Ok(())
}

fn key_of(number: u64, part: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&number.to_be_bytes());
    key[8..].copy_from_slice(&part.to_be_bytes());
    key
}

fn numbers_of(key: &[u8]) -> Result<(u64, u32), StoreError> {
    let numbers = key.split_first_chunk::<8>().and_then(|(number, part)| {
        Some((u64::from_be_bytes(*number), u32::from_be_bytes(part.try_into().ok()?)))
    });
    numbers.ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn open(dir: &std::path::Path) -> sled::Db {
        crate::rebuild::wait_closed(dir, std::time::Duration::from_secs(10)).unwrap();
        sled::Config::new().path(dir).open().unwrap()
    }

    fn changes(value: u8, bytes: usize) -> Vec<(IVec, Option<IVec>)> {
        let put = |n: u32| (IVec::from(&n.to_be_bytes()), Some(vec![value; bytes].into()));
        (0..20).map(put).chain([(IVec::from(b"gone"), None)]).collect()
    }

    fn note(redo: &mut Redo, changes: &[(IVec, Option<IVec>)]) {
        redo.note(changes.iter().map(|(key, value)| (key, value.as_ref()))).unwrap();
    }

    fn is_made(db: &sled::Db, changes: &[(IVec, Option<IVec>)]) -> bool {
        changes.iter().all(|(key, value)| db.get(key).unwrap() == *value)
    }

    /// A store that ended between the note and the last change.
    #[test]
    fn what_was_noted_is_made_at_the_next_opening() {
        for bytes in [10, 100_000] {
            let dir = tempfile::tempdir().unwrap();
            let changes = changes(7, bytes);
            {
                let db = open(dir.path());
                db.insert(b"gone", b"x").unwrap();
                note(&mut Redo::open(&db).unwrap(), &changes);
                db.insert(&changes[0].0, changes[0].1.clone().unwrap()).unwrap();
            }
            let db = open(dir.path());
            assert!(!is_made(&db, &changes));
            mend(&db).unwrap();
            assert!(is_made(&db, &changes));
            assert!(db.open_tree(TREE).unwrap().is_empty());
        }
    }

    /// A store that ended before the last part of the note: no change was begun.
    #[test]
    fn what_was_half_noted_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        let (first, second) = (changes(1, 100_000), changes(2, 100_000));
        let mut redo = Redo::open(&db).unwrap();
        note(&mut redo, &first);
        note(&mut redo, &second);
        redo.tree.pop_max().unwrap().unwrap();
        mend(&db).unwrap();
        assert!(is_made(&db, &first), "the complete one is made, the other is not");
        note(&mut redo, &second);
        redo.tree.remove(key_of(3, 0)).unwrap().unwrap();
        mend(&db).unwrap();
        assert!(is_made(&db, &first));
        assert!(redo.tree.is_empty());
    }
}
