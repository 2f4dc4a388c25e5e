//! Filling an empty store fast, for a rebuild.
//!
//! One thread decides what each batch changes and inserts it in key order, while the caller prepares
//! the next one. What makes it fast: no look-up of records that were never written, large batches in
//! which only the last put of a record counts, keys in order, counts kept in memory to the end. It is
//! not atomic: until it ends a mark stands in the store, and a store with the mark is started over.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::ScopedJoinHandle;

use tianyin_domain::state::{Index, Table};
use tianyin_domain::{Put, State, StateError};

use crate::error::{StoreError, guard};
use crate::key;
use crate::layer::{Change, FLUSH_EVERY_BYTES, size_of};
use crate::store::{Last, Record, Store, count_of, last_puts};
use crate::value::{Row, damaged, decode_keys, encode_record};

/// Batches that may wait for the inserting thread.
const BATCHES_WAITING_MAX: usize = 1;

/// A store being filled: what was committed reads back, index entries and versions only at the end.
pub struct Bulk<'a> {
    store: &'a Store,
    queue: SyncSender<Batch>,
    /// Records of batches that are not inserted yet, oldest first.
    in_flight: VecDeque<Arc<Records>>,
    sent: u64,
    inserted: Arc<AtomicU64>,
    applied_seq: u64,
}

/// JSON by [`digest`] of table and id.
type Records = HashMap<u128, Arc<[u8]>>;

struct Batch {
    puts: Vec<Put>,
    applied_seq: u64,
}

impl Store {
    /// Fills this store, which must be empty, through a [`Bulk`]. It is complete and readable when this
    /// returns; after an error, or a crash on the way, opening it gives an empty store.
    pub fn bulk<T, E: From<StoreError>>(
        &self,
        fill: impl FnOnce(&mut Bulk<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.applied_seq() != 0 {
            return Err(StoreError::NotForward { applied: self.applied_seq(), given: 0 }.into());
        }
        guard(|| {
            self.tree()?.sled().insert(key::BULK, &[1])?;
            self.flush_tree()
        })?;
        std::thread::scope(|scope| {
            let (queue, batches) = sync_channel(BATCHES_WAITING_MAX);
            let complete = Arc::new(AtomicBool::new(false));
            let inserted = Arc::new(AtomicU64::new(0));
            let mut inserter = Inserter::new(self, inserted.clone())?;
            let is_complete = complete.clone();
            let thread = scope.spawn(move || inserter.run(&batches, &is_complete));
            let in_flight = VecDeque::new();
            let mut bulk =
                Bulk { store: self, queue, in_flight, sent: 0, inserted, applied_seq: 0 };
            let filled = fill(&mut bulk);
            let applied_seq = bulk.applied_seq;
            complete.store(filled.is_ok(), Ordering::Release);
            drop(bulk);
            // Its error comes first: the fill only knows that the queue closed.
            join(thread)?;
            let filled = filled?;
            self.set_applied_seq(applied_seq);
            Ok(filled)
        })
    }
}

fn join(thread: ScopedJoinHandle<'_, Result<(), StoreError>>) -> Result<(), StoreError> {
    thread.join().unwrap_or_else(|_| Err(StoreError::Damaged("the inserting thread died".into())))
}

impl Bulk<'_> {
    /// Hands over the puts up to line `applied_seq`. Several thousand lines make a good batch.
    pub fn commit(&mut self, puts: Vec<Put>, applied_seq: u64) -> Result<(), StoreError> {
        let inserted = self.inserted.load(Ordering::Acquire);
        let open = usize::try_from(self.sent - inserted).unwrap_or(usize::MAX);
        while self.in_flight.len() > open {
            self.in_flight.pop_front();
        }
        let records = puts.iter().filter_map(|put| match put {
            Put::Record { table, id, value, .. } => Some((digest(*table, id), value.clone())),
            Put::Version { .. } => None,
        });
        self.in_flight.push_back(Arc::new(records.collect()));
        self.sent += 1;
        self.applied_seq = applied_seq;
        let closed = |_| StoreError::Damaged("the inserting thread stopped".into());
        self.queue.send(Batch { puts, applied_seq }).map_err(closed)
    }
}

impl State for Bulk<'_> {
    fn raw(&self, table: Table, id: &str) -> Result<Option<Arc<[u8]>>, StateError> {
        let digest = digest(table, id);
        match self.in_flight.iter().rev().find_map(|records| records.get(&digest)) {
            Some(value) => Ok(Some(value.clone())),
            None => self.store.raw(table, id),
        }
    }

    fn ids(&self, index: Index, _: &str, _: usize) -> Result<Vec<String>, StateError> {
        Err(StateError(format!("index {} is not readable while a store is filled", index.0)))
    }

    fn version(&self, root: &str) -> Result<u64, StateError> {
        Err(StateError(format!("the version of {root} is not readable while a store is filled")))
    }
}

/// 128 bits, so that two of a few million never meet.
fn digest(table: Table, id: &str) -> u128 {
    digest_of(&(table.0, id))
}

fn digest_of(what: &impl std::hash::Hash) -> u128 {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        what.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    (half(0) << 64) | half(1)
}

/// How many of the changes make up what sled may have unflushed.
fn slice_len(changes: &[Change]) -> usize {
    let mut bytes = 0;
    let within = changes.iter().take_while(|(key, value)| {
        bytes += size_of(key, value.as_ref());
        bytes <= FLUSH_EVERY_BYTES
    });
    within.count().max(1)
}

fn put_all(tree: &sled::Tree, changes: Vec<Change>) -> Result<(), StoreError> {
    for (key, value) in changes {
        match value {
            Some(value) => tree.insert(key, value)?,
            None => tree.remove(key)?,
        };
    }
    Ok(())
}

struct Inserter<'a> {
    store: &'a Store,
    tree: sled::Tree,
    inserted: Arc<AtomicU64>,
    /// Records written so far.
    written: HashSet<u128>,
    counts: Counts,
    applied_seq: u64,
}

impl<'a> Inserter<'a> {
    fn new(store: &'a Store, inserted: Arc<AtomicU64>) -> Result<Self, StoreError> {
        Ok(Self {
            store,
            tree: store.tree()?.sled().clone(),
            inserted,
            written: HashSet::new(),
            counts: Counts::default(),
            applied_seq: 0,
        })
    }

    /// Ends when the queue closes, and leaves the mark when the fill failed.
    fn run(
        &mut self,
        batches: &Receiver<Batch>,
        is_complete: &AtomicBool,
    ) -> Result<(), StoreError> {
        guard(|| {
            while let Ok(batch) = batches.recv() {
                self.insert(batch)?;
                self.inserted.fetch_add(1, Ordering::Release);
            }
            if is_complete.load(Ordering::Acquire) { self.finish() } else { Ok(()) }
        })
    }

    fn insert(&mut self, batch: Batch) -> Result<(), StoreError> {
        let mut changes: Vec<Change> = Vec::with_capacity(batch.puts.len() * 5);
        for (key, put) in last_puts(batch.puts) {
            match put {
                Last::Record(record) => self.change(&mut changes, key, record)?,
                Last::Version(seq) => {
                    changes.push((key.into(), Some(seq.to_be_bytes().as_slice().into())))
                }
            }
        }
        changes.sort_unstable();
        let mut left = changes;
        while !left.is_empty() {
            let rest = left.split_off(slice_len(&left));
            self.put(left)?;
            left = rest;
        }
        self.applied_seq = batch.applied_seq;
        Ok(())
    }

    /// Inserts by two threads, while a third waits for the disk with what the slice before has
    /// written: no more than two slices are ever under way.
    fn put(&self, mut slice: Vec<Change>) -> Result<(), StoreError> {
        let second = slice.split_off(slice.len() / 2);
        std::thread::scope(|scope| {
            let flush = scope.spawn(|| guard(|| self.store.flush_tree()));
            let other = scope.spawn(|| guard(|| put_all(&self.tree, second)));
            let own = put_all(&self.tree, slice);
            join(other)?;
            join(flush)?;
            own
        })
    }

    fn change(
        &mut self,
        changes: &mut Vec<Change>,
        key: Vec<u8>,
        record: Record,
    ) -> Result<(), StoreError> {
        let Record { row, keys, value } = record;
        let is_new = self.written.insert(digest_of(&key));
        let old = if is_new { None } else { self.tree.get(&key)? };
        let (old_row, old_keys): (Option<Row>, BTreeSet<Vec<u8>>) = match old {
            Some(old) => decode_keys(&old).map(|(row, keys)| (Some(row), keys))?,
            None => (None, BTreeSet::new()),
        };
        for gone in old_keys.difference(&keys) {
            self.counts.remove(gone)?;
            changes.push((gone.as_slice().into(), None));
        }
        let mut row_bytes = Vec::new();
        row.encode(&mut row_bytes);
        let row_bytes = sled::IVec::from(row_bytes);
        let same_row = old_row.as_ref() == Some(&row);
        for entry in &keys {
            let is_new = !old_keys.contains(entry);
            if is_new {
                self.counts.add(entry)?;
            }
            if is_new || !same_row {
                changes.push((entry.as_slice().into(), Some(row_bytes.clone())));
            }
        }
        changes.push((key.into(), Some(encode_record(&row, &keys, &value).into())));
        Ok(())
    }

    /// Counts, the applied sequence number, and then the mark goes.
    fn finish(&mut self) -> Result<(), StoreError> {
        let tree = &self.tree;
        let mut counts: Vec<_> = std::mem::take(&mut self.counts.many).into_iter().collect();
        counts.sort_unstable();
        for (key, n) in counts.into_iter().filter(|(_, n)| *n >= 2) {
            tree.insert(key, &n.to_be_bytes())?;
        }
        if self.applied_seq > 0 {
            tree.insert(key::APPLIED, &self.applied_seq.to_be_bytes())?;
        }
        self.store.flush_tree()?;
        tree.remove(key::BULK)?;
        self.store.flush_tree()
    }
}

/// Entries per part. Most parts have one entry and no count in the store, so only a digest is kept of
/// those.
#[derive(Default)]
struct Counts {
    once: HashSet<u128>,
    many: HashMap<Vec<u8>, u64>,
}

impl Counts {
    fn add(&mut self, entry: &[u8]) -> Result<(), StoreError> {
        let Some(key) = count_of(entry)? else { return Ok(()) };
        if let Some(n) = self.many.get_mut(&key) {
            *n += 1;
        } else if !self.once.insert(digest_of(&key)) {
            self.once.remove(&digest_of(&key));
            self.many.insert(key, 2);
        }
        Ok(())
    }

    fn remove(&mut self, entry: &[u8]) -> Result<(), StoreError> {
        let Some(key) = count_of(entry)? else { return Ok(()) };
        if let Some(n) = self.many.get_mut(&key) {
            *n = n.checked_sub(1).ok_or_else(damaged)?;
        } else if !self.once.remove(&digest_of(&key)) {
            return Err(damaged());
        }
        Ok(())
    }
}
