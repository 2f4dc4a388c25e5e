//! What devices say, made durable before it is acknowledged. No plugin and no rule stands between.

use std::net::SocketAddr;
use std::sync::Weak;
use std::time::Instant;

use tianyin_domain::actor::Actor;
use tianyin_domain::command::Command;
use tianyin_domain::error::DomainError;
use tianyin_domain::message::{MessageKind, Payload, ReceiveMessage};
use tianyin_gateway::{
    Admission, Ingest, Login, NotStored, Offline, Refusal, RefuseReason, UpKind, UpMessage,
};
use tracing::{Instrument as _, field};

use super::devices::Presence;
use super::{App, AppError};
use crate::edge::now;

/// The gateway's way into the application. Holds it weakly: the gateway must not keep it alive.
pub struct Intake(pub Weak<App>);

#[async_trait::async_trait]
impl Ingest for Intake {
    async fn authenticate(&self, login: Login) -> Admission {
        let Some(app) = self.0.upgrade() else {
            return Admission::Refused(RefuseReason::NotAuthorized);
        };
        match app.admit_device(&login.device, &login.password).await {
            Ok(true) => Admission::Accepted,
            Ok(false) => {
                app.devices.note(&login.device, |p| p.last_refusal = "bad_token".into());
                app.stats.mqtt_refused.inc();
                tracing::warn!(device = %login.device, remote = ?login.remote, "device refused: wrong token or pairing code");
                Admission::Refused(RefuseReason::BadCredentials)
            }
            Err(e) => {
                tracing::error!(device = %login.device, error = %e, "device could not be checked");
                Admission::Refused(RefuseReason::NotAuthorized)
            }
        }
    }

    async fn received(&self, message: UpMessage) -> Result<(), NotStored> {
        let Some(app) = self.0.upgrade() else { return Err(NotStored::ReadOnly) };
        let (device, kind) = (&message.device, message.kind);
        let span = tracing::info_span!("mqtt", %device, %kind, message = field::Empty);
        let started = Instant::now();
        let _held = app.stats.mqtt_in_flight.hold();
        let stored = app.take_in(message).instrument(span).await;
        match &stored {
            Ok(()) => app.stats.mqtt_stored_us.see_since(started),
            Err(_) => app.stats.mqtt_withheld.inc(),
        }
        stored
    }

    async fn connected(&self, device: &str, remote: Option<SocketAddr>) {
        if let Some(app) = self.0.upgrade() {
            app.devices.note(device, |p| {
                p.online = true;
                p.since = Some(now());
                p.remote = remote;
                p.last_refusal.clear();
            });
            app.announce_device(device);
        }
    }

    async fn disconnected(&self, device: &str, why: Offline) {
        if let Some(app) = self.0.upgrade() {
            tracing::info!(device, why = ?why, "device offline");
            app.devices.note(device, |p| {
                p.online = false;
                p.since = Some(now());
            });
            app.announce_device(device);
        }
    }

    async fn refused(&self, refusal: Refusal) {
        if let Some(app) = self.0.upgrade() {
            app.stats.mqtt_refused.inc();
            tracing::warn!(device = %refusal.device, kind = ?refusal.kind, detail = %refusal.detail, "gateway refused");
            let text = format!("{:?}: {}", refusal.kind, refusal.detail);
            // A foreign topic at an external broker has no device.
            if refusal.device.is_empty() {
                return;
            }
            app.devices
                .note(&refusal.device, |p| p.last_refusal = text.chars().take(200).collect());
        }
    }
}

/// Why a message was not taken in, and one line in the log about it.
fn not_stored(error: &AppError, external: bool) -> NotStored {
    match error {
        // Disabled meanwhile, or its quarantine is full. The embedded broker refuses the
        // acknowledgement: the message stays with the device, the only place left for it. An
        // external one would keep it for us in the way of all others.
        AppError::Domain(refused) if external && !matches!(refused, DomainError::State(_)) => {
            tracing::warn!(error = %refused, "message refused");
            NotStored::Refused
        }
        error => {
            tracing::warn!(%error, "not stored, acknowledgement withheld");
            if matches!(error, AppError::ReadOnly(_)) {
                NotStored::ReadOnly
            } else {
                NotStored::Overloaded
            }
        }
    }
}

impl App {
    /// Makes a message durable. Every failure is logged here, once.
    async fn take_in(&self, message: UpMessage) -> Result<(), NotStored> {
        let external = self.config.mqtt.is_external();
        if external {
            match self.admit_heard(&message.device).await {
                Ok(true) => {}
                Ok(false) => return Err(NotStored::Refused),
                Err(error) => return Err(not_stored(&error, external)),
            }
        }
        self.devices.note(&message.device, |p| p.last_message_at = Some(now()));
        let kind = match message.kind {
            UpKind::Result => MessageKind::Result,
            UpKind::Raw => MessageKind::Raw,
            UpKind::Scan => MessageKind::Scan,
            // Status and progress are presence, not facts to be kept.
            UpKind::Status | UpKind::Print => return Ok(()),
        };
        let command = Command::ReceiveMessage(ReceiveMessage {
            device: message.device.clone(),
            kind,
            payload: Payload::from_bytes(&message.payload),
        });
        let actor = Actor::Device { id: message.device.clone() };
        match self.submit(&actor, command).await {
            Ok(outcome) => {
                tracing::Span::current().record("message", outcome.id.as_str());
                if !outcome.written {
                    self.pipeline_known(&message.device, &outcome.id);
                }
                Ok(())
            }
            // On record for good: the rest follows by itself once there is space.
            Err(AppError::Recorded(_)) => Ok(()),
            Err(error) => {
                let why = not_stored(&error, external);
                if why == NotStored::Refused {
                    let note = |p: &mut Presence| error.code().clone_into(&mut p.last_refusal);
                    self.devices.note(&message.device, note);
                }
                Err(why)
            }
        }
    }

    fn announce_device(&self, device: &str) {
        let area = self.county().ok().flatten().map(|c| c.area).unwrap_or_default();
        self.live.publish(super::live::Notice {
            topic: "device",
            id: device.to_owned(),
            area,
            owner: String::new(),
        });
    }
}
