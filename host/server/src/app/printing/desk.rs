//! Which printer is served next: one worker at a printer, and one that is away is tried again with growing
//! pauses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Pause before a printer that was not reached is tried again; it doubles.
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Tries in a row, about 25 minutes; then what waits fails.
const TRIES_MAX: u32 = 30;

/// The printers that something may wait for.
#[derive(Default)]
pub(super) struct Desk {
    lanes: Mutex<Lanes>,
    bell: Condvar,
}

#[derive(Default)]
struct Lanes {
    open: bool,
    closed: bool,
    /// As many as there are printers at most.
    by_printer: BTreeMap<String, Lane>,
}

struct Lane {
    /// A worker is at it.
    busy: bool,
    /// Something came in, or changed, that is not looked at yet.
    called: bool,
    /// Tries in a row that did not reach it.
    tries: u32,
    /// When it is due.
    next: Instant,
}

/// A printer in the hands of a worker.
pub(super) struct Taken {
    pub(super) printer: String,
    tries: u32,
    /// Not before its time, because it was called.
    due: bool,
}

/// How it went at a printer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// A job was dealt with; there may be more.
    Next,
    /// Nothing waits.
    Idle,
    /// The printer was not reached, nothing was sent; the error of its jobs if it stays so.
    Away(String),
    /// The appliance itself cannot go on just now.
    Later,
}

impl Taken {
    pub(super) fn is_first_try(&self) -> bool {
        self.tries == 0
    }

    pub(super) fn is_last_try(&self) -> bool {
        self.due && self.tries + 1 >= TRIES_MAX
    }
}

impl Desk {
    /// Lets the workers begin.
    pub(super) fn open(&self, printers: BTreeSet<String>) {
        self.lanes.lock().open = true;
        printers.iter().for_each(|printer| self.call(printer));
        self.bell.notify_all();
    }

    /// Sends the workers home.
    pub(super) fn close(&self) {
        self.lanes.lock().closed = true;
        self.bell.notify_all();
    }

    pub(super) fn call(&self, printer: &str) {
        let mut lanes = self.lanes.lock();
        match lanes.by_printer.get_mut(printer) {
            Some(lane) => lane.called = true,
            None => {
                let lane = Lane { busy: false, called: true, tries: 0, next: Instant::now() };
                lanes.by_printer.insert(printer.to_owned(), lane);
            }
        }
        drop(lanes);
        self.bell.notify_one();
    }

    pub(super) fn away(&self) -> Vec<String> {
        let lanes = self.lanes.lock();
        let away = lanes.by_printer.iter().filter(|(_, lane)| lane.tries > 0);
        away.map(|(printer, _)| printer.clone()).collect()
    }

    /// The printer that has waited longest for a worker; blocks until there is one. `None` at the end.
    pub(super) fn take(&self) -> Option<Taken> {
        let mut lanes = self.lanes.lock();
        loop {
            let Lanes { open, closed, by_printer } = &mut *lanes;
            if *closed {
                return None;
            }
            let idle = by_printer.iter_mut().filter(|(_, lane)| *open && !lane.busy);
            let first = idle.min_by_key(|(_, lane)| (!lane.called, lane.next));
            let now = Instant::now();
            let next = match first {
                Some((printer, lane)) if lane.called || lane.next <= now => {
                    (lane.busy, lane.called) = (true, false);
                    let (tries, due) = (lane.tries, lane.next <= now);
                    // Somebody else waits for the next one's time.
                    self.bell.notify_one();
                    return Some(Taken { printer: printer.clone(), tries, due });
                }
                other => other.map(|(_, lane)| lane.next),
            };
            match next {
                Some(at) => {
                    self.bell.wait_until(&mut lanes, at);
                }
                None => self.bell.wait(&mut lanes),
            }
        }
    }

    pub(super) fn put_back(&self, taken: &Taken, then: &Then) {
        let mut lanes = self.lanes.lock();
        let Some(lane) = lanes.by_printer.get_mut(&taken.printer) else { return };
        lane.busy = false;
        let now = Instant::now();
        match then {
            Then::Idle if !lane.called => {
                lanes.by_printer.remove(&taken.printer);
            }
            Then::Idle | Then::Next => (lane.tries, lane.next) = (0, now),
            Then::Away(_) if taken.due => {
                lane.tries += 1;
                lane.next = now + pause(lane.tries);
            }
            // Called before its time: its next try stays when it was.
            Then::Away(_) => {}
            Then::Later => lane.next = now + PAUSE_MIN,
        }
    }
}

fn pause(tries: u32) -> Duration {
    let doubled = PAUSE_MIN.saturating_mul(1 << tries.saturating_sub(1).min(16));
    doubled.min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn desk(printers: &[&str]) -> Desk {
        let desk = Desk::default();
        desk.open(printers.iter().map(|one| (*one).to_owned()).collect());
        desk
    }

    fn away() -> Then {
        Then::Away("printer_unreachable|x".into())
    }

    #[test]
    fn one_worker_at_a_printer_and_each_in_its_turn() {
        let desk = desk(&["a", "b"]);
        let (first, second) = (desk.take().unwrap(), desk.take().unwrap());
        assert_eq!((first.printer.as_str(), second.printer.as_str()), ("a", "b"));
        // It came while a worker was there: it is not forgotten.
        desk.call("a");
        desk.put_back(&first, &Then::Idle);
        desk.put_back(&second, &Then::Idle);
        assert_eq!(desk.take().unwrap().printer, "a");
        assert_eq!(desk.lanes.lock().by_printer.len(), 1, "nothing is kept of an idle printer");
    }

    #[test]
    fn a_printer_that_is_away_holds_nobody_up() {
        let desk = desk(&["a", "b"]);
        let taken = desk.take().unwrap();
        assert!(taken.is_first_try() && !taken.is_last_try());
        desk.put_back(&taken, &away());
        assert_eq!(desk.away(), ["a"]);
        let other = desk.take().unwrap();
        assert_eq!(other.printer, "b");
        desk.put_back(&other, &Then::Next);
        assert_eq!(desk.take().unwrap().printer, "b");
        // Whoever adds a job has it tried at once; that is no try of those that are counted.
        desk.call("a");
        let called = desk.take().unwrap();
        assert_eq!((called.printer.as_str(), called.due), ("a", false));
        desk.put_back(&called, &away());
        assert_eq!(desk.lanes.lock().by_printer["a"].tries, 1);
        desk.call("a");
        desk.put_back(&desk.take().unwrap(), &Then::Next);
        assert!(desk.away().is_empty());
    }

    #[test]
    fn pauses_grow_and_the_tries_end() {
        let seconds: Vec<u64> = (1..8).map(|tries| pause(tries).as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(u32::MAX), PAUSE_MAX);
        let total: Duration = (1..TRIES_MAX).map(pause).sum();
        assert!(total > Duration::from_secs(20 * 60) && total < Duration::from_secs(30 * 60));
        let last = Taken { printer: "a".into(), tries: TRIES_MAX - 1, due: true };
        assert!(last.is_last_try());
        assert!(!Taken { due: false, ..last }.is_last_try());
    }

    #[test]
    fn nobody_begins_before_it_is_open_and_all_go_home_when_it_closes() {
        let desk = std::sync::Arc::new(Desk::default());
        desk.call("a");
        let worker = {
            let desk = desk.clone();
            std::thread::spawn(move || desk.take().map(|taken| taken.printer))
        };
        desk.open(BTreeSet::new());
        assert_eq!(worker.join().unwrap().as_deref(), Some("a"));
        let idle = {
            let desk = desk.clone();
            std::thread::spawn(move || desk.take().is_none())
        };
        desk.close();
        assert!(idle.join().unwrap());
    }
}
