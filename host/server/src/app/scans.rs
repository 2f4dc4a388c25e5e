//! Scan counts: counted in memory, flushed as one event a minute, never one event a scan.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tianyin_domain::code::{Code, ScanCount};
use tianyin_domain::command::Command;
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
pub struct Scans(Mutex<HashMap<String, (u64, Time)>>);

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
        let mut counts = self.scans.0.lock();
        if let Some((count, _)) = counts.get_mut(code) {
            *count += 1;
        } else if counts.len() < CODES_MAX {
            counts.insert(code.to_owned(), (1, now()));
        }
    }

    /// Codes with scans that are not flushed yet.
    pub fn scans_pending(&self) -> usize {
        self.scans.0.lock().len()
    }

    /// Flushed and fresh counts together.
    pub fn scan_numbers(&self, code: &Code) -> ScanNumbers {
        let fresh = self.scans.0.lock().get(&code.code).copied();
        ScanNumbers {
            count: code.scans + fresh.map_or(0, |f| f.0),
            first_at: code.first_scan_at.or(fresh.map(|f| f.1)),
        }
    }

    /// Writes what was counted; what could not be written is counted again.
    pub async fn flush_scans(&self) {
        let taken: Vec<_> = std::mem::take(&mut *self.scans.0.lock()).into_iter().collect();
        for chunk in taken.chunks(EVENT_CODES_MAX) {
            let counts = chunk
                .iter()
                .map(|(code, (count, first_at))| ScanCount {
                    code: code.clone(),
                    count: *count,
                    first_at: *first_at,
                })
                .collect();
            let command = Command::CountScans(counts);
            if let Err(e) = self.submit(&Actor::system("scans"), command).await {
                tracing::warn!(error = %e, "scan counts not flushed, kept for the next time");
                let mut counts = self.scans.0.lock();
                for (code, (count, first_at)) in chunk {
                    let kept = counts.entry(code.clone()).or_insert((0, *first_at));
                    kept.0 += count;
                }
            }
        }
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
