//! The one writer: decides what is queued, journals the group with one sync, applies it, answers.
//!
//! Acknowledged means on disk. When the sync fails nothing of the group is acknowledged, the sync is
//! never tried again, and the appliance is read-only until it is started anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use parking_lot::RwLock;
use tianyin_domain::apply::apply;
use tianyin_domain::command::{Envelope, Outcome};
use tianyin_domain::decide::{Decision, decide};
use tianyin_domain::{Command, DomainError, Event, Overlay, StateError};
use tianyin_journal::{Journal, NewLine};
use tianyin_store::Store;
use tokio::sync::{oneshot, watch};

use super::error::AppError;
use crate::edge::OsRandom;

/// Commands that may wait for the writer.
const QUEUE_COMMANDS_MAX: usize = 1024;
/// Commands in one group, that is, under one sync.
const GROUP_COMMANDS_MAX: usize = 256;
/// About the size of one group and of one batch of the store, which must not grow large: sled can
/// stall for good when much is overwritten at once.
const GROUP_BYTES_MAX: usize = 1 << 20;
/// What a command without a payload of its own is taken for.
const COMMAND_BYTES: usize = 2048;

type Reply = oneshot::Sender<Result<Outcome, AppError>>;

struct Job {
    envelope: Envelope,
    reply: Reply,
}

/// What the writer counts, for metrics.
#[derive(Debug, Default)]
pub struct WriterStats {
    /// Lines written since start.
    pub lines: AtomicU64,
    /// Groups written, that is, syncs of the journal.
    pub groups: AtomicU64,
    /// Time spent in write and sync, microseconds.
    pub sync_us: AtomicU64,
}

/// The handle everybody submits through.
#[derive(Clone)]
pub struct Writer {
    queue: SyncSender<Job>,
    committed: watch::Receiver<u64>,
    read_only: Arc<RwLock<Option<String>>>,
    /// Counters.
    pub stats: Arc<WriterStats>,
}

impl Writer {
    /// Starts the writer thread. It ends when the last handle is gone.
    pub fn start(journal: Journal, store: Store) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, jobs) = sync_channel(QUEUE_COMMANDS_MAX);
        let (announce, committed) = watch::channel(journal.head().seq);
        let read_only = Arc::new(RwLock::new(None));
        let stats = Arc::new(WriterStats::default());
        let mut thread =
            Thread { journal, store, announce, read_only: read_only.clone(), stats: stats.clone() };
        let handle =
            std::thread::Builder::new().name("writer".into()).spawn(move || thread.run(&jobs))?;
        Ok((Self { queue, committed, read_only, stats }, handle))
    }

    /// Submits a command; the receiver gets the answer once it is durable.
    pub fn submit(
        &self,
        envelope: Envelope,
    ) -> Result<oneshot::Receiver<Result<Outcome, AppError>>, AppError> {
        if let Some(reason) = self.read_only.read().clone() {
            return Err(AppError::ReadOnly(reason));
        }
        let (reply, answer) = oneshot::channel();
        match self.queue.try_send(Job { envelope, reply }) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(AppError::Overloaded),
            Err(TrySendError::Disconnected(_)) => Err(AppError::ReadOnly("writer ended".into())),
        }
    }

    /// Sequence number of the last committed line, and a way to wait for the next.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    /// Why nothing can be written, if so.
    pub fn read_only(&self) -> Option<String> {
        self.read_only.read().clone()
    }
}

struct Thread {
    journal: Journal,
    store: Store,
    announce: watch::Sender<u64>,
    read_only: Arc<RwLock<Option<String>>>,
    stats: Arc<WriterStats>,
}

/// A decided command of the group: its line and its answer.
struct Decided {
    job: Job,
    outcome: Outcome,
    line: Option<LineParts>,
}

struct LineParts {
    time: String,
    actor: Box<serde_json::value::RawValue>,
    events: Box<serde_json::value::RawValue>,
}

impl Thread {
    fn run(&mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut bytes = size_of_command(&first.envelope);
            let mut group = vec![first];
            while group.len() < GROUP_COMMANDS_MAX
                && bytes < GROUP_BYTES_MAX
                && let Ok(job) = jobs.try_recv()
            {
                bytes += size_of_command(&job.envelope);
                group.push(job);
            }
            self.commit(group);
        }
        if let Err(e) = self.store.flush() {
            tracing::warn!(error = %e, "store checkpoint at shutdown failed; the journal has it all");
        }
    }

    fn commit(&mut self, group: Vec<Job>) {
        if let Some(reason) = self.read_only.read().clone() {
            for job in group {
                let _ = job.reply.send(Err(AppError::ReadOnly(reason.clone())));
            }
            return;
        }
        let store = self.store.clone();
        let mut overlay = Overlay::new(&store);
        let mut decided = Vec::with_capacity(group.len());
        let mut jobs = group.into_iter();
        let mut next_seq = self.journal.next_seq();
        while let Some(job) = jobs.next() {
            match stack(&mut overlay, &job.envelope, next_seq) {
                Ok((decision, line)) => {
                    let seq = if line.is_some() { next_seq } else { next_seq - 1 };
                    next_seq += u64::from(line.is_some());
                    let Decision { id, note, .. } = decision;
                    let outcome = Outcome { id, written: line.is_some(), seq, note };
                    decided.push(Decided { job, outcome, line });
                }
                Err(Stack::Refused(error)) => {
                    let _ = job.reply.send(Err(error.into()));
                }
                Err(Stack::Broken(error)) => {
                    // The overlay holds half a command: what was decided so far is decided anew.
                    tracing::error!(error = %error, "an event could not be applied");
                    let _ = job.reply.send(Err(error.into()));
                    let rest = decided.into_iter().map(|d| d.job).chain(jobs).collect();
                    return self.commit(rest);
                }
            }
        }
        self.write(decided, overlay.into_puts());
    }

    fn write(&mut self, decided: Vec<Decided>, puts: Vec<tianyin_domain::Put>) {
        let lines: Vec<NewLine<'_>> = decided
            .iter()
            .filter_map(|d| d.line.as_ref())
            .map(|l| NewLine { time: &l.time, actor: &l.actor, events: &l.events })
            .collect();
        if !lines.is_empty() {
            let started = std::time::Instant::now();
            match self.journal.append_group(&lines) {
                Ok(seqs) => {
                    let spent = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                    self.stats.sync_us.fetch_add(spent, Ordering::Relaxed);
                    self.stats.groups.fetch_add(1, Ordering::Relaxed);
                    self.stats.lines.fetch_add(lines.len() as u64, Ordering::Relaxed);
                    if let Err(e) = self.store.commit(puts, seqs.last) {
                        // Durable, but not to be seen: a restart replays it from the journal.
                        return self.fail(decided, &format!("store: {e}"));
                    }
                    self.announce.send_replace(seqs.last);
                }
                Err(e) => return self.fail(decided, &e.to_string()),
            }
        }
        for d in decided {
            let _ = d.job.reply.send(Ok(d.outcome));
        }
    }

    fn fail(&mut self, decided: Vec<Decided>, reason: &str) {
        tracing::error!(reason, "nothing can be written any more: read-only");
        *self.read_only.write() = Some(reason.to_owned());
        for d in decided {
            let _ = d.job.reply.send(Err(AppError::ReadOnly(reason.to_owned())));
        }
    }
}

enum Stack {
    /// The domain said no; the overlay is untouched.
    Refused(DomainError),
    /// An event could not be applied; the overlay is not to be used.
    Broken(StateError),
}

fn stack(
    overlay: &mut Overlay<'_>,
    envelope: &Envelope,
    seq: u64,
) -> Result<(Decision, Option<LineParts>), Stack> {
    let decision = decide(overlay, envelope, &mut OsRandom).map_err(Stack::Refused)?;
    if decision.events.is_empty() {
        return Ok((decision, None));
    }
    let raw = |r: serde_json::Result<Box<serde_json::value::RawValue>>| {
        r.map_err(|e| Stack::Refused(DomainError::State(StateError(e.to_string()))))
    };
    let line = LineParts {
        time: line_time(envelope.time),
        actor: raw(serde_json::value::to_raw_value(&envelope.actor))?,
        events: raw(serde_json::value::to_raw_value(&decision.events))?,
    };
    overlay.begin_line(seq);
    for event in &decision.events {
        apply(overlay, event, envelope.time).map_err(Stack::Broken)?;
    }
    Ok((decision, Some(line)))
}

fn size_of_command(envelope: &Envelope) -> usize {
    match &envelope.command {
        Command::ReceiveMessage(c) => COMMAND_BYTES + c.payload.len(),
        _ => COMMAND_BYTES,
    }
}

/// UTC with milliseconds, as the journal writes time.
pub fn line_time(time: tianyin_domain::Time) -> String {
    format!("{time:.3}")
}

/// Applies journal lines to the store, for replay at start and for a rebuild. `sink` commits.
pub fn replay(
    state: &Store,
    lines: impl Iterator<Item = Result<tianyin_journal::Line, tianyin_journal::JournalError>>,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<u64> {
    const BATCH_LINES: usize = 512;
    let mut lines = lines.peekable();
    let mut last = 0;
    while lines.peek().is_some() {
        let mut overlay = Overlay::new(state);
        let mut bytes = 0;
        for line in lines.by_ref().take(BATCH_LINES) {
            let line = line?;
            bytes += line.events.get().len();
            overlay.begin_line(line.seq);
            let events: Vec<Event> = serde_json::from_str(line.events.get())
                .map_err(|e| anyhow::anyhow!("journal line {}: {e}", line.seq))?;
            let time: tianyin_domain::Time = line.time.parse()?;
            for event in &events {
                apply(&mut overlay, event, time)
                    .map_err(|e| anyhow::anyhow!("journal line {}: {e}", line.seq))?;
            }
            last = line.seq;
            if bytes >= GROUP_BYTES_MAX {
                break;
            }
        }
        state.commit(overlay.into_puts(), last)?;
        progress(last);
    }
    Ok(last)
}
