//! Starting, using and stopping the embedded broker.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rmqtt::codec::types::{Publish as Packet, QoS};
use rmqtt::context::ServerContext;
use rmqtt::hook::Type;
use rmqtt::net::{Builder, Listener};
use rmqtt::server::MqttServer;
use rmqtt::shared::Entry;
use rmqtt::types::{From as Sender, Id, Publish};
use rmqtt::utils::timestamp_millis;
use tokio::task::{JoinHandle, JoinSet};

use crate::config::GatewayConfig;
use crate::front::{Doors, Front, FrontStats};
use crate::hooks::{Core, Hooks};
use crate::ingest::{Ingest, Offline};
use crate::retain::NoRetain;
use crate::topic::{self, DownKind};

const SUBSCRIPTIONS_PER_SESSION_MAX: usize = 8;
const TOPIC_LEVELS_MAX: usize = 8;
/// Longer than the broker's own waits at the end of a connection (5 s for a kick, 0.5 s before an
/// MQTT 5 close).
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(8);

/// Why the gateway could not start or a message could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A limit is zero or too small to work.
    #[error("MQTT setting {key} is too small")]
    Config {
        /// Field of [`GatewayConfig`].
        key: &'static str,
    },
    /// The address cannot be listened on: in use, not ours, or not permitted.
    #[error("cannot listen for MQTT on {listen}: {source}")]
    Bind {
        /// The configured address.
        listen: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Not 1 to 64 characters of `A-Z a-z 0-9 _ -`.
    #[error("{device:?} is not a device id")]
    DeviceId {
        /// As given.
        device: String,
    },
    /// The payload would not fit into a packet.
    #[error("payload of {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// Size given.
        bytes: usize,
        /// [`GatewayConfig::payload_bytes_max`].
        max: usize,
    },
    /// The gateway was shut down.
    #[error("the MQTT gateway is shut down")]
    Closed,
    /// Too much waits for an external broker already.
    #[error("{waiting} messages wait for the external broker, no more are taken")]
    OutboxFull {
        /// Messages waiting.
        waiting: usize,
    },
    /// The address of an external broker.
    #[error("{url:?} is no MQTT broker, expected {expected}")]
    Url {
        /// As given.
        url: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A file with a password or certificates.
    #[error("{}: {source}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error("TLS to the external broker: {0}")]
    Tls(String),
}

/// The running embedded broker. Several may run in one process, on different ports. Needs a tokio
/// runtime.
///
/// Dropping it without [`Embedded::shutdown`] stops the listener only; connections live on until
/// they end.
pub struct Embedded {
    core: Arc<Core>,
    front: Front,
    accepting: JoinHandle<()>,
    sweeping: JoinHandle<()>,
}

impl Embedded {
    /// Binds the address (so an address in use is an error here, not a log line later) and starts
    /// serving.
    pub async fn start(
        config: GatewayConfig,
        ingest: Arc<dyn Ingest>,
    ) -> Result<Self, GatewayError> {
        config.check()?;
        let doors = Doors::bind(&config)?;
        let (listener, broker) = bind(&config)?;
        let scx = ServerContext::new()
            // By default the broker turns devices away when the machine is busy with anything at
            // all.
            .busy_check_enable(false)
            .mqtt_max_sessions(isize::try_from(config.connections_max).unwrap_or(isize::MAX))
            .build()
            .await;
        *scx.extends.retain_mut().await = Box::new(NoRetain);
        let core = Arc::new(Core::new(config.clone(), scx.clone(), ingest));
        register(&core).await;

        let server = MqttServer::new(scx).listener_by_id(listener, 1).build();
        let accepting = tokio::spawn(async move {
            if let Err(error) = server.run().await {
                tracing::error!(%error, "the MQTT listener ended");
            }
        });
        let sweeping = tokio::spawn(sweep_forever(core.clone()));
        let listen = config.listen;
        let front = Front::start(doors, core.clone(), broker)
            .map_err(|source| GatewayError::Bind { listen, source })?;
        tracing::info!(plain = %front.plain_addr, tls = ?front.tls_addr, "MQTT gateway listens");
        Ok(Self { core, front, accepting, sweeping })
    }

    /// The address it really listens on (the port, if 0 was configured).
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.front.plain_addr
    }

    /// The address it really listens on with TLS, if it does.
    #[must_use]
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.front.tls_addr
    }

    /// Counts of what happened at the door since start.
    #[must_use]
    pub fn front_stats(&self) -> Arc<FrontStats> {
        self.front.stats()
    }

    /// Number of devices with at least one connection.
    #[must_use]
    pub fn devices_online(&self) -> usize {
        self.core.presence.devices()
    }

    /// True if the device has a connection now.
    #[must_use]
    pub fn is_online(&self, device: &str) -> bool {
        self.core.presence.is_online(device)
    }

    /// Publishes to `tianyin/v1/{device}/down/{kind}` with QoS 1 and returns the number of sessions
    /// that take it.
    ///
    /// Not a promise of delivery. 0: the device is away and has no persistent session, or did not
    /// subscribe; the message is gone. 1 or more: it is in a session's queue in memory. A connected
    /// device gets it, and again until it acknowledges. A persistent session (clean session = 0)
    /// keeps it while the device is away, within [`GatewayConfig::queue_messages_max`] and
    /// [`GatewayConfig::session_expiry`]; a clean session that is just ending takes it along, and a
    /// restart of the appliance forgets it. What must arrive has to be repeated by the sender or
    /// asked for by the device: a device without a receipt publishes its result again and gets the
    /// receipt `duplicate`.
    pub async fn send(
        &self,
        device: &str,
        kind: DownKind,
        payload: impl Into<Bytes>,
    ) -> Result<usize, GatewayError> {
        if !topic::is_device_id(device) {
            return Err(GatewayError::DeviceId { device: device.to_owned() });
        }
        if self.core.is_closing() {
            return Err(GatewayError::Closed);
        }
        let (payload, max) = (payload.into(), self.core.config.payload_bytes_max());
        if payload.len() > max {
            return Err(GatewayError::TooLarge { bytes: payload.len(), max });
        }
        let packet = Packet {
            dup: false,
            retain: false,
            qos: QoS::AtLeastOnce,
            topic: topic::down(device, kind).into(),
            packet_id: None,
            payload,
            properties: None,
        };
        let publish = Publish::from(packet).create_time(timestamp_millis());
        let sender = Sender::from_system(Id::from(self.core.scx.node.id(), "tianyin".into()));
        let sent = self.core.scx.extends.shared().await.forwards(None, sender, publish).await;
        Ok(match sent {
            Ok(sessions) | Err((sessions, _)) => sessions,
        })
    }

    /// Ends every session of the device, persistent ones included, and returns their number.
    /// Nothing its present connections still send is stored or acknowledged (its token was
    /// revoked); it may connect again at once, and [`Ingest::authenticate`] decides.
    pub async fn kick(&self, device: &str) -> usize {
        let void_ms = self.core.void_connections(device);
        let sessions = kick(&self.core, |id| id.username_ref() == device).await;
        // Connections have a time in whole milliseconds; one made after this call returns must be a
        // later one.
        while timestamp_millis() == void_ms {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        sessions
    }

    /// Stops listening, lets messages that are being stored finish and be acknowledged, closes
    /// every connection and lets go of the [`Ingest`]. Takes at most 16 s, and that only if storing
    /// hangs. Last wills are not published.
    pub async fn shutdown(mut self) {
        self.core.close();
        self.front.close().await;
        self.sweeping.abort();
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
        let goodbye = async {
            kick(&self.core, |_| true).await;
            while self.core.presence.devices() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(GOODBYE_TIMEOUT, goodbye).await.is_err() {
            tracing::warn!(
                devices = self.core.presence.devices(),
                "shut down with connections still open"
            );
        }
        self.front.cut().await;
        self.core.forget_ingest();
        tracing::info!(local_addr = %self.front.plain_addr, "MQTT gateway stopped");
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.accepting.abort();
        self.sweeping.abort();
    }
}

/// The broker itself, on loopback and a free port: only the front may come in.
fn bind(config: &GatewayConfig) -> Result<(Listener, SocketAddr), GatewayError> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let failed = |error: rmqtt::Error| {
        let source = error.downcast::<io::Error>().unwrap_or_else(io::Error::other);
        GatewayError::Bind { listen: loopback, source }
    };
    let listener = Builder::new()
        .name("tianyin")
        .laddr(loopback)
        // Without it an acknowledgement may wait 40 ms for the next one.
        .nodelay(true)
        .allow_anonymous(false)
        .max_connections(config.connections_max)
        .max_handshaking_limit(config.handshakes_max)
        .handshake_timeout(config.handshake_timeout)
        .max_packet_size(config.packet_bytes_max)
        .allow_zero_keepalive(false)
        .max_keepalive(config.keep_alive_s_max)
        .max_clientid_len(256)
        .max_topic_levels(TOPIC_LEVELS_MAX)
        .max_subscriptions(SUBSCRIPTIONS_PER_SESSION_MAX)
        .max_mqueue_len(config.queue_messages_max)
        .session_expiry_interval(config.session_expiry)
        .max_session_expiry_interval(config.session_expiry)
        .message_expiry_interval(config.session_expiry)
        .bind()
        .and_then(Listener::tcp)
        .map_err(failed)?;
    let local_addr = listener.local_addr().map_err(failed)?;
    Ok((listener, local_addr))
}

async fn register(core: &Arc<Core>) {
    let register = core.scx.extends.hook_mgr().register();
    for hook in [
        Type::ClientAuthenticate,
        Type::ClientConnected,
        Type::ClientDisconnected,
        Type::MessagePublishCheckAcl,
        Type::MessagePublish,
        Type::ClientSubscribeCheckAcl,
        Type::MessageExpiryCheck,
    ] {
        register.add(hook, Box::new(Hooks(core.clone()))).await;
    }
    register.start().await;
}

/// Ids first, entries later: an entry must not be asked anything while the table is being walked
/// (it would lock the same part of the table again).
async fn session_ids(core: &Core, wanted: impl Fn(&Id) -> bool) -> Vec<Id> {
    core.scx.extends.shared().await.iter().map(|entry| entry.id()).filter(wanted).collect()
}

async fn kick(core: &Arc<Core>, wanted: impl Fn(&Id) -> bool) -> usize {
    let mut kicks = JoinSet::new();
    for id in session_ids(core, wanted).await {
        let core = core.clone();
        kicks.spawn(async move {
            let mut entry = core.scx.extends.shared().await.entry(id);
            if !sweep(&core, &mut entry).await {
                let _ = entry.kick(true, true, true).await;
            }
        });
    }
    kicks.join_all().await.len()
}

async fn sweep_forever(core: Arc<Core>) {
    loop {
        tokio::time::sleep(core.config.sweep_interval).await;
        for id in session_ids(&core, |_| true).await {
            let mut entry = core.scx.extends.shared().await.entry(id);
            sweep(&core, &mut entry).await;
        }
    }
}

/// Removes the session if nothing runs it any more, and says so. The broker forgets to clean up
/// after a client that vanishes between its login and its CONNACK: such a session would count
/// against the limits, and the device as present, for ever.
async fn sweep(core: &Core, entry: &mut Box<dyn Entry>) -> bool {
    if entry.id_same() != Some(true) || !entry.tx().is_some_and(|tx| tx.is_closed()) {
        return false;
    }
    let id = entry.id();
    let _ = entry.remove_with(&id).await;
    if let Some(ingest) = core.ingest() {
        core.presence.remove(&id, Offline::Closed, ingest.as_ref()).await;
    }
    true
}
