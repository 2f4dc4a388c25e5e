//! Devices behind a broker of somebody else (mosquitto, EMQX, …): the appliance is one of its
//! clients, subscribed to what all devices send.
//!
//! What holds:
//! - A message is acknowledged to the broker only after [`Ingest::received`] returned `Ok`; until
//!   then the broker keeps it for us, also while we are away (session without expiry, fixed client
//!   id). What it acknowledged to the *device* is the broker's promise, not ours: a broker without
//!   persistence loses it with its process. A device that wants certainty sends again until it has
//!   a receipt.
//! - Overload and read-only withhold acknowledgements and try again; nothing is dropped. At most
//!   [`ExternalConfig::receive_max`] messages are in memory (MQTT 5 receive maximum), or 16 MiB of
//!   them where a broker gives more after a broken connection.
//! - What can never be taken in (foreign topic, unknown device, too large) is acknowledged, counted
//!   and reported by [`Ingest::refused`] or by the server itself; it must not block the rest.
//! - Messages to devices wait in an outbox outside the MQTT client and leave it when the broker
//!   acknowledges them: at least once while the process lives.
//! - Whatever goes wrong ends the connection, and the next one starts from nothing. A watchdog ends
//!   connections on which an answer is overdue.
//!
//! Identity is the topic: the broker's access list must keep a device to its own.

mod config;
mod lanes;
mod link;
mod outbox;
mod presence;
mod status;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use config::{BrokerUrl, ExternalConfig};
pub use status::ExternalStatus;

use crate::GatewayError;
use crate::ingest::{Ingest, Offline};
use crate::topic::{self, DownKind};
use lanes::Lanes;
use link::Link;
use outbox::Outbox;
use presence::Presence;
use status::{Counters, add};

/// How often silent devices are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(30);
/// A connection that lasted this long counts as good: the next try comes soon.
const GOOD_AFTER: Duration = Duration::from_secs(2);

/// The running link to an external broker. Needs a tokio runtime. Dropping it stops everything.
pub struct External {
    core: Arc<Core>,
    stop: watch::Sender<bool>,
    supervisor: JoinHandle<()>,
    _lanes: JoinSet<()>,
}

/// What the parts share.
pub(crate) struct Core {
    config: ExternalConfig,
    outbox: Outbox,
    counters: Counters,
    presence: Presence,
    lanes: Lanes,
    link: Mutex<Option<Arc<Link>>>,
    /// Taken out by shutdown.
    ingest: RwLock<Option<Arc<dyn Ingest>>>,
}

impl Core {
    fn ingest(&self) -> Option<Arc<dyn Ingest>> {
        self.ingest.read().clone()
    }
}

impl External {
    /// Checks the settings and starts connecting. An error is a wrong setting; a broker that cannot
    /// be reached is none: it is tried again for ever, and [`External::status`] says so.
    pub fn start(config: ExternalConfig, ingest: Arc<dyn Ingest>) -> Result<Self, GatewayError> {
        config.check()?;
        let (lanes, work) = Lanes::new();
        let core = Arc::new(Core {
            outbox: Outbox::new(config.outbox_messages_max, config.outbox_bytes_max),
            config,
            counters: Counters::default(),
            presence: Presence::default(),
            lanes,
            link: Mutex::default(),
            ingest: RwLock::new(Some(ingest)),
        });
        let (stop, stopped) = watch::channel(false);
        let lanes = lanes::start(&core, work);
        let supervisor = tokio::spawn(supervise(core.clone(), stopped));
        Ok(Self { core, stop, supervisor, _lanes: lanes })
    }

    /// The broker's address.
    #[must_use]
    pub fn url(&self) -> &BrokerUrl {
        &self.core.config.url
    }

    /// How the link is doing.
    #[must_use]
    pub fn status(&self) -> ExternalStatus {
        let link = self.core.link.lock().clone();
        let unacknowledged = link.map_or(0, |link| link.unacknowledged());
        self.core.counters.snapshot(self.core.outbox.levels(), unacknowledged)
    }

    /// Puts a message for `tianyin/v1/{device}/down/{kind}` into the outbox. Not a promise of
    /// delivery: the broker gives it to the device if that is subscribed. It may arrive twice.
    pub fn send(
        &self,
        device: &str,
        kind: DownKind,
        payload: impl Into<Bytes>,
    ) -> Result<(), GatewayError> {
        if !topic::is_device_id(device) {
            return Err(GatewayError::DeviceId { device: device.to_owned() });
        }
        if *self.stop.borrow() {
            return Err(GatewayError::Closed);
        }
        let (payload, max) = (payload.into(), self.core.config.payload_bytes_max);
        if payload.len() > max {
            return Err(GatewayError::TooLarge { bytes: payload.len(), max });
        }
        self.core.outbox.push(kind, topic::down(device, kind), payload)
    }

    /// Number of devices that are online, as far as the broker lets it be known.
    #[must_use]
    pub fn devices_online(&self) -> usize {
        self.core.presence.devices()
    }

    /// True if the device is online, as far as the broker lets it be known.
    #[must_use]
    pub fn is_online(&self, device: &str) -> bool {
        self.core.presence.is_online(device)
    }

    /// The device does not count as online until it is heard again. Its connection is the broker's;
    /// what it still sends is for [`Ingest::received`] to refuse. Returns 1 if it was online.
    pub async fn kick(&self, device: &str) -> usize {
        let Some(ingest) = self.core.ingest() else { return 0 };
        usize::from(self.core.presence.leave(device, Offline::Kicked, ingest.as_ref()).await)
    }

    /// Ends the connection without acknowledging what is not stored yet, and lets go of the
    /// [`Ingest`]. The broker keeps the session.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let _ = (&mut self.supervisor).await;
        self.core.ingest.write().take();
        tracing::info!(broker = %self.core.config.url, "external broker: disconnected");
    }
}

impl Drop for External {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

/// Connects again and again.
async fn supervise(core: Arc<Core>, mut stopped: watch::Receiver<bool>) {
    let mut pause = core.config.reconnect_pause;
    loop {
        let reason = connect_once(&core, &mut stopped).await;
        let lasted = core.link.lock().take().and_then(|link| link.up_for());
        if *stopped.borrow() {
            return;
        }
        let reason = reason.unwrap_or_default();
        core.counters.down(&reason);
        if let Some(ingest) = core.ingest() {
            core.presence.lost(&reason, ingest.as_ref()).await;
        }
        if lasted.is_some_and(|time| time > GOOD_AFTER) {
            pause = core.config.reconnect_pause;
        }
        let wait = spread(pause);
        tracing::warn!(broker = %core.config.url, %reason, again_in_ms = wait.as_millis(), "no connection to the external broker");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop_wanted(&mut stopped) => return,
        }
        pause = (pause * 2).min(core.config.reconnect_pause_max);
    }
}

/// One connection; says why it ended, `None` at shutdown.
async fn connect_once(core: &Arc<Core>, stopped: &mut watch::Receiver<bool>) -> Option<String> {
    // Files are read for every connection: a changed password needs no restart.
    let options = match core.config.options() {
        Ok(options) => options,
        Err(error) => return Some(error.to_string()),
    };
    let (link, events) = Link::new(options, core);
    let link = Arc::new(link);
    *core.link.lock() = Some(link.clone());
    // A task of its own that nothing waits inside of: rumqttc must not be stopped half-way through
    // a write and then go on.
    let mut running = JoinSet::new();
    let (runner, runner_core) = (link.clone(), core.clone());
    running.spawn(async move { link::run(events, &runner, &runner_core).await });
    let reason = watch_over(core, &link, &mut running, stopped).await;
    link.end();
    running.shutdown().await;
    reason
}

async fn watch_over(
    core: &Core,
    link: &Link,
    running: &mut JoinSet<String>,
    stopped: &mut watch::Receiver<bool>,
) -> Option<String> {
    let patience = core.config.connect_timeout.min(core.config.ack_timeout);
    let mut tick = tokio::time::interval((patience / 8).max(Duration::from_millis(10)));
    let mut expired_at = Instant::now();
    loop {
        tokio::select! {
            ended = running.join_next() => {
                let why = ended.map(|why| why.unwrap_or_else(|error| error.to_string()));
                return Some(why.unwrap_or_default());
            }
            () = stop_wanted(stopped) => return None,
            () = link.moved.notified() => {}
            () = core.outbox.added.notified() => {}
            _ = tick.tick() => {
                if let Some(reason) = link.stalled(core) {
                    add(&core.counters.stalls);
                    return Some(reason);
                }
                if link.up_for().is_some() && expired_at.elapsed() > EXPIRE_EVERY {
                    expired_at = Instant::now();
                    if let Some(ingest) = core.ingest() {
                        core.presence.expire(ingest.as_ref()).await;
                    }
                }
            }
        }
        if let Err(reason) = link.pump(core) {
            return Some(reason);
        }
    }
}

/// Also true when nobody is left who could want anything.
async fn stop_wanted(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Half to all of the pause, so that many appliances do not come back in the same moment. The
/// standard library's hash keys are random; a random number generator is not needed for this.
fn spread(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    pause / 2 + pause.mul_f64(random as f64 / 2000.0)
}
