//! Live pages: one tailer feeds a bounded ring; a reader that fell behind is told to reload.

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
}

impl Default for Live {
    fn default() -> Self {
        Self { ring: broadcast::channel(RING_NOTICES).0 }
    }
}

impl Live {
    /// Tells everybody who listens.
    pub fn publish(&self, notice: Notice) {
        // Nobody listening is no error.
        let _ = self.ring.send(notice);
    }

    /// Listens from now on. A lagged reader gets `RecvError::Lagged`: reload the page.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.ring.subscribe()
    }
}
