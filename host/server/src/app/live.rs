//! Live pages: one tailer feeds a bounded ring; a reader that fell behind is told to reload.

use std::sync::atomic::{AtomicU64, Ordering};

use tianyin_domain::Scope;
use tokio::sync::broadcast;

/// Notices kept for slow readers.
const RING_NOTICES: usize = 256;

/// Something a page may want to show at once. It carries no data: the page fetches what its user
/// may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Which list changed: `test`, `message`, `certificate`, `device`, `print_job`, `lot`.
    pub topic: &'static str,
    /// Id of the record.
    pub id: String,
    /// Region code of the row.
    pub area: String,
    /// Owning operator of the row.
    pub owner: String,
}

impl Notice {
    /// Whether an actor with this sight may know of it.
    pub fn visible_to(&self, scope: &Scope) -> bool {
        scope.covers(&self.area, &self.owner)
    }
}

/// The ring.
pub struct Live {
    ring: broadcast::Sender<Notice>,
    tail_seq: AtomicU64,
}

impl Default for Live {
    fn default() -> Self {
        Self { ring: broadcast::channel(RING_NOTICES).0, tail_seq: AtomicU64::new(0) }
    }
}

impl Live {
    /// Tells everybody who listens.
    pub fn publish(&self, notice: Notice) {
        // Nobody listening is no error.
        let _ = self.ring.send(notice);
    }

    /// Everything up to this line was handed on.
    pub(super) fn tailed(&self, seq: u64) {
        self.tail_seq.store(seq, Ordering::Relaxed);
    }

    /// The last line that was handed on; at start, the last one there was.
    pub fn tail_seq(&self) -> u64 {
        self.tail_seq.load(Ordering::Relaxed)
    }

    /// Pages that listen.
    pub fn listeners(&self) -> usize {
        self.ring.receiver_count()
    }

    /// Listens from now on. A lagged reader gets `RecvError::Lagged`: reload the page.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.ring.subscribe()
    }
}
