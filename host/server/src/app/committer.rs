//! Takes decided groups to the journal with one sync each, applies them to the store, answers.
//!
//! Acknowledged means on disk. When the sync fails nothing of the group is acknowledged, the sync is
//! never tried again, and the appliance is read-only until it is started anew. A write that the full
//! disk refused is taken back; then, as when the store's disk is full, it goes on once there is space.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tianyin_domain::command::Outcome;
use tianyin_domain::{DomainError, Put};
use tianyin_journal::{Journal, JournalError, NewLine, Reader};
use tianyin_store::{Options as StoreOptions, Store, StoreError};
use tokio::sync::watch;

use super::ahead::Ahead;
use super::clock::Clock;
use super::error::AppError;
use super::gate::Gate;
use super::replay::replay;
use super::space::Space;
use super::writer::{Job, WriterStats, refuse};

/// Times it is tried to open a store anew that a reader may still hold, each 2 s and more.
const MEND_TRIES_MAX: u32 = 30;

/// What the writer writes to.
pub struct Files {
    /// Opened for writing.
    pub journal: Journal,
    /// Folder of the journal.
    pub journal_dir: PathBuf,
    /// Brought up to the journal.
    pub store: Store,
    /// To open the store again after its disk was full.
    pub store_options: StoreOptions,
    /// The disks.
    pub space: Arc<Space>,
    /// Gives lines their times.
    pub clock: Arc<Clock>,
    /// How many commands must wait to be decided during a sync: [`super::writer::AHEAD_COMMANDS_MIN`],
    /// unless a test wants it at all times.
    pub ahead_commands_min: usize,
}

/// Commands that are decided together and written with one sync.
pub(super) struct Group {
    pub(super) decided: Vec<Decided>,
    /// What they change.
    pub(super) puts: Vec<Put>,
}

/// A decided command of the group: its line and its answer.
///
/// A refusal waits for the group, too: it may rest on what the group is about to write, and whoever
/// tries again after a conflict must find the new versions in the store.
pub(super) struct Decided {
    pub(super) job: Job,
    pub(super) answer: Result<Outcome, DomainError>,
    pub(super) line: Option<LineParts>,
}

pub(super) struct LineParts {
    pub(super) time: String,
    pub(super) actor: Box<serde_json::value::RawValue>,
    pub(super) events: Box<serde_json::value::RawValue>,
}

/// The hand on the journal and the store.
pub(super) struct Committer {
    files: Files,
    ahead: Ahead,
    /// The store did not take what the journal holds: it is to be opened anew.
    store_failed: bool,
    /// How often mending was tried in vain.
    mend_tries: u32,
    announce: watch::Sender<u64>,
    gate: Arc<Gate>,
    stats: Arc<WriterStats>,
}

impl Committer {
    pub(super) fn start(
        files: Files,
        announce: watch::Sender<u64>,
        gate: Arc<Gate>,
        stats: Arc<WriterStats>,
    ) -> std::io::Result<Self> {
        let ahead = Ahead::start(files.store.clone())?;
        let (store_failed, mend_tries) = (false, 0);
        Ok(Self { files, ahead, store_failed, mend_tries, announce, gate, stats })
    }

    /// Journals the group, applies it, answers; true unless it failed.
    pub(super) fn commit(&mut self, group: Group) -> bool {
        let Group { decided, puts } = group;
        let lines: Vec<NewLine<'_>> = decided
            .iter()
            .filter_map(|d| d.line.as_ref())
            .map(|l| NewLine { time: &l.time, actor: &l.actor, events: &l.events })
            .collect();
        if !lines.is_empty() {
            let started = Instant::now();
            let journal = &mut self.files.journal;
            let append = || {
                let appended = journal.append_group(&lines);
                appended.inspect(|_| self.stats.note_group(lines.len(), started))
            };
            let (appended, prepared) = self.ahead.while_running(puts, append);
            let seqs = match appended {
                Ok(seqs) => seqs,
                Err(e) => return self.not_written(decided, &e),
            };
            let started = Instant::now();
            let store = &self.files.store;
            if let Err(e) = prepared.and_then(|changes| store.commit_prepared(changes, seqs.last)) {
                return self.not_shown(decided, &e);
            }
            self.stats.commit_us.see_since(started);
            self.announce.send_replace(seqs.last);
        }
        // Before anybody is told: the next question meets a shut gate, or a store that can be read.
        if decided.iter().any(|d| matches!(d.answer, Err(DomainError::State(_)))) {
            self.look_at_store();
        }
        for d in decided {
            self.stats.note_answer(&d);
            let _ = d.job.reply.send(d.answer.map_err(AppError::from));
        }
        true
    }

    /// Number of the last line.
    pub(super) fn head(&self) -> u64 {
        self.files.journal.head().seq
    }

    /// At the end.
    pub(super) fn flush(&self) {
        if let Err(e) = self.files.store.flush() {
            tracing::warn!(error = %e, "store checkpoint at shutdown failed; the journal has it all");
        }
    }

    /// After a write of its own accord that failed, sled answers nothing any more.
    pub(super) fn look_at_store(&mut self) {
        if self.gate.reason().is_none()
            && let Err(e) = self.files.store.probe()
        {
            self.shut_for_store(&e);
        }
    }

    /// The journal did not take the group: nothing of it happened.
    fn not_written(&mut self, decided: Vec<Decided>, error: &JournalError) -> bool {
        tracing::error!(%error, "the journal could not be written: read-only");
        if error.is_full() {
            self.shut_full();
            // At once, while it is known what the write left behind; if not, once there is space.
            if let Err(e) = self.files.journal.take_back() {
                tracing::error!(error = %e, "the failed write is still to be taken back");
            }
        } else {
            self.gate.shut_for_good(&error.to_string());
        }
        let reason = self.gate.reason().unwrap_or_else(|| error.to_string().as_str().into());
        refuse(decided.into_iter().map(|d| d.job), &reason);
        false
    }

    /// The group is durable, but the store did not take it: it is replayed from the journal once
    /// there is space, or at the next start. To say that it failed would make callers repeat it.
    fn not_shown(&mut self, decided: Vec<Decided>, error: &StoreError) -> bool {
        self.shut_for_store(error);
        for d in decided {
            let answer = match d.answer {
                Ok(outcome) if outcome.written => Err(AppError::Recorded(outcome)),
                answer => answer.map_err(AppError::from),
            };
            let _ = d.job.reply.send(answer);
        }
        false
    }

    fn shut_for_store(&mut self, error: &StoreError) {
        tracing::error!(%error, "the store could not be written; the journal has it: read-only");
        self.store_failed = true;
        if error.is_full() || self.files.space.was_short() {
            self.shut_full();
        } else {
            self.gate.shut_for_good(&error.to_string());
        }
    }

    fn shut_full(&self) {
        self.files.space.release_ballast();
        self.gate.shut_full(self.files.space.shortage());
    }

    /// There is space again: takes the failed write back, brings the store up to the journal.
    pub(super) fn mend(&mut self) {
        if !self.gate.to_mend() {
            return;
        }
        match self.try_mend() {
            Ok(()) => {
                self.mend_tries = 0;
                self.gate.mended();
            }
            // A reader still holds the store that failed.
            Err(e) if is_in_use(&e) && self.mend_tries < MEND_TRIES_MAX => {
                self.mend_tries += 1;
                tracing::warn!(error = format!("{e:#}"), "the store is not closed yet");
            }
            Err(e) if super::space::is_full(&e) => {
                tracing::warn!(error = format!("{e:#}"), "still not enough space");
            }
            Err(e) => {
                tracing::error!(error = format!("{e:#}"), "only a restart helps: read-only");
                self.gate.shut_for_good(&format!("{e:#}"));
                self.gate.mended();
            }
        }
    }

    fn try_mend(&mut self) -> anyhow::Result<()> {
        let Files { journal, journal_dir, store, store_options, .. } = &mut self.files;
        journal.take_back()?;
        // sled may have failed at a write of its own accord, and answers from memory until the next.
        if self.store_failed || store.flush().is_err() {
            let opened = store.reopen(store_options)?;
            anyhow::ensure!(opened.emptied.is_none(), "the store was lost: {opened:?}");
            let head = journal.head().seq;
            let mut reader = Reader::new(journal_dir, store.applied_seq() + 1);
            replay(store, reader.lines_up_to(head), |_| {})?;
            self.store_failed = false;
            self.announce.send_replace(head);
            tracing::info!(head, "the store was opened again and is up to the journal");
        }
        Ok(())
    }
}

fn is_in_use(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<StoreError>(), Some(StoreError::InUse(_)))
}
