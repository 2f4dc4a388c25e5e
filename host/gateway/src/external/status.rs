//! What is known about the link to the external broker, for metrics and the health page.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use parking_lot::Mutex;

/// A snapshot; counters since start of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalStatus {
    /// Since when it is connected and subscribed; `None` while it is not.
    pub connected_since: Option<SystemTime>,
    /// Why the last connection ended or could not be made; empty if there was no trouble.
    pub last_error: String,
    /// When that was.
    pub last_error_at: Option<SystemTime>,
    /// Connections that got as far as their subscription.
    pub connections: u64,
    /// Tries that ended, whatever the reason.
    pub failures: u64,
    /// Of these: given up by the watchdog because nothing moved.
    pub stalls: u64,
    /// Connections on which the broker no longer knew a session it should have kept: what devices
    /// had sent meanwhile may be lost at the broker.
    pub sessions_lost: u64,
    /// Messages received from devices.
    pub received: u64,
    /// Of these, acknowledged to the broker.
    pub acknowledged: u64,
    /// Of these, refused: foreign topic, unknown or disabled device, too large.
    pub refused: u64,
    /// Tries to store a message that did not work; its acknowledgement was withheld.
    pub withheld: u64,
    /// Messages received and not acknowledged now.
    pub unacknowledged: usize,
    /// Messages to devices that the broker has taken.
    pub sent: u64,
    /// Messages to devices that the broker refused (its access list).
    pub send_refused: u64,
    /// Messages to devices that wait now.
    pub outbox_messages: usize,
    /// Their payload bytes.
    pub outbox_bytes: usize,
    /// Receipts dropped because the outbox was full.
    pub outbox_dropped: u64,
}

/// What the parts of the link count.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) stalls: AtomicU64,
    pub(crate) sessions_lost: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) withheld: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) send_refused: AtomicU64,
    /// A connection of this process had a session, so the next one should have it too.
    pub(crate) had_session: AtomicBool,
    connected_since: Mutex<Option<SystemTime>>,
    last_error: Mutex<(String, Option<SystemTime>)>,
}

impl Counters {
    pub(crate) fn up(&self) {
        add(&self.connections);
        *self.connected_since.lock() = Some(SystemTime::now());
    }

    pub(crate) fn down(&self, reason: &str) {
        add(&self.failures);
        *self.connected_since.lock() = None;
        *self.last_error.lock() = (reason.chars().take(300).collect(), Some(SystemTime::now()));
    }

    pub(crate) fn snapshot(
        &self,
        outbox: (usize, usize, u64),
        unacknowledged: usize,
    ) -> ExternalStatus {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let (last_error, last_error_at) = self.last_error.lock().clone();
        ExternalStatus {
            connected_since: *self.connected_since.lock(),
            last_error,
            last_error_at,
            connections: get(&self.connections),
            failures: get(&self.failures),
            stalls: get(&self.stalls),
            sessions_lost: get(&self.sessions_lost),
            received: get(&self.received),
            acknowledged: get(&self.acknowledged),
            refused: get(&self.refused),
            withheld: get(&self.withheld),
            unacknowledged,
            sent: get(&self.sent),
            send_refused: get(&self.send_refused),
            outbox_messages: outbox.0,
            outbox_bytes: outbox.1,
            outbox_dropped: outbox.2,
        }
    }
}

pub(crate) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
