//! Care for the journal while it grows, at low priority: full segments are sealed and compressed, and
//! a second copy in another folder follows line by line. Neither is ever waited for by the writer.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tianyin_domain::Time;
use tianyin_journal::{JournalError, Pace, SealStep, Sealer, SecondCopy};
use tokio::sync::watch;

use crate::config::JournalConfig;
use crate::edge::now;

/// How often is looked whether something was written: the copy lags by about so much.
const COPY_POLL: Duration = Duration::from_millis(200);
/// How often is looked for a full segment.
const SEAL_POLL: Duration = Duration::from_secs(2);
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Longest pause between two pieces of work.
const PAUSE_MAX: Duration = Duration::from_millis(200);
/// How long an orderly stop waits for the copy.
const SETTLE_MAX: Duration = Duration::from_secs(5);

/// How the second copy stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyState {
    /// Its folder.
    pub folder: PathBuf,
    /// Sequence number of the last line that is on its disk; 0 before it was found out.
    pub copied_seq: u64,
    /// Lines that are in the journal and not in the copy.
    pub behind_lines: u64,
    /// When it was complete last.
    pub complete_at: Option<Time>,
    /// Why it cannot go on at present; it is tried again after at most a minute.
    pub error: Option<String>,
    /// When that went wrong last.
    pub failed_at: Option<Time>,
    /// Journal and copy lie in the same file system: one broken disk takes both.
    pub is_on_same_disk: bool,
}

/// How the sealing of full segments stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealState {
    /// Segments sealed since start.
    pub sealed_segments: u64,
    /// Bytes of their lines.
    pub plain_bytes: u64,
    /// Bytes they take now; 0 when they are not compressed.
    pub gz_bytes: u64,
    /// When the last was sealed.
    pub sealed_at: Option<Time>,
    /// Why it cannot go on at present; it is tried again after at most a minute.
    pub error: Option<String>,
    /// When that went wrong last.
    pub failed_at: Option<Time>,
}

/// The threads that care for the journal, and how they stand. They end with the writer.
#[derive(Debug)]
pub struct JournalCare {
    copy: Option<Arc<Mutex<CopyState>>>,
    sealing: Arc<Mutex<SealState>>,
    committed: watch::Receiver<u64>,
}

impl JournalCare {
    /// Starts them for the journal in `dir`; `committed` is the last line that is acknowledged.
    pub fn start(
        config: &JournalConfig,
        dir: &Path,
        sealer: Sealer,
        committed: watch::Receiver<u64>,
    ) -> std::io::Result<Self> {
        let compress = config.compress;
        let sealing = Arc::new(Mutex::new(SealState::default()));
        let work = Seal { sealer, compress, state: sealing.clone() };
        spawn("journal-seal", work, committed.clone(), SEAL_POLL)?;
        let copy = match &config.copy {
            Some(folder) => {
                let copy = SecondCopy::new(dir, folder);
                let state = Arc::new(Mutex::new(CopyState::new(folder)));
                let work = Follow { copy, compress, state: state.clone() };
                spawn("journal-copy", work, committed.clone(), COPY_POLL)?;
                Some(state)
            }
            None => None,
        };
        Ok(Self { copy, sealing, committed })
    }

    /// The second copy; `None` when none is set up.
    pub fn copy(&self) -> Option<CopyState> {
        let mut state = self.copy.as_ref()?.lock().clone();
        state.behind_lines = self.committed.borrow().saturating_sub(state.copied_seq);
        Some(state)
    }

    /// The sealing of full segments.
    pub fn sealing(&self) -> SealState {
        self.sealing.lock().clone()
    }

    /// Waits until the copy is complete, cannot be, or has had 5 seconds.
    pub async fn settle(&self) {
        let until = Instant::now() + SETTLE_MAX;
        while let Some(copy) = self.copy()
            && copy.behind_lines > 0
            && copy.error.is_none()
        {
            if Instant::now() >= until {
                tracing::warn!(
                    behind_lines = copy.behind_lines,
                    "stopped before the copy of the journal was complete"
                );
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl CopyState {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            copied_seq: 0,
            behind_lines: 0,
            complete_at: None,
            error: None,
            failed_at: None,
            is_on_same_disk: false,
        }
    }
}

/// Work that is done over and over.
trait Work: Send + 'static {
    /// Does what there is to do up to line `committed`; asks `pace` between any two pieces.
    fn run(&mut self, committed: u64, pace: &mut Pace<'_>) -> Result<(), JournalError>;
    /// Where an error is shown.
    fn show(&self, error: Option<String>) -> Option<String>;
    /// What it is, for the log.
    const WHAT: &'static str;
}

fn spawn<W: Work>(
    name: &str,
    mut work: W,
    mut committed: watch::Receiver<u64>,
    poll: Duration,
) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(move || {
        let mut retry = RETRY_MIN;
        loop {
            // An error: the writer is gone.
            let is_over = committed.has_changed().is_err();
            let head = *committed.borrow_and_update();
            let gone = committed.clone();
            let mut rest = Rest::new();
            let result = work.run(head, &mut |_| match gone.has_changed() {
                // What is committed is still copied; a long sealing is left for the next start.
                Err(_) => ControlFlow::Break(()),
                Ok(_) => {
                    rest.take();
                    ControlFlow::Continue(())
                }
            });
            let error = result.err().map(|e| e.to_string());
            let failed = error.is_some();
            report(W::WHAT, work.show(error.clone()), error);
            if is_over {
                return;
            }
            let wait = if failed { retry } else { poll };
            retry = if failed { (retry * 2).min(RETRY_MAX) } else { RETRY_MIN };
            let until = Instant::now() + wait;
            while Instant::now() < until && committed.has_changed().is_ok() {
                std::thread::sleep(COPY_POLL.min(until.saturating_duration_since(Instant::now())));
            }
        }
    })?;
    Ok(())
}

/// Logs what changed.
fn report(what: &str, before: Option<String>, now: Option<String>) {
    match (before, now) {
        (before, Some(error)) if before.as_ref() != Some(&error) => {
            tracing::warn!(error, "{what} cannot go on; it is tried again");
        }
        (Some(_), None) => tracing::info!("{what} goes on again"),
        _ => {}
    }
}

/// Pauses for as long as was worked: at most half of one processor.
struct Rest {
    since: Instant,
}

impl Rest {
    fn new() -> Self {
        Self { since: Instant::now() }
    }

    fn take(&mut self) {
        std::thread::sleep(self.since.elapsed().min(PAUSE_MAX));
        self.since = Instant::now();
    }
}

struct Seal {
    sealer: Sealer,
    compress: bool,
    state: Arc<Mutex<SealState>>,
}

impl Work for Seal {
    const WHAT: &'static str = "sealing of the journal";

    fn run(&mut self, _: u64, pace: &mut Pace<'_>) -> Result<(), JournalError> {
        while let Some(sealed) = self.sealer.seal_next(self.compress, pace)? {
            tracing::debug!(?sealed, "a segment of the journal is sealed");
            let mut state = self.state.lock();
            state.sealed_segments += 1;
            state.plain_bytes += sealed.plain_bytes;
            state.gz_bytes += sealed.gz_bytes.unwrap_or_default();
            state.sealed_at = Some(now());
        }
        Ok(())
    }

    fn show(&self, error: Option<String>) -> Option<String> {
        let mut state = self.state.lock();
        if error.is_some() {
            state.failed_at = Some(now());
        }
        std::mem::replace(&mut state.error, error)
    }
}

struct Follow {
    copy: SecondCopy,
    compress: bool,
    state: Arc<Mutex<CopyState>>,
}

impl Work for Follow {
    const WHAT: &'static str = "copy of the journal";

    fn run(&mut self, committed: u64, pace: &mut Pace<'_>) -> Result<(), JournalError> {
        let was_attached = self.copy.head().is_some();
        loop {
            let copied_seq = self.copy.step(committed)?.seq;
            let mut state = self.state.lock();
            state.copied_seq = copied_seq;
            if copied_seq >= committed {
                state.complete_at = Some(now());
                break;
            }
            drop(state);
            // At a stop the rest is copied without a pause.
            let _ = pace(SealStep::Checking);
        }
        if !was_attached {
            self.state.lock().is_on_same_disk = self.copy.is_on_same_disk()?;
        }
        // One at a time: the next lines come first.
        self.copy.seal_next(self.compress, pace).map(|_| ())
    }

    fn show(&self, error: Option<String>) -> Option<String> {
        let mut state = self.state.lock();
        if error.is_some() {
            state.failed_at = Some(now());
        }
        std::mem::replace(&mut state.error, error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ffi::OsStr;

    use serde_json::value::RawValue;
    use tianyin_journal::{Journal, NewLine, Options, verify};

    use super::*;

    fn grow(journal: &mut Journal, committed: &watch::Sender<u64>, groups: usize) {
        let (actor, events) = ("{}".to_owned(), format!("[\"{}\"]", "x".repeat(400)));
        let actor = RawValue::from_string(actor).unwrap();
        let events = RawValue::from_string(events).unwrap();
        let line = NewLine { time: "2026-03-01T08:00:00.000Z", actor: &actor, events: &events };
        for _ in 0..groups {
            committed.send_replace(journal.append_group(&[line]).unwrap().last);
        }
    }

    fn wait(what: &str, mut done: impl FnMut() -> bool) {
        let until = Instant::now() + Duration::from_secs(30);
        while !done() {
            assert!(Instant::now() < until, "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn compressed(dir: &Path) -> usize {
        let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension() == Some(OsStr::new("gz"))).count()
    }

    #[test]
    fn copies_and_seals_and_tells_how_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, target) = (folder.path().join("journal"), folder.path().join("copy"));
        let options = Options { segment_bytes_max: 4096, ..Options::default() };
        let (mut journal, _) = Journal::open(&dir, options).unwrap();
        let (announce, committed) = watch::channel(0);
        let config = JournalConfig { copy: Some(target.clone()), ..JournalConfig::default() };
        let care = JournalCare::start(&config, &dir, journal.sealer(), committed).unwrap();
        grow(&mut journal, &announce, 30);

        wait("the missing folder to be told", || care.copy().unwrap().error.is_some());
        let state = care.copy().unwrap();
        assert_eq!((state.behind_lines, state.complete_at), (30, None));
        assert!(state.error.unwrap().contains("copy"));
        assert!(!target.exists(), "a disk that is not there is not made up for");

        std::fs::create_dir(&target).unwrap();
        wait("the copy to be complete", || care.copy().unwrap().behind_lines == 0);
        wait("the error to go", || care.copy().unwrap().error.is_none());
        let state = care.copy().unwrap();
        assert!(state.is_on_same_disk && state.complete_at.is_some() && state.failed_at.is_some());
        wait("both to be compressed", || {
            compressed(&dir) > 2 && compressed(&target) == compressed(&dir)
        });
        wait("the sealing to be told", || {
            care.sealing().sealed_segments == compressed(&dir) as u64
        });
        assert!(care.sealing().gz_bytes < care.sealing().plain_bytes);

        grow(&mut journal, &announce, 3);
        drop(announce);
        let head = journal.head();
        wait("the last lines to be copied when the writer ends", || {
            verify(&target, None, &mut |_| {}).unwrap().head == head
        });
    }
}
