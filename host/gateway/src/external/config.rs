//! Where the external broker is, how to get in, and the limits towards it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::MqttOptions;
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::GatewayError;

/// Certificates of public authorities, as Debian keeps them.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
const EXPECTED: &str = "mqtt://HOST:PORT or mqtts://HOST:PORT";
/// Larger packets the broker must not hand over (it drops them). Far above what is allowed, so that
/// a message that is only somewhat too large is seen and counted here.
const PACKET_BYTES_MAX: u32 = 1024 * 1024;

/// Address of a broker: `mqtt://host:1883`, or `mqtts://host:8883` with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    host: String,
    port: u16,
    tls: bool,
}

impl FromStr for BrokerUrl {
    type Err = GatewayError;

    fn from_str(text: &str) -> Result<Self, GatewayError> {
        let bad = |expected| GatewayError::Url { url: without_password(text), expected };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad(EXPECTED))?;
        let (tls, default_port) = match scheme {
            "mqtt" => (false, 1883),
            "mqtts" => (true, 8883),
            _ => return Err(bad(EXPECTED)),
        };
        if rest.contains('@') {
            return Err(bad("no password here: set mqtt.username and mqtt.password_file"));
        }
        let authority = rest.trim_end_matches('/');
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| bad(EXPECTED))?)
            }
            _ => (authority, default_port),
        };
        let ip6 = host.starts_with('[') && host.ends_with(']');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if host.is_empty() || port == 0 || !(ip6 || host.chars().all(plain)) {
            return Err(bad(EXPECTED));
        }
        if tls && ip6 {
            return Err(bad("a host name or IPv4 address, with TLS"));
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// What goes into an error message must not hold a password.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => {
            format!("{}…{}", &url[..scheme + 3], &url[at..])
        }
        _ => url.to_owned(),
    }
}

/// Settings of [`crate::External::start`].
#[derive(Debug, Clone)]
pub struct ExternalConfig {
    /// The broker.
    pub url: BrokerUrl,
    /// The appliance's own user at the broker.
    pub username: Option<String>,
    /// File with its password (surrounding white space is cut off); read for every connection.
    pub password_file: Option<PathBuf>,
    /// PEM file with the authorities believed with `mqtts`; without it those of the system.
    pub ca_file: Option<PathBuf>,
    /// MQTT client id. The broker keeps what comes while the appliance is away under this name, so
    /// it must stay the same, and no other program may use it.
    pub client_id: String,
    /// Largest payload taken or sent, in bytes.
    pub payload_bytes_max: usize,
    /// How often the broker is asked whether it is still there; at least 5 s.
    pub keep_alive: Duration,
    /// Most messages received and not acknowledged at once (MQTT 5 receive maximum).
    pub receive_max: u16,
    /// Most messages sent and not acknowledged at once; the broker may set less.
    pub send_max: u16,
    /// Most messages that wait to be sent.
    pub outbox_messages_max: usize,
    /// Most payload bytes that wait to be sent.
    pub outbox_bytes_max: usize,
    /// A connection that is not subscribed by then is given up.
    pub connect_timeout: Duration,
    /// A message not acknowledged by then: the connection is given up.
    pub ack_timeout: Duration,
    /// How long to wait before a message that could not be stored is tried again; doubled up to 16
    /// times this.
    pub retry_pause: Duration,
    /// First pause before connecting again; doubled up to `reconnect_pause_max`, and spread at
    /// random.
    pub reconnect_pause: Duration,
    /// Longest pause before connecting again.
    pub reconnect_pause_max: Duration,
}

impl ExternalConfig {
    /// Defaults: 64 KiB payload, 256 received and 64 sent in flight, outbox of 2000 messages and 16
    /// MiB, 15 s keep alive, 10 s to connect, 20 s for an acknowledgement, 0.25 s to 30 s between
    /// tries.
    #[must_use]
    pub fn new(url: BrokerUrl, client_id: impl Into<String>) -> Self {
        Self {
            url,
            username: None,
            password_file: None,
            ca_file: None,
            client_id: client_id.into(),
            payload_bytes_max: 64 * 1024,
            keep_alive: Duration::from_secs(15),
            receive_max: 256,
            send_max: 64,
            outbox_messages_max: 2000,
            outbox_bytes_max: 16 * 1024 * 1024,
            connect_timeout: Duration::from_secs(10),
            ack_timeout: Duration::from_secs(20),
            retry_pause: Duration::from_millis(250),
            reconnect_pause: Duration::from_millis(250),
            reconnect_pause_max: Duration::from_secs(30),
        }
    }

    /// Everything that would make every connection fail is an error now: files that cannot be read,
    /// limits that cannot work.
    pub(crate) fn check(&self) -> Result<(), GatewayError> {
        let too_small = [
            ("client_id", self.client_id.is_empty()),
            ("payload_bytes_max", self.payload_bytes_max < 1024),
            ("keep_alive", self.keep_alive < Duration::from_secs(5)),
            ("receive_max", self.receive_max == 0),
            ("send_max", self.send_max == 0),
            ("outbox_messages_max", self.outbox_messages_max == 0),
            ("outbox_bytes_max", self.outbox_bytes_max < self.payload_bytes_max),
            ("connect_timeout", self.connect_timeout.is_zero()),
            ("ack_timeout", self.ack_timeout.is_zero()),
        ];
        if let Some((key, _)) = too_small.into_iter().find(|(_, bad)| *bad) {
            return Err(GatewayError::Config { key });
        }
        self.options().map(|_| ())
    }

    /// What a new connection needs.
    pub(crate) fn options(&self) -> Result<MqttOptions, GatewayError> {
        let url = &self.url;
        let mut options = MqttOptions::new(&self.client_id, &url.host, url.port);
        if let Some(username) = &self.username {
            options.set_credentials(username, self.password()?);
        }
        if url.tls {
            options.set_transport(self.tls()?);
        }
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(self.connect_timeout.as_secs().max(1));
        options
            .set_network_options(network)
            .set_connection_timeout(self.connect_timeout.as_secs().max(1))
            .set_keep_alive(self.keep_alive)
            // The broker keeps the session, and with it what devices send while we are away.
            .set_clean_start(false)
            .set_session_expiry_interval(Some(u32::MAX))
            .set_receive_maximum(Some(self.receive_max))
            .set_max_packet_size(Some(PACKET_BYTES_MAX))
            .set_outgoing_inflight_upper_limit(self.send_max.saturating_add(2))
            .set_manual_acks(true);
        Ok(options)
    }

    fn password(&self) -> Result<String, GatewayError> {
        let Some(path) = &self.password_file else { return Ok(String::new()) };
        let text = fs::read_to_string(path).map_err(|source| file_error(path, source))?;
        Ok(text.trim().to_owned())
    }

    fn tls(&self) -> Result<Transport, GatewayError> {
        let path = self.ca_file.as_deref().unwrap_or(Path::new(SYSTEM_ROOTS));
        let not_pem =
            |error: &dyn fmt::Display| file_error(path, io::Error::other(error.to_string()));
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|e| not_pem(&e))? {
            let certificate = certificate.map_err(|e| not_pem(&e))?;
            // The system's file may hold an authority of a kind that is not supported.
            if let (Err(error), Some(_)) = (roots.add(certificate), &self.ca_file) {
                return Err(not_pem(&error));
            }
        }
        if roots.is_empty() {
            return Err(not_pem(&"no certificate in it"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| GatewayError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config))))
    }
}

fn file_error(path: &Path, source: io::Error) -> GatewayError {
    GatewayError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses() {
        for (given, shown) in [
            ("mqtt://broker:1884", "mqtt://broker:1884"),
            ("mqtt://10.0.0.5", "mqtt://10.0.0.5:1883"),
            ("mqtts://mqtt.county.example/", "mqtts://mqtt.county.example:8883"),
            ("mqtt://[::1]:1883", "mqtt://[::1]:1883"),
            ("mqtt://[::1]", "mqtt://[::1]:1883"),
        ] {
            assert_eq!(given.parse::<BrokerUrl>().unwrap().to_string(), shown);
        }
        for bad in [
            "broker:1883",
            "tcp://broker:1883",
            "mqtt://",
            "mqtt://broker:0",
            "mqtt://broker:x",
            "mqtt://broker/path",
            "mqtts://[::1]:8883",
            "",
        ] {
            let error = bad.parse::<BrokerUrl>().unwrap_err().to_string();
            assert!(error.contains("expected"), "{bad}: {error}");
        }
        let error = "mqtt://user:secret@broker".parse::<BrokerUrl>().unwrap_err().to_string();
        assert!(error.contains("password_file") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn files_are_read_before_anything_starts() {
        let mut config = ExternalConfig::new("mqtts://broker".parse().unwrap(), "appliance");
        config.ca_file = Some("/nowhere/ca.pem".into());
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("/nowhere/ca.pem"), "{error}");
        config.url = "mqtt://broker".parse().unwrap();
        config.check().unwrap();
        (config.username, config.password_file) = (Some("u".into()), Some("/nowhere/p".into()));
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("/nowhere/p"), "{error}");
    }
}
