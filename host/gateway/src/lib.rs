//! The way to the devices: an embedded MQTT broker, or an external one ([`External`]); and the MQTT
//! client of simulators and tests.
//!
//! The only crate that knows rmqtt and rumqttc. It knows the protocol and the topic layout
//! `tianyin/v1/{device}/up|down/…`, and nothing about what a message means: everything a device
//! says is handed to the [`Ingest`] the server implements, and a publish is acknowledged only after
//! [`Ingest::received`] returned `Ok`.
//!
//! What a device experiences with the embedded broker:
//!
//! | it does | MQTT 3.1.1 | MQTT 5 |
//! |---|---|---|
//! | wrong token | CONNACK 4 (bad user name or password) | 0x86 |
//! | not allowed to connect, foreign last will, client id of another device | CONNACK 5 (not authorised) | 0x87 |
//! | too many sessions on the broker; keep alive 0 or above the limit | CONNACK 3 (unavailable) | 0x88 |
//! | publishes outside its own `up/` or an unknown kind | disconnected | PUBACK 0x87 (not authorised) |
//! | subscribes outside its own `down/` | SUBACK 0x80 | SUBACK 0x87 |
//! | publishes while the server cannot store | after a pause disconnected, never acknowledged: it redelivers | same |
//! | packet above the limit, topic that is no UTF-8 | disconnected | disconnected |
//!
//! QoS 1 PUBACK and QoS 2 PUBREC are both sent only after the message is durable. A QoS 2 message
//! may still be handed over twice when the connection breaks in between (the broker keeps no state
//! on disk), so the receiver must deduplicate by message id as it does for QoS 1. QoS 0 has no
//! acknowledgement: it is lost while nothing can be stored.
//!
//! Last wills: only to the device's own `up/status`; they reach [`Ingest::received`] with
//! `last_will` set. The broker does not put the end of an old connection and the start of a new one
//! in order, so a will may arrive although the device is back: presence is what
//! [`Ingest::connected`] and [`Ingest::disconnected`] say.
//!
//! Connections come in at a front of our own, plain or with TLS: who has not said CONNECT within
//! [`GatewayConfig::handshake_timeout`] is closed, and one address has at most
//! [`GatewayConfig::connections_per_address_max`]. The broker itself listens on loopback only.

mod broker;
pub mod client;
mod config;
mod external;
mod front;
mod gateway;
mod hooks;
mod ingest;
mod lane;
mod packet;
mod peers;
mod pipe;
mod presence;
mod retain;
pub mod topic;

pub use broker::{Embedded, GatewayError};
pub use config::{GatewayConfig, TlsListen};
pub use external::{BrokerUrl, External, ExternalConfig, ExternalStatus};
pub use front::FrontStats;
pub use gateway::Gateway;
pub use ingest::{
    Admission, Ingest, Login, NotStored, Offline, Qos, Refusal, RefusalKind, RefuseReason,
    UpMessage,
};
pub use topic::{DownKind, UpKind};
