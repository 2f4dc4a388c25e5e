//! Messages of devices: kept raw, listed by what became of them, decoded again on request.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use base64::Engine as _;
use tianyin_domain::command::Command;
use tianyin_domain::message::{self, Message, ReplayMessage};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, one, show};
use super::schema::Kind::{Choice, Text};
use super::shapes::MESSAGE_STATUS;
use crate::app::App;

const LISTING: Listing = Listing {
    all: Some((message::ALL, "")),
    filters: &[
        Filter {
            parameter: parameter("device", Text, "Only of this device."),
            field: "/device",
            index: Some(message::BY_DEVICE),
        },
        Filter {
            parameter: parameter("status", MESSAGE_STATUS, "Only this status."),
            field: "/status",
            index: Some(message::BY_STATUS),
        },
        Filter {
            parameter: parameter("kind", Choice(&["result", "raw", "scan"]), "Only this kind."),
            field: "/kind",
            index: None,
        },
    ],
    switches: &[],
    search: &["/device", "/sha256", "/detail"],
    newest_first: true,
    county_wide: false,
};

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Object(Message::SCHEMA);
    vec![
        Route::get("/messages", "Lists messages.", Good::Page(Message::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::get("/messages/{id}", "Shows a message with its bytes.", good, get(with_bytes)),
        Route::post(
            "/messages/{id}/replay",
            "Decodes a dead or quarantined message again.",
            Good::Made(Message::SCHEMA),
            post(replay),
        ),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    caller.staff_only()?;
    list::page::<Message>(&app, &caller, &LISTING, query)
}

async fn with_bytes(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.staff_only()?;
    let message: Message = one(&app, &caller, &id)?;
    let mut value = show(&message)?;
    let bytes = message.payload.to_bytes();
    value["raw"] = base64::engine::general_purpose::STANDARD.encode(bytes).into();
    Ok(Json(value).into_response())
}

async fn replay(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(message): Path<String>,
    Key(key): Key,
) -> Answer {
    let command = Command::ReplayMessage(ReplayMessage { message });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Message>(&app, &caller, &outcome)
}
