use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use sled::IVec;
use tianyin_domain::state::{Index, Table, parse};
use tianyin_domain::{Entity, Entry, Put, Scope, State, StateError};

use crate::change::Change;
use crate::error::{StoreError, guard};
use crate::key;
use crate::layer::{Drainer, Tree};
use crate::open::{Opened, Options, open};
use crate::value::{Row, damaged, decode_keys, decode_number, decode_record, encode_record};

/// What a commit will change.
#[derive(Debug)]
pub struct Prepared {
    changes: Vec<Change>,
    /// The line that the store was at.
    after_seq: u64,
}

/// Typed tables and indexes. A clone is the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    /// `None` when it could not be opened anew.
    sled: RwLock<Option<Handles>>,
    /// The lock of the one writer.
    writer: Mutex<()>,
    applied_seq: AtomicU64,
}

pub(crate) struct Handles {
    tree: Tree,
    _drainer: Drainer,
    /// Where it lies; after a rebuild in use not where the store was opened.
    folder: PathBuf,
}

impl Handles {
    fn of(db: sled::Db, folder: &Path) -> Result<Self, StoreError> {
        let (tree, _drainer) = Tree::new(db)?;
        Ok(Self { tree, _drainer, folder: folder.into() })
    }
}

impl std::fmt::Debug for Handles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handles").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in `dir`, or makes an empty one. A store that cannot be used is moved aside and an
    /// empty one opened, which [`Opened`] says. In every case the caller replays the journal from
    /// [`Store::applied_seq`] on.
    pub fn open(dir: &Path, options: &Options) -> Result<(Self, Opened), StoreError> {
        let (db, opened) = open(dir, options)?;
        let applied_seq = AtomicU64::new(opened.applied_seq);
        let sled = RwLock::new(Some(Handles::of(db, dir)?));
        let inner = Inner { dir: dir.into(), sled, writer: Mutex::new(()), applied_seq };
        Ok((Self { inner: Arc::new(inner) }, opened))
    }

    /// Closes sled and opens it again, for all clones of this store: after a write that failed, sled
    /// takes none any more. Reads are [`StoreError::InUse`] meanwhile: a list that is being read looks
    /// up its rows one by one, and must not wait for what waits for it. The same error comes from here
    /// when such a reader takes too long; then it is to be tried again. What comes back may be older
    /// than what was there; the caller replays the journal from [`Store::applied_seq`] on.
    pub fn reopen(&self, options: &Options) -> Result<Opened, StoreError> {
        let _writer = self.lock_writer();
        let closed = self.inner.sled.write().unwrap_or_else(PoisonError::into_inner).take();
        // Dropping writes out what is left, and may fail at it as before.
        let _ = guard(|| {
            drop(closed);
            Ok(())
        });
        let (db, opened) = open(&self.inner.dir, options)?;
        self.inner.applied_seq.store(opened.applied_seq, Ordering::Release);
        let handles = Some(Handles::of(db, &self.inner.dir)?);
        *self.inner.sled.write().unwrap_or_else(PoisonError::into_inner) = handles;
        Ok(opened)
    }

    /// Whether it can be read, and whether the last commits reached the disk's cache.
    pub fn probe(&self) -> Result<(), StoreError> {
        guard(|| self.tree()?.probe(key::APPLIED))
    }

    /// [`Store::prepare`] and [`Store::commit_prepared`] in one.
    pub fn commit(&self, puts: Vec<Put>, applied_seq: u64) -> Result<(), StoreError> {
        self.commit_prepared(self.prepare(puts)?, applied_seq)
    }

    /// Finds out what the puts of a group change: records, the index entries and counts that follow
    /// from them. Of several puts of a record the last one counts. To be committed before anything
    /// else is; dropped, it did nothing. A commit should stay in the order of a megabyte, that of a
    /// group.
    pub fn prepare(&self, puts: Vec<Put>) -> Result<Prepared, StoreError> {
        guard(|| {
            let mut changes = Changes::default();
            for (key, put) in last_puts(puts) {
                match put {
                    Last::Record(record) => self.change_record(&mut changes, key, &record)?,
                    Last::Version(seq) => changes.insert(key, &seq.to_be_bytes()),
                }
            }
            for (key, delta) in std::mem::take(&mut changes.counts) {
                let before = self.entries_counted(&key)?;
                let after = before.checked_add_signed(delta).ok_or_else(damaged)?;
                match after {
                    2.. => changes.insert(key, &after.to_be_bytes()),
                    _ if before >= 2 => changes.remove(&key),
                    _ => {}
                }
            }
            Ok(Prepared { changes: changes.changes, after_seq: self.applied_seq() })
        })
    }

    /// Writes what was prepared and `applied_seq`, which must move forward, all or nothing.
    pub fn commit_prepared(&self, prepared: Prepared, applied_seq: u64) -> Result<(), StoreError> {
        let _writer = self.lock_writer();
        let Prepared { mut changes, after_seq } = prepared;
        let applied = self.applied_seq();
        if applied_seq <= applied || after_seq != applied {
            return Err(StoreError::NotForward { applied, given: applied_seq });
        }
        let value = applied_seq.to_be_bytes().as_slice().into();
        changes.push((key::APPLIED.into(), Some(value)));
        guard(|| self.tree()?.write(changes))?;
        self.inner.applied_seq.store(applied_seq, Ordering::Release);
        Ok(())
    }

    /// Adds to the batch a record and the difference between its old and its new index entries.
    fn change_record(
        &self,
        changes: &mut Changes,
        key: Vec<u8>,
        record: &Record,
    ) -> Result<(), StoreError> {
        let old = if record.is_new { None } else { self.tree()?.get(&key)? };
        let Changes { changes: list, counts } = changes;
        record.change_entries(old.as_deref(), list, |entry, delta| {
            if key::is_counted(entry) {
                let count = key::count_of_entry(entry).ok_or_else(damaged)?;
                *counts.entry(count).or_default() += delta;
            }
            Ok(())
        })?;
        changes.insert(key, &record.encode());
        Ok(())
    }

    /// Sequence number of the last journal line whose puts are in the store.
    pub fn applied_seq(&self) -> u64 {
        self.inner.applied_seq.load(Ordering::Acquire)
    }

    /// Version of a root; 0 when it was never touched.
    pub fn version(&self, root: &str) -> Result<u64, StoreError> {
        guard(|| self.number(&key::version(root)))
    }

    /// Number of entries in a part of an index, whatever their scope.
    pub fn count(&self, index: Index, part: &str) -> Result<u64, StoreError> {
        guard(|| self.entries_counted(&key::count(index, part)))
    }

    /// Reads a record, whatever its scope: for the host's own use.
    pub fn get<E: Entity>(&self, id: &str) -> Result<Option<E>, StoreError> {
        self.get_scoped(id, &Scope::everything())
    }

    /// Reads a record, if the scope covers it.
    pub fn get_scoped<E: Entity>(&self, id: &str, scope: &Scope) -> Result<Option<E>, StoreError> {
        match guard(|| scoped_json(&self.tree()?, E::TABLE, id, scope))? {
            Some(json) => Ok(Some(parse(E::TABLE, id, &json)?)),
            None => Ok(None),
        }
    }

    /// Writes out what is in memory and waits for it. A checkpoint: it shortens the replay after a
    /// crash and is not what makes anything durable.
    pub fn flush(&self) -> Result<(), StoreError> {
        guard(|| self.flush_tree())
    }

    /// What the store takes on the disk, in bytes.
    pub fn disk_bytes(&self) -> Result<u64, StoreError> {
        guard(|| self.tree()?.disk_bytes())
    }

    /// Where the store was opened; the name it has again at the next opening.
    pub(crate) fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Where it lies now; `None` when it could not be opened anew.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.handle(|handles| handles.folder.clone()).ok()
    }

    /// Keeps everybody else from writing and from changing the handles.
    pub(crate) fn lock_writer(&self) -> MutexGuard<'_, ()> {
        self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take_handles(&self) -> Option<Handles> {
        self.inner.sled.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts handles in place of those in use, which it gives back.
    pub(crate) fn put_handles(&self, handles: Handles, applied_seq: u64) -> Option<Handles> {
        let mut sled = self.inner.sled.write().unwrap_or_else(PoisonError::into_inner);
        self.inner.applied_seq.store(applied_seq, Ordering::Release);
        sled.replace(handles)
    }

    /// A handle of its own: no lock is held while it is used.
    pub(crate) fn tree(&self) -> Result<Tree, StoreError> {
        self.handle(|handles| handles.tree.clone())
    }

    fn handle<T>(&self, take: impl FnOnce(&Handles) -> T) -> Result<T, StoreError> {
        let handles = self.inner.sled.read().unwrap_or_else(PoisonError::into_inner);
        handles.as_ref().map(take).ok_or_else(|| StoreError::InUse(self.inner.dir.clone()))
    }

    /// Entries in the part of this count. Below 2 there is no count in the tree, as most parts are
    /// unique look-ups with one entry: then the entry itself tells.
    fn entries_counted(&self, count_key: &[u8]) -> Result<u64, StoreError> {
        let tree = self.tree()?;
        if let Some(value) = tree.get(count_key)? {
            return decode_number(&value);
        }
        let part = key::part_of_count(count_key).ok_or_else(damaged)?;
        let first = tree.range(&part, &key::after_prefix(&part), false).next().transpose()?;
        Ok(u64::from(first.is_some()))
    }

    pub(crate) fn number(&self, key: &[u8]) -> Result<u64, StoreError> {
        self.tree()?.get(key)?.map_or(Ok(0), |value| decode_number(&value))
    }

    pub(crate) fn flush_tree(&self) -> Result<(), StoreError> {
        self.tree()?.flush()
    }

    pub(crate) fn set_applied_seq(&self, seq: u64) {
        self.inner.applied_seq.store(seq, Ordering::Release);
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("applied_seq", &self.applied_seq()).finish_non_exhaustive()
    }
}

impl State for Store {
    fn raw(&self, table: Table, id: &str) -> Result<Option<Arc<[u8]>>, StateError> {
        let read = || {
            let value = self.tree()?.get(key::record(table, id))?;
            value.map(|value| decode_record(&value).map(|(_, json)| json.into())).transpose()
        };
        Ok(guard(read)?)
    }

    fn ids(&self, index: Index, part: &str, limit: usize) -> Result<Vec<String>, StateError> {
        let prefix = key::part(index, part);
        let read = || {
            let tree = self.tree()?;
            let rows = tree.range(&prefix, &key::after_prefix(&prefix), false).take(limit);
            let id = |key: IVec| key::id_of_suffix(key.get(prefix.len()..)?);
            rows.map(|row| id(row?.0).ok_or_else(damaged)).collect()
        };
        Ok(guard(read)?)
    }

    fn version(&self, root: &str) -> Result<u64, StateError> {
        Ok(Store::version(self, root)?)
    }
}

/// The JSON of a record in scope. The caller does the parsing, so that this is compiled once.
pub(crate) fn scoped_json(
    tree: &Tree,
    table: Table,
    id: &str,
    scope: &Scope,
) -> Result<Option<Arc<[u8]>>, StoreError> {
    let Some(value) = tree.get(key::record(table, id))? else { return Ok(None) };
    let (row, json) = decode_record(&value)?;
    Ok(row.is_in(scope).then(|| json.into()))
}

pub(crate) struct Record {
    pub row: Row,
    pub keys: BTreeSet<Vec<u8>>,
    pub value: Arc<[u8]>,
    pub is_new: bool,
}

impl Record {
    /// Adds the difference between the index entries of this record and those that it had, `old` being
    /// how it stands in the tree. `counted` hears of each that comes (1) or goes (-1).
    pub(crate) fn change_entries(
        &self,
        old: Option<&[u8]>,
        changes: &mut Vec<Change>,
        mut counted: impl FnMut(&[u8], i64) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (old_row, old_keys) = match old {
            Some(old) => decode_keys(old).map(|(row, keys)| (Some(row), keys))?,
            None => (None, BTreeSet::new()),
        };
        for gone in old_keys.difference(&self.keys) {
            counted(gone, -1)?;
            changes.push((gone.as_slice().into(), None));
        }
        let same_row = old_row.as_ref() == Some(&self.row);
        let mut row = Vec::new();
        self.row.encode(&mut row);
        let row = IVec::from(row);
        for entry in &self.keys {
            let is_new = !old_keys.contains(entry);
            if is_new {
                counted(entry, 1)?;
            }
            if is_new || !same_row {
                changes.push((entry.as_slice().into(), Some(row.clone())));
            }
        }
        Ok(())
    }

    /// As it stands in the tree.
    pub(crate) fn encode(&self) -> Vec<u8> {
        encode_record(&self.row, &self.keys, &self.value)
    }
}

pub(crate) enum Last {
    Record(Record),
    Version(u64),
}

/// The last put of each key.
pub(crate) fn last_puts(puts: Vec<Put>) -> BTreeMap<Vec<u8>, Last> {
    let puts = puts.into_iter().map(|put| match put {
        Put::Record { table, id, value, entries, area, owner, is_new } => {
            let entry = |e: &Entry| key::entry(e.index, &e.part, &e.sort, &id);
            let keys = entries.iter().map(entry).collect();
            let record = Record { row: Row { area, owner }, keys, value, is_new };
            (key::record(table, &id), Last::Record(record))
        }
        Put::Version { root, seq } => (key::version(&root), Last::Version(seq)),
    });
    puts.collect()
}

#[derive(Default)]
struct Changes {
    changes: Vec<Change>,
    counts: BTreeMap<Vec<u8>, i64>,
}

impl Changes {
    fn insert(&mut self, key: Vec<u8>, value: &[u8]) {
        self.changes.push((key.into(), Some(value.into())));
    }

    fn remove(&mut self, key: &[u8]) {
        self.changes.push((key.into(), None));
    }
}
