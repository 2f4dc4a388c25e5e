//! Scan counts: counted in memory, flushed as one event a minute, never one event a scan.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tianyin_domain::code::Code;
use tianyin_domain::command::Command;
use tianyin_domain::scan::ScanCount;
use tianyin_domain::{Actor, Time};

use super::App;
use crate::edge::now;

/// Pause between flushes.
pub const FLUSH_EVERY: Duration = Duration::from_secs(60);
/// Codes counted between two flushes; a flush is asked for when it is reached.
const CODES_MAX: usize = 50_000;
/// Codes in one event, so that a journal line stays small.
const EVENT_CODES_MAX: usize = 1000;

/// Scans since the last flush.
#[derive(Default)]
pub struct Scans {
    fresh: Mutex<HashMap<String, (u64, Time)>>,
    flushed: AtomicU64,
}

/// What the scan page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanNumbers {
    /// Scans so far.
    pub count: u64,
    /// First of them.
    pub first_at: Option<Time>,
}

impl App {
    /// Counts one public scan of a code that exists.
    pub fn scanned(&self, code: &str) {
        let mut counts = self.scans.fresh.lock();
        if let Some((count, _)) = counts.get_mut(code) {
            *count += 1;
        } else if counts.len() < CODES_MAX {
            counts.insert(code.to_owned(), (1, now()));
        }
    }

    /// Codes with scans that are not flushed yet.
    pub fn scans_pending(&self) -> usize {
        self.scans.fresh.lock().len()
    }

    /// Grows whenever counts were written to the records of their codes.
    pub fn scans_flushed(&self) -> u64 {
        self.scans.flushed.load(Ordering::Acquire)
    }

    /// Counts were written to the records of their codes by another way.
    pub(super) fn scans_counted_elsewhere(&self) {
        self.scans.flushed.fetch_add(1, Ordering::Release);
    }

    /// Flushed and fresh counts together.
    pub fn scan_numbers(&self, code: &Code) -> ScanNumbers {
        let fresh = self.scans.fresh.lock().get(&code.code).copied();
        ScanNumbers {
            count: code.scans + fresh.map_or(0, |f| f.0),
            first_at: code.first_scan_at.or(fresh.map(|f| f.1)),
        }
    }

    /// Writes what was counted; what could not be written stays counted for the next time.
    pub async fn flush_scans(&self) {
        let counted: Vec<ScanCount> = {
            let fresh = self.scans.fresh.lock();
            let one = |(code, (count, first_at)): (&String, &(u64, Time))| {
                ScanCount::new(code.clone(), *count, *first_at)
            };
            fresh.iter().map(one).collect()
        };
        for chunk in counted.chunks(EVENT_CODES_MAX) {
            let command = Command::CountScans(chunk.to_vec());
            if let Err(e) = self.submit(&Actor::system("scans"), command).await {
                tracing::warn!(error = %e, "scan counts not flushed, kept for the next time");
                return;
            }
            self.scans.forget(chunk);
        }
    }
}

impl Scans {
    /// These are in the records of their codes now.
    fn forget(&self, written: &[ScanCount]) {
        let mut fresh = self.fresh.lock();
        for one in written {
            if let Some((count, _)) = fresh.get_mut(&one.code) {
                *count = count.saturating_sub(one.count);
                if *count == 0 {
                    fresh.remove(&one.code);
                }
            }
        }
        self.flushed.fetch_add(1, Ordering::Release);
    }
}

/// Flushes once a minute until the application is gone.
pub async fn run(app: std::sync::Weak<App>) {
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        let Some(app): Option<Arc<App>> = app.upgrade() else { return };
        app.flush_scans().await;
    }
}
