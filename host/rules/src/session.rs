//! What one evaluation carries: the findings so far, the tables, and the clock that stops it.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rhai::Dynamic;
use tianyin_domain::Finding;

use crate::tables::Tables;

/// Handed to the host functions as the engine's tag of one call.
#[derive(Clone)]
pub struct Session {
    /// Tables to look up.
    pub tables: Arc<Tables>,
    findings: Arc<Mutex<Vec<Finding>>>,
}

impl Session {
    pub fn new(tables: Arc<Tables>) -> Self {
        Self { tables, findings: Arc::default() }
    }

    /// Adds a finding; false when there are too many.
    pub fn add(&self, finding: Finding, most: usize) -> bool {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        if findings.len() >= most {
            return false;
        }
        findings.push(finding);
        true
    }

    /// Takes the findings out.
    pub fn take(&self) -> Vec<Finding> {
        std::mem::take(&mut *self.findings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

// The engine is shared by all threads and its progress callback knows nothing but a count, so
// deadline and count of the evaluation running on this thread live here.
thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Reading the clock at every operation would cost more than the operation.
const CLOCK_EVERY: u64 = 128;

/// Starts counting on this thread; dropping it stops.
pub struct Clock {
    started: Instant,
}

impl Clock {
    pub fn start(wall: Duration) -> Self {
        let started = Instant::now();
        DEADLINE.set(Some(started + wall));
        OPERATIONS.set(0);
        Self { started }
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        OPERATIONS.get()
    }

    /// Microseconds since the start.
    pub fn micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        DEADLINE.set(None);
    }
}

/// The engine's progress callback: a value stops the script.
pub fn on_progress(operations: u64) -> Option<Dynamic> {
    OPERATIONS.set(operations);
    if !operations.is_multiple_of(CLOCK_EVERY) {
        return None;
    }
    let deadline = DEADLINE.get()?;
    (Instant::now() > deadline).then(|| "wall time".into())
}
