//! A store in memory and a writer beside it that works as the real one does: decide on an overlay,
//! apply what was decided, commit the puts of the whole group at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tianyin_domain::apply::apply;
use tianyin_domain::decide::decide;
use tianyin_domain::id::SeededRandom;
use tianyin_domain::state::{Index, Table};
use tianyin_domain::{
    Actor, Command, DomainError, Entity, Entry, Envelope, Event, Outcome, Overlay, Put, State,
    StateError, Time,
};

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    value: Arc<[u8]>,
    entries: Vec<Entry>,
    area: String,
    owner: String,
}

/// Records, index entries and versions, all of them comparable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryState {
    rows: BTreeMap<(Table, String), Row>,
    index: BTreeSet<(Index, String, String, String)>,
    versions: BTreeMap<String, u64>,
}

impl MemoryState {
    pub fn commit(&mut self, puts: Vec<Put>) {
        for put in puts {
            match put {
                Put::Version { root, seq } => {
                    self.versions.insert(root, seq);
                }
                Put::Record { table, id, value, entries, area, owner, is_new } => {
                    assert!(!is_new || !self.rows.contains_key(&(table, id.clone())), "{id}");
                    let row = Row { value, entries, area, owner };
                    let keys = |row: &Row| -> Vec<_> {
                        let key = |e: &Entry| (e.index, e.part.clone(), e.sort.clone(), id.clone());
                        row.entries.iter().map(key).collect()
                    };
                    if let Some(old) = self.rows.get(&(table, id.clone())) {
                        for key in keys(old) {
                            self.index.remove(&key);
                        }
                    }
                    self.index.extend(keys(&row));
                    self.rows.insert((table, id), row);
                }
            }
        }
    }

    /// Every record of a kind, by id.
    pub fn all<E: Entity>(&self) -> Vec<E> {
        let of_kind = self.rows.iter().filter(|((table, _), _)| *table == E::TABLE);
        of_kind.map(|(_, row)| serde_json::from_slice(&row.value).unwrap()).collect()
    }
}

impl State for MemoryState {
    fn raw(&self, table: Table, id: &str) -> Result<Option<Arc<[u8]>>, StateError> {
        Ok(self.rows.get(&(table, id.to_owned())).map(|row| row.value.clone()))
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

/// A line as the journal keeps it: text, so that a replay reads what was really written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub seq: u64,
    pub time: String,
    pub events: String,
}

pub type Answer = Result<Outcome, DomainError>;

/// State, journal, clock and random bits of one test.
pub struct World {
    pub state: MemoryState,
    pub lines: Vec<Line>,
    pub time: Time,
    pub random: SeededRandom,
}

impl World {
    /// An empty appliance at 2026-11-20 16:00 in China.
    pub fn new() -> Self {
        Self {
            state: MemoryState::default(),
            lines: Vec::new(),
            time: "2026-11-20T08:00:00Z".parse().unwrap(),
            random: SeededRandom(1),
        }
    }

    pub fn state(&self) -> &dyn State {
        &self.state
    }

    pub fn envelope(&self, actor: &Actor, command: Command) -> Envelope {
        Envelope {
            actor: actor.clone(),
            command,
            time: self.time,
            idempotency_key: None,
            based_on: Vec::new(),
        }
    }

    /// Commits several commands under one sync.
    pub fn group(&mut self, envelopes: &[Envelope]) -> Vec<Answer> {
        let mut overlay = Overlay::new(&self.state);
        let mut lines = Vec::new();
        let mut head = self.lines.last().map_or(0, |l| l.seq);
        let mut answers = Vec::new();
        for envelope in envelopes {
            let answer = decide(&overlay, envelope, &mut self.random).map(|decision| {
                let written = !decision.events.is_empty();
                if written {
                    head += 1;
                    overlay.begin_line(head);
                    for event in &decision.events {
                        apply(&mut overlay, event, envelope.time).expect("apply refuses nothing");
                    }
                    let events = serde_json::to_string(&decision.events).unwrap();
                    lines.push(Line { seq: head, time: envelope.time.to_string(), events });
                }
                Outcome { id: decision.id, written, seq: head, note: decision.note }
            });
            answers.push(answer);
        }
        let puts = overlay.into_puts();
        self.state.commit(puts);
        self.lines.extend(lines);
        answers
    }

    pub fn submit(&mut self, envelope: Envelope) -> Answer {
        self.group(&[envelope]).remove(0)
    }

    pub fn give(&mut self, actor: &Actor, command: Command) -> Answer {
        let envelope = self.envelope(actor, command);
        self.submit(envelope)
    }

    /// Gives a command that must succeed; the id it answers with.
    pub fn ok(&mut self, actor: &Actor, command: Command) -> String {
        self.give(actor, command).unwrap().id
    }

    /// Gives a command that must be refused and must leave no trace; see [`told`].
    pub fn no(&mut self, actor: &Actor, command: Command) -> String {
        let before = (self.state.clone(), self.lines.len());
        let error = self.give(actor, command).expect_err("it must be refused");
        assert_eq!(before, (self.state.clone(), self.lines.len()));
        told(&error)
    }

    pub fn get<E: Entity>(&self, id: &str) -> E {
        self.state().get(id).unwrap().expect("the record is there")
    }

    pub fn version(&self, root: &str) -> u64 {
        self.state.version(root).unwrap()
    }

    /// Events of the last line.
    pub fn last_events(&self) -> Vec<Event> {
        serde_json::from_str(&self.lines.last().unwrap().events).unwrap()
    }

    /// What the journal alone leads to, `batch` lines in one overlay.
    pub fn replayed(&self, batch: usize) -> MemoryState {
        let mut state = MemoryState::default();
        for lines in self.lines.chunks(batch) {
            let mut overlay = Overlay::new(&state);
            for line in lines {
                overlay.begin_line(line.seq);
                let events: Vec<Event> = serde_json::from_str(&line.events).unwrap();
                for event in &events {
                    apply(&mut overlay, event, line.time.parse().unwrap()).unwrap();
                }
            }
            let puts = overlay.into_puts();
            state.commit(puts);
        }
        state
    }
}

/// An error in short: `field:code field:code` for bad fields, the noun of what is missing, else
/// the code.
pub fn told(error: &DomainError) -> String {
    match error {
        DomainError::Invalid(fields) => {
            let fields: Vec<_> = fields.iter().map(|f| format!("{}:{}", f.field, f.code)).collect();
            fields.join(" ")
        }
        DomainError::NotFound { noun, .. } => format!("no {noun}"),
        other => other.code().into(),
    }
}
