//! Devices, wherever their broker is.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::broker::{Embedded, GatewayError};
use crate::config::GatewayConfig;
use crate::external::{External, ExternalConfig, ExternalStatus};
use crate::front::FrontStats;
use crate::ingest::Ingest;
use crate::topic::DownKind;

/// The way to the devices: through the embedded broker or an external one.
pub enum Gateway {
    /// The broker runs in this process.
    Embedded(Embedded),
    /// The broker is somebody else's.
    External(External),
}

impl Gateway {
    /// Starts the embedded broker; see [`Embedded::start`].
    pub async fn embedded(
        config: GatewayConfig,
        ingest: Arc<dyn Ingest>,
    ) -> Result<Self, GatewayError> {
        Embedded::start(config, ingest).await.map(Self::Embedded)
    }

    /// Starts connecting to an external broker; see [`External::start`].
    pub fn external(config: ExternalConfig, ingest: Arc<dyn Ingest>) -> Result<Self, GatewayError> {
        External::start(config, ingest).map(Self::External)
    }

    /// Where devices connect: the address listened on, or the external broker's URL.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Embedded(gateway) => gateway.local_addr().to_string(),
            Self::External(gateway) => gateway.url().to_string(),
        }
    }

    /// Where devices connect with TLS, if the embedded broker takes such connections.
    #[must_use]
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Embedded(gateway) => gateway.tls_addr(),
            Self::External(_) => None,
        }
    }

    /// What happened at the embedded broker's door; `None` with an external one.
    #[must_use]
    pub fn front_stats(&self) -> Option<Arc<FrontStats>> {
        match self {
            Self::Embedded(gateway) => Some(gateway.front_stats()),
            Self::External(_) => None,
        }
    }

    /// How the link to the external broker is doing; `None` with the embedded one.
    #[must_use]
    pub fn external_status(&self) -> Option<ExternalStatus> {
        match self {
            Self::Embedded(_) => None,
            Self::External(gateway) => Some(gateway.status()),
        }
    }

    /// Sends to `tianyin/v1/{device}/down/{kind}` with QoS 1. Not a promise of delivery: see
    /// [`Embedded::send`] and [`External::send`].
    pub async fn send(
        &self,
        device: &str,
        kind: DownKind,
        payload: impl Into<Bytes>,
    ) -> Result<(), GatewayError> {
        match self {
            Self::Embedded(gateway) => gateway.send(device, kind, payload).await.map(|_| ()),
            Self::External(gateway) => gateway.send(device, kind, payload),
        }
    }

    /// Number of devices that are online.
    #[must_use]
    pub fn devices_online(&self) -> usize {
        match self {
            Self::Embedded(gateway) => gateway.devices_online(),
            Self::External(gateway) => gateway.devices_online(),
        }
    }

    /// True if the device is online now.
    #[must_use]
    pub fn is_online(&self, device: &str) -> bool {
        match self {
            Self::Embedded(gateway) => gateway.is_online(device),
            Self::External(gateway) => gateway.is_online(device),
        }
    }

    /// Ends the device's connections as far as that is in our hands: see [`Embedded::kick`] and
    /// [`External::kick`].
    pub async fn kick(&self, device: &str) -> usize {
        match self {
            Self::Embedded(gateway) => gateway.kick(device).await,
            Self::External(gateway) => gateway.kick(device).await,
        }
    }

    /// Stops, and lets go of the [`Ingest`].
    pub async fn shutdown(self) {
        match self {
            Self::Embedded(gateway) => gateway.shutdown().await,
            Self::External(gateway) => gateway.shutdown().await,
        }
    }
}
