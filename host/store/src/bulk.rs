//! Filling an empty store fast, for a rebuild.
//!
//! sled is slow where keys come in any order: every key costs the rewriting of its neighbours. So
//! nothing goes to sled while lines are replayed. A thread brings the changes of each batch into the
//! order of keys and writes them to a file as a sorted run; at the end the runs are merged, and every
//! key goes to sled once, in order, index entries by one thread and records by another. It is not
//! atomic: until it ends a mark stands in the store, and a store with the mark is started over.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::ScopedJoinHandle;

use parking_lot::{Condvar, Mutex, RwLock};
use tianyin_domain::state::{Index, Table};
use tianyin_domain::{Put, State, StateError};

use crate::change::{Change, size_of};
use crate::error::{StoreError, guard};
use crate::filling::Filling;
use crate::key;
use crate::layer::FLUSH_EVERY_BYTES;
use crate::spill::{Merge, Place, Run, Spill};
use crate::store::{Last, Store, last_puts};
use crate::value::decode_record;

/// Batches that may wait for the sorting thread.
const BATCHES_WAITING_MAX: usize = 1;
/// Keys after which it is told how far the insertion is.
const TELL_EVERY_KEYS: u64 = 10_000;

/// A store being filled: what was committed reads back, index entries and versions only at the end.
pub struct Bulk<'a> {
    spilled: &'a Spilled,
    queue: SyncSender<Batch>,
    /// Records of batches that are not in the file yet, oldest first.
    in_flight: VecDeque<HashMap<Digest, Arc<[u8]>>>,
    sent: u64,
    applied_seq: u64,
}

struct Batch {
    puts: Vec<Put>,
    applied_seq: u64,
}

/// What is in the file.
struct Spilled {
    file: Spill,
    /// The last version of every record.
    records: RwLock<HashMap<Digest, Place>>,
    batches: AtomicU64,
}

/// Of a record's key: 128 bits, so that two of a few million never meet.
type Digest = u128;

impl Store {
    /// Fills this store, which must be empty, through a [`Bulk`]; then `told` hears how many of how
    /// many changes are in. It is complete and readable when this returns; after an error, or a crash
    /// on the way, opening it gives an empty store.
    pub fn bulk<T, E: From<StoreError>>(
        &self,
        fill: impl FnOnce(&mut Bulk<'_>) -> Result<T, E>,
        told: impl FnMut(u64, u64),
    ) -> Result<T, E> {
        if self.applied_seq() != 0 {
            return Err(StoreError::NotForward { applied: self.applied_seq(), given: 0 }.into());
        }
        guard(|| {
            self.tree()?.sled().insert(key::BULK, &[1])?;
            self.flush_tree()
        })?;
        let folder = self.folder().ok_or_else(|| StoreError::InUse(self.dir().into()))?;
        let (records, batches) = Default::default();
        let spilled = Spilled { file: Spill::new(&folder)?, records, batches };
        let (filled, runs) = std::thread::scope(|scope| {
            let (queue, batches) = sync_channel(BATCHES_WAITING_MAX);
            let sorter = scope.spawn(|| guard(|| Runs::sort(&spilled, batches)));
            let in_flight = VecDeque::new();
            let mut bulk = Bulk { spilled: &spilled, queue, in_flight, sent: 0, applied_seq: 0 };
            let filled = fill(&mut bulk);
            drop(bulk);
            // Its error comes first: the fill only knows that the queue closed.
            let runs = join(sorter)?;
            Ok::<_, E>((filled?, runs))
        })?;
        drop(spilled.records.into_inner());
        Insertion::of(self, &runs)?.run(&spilled.file, &runs, told)?;
        self.set_applied_seq(runs.applied_seq);
        Ok(filled)
    }
}

fn join<T>(thread: ScopedJoinHandle<'_, Result<T, StoreError>>) -> Result<T, StoreError> {
    thread.join().unwrap_or_else(|_| Err(StoreError::Damaged("a filling thread died".into())))
}

impl Bulk<'_> {
    /// Hands over the puts up to line `applied_seq`. Several thousand lines make a good batch.
    pub fn commit(&mut self, puts: Vec<Put>, applied_seq: u64) -> Result<(), StoreError> {
        let spilled = self.spilled.batches.load(Ordering::Acquire);
        let open = usize::try_from(self.sent - spilled).unwrap_or(usize::MAX);
        while self.in_flight.len() > open {
            self.in_flight.pop_front();
        }
        let records = puts.iter().filter_map(|put| match put {
            Put::Record { table, id, value, .. } => {
                Some((digest(&key::record(*table, id)), value.clone()))
            }
            Put::Version { .. } => None,
        });
        self.in_flight.push_back(records.collect());
        self.sent += 1;
        self.applied_seq = applied_seq;
        let closed = |_| StoreError::Damaged("the sorting thread stopped".into());
        self.queue.send(Batch { puts, applied_seq }).map_err(closed)
    }
}

impl State for Bulk<'_> {
    fn raw(&self, table: Table, id: &str) -> Result<Option<Arc<[u8]>>, StateError> {
        let digest = digest(&key::record(table, id));
        if let Some(value) = self.in_flight.iter().rev().find_map(|records| records.get(&digest)) {
            return Ok(Some(value.clone()));
        }
        match self.spilled.record(digest)? {
            Some(record) => Ok(Some(decode_record(&record)?.1.into())),
            None => Ok(None),
        }
    }

    fn ids(&self, index: Index, _: &str, _: usize) -> Result<Vec<String>, StateError> {
        Err(StateError(format!("index {} is not readable while a store is filled", index.0)))
    }

    fn version(&self, root: &str) -> Result<u64, StateError> {
        Err(StateError(format!("the version of {root} is not readable while a store is filled")))
    }
}

impl Spilled {
    fn record(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let place = self.records.read().get(&digest).copied();
        place.map(|place| self.file.read(place)).transpose()
    }
}

fn digest(key: &[u8]) -> Digest {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        key.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    (half(0) << 64) | half(1)
}

/// What the sorting thread leaves.
#[derive(Default)]
struct Runs {
    /// Of index entries.
    entries: Vec<Run>,
    /// Of records and versions.
    records: Vec<Run>,
    changes: u64,
    applied_seq: u64,
}

impl Runs {
    /// Ends when the queue closes.
    fn sort(spilled: &Spilled, batches: Receiver<Batch>) -> Result<Self, StoreError> {
        let mut runs = Self::default();
        let mut offset = 0;
        for batch in batches {
            let (entries, records) = changes(spilled, batch.puts)?;
            let run = spilled.file.write(offset, &entries, |_, _| {})?;
            offset = run.end;
            runs.entries.push(run);
            let mut places = Vec::with_capacity(records.len());
            let run = spilled.file.write(offset, &records, |key, place| {
                if key.first() == Some(&key::RECORD) {
                    places.push((digest(key), place));
                }
            })?;
            offset = run.end;
            runs.records.push(run);
            spilled.records.write().extend(places);
            runs.changes += (entries.len() + records.len()) as u64;
            runs.applied_seq = batch.applied_seq;
            spilled.batches.fetch_add(1, Ordering::Release);
        }
        Ok(runs)
    }
}

/// What a batch changes: index entries, and records with versions, each in the order of keys.
fn changes(spilled: &Spilled, puts: Vec<Put>) -> Result<(Vec<Change>, Vec<Change>), StoreError> {
    let mut entries = Vec::with_capacity(puts.len() * 4);
    let mut records = Vec::with_capacity(puts.len());
    for (key, put) in last_puts(puts) {
        let value = match put {
            Last::Record(record) => {
                let old = spilled.record(digest(&key))?;
                // Counts are taken when the entries come by in order.
                record.change_entries(old.as_deref(), &mut entries, |_, _| Ok(()))?;
                record.encode()
            }
            Last::Version(seq) => seq.to_be_bytes().to_vec(),
        };
        records.push((key.into(), Some(value.into())));
    }
    entries.sort_unstable();
    Ok((entries, records))
}

/// Merged runs on their way into sled.
struct Insertion<'a> {
    store: &'a Store,
    tree: sled::Tree,
    pace: Pace,
    done: AtomicU64,
    total: u64,
}

impl<'a> Insertion<'a> {
    fn of(store: &'a Store, runs: &Runs) -> Result<Self, StoreError> {
        let tree = store.tree()?.sled().clone();
        Ok(Self {
            store,
            tree,
            pace: Pace::default(),
            done: AtomicU64::new(0),
            total: runs.changes,
        })
    }

    /// The applied sequence number comes when all is in, and then the mark goes.
    fn run(
        &self,
        file: &Spill,
        runs: &Runs,
        mut told: impl FnMut(u64, u64),
    ) -> Result<(), StoreError> {
        std::thread::scope(|scope| {
            let flusher = scope.spawn(|| guard(|| self.pace.flush(&|| self.store.flush_tree())));
            let records = scope.spawn(|| self.insert(file, &runs.records, |_| {}));
            let entries = self.insert(file, &runs.entries, |done| told(done, self.total));
            let records = join(records);
            self.pace.end();
            entries.and(records).and(join(flusher))
        })?;
        guard(|| {
            if runs.applied_seq > 0 {
                self.tree.insert(key::APPLIED, &runs.applied_seq.to_be_bytes())?;
            }
            self.store.flush_tree()?;
            self.tree.remove(key::BULK)?;
            self.store.flush_tree()
        })
    }

    /// Whoever fails ends the others; only the first of them tells why.
    fn insert(&self, file: &Spill, runs: &[Run], told: impl FnMut(u64)) -> Result<(), StoreError> {
        guard(|| self.insert_merged(file.merge(runs)?, told)).inspect_err(|_| self.pace.end())
    }

    fn insert_merged(
        &self,
        mut changes: Merge<'_>,
        mut told: impl FnMut(u64),
    ) -> Result<(), StoreError> {
        let mut counts = Counts::default();
        let mut filling = Filling::default();
        while let Some((key, value)) = changes.next()? {
            let done = self.done.fetch_add(1, Ordering::Relaxed);
            if done.is_multiple_of(TELL_EVERY_KEYS) {
                told(done);
            }
            // Of a key that has gone the removal is left.
            let Some(value) = value else { continue };
            if !self.pace.wait(size_of(&key, Some(&value))) {
                return Ok(());
            }
            self.insert_count(counts.see(&key))?;
            if let Some((key, value)) = filling.next((key, value)) {
                self.tree.insert(key, value)?;
            }
        }
        for (key, value) in filling.rest() {
            self.tree.insert(key, value)?;
        }
        self.insert_count(counts.end())
    }

    fn insert_count(&self, count: Option<(Vec<u8>, u64)>) -> Result<(), StoreError> {
        if let Some((key, entries)) = count {
            self.tree.insert(key, &entries.to_be_bytes())?;
        }
        Ok(())
    }
}

/// Counts the entries of each part as they come by.
#[derive(Default)]
struct Counts {
    part: Vec<u8>,
    entries: u64,
}

impl Counts {
    /// Key and value of the count of the part that ended before this key, if it has one.
    fn see(&mut self, key: &[u8]) -> Option<(Vec<u8>, u64)> {
        if !self.part.is_empty() && key.starts_with(&self.part) {
            self.entries += 1;
            return None;
        }
        let ended = self.end();
        if key.first() == Some(&key::INDEX) && key::is_counted(key) {
            self.part = key::part_of_entry(key).unwrap_or_default().to_vec();
            self.entries = 1;
        }
        ended
    }

    fn end(&mut self) -> Option<(Vec<u8>, u64)> {
        let (part, entries) = (std::mem::take(&mut self.part), std::mem::take(&mut self.entries));
        (entries >= 2).then(|| key::count_of_entry(&part).map(|count| (count, entries)))?
    }
}

/// Keeps what sled has not flushed within its limit, while a thread of its own waits for the disk.
#[derive(Default)]
struct Pace {
    bytes: Mutex<Bytes>,
    bell: Condvar,
    ended: AtomicBool,
}

#[derive(Default)]
struct Bytes {
    inserted: usize,
    flushed: usize,
}

impl Pace {
    /// Before so many bytes are inserted; `false` when that is to end.
    fn wait(&self, bytes: usize) -> bool {
        let mut state = self.bytes.lock();
        let before = state.inserted - state.flushed;
        state.inserted += bytes;
        if before / FLUSH_EVERY_BYTES != (before + bytes) / FLUSH_EVERY_BYTES {
            self.bell.notify_all();
        }
        while state.inserted - state.flushed > 2 * FLUSH_EVERY_BYTES + bytes {
            if self.ended.load(Ordering::Acquire) {
                return false;
            }
            self.bell.wait(&mut state);
        }
        true
    }

    /// Flushes until the end.
    fn flush(&self, flush: &dyn Fn() -> Result<(), StoreError>) -> Result<(), StoreError> {
        loop {
            let inserted = {
                let mut state = self.bytes.lock();
                while state.inserted - state.flushed < FLUSH_EVERY_BYTES {
                    if self.ended.load(Ordering::Acquire) {
                        return Ok(());
                    }
                    self.bell.wait(&mut state);
                }
                state.inserted
            };
            flush().inspect_err(|_| self.end())?;
            self.bytes.lock().flushed = inserted;
            self.bell.notify_all();
        }
    }

    fn end(&self) {
        let _state = self.bytes.lock();
        self.ended.store(true, Ordering::Release);
        self.bell.notify_all();
    }
}
