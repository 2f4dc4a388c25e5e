//! Building the store anew while the appliance works: a new one is filled from the journal beside the
//! one in use; for the last lines the writer pauses between two groups, then the new one takes its
//! place. Reads go on throughout.

use std::time::Instant;

use parking_lot::Mutex;
use serde::Serialize;
use tianyin_domain::Time;
use tianyin_journal::Reader;
use tianyin_store::{Beside, Retired};

use super::replay::{fill, replay};
use super::start::store_options;
use super::{App, AppError};

/// The writer pauses for at most about so many lines, unless they come faster than they are applied.
const PAUSE_LINES: u64 = 256;
/// Times it is tried to get that near.
const ROUNDS_MAX: usize = 20;
const MIB: u64 = 1 << 20;
/// Wanted on the disk for a store of any size.
const FREE_BYTES_MIN: u64 = 32 * MIB;
/// Wanted of memory, whatever the size of the store; beside it about twice its cache.
const MEMORY_BYTES: u64 = 128 * MIB;
/// Wanted of memory per line of the journal: a fill keeps digests of what it wrote.
const MEMORY_LINE_BYTES: u64 = 64;

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Running {
    /// When it began.
    pub started_at: Time,
    /// The last journal line applied.
    pub done: u64,
    /// The last line there was, the last time it looked.
    pub total: u64,
    /// Lines per second since it began.
    pub per_s: u64,
}

impl Running {
    /// Done so far, in percent.
    pub fn percent(&self) -> u64 {
        self.done * 100 / self.total.max(1)
    }
}

/// How a rebuild ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// When.
    pub at: Time,
    /// Lines applied.
    pub lines: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// Of that, how long the writer paused.
    pub pause_ms: u64,
    /// Why it did not work, if so; the store in use is as it was.
    pub failure: Option<String>,
}

/// Whether the store is being rebuilt, and how that went the last time, for people.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RebuildState {
    /// The one under way.
    pub running: Option<Running>,
    /// The last one that ended since the start.
    pub last: Option<Ended>,
}

/// Keeps a second rebuild away while one is under way.
#[derive(Debug, Default)]
pub struct Rebuild(Mutex<RebuildState>);

impl Rebuild {
    /// How it stands.
    pub fn state(&self) -> RebuildState {
        self.0.lock().clone()
    }

    fn begin(&self) -> Result<Running, AppError> {
        let mut state = self.0.lock();
        if let Some(running) = state.running {
            let percent = running.percent().to_string();
            return Err(AppError::refused_with("rebuild_running", vec![("percent", percent)]));
        }
        let running = Running { started_at: crate::edge::now(), done: 0, total: 0, per_s: 0 };
        state.running = Some(running);
        Ok(running)
    }
}

impl App {
    /// Rebuilds the store; takes as long as it takes, so the caller has a thread of its own for it.
    /// `tell` hears how far it is. When it fails the store in use is as it was.
    pub fn rebuild_store(&self, mut tell: impl FnMut(&Running)) -> Result<Ended, AppError> {
        let running = self.rebuild.begin()?;
        let clock = Instant::now();
        tracing::info!("rebuilding the store");
        let built = self.check_room().and_then(|()| {
            let told = |done, total| {
                let elapsed_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
                let per_s = done * 1000 / elapsed_ms.max(1);
                let now = Running { done, total, per_s, ..running };
                self.rebuild.0.lock().running = Some(now);
                tell(&now);
            };
            self.build_and_swap(told)
        });
        let duration_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (lines, pause_ms) = *built.as_ref().unwrap_or(&(0, 0));
        let failure = built.as_ref().err().map(|e| match e {
            AppError::Internal(cause) => format!("{cause:#}"),
            other => other.detail(),
        });
        match &failure {
            None => tracing::info!(lines, duration_ms, pause_ms, "the store is rebuilt"),
            Some(why) => tracing::error!(why, "the store was not rebuilt; it is as it was"),
        }
        let ended = Ended { at: crate::edge::now(), lines, duration_ms, pause_ms, failure };
        *self.rebuild.0.lock() = RebuildState { running: None, last: Some(ended.clone()) };
        built.map(|_| ended)
    }

    /// Builds, takes the new store into use, removes the old one. Lines applied, and milliseconds for
    /// which the writer paused.
    fn build_and_swap(&self, mut told: impl FnMut(u64, u64)) -> Result<(u64, u64), AppError> {
        let options = store_options(&self.config);
        let new = self.store.build_beside(&options).map_err(AppError::internal)?;
        if let Err(error) = self.fill_beside(&new, &mut told) {
            if let Err(e) = new.discard() {
                tracing::warn!(error = %e, "what was built goes at the next start");
            }
            return Err(AppError::internal(error));
        }
        let (store, journal) = (self.store.clone(), self.config.data.join("journal"));
        let swapped = self.writer.between_groups(move |head| {
            let clock = Instant::now();
            let mut reader = Reader::new(&journal, new.store().applied_seq() + 1);
            replay(new.store(), reader.lines_up_to(head), |_| {})?;
            let retired = store.replace_with(new)?;
            anyhow::Ok((retired, head, clock.elapsed()))
        })?;
        let (retired, head, pause) = swapped.map_err(AppError::internal)?;
        told(head, head);
        remove_later(retired);
        Ok((head, u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Brings the new store near the journal's end, and to the disk.
    fn fill_beside(&self, new: &Beside, told: &mut impl FnMut(u64, u64)) -> anyhow::Result<()> {
        let journal = self.config.data.join("journal");
        let committed = self.writer.committed();
        let head = *committed.borrow();
        told(0, head);
        fill(new.store(), Reader::new(&journal, 1).checking_hashes(), head, |seq| told(seq, head))?;
        let mut synced = false;
        for _ in 0..ROUNDS_MAX {
            let (head, applied) = (*committed.borrow(), new.store().applied_seq());
            if head - applied > PAUSE_LINES {
                let mut reader = Reader::new(&journal, applied + 1);
                replay(new.store(), reader.lines_up_to(head), |seq| told(seq, head))?;
            } else if synced {
                break;
            }
            if !synced {
                // Slow, so once: what follows is little, and comes again from the journal if lost.
                new.sync()?;
                synced = true;
            }
        }
        Ok(())
    }

    /// A second store needs as much disk as the first one, and the first one may grow meanwhile.
    fn check_room(&self) -> Result<(), AppError> {
        if self.writer.read_only().is_some() {
            return Err(AppError::refused("rebuild_read_only"));
        }
        let size = self.store.disk_bytes().map_err(AppError::internal)?;
        let need = (2 * size).max(FREE_BYTES_MIN);
        let free = self.space.state().free_bytes;
        let refused = |code, free: u64, need: u64| {
            let mib = |bytes: u64| bytes.div_ceil(MIB).to_string();
            let params = vec![("free", (free / MIB).to_string()), ("need", mib(need))];
            Err(AppError::refused_with(code, params))
        };
        if free < need {
            return refused("rebuild_no_space", free, need);
        }
        let need = 2 * (self.config.store.cache_mib * MIB)
            + MEMORY_BYTES
            + self.store.applied_seq() * MEMORY_LINE_BYTES;
        match memory_available() {
            Some(free) if free < need => refused("rebuild_no_memory", free, need),
            _ => Ok(()),
        }
    }
}

/// Whoever reads a long list from the old store may take its time.
fn remove_later(retired: Retired) {
    let started = std::thread::Builder::new().name("old-store".into()).spawn(move || {
        if let Err(e) = retired.remove() {
            tracing::warn!(error = %e, "the old store goes at the next start");
        }
    });
    if let Err(e) = started {
        tracing::warn!(error = %e, "the old store goes at the next start");
    }
}

/// Memory that can be had without swapping, in bytes; `None` where the kernel does not tell.
fn memory_available() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_at_a_time() {
        let rebuild = Rebuild::default();
        let running = rebuild.begin().unwrap();
        rebuild.0.lock().running = Some(Running { done: 42, total: 100, ..running });
        let second = rebuild.begin().unwrap_err();
        assert_eq!(second.code(), "rebuild_running");
        assert!(second.detail().contains("42%"), "{}", second.detail());
        assert_eq!(rebuild.state().running.unwrap().done, 42);
        rebuild.0.lock().running = None;
        rebuild.begin().unwrap();
    }

    #[test]
    fn the_kernel_tells_its_memory() {
        assert!(memory_available().unwrap() > MIB);
    }
}
