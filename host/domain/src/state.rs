//! How the pure functions see what is stored: [`State`] to read, [`Overlay`] to stack the puts of a
//! group that is not committed yet, [`Put`] for what the store is to write.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use indexmap::{Equivalent, IndexMap};

use crate::error::DomainError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The store could not be read or holds something that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("store: {0}")]
pub struct StateError(pub String);

/// Name of a table; also its key prefix, so it must never change its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Table(pub &'static str);

/// Name of an index: rows are grouped in parts and sorted within a part. A name that ends in `=` is of a
/// unique key: a part has one row, so nobody has to count them. The name of a table is an index, too, of
/// all its records by their ids, in part `""`: it costs nothing to keep and is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Index(pub &'static str);

impl Index {
    /// The table whose records it lists; its name begins with the table's.
    fn table(self) -> Table {
        Table(self.0.split('.').next().unwrap_or_default())
    }

    /// The table, if the index is the table itself.
    #[must_use]
    pub fn as_table(self) -> Option<Table> {
        (!self.0.contains('.')).then_some(Table(self.0))
    }
}

/// One index entry of a record. Area and owner stand in every entry, so that a list is cut to the
/// actor's scope without reading the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The index.
    pub index: Index,
    /// The part of the index, such as a status; `""` for all.
    pub part: String,
    /// Sort key within the part; bytes compare.
    pub sort: String,
}

impl Entry {
    /// An entry of `index`, in `part`, sorted by `sort`.
    pub fn new(index: Index, part: impl Into<String>, sort: impl Into<String>) -> Self {
        Self { index, part: part.into(), sort: sort.into() }
    }
}

/// A record with a table of its own.
pub trait Entity: Serialize + DeserializeOwned + Clone {
    /// Its table.
    const TABLE: Table;
    /// Key within the table.
    fn id(&self) -> &str;
    /// Index entries, derived from the record alone.
    fn entries(&self) -> Vec<Entry>;
    /// Region code the row belongs to, `""` for none.
    fn area(&self) -> &str {
        ""
    }
    /// Operator that owns the row, `""` for none.
    fn owner(&self) -> &str {
        ""
    }
}

/// What the store is to write, in one atomic batch per group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// Writes a record; the store drops the entries of the record it replaces.
    Record {
        /// Table.
        table: Table,
        /// Key.
        id: String,
        /// JSON of the record.
        value: Arc<[u8]>,
        /// Its index entries.
        entries: Vec<Entry>,
        /// Region code of the row.
        area: String,
        /// Owning operator of the row.
        owner: String,
        /// There was none with this id, so nothing has to be looked for.
        is_new: bool,
    },
    /// Sets the version of a root to the sequence number of the line that touched it.
    Version {
        /// The root, such as `lot/lot_…`.
        root: String,
        /// Sequence number.
        seq: u64,
    },
}

/// Read access for decide and apply.
pub trait State {
    /// The JSON of a record.
    fn raw(&self, table: Table, id: &str) -> Result<Option<Arc<[u8]>>, StateError>;
    /// Ids in one part of an index, in sort order, at most `limit`.
    fn ids(&self, index: Index, part: &str, limit: usize) -> Result<Vec<String>, StateError>;
    /// Version of a root; 0 when it was never touched.
    fn version(&self, root: &str) -> Result<u64, StateError>;
}

impl dyn State + '_ {
    /// Reads a record.
    pub fn get<E: Entity>(&self, id: &str) -> Result<Option<E>, StateError> {
        let Some(raw) = self.raw(E::TABLE, id)? else { return Ok(None) };
        parse(E::TABLE, id, &raw).map(Some)
    }

    /// Reads a record that must exist.
    pub fn require<E: Entity>(&self, noun: &'static str, id: &str) -> Result<E, DomainError> {
        self.get(id)?
            .ok_or_else(|| DomainError::NotFound { noun, id: id.chars().take(64).collect() })
    }

    /// The first record in a part of an index: look-up by a unique key.
    pub fn find<E: Entity>(&self, index: Index, part: &str) -> Result<Option<E>, StateError> {
        match self.ids(index, part, 1)?.first() {
            Some(id) => self.get(id),
            None => Ok(None),
        }
    }

    /// Up to `limit` records in a part of an index, in sort order.
    pub fn list<E: Entity>(
        &self,
        index: Index,
        part: &str,
        limit: usize,
    ) -> Result<Vec<E>, StateError> {
        let mut out = Vec::new();
        for id in self.ids(index, part, limit)? {
            out.extend(self.get(&id)?);
        }
        Ok(out)
    }
}

/// Parses a stored record, naming table and id when it is damaged.
pub fn parse<E: Entity>(table: Table, id: &str, raw: &[u8]) -> Result<E, StateError> {
    serde_json::from_slice(raw)
        .map_err(|e| StateError(format!("record {}/{id} is not readable: {e}", table.0)))
}

#[derive(Clone)]
struct Pending {
    value: Arc<[u8]>,
    entries: Vec<Entry>,
    area: String,
    owner: String,
    is_new: bool,
}

/// By table and id.
type ByKey<T> = IndexMap<(Table, String), T, RandomState>;

/// Table and id, as they are looked up.
#[derive(Hash)]
struct Key<'a>(Table, &'a str);

impl Equivalent<(Table, String)> for Key<'_> {
    fn equivalent(&self, key: &(Table, String)) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}

/// Sort keys and ids of the stacked records in each part of an index.
type Parts = HashMap<(Index, String), BTreeSet<(String, String)>>;

fn add_entries(parts: &mut Parts, id: &str, entries: &[Entry]) {
    for entry in entries {
        let part = parts.entry((entry.index, entry.part.clone())).or_default();
        part.insert((entry.sort.clone(), id.to_owned()));
    }
}

/// Takes out what a record had and has no more.
fn forget_entries(parts: &mut Parts, id: &str, before: Vec<Entry>, now: &[Entry]) {
    for gone in before.into_iter().filter(|entry| !now.contains(entry)) {
        if let Some(part) = parts.get_mut(&(gone.index, gone.part)) {
            part.remove(&(gone.sort, id.to_owned()));
        }
    }
}

/// Puts of a group, to be looked up as long as the store does not have them.
#[derive(Default)]
pub struct Stacked {
    /// In the order first written.
    records: ByKey<Pending>,
    /// From the first look-up on; a rebuild never looks anything up.
    parts: OnceLock<Parts>,
    versions: HashMap<String, u64>,
}

impl Stacked {
    /// The puts, in the order first written.
    #[must_use]
    pub fn puts(&self) -> Vec<Put> {
        let (records, versions) = (self.records.clone(), self.versions.clone());
        Self { records, versions, parts: OnceLock::new() }.into_puts()
    }

    /// The same without a copy.
    #[must_use]
    pub fn into_puts(self) -> Vec<Put> {
        let mut puts = Vec::with_capacity(self.records.len() + self.versions.len());
        puts.extend(self.records.into_iter().map(|((table, id), pending)| {
            let Pending { value, entries, area, owner, is_new } = pending;
            Put::Record { table, id, value, entries, area, owner, is_new }
        }));
        let mut versions: Vec<_> = self.versions.into_iter().collect();
        versions.sort();
        puts.extend(versions.into_iter().map(|(root, seq)| Put::Version { root, seq }));
        puts
    }
}

/// A state with puts of the current group stacked on top.
pub struct Overlay<'a> {
    base: &'a dyn State,
    stacked: Stacked,
    /// Records the base gave: every message of a device asks for the device.
    given: RefCell<ByKey<Arc<[u8]>>>,
    seq: u64,
}

impl<'a> Overlay<'a> {
    /// Nothing stacked yet.
    pub fn new(base: &'a dyn State) -> Self {
        Self::with(base, Stacked::default())
    }

    /// With what was stacked before. The base may have it, too, or be getting it just now: nothing that
    /// is read here changes by that.
    pub fn with(base: &'a dyn State, stacked: Stacked) -> Self {
        Self { base, stacked, given: RefCell::default(), seq: 0 }
    }

    /// Puts from now on belong to the line with this sequence number.
    pub fn begin_line(&mut self, seq: u64) {
        self.seq = seq;
    }

    /// Sequence number of the line being applied.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Writes a record.
    pub fn put<E: Entity>(&mut self, record: &E) -> Result<(), StateError> {
        self.write(record, false)
    }

    /// Writes a record whose id was made for it.
    pub fn create<E: Entity>(&mut self, record: &E) -> Result<(), StateError> {
        self.write(record, true)
    }

    fn write<E: Entity>(&mut self, record: &E, is_new: bool) -> Result<(), StateError> {
        let value = serde_json::to_vec(record)
            .map_err(|e| StateError(format!("record {}: {e}", E::TABLE.0)))?;
        let pending = Pending {
            value: value.into(),
            entries: record.entries(),
            area: record.area().to_owned(),
            owner: record.owner().to_owned(),
            is_new,
        };
        let Stacked { records, parts, .. } = &mut self.stacked;
        if let Some(parts) = parts.get_mut() {
            add_entries(parts, record.id(), &pending.entries);
        }
        let (place, before) = records.insert_full((E::TABLE, record.id().to_owned()), pending);
        if let Some(before) = before {
            let now = &mut records[place];
            now.is_new |= before.is_new;
            if let Some(parts) = parts.get_mut() {
                forget_entries(parts, record.id(), before.entries, &now.entries);
            }
        }
        Ok(())
    }

    /// Reads, changes and writes back a record; a missing one is an error, because an event about it
    /// would not have been decided.
    pub fn update<E: Entity>(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut E),
    ) -> Result<(), StateError> {
        let state: &dyn State = self;
        let mut record: E = state
            .get(id)?
            .ok_or_else(|| StateError(format!("record {}/{id} is missing", E::TABLE.0)))?;
        change(&mut record);
        self.put(&record)
    }

    /// Marks a root, such as `lot/lot_…`, as changed by this line.
    pub fn touch(&mut self, root: impl Into<String>) {
        self.stacked.versions.insert(root.into(), self.seq);
    }

    /// Everything stacked, in the order first written.
    pub fn into_puts(self) -> Vec<Put> {
        self.stacked.into_puts()
    }

    /// Everything stacked, to be looked up further.
    pub fn into_stacked(self) -> Stacked {
        self.stacked
    }

    /// How many records are stacked.
    pub fn len(&self) -> usize {
        self.stacked.records.len()
    }

    /// Whether nothing is stacked.
    pub fn is_empty(&self) -> bool {
        self.stacked.records.is_empty()
    }
}

impl State for Overlay<'_> {
    fn raw(&self, table: Table, id: &str) -> Result<Option<Arc<[u8]>>, StateError> {
        if let Some(pending) = self.stacked.records.get(&Key(table, id)) {
            return Ok(Some(pending.value.clone()));
        }
        if let Some(value) = self.given.borrow().get(&Key(table, id)) {
            return Ok(Some(value.clone()));
        }
        let value = self.base.raw(table, id)?;
        if let Some(value) = &value {
            self.given.borrow_mut().insert((table, id.to_owned()), value.clone());
        }
        Ok(value)
    }

    fn ids(&self, index: Index, part: &str, limit: usize) -> Result<Vec<String>, StateError> {
        let mut ids = self.base.ids(index, part, limit)?;
        // Stacked records hide what the base says of them.
        let is_stacked = |id: &String| self.stacked.records.contains_key(&Key(index.table(), id));
        if !self.stacked.records.is_empty() && ids.iter().any(is_stacked) {
            ids = self.base.ids(index, part, limit.saturating_add(self.stacked.records.len()))?;
            ids.retain(|id| !is_stacked(id));
        }
        if let Some(table) = index.as_table() {
            let fresh = self.stacked.records.keys().filter(|key| key.0 == table);
            ids.extend(fresh.map(|(_, id)| id.clone()));
            ids.truncate(limit);
            return Ok(ids);
        }
        // Sort keys of base rows are not known here, so stacked rows follow the base's. Unique look-ups
        // and "any?" questions, which are all that decide asks, do not depend on the order.
        let parts = self.stacked.parts.get_or_init(|| {
            let mut parts = Parts::new();
            for ((_, id), pending) in &self.stacked.records {
                add_entries(&mut parts, id, &pending.entries);
            }
            parts
        });
        let fresh = parts.get(&(index, part.to_owned()));
        ids.extend(fresh.into_iter().flatten().map(|(_, id)| id.clone()));
        ids.truncate(limit);
        Ok(ids)
    }

    fn version(&self, root: &str) -> Result<u64, StateError> {
        match self.stacked.versions.get(root) {
            Some(seq) => Ok(*seq),
            None => self.base.version(root),
        }
    }
}

/// An empty state, for tests and for the first line of a journal.
#[derive(Debug, Default)]
pub struct EmptyState;

impl State for EmptyState {
    fn raw(&self, _: Table, _: &str) -> Result<Option<Arc<[u8]>>, StateError> {
        Ok(None)
    }
    fn ids(&self, _: Index, _: &str, _: usize) -> Result<Vec<String>, StateError> {
        Ok(Vec::new())
    }
    fn version(&self, _: &str) -> Result<u64, StateError> {
        Ok(0)
    }
}
