//! Messages from the external broker on their way to the server. One device has one lane, so its
//! messages stay in order; lanes work at the same time, so that a group commit carries many.

use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Publish;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Core;
use super::link::Link;
use super::status::add;
use crate::ingest::{NotStored, Qos, Refusal, RefusalKind, UpMessage};
use crate::topic::{self, UpKind};

const LANES: usize = 256;
/// The pause between tries grows up to this multiple.
const PAUSE_FACTOR_MAX: u32 = 16;

/// A message, and where its acknowledgement goes.
pub(crate) struct Job {
    link: Arc<Link>,
    ticket: u64,
    message: UpMessage,
}

/// The ways in.
pub(crate) struct Lanes(Vec<mpsc::Sender<Job>>);

impl Lanes {
    /// Messages that wait are bounded by the receive maximum; one lane may hold them all.
    pub(crate) fn new(receive_max: u16) -> (Self, Vec<mpsc::Receiver<Job>>) {
        let channels = (0..LANES).map(|_| mpsc::channel(usize::from(receive_max)));
        let (ways_in, work) = channels.unzip();
        (Self(ways_in), work)
    }

    fn of(&self, device: &str) -> &mpsc::Sender<Job> {
        let hash = device.bytes().fold(0usize, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
        &self.0[hash % self.0.len()]
    }
}

/// Starts the lanes. They outlive connections: what is being stored when a connection ends is
/// stored to its end.
pub(crate) fn start(core: &Arc<Core>, work: Vec<mpsc::Receiver<Job>>) -> JoinSet<()> {
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
    /// Takes a message from the connection. Waits only when a lane is full.
    pub(crate) async fn take(&self, link: &Arc<Link>, publish: Publish) {
        add(&self.counters.received);
        let ticket = link.receive(&publish);
        match self.read(&publish) {
            Ok(Some(message)) => {
                let lane = self.lanes.of(&message.device);
                let job = Job { link: link.clone(), ticket, message };
                // Fails only when the lanes were stopped: nothing is acknowledged then.
                let _ = lane.send(job).await;
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
        let Job { link, ticket, message } = job;
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
