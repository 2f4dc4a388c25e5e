//! The county's signing keys for everybody: the one in force, all there ever were, with their time; and the page that
//! verifies offline proofs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tower_http::compression::CompressionLayer;

use super::verify;
use crate::app::App;
use crate::http::Problem;
use crate::proof::write_keys;

/// Seconds that an answer may be kept: what is signed by a new key is soon verified everywhere.
const KEPT: &str = "public, max-age=300";

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/keys/county.pem", get(county))
        .route("/keys/all.pem", get(all))
        .route("/keys/history.json", get(history))
        .route("/verify", get(verify::page))
        .route("/verify.html", get(verify::page))
        .layer(CompressionLayer::new())
}

/// The key in force.
async fn county(State(app): State<Arc<App>>) -> Response {
    pem("county.pem", app.signer.current().public_pem().to_owned())
}

/// All keys, the oldest first, each after a comment with its time.
async fn all(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    Ok(pem("all.pem", write_keys(&app.published_keys()?)))
}

/// The same as JSON.
async fn history(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let headers = [(header::CACHE_CONTROL, KEPT)];
    Ok((headers, Json(app.published_keys()?)).into_response())
}

fn pem(name: &str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/x-pem-file".to_owned()),
        (header::CACHE_CONTROL, KEPT.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, text).into_response()
}
