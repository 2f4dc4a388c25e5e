//! How the appliance is, in words: one source for the health page, `/readyz`, the banner of the
//! console and the command line. What is looked at stands in [`parts`], one function a row; a new
//! part of the appliance gets a row there.

mod parts;
mod words;

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

use super::App;
use crate::texts::{t, tf};

/// An answer is good for this long: pages ask often, and some of it is counted anew each time.
const FRESH: Duration = Duration::from_secs(2);

/// How something is; the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// 正常.
    Good,
    /// 注意: it works, somebody should look at it.
    Attention,
    /// 故障: something does not work.
    Fault,
}

/// The whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The worst of the rows.
    pub state: HealthState,
    /// One sentence: all is well, or what is wrong.
    pub sentence: String,
    /// What to do first; empty when all is well.
    pub cure: String,
    /// One row a part, in the order of the page.
    pub rows: Vec<HealthRow>,
}

/// One part of the appliance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthRow {
    /// Stable word: `data`, `storage`, `devices`, `queues`, `printers`, `rules`,
    /// `certificate`, `mirror`.
    pub part: &'static str,
    /// Its name in words.
    pub title: String,
    /// The worst of its notes.
    pub state: HealthState,
    /// What is to be said about it.
    pub notes: Vec<Note>,
    /// Numbers behind it.
    pub facts: Vec<Fact>,
}

/// A sentence about a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// How grave it is.
    pub state: HealthState,
    /// What is so.
    pub text: String,
    /// What to do; empty when nothing is to be done.
    pub cure: String,
    /// The page where it is done, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<&'static str>,
}

/// A number with its label, both as people read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Label.
    pub label: String,
    /// Value with unit.
    pub value: String,
}

impl HealthRow {
    fn new(part: &'static str) -> Self {
        Self {
            part,
            title: t(&format!("health.{part}")).to_owned(),
            state: HealthState::Good,
            notes: Vec::new(),
            facts: Vec::new(),
        }
    }

    /// Adds a number; `label` is a key below `health_fact`.
    fn fact(&mut self, label: &str, value: impl Into<String>) -> &mut Self {
        let label = t(&format!("health_fact.{label}")).to_owned();
        self.facts.push(Fact { label, value: value.into() });
        self
    }

    /// Says something is wrong: `health_note.{code}` what, `health_cure.{code}` what to do.
    fn wrong(
        &mut self,
        state: HealthState,
        code: &str,
        params: &[(&str, &str)],
        page: Option<&'static str>,
    ) {
        let text = tf(&format!("health_note.{code}"), params.iter().copied());
        let cure = tf(&format!("health_cure.{code}"), params.iter().copied());
        self.say(state, text, cure, page);
    }

    /// Says it in words.
    fn say(&mut self, state: HealthState, text: String, cure: String, page: Option<&'static str>) {
        self.state = self.state.max(state);
        self.notes.push(Note { state, text, cure, page });
    }

    /// What is said when nothing is wrong: `health_good.{part}`.
    fn settled(mut self) -> Self {
        if self.notes.is_empty() {
            let text = t(&format!("health_good.{}", self.part)).to_owned();
            let (state, cure) = (HealthState::Good, String::new());
            self.notes.push(Note { state, text, cure, page: None });
        }
        // The gravest first.
        self.notes.sort_by_key(|note| std::cmp::Reverse(note.state));
        self
    }
}

/// The last answer.
#[derive(Default)]
pub struct HealthCache(Mutex<Option<(Instant, Health)>>);

impl App {
    /// How the appliance is, at most [`FRESH`] ago.
    pub fn health(&self) -> Health {
        let mut cache = self.health.0.lock();
        match &*cache {
            Some((at, health)) if at.elapsed() < FRESH => health.clone(),
            _ => {
                let health = health(self);
                *cache = Some((Instant::now(), health.clone()));
                health
            }
        }
    }
}

/// How the appliance is now. Reads counters, a few counts of the store and `/proc`; never fails: what
/// cannot be read is a fault of its row.
pub fn health(app: &App) -> Health {
    summed_up(parts::all(app))
}

fn summed_up(rows: Vec<HealthRow>) -> Health {
    let state = rows.iter().map(|row| row.state).max().unwrap_or(HealthState::Good);
    let ill: Vec<&HealthRow> = rows.iter().filter(|row| row.state == state).collect();
    let titles: Vec<&str> = ill.iter().map(|row| row.title.as_str()).collect();
    let titles = titles.join("、");
    let first = ill.first().and_then(|row| row.notes.first());
    let (sentence, cure) = match state {
        HealthState::Good => (t("health.all_good").to_owned(), String::new()),
        HealthState::Attention | HealthState::Fault => {
            let key = if state == HealthState::Fault { "health.fault" } else { "health.attention" };
            let text = first.map(|note| note.text.as_str()).unwrap_or_default();
            let cure = first.map(|note| note.cure.clone()).unwrap_or_default();
            (tf(key, [("parts", titles.as_str()), ("text", text)]), cure)
        }
    };
    Health { state, sentence, cure, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(part: &'static str) -> HealthRow {
        HealthRow::new(part)
    }

    #[test]
    fn the_worst_part_speaks_for_the_whole() {
        let mut slow = row("data");
        slow.wrong(HealthState::Attention, "sync_slow", &[("time", "2 秒")], None);
        let mut dead = row("devices");
        dead.wrong(HealthState::Fault, "gateway_down", &[], None);
        let health = summed_up(vec![slow.settled(), dead.settled(), row("queues").settled()]);
        assert_eq!(health.state, HealthState::Fault);
        assert!(health.sentence.contains(t("health.devices")), "{}", health.sentence);
        assert!(!health.sentence.contains(t("health.data")), "{}", health.sentence);
        assert_eq!(health.cure, t("health_cure.gateway_down"));
    }

    #[test]
    fn a_part_without_a_fault_says_so() {
        let health = summed_up(vec![row("queues").settled()]);
        assert_eq!(health.state, HealthState::Good);
        assert_eq!(health.rows[0].notes[0].text, t("health_good.queues"));
        assert!(health.cure.is_empty());
    }
}
