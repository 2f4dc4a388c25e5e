//! The static mirror: how it stands, an export to another folder, scans counted from a log.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::json;
use tianyin_domain::State as _;
use tianyin_domain::mirror_log::{self, ImportMirrorLog, MirrorLog};

use super::{Answer, Done, Input, Progress, Who, streamed};
use crate::app::{App, AppError, mirror};

/// Room for the counts of one command: a thousand codes, each with its cities.
const COUNTS_BYTES_MAX: usize = 1 << 20;
/// Logs told at most.
const LOGS_MAX: usize = 100;

pub(super) fn router() -> Router<Arc<App>> {
    let counts = DefaultBodyLimit::max(COUNTS_BYTES_MAX);
    Router::new()
        .route("/mirror", get(status))
        .route("/mirror/export", post(export))
        .route("/mirror/log", post(place))
        .route("/mirror/log/count", post(count).layer(counts))
}

async fn status(State(app): State<Arc<App>>) -> Answer {
    let names = app.store.ids(mirror_log::ALL, "", LOGS_MAX).map_err(AppError::from)?;
    let mut logs = Vec::with_capacity(names.len());
    for name in names {
        logs.extend(app.store.get::<MirrorLog>(&name).map_err(AppError::internal)?);
    }
    Ok(Done(json!({ "mirror": app.mirror.state(), "logs": logs })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    /// Absolute.
    dir: PathBuf,
}

async fn export(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Input(input): Input<Export>,
) -> Response {
    streamed("mirror-export", move |tell| {
        tracing::info!(by = who.name, dir = %input.dir.display(), "export of the pages asked for at the command line");
        let exported = mirror::export(&app, &input.dir, |done, total| {
            tell.progress(Progress {
                text: "导出页面 / exporting pages".into(),
                done,
                total,
                per_s: 0,
            });
        })?;
        serde_json::to_value(exported).map_err(AppError::internal)
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    name: String,
}

async fn place(State(app): State<Arc<App>>, Input(input): Input<Log>) -> Answer {
    Ok(Done(json!({ "place": app.mirror_log_place(&input.name)? })))
}

async fn count(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Input(import): Input<ImportMirrorLog>,
) -> Answer {
    let work = move || app.count_mirror_log(&who.actor(), import);
    let counted = tokio::task::spawn_blocking(work).await.map_err(AppError::internal)??;
    Ok(Done(json!(counted)))
}
