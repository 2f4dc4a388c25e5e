//! Devices: list, approve, disable; pairing.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tianyin_domain::device::{self, ApproveDevice, Device, DeviceKind};
use tianyin_domain::token::TokenGroup;

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made_value, one, show};
use super::schema::Kind::{Boolean, Object, Text, Time, Whole};
use super::schema::{AREA_OR_NONE, Described, Schema, filled, line, opt, req};
use super::shapes::{DEVICE, DEVICE_KIND, DEVICE_STATUS, shape};
use crate::app::App;
use crate::http::Problem;

const LISTING: Listing = Listing {
    all: Some((device::BY_STATUS, "")),
    filters: &[
        Filter {
            parameter: parameter("status", DEVICE_STATUS, "Only this status."),
            field: "/status",
            index: Some(device::BY_STATUS),
        },
        Filter {
            parameter: parameter("kind", DEVICE_KIND, "Only this kind."),
            field: "/kind",
            index: None,
        },
    ],
    switches: &[],
    search: &["/id", "/name", "/model", "/place"],
    newest_first: false,
    county_wide: false,
};

/// Approval; the id stands in the path.
#[derive(Deserialize)]
struct Approval {
    name: String,
    kind: DeviceKind,
    #[serde(default)]
    model: String,
    #[serde(default)]
    place: String,
    #[serde(default)]
    area: String,
    #[serde(default)]
    operator: Option<String>,
    #[serde(default)]
    bench: String,
    #[serde(default)]
    decoder: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    dpi: u32,
    #[serde(default)]
    new_token: bool,
}

impl Described for Approval {
    const SCHEMA: Schema = shape!(
        "ApproveDevice",
        "Describes a device and lets it work.",
        [
            req("name", filled(64), "Name."),
            req("kind", DEVICE_KIND, "Kind."),
            opt("model", line(64), "Model."),
            opt("place", line(64), "Where it stands; shown with results."),
            opt("area", AREA_OR_NONE, "Region code."),
            opt("operator", Text, "Operator that owns it."),
            opt("bench", line(32), "Bench it belongs to."),
            opt("decoder", line(64), "Plugin for `up/raw`."),
            opt("address", line(128), "Network address of a printer, `host:port`."),
            opt("dpi", Whole(0, 65535), "Resolution of a printer, 203 or 300."),
            opt("new_token", Boolean, "Give out a new token; the old one stops working."),
        ]
    );
}

const APPROVED: Schema = shape!(
    "ApprovedDevice",
    "An approved device.",
    [
        req("device", Object(&DEVICE), "The device."),
        opt("token", Text, "Its token, told this once; MQTT password."),
    ]
);

const PAIRING: Schema = shape!(
    "Pairing",
    "Whether unknown devices may connect now.",
    [
        req("open", Boolean, "Whether pairing is open."),
        opt("code", Text, "Pairing code, the MQTT password of unknown devices."),
        opt("until", Time, "When it ends by itself."),
    ]
);

pub(super) fn routes() -> Vec<Route> {
    let device = Good::Object(Device::SCHEMA);
    vec![
        Route::get("/devices", "Lists devices.", Good::Page(Device::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::get("/devices/{id}", "Shows a device.", device, get(shown)),
        Route::post(
            "/devices/{id}/approve",
            "Describes and approves a device.",
            Good::Made(&APPROVED),
            post(approve),
        )
        .body::<Approval>(),
        Route::post("/devices/{id}/disable", "Disables a device.", device, post(disable)),
        Route::get(
            "/pairing",
            "Shows whether pairing is open.",
            Good::Object(&PAIRING),
            get(pairing),
        ),
        Route::post(
            "/pairing",
            "Opens pairing for ten minutes.",
            Good::Object(&PAIRING),
            post(open_pairing),
        ),
        Route::delete("/pairing", "Closes pairing.", Good::Nothing, delete(close_pairing)),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Device>(&app, &caller, &LISTING, query)
}

/// The device with what is known of its presence.
fn device(app: &App, caller: &Caller, id: &str) -> Result<Value, Problem> {
    let mut value = show(&one::<Device>(app, caller, id)?)?;
    let presence = app.presence(id);
    value["online"] = presence.online.into();
    if let Some(at) = presence.last_message_at {
        value["last_message_at"] = at.to_string().into();
    }
    Ok(value)
}

async fn shown(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    Ok(Json(device(&app, &caller, &id)?).into_response())
}

async fn approve(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
    Body(body): Body<Approval>,
) -> Answer {
    let command = ApproveDevice {
        id: id.clone(),
        name: body.name,
        kind: body.kind,
        model: body.model,
        place: body.place,
        area: body.area,
        operator: body.operator,
        bench: body.bench,
        decoder: body.decoder,
        address: body.address,
        dpi: body.dpi,
        token_sha256: String::new(),
    };
    let (outcome, token) = app.approve_device(caller.actor(), command, body.new_token, key).await?;
    let device = device(&app, &caller, &id).map_err(|problem| problem.after(&outcome))?;
    let answer = json!({ "device": device, "token": token });
    Ok(made_value::<Device>(&outcome, APPROVED.show(&answer)))
}

async fn disable(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
) -> Answer {
    app.disable_device(caller.actor(), &id, key).await?;
    Ok(Json(device(&app, &caller, &id)?).into_response())
}

fn pairing_answer(app: &App) -> Answer {
    let pairing = app.pairing();
    let answer = json!({
        "open": pairing.is_some(),
        "code": pairing.as_ref().map(|p| &p.code),
        "until": pairing.as_ref().map(|p| p.until),
    });
    Ok(Json(PAIRING.show(&answer)).into_response())
}

async fn pairing(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    caller.administrator_only()?;
    caller.any_group(&[TokenGroup::Devices])?;
    pairing_answer(&app)
}

async fn open_pairing(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    caller.administrator_only()?;
    caller.any_group(&[TokenGroup::Devices])?;
    app.open_pairing();
    pairing_answer(&app)
}

async fn close_pairing(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    caller.administrator_only()?;
    caller.any_group(&[TokenGroup::Devices])?;
    app.close_pairing();
    Ok(StatusCode::NO_CONTENT.into_response())
}
