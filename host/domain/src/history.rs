//! Where in the journal a record was changed: the pages that tell its history read these lines.

use serde::{Deserialize, Serialize};

use crate::state::{Entity, Entry, Overlay, State, StateError, Table};

/// Changes of one record that are remembered, the newest; all of them are in the journal.
pub const CHANGES_MAX: usize = 100;

/// The changes of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Noun and id, such as `operator/opr_…`.
    pub root: String,
    /// Sequence numbers of the lines, rising.
    pub seqs: Vec<u64>,
}

impl Entity for History {
    const TABLE: Table = Table("history");
    fn id(&self) -> &str {
        &self.root
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

/// Remembers that the line being applied changed a record.
pub(crate) fn remember(o: &mut Overlay<'_>, root: String) -> Result<(), StateError> {
    let seq = o.seq();
    let state: &dyn State = &*o;
    let mut history =
        state.get::<History>(&root)?.unwrap_or_else(|| History { root, seqs: Vec::new() });
    if history.seqs.last() == Some(&seq) {
        return Ok(());
    }
    let over = (history.seqs.len() + 1).saturating_sub(CHANGES_MAX);
    history.seqs.drain(..over);
    history.seqs.push(seq);
    o.put(&history)
}
