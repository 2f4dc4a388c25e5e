//! Two at once on the same record: a command says which versions of its roots it was based on. What
//! the appliance itself read is read again; what a person saw is shown to the person, beside what
//! it has become.

use serde::Serialize;
use tianyin_domain::actor::Actor;
use tianyin_domain::agency::Agency;
use tianyin_domain::command::{Command, Envelope, Outcome};
use tianyin_domain::error::DomainError;
use tianyin_domain::history::History;
use tianyin_domain::operator::Operator;
use tianyin_domain::time::china_minute;
use tianyin_domain::user::User;
use tianyin_domain::{State, Time};
use tianyin_journal::Reader;

use super::operators::APPLY_JOB;
use super::{App, AppError};
use crate::edge::now;
use crate::texts::{t, tf};

/// Times a command based on rules is tried when its roots change meanwhile.
pub const CONFLICT_TRIES: usize = 3;

/// Versions of roots, such as `("lot/lot_…", 17)`: the sequence number of the last line about each.
pub type Versions = Vec<(String, u64)>;

/// A record is not any more what a command was based on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The root, such as `lot/lot_…`.
    pub root: String,
    /// The version the command was based on.
    pub expected: u64,
    /// The version now: the sequence number of the journal line of the change.
    pub actual: u64,
    /// The change, as far as the journal could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// The last change of a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// When.
    pub at: Time,
    /// Who, in words.
    pub by: String,
    /// What happened, as the journal names it: `operator.reviewed`.
    pub events: Vec<String>,
    /// The same in words.
    pub what: String,
    /// What was said about it: the reviewer's reason, the name of what was added.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// What an event says in words of its own.
fn note_of(event: &serde_json::Map<String, serde_json::Value>) -> Option<String> {
    let (name, payload) = event.iter().next()?;
    let text = |field: &str| payload.get(field).and_then(|v| v.as_str()).filter(|v| !v.is_empty());
    let note = match name.as_str() {
        "operator.reviewed" => {
            let key = format!("operator_status.{}", text("status")?);
            let status = t(&key);
            match text("reason") {
                Some(reason) => format!("{status} · {reason}"),
                None => status.to_owned(),
            }
        }
        "site.added" | "product.added" => text("name")?.to_owned(),
        "document.filed" => text("title")?.to_owned(),
        "document.closed" | "input.revised" | "input.closed" => text("reason")?.to_owned(),
        "user.added" => text("username")?.to_owned(),
        "authorisation.granted" => text("granted_by")?.to_owned(),
        "cell.changed" | "cell.ended" => text("reason")?.to_owned(),
        _ => return None,
    };
    Some(note)
}

impl Conflict {
    /// The Chinese sentence: who did what meanwhile, and what to do now.
    pub fn detail(&self) -> String {
        let Some(change) = &self.change else { return t("error.version_conflict").to_owned() };
        let at = china_minute(change.at);
        let params = [("by", change.by.as_str()), ("at", &at), ("what", &change.what)];
        tf("conflict.detail", params)
    }
}

impl App {
    /// Submits what `prepare` makes of the records as they are now; when a root moved between its
    /// reading and the decision, it is prepared again from fresh records, [`CONFLICT_TRIES`] times in
    /// all.
    ///
    /// `seen` are versions a person or program saw before it asked: when one of these moved, trying
    /// again would decide over its head.
    ///
    /// # Errors
    /// What `prepare` or the decision refuses; [`AppError::Conflict`] when the roots kept moving.
    pub async fn submit_prepared(
        &self,
        seen: &[(String, u64)],
        mut prepare: impl FnMut() -> Result<Envelope, AppError>,
    ) -> Result<Outcome, AppError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut envelope = prepare()?;
            envelope.based_on.extend(seen.iter().cloned());
            let error = match self.submit_envelope(envelope).await {
                Err(AppError::Domain(error @ DomainError::Conflict { .. })) => error,
                answer => return answer,
            };
            let over_its_head = matches!(&error, DomainError::Conflict { root, expected, .. }
                if seen.iter().any(|(r, v)| r == root && v == expected));
            if over_its_head || tries >= CONFLICT_TRIES {
                return Err(self.explained(error));
            }
            self.writer.stats.retried.inc();
        }
    }

    /// Submits a command that a person or program based on these versions.
    ///
    /// # Errors
    /// As the domain refuses; [`AppError::Conflict`] when one of the versions moved.
    pub async fn submit_based(
        &self,
        actor: &Actor,
        command: Command,
        idempotency_key: Option<String>,
        seen: &[(String, u64)],
    ) -> Result<Outcome, AppError> {
        self.submit_prepared(seen, || {
            Ok(Envelope {
                actor: actor.clone(),
                command: command.clone(),
                time: now(),
                idempotency_key: idempotency_key.clone(),
                based_on: Vec::new(),
            })
        })
        .await
    }

    /// Adds to a conflict what the journal knows of the change.
    fn explained(&self, error: DomainError) -> AppError {
        let DomainError::Conflict { root, expected, actual } = error else { return error.into() };
        let change = self.change_at(actual);
        AppError::Conflict(Box::new(Conflict { root, expected, actual, change }))
    }

    /// The journal line that gave a root its version.
    fn change_at(&self, seq: u64) -> Option<Change> {
        let committed = *self.writer.committed().borrow();
        let mut reader = Reader::new(&self.config.data.join("journal"), seq);
        let line = reader.read_up_to(committed).ok()??;
        let actor: Actor = serde_json::from_str(line.actor.get()).ok()?;
        let events: Vec<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_str(line.events.get()).ok()?;
        let note = events.iter().find_map(note_of);
        let note = note.or_else(|| self.delegations_note(&events)).unwrap_or_default();
        let names = events.iter().filter_map(|event| event.keys().next().cloned());
        let events: Vec<String> = names.filter(|name| name != "command.answered").collect();
        let words: Vec<String> = events.iter().map(|name| event_words(name)).collect();
        let what = words.join(t("conflict.and"));
        let (at, by) = (line.time.parse().ok()?, self.actor_words(&actor));
        Some(Change { at, by, events, what, note })
    }

    /// Which operators were delegated to which service point, or are not any more and why.
    fn delegations_note(
        &self,
        events: &[serde_json::Map<String, serde_json::Value>],
    ) -> Option<String> {
        let state: &dyn State = &self.store;
        let payloads =
            events.iter().flatten().filter(|(name, _)| name.starts_with("operator.dele"));
        let payloads: Vec<_> = payloads.map(|(_, payload)| payload).collect();
        let text = |payload: &serde_json::Value, field: &str| {
            payload.get(field).and_then(|v| v.as_str()).unwrap_or_default().to_owned()
        };
        let agency = text(payloads.first()?, "agency");
        let mut parts = vec![state.get::<Agency>(&agency).ok()??.name];
        let operators = payloads.iter().map(|payload| text(payload, "operator"));
        let names = operators.filter_map(|id| Some(state.get::<Operator>(&id).ok()??.name));
        parts.push(names.collect::<Vec<_>>().join(t("conflict.and")));
        parts.extend(payloads.iter().map(|payload| text(payload, "reason")));
        parts.retain(|part| !part.is_empty());
        Some(parts.join(" · "))
    }

    /// The changes of a record, the newest first, as far as the journal can be read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn history(&self, root: &str, max: usize) -> Result<Vec<Change>, AppError> {
        let state: &dyn State = &self.store;
        let history: Option<History> = state.get(root)?;
        let seqs = history.map(|history| history.seqs).unwrap_or_default();
        Ok(seqs.into_iter().rev().take(max).filter_map(|seq| self.change_at(seq)).collect())
    }

    fn actor_words(&self, actor: &Actor) -> String {
        match actor {
            Actor::User { id, .. } => {
                let state: &dyn State = &self.store;
                let user = state.get::<User>(id).ok().flatten();
                user.map_or_else(|| t("conflict.somebody").to_owned(), |user| user.name)
            }
            Actor::Device { id } => tf("conflict.device", [("id", id.as_str())]),
            Actor::System { job } if job == APPLY_JOB => t("conflict.applicant").to_owned(),
            Actor::System { .. } => t("conflict.system").to_owned(),
        }
    }
}

fn event_words(name: &str) -> String {
    let key = format!("event.{}", name.replace('.', "_"));
    t(if crate::texts::has(&key) { &key } else { "event.other" }).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_words() {
        let source = include_str!("../../../domain/src/event.rs");
        let names = source.split("rename = \"").skip(1).filter_map(|rest| rest.split('"').next());
        let mut count = 0;
        for name in names {
            count += 1;
            assert_ne!(event_words(name), t("event.other"), "{name}");
        }
        assert!(count > 25, "{count}");
    }

    #[test]
    fn a_change_is_told_in_a_sentence() {
        let conflict = Conflict {
            root: "operator/op_1".into(),
            expected: 3,
            actual: 9,
            change: Some(Change {
                at: "2026-11-20T01:30:00Z".parse().unwrap_or_default(),
                by: "李四".into(),
                events: vec!["operator.reviewed".into()],
                what: event_words("operator.reviewed"),
                note: String::new(),
            }),
        };
        let detail = conflict.detail();
        assert!(detail.contains("李四") && detail.contains("2026-11-20 09:30"), "{detail}");
        assert!(!detail.contains('{'), "{detail}");
    }
}
