//! Who is there, as far as an external broker lets it be known: by `up/status` and last will, else
//! by what is heard.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::ingest::{Ingest, Offline};

/// Devices followed at once; further ones are not shown as online.
const DEVICES_MAX: usize = 4096;
/// A device that tells no status counts as gone after this silence.
const SILENCE: Duration = Duration::from_secs(15 * 60);

struct Heard {
    /// It says itself when it comes and goes.
    tells: bool,
    at: Instant,
}

/// Devices that are online now.
#[derive(Default)]
pub(crate) struct Presence {
    online: Mutex<HashMap<String, Heard>>,
    /// Held while the server is told: it hears of changes one after the other.
    telling: tokio::sync::Mutex<()>,
}

impl Presence {
    /// A message of the device was taken in.
    pub(crate) async fn heard(&self, device: &str, ingest: &dyn Ingest) {
        self.arrive(device, false, ingest).await;
    }

    /// The device, or the broker in its name, published its status.
    pub(crate) async fn status(&self, device: &str, payload: &[u8], ingest: &dyn Ingest) {
        let status: Option<serde_json::Value> = serde_json::from_slice(payload).ok();
        match status.as_ref().and_then(|status| status["online"].as_bool()) {
            Some(false) => {
                self.leave(device, Offline::Closed, ingest).await;
            }
            Some(true) => self.arrive(device, true, ingest).await,
            // Some other word about itself: it is there.
            None => self.arrive(device, false, ingest).await,
        }
    }

    async fn arrive(&self, device: &str, tells: bool, ingest: &dyn Ingest) {
        if self.update(device, tells) {
            return;
        }
        let _telling = self.telling.lock().await;
        if self.insert(device, tells) {
            ingest.connected(device, None).await;
        }
    }

    fn update(&self, device: &str, tells: bool) -> bool {
        let mut online = self.online.lock();
        let Some(heard) = online.get_mut(device) else { return false };
        (heard.at, heard.tells) = (Instant::now(), heard.tells || tells);
        true
    }

    fn insert(&self, device: &str, tells: bool) -> bool {
        let mut online = self.online.lock();
        let heard = Heard { tells, at: Instant::now() };
        online.len() < DEVICES_MAX && online.insert(device.to_owned(), heard).is_none()
    }

    /// The device is gone; false if it was not there.
    pub(crate) async fn leave(&self, device: &str, why: Offline, ingest: &dyn Ingest) -> bool {
        let _telling = self.telling.lock().await;
        let was_there = self.online.lock().remove(device).is_some();
        if was_there {
            ingest.disconnected(device, why).await;
        }
        was_there
    }

    /// Devices that were silent for too long are gone.
    pub(crate) async fn expire(&self, ingest: &dyn Ingest) {
        let silent = |heard: &Heard| !heard.tells && heard.at.elapsed() > SILENCE;
        self.leave_where(&Offline::KeepAlive, ingest, silent).await;
    }

    /// Without the broker nothing is known about anybody.
    pub(crate) async fn lost(&self, reason: &str, ingest: &dyn Ingest) {
        self.leave_where(&Offline::Failed(reason.to_owned()), ingest, |_| true).await;
    }

    async fn leave_where(&self, why: &Offline, ingest: &dyn Ingest, gone: impl Fn(&Heard) -> bool) {
        let _telling = self.telling.lock().await;
        let names: Vec<String> = {
            let online = self.online.lock();
            online.iter().filter(|(_, heard)| gone(heard)).map(|(name, _)| name.clone()).collect()
        };
        for device in names {
            self.online.lock().remove(&device);
            ingest.disconnected(&device, why.clone()).await;
        }
    }

    pub(crate) fn is_online(&self, device: &str) -> bool {
        self.online.lock().contains_key(device)
    }

    pub(crate) fn devices(&self) -> usize {
        self.online.lock().len()
    }
}
