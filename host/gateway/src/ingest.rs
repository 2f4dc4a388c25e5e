//! What the server implements to receive what devices say.

use std::net::SocketAddr;

use async_trait::async_trait;
use bytes::Bytes;

use crate::topic::UpKind;

/// The server's side of the gateway. Called from many connections at once. Publishes of one connection
/// are handed over in its order; some may be under way at a time.
#[async_trait]
pub trait Ingest: Send + Sync + 'static {
    /// A CONNECT with a well-formed device id as user name: may it connect? Password = the device's
    /// token, or the pairing code of a device nobody knows yet. Guessing is limited here: the
    /// gateway does not count failures. Never called with an external broker, which authenticates
    /// by itself.
    async fn authenticate(&self, login: Login) -> Admission;

    /// A publish below the device's own `up/`. `Ok` means durable: only then it is acknowledged, in the
    /// order of the publishes. What decides their order in the journal is to be done before the first
    /// wait: the next may be handed over then.
    ///
    /// Embedded: may wait as long as it takes; meanwhile the connection reads little more. `Err`
    /// withholds the acknowledgement: it is tried once again, and after
    /// [`crate::GatewayConfig::retry_pause`] the connection is closed, so that the device redelivers
    /// when it is back.
    ///
    /// External broker: [`NotStored::Overloaded`] and [`NotStored::ReadOnly`] are tried again while
    /// the acknowledgement is withheld; [`NotStored::Refused`] is acknowledged, counted and
    /// forgotten, because the broker would otherwise keep the message in the way of all others.
    ///
    /// The future is never dropped half-way while the gateway runs, also not when the device hangs
    /// up.
    async fn received(&self, message: UpMessage) -> Result<(), NotStored>;

    /// A connection of the device was accepted (a device may have several: one call for each).
    /// Presence is what `connected` and `disconnected` say: a last will of an older connection may
    /// arrive after the new one is up.
    async fn connected(&self, device: &str, remote: Option<SocketAddr>);

    /// The device's last connection is gone. Calls for one device never overlap and come in order.
    async fn disconnected(&self, device: &str, why: Offline);

    /// Something was refused by the gateway itself (for a log, a counter, the device's page).
    /// Default: nothing.
    async fn refused(&self, refusal: Refusal) {
        let _ = refusal;
    }
}

/// What a CONNECT brings.
#[derive(Clone)]
pub struct Login {
    /// The user name: a well-formed device id (see [`crate::topic::is_device_id`]), not yet
    /// believed.
    pub device: String,
    /// MQTT client id; chosen by the broker if the device sent none.
    pub client_id: String,
    /// The password as sent; empty if there was none.
    pub password: Bytes,
    /// Where the connection comes from.
    pub remote: Option<SocketAddr>,
}

// By hand: a password must not reach a log.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("device", &self.device)
            .field("client_id", &self.client_id)
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}

/// The answer to a [`Login`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The connection may publish and subscribe as the device of the login.
    Accepted,
    /// The connection is refused with a CONNACK return code.
    Refused(RefuseReason),
}

/// Why a connection is refused; decides the CONNACK return code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefuseReason {
    /// Wrong token or pairing code: code 4 (MQTT 5: 0x86).
    BadCredentials,
    /// Known but not allowed, for example disabled, or pairing is off: code 5 (MQTT 5: 0x87).
    NotAuthorized,
}

/// One publish of a device.
#[derive(Debug, Clone)]
pub struct UpMessage {
    /// The authenticated device; the topic was checked against it. With an external broker: the
    /// device of the topic, for which the broker's access list vouches.
    pub device: String,
    /// MQTT client id of the connection; empty with an external broker.
    pub client_id: String,
    /// Where the connection comes from; unknown with an external broker, and once it has ended (a
    /// last will).
    pub remote: Option<SocketAddr>,
    /// The topic's last level.
    pub kind: UpKind,
    /// The bytes as sent, at most [`crate::GatewayConfig::packet_bytes_max`].
    pub payload: Bytes,
    /// Quality of service of the publish.
    pub qos: Qos,
    /// The retain flag. The broker itself retains nothing: nobody but the server may read `up/`
    /// topics.
    pub retain: bool,
    /// The device marked it as a redelivery. A hint only; deduplicate by the message's own id.
    pub dup: bool,
    /// Published by the broker in the name of a device that is gone. Nobody waits for an
    /// acknowledgement.
    pub last_will: bool,
}

/// MQTT quality of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// 0, no acknowledgement.
    AtMostOnce,
    /// 1, PUBACK.
    AtLeastOnce,
    /// 2, PUBREC, PUBREL, PUBCOMP.
    ExactlyOnce,
}

/// Why a message was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// Too much is waiting already.
    #[error("overloaded, try again later")]
    Overloaded,
    /// The journal cannot be written.
    #[error("read-only, nothing can be stored")]
    ReadOnly,
    /// This device may not send this: unknown, disabled, or its quarantine is full. Trying again
    /// does not help.
    #[error("refused")]
    Refused,
}

/// Why a device's last connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offline {
    /// The device said goodbye or closed the connection.
    Closed,
    /// Nothing was heard for 1.5 keep-alive intervals.
    KeepAlive,
    /// [`crate::Embedded::kick`] or shutdown.
    Kicked,
    /// Another connection used the same client id.
    TakenOver,
    /// A refused publish, an oversize or malformed packet, a network error; the text says which.
    Failed(String),
}

/// Something the gateway refused by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The user name, as sent (it may be no device id, and unproven for [`RefusalKind::Connect`]).
    pub device: String,
    /// Where the connection comes from.
    pub remote: Option<SocketAddr>,
    /// What was refused.
    pub kind: RefusalKind,
    /// The topic, filter or reason.
    pub detail: String,
}

/// What a [`Refusal`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// A CONNECT, before the token was looked at.
    Connect,
    /// A publish to a foreign topic or an unknown kind.
    Publish,
    /// A subscription outside the device's own `down/`.
    Subscribe,
}
