//! Sites (产地).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::command::Command;
use tianyin_domain::site::{self, AddSite, Site};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown_version};
use super::schema::Kind::{Decimal, Text};
use super::schema::{Described, Schema, opt, req};
use super::shapes::shape;
use crate::app::App;

const LISTING: Listing = Listing {
    all: None,
    filters: &[Filter {
        parameter: parameter("operator", Text, "Only this operator's."),
        field: "/operator",
        index: Some(site::BY_OPERATOR),
    }],
    switches: &[],
    search: &["/name", "/area_name"],
    newest_first: true,
    county_wide: false,
};

impl Described for AddSite {
    const SCHEMA: Schema = shape!(
        "AddSite",
        "A site to add.",
        [
            req("operator", Text, "Operator."),
            req("name", Text, "Name."),
            opt("area", Text, "Region code; the operator's when empty."),
            opt("area_name", Text, "Region in words; the operator's when empty."),
            req("size_mu", Decimal, "Size in 亩."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/sites", "Lists sites.", Good::Page(Site::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/sites", "Adds a site.", Good::Made(Site::SCHEMA), post(add))
            .body::<AddSite>(),
        Route::get("/sites/{id}", "Shows a site.", Good::Object(Site::SCHEMA), get(one))
            .versioned(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Site>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown_version::<Site>(&app, &caller, &id)
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<AddSite>,
) -> Answer {
    let outcome = app.submit_keyed(caller.actor(), Command::AddSite(command), key).await?;
    made::<Site>(&app, &caller, &outcome)
}
