//! Devices: list, approve, disable, pairing.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::json;
use tianyin_domain::State as _;
use tianyin_domain::device::{self, ApproveDevice, Device};

use super::{Answer, Done, Input, Who};
use crate::app::{App, AppError};

/// Devices listed at most.
const DEVICES_MAX: usize = 10_000;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/devices", get(list))
        .route("/devices/approve", post(approve))
        .route("/devices/disable", post(disable))
        .route("/devices/pair", post(pair))
}

async fn list(State(app): State<Arc<App>>) -> Answer {
    let ids = app.store.ids(device::BY_STATUS, "", DEVICES_MAX).map_err(AppError::from)?;
    let mut devices = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(d) = app.store.get::<Device>(&id).map_err(AppError::internal)? else { continue };
        let presence = app.presence(&id);
        devices.push(json!({
            "id": d.id, "name": d.name, "kind": d.kind, "model": d.model, "place": d.place,
            "bench": d.bench, "decoder": d.decoder, "address": d.address, "status": d.status,
            "online": presence.online,
            "last_message_at": presence.last_message_at,
            "last_refusal": presence.last_refusal,
        }));
    }
    Ok(Done(json!({ "devices": devices })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approval {
    device: ApproveDevice,
    new_token: bool,
}

async fn approve(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Input(input): Input<Approval>,
) -> Answer {
    let id = input.device.id.clone();
    // Left-out values stay what they are: at a shell nobody types a description twice.
    let mut command = input.device;
    if let Some(known) = app.store.get::<Device>(&id).map_err(AppError::internal)? {
        keep(&mut command.name, known.name);
        keep(&mut command.model, known.model);
        keep(&mut command.place, known.place);
        keep(&mut command.area, known.area);
        keep(&mut command.bench, known.bench);
        keep(&mut command.decoder, known.decoder);
        keep(&mut command.address, known.address);
        command.operator = command.operator.or(known.operator);
        if command.dpi == 0 {
            command.dpi = known.dpi;
        }
    }
    let (_, token) = app.approve_device(&who.actor(), command, input.new_token, None).await?;
    Ok(Done(json!({ "id": id, "token": token })))
}

fn keep(given: &mut String, known: String) {
    if given.is_empty() {
        *given = known;
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Id {
    id: String,
}

async fn disable(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Input(input): Input<Id>,
) -> Answer {
    app.disable_device(&who.actor(), &input.id, None).await?;
    Ok(Done(json!({ "id": input.id })))
}

/// Unknown devices are let in by the running gateway only.
async fn pair(State(app): State<Arc<App>>, Extension(who): Extension<Who>) -> Answer {
    if app.gateway().is_none() {
        return Err(AppError::refused("needs_running").into());
    }
    let pairing = app.open_pairing();
    tracing::info!(by = who.name, "pairing opened at the command line");
    Ok(Done(json!({ "code": pairing.code, "until": pairing.until })))
}
