//! The model: a state in memory and the pure kernel, one command at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tianyin_domain::apply::apply;
use tianyin_domain::decide::decide;
use tianyin_domain::id::{CROCKFORD, Random};
use tianyin_domain::state::{Index, Table};
use tianyin_domain::{
    DomainError, Entry, Envelope, Event, Outcome, Overlay, Put, State, StateError,
};
use tianyin_journal::Line;
use tianyin_store::Store;

type Row = (Arc<[u8]>, Vec<Entry>);

/// Records, index entries and versions.
#[derive(Default)]
pub struct Model {
    rows: BTreeMap<(Table, String), Row>,
    index: BTreeSet<(Index, String, String, String)>,
    versions: BTreeMap<String, u64>,
}

impl State for Model {
    fn raw(&self, table: Table, id: &str) -> Result<Option<Arc<[u8]>>, StateError> {
        Ok(self.rows.get(&(table, id.to_owned())).map(|(value, _)| value.clone()))
    }

    fn ids(&self, index: Index, part: &str, limit: usize) -> Result<Vec<String>, StateError> {
        let from = (index, part.to_owned(), String::new(), String::new());
        let rows = self.index.range(from..).take_while(|(i, p, ..)| *i == index && p == part);
        Ok(rows.take(limit).map(|(.., id)| id.clone()).collect())
    }

    fn version(&self, root: &str) -> Result<u64, StateError> {
        Ok(self.versions.get(root).copied().unwrap_or(0))
    }
}

/// Draws what the appliance drew, read back from the id it answered with.
struct Drawn([u8; 10]);

impl Drawn {
    fn of(id: &str) -> Self {
        let digits = id.rsplit('_').next().unwrap_or_default();
        let value = digits.bytes().fold(0u128, |value, digit| {
            let at = CROCKFORD.iter().position(|c| *c == digit).unwrap_or(0);
            (value << 5) | at as u128
        });
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&value.to_be_bytes()[6..]);
        Self(bytes)
    }
}

impl Random for Drawn {
    fn fill(&mut self, buf: &mut [u8]) {
        let n = buf.len().min(10);
        buf[..n].copy_from_slice(&self.0[..n]);
    }
}

impl Model {
    /// Decides and applies what the appliance wrote: line and answer must be the same.
    pub fn take(&mut self, envelope: &Envelope, outcome: &Outcome, line: &Line) {
        let decision = decide(self, envelope, &mut Drawn::of(&outcome.id)).unwrap();
        assert_eq!((&decision.id, decision.note), (&outcome.id, outcome.note));
        let events = serde_json::to_string(&decision.events).unwrap();
        assert_eq!(events, line.events.get(), "line {}", line.seq);
        assert_eq!(serde_json::to_string(&envelope.actor).unwrap(), line.actor.get());
        let events: Vec<Event> = serde_json::from_str(&events).unwrap();
        let state: &dyn State = self;
        let mut overlay = Overlay::new(state);
        overlay.begin_line(line.seq);
        for event in &events {
            apply(&mut overlay, event, envelope.time).unwrap();
        }
        let puts = overlay.into_puts();
        self.commit(puts, line.seq);
    }

    /// Whether it answers alike after line `seq`, writing nothing.
    pub fn answers(
        &self,
        envelope: &Envelope,
        answer: &Result<Outcome, DomainError>,
        seq: u64,
    ) -> bool {
        let decided = decide(self, envelope, &mut Drawn([0; 10]));
        match (answer, decided) {
            (Ok(outcome), Ok(decision)) => {
                decision.events.is_empty()
                    && (&outcome.id, outcome.note, outcome.seq)
                        == (&decision.id, decision.note, seq)
            }
            (Err(error), Err(decided)) => *error == decided,
            _ => false,
        }
    }

    fn commit(&mut self, puts: Vec<Put>, seq: u64) {
        for put in puts {
            match put {
                Put::Version { root, seq: version } => {
                    let old = self.versions.insert(root.clone(), version);
                    assert!(version == seq && old.is_none_or(|old| old < version), "{root}");
                }
                Put::Record { table, id, value, entries, is_new, .. } => {
                    assert!(!is_new || !self.rows.contains_key(&(table, id.clone())), "{id}");
                    let key = |e: &Entry| (e.index, e.part.clone(), e.sort.clone(), id.clone());
                    if let Some((_, old)) = self.rows.get(&(table, id.clone())) {
                        for entry in old {
                            self.index.remove(&key(entry));
                        }
                    }
                    self.index.extend(entries.iter().map(key));
                    self.rows.insert((table, id), (value, entries));
                }
            }
        }
    }

    /// The store holds the same records, entries, counts and versions.
    pub fn must_equal(&self, store: &Store) {
        let state: &dyn State = store;
        for ((table, id), (value, _)) in &self.rows {
            let there = state.raw(*table, id).unwrap();
            assert_eq!(there.as_deref(), Some(&value[..]), "{}/{id}", table.0);
        }
        let parts: BTreeSet<(Index, &String)> =
            self.index.iter().map(|(i, p, ..)| (*i, p)).collect();
        for (index, part) in parts {
            let ids = self.ids(index, part, usize::MAX).unwrap();
            assert_eq!(state.ids(index, part, ids.len() + 9).unwrap(), ids, "{} {part}", index.0);
            assert_eq!(store.count(index, part).unwrap(), ids.len() as u64, "{} {part}", index.0);
        }
        for (root, version) in &self.versions {
            assert_eq!(state.version(root).unwrap(), *version, "{root}");
        }
    }
}
