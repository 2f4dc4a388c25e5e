//! The installation's own settings.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::{get, put};
use serde::Deserialize;
use tianyin_domain::command::Command;
use tianyin_domain::county::{ConfigureCounty, County};

use super::Answer;
use super::request::{Body, Caller, Key};
use super::route::{Good, Route, Shown, show};
use super::schema::Kind::Formed;
use super::schema::{Described, Schema, req};
use super::shapes::shape;
use crate::app::App;
use crate::http::Problem;

/// What may change after set-up.
#[derive(Deserialize)]
struct Settings {
    public_url: String,
}

impl Described for Settings {
    const SCHEMA: Schema = shape!(
        "ConfigureCounty",
        "What may change after set-up.",
        [req(
            "public_url",
            Formed("^https?://[A-Za-z0-9._:/-]*[A-Za-z0-9._:-]$"),
            "Address in QR codes of labels printed from now on."
        ),]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Object(County::SCHEMA);
    vec![
        Route::get("/county", "Shows the county.", good, get(shown)),
        Route::put("/county", "Sets the public address.", good, put(configure)).body::<Settings>(),
    ]
}

fn county(app: &App) -> Result<County, Problem> {
    app.county()?.ok_or_else(|| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_set_up"))
}

async fn shown(State(app): State<Arc<App>>, _: Caller) -> Answer {
    Ok(Json(show(&county(&app)?)?).into_response())
}

async fn configure(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(body): Body<Settings>,
) -> Answer {
    let old = county(&app)?;
    let command = ConfigureCounty {
        area: old.area,
        name: old.name,
        full_name: old.full_name,
        public_url: body.public_url,
    };
    let outcome = app.submit_keyed(caller.actor(), Command::ConfigureCounty(command), key).await?;
    let now = county(&app).map_err(|problem| problem.after(&outcome))?;
    Ok(Json(show(&now)?).into_response())
}
