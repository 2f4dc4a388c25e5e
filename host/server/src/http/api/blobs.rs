//! Photos and documents (附件): uploaded first, then referred to by their digest.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::json;
use tianyin_domain::token::TokenGroup;

use super::Answer;
use super::request::Caller;
use super::route::{Good, Route};
use super::shapes::BLOB;
use crate::app::App;
use crate::http::{ClientAddr, blobs};

/// What may be uploaded.
const MEDIA: [&str; 4] = ["image/jpeg", "image/png", "image/webp", "application/pdf"];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/blobs",
            "Uploads a photo or document of at most 8 MiB as the raw body; its kind is taken from its bytes. \
             The uploader may refer to it within an hour; the same bytes again give the same answer.",
            Good::Object(&BLOB),
            post(upload),
        )
        .raw(&MEDIA),
        Route::get(
            "/blobs/{hash}",
            "The file of an attachment, with its own media type.",
            Good::File("*/*"),
            get(file),
        ),
    ]
}

async fn upload(
    State(app): State<Arc<App>>,
    caller: Caller,
    client: ClientAddr,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    // What it is to be part of decides again.
    caller.any_group(&[TokenGroup::Register, TokenGroup::Records])?;
    let blob = blobs::receive(&app, caller.actor(), client.0, &headers, body).await?;
    let shown = json!({ "hash": blob.hash, "kind": blob.kind, "bytes": blob.bytes });
    Ok(Json(shown).into_response())
}

async fn file(State(app): State<Arc<App>>, caller: Caller, Path(hash): Path<String>) -> Answer {
    blobs::send(&app, caller.actor(), hash).await
}
