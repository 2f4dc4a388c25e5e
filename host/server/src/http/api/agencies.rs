//! Agencies (监管、检测、执法机构,乡镇监管站,村级服务站点).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use tianyin_domain::agency::{self, AddAgency, Agency};
use tianyin_domain::command::Command;

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, show, shown};
use super::schema::{AREA, Described, Schema, filled, req};
use super::shapes::{AGENCY_KIND, shape};
use crate::app::App;
use crate::http::Problem;

const LISTING: Listing = Listing {
    all: Some((agency::ALL, "")),
    filters: &[Filter {
        parameter: parameter("kind", AGENCY_KIND, "Only this kind."),
        field: "/kind",
        index: None,
    }],
    switches: &[],
    search: &["/name"],
    newest_first: false,
    county_wide: false,
};

impl Described for AddAgency {
    const SCHEMA: Schema = shape!(
        "AddAgency",
        "An agency to add.",
        [
            req("name", filled(64), "Full name."),
            req("kind", AGENCY_KIND, "Kind."),
            req("area", AREA, "The county's code for its own bodies, a township's for the others."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/agencies", "Lists agencies.", Good::Page(Agency::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/agencies", "Adds an agency.", Good::Made(Agency::SCHEMA), post(add))
            .body::<AddAgency>(),
        Route::get("/agencies/{id}", "Shows an agency.", Good::Object(Agency::SCHEMA), get(one)),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    caller.staff_only()?;
    list::page::<Agency>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.staff_only()?;
    // A service point's people see no area, but where they work.
    if caller.session.user.agency.as_deref() == Some(&id) {
        let own: Agency = app.store.get(&id)?.ok_or_else(Problem::not_found)?;
        return Ok(Json(show(&own)?).into_response());
    }
    shown::<Agency>(&app, &caller, &id)
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<AddAgency>,
) -> Answer {
    let outcome = app.submit_keyed(caller.actor(), Command::AddAgency(command), key).await?;
    made::<Agency>(&app, &caller, &outcome)
}
