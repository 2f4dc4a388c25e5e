//! The chain of all lots in memory, kept up as lots change; filled after the start or at the first use.

use parking_lot::RwLock;
use tianyin_domain::kinship::Kinship;
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::state::State;
use tianyin_domain::step::Step;
use tianyin_store::{Store, StoreError};

use super::App;

/// The chain, once it was read.
#[derive(Default)]
pub struct Kin(RwLock<Option<Kinship>>);

impl Kin {
    /// Takes over a lot as it is now; before the first use there is nothing to take over.
    fn note(&self, lot: &Lot) {
        if let Some(all) = self.0.write().as_mut() {
            all.note(lot);
        }
    }

    /// Asks the chain.
    ///
    /// # Errors
    /// When the store cannot be read, at the first use.
    pub fn read<T>(&self, store: &Store, ask: impl FnOnce(&Kinship) -> T) -> Result<T, StoreError> {
        if self.0.read().is_none() {
            // Held while reading: what changes meanwhile is noted after.
            let mut all = self.0.write();
            if all.is_none() {
                let mut fresh = Kinship::default();
                store.each((lot::BY_OPERATOR, ""), |lot: Lot| fresh.note(&lot))?;
                *all = Some(fresh);
            }
        }
        Ok(ask(self.0.read().as_ref().unwrap_or(&Kinship::default())))
    }
}

impl App {
    /// Takes over lots as the store has them now.
    pub(super) fn note_lots<'a>(&self, ids: impl IntoIterator<Item = &'a String>) {
        let state: &dyn State = &self.store;
        for id in ids {
            match state.get::<Lot>(id) {
                Ok(Some(lot)) => self.kin.note(&lot),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(lot = id, %error, "a lot is not in the chain in memory")
                }
            }
        }
    }

    /// The same for the lots of a step.
    pub(super) fn note_step(&self, id: &str) {
        let state: &dyn State = &self.store;
        if let Ok(Some(step)) = state.get::<Step>(id) {
            self.note_lots(step.inputs.iter().chain(&step.outputs).map(|one| &one.lot));
        }
    }
}
