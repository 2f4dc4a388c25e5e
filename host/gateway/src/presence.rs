//! Which connections each device has now, and the order in which the server hears about it.
//!
//! A device that reconnects quickly has, for a moment, two connections, and the broker may report
//! the new one before the end of the old one. So the server is told "disconnected" only when the
//! last is gone, and while it is being told about one device, the next change of that device waits.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use rmqtt::types::Id;

use crate::ingest::{Ingest, Offline};

type Slot = Arc<tokio::sync::Mutex<HashSet<Id>>>;

/// Devices with at least one connection. Bounded by the broker's session limit.
#[derive(Default)]
pub(crate) struct Presence {
    devices: Mutex<HashMap<String, Slot>>,
}

impl Presence {
    pub(crate) async fn add(&self, id: &Id, remote: Option<SocketAddr>, ingest: &dyn Ingest) {
        let device = id.username_ref();
        let slot = self.devices.lock().entry(device.to_owned()).or_default().clone();
        let mut connections = slot.lock().await;
        connections.insert(id.clone());
        ingest.connected(device, remote).await;
    }

    pub(crate) async fn remove(&self, id: &Id, why: Offline, ingest: &dyn Ingest) {
        let device = id.username_ref();
        let Some(slot) = self.devices.lock().get(device).cloned() else { return };
        let mut connections = slot.lock().await;
        if connections.remove(id) && connections.is_empty() {
            ingest.disconnected(device, why).await;
        }
        let empty = connections.is_empty();
        drop(connections);
        let mut devices = self.devices.lock();
        // Two holders (the map and this call): nobody else can be about to add a connection to the
        // slot.
        if empty && Arc::strong_count(&slot) == 2 {
            devices.remove(device);
        }
    }

    pub(crate) fn is_online(&self, device: &str) -> bool {
        self.devices.lock().contains_key(device)
    }

    pub(crate) fn devices(&self) -> usize {
        self.devices.lock().len()
    }
}
