//! Standing authorisations to issue certificates in an operator's name.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::authorisation::{self, Authorisation, GrantAuthorisation, RevokeAuthorisation};
use tianyin_domain::command::Command;

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Boolean, Date, Text};
use super::schema::{Described, Schema, filled, opt, req};
use super::shapes::shape;
use crate::app::App;

const LISTING: Listing = Listing {
    all: None,
    filters: &[Filter {
        parameter: parameter("operator", Text, "Operator; must be given, except by producers."),
        field: "/operator",
        index: Some(authorisation::BY_OPERATOR),
    }],
    switches: &[],
    search: &["/granted_by", "/evidence"],
    newest_first: true,
    county_wide: false,
};

impl Described for GrantAuthorisation {
    const SCHEMA: Schema = shape!(
        "GrantAuthorisation",
        "An authorisation to record.",
        [
            req("operator", Text, "Operator that grants it."),
            opt("product", Text, "Product; every product when absent."),
            req("granted_by", filled(32), "Person who granted it."),
            req("evidence", filled(128), "Evidence on paper."),
            opt("auto_issue", Boolean, "A passing test issues and prints at once."),
            opt("printer", Text, "Printer for automatic labels."),
            req("valid_from", Date, "First day."),
            opt("valid_to", Date, "Last day; open-ended when absent."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let schema = Authorisation::SCHEMA;
    vec![
        Route::get(
            "/authorisations",
            "Lists an operator's authorisations.",
            Good::Page(schema),
            get(list),
        )
        .query(&[&LISTING.parameters()]),
        Route::post(
            "/authorisations",
            "Records an authorisation.",
            Good::Made(schema),
            post(grant),
        )
        .body::<GrantAuthorisation>(),
        Route::get(
            "/authorisations/{id}",
            "Shows an authorisation.",
            Good::Object(schema),
            get(one),
        ),
        Route::post(
            "/authorisations/{id}/revoke",
            "Revokes an authorisation.",
            Good::Made(schema),
            post(revoke),
        ),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Authorisation>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<Authorisation>(&app, &caller, &id)
}

async fn grant(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<GrantAuthorisation>,
) -> Answer {
    let command = Command::GrantAuthorisation(command);
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Authorisation>(&app, &caller, &outcome)
}

async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(authorisation): Path<String>,
    Key(key): Key,
) -> Answer {
    let command = Command::RevokeAuthorisation(RevokeAuthorisation { authorisation });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Authorisation>(&app, &caller, &outcome)
}
