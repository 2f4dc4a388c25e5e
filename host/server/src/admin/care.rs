//! `verify` and `doctor` beside a running service, read up to the last acknowledged line.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

use super::{Input, Progress, Tell, streamed};
use crate::app::{App, AppError};
use crate::care::verify::Report;
use crate::care::{Folder, Live, doctor, verify};

/// One at a time: each builds a store.
static AT_WORK: Mutex<()> = Mutex::new(());

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/verify", post(verify_here)).route("/doctor", post(doctor_here))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    quick: bool,
    #[serde(default)]
    printers: bool,
}

async fn verify_here(State(app): State<Arc<App>>, Input(options): Input<Options>) -> Response {
    streamed("verify", move |tell| {
        let options = verify::Options { quick: options.quick };
        with_folder(&app, tell, |folder, progress| verify::verify(folder, options, progress))
    })
}

async fn doctor_here(State(app): State<Arc<App>>, Input(options): Input<Options>) -> Response {
    streamed("doctor", move |tell| {
        let options = doctor::Options { quick: options.quick, printers: options.printers };
        with_folder(&app, tell, |folder, progress| doctor::examine(folder, options, progress))
    })
}

fn with_folder(
    app: &App,
    tell: &Tell,
    work: impl FnOnce(&Folder, &mut dyn FnMut(&str, u64, u64)) -> anyhow::Result<Report>,
) -> Result<Value, AppError> {
    let Some(_alone) = AT_WORK.try_lock() else { return Err(AppError::Overloaded) };
    let head = *app.writer.committed().borrow();
    let live = Live { head, store: app.store.clone() };
    let folder = Folder { config: app.config.clone(), live: Some(live) };
    let report = work(&folder, &mut |what, done, total| {
        tell.progress(Progress { text: what.to_owned(), done, total, per_s: 0 });
    });
    let report = report.map_err(AppError::internal)?;
    serde_json::to_value(report).map_err(AppError::internal)
}
