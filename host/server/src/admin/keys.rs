//! The county's signing keys: which there are, and the change of the one in force.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Done, Input, Who, streamed};
use crate::app::App;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/keys", get(list)).route("/keys/rotate", post(rotate))
}

async fn list(State(app): State<Arc<App>>) -> Answer {
    Ok(Done(json!({ "keys": app.published_keys()? })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    reason: String,
    #[serde(default)]
    compromised: bool,
}

async fn rotate(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Input(input): Input<Rotate>,
) -> Response {
    streamed("rotate-key", move |_| {
        let key = app.rotate_key(&who.actor(), input.reason, input.compromised)?;
        tracing::info!(by = who.name, key = key.fingerprint, "signing key changed by command line");
        Ok(json!({ "fingerprint": key.fingerprint, "pem": key.pem }))
    })
}
