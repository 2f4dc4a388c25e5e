//! Devices: analyzers, scanners and printers, with pairing, approval and tokens.
//!
//! A device that sits on a `bench` shares what was scanned there: the lot scanned last is what the
//! analyzer measures next.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::state::{Entity, Entry, Index, Table};
use crate::time::Time;

/// Kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Residue analyzer.
    Analyzer,
    /// Scanner.
    Scanner,
    /// Label printer.
    Printer,
}

impl DeviceKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 3] = [Self::Analyzer, Self::Scanner, Self::Printer];
}

/// Whether a device may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceStatus {
    /// Paired with the pairing code; what it sends is kept in quarantine.
    Pending,
    /// Works with its own token.
    Approved,
    /// Refused.
    Disabled,
}

impl DeviceStatus {
    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Disabled => "disabled",
        }
    }
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Id, also its MQTT user name: 1 to 64 of `A-Z a-z 0-9 _ -`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Kind.
    pub kind: DeviceKind,
    /// Model as on the plate.
    #[serde(default)]
    pub model: String,
    /// Where it stands, such as 花石镇检测室; shown with a result.
    #[serde(default)]
    pub place: String,
    /// Region code.
    #[serde(default)]
    pub area: String,
    /// Operator that owns it; an agency's when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Bench it belongs to; empty when it stands alone.
    #[serde(default)]
    pub bench: String,
    /// Plugin that decodes what it sends on `up/raw`.
    #[serde(default)]
    pub decoder: String,
    /// Network address of a printer, `host:port`.
    #[serde(default)]
    pub address: String,
    /// Resolution of a printer, dots per inch.
    #[serde(default)]
    pub dpi: u32,
    /// Status.
    pub status: DeviceStatus,
    /// SHA-256 (hex) of its token; the token has 256 random bits, so a fast digest is enough.
    #[serde(default)]
    pub token_sha256: String,
    /// When it was first known.
    pub added_at: Time,
}

/// By status; part `""` holds all.
pub const BY_STATUS: Index = Index("device.status");

impl Entity for Device {
    const TABLE: Table = Table("device");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![
            Entry::new(BY_STATUS, self.status.as_str(), &self.id),
            Entry::new(BY_STATUS, "", &self.id),
        ]
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        self.operator.as_deref().unwrap_or_default()
    }
}

/// What was scanned last on a bench.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bench {
    /// Bench name.
    pub id: String,
    /// Lot scanned; empty for a sample of what was not harvested yet.
    pub lot: String,
    /// Sample scanned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<String>,
    /// When, by the server's clock.
    pub scanned_at: Time,
}

impl Entity for Bench {
    const TABLE: Table = Table("bench");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

/// Command: describes a device, by an administrator; approves it and sets its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproveDevice {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: DeviceKind,
    /// Model.
    #[serde(default)]
    pub model: String,
    /// Place.
    #[serde(default)]
    pub place: String,
    /// Region code.
    #[serde(default)]
    pub area: String,
    /// Owner, when an operator's.
    #[serde(default)]
    pub operator: Option<String>,
    /// Bench.
    #[serde(default)]
    pub bench: String,
    /// Decoder plugin.
    #[serde(default)]
    pub decoder: String,
    /// Printer address.
    #[serde(default)]
    pub address: String,
    /// Printer resolution.
    #[serde(default)]
    pub dpi: u32,
    /// SHA-256 of the token given out with this approval; empty keeps the old one.
    #[serde(default)]
    pub token_sha256: String,
}

/// Command and event payload: an unknown device connected with the pairing code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairDevice {
    /// Id it gave.
    pub id: String,
}

/// Command and event payload: an administrator disabled a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisableDevice {
    /// Id.
    pub id: String,
}

/// Command and event payload: the label of a lot or sample was scanned on a bench.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanLot {
    /// Scanner.
    pub device: String,
    /// Bench.
    pub bench: String,
    /// Lot id; empty for a sample of what was not harvested yet.
    pub lot: String,
    /// Sample, where its label was scanned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<String>,
}

/// Whether the text can be a device id, which is also an MQTT topic level.
pub fn is_device_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

pub(crate) fn pair(ctx: &mut Context<'_>, c: &PairDevice) -> Result<Option<Device>, DomainError> {
    if !is_device_id(&c.id) {
        return Err(DomainError::field("id", "bad_device_id"));
    }
    if let Some(known) = ctx.state.get::<Device>(&c.id)? {
        return match known.status {
            DeviceStatus::Pending => Ok(None),
            _ => Err(DomainError::refused("device_known", &[("id", &c.id)])),
        };
    }
    Ok(Some(Device {
        id: c.id.clone(),
        name: c.id.clone(),
        kind: DeviceKind::Analyzer,
        model: String::new(),
        place: String::new(),
        area: String::new(),
        operator: None,
        bench: String::new(),
        decoder: String::new(),
        address: String::new(),
        dpi: 0,
        status: DeviceStatus::Pending,
        token_sha256: String::new(),
        added_at: ctx.time,
    }))
}

pub(crate) fn approve(ctx: &mut Context<'_>, c: ApproveDevice) -> Result<Device, DomainError> {
    let old = ctx.state.get::<Device>(&c.id)?;
    let token_sha256 = if c.token_sha256.is_empty() {
        old.as_ref().map(|d| d.token_sha256.clone()).unwrap_or_default()
    } else {
        c.token_sha256
    };
    let mut check = Check::new();
    check
        .ensure(is_device_id(&c.id), "id", "bad_device_id")
        .text("name", &c.name, 64)
        .optional_text("model", &c.model, 64)
        .optional_text("place", &c.place, 64)
        .optional_text("bench", &c.bench, 32)
        .optional_text("decoder", &c.decoder, 64)
        .optional_text("address", &c.address, 128);
    if !c.area.is_empty() {
        check.area("area", &c.area);
    }
    if c.kind == DeviceKind::Printer {
        check.text("address", &c.address, 128).ensure(matches!(c.dpi, 203 | 300), "dpi", "bad_dpi");
    }
    check.done()?;
    if let Some(operator) = &c.operator {
        ctx.require::<crate::operator::Operator>("operator", operator)?;
    }
    Ok(Device {
        id: c.id,
        name: c.name.trim().into(),
        kind: c.kind,
        model: c.model,
        place: c.place,
        area: c.area,
        operator: c.operator,
        bench: c.bench,
        decoder: c.decoder,
        address: c.address,
        dpi: c.dpi,
        status: DeviceStatus::Approved,
        token_sha256,
        added_at: old.map_or(ctx.time, |d| d.added_at),
    })
}
