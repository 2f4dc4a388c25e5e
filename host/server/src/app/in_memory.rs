//! Something of every record of a kind, in memory, where reading all the records for each page would take
//! longer than a person waits for.

use std::collections::HashMap;

use parking_lot::{RwLock, RwLockReadGuard};
use tianyin_domain::state::Index;
use tianyin_domain::{Entity, Scope};
use tianyin_store::{PAGE_ITEMS_MAX, PageQuery, Store, StoreError};

use super::App;

/// By id; filled at the first use, and kept up by whoever changes records.
pub(super) struct InMemory<T>(RwLock<Option<HashMap<String, T>>>);

impl<T> Default for InMemory<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T> InMemory<T> {
    /// Takes over a change; before the first use there is nothing to change.
    pub(super) fn change(&self, change: impl FnOnce(&mut HashMap<String, T>)) {
        if let Some(all) = self.0.write().as_mut() {
            change(all);
        }
    }

    /// All of them. `note` puts in what is kept of one record of the index.
    ///
    /// # Errors
    /// When the store cannot be read, at the first use.
    pub(super) fn read<E: Entity>(
        &self,
        store: &Store,
        (index, part): (Index, &str),
        note: impl Fn(&mut HashMap<String, T>, &E),
    ) -> Result<RwLockReadGuard<'_, Option<HashMap<String, T>>>, StoreError> {
        if self.0.read().is_none() {
            // Held while reading: what changes meanwhile is noted after.
            let mut all = self.0.write();
            if all.is_none() {
                let mut fresh = HashMap::new();
                each(store, (index, part), |record: E| note(&mut fresh, &record))?;
                *all = Some(fresh);
            }
        }
        Ok(self.0.read())
    }
}

/// Every record of a part of an index, in its order.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn each<E: Entity>(
    store: &Store,
    (index, part): (Index, &str),
    mut what: impl FnMut(E),
) -> Result<(), StoreError> {
    let mut after = None::<String>;
    loop {
        let mut query = PageQuery::new(index, part);
        query.after = after.as_deref();
        query.limit = PAGE_ITEMS_MAX;
        let page = store.page::<E>(&query, &Scope::everything())?;
        page.items.into_iter().for_each(&mut what);
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

impl App {
    /// Fills what is kept in memory, after the start: with twenty thousand operators the first page would
    /// take a fifth of a second longer. What cannot be read now is read at the first look. Blocks.
    pub fn warm(&self) {
        let filled = self.names.fill(&self.store);
        let filled = filled.and_then(|()| self.people.fill(&self.store));
        let filled = filled.and_then(|()| self.places.fill(&self.store));
        if let Err(error) = filled.and_then(|()| self.catalogue.fill(&self.store)) {
            tracing::warn!(%error, "memory is filled later");
        }
    }
}
