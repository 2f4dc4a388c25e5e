//! Plugins: list, install, switch off and on, at once.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Done, Input, Who};
use crate::app::plugins::{PACKAGE_BYTES_MAX, PluginInfo};
use crate::app::{App, AppError};

pub(super) fn router() -> Router<Arc<App>> {
    let package = DefaultBodyLimit::max(PACKAGE_BYTES_MAX);
    Router::new()
        .route("/plugins", get(list))
        .route("/plugins/install", post(install).layer(package))
        .route("/plugins/disable", post(disable))
        .route("/plugins/enable", post(enable))
}

fn shown(info: &PluginInfo) -> Value {
    json!({
        "id": info.id, "version": info.version, "title": info.title, "bundled": info.bundled,
        "disabled": info.disabled, "failure": info.failure,
    })
}

async fn list(State(app): State<Arc<App>>) -> Answer {
    let plugins: Vec<Value> = app.plugins.list().iter().map(shown).collect();
    Ok(Done(json!({ "plugins": plugins })))
}

/// The package's bytes, not its path: the service need not be able to read where it lies.
async fn install(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    package: Bytes,
) -> Answer {
    // Compiling and running the package's cases takes its time.
    let work = tokio::task::spawn_blocking(move || {
        let (info, path) = app.plugins.install(&package)?;
        tracing::info!(plugin = info.id, version = info.version, by = who.name, "plugin installed");
        anyhow::Ok(json!({ "plugin": shown(&info), "path": path }))
    });
    let done = work.await.map_err(AppError::internal)?;
    Ok(Done(done.map_err(|e| {
        AppError::refused_with("plugin_refused", vec![("detail", format!("{e:#}"))])
    })?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Id {
    id: String,
}

async fn disable(state: State<Arc<App>>, who: Extension<Who>, Input(input): Input<Id>) -> Answer {
    switch(state, who, input.id, false).await
}

async fn enable(state: State<Arc<App>>, who: Extension<Who>, Input(input): Input<Id>) -> Answer {
    switch(state, who, input.id, true).await
}

async fn switch(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    id: String,
    on: bool,
) -> Answer {
    let work = tokio::task::spawn_blocking(move || {
        let info = app.plugins.switch(&id, on).map_err(AppError::internal)?;
        let info =
            info.ok_or_else(|| AppError::refused_with("no_such_plugin", vec![("id", id)]))?;
        tracing::info!(plugin = info.id, on, by = who.name, "plugin switched");
        Ok::<_, AppError>(shown(&info))
    });
    Ok(Done(json!({ "plugin": work.await.map_err(AppError::internal)?? })))
}
