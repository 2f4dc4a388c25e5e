//! Messages of devices: kept raw and durable before anything is made of them, then settled,
//! dead-lettered with a reason, or held in quarantine until the device is approved.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::decide::Context;
use crate::device::{Device, DeviceStatus};
use crate::error::DomainError;
use crate::id::new_id;
use crate::state::{Entity, Entry, Index, Table};
use crate::time::Time;

/// Largest payload kept, in bytes; larger ones are refused by the gateway.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// What a message is, by its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// `up/result`: canonical JSON.
    Result,
    /// `up/raw`: the vendor's bytes.
    Raw,
    /// `up/scan`: a scanned text.
    Scan,
}

/// Bytes as written in the journal: text where they are UTF-8, base64 where not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Base64(String),
}

impl Payload {
    /// Wraps bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        use base64::Engine as _;
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.into()),
            Err(_) => Self::Base64(base64::engine::general_purpose::STANDARD.encode(bytes)),
        }
    }

    /// Length as written, in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Base64(text) => text.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes; empty when the base64 is damaged, which the journal's hash would have shown.
    pub fn to_bytes(&self) -> Vec<u8> {
        use base64::Engine as _;
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Base64(text) => {
                base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
            }
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// Durable, not yet decoded.
    Received,
    /// Waits for its device to be approved.
    Quarantined,
    /// Everything in it was taken in.
    Accepted,
    /// All of it was known already.
    Duplicate,
    /// A known message id with other content; nothing was overwritten.
    Conflict,
    /// Could not be taken in; the reason says why, it can be replayed.
    Dead,
}

impl MessageStatus {
    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Quarantined => "quarantined",
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Dead => "dead",
        }
    }
}

/// A device's message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Id, `msg_…`.
    pub id: String,
    /// Device.
    pub device: String,
    /// Kind.
    pub kind: MessageKind,
    /// SHA-256 (hex) of the payload.
    pub sha256: String,
    /// The bytes.
    pub payload: Payload,
    /// Server's time of receipt.
    pub received_at: Time,
    /// Status.
    pub status: MessageStatus,
    /// Code of the reason (dead, conflict), of the zh-CN catalogue.
    #[serde(default)]
    pub reason: String,
    /// Detail of the reason, as the decoder or parser told it.
    #[serde(default)]
    pub detail: String,
    /// Problems the decoder met and stepped over: nothing is lost in silence.
    #[serde(default)]
    pub problems: Vec<String>,
    /// Tests made of it.
    #[serde(default)]
    pub tests: Vec<String>,
    /// Region code of the device.
    #[serde(default)]
    pub area: String,
}

/// All.
pub const ALL: Index = Index("message");
/// By status.
pub const BY_STATUS: Index = Index("message.status");
/// By device.
pub const BY_DEVICE: Index = Index("message.device");

/// Finds a message by what it says, so that a device may say it again. A record and no index entry:
/// every message asks for it, and one key is read in a fraction of the time of a range. Small, because
/// its keys are in no order: every message touches another page of the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Content {
    /// Device, kind and half of the digest; the message has the whole.
    #[serde(skip)]
    id: String,
    #[serde(rename = "m")]
    message: String,
}

impl Content {
    /// `None` for a scan: the same text may be scanned twice with meaning; a result is measured once.
    fn key(device: &str, kind: MessageKind, sha256: &str) -> Option<String> {
        let kind = match kind {
            MessageKind::Result => "r",
            MessageKind::Raw => "b",
            MessageKind::Scan => return None,
        };
        Some(format!("{device}/{kind}/{}", sha256.get(..32)?))
    }

    /// `None` as for the key.
    pub(crate) fn of(message: &Message) -> Option<Self> {
        let id = Self::key(&message.device, message.kind, &message.sha256)?;
        Some(Self { id, message: message.id.clone() })
    }
}

impl Entity for Content {
    const TABLE: Table = Table("message_content");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

impl Entity for Message {
    const TABLE: Table = Table("message");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![
            Entry::new(BY_STATUS, self.status.as_str(), &self.id),
            Entry::new(BY_DEVICE, &self.device, &self.id),
        ]
    }
    fn area(&self) -> &str {
        &self.area
    }
}

/// Command: a device's message arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveMessage {
    /// Device.
    pub device: String,
    /// Kind.
    pub kind: MessageKind,
    /// Bytes.
    pub payload: Payload,
}

/// Command and event payload: what became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleMessage {
    /// Message.
    pub message: String,
    /// New status.
    pub status: MessageStatus,
    /// Reason code.
    #[serde(default)]
    pub reason: String,
    /// Detail.
    #[serde(default)]
    pub detail: String,
    /// Problems stepped over.
    #[serde(default)]
    pub problems: Vec<String>,
}

/// Command and event payload: decode a message again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayMessage {
    /// Message.
    pub message: String,
}

/// What `receive` found.
pub(crate) enum Received {
    New(Box<Message>),
    /// Durable already and settled: nothing to write.
    Known(String),
    /// Durable already, but dead: decode it again.
    Again(String),
}

pub(crate) fn receive(ctx: &mut Context<'_>, c: ReceiveMessage) -> Result<Received, DomainError> {
    let bytes = c.payload.to_bytes();
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(DomainError::field("payload", "too_long"));
    }
    let device: Device = ctx.require("device", &c.device)?;
    if device.status == DeviceStatus::Disabled {
        return Err(DomainError::refused("device_disabled", &[("id", &device.id)]));
    }
    let sha256 = hex::encode(Sha256::digest(&bytes));
    if let Some(key) = Content::key(&device.id, c.kind, &sha256)
        && let Some(known) = ctx.state.get::<Content>(&key)?
    {
        let known: Message = ctx.require("message", &known.message)?;
        if known.sha256 == sha256 {
            return Ok(match known.status {
                MessageStatus::Dead => Received::Again(known.id),
                _ => Received::Known(known.id),
            });
        }
    }
    let status = match device.status {
        DeviceStatus::Approved => MessageStatus::Received,
        _ => MessageStatus::Quarantined,
    };
    Ok(Received::New(Box::new(Message {
        id: new_id("msg", ctx.time, ctx.random),
        device: device.id,
        kind: c.kind,
        sha256,
        payload: c.payload,
        received_at: ctx.time,
        status,
        reason: String::new(),
        detail: String::new(),
        problems: Vec::new(),
        tests: Vec::new(),
        area: device.area,
    })))
}

pub(crate) fn replay(
    ctx: &mut Context<'_>,
    c: ReplayMessage,
) -> Result<ReplayMessage, DomainError> {
    let message: Message = ctx.require("message", &c.message)?;
    match message.status {
        MessageStatus::Dead => Ok(c),
        // Approving the device is what frees its quarantine; nothing else may go round it.
        MessageStatus::Quarantined => Err(DomainError::field("device", "device_not_approved")),
        _ => Err(DomainError::refused("message_not_dead", &[("id", &message.id)])),
    }
}
