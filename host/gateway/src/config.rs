//! Settings and limits of the embedded broker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::GatewayError;

/// Where TLS connections are taken.
#[derive(Debug, Clone)]
pub struct TlsListen {
    /// Address; port 0 picks a free one (see [`crate::Embedded::tls_addr`]).
    pub listen: SocketAddr,
    /// The newest is used for every new connection, so that a certificate changes without a
    /// restart.
    pub config: watch::Receiver<Arc<rustls::ServerConfig>>,
}

/// Settings of [`crate::Embedded::start`]. Every limit has a default that suits a county (hundreds
/// of devices).
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Where to listen; port 0 picks a free one (see [`crate::Embedded::local_addr`]).
    pub listen: SocketAddr,
    /// Where to listen with TLS, too.
    pub tls: Option<TlsListen>,
    /// Largest packet without its fixed header, in bytes: topic and properties and payload. Larger
    /// ones disconnect.
    pub packet_bytes_max: u32,
    /// Most sessions at once, connected or persistent and away.
    pub connections_max: usize,
    /// Most sessions of one device at once.
    pub connections_per_device_max: usize,
    /// Most connections of one address at once (IPv6: of one /64), further ones are closed.
    pub connections_per_address_max: usize,
    /// Most connections at once that have not finished their CONNECT packet; more wait.
    /// Each listener keeps one place for who comes next, so at least 2.
    pub pending_max: usize,
    /// Most logins under way at once; more wait.
    pub handshakes_max: usize,
    /// A client that has not finished its CONNECT packet (and TLS handshake) by then is dropped.
    pub handshake_timeout: Duration,
    /// Longest keep alive a device may ask for, in seconds. 0 (never) is refused: a dead device
    /// must be noticed.
    pub keep_alive_s_max: u16,
    /// Most messages kept for one session that is away or slow; the oldest are dropped first.
    pub queue_messages_max: usize,
    /// How long a persistent session (clean session = 0) and its messages are kept in memory. A
    /// restart loses them.
    pub session_expiry: Duration,
    /// Most publishes that are being stored at once, of all connections; more wait in the kernel.
    pub storing_max: usize,
    /// How long a connection is held before it is closed because its message could not be stored.
    pub retry_pause: Duration,
    /// How often sessions whose client vanished while it logged in are cleaned up.
    pub sweep_interval: Duration,
}

impl GatewayConfig {
    /// Defaults: 64 KiB payload plus 1 KiB for the rest of the packet, 1024 sessions, 8 a device,
    /// 256 connections an address, 10 s to say CONNECT, keep alive up to an hour, 200 messages and 24 hours for an absent device, 1 s pause.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            packet_bytes_max: 65 * 1024,
            connections_max: 1024,
            connections_per_device_max: 8,
            connections_per_address_max: 256,
            pending_max: 512,
            handshakes_max: 100,
            handshake_timeout: Duration::from_secs(10),
            keep_alive_s_max: 3600,
            queue_messages_max: 200,
            session_expiry: Duration::from_secs(24 * 3600),
            storing_max: 512,
            retry_pause: Duration::from_secs(1),
            sweep_interval: Duration::from_secs(30),
        }
    }

    /// Most bytes [`crate::Embedded::send`] takes, so that a receiver with the same limit can read
    /// the packet.
    #[must_use]
    pub fn payload_bytes_max(&self) -> usize {
        (self.packet_bytes_max as usize).saturating_sub(1024)
    }

    pub(crate) fn check(&self) -> Result<(), GatewayError> {
        let too_small = [
            ("packet_bytes_max", self.packet_bytes_max < 2048),
            ("connections_max", self.connections_max == 0),
            ("connections_per_device_max", self.connections_per_device_max == 0),
            ("connections_per_address_max", self.connections_per_address_max == 0),
            ("pending_max", self.pending_max < 2),
            ("handshakes_max", self.handshakes_max == 0),
            ("handshake_timeout", self.handshake_timeout.is_zero()),
            ("keep_alive_s_max", self.keep_alive_s_max == 0),
            ("queue_messages_max", self.queue_messages_max == 0),
            ("storing_max", self.storing_max == 0),
            ("session_expiry", self.session_expiry.is_zero()),
            ("sweep_interval", self.sweep_interval.is_zero()),
        ];
        match too_small.into_iter().find(|(_, bad)| *bad) {
            Some((key, _)) => Err(GatewayError::Config { key }),
            None => Ok(()),
        }
    }
}
