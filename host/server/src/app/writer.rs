//! The one writer: decides what is queued, in groups, which [`super::committer`] makes durable, applies
//! and answers.
//!
//! While much is waiting, the next group is decided during the sync of the one before, on what that one
//! is about to write. If it fails, nothing that was decided on it is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tianyin_domain::apply::apply;
use tianyin_domain::command::{Envelope, Outcome};
use tianyin_domain::decide::{Decision, decide};
use tianyin_domain::id::{Random, Rising};
use tianyin_domain::state::Stacked;
use tianyin_domain::{Command, DomainError, Overlay, StateError, event};
use tianyin_store::Store;
use tokio::sync::{oneshot, watch};

use super::behind::Behind;
use super::clock::Clock;
pub use super::committer::Files;
use super::committer::{Committer, Decided, Group, LineParts};
use super::error::AppError;
use super::gate::{Gate, ReadOnly};
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
/// When so many wait, they are decided while the group before them is being committed. With fewer, one
/// group of all that come in that time saves a sync.
pub const AHEAD_COMMANDS_MIN: usize = 64;
/// What a command without a payload of its own is taken for.
const COMMAND_BYTES: usize = 2048;

type Reply = oneshot::Sender<Result<Outcome, AppError>>;

pub(super) struct Job {
    pub(super) envelope: Envelope,
    pub(super) reply: Reply,
    /// The request or message it came with: what is logged about it carries its id.
    pub(super) span: tracing::Span,
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
        let (store, space, clock) = (files.store.clone(), files.space.clone(), files.clock.clone());
        let ahead_min = files.ahead_commands_min as u64;
        let next_seq = files.journal.next_seq();
        let committer = Committer::start(files, announce, gate.clone(), stats.clone())?;
        let committer = Arc::new(Mutex::new(committer));
        let mut thread = Thread {
            behind: Behind::start(committer.clone())?,
            committer,
            on_its_way: None,
            next_seq,
            ahead_min,
            store,
            space,
            clock,
            random: Rising::default(),
            space_checked: None,
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
    committer: Arc<Mutex<Committer>>,
    behind: Behind,
    /// What the group behind writes.
    on_its_way: Option<Stacked>,
    /// Of the next line that is decided.
    next_seq: u64,
    ahead_min: u64,
    store: Store,
    space: Arc<Space>,
    clock: Arc<Clock>,
    /// Of every id that is given.
    random: Rising<OsRandom>,
    space_checked: Option<Instant>,
    gate: Arc<Gate>,
    stats: Arc<WriterStats>,
}

impl Thread {
    fn run(&mut self, work: &Receiver<Work>) {
        let mut put_off = None;
        while let Some(first) = put_off.take().or_else(|| work.recv().ok()) {
            match first {
                Work::Command(job) => {
                    let group;
                    (group, put_off) = self.gather(job, work);
                    self.commit(group);
                }
                other => self.alone(other),
            }
        }
        self.settle();
        self.committer.lock().flush();
    }

    /// The first command and what waits behind it, up to a group; and what came after them.
    fn gather(&mut self, first: Job, work: &Receiver<Work>) -> (Vec<Job>, Option<Work>) {
        if self.stats.queued.get() < self.ahead_min {
            self.settle();
        }
        self.stats.queued.leave();
        let mut bytes = size_of_command(&first.envelope);
        let mut group = vec![first];
        while group.len() < GROUP_COMMANDS_MAX
            && bytes < GROUP_BYTES_MAX
            && let Ok(work) = work.try_recv()
        {
            let Work::Command(job) = work else { return (group, Some(work)) };
            self.stats.queued.leave();
            bytes += size_of_command(&job.envelope);
            group.push(job);
        }
        (group, None)
    }

    /// What is to meet no write.
    fn alone(&mut self, work: Work) {
        self.settle();
        let mut committer = self.committer.lock();
        match work {
            Work::Command(_) => {}
            Work::Mend => committer.mend(),
            Work::LookAtStore => committer.look_at_store(),
            Work::Between(work) => {
                // Dropped unheard when the gate is shut, which its sender learns.
                if self.gate.reason().is_none() {
                    work(committer.head());
                }
            }
        }
        self.next_seq = committer.head() + 1;
    }

    /// Waits for the group behind; false if it failed.
    fn settle(&mut self) -> bool {
        if !self.behind.is_busy() {
            return true;
        }
        let committed = self.behind.settle();
        if !committed && self.gate.reason().is_none() {
            self.gate.shut_for_good("the committing thread died");
        }
        self.on_its_way = None;
        self.next_seq = self.committer.lock().head() + 1;
        committed
    }

    fn commit(&mut self, group: Vec<Job>) {
        // Before anything fails: what is written takes space, too.
        if self.space_checked.is_none_or(|at| at.elapsed() >= SPACE_CHECK_EVERY) {
            self.space.check(&self.gate);
            self.space_checked = Some(Instant::now());
        }
        if let Some(reason) = self.gate.reason() {
            return refuse(group, &reason);
        }
        let started = Instant::now();
        let store = self.store.clone();
        let below = Overlay::with(&store, self.on_its_way.take().unwrap_or_default());
        let (decided, stacked) = self.decide(group, &below);
        let lines = decided.iter().filter(|d| d.line.is_some()).count() as u64;
        let go_ahead = self.stats.queued.get() >= self.ahead_min;
        self.stats.decide_us.see_since(started);
        if !self.settle() {
            let failed = || ReadOnly::from("the group before failed");
            let reason = self.gate.reason().unwrap_or_else(failed);
            return refuse(decided.into_iter().map(|d| d.job), &reason);
        }
        if go_ahead {
            let puts = stacked.puts();
            self.next_seq += lines;
            self.on_its_way = Some(stacked);
            self.behind.commit(Group { decided, puts });
        } else {
            let puts = stacked.into_puts();
            let mut committer = self.committer.lock();
            committer.commit(Group { decided, puts });
            self.next_seq = committer.head() + 1;
        }
    }

    /// Decides the commands one after the other, each on what those before it will write.
    fn decide(&mut self, group: Vec<Job>, below: &Overlay<'_>) -> (Vec<Decided>, Stacked) {
        let mut overlay = Overlay::new(below);
        let mut decided = Vec::with_capacity(group.len());
        let mut jobs = group.into_iter();
        let mut next_seq = self.next_seq;
        while let Some(mut job) = jobs.next() {
            job.envelope.time = self.clock.stamp(job.envelope.time);
            match stack(&mut overlay, &job.envelope, next_seq, &mut self.random) {
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
                    let rest = decided.into_iter().map(|d: Decided| d.job).chain(jobs).collect();
                    return self.decide(rest, below);
                }
            }
        }
        (decided, overlay.into_stacked())
    }
}

/// Nothing of these happened.
pub(super) fn refuse(jobs: impl IntoIterator<Item = Job>, reason: &ReadOnly) {
    for job in jobs {
        let _ = job.reply.send(Err(AppError::ReadOnly(reason.clone())));
    }
}

impl WriterStats {
    pub(super) fn note_group(&self, lines: usize, started: Instant) {
        let spent_us = micros(started.elapsed());
        self.sync_us.see(spent_us);
        self.sync_recent_us.see(spent_us);
        self.group_lines.see(lines as u64);
        self.lines.add(lines as u64);
        self.last_write_ms.store(crate::edge::now().as_millisecond(), Ordering::Relaxed);
    }

    /// Counts an answer and logs it where the request or message is known.
    pub(super) fn note_answer(&self, decided: &Decided) {
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
    random: &mut dyn Random,
) -> Result<(Decision, Option<LineParts>), Stack> {
    let decision = decide(overlay, envelope, random).map_err(Stack::Refused)?;
    if decision.events.is_empty() {
        return Ok((decision, None));
    }
    let unwritable = |e: StateError| Stack::Refused(DomainError::State(e));
    let line = LineParts {
        time: line_time(envelope.time),
        actor: serde_json::value::to_raw_value(&envelope.actor)
            .map_err(|e| unwritable(StateError(e.to_string())))?,
        events: event::to_json(&decision.events).map_err(unwritable)?,
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
