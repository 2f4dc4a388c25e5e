//! Scan counts: counted in memory, with the city where that is known, flushed as one event a minute, never
//! one event a scan. The visitor's address is looked at once and not kept.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tianyin_domain::code::Code;
use tianyin_domain::command::Command;
use tianyin_domain::scan::{AREAS_MAX, AreaScans, ScanCount};
use tianyin_domain::{Actor, State, Time};

use super::{App, AppError};
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
    fresh: Mutex<HashMap<String, Fresh>>,
    flushed: AtomicU64,
}

/// Scans of one code.
struct Fresh {
    count: u64,
    first_at: Time,
    /// City of the first of them.
    first_area: Option<String>,
    /// Cities in the order in which they came; at most [`AREAS_MAX`], later ones are counted with the last.
    areas: Vec<AreaScans>,
}

/// What the scan page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanNumbers {
    /// Scans so far.
    pub count: u64,
    /// First of them.
    pub first_at: Option<Time>,
    /// City of the first of them, 4 digits, where that is known.
    pub first_area: Option<String>,
    /// Cities it was scanned in, as far as they are known.
    pub cities: usize,
}

impl App {
    /// Counts one public scan of a code that exists, nobody knows where.
    pub fn scanned(&self, code: &str) {
        self.count_scan(code, None);
    }

    /// The same by a visitor with this address, of which only the city is kept.
    pub fn scanned_from(&self, code: &str, address: IpAddr) {
        self.count_scan(code, self.area_of(address));
    }

    fn count_scan(&self, code: &str, area: Option<String>) {
        let mut counts = self.scans.fresh.lock();
        if let Some(fresh) = counts.get_mut(code) {
            fresh.count += 1;
            seen_in(&mut fresh.areas, area);
        } else if counts.len() < CODES_MAX {
            let first_area = area.clone();
            let mut fresh = Fresh { count: 1, first_at: now(), first_area, areas: Vec::new() };
            seen_in(&mut fresh.areas, area);
            counts.insert(code.to_owned(), fresh);
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
        let counts = self.scans.fresh.lock();
        let fresh = counts.get(&code.code);
        // A city that came later does not stand beside the first time.
        let of_record = |first: Time| code.areas.first().filter(|one| one.first_at == first);
        let first_area = match code.first_scan_at {
            Some(first) => of_record(first).map(|one| one.area.clone()),
            None => fresh.and_then(|fresh| fresh.first_area.clone()),
        };
        let is_new = |one: &&AreaScans| !code.areas.iter().any(|known| known.area == one.area);
        let more = fresh.map_or(0, |fresh| fresh.areas.iter().filter(is_new).count());
        ScanNumbers {
            count: code.scans + fresh.map_or(0, |fresh| fresh.count),
            first_at: code.first_scan_at.or(fresh.map(|fresh| fresh.first_at)),
            first_area,
            cities: (code.areas.len() + more).min(AREAS_MAX),
        }
    }

    /// Writes what was counted; what could not be written stays counted for the next time.
    pub async fn flush_scans(&self) {
        let codes: Vec<String> = self.scans.fresh.lock().keys().cloned().collect();
        for chunk in codes.chunks(EVENT_CODES_MAX) {
            let flushed = match self.counted(chunk) {
                Ok(counts) => {
                    let command = Command::CountScans(counts.clone());
                    let answer = self.submit(&Actor::system("scans"), command).await;
                    answer.map(|_| counts)
                }
                Err(e) => Err(e),
            };
            match flushed {
                Ok(counts) => self.scans.forget(&counts),
                Err(e) => {
                    tracing::warn!(error = %e, "scan counts not flushed, kept for the next time");
                    return;
                }
            }
        }
    }

    /// Fresh counts of these codes, each with its place in a pack where it has no record yet.
    fn counted(&self, codes: &[String]) -> Result<Vec<ScanCount>, AppError> {
        let mut counts: Vec<ScanCount> = {
            let fresh = self.scans.fresh.lock();
            codes.iter().filter_map(|code| Some(fresh.get(code)?.count_of(code))).collect()
        };
        let state: &dyn State = &self.store;
        for one in &mut counts {
            if state.get::<Code>(&one.code)?.is_none() {
                one.unit = self.unit_of(&one.code)?;
            }
        }
        Ok(counts)
    }
}

/// Counts a scan with its city, where that is known. Of [`AREAS_MAX`] cities later ones are counted with the last.
pub(super) fn seen_in(areas: &mut Vec<AreaScans>, area: Option<String>) {
    let Some(area) = area else { return };
    let known = areas.iter().position(|one| one.area == area);
    let at_end = (areas.len() >= AREAS_MAX).then_some(AREAS_MAX - 1);
    match known.or(at_end).and_then(|place| areas.get_mut(place)) {
        Some(one) => one.count += 1,
        None => areas.push(AreaScans { area, count: 1 }),
    }
}

impl Fresh {
    fn count_of(&self, code: &str) -> ScanCount {
        let areas = self.areas.clone();
        ScanCount { areas, ..ScanCount::new(code.to_owned(), self.count, self.first_at) }
    }

    /// Takes off what is on record by now; whether nothing is left.
    fn forget(&mut self, written: &ScanCount) -> bool {
        self.count = self.count.saturating_sub(written.count);
        for one in &mut self.areas {
            let known = written.areas.iter().find(|known| known.area == one.area);
            one.count = one.count.saturating_sub(known.map_or(0, |known| known.count));
        }
        self.areas.retain(|one| one.count > 0);
        // What came while it was written came just now.
        self.first_at = now();
        self.count == 0
    }
}

impl Scans {
    /// These are in the records of their codes now.
    fn forget(&self, written: &[ScanCount]) {
        let mut fresh = self.fresh.lock();
        for one in written {
            if fresh.get_mut(&one.code).is_some_and(|counted| counted.forget(one)) {
                fresh.remove(&one.code);
            }
        }
        self.flushed.fetch_add(1, Ordering::Release);
    }
}

/// Flushes once a minute until the application is gone, and takes a new table of addresses.
pub async fn run(app: std::sync::Weak<App>) {
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        let Some(app): Option<Arc<App>> = app.upgrade() else { return };
        app.flush_scans().await;
        // A large table takes a second to read: not on a thread that serves others.
        let renewed = tokio::task::spawn_blocking(move || app.areas.renew()).await;
        if let Err(e) = renewed {
            tracing::warn!(error = %e, "the table of address ranges was not looked at");
        }
    }
}
