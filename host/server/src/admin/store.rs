//! The store: rebuild beside the running service.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};

use super::{Progress, Who, streamed};
use crate::app::{App, AppError};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/store/rebuild", post(rebuild))
}

/// Goes on when whoever asked leaves; `GET /status` tells how far it is.
async fn rebuild(State(app): State<Arc<App>>, Extension(who): Extension<Who>) -> Response {
    streamed("rebuild", move |tell| {
        tracing::info!(by = who.name, "rebuild asked for at the command line");
        let ended = app.rebuild_store(|now| {
            tell.progress(Progress {
                text: "重建数据库 / rebuilding".into(),
                done: now.done,
                total: now.total,
                per_s: now.per_s,
            });
        })?;
        serde_json::to_value(ended).map_err(AppError::internal)
    })
}
