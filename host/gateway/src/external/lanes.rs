//! Messages from the external broker on their way to the server. One device has one lane, so its
//! messages stay in order; lanes work at the same time, so that a group commit carries many.

use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Publish;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::Core;
use super::link::Link;
use super::status::add;
use crate::ingest::{NotStored, Qos, Refusal, RefusalKind, UpMessage};
use crate::topic::{self, UpKind};

const LANES: usize = 256;
/// Bytes that may wait in all lanes. The receive maximum keeps a broker that honours it far below;
/// mosquitto gives everything again that broken connections left, and only what was read can be
/// acknowledged quickly: rumqttc writes one acknowledgement for ten messages it could read.
const WAITING_BYTES_MAX: usize = 16 << 20;
/// What a message takes besides its payload, roughly.
const MESSAGE_BYTES: usize = 512;
/// The pause between tries grows up to this multiple.
const PAUSE_FACTOR_MAX: u32 = 16;

/// A message, and where its acknowledgement goes.
pub(crate) struct Job {
    link: Arc<Link>,
    ticket: u64,
    message: UpMessage,
    _room: Option<OwnedSemaphorePermit>,
}

/// The ways in.
pub(crate) struct Lanes {
    ways_in: Vec<mpsc::UnboundedSender<Job>>,
    /// Bytes that may still wait.
    room: Arc<Semaphore>,
}

impl Lanes {
    pub(crate) fn new() -> (Self, Vec<mpsc::UnboundedReceiver<Job>>) {
        let (ways_in, work) = (0..LANES).map(|_| mpsc::unbounded_channel()).unzip();
        (Self { ways_in, room: Arc::new(Semaphore::new(WAITING_BYTES_MAX)) }, work)
    }

    fn of(&self, device: &str) -> &mpsc::UnboundedSender<Job> {
        let hash = device.bytes().fold(0usize, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
        &self.ways_in[hash % self.ways_in.len()]
    }

    async fn room_for(&self, message: &UpMessage) -> Option<OwnedSemaphorePermit> {
        let bytes = (message.payload.len() + MESSAGE_BYTES).min(WAITING_BYTES_MAX);
        // Never closed, and 16 MiB fit.
        self.room.clone().acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX)).await.ok()
    }
}

/// Starts the lanes. They outlive connections: what is being stored when a connection ends is
/// stored to its end.
pub(crate) fn start(core: &Arc<Core>, work: Vec<mpsc::UnboundedReceiver<Job>>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for mut jobs in work {
        let core: Weak<Core> = Arc::downgrade(core);
        tasks.spawn(async move {
            while let Some(job) = jobs.recv().await {
                let Some(core) = core.upgrade() else { return };
                core.work(job).await;
            }
        });
    }
    tasks
}

impl Core {
    /// Takes a message from the connection. Waits only when too much waits already.
    pub(crate) async fn take(&self, link: &Arc<Link>, publish: Publish) {
        add(&self.counters.received);
        let ticket = link.receive(&publish);
        match self.read(&publish) {
            Ok(Some(message)) => {
                let _room = self.lanes.room_for(&message).await;
                let lane = self.lanes.of(&message.device);
                // Fails only when the lanes were stopped: nothing is acknowledged then.
                let _ = lane.send(Job { link: link.clone(), ticket, message, _room });
            }
            Ok(None) => link.settle(ticket),
            Err((device, why)) => {
                add(&self.counters.refused);
                let kind = RefusalKind::Publish;
                if let Some(ingest) = self.ingest() {
                    ingest.refused(Refusal { device, remote: None, kind, detail: why }).await;
                }
                link.settle(ticket);
            }
        }
    }

    /// The message, nothing if it is of no use, or the device and why it is refused.
    fn read(&self, publish: &Publish) -> Result<Option<UpMessage>, (String, String)> {
        let name = String::from_utf8_lossy(&publish.topic);
        let Some((device, kind)) = topic::parse_any_up(&name) else {
            return Err((String::new(), name.chars().take(200).collect()));
        };
        let (bytes, max) = (publish.payload.len(), self.config.payload_bytes_max);
        if bytes > max {
            let why = format!("payload of {bytes} bytes, at most {max} are allowed");
            return Err((device.to_owned(), why));
        }
        // What the broker had kept, given again at every subscription: only a status is meant so.
        if publish.retain && kind != UpKind::Status {
            return Ok(None);
        }
        Ok(Some(UpMessage {
            device: device.to_owned(),
            client_id: String::new(),
            remote: None,
            kind,
            payload: publish.payload.clone(),
            qos: match publish.qos {
                QoS::AtMostOnce => Qos::AtMostOnce,
                QoS::AtLeastOnce => Qos::AtLeastOnce,
                QoS::ExactlyOnce => Qos::ExactlyOnce,
            },
            retain: publish.retain,
            dup: publish.dup,
            last_will: false,
        }))
    }

    async fn work(&self, job: Job) {
        let Job { link, ticket, message, _room } = job;
        let Some(ingest) = self.ingest() else { return };
        let (device, payload) = (message.device.clone(), message.payload.clone());
        let (kind, qos) = (message.kind, message.qos);
        let mut pause = self.config.retry_pause;
        // On a connection that ended the broker gives the message again; it is not ours any more.
        while !link.has_ended() {
            match ingest.received(message.clone()).await {
                Ok(()) => {
                    match kind {
                        UpKind::Status => {
                            self.presence.status(&device, &payload, ingest.as_ref()).await;
                        }
                        _ => self.presence.heard(&device, ingest.as_ref()).await,
                    }
                    return link.settle(ticket);
                }
                Err(NotStored::Refused) => {
                    add(&self.counters.refused);
                    return link.settle(ticket);
                }
                Err(why) => {
                    add(&self.counters.withheld);
                    // The server said why, once.
                    tracing::debug!(device = %device, %kind, %why, "acknowledgement withheld");
                    if qos == Qos::AtMostOnce {
                        return link.settle(ticket);
                    }
                    tokio::time::sleep(pause).await;
                    pause = next_pause(pause, self.config.retry_pause);
                }
            }
        }
    }
}

fn next_pause(pause: Duration, first: Duration) -> Duration {
    (pause * 2).min(first * PAUSE_FACTOR_MAX)
}
