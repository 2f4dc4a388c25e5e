//! Plain publishes of a device are stored without a detour through the broker.
//!
//! A session of rmqtt takes the next packet only when the last publish is stored, so a device with
//! many results would wait for the disk with each of them. Here some are stored at a time, begun and
//! acknowledged in the order they came. Everything else, and whatever could not be stored, goes to
//! the broker, which knows how to refuse; from then on all publishes of the connection do, so that
//! none overtakes another.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::hooks::{self, Core};
use crate::ingest::{Qos, UpMessage};
use crate::packet::{self, PlainPublish};
use crate::peers::Peer;
use crate::topic;

/// Publishes of one connection that are being stored at a time; as many as rmqtt grants a device.
pub(crate) const LANE_PUBLISHES_MAX: usize = 16;

/// The lane of one connection.
pub(crate) struct Lane {
    core: Arc<Core>,
    peer: Arc<Peer>,
    /// Of all connections.
    places: Arc<Semaphore>,
    storing: FuturesOrdered<BoxFuture<'static, Stored>>,
    open: bool,
}

/// What became of a publish.
pub(crate) struct Stored {
    /// The whole packet.
    pub(crate) packet: Bytes,
    /// What is to be acknowledged, if it is.
    pub(crate) packet_id: Option<u16>,
    /// It is durable.
    pub(crate) durable: bool,
}

impl Lane {
    pub(crate) fn new(core: Arc<Core>, peer: Arc<Peer>, places: Arc<Semaphore>) -> Self {
        Self { core, peer, places, storing: FuturesOrdered::new(), open: true }
    }

    /// Largest packet without its fixed header, in bytes.
    pub(crate) fn packet_bytes_max(&self) -> usize {
        self.core.config.packet_bytes_max as usize
    }

    /// Nothing is being stored.
    pub(crate) fn is_empty(&self) -> bool {
        self.storing.is_empty()
    }

    /// The publish in the packet, if it can be stored here.
    pub(crate) fn takes(&mut self, packet: &Bytes) -> Option<(UpMessage, Option<u16>)> {
        if !packet::is_publish(packet) {
            return None;
        }
        let taken = if self.open { self.read(packet) } else { None };
        self.open = taken.is_some();
        taken
    }

    fn read(&self, packet: &Bytes) -> Option<(UpMessage, Option<u16>)> {
        let (id, mqtt5) = self.peer.signed_in.get()?;
        if self.core.is_void(id) {
            return None;
        }
        let PlainPublish { topic, packet_id, payload, retain, dup } =
            packet::plain_publish(packet, *mqtt5)?;
        let kind = topic::parse_up(id.username_ref(), std::str::from_utf8(&topic).ok()?)?;
        let qos = if packet_id.is_some() { Qos::AtLeastOnce } else { Qos::AtMostOnce };
        let message = hooks::message(id, Some(self.peer.address), kind, payload, qos);
        Some((UpMessage { retain, dup, ..message }, packet_id))
    }

    /// A place for one more, if there is one now.
    pub(crate) fn try_place(&self) -> Option<OwnedSemaphorePermit> {
        let room = self.storing.len() < LANE_PUBLISHES_MAX;
        room.then(|| self.places.clone().try_acquire_owned().ok()).flatten()
    }

    /// The places of all connections.
    pub(crate) fn places(&self) -> Arc<Semaphore> {
        self.places.clone()
    }

    /// Begins to store.
    pub(crate) fn begin(
        &mut self,
        place: OwnedSemaphorePermit,
        packet: Bytes,
        (message, packet_id): (UpMessage, Option<u16>),
    ) {
        let core = self.core.clone();
        self.storing.push_back(Box::pin(async move {
            let _place = place;
            let durable = match core.ingest() {
                Some(ingest) => ingest.received(message).await.is_ok(),
                None => false,
            };
            Stored { packet, packet_id, durable }
        }));
    }

    /// The oldest that was begun, once it is done; `None` if there is none. May be dropped and asked
    /// again.
    pub(crate) async fn next(&mut self) -> Option<Stored> {
        self.storing.next().await
    }

    /// The broker has one of the publishes: it gets all that follow.
    pub(crate) fn close(&mut self) {
        self.open = false;
    }
}
