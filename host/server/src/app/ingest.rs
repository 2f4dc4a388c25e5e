//! What devices say, made durable before it is acknowledged. No plugin and no rule stands between.

use std::net::SocketAddr;
use std::sync::Weak;

use tianyin_domain::actor::Actor;
use tianyin_domain::command::Command;
use tianyin_domain::error::DomainError;
use tianyin_domain::message::{MessageKind, Payload, ReceiveMessage};
use tianyin_gateway::{
    Admission, Ingest, Login, NotStored, Offline, Refusal, RefuseReason, UpKind, UpMessage,
};

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
        let external = app.config.mqtt.is_external();
        if external {
            match app.admit_heard(&message.device).await {
                Ok(true) => {}
                Ok(false) => return Err(NotStored::Refused),
                Err(error) => return Err(not_stored(&error, &message.device, external)),
            }
        }
        app.devices.note(&message.device, |p| p.last_message_at = Some(now()));
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
        match app.submit(&actor, command).await {
            Ok(outcome) => {
                if !outcome.written {
                    app.pipeline_known(&message.device, &outcome.id);
                }
                Ok(())
            }
            // On record for good: the rest follows by itself once there is space.
            Err(AppError::Recorded(_)) => Ok(()),
            Err(error) => {
                let why = not_stored(&error, &message.device, external);
                if why == NotStored::Refused {
                    app.devices
                        .note(&message.device, |p| error.code().clone_into(&mut p.last_refusal));
                }
                Err(why)
            }
        }
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

fn not_stored(error: &AppError, device: &str, external: bool) -> NotStored {
    match error {
        AppError::Overloaded => NotStored::Overloaded,
        AppError::ReadOnly(_) => NotStored::ReadOnly,
        // Disabled meanwhile, or its quarantine is full. The embedded broker refuses the
        // acknowledgement: the message stays with the device, the only place left for it. An
        // external one would keep it for us in the way of all others.
        AppError::Domain(refused) if external && !matches!(refused, DomainError::State(_)) => {
            tracing::warn!(device, error = %refused, "message refused");
            NotStored::Refused
        }
        error => {
            tracing::warn!(device, error = %error, "message not taken in");
            NotStored::Overloaded
        }
    }
}

impl App {
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
