//! Pairing, approval and presence of devices.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tianyin_domain::actor::Actor;
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::device::{
    ApproveDevice, Device, DeviceKind, DeviceStatus, DisableDevice, PairDevice,
};
use tianyin_domain::id::Random as _;
use tianyin_domain::{State, Time};
use tianyin_gateway::DownKind;

use super::{App, AppError};
use crate::edge::{OsRandom, new_token, now, sha256_hex};

/// Pairing ends by itself after this time.
pub const PAIRING: Duration = Duration::from_secs(600);
/// Devices that one pairing may bring in.
const PAIRED_MAX: usize = 16;
/// Wrong pairing codes in a row that end the pairing.
const WRONG_CODES_MAX: usize = 20;
/// Unknown devices remembered; when there are more, the one heard least recently is forgotten.
const STRANGERS_MAX: usize = 64;
/// Presence records kept.
const PRESENCES_MAX: usize = 4096;

/// An open pairing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingCode {
    /// Eight digits, the password of unknown devices.
    pub code: String,
    /// When it ends.
    pub until: Time,
}

struct Pairing {
    shown: PairingCode,
    since: Instant,
    paired: usize,
    wrong: usize,
}

/// Whether a device is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence {
    /// Whether it is connected.
    pub online: bool,
    /// Since when it is as it is.
    pub since: Option<Time>,
    /// When it last sent something.
    pub last_message_at: Option<Time>,
    /// Address it connected from.
    pub remote: Option<SocketAddr>,
    /// Why it was last turned away, as the gateway told it.
    pub last_refusal: String,
}

/// A device heard through an external broker that may not send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// Id in its topic.
    pub id: String,
    /// Messages refused.
    pub messages: u64,
    /// When the last one came.
    pub last_at: Time,
}

/// State of pairing and presence, in memory.
#[derive(Default)]
pub struct Devices {
    pairing: Mutex<Option<Pairing>>,
    presences: Mutex<HashMap<String, Presence>>,
    strangers: Mutex<HashMap<String, Stranger>>,
}

impl Devices {
    /// Changes what is known of a device's presence.
    pub fn note(&self, device: &str, change: impl FnOnce(&mut Presence)) {
        let mut presences = self.presences.lock();
        if presences.len() >= PRESENCES_MAX && !presences.contains_key(device) {
            presences.retain(|_, p| p.online);
        }
        change(presences.entry(device.to_owned()).or_default());
    }

    /// Remembers that an unknown device was turned away. True when it had not been heard before.
    fn note_stranger(&self, id: &str) -> bool {
        let mut strangers = self.strangers.lock();
        if let Some(known) = strangers.get_mut(id) {
            (known.messages, known.last_at) = (known.messages + 1, now());
            return false;
        }
        if strangers.len() >= STRANGERS_MAX {
            let oldest = strangers.values().min_by_key(|s| s.last_at).map(|s| s.id.clone());
            oldest.and_then(|id| strangers.remove(&id));
        }
        let stranger = Stranger { id: id.to_owned(), messages: 1, last_at: now() };
        strangers.insert(id.to_owned(), stranger);
        true
    }
}

impl App {
    /// Lets unknown devices in for ten minutes, with a fresh code.
    pub fn open_pairing(&self) -> PairingCode {
        let mut bytes = [0u8; 8];
        OsRandom.fill(&mut bytes);
        let code = format!("{:08}", u64::from_le_bytes(bytes) % 100_000_000);
        let until = now() + jiff::SignedDuration::from_secs(PAIRING.as_secs().cast_signed());
        let shown = PairingCode { code, until };
        *self.devices.pairing.lock() =
            Some(Pairing { shown: shown.clone(), since: Instant::now(), paired: 0, wrong: 0 });
        shown
    }

    /// Ends pairing.
    pub fn close_pairing(&self) {
        *self.devices.pairing.lock() = None;
    }

    /// The open pairing, if there is one.
    pub fn pairing(&self) -> Option<PairingCode> {
        let mut pairing = self.devices.pairing.lock();
        if pairing.as_ref().is_some_and(|p| p.since.elapsed() > PAIRING) {
            *pairing = None;
        }
        pairing.as_ref().map(|p| p.shown.clone())
    }

    /// Whether a device with this password may connect.
    pub async fn admit_device(&self, id: &str, password: &[u8]) -> Result<bool, AppError> {
        let state: &dyn State = &self.store;
        match state.get::<Device>(id)? {
            Some(device) => match device.status {
                DeviceStatus::Approved => {
                    let same = !device.token_sha256.is_empty()
                        && sha256_hex(password) == device.token_sha256;
                    Ok(same)
                }
                DeviceStatus::Pending => Ok(self.pairing_code_fits(password, false)),
                DeviceStatus::Disabled => Ok(false),
            },
            None if self.pairing_code_fits(password, true) => {
                let actor = Actor::Device { id: id.to_owned() };
                let command = Command::PairDevice(PairDevice { id: id.to_owned() });
                self.submit(&actor, command).await?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Whether what an external broker delivers in the name of a device is taken in. The broker
    /// vouches for the name, and passes no password on: while pairing is open, an unknown device
    /// that is heard becomes one to be approved; else it is remembered and refused.
    pub async fn admit_heard(&self, id: &str) -> Result<bool, AppError> {
        let state: &dyn State = &self.store;
        if let Some(device) = state.get::<Device>(id)? {
            let disabled = device.status == DeviceStatus::Disabled;
            if disabled {
                self.devices.note(id, |p| p.last_refusal = "device_disabled".into());
            }
            return Ok(!disabled);
        }
        if self.take_pairing_place() {
            let actor = Actor::Device { id: id.to_owned() };
            let command = Command::PairDevice(PairDevice { id: id.to_owned() });
            if let Err(error) = self.submit(&actor, command).await {
                if let Some(pairing) = self.devices.pairing.lock().as_mut() {
                    pairing.paired = pairing.paired.saturating_sub(1);
                }
                return Err(error);
            }
            self.devices.strangers.lock().remove(id);
            return Ok(true);
        }
        if self.devices.note_stranger(id) {
            tracing::warn!(device = id, "unknown device refused; open pairing to let it in");
        }
        Ok(false)
    }

    fn take_pairing_place(&self) -> bool {
        let mut guard = self.devices.pairing.lock();
        let Some(pairing) = guard.as_mut() else { return false };
        if pairing.since.elapsed() > PAIRING || pairing.paired >= PAIRED_MAX {
            return false;
        }
        pairing.paired += 1;
        true
    }

    /// Unknown devices heard through an external broker, the latest first.
    pub fn strangers(&self) -> Vec<Stranger> {
        let mut all: Vec<Stranger> = self.devices.strangers.lock().values().cloned().collect();
        all.sort_by(|a, b| b.last_at.cmp(&a.last_at).then_with(|| a.id.cmp(&b.id)));
        all
    }

    fn pairing_code_fits(&self, password: &[u8], new_device: bool) -> bool {
        let mut guard = self.devices.pairing.lock();
        let Some(pairing) = guard.as_mut() else { return false };
        if pairing.since.elapsed() > PAIRING {
            *guard = None;
            return false;
        }
        if pairing.shown.code.as_bytes() != password {
            // A device that keeps knocking with an old token is no guesser.
            let guess = password.len() == 8 && password.iter().all(u8::is_ascii_digit);
            pairing.wrong += usize::from(guess);
            if pairing.wrong >= WRONG_CODES_MAX {
                tracing::warn!("pairing closed: too many wrong codes");
                *guard = None;
            }
            return false;
        }
        if new_device {
            if pairing.paired >= PAIRED_MAX {
                return false;
            }
            pairing.paired += 1;
        }
        true
    }

    /// Describes and approves a device. With `new_token` it gets a token, answered once and, when
    /// the device is connected, sent to it on `down/cmd`.
    pub async fn approve_device(
        &self,
        actor: &Actor,
        mut command: ApproveDevice,
        new_token_wanted: bool,
        idempotency_key: Option<String>,
    ) -> Result<(Outcome, Option<String>), AppError> {
        // With an external broker that one keeps the passwords, and a printer has none.
        let ours = command.kind != DeviceKind::Printer && !self.config.mqtt.is_external();
        let token = (new_token_wanted && ours).then(new_token);
        command.token_sha256 = token.as_ref().map(|t| sha256_hex(t.as_bytes())).unwrap_or_default();
        let id = command.id.clone();
        let command = Command::ApproveDevice(command);
        let outcome = self.submit_keyed(actor, command, idempotency_key).await?;
        // A repeated request wrote nothing, so the token just drawn is not the device's.
        let token = token.filter(|_| outcome.written);
        if let (Some(token), Some(gateway)) = (&token, self.gateway()) {
            let payload = serde_json::json!({ "cmd": "token", "token": token }).to_string();
            if let Err(e) = gateway.send(&id, DownKind::Cmd, payload.into_bytes()).await {
                tracing::warn!(device = %id, error = %e, "the new token was not delivered");
            }
        }
        Ok((outcome, token))
    }

    /// Disables a device and ends its connections.
    pub async fn disable_device(
        &self,
        actor: &Actor,
        id: &str,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let command = Command::DisableDevice(DisableDevice { id: id.to_owned() });
        let outcome = self.submit_keyed(actor, command, idempotency_key).await?;
        if let Some(gateway) = self.gateway() {
            gateway.kick(id).await;
        }
        Ok(outcome)
    }

    /// Whether a device is there.
    pub fn presence(&self, device: &str) -> Presence {
        self.devices.presences.lock().get(device).cloned().unwrap_or_default()
    }

    /// How many devices are connected.
    pub fn devices_online(&self) -> usize {
        self.gateway().map_or(0, tianyin_gateway::Gateway::devices_online)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_counted_and_never_too_many() {
        let devices = Devices::default();
        assert!(devices.note_stranger("a"));
        assert!(!devices.note_stranger("a"));
        assert_eq!(devices.strangers.lock()["a"].messages, 2);
        for n in 0..1000 {
            devices.note_stranger(&format!("b{n}"));
        }
        assert_eq!(devices.strangers.lock().len(), STRANGERS_MAX);
        assert!(devices.strangers.lock().contains_key("b999"));
    }
}
