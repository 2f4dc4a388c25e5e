//! Collected certificates behind a lot: what a buyer kept of its suppliers, for the rule and for its pages.

use serde_json::{Value, json};
use tianyin_domain::State;
use tianyin_domain::certificate::{Certificate, CertificateStatus};
use tianyin_domain::collection::{self, Collection};
use tianyin_domain::lot::Lot;

use super::lineage::Ancestry;
use super::{App, AppError};

/// How the proof of a lot that was bought stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofState {
    /// Collected, and it stands.
    Kept,
    /// Nothing was collected.
    Missing,
    /// What was collected was voided since.
    Void,
}

impl ProofState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Missing => "missing",
            Self::Void => "void",
        }
    }
}

impl App {
    /// Lots of an ancestry by which goods of others came to its operator, each with its proof, as the rule
    /// reads them.
    pub(super) fn proofs_of(&self, ancestry: &Ancestry) -> Result<Vec<Value>, AppError> {
        let Some(own) = ancestry.lots.first() else { return Ok(Vec::new()) };
        let mut proofs = Vec::new();
        for lot in entries(&own.operator, &ancestry.lots) {
            let (state, kept) = self.proof_of(lot)?;
            let id = kept.map(|one| one.id).unwrap_or_default();
            let state = state.as_str();
            proofs.push(json!({ "lot": lot.id, "no": lot.no, "state": state, "id": id }));
        }
        Ok(proofs)
    }

    /// What was collected for a lot: of several that count, the newest.
    pub fn proof_of(&self, lot: &Lot) -> Result<(ProofState, Option<Collection>), AppError> {
        let state: &dyn State = &self.store;
        let all: Vec<Collection> =
            state.list(collection::BY_LOT, &lot.id, collection::OF_LOT_MAX)?;
        let mut found = (ProofState::Missing, None);
        for one in all.into_iter().filter(|one| one.struck.is_none()) {
            let void = match &one.code {
                Some(code) => state
                    .get::<Certificate>(code)?
                    .is_none_or(|certificate| certificate.status == CertificateStatus::Void),
                None => false,
            };
            if !void {
                found = (ProofState::Kept, Some(one));
            } else if found.0 != ProofState::Kept {
                found = (ProofState::Void, Some(one));
            }
        }
        Ok(found)
    }
}

/// Lots of an operator that were bought as they are: opened for goods from elsewhere, or handed over.
fn entries<'a>(operator: &'a str, lots: &'a [Lot]) -> impl Iterator<Item = &'a Lot> {
    let of_others = move |lot: &Lot| {
        let from = |id: &str| lots.iter().find(|one| one.id == id);
        let mut sources = lot.sources.iter().filter_map(|one| from(&one.lot));
        sources.any(|one| one.operator != lot.operator)
    };
    let own = lots.iter().filter(move |lot| lot.operator == operator);
    own.filter(move |lot| (lot.bought && lot.step.is_none()) || of_others(lot))
}
