//! Agricultural inputs (投入品): one catalogue for the county.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use tianyin_domain::command::Command;
use tianyin_domain::input::{self, AddInput, Input};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made_value, show};
use super::schema::Kind::{Few, Object};
use super::schema::{Described, Schema, filled, line, opt, req};
use super::shapes::{INPUT_KIND, USE, shape};
use crate::app::App;
use crate::http::Problem;

const LISTING: Listing = Listing {
    all: Some((input::ALL, "")),
    filters: &[Filter {
        parameter: parameter("kind", INPUT_KIND, "Only this kind."),
        field: "/kind",
        index: None,
    }],
    switches: &[],
    search: &["/name", "/registration_no", "/substances"],
    newest_first: false,
    county_wide: true,
};

impl Described for AddInput {
    const SCHEMA: Schema = shape!(
        "AddInput",
        "An input to add.",
        [
            req("name", filled(64), "Trade name."),
            req("kind", INPUT_KIND, "Kind."),
            opt("registration_no", line(32), "Registration number."),
            opt("substances", Few(&filled(32), 0, 8), "Active substances by common Chinese name."),
            opt("uses", Few(&Object(&USE), 0, 64), "Registered uses."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/inputs", "Lists inputs.", Good::Page(Input::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/inputs", "Adds an input.", Good::Made(Input::SCHEMA), post(add))
            .body::<AddInput>(),
        Route::get("/inputs/{id}", "Shows an input.", Good::Object(Input::SCHEMA), get(one)),
    ]
}

/// Everybody who is signed in may read the catalogue.
fn find(app: &App, _: &Caller, id: &str) -> Result<Input, Problem> {
    app.store.get(id)?.ok_or_else(Problem::not_found)
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Input>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    Ok(Json(show(&find(&app, &caller, &id)?)?).into_response())
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<AddInput>,
) -> Answer {
    let outcome = app.submit_keyed(caller.actor(), Command::AddInput(command), key).await?;
    let record = find(&app, &caller, &outcome.id).and_then(|input| show(&input));
    let record = record.map_err(|problem| problem.after(&outcome))?;
    Ok(made_value::<Input>(&outcome, record))
}
