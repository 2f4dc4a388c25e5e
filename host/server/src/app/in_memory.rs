//! Something of every record of a kind, in memory, where reading all the records for each page would take
//! longer than a person waits for.

use std::collections::HashMap;

use parking_lot::{RwLock, RwLockReadGuard};
use tianyin_domain::Entity;
use tianyin_domain::state::Index;
use tianyin_store::{Store, StoreError};

use super::App;

/// What is kept of a record.
pub(super) trait Kept: Sized {
    /// The record.
    type Record: Entity;
    /// The index whose part `""` holds all of them.
    const ALL: Index;

    /// Puts in what is kept of a record as it is now, or takes it out.
    fn note(all: &mut HashMap<String, Self>, record: &Self::Record);
}

/// By id; filled after the start or at the first use, and kept up by whoever changes records.
pub(super) struct InMemory<T>(RwLock<Option<HashMap<String, T>>>);

impl<T> Default for InMemory<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T: Kept> InMemory<T> {
    /// Takes over a record as it is now; before the first use there is nothing to take over.
    pub(super) fn note(&self, record: &T::Record) {
        if let Some(all) = self.0.write().as_mut() {
            T::note(all, record);
        }
    }

    /// All of them.
    ///
    /// # Errors
    /// When the store cannot be read, at the first use.
    pub(super) fn read(
        &self,
        store: &Store,
    ) -> Result<RwLockReadGuard<'_, Option<HashMap<String, T>>>, StoreError> {
        if self.0.read().is_none() {
            // Held while reading: what changes meanwhile is noted after.
            let mut all = self.0.write();
            if all.is_none() {
                let mut fresh = HashMap::new();
                store.each((T::ALL, ""), |record| T::note(&mut fresh, &record))?;
                *all = Some(fresh);
            }
        }
        Ok(self.0.read())
    }
}

impl App {
    /// Fills what is kept in memory, after the start: with twenty thousand operators the first page would
    /// take a fifth of a second longer. What cannot be read now is read at the first look. Blocks.
    pub fn warm(&self) {
        let filled = self.names.0.read(&self.store).map(drop);
        let filled = filled.and_then(|()| self.people.0.read(&self.store).map(drop));
        let filled = filled.and_then(|()| self.places.0.read(&self.store).map(drop));
        let filled = filled.and_then(|()| self.catalogue.0.read(&self.store).map(drop));
        let filled = filled.and_then(|()| self.kin.read(&self.store, |_| ()));
        if let Err(error) = filled {
            tracing::warn!(%error, "memory is filled later");
        }
    }
}
