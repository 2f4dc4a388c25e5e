//! The one writer: decides what is queued, journals the group with one sync, applies it, answers.
//!
//! Acknowledged means on disk. When the sync fails nothing of the group is acknowledged, the sync is
//! never tried again, and the appliance is read-only until it is started anew. A write that the full
//! disk refused is taken back; then, as when the store's disk is full, it goes on once there is space.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tianyin_domain::apply::apply;
use tianyin_domain::command::{Envelope, Outcome};
use tianyin_domain::decide::{Decision, decide};
use tianyin_domain::{Command, DomainError, Overlay, StateError};
use tianyin_journal::{Journal, JournalError, NewLine, Reader};
use tianyin_store::{Options as StoreOptions, Store, StoreError};
use tokio::sync::{oneshot, watch};

use super::ahead::Ahead;
use super::clock::Clock;
use super::error::AppError;
use super::gate::{Gate, ReadOnly};
use super::replay::replay;
use super::space::Space;
use crate::edge::OsRandom;
use crate::meter::{Counter, Histogram, Level, Recent, SIZES, micros};

/// Commands that may wait for the writer.
pub const QUEUE_COMMANDS_MAX: usize = 1024;
/// Commands in one group, that is, under one sync.
const GROUP_COMMANDS_MAX: usize = 256;
/// About the size of one group and of one batch of the store, which must not grow large: sled can
/// stall for good when much is overwritten at once.
pub(crate) const GROUP_BYTES_MAX: usize = 1 << 20;
/// In this time no more is written than what must stay free has room for.
const SPACE_CHECK_EVERY: Duration = Duration::from_millis(10);
/// Times it is tried to open a store anew that a reader may still hold, each 2 s and more.
const MEND_TRIES_MAX: u32 = 30;
/// What a command without a payload of its own is taken for.
const COMMAND_BYTES: usize = 2048;

type Reply = oneshot::Sender<Result<Outcome, AppError>>;

struct Job {
    envelope: Envelope,
    reply: Reply,
    /// The request or message it came with: what is logged about it carries its id.
    span: tracing::Span,
}

#[expect(clippy::large_enum_variant, reason = "nearly all of them are commands")]
enum Work {
    Command(Job),
    /// There is space again after a write found the disk full.
    Mend,
    /// Somebody could not read the store.
    LookAtStore,
    /// Something that is to meet no write, with the number of the last line.
    Between(Box<dyn FnOnce(u64) + Send>),
}

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
}

/// What the writer counts, for metrics and the health page.
#[derive(Debug)]
pub struct WriterStats {
    /// Commands that wait, of [`QUEUE_COMMANDS_MAX`].
    pub queued: Level,
    /// Lines written since start.
    pub lines: Counter,
    /// Lines of each group; their number is the number of groups, that is, of syncs.
    pub group_lines: Histogram,
    /// Deciding and applying one group, µs.
    pub decide_us: Histogram,
    /// One write and sync of the journal, µs.
    pub sync_us: Histogram,
    /// The same, the last of them.
    pub sync_recent_us: Recent,
    /// One batch of the store, µs.
    pub commit_us: Histogram,
    /// Commands the domain refused, conflicts among them.
    pub refused: Counter,
    /// Commands whose roots had changed.
    pub conflicts: Counter,
    /// Commands that were prepared again because a root had changed.
    pub retried: Counter,
    /// Commands that were answered without a line: repeated keys, known messages.
    pub repeated: Counter,
    /// When the last group was durable, Unix ms; 0 before the first.
    pub last_write_ms: AtomicI64,
}

impl Default for WriterStats {
    fn default() -> Self {
        Self {
            queued: Level::default(),
            lines: Counter::default(),
            group_lines: Histogram::new(SIZES),
            decide_us: Histogram::of_time(),
            sync_us: Histogram::of_time(),
            sync_recent_us: Recent::default(),
            commit_us: Histogram::of_time(),
            refused: Counter::default(),
            conflicts: Counter::default(),
            retried: Counter::default(),
            repeated: Counter::default(),
            last_write_ms: AtomicI64::new(0),
        }
    }
}

/// The handle everybody submits through.
#[derive(Clone)]
pub struct Writer {
    queue: SyncSender<Work>,
    committed: watch::Receiver<u64>,
    gate: Arc<Gate>,
    /// Counters.
    pub stats: Arc<WriterStats>,
}

impl Writer {
    /// Starts the writer thread. It ends when the last handle is gone.
    pub fn start(files: Files) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, work) = sync_channel(QUEUE_COMMANDS_MAX);
        let (announce, committed) = watch::channel(files.journal.head().seq);
        let gate = Arc::new(Gate::default());
        files.space.check(&gate);
        let stats = Arc::new(WriterStats::default());
        let mut thread = Thread {
            ahead: Ahead::start(files.store.clone())?,
            files,
            store_failed: false,
            mend_tries: 0,
            space_checked: None,
            announce,
            gate: gate.clone(),
            stats: stats.clone(),
        };
        let handle =
            std::thread::Builder::new().name("writer".into()).spawn(move || thread.run(&work))?;
        Ok((Self { queue, committed, gate, stats }, handle))
    }

    /// Submits a command; the receiver gets the answer once it is durable.
    pub fn submit(
        &self,
        envelope: Envelope,
    ) -> Result<oneshot::Receiver<Result<Outcome, AppError>>, AppError> {
        if let Some(reason) = self.gate.reason() {
            return Err(AppError::ReadOnly(reason));
        }
        let (reply, answer) = oneshot::channel();
        let span = tracing::Span::current();
        self.stats.queued.enter();
        let sent = self.queue.try_send(Work::Command(Job { envelope, reply, span }));
        if sent.is_err() {
            self.stats.queued.leave();
        }
        match sent {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(AppError::Overloaded),
            Err(TrySendError::Disconnected(_)) => Err(AppError::ReadOnly("writer ended".into())),
        }
    }

    /// Runs `work` on the writer's thread between two groups, with the number of the last line, and
    /// waits for it; nothing is written meanwhile, so it must be short. Refused while nothing is taken
    /// in. For threads that may block.
    pub fn between_groups<T: Send + 'static>(
        &self,
        work: impl FnOnce(u64) -> T + Send + 'static,
    ) -> Result<T, AppError> {
        let (reply, answer) = sync_channel(1);
        let work = move |head| {
            let _ = reply.send(work(head));
        };
        let refused = || {
            let ended = || ReadOnly::from("the writer ended");
            AppError::ReadOnly(self.gate.reason().unwrap_or_else(ended))
        };
        self.queue.send(Work::Between(Box::new(work))).map_err(|_| refused())?;
        answer.recv().map_err(|_| refused())
    }

    /// Sequence number of the last committed line, and a way to wait for the next.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    /// Why nothing can be written, if so.
    pub fn read_only(&self) -> Option<ReadOnly> {
        self.gate.reason()
    }

    /// The gate before the queue.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Asks the writer to put itself right after the disk was full. To be asked again until
    /// [`Gate::to_mend`] is over.
    pub fn mend(&self) {
        // A full queue drains by itself: nothing in it is taken in now.
        let _ = self.queue.try_send(Work::Mend);
    }

    /// Tells the writer that the store cannot be read.
    pub fn look_at_store(&self) {
        let _ = self.queue.try_send(Work::LookAtStore);
    }
}

struct Thread {
    files: Files,
    ahead: Ahead,
    /// The store did not take what the journal holds: it is to be opened anew.
    store_failed: bool,
    /// How often mending was tried in vain.
    mend_tries: u32,
    space_checked: Option<Instant>,
    announce: watch::Sender<u64>,
    gate: Arc<Gate>,
    stats: Arc<WriterStats>,
}

/// A decided command of the group: its line and its answer.
///
/// A refusal waits for the group, too: it may rest on what the group is about to write, and whoever
/// tries again after a conflict must find the new versions in the store.
struct Decided {
    job: Job,
    answer: Result<Outcome, DomainError>,
    line: Option<LineParts>,
}

struct LineParts {
    time: String,
    actor: Box<serde_json::value::RawValue>,
    events: Box<serde_json::value::RawValue>,
}

impl Thread {
    fn run(&mut self, work: &Receiver<Work>) {
        let mut put_off = None;
        while let Some(first) = put_off.take().or_else(|| work.recv().ok()) {
            let first = match first {
                Work::Command(job) => job,
                Work::Mend => {
                    self.mend();
                    continue;
                }
                Work::LookAtStore => {
                    self.look_at_store();
                    continue;
                }
                Work::Between(work) => {
                    // Dropped unheard when the gate is shut, which its sender learns.
                    if self.gate.reason().is_none() {
                        work(self.files.journal.head().seq);
                    }
                    continue;
                }
            };
            self.stats.queued.leave();
            let mut bytes = size_of_command(&first.envelope);
            let mut group = vec![first];
            while group.len() < GROUP_COMMANDS_MAX
                && bytes < GROUP_BYTES_MAX
                && let Ok(work) = work.try_recv()
            {
                let Work::Command(job) = work else {
                    put_off = Some(work);
                    break;
                };
                self.stats.queued.leave();
                bytes += size_of_command(&job.envelope);
                group.push(job);
            }
            self.commit(group);
        }
        if let Err(e) = self.files.store.flush() {
            tracing::warn!(error = %e, "store checkpoint at shutdown failed; the journal has it all");
        }
    }

    fn commit(&mut self, group: Vec<Job>) {
        // Before anything fails: what is written takes space, too.
        if self.space_checked.is_none_or(|at| at.elapsed() >= SPACE_CHECK_EVERY) {
            self.files.space.check(&self.gate);
            self.space_checked = Some(Instant::now());
        }
        if let Some(reason) = self.gate.reason() {
            for job in group {
                let _ = job.reply.send(Err(AppError::ReadOnly(reason.clone())));
            }
            return;
        }
        let started = Instant::now();
        let store = self.files.store.clone();
        let mut overlay = Overlay::new(&store);
        let mut decided = Vec::with_capacity(group.len());
        let mut jobs = group.into_iter();
        let mut next_seq = self.files.journal.next_seq();
        while let Some(mut job) = jobs.next() {
            job.envelope.time = self.files.clock.stamp(job.envelope.time);
            match stack(&mut overlay, &job.envelope, next_seq) {
                Ok((decision, line)) => {
                    let seq = if line.is_some() { next_seq } else { next_seq - 1 };
                    next_seq += u64::from(line.is_some());
                    let Decision { id, note, .. } = decision;
                    let answer = Ok(Outcome { id, written: line.is_some(), seq, note });
                    decided.push(Decided { job, answer, line });
                }
                Err(Stack::Refused(error)) => {
                    decided.push(Decided { job, answer: Err(error), line: None });
                }
                Err(Stack::Broken(error)) => {
                    // The overlay holds half a command: what was decided so far is decided anew.
                    let command = job.envelope.command.name();
                    job.span.in_scope(|| {
                        tracing::error!(command, error = %error, "an event could not be applied");
                    });
                    let _ = job.reply.send(Err(error.into()));
                    let rest = decided.into_iter().map(|d| d.job).chain(jobs).collect();
                    return self.commit(rest);
                }
            }
        }
        let puts = overlay.into_puts();
        self.stats.decide_us.see_since(started);
        self.write(decided, puts);
    }

    fn write(&mut self, decided: Vec<Decided>, puts: Vec<tianyin_domain::Put>) {
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
        let mut unreadable = false;
        for d in decided {
            self.stats.note_answer(&d);
            unreadable |= matches!(d.answer, Err(DomainError::State(_)));
            let _ = d.job.reply.send(d.answer.map_err(AppError::from));
        }
        if unreadable {
            self.look_at_store();
        }
    }

    /// After a write of its own accord that failed, sled answers nothing any more.
    fn look_at_store(&mut self) {
        if self.gate.reason().is_none()
            && let Err(e) = self.files.store.probe()
        {
            self.shut_for_store(&e);
        }
    }

    /// The journal did not take the group: nothing of it happened.
    fn not_written(&mut self, decided: Vec<Decided>, error: &JournalError) {
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
        for d in decided {
            let _ = d.job.reply.send(Err(AppError::ReadOnly(reason.clone())));
        }
    }

    /// The group is durable, but the store did not take it: it is replayed from the journal once
    /// there is space, or at the next start. To say that it failed would make callers repeat it.
    fn not_shown(&mut self, decided: Vec<Decided>, error: &StoreError) {
        self.shut_for_store(error);
        for d in decided {
            let answer = match d.answer {
                Ok(outcome) if outcome.written => Err(AppError::Recorded(outcome)),
                answer => answer.map_err(AppError::from),
            };
            let _ = d.job.reply.send(answer);
        }
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
    fn mend(&mut self) {
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

impl WriterStats {
    fn note_group(&self, lines: usize, started: Instant) {
        let spent_us = micros(started.elapsed());
        self.sync_us.see(spent_us);
        self.sync_recent_us.see(spent_us);
        self.group_lines.see(lines as u64);
        self.lines.add(lines as u64);
        self.last_write_ms.store(crate::edge::now().as_millisecond(), Ordering::Relaxed);
    }

    /// Counts an answer and logs it where the request or message is known.
    fn note_answer(&self, decided: &Decided) {
        let command = decided.job.envelope.command.name();
        match &decided.answer {
            Ok(outcome) => {
                if !outcome.written {
                    self.repeated.inc();
                }
                let (id, seq, written) = (&outcome.id, outcome.seq, outcome.written);
                tracing::debug!(parent: &decided.job.span, command, id, seq, written, "answered");
            }
            Err(error) => {
                self.refused.inc();
                if matches!(error, DomainError::Conflict { .. }) {
                    self.conflicts.inc();
                }
                tracing::debug!(parent: &decided.job.span, command, error = %error, "refused");
            }
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
