//! A device's side of the protocol (MQTT 3.1.1), for simulators and tests. Works with any broker.
//!
//! It does not reconnect by itself and keeps no outbox: when the connection ends, every waiting
//! publish fails with [`ClientError::Disconnected`], and who called publishes again on a new
//! connection. (A library that resends on its own behalf hides exactly the losses a simulator
//! should show.)

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions,
    Outgoing, Packet, QoS, SubscribeReasonCode, TlsConfiguration, Transport,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::topic::{self, DownKind, UpKind};

/// Largest packet the client reads or writes, in bytes.
const PACKET_BYTES_MAX: usize = 1024 * 1024;
/// Messages waiting for [`DeviceClient::next_down`]; what comes on top is dropped.
const DOWN_QUEUE_MAX: usize = 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How to connect.
#[derive(Debug, Clone)]
pub struct Options {
    /// MQTT client id; default the device id.
    pub client_id: Option<String>,
    /// False asks for a persistent session: receipts wait for the device while it is away.
    pub clean_session: bool,
    /// Keep alive, whole seconds.
    pub keep_alive: Duration,
    /// Payload of the retained last will to `up/status`.
    pub last_will: Option<Bytes>,
    /// Subscribe to `down/#` while connecting.
    pub subscribe: bool,
    /// Most publishes that wait for their acknowledgement at once; further ones wait before they
    /// are sent.
    pub in_flight_max: u16,
    /// Certificates (PEM) that an `mqtts://` server is checked against.
    pub ca_pem: Option<Bytes>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client_id: None,
            clean_session: true,
            keep_alive: Duration::from_secs(30),
            last_will: None,
            subscribe: true,
            in_flight_max: 32,
            ca_pem: None,
        }
    }
}

/// What went wrong on the device's side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Not `host:port`, `mqtt://host:port` or `mqtts://host:port`.
    #[error("{url:?} is not an MQTT address, expected mqtt://host:port or mqtts://host:port")]
    Url {
        /// As given.
        url: String,
    },
    /// `mqtts://` without certificates to check the server against, or they cannot be read.
    #[error("mqtts:// needs the certificate of the server's CA: {0}")]
    Ca(String),
    /// The broker answered CONNECT with a return code.
    #[error("the broker refused the connection: {0}")]
    Refused(ConnectRefused),
    /// The broker does not let the device subscribe to its `down/` topics.
    #[error("the broker refused the subscription to {filter}")]
    SubscriptionRefused {
        /// The topic filter.
        filter: String,
    },
    /// Nothing came in time.
    #[error("no {awaited} within {} ms", waited.as_millis())]
    Timeout {
        /// What was waited for.
        awaited: &'static str,
        /// How long.
        waited: Duration,
    },
    /// The connection could not be made or ended; what was not acknowledged must be published
    /// again.
    #[error("disconnected: {0}")]
    Disconnected(String),
}

/// CONNACK return codes of MQTT 3.1.1 other than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectRefused {
    /// 1
    #[error("unacceptable protocol version (1)")]
    ProtocolVersion,
    /// 2
    #[error("client id rejected (2)")]
    ClientId,
    /// 3
    #[error("server unavailable (3)")]
    Unavailable,
    /// 4
    #[error("bad user name or password (4)")]
    BadCredentials,
    /// 5
    #[error("not authorised (5)")]
    NotAuthorized,
}

/// A message from the server to the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// The topic's last level.
    pub kind: DownKind,
    /// The bytes as received.
    pub payload: Bytes,
}

/// A connected device. Dropping it cuts the connection without a goodbye (the broker publishes the
/// last will).
pub struct DeviceClient {
    device: String,
    session_present: bool,
    mqtt: AsyncClient,
    slots: Arc<Semaphore>,
    shared: Arc<Shared>,
    down: tokio::sync::Mutex<mpsc::Receiver<Down>>,
    task: JoinHandle<()>,
}

impl DeviceClient {
    /// Connects to `host:port`, `mqtt://host:port` or `mqtts://host:port` with device id and token as user name and
    /// password.
    pub async fn connect(
        url: &str,
        device: &str,
        token: &str,
        options: Options,
    ) -> Result<Self, ClientError> {
        let mqtt_options = mqtt_options(url, device, token, &options)?;
        let slots = usize::from(options.in_flight_max.max(1));
        let (mqtt, mut events) = AsyncClient::new(mqtt_options, slots + 8);
        events.network_options.set_tcp_nodelay(true);
        let (down_sender, down) = mpsc::channel(DOWN_QUEUE_MAX);
        let shared = Arc::new(Shared::default());
        let mut inbox =
            Inbox { device: device.to_owned(), shared: shared.clone(), down: down_sender };

        let filter = options.subscribe.then(|| topic::down_filter(device));
        let handshake = handshake(&mqtt, &mut events, &mut inbox, filter);
        let session_present =
            tokio::time::timeout(CONNECT_TIMEOUT, handshake).await.map_err(|_| {
                ClientError::Timeout { awaited: "CONNACK and SUBACK", waited: CONNECT_TIMEOUT }
            })??;
        let task = tokio::spawn(run(events, inbox));
        Ok(Self {
            device: device.to_owned(),
            session_present,
            mqtt,
            slots: Arc::new(Semaphore::new(slots)),
            shared,
            down: tokio::sync::Mutex::new(down),
            task,
        })
    }

    /// True if the broker had kept a session for this client id.
    #[must_use]
    pub fn session_present(&self) -> bool {
        self.session_present
    }

    /// Publishes with QoS 1 to `up/{kind}` (`status` retained) and waits for the PUBACK. On a
    /// timeout the message may still be acknowledged later: publishing it again is safe, the server
    /// knows it by its message id.
    pub async fn publish_acked(
        &self,
        kind: UpKind,
        payload: impl Into<Bytes>,
        timeout: Duration,
    ) -> Result<(), ClientError> {
        let published = async {
            let closed = || ClientError::Disconnected(self.shared.end_reason());
            let slot = self.slots.clone().acquire_owned().await.map_err(|_| closed())?;
            let acked = self.publish(kind, payload.into(), slot)?;
            acked.await.map_err(|_| closed())
        };
        tokio::time::timeout(timeout, published)
            .await
            .map_err(|_| ClientError::Timeout { awaited: "PUBACK", waited: timeout })?
    }

    fn publish(
        &self,
        kind: UpKind,
        payload: Bytes,
        slot: OwnedSemaphorePermit,
    ) -> Result<oneshot::Receiver<()>, ClientError> {
        let (acked, receiver) = oneshot::channel();
        let retain = kind == UpKind::Status;
        // Under one lock: packet ids are given out in the order of the queue, and matched to
        // `unsent` in that order.
        let mut acks = self.shared.acks.lock();
        if acks.closed {
            return Err(ClientError::Disconnected(acks.end_reason.clone()));
        }
        self.mqtt
            .try_publish(topic::up(&self.device, kind), QoS::AtLeastOnce, retain, payload)
            .map_err(|error| ClientError::Disconnected(error.to_string()))?;
        acks.unsent.push_back(Waiting { acked, _slot: slot });
        Ok(receiver)
    }

    /// The next message from the server.
    pub async fn next_down(&self, timeout: Duration) -> Result<Down, ClientError> {
        let mut down = self.down.lock().await;
        match tokio::time::timeout(timeout, down.recv()).await {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(ClientError::Disconnected(self.shared.end_reason())),
            Err(_) => {
                Err(ClientError::Timeout { awaited: "message from the server", waited: timeout })
            }
        }
    }

    /// Waits until the broker (or the network) ends the connection, and says why.
    pub async fn closed(&mut self) -> String {
        let _ = (&mut self.task).await;
        self.shared.end_reason()
    }

    /// True while the connection stands.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.task.is_finished()
    }

    /// Says goodbye (no last will) and waits until the connection is closed.
    pub async fn disconnect(mut self) {
        if self.mqtt.try_disconnect().is_ok() {
            let _ = tokio::time::timeout(CONNECT_TIMEOUT, &mut self.task).await;
        }
    }
}

impl Drop for DeviceClient {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn mqtt_options(
    url: &str,
    device: &str,
    token: &str,
    options: &Options,
) -> Result<MqttOptions, ClientError> {
    let bad = || ClientError::Url { url: url.to_owned() };
    let (is_tls, address) = match url.strip_prefix("mqtts://") {
        Some(address) => (true, address),
        None => (false, url.strip_prefix("mqtt://").unwrap_or(url)),
    };
    let address = address.trim_end_matches('/');
    let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
    let port: u16 = port.parse().map_err(|_| bad())?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.contains('/') {
        return Err(bad());
    }
    let client_id = options.client_id.clone().unwrap_or_else(|| device.to_owned());
    let mut mqtt = MqttOptions::new(client_id, host, port);
    mqtt.set_credentials(device, token)
        .set_clean_session(options.clean_session)
        .set_keep_alive(options.keep_alive.max(Duration::from_secs(1)))
        .set_inflight(options.in_flight_max.max(1))
        .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    if is_tls {
        let config = tls_config(options.ca_pem.as_deref())?;
        mqtt.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(config)));
    }
    if let Some(payload) = &options.last_will {
        let will = LastWill::new(
            topic::up(device, UpKind::Status),
            payload.to_vec(),
            QoS::AtLeastOnce,
            true,
        );
        mqtt.set_last_will(will);
    }
    Ok(mqtt)
}

fn tls_config(ca_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, ClientError> {
    let pem = ca_pem.ok_or_else(|| ClientError::Ca("none was given".into()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|e| ClientError::Ca(e.to_string()))?;
        roots.add(certificate).map_err(|e| ClientError::Ca(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(ClientError::Ca("there is no certificate in the file".into()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| ClientError::Ca(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Until CONNACK and, with a filter, SUBACK. Returns whether a session was present.
async fn handshake(
    mqtt: &AsyncClient,
    events: &mut EventLoop,
    inbox: &mut Inbox,
    filter: Option<String>,
) -> Result<bool, ClientError> {
    let mut session_present = false;
    loop {
        match events.poll().await.map_err(refused_or_disconnected)? {
            Event::Incoming(Packet::ConnAck(ack)) => {
                session_present = ack.session_present;
                let Some(filter) = &filter else { return Ok(session_present) };
                mqtt.try_subscribe(filter, QoS::AtLeastOnce)
                    .map_err(|error| ClientError::Disconnected(error.to_string()))?;
            }
            Event::Incoming(Packet::SubAck(ack)) => {
                let refused = ack.return_codes.contains(&SubscribeReasonCode::Failure);
                return match filter {
                    Some(filter) if refused => Err(ClientError::SubscriptionRefused { filter }),
                    _ => Ok(session_present),
                };
            }
            event => inbox.take(event),
        }
    }
}

fn refused_or_disconnected(error: ConnectionError) -> ClientError {
    let ConnectionError::ConnectionRefused(code) = error else {
        return ClientError::Disconnected(error.to_string());
    };
    match code {
        ConnectReturnCode::RefusedProtocolVersion => {
            ClientError::Refused(ConnectRefused::ProtocolVersion)
        }
        ConnectReturnCode::BadClientId => ClientError::Refused(ConnectRefused::ClientId),
        ConnectReturnCode::ServiceUnavailable => ClientError::Refused(ConnectRefused::Unavailable),
        ConnectReturnCode::BadUserNamePassword => {
            ClientError::Refused(ConnectRefused::BadCredentials)
        }
        ConnectReturnCode::NotAuthorized => ClientError::Refused(ConnectRefused::NotAuthorized),
        ConnectReturnCode::Success => ClientError::Disconnected("contradictory CONNACK".to_owned()),
    }
}

/// Runs the connection until it ends for whatever reason.
async fn run(mut events: EventLoop, mut inbox: Inbox) {
    let reason = loop {
        match events.poll().await {
            Ok(Event::Outgoing(Outgoing::Disconnect)) => break "closed by this device".to_owned(),
            Ok(event) => inbox.take(event),
            Err(error) => break error.to_string(),
        }
    };
    // What arrived together with the end of the connection: an acknowledgement must not get lost
    // here.
    for event in std::mem::take(&mut events.state.events) {
        inbox.take(event);
    }
    inbox.shared.end(reason);
}

#[derive(Default)]
struct Shared {
    acks: Mutex<Acks>,
}

#[derive(Default)]
struct Acks {
    /// Handed to the library, packet id not known yet.
    unsent: VecDeque<Waiting>,
    /// By packet id, waiting for PUBACK.
    unacked: HashMap<u16, Waiting>,
    closed: bool,
    end_reason: String,
}

/// A publish that is not acknowledged. Holds its slot also when the caller has given up waiting: it
/// is still under way.
struct Waiting {
    acked: oneshot::Sender<()>,
    _slot: OwnedSemaphorePermit,
}

impl Shared {
    /// Dropping the senders tells everyone who waits.
    fn end(&self, reason: String) {
        let mut acks = self.acks.lock();
        *acks = Acks { closed: true, end_reason: reason, ..Acks::default() };
    }

    fn end_reason(&self) -> String {
        let acks = self.acks.lock();
        if acks.closed { acks.end_reason.clone() } else { "connection dropped".to_owned() }
    }
}

struct Inbox {
    device: String,
    shared: Arc<Shared>,
    down: mpsc::Sender<Down>,
}

impl Inbox {
    fn take(&mut self, event: Event) {
        match event {
            Event::Outgoing(Outgoing::Publish(packet_id)) => {
                let mut acks = self.shared.acks.lock();
                if let Some(waiting) = acks.unsent.pop_front() {
                    acks.unacked.insert(packet_id, waiting);
                }
            }
            Event::Incoming(Packet::PubAck(ack)) => {
                if let Some(waiting) = self.shared.acks.lock().unacked.remove(&ack.pkid) {
                    // The caller may have given up waiting; then there is nobody to tell.
                    let _ = waiting.acked.send(());
                }
            }
            Event::Incoming(Packet::Publish(publish)) => {
                let Some(kind) = topic::parse_down(&self.device, &publish.topic) else {
                    tracing::warn!(topic = %publish.topic, "message on an unknown topic");
                    return;
                };
                if self.down.try_send(Down { kind, payload: publish.payload }).is_err() {
                    tracing::warn!(device = %self.device, "nobody reads the messages from the server, one dropped");
                }
            }
            _ => {}
        }
    }
}
