//! Delegations of operators to village service points.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::command::Command;
use tianyin_domain::delegation::{self, DelegateOperators, Delegation, EndDelegation};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, one, shown};
use super::schema::Kind::{List, Text, Time};
use super::schema::{Described, Schema, opt, req};
use super::shapes::shape;
use crate::app::App;

const DELEGATION: Schema = shape!(
    "Delegation",
    "An operator that a service point works for.",
    [
        req("id", Text, "Id, service point and operator."),
        req("agency", Text, "Service point."),
        req("operator", Text, "Operator."),
        req("area", Text, "The operator's township when it was delegated."),
        req("since", Time, "Since when."),
        req("by", Text, "Who delegated it."),
        opt("ended", Text, "Why it ended; absent while it is in force."),
    ]
);

impl Shown for Delegation {
    const SCHEMA: &'static Schema = &DELEGATION;
    const PATH: &'static str = "/delegations";
}

const LISTING: Listing = Listing {
    all: Some((delegation::BY_AGENCY, "")),
    filters: &[
        Filter {
            parameter: parameter("agency", Text, "Only this service point's; in force."),
            field: "/agency",
            index: Some(delegation::BY_AGENCY),
        },
        Filter {
            parameter: parameter("operator", Text, "Only this operator's; in force."),
            field: "/operator",
            index: Some(delegation::BY_OPERATOR),
        },
    ],
    switches: &[],
    search: &[],
    newest_first: false,
    county_wide: false,
};

impl Described for DelegateOperators {
    const SCHEMA: Schema = shape!(
        "DelegateOperators",
        "Operators for a service point to work for.",
        [
            req("agency", Text, "Service point."),
            req("operators", List(&Text), "Operators, 1 to 100."),
        ]
    );
}

/// Why a delegation ends.
#[derive(Deserialize)]
struct End {
    reason: String,
}

impl Described for End {
    const SCHEMA: Schema =
        shape!("EndDelegation", "Why a delegation ends.", [req("reason", Text, "Reason.")]);
}

pub(super) fn routes() -> Vec<Route> {
    let schema = Delegation::SCHEMA;
    vec![
        Route::get(
            "/delegations",
            "Lists delegations in force of a service point or operator.",
            Good::Page(schema),
            get(list),
        )
        .query(&[&LISTING.parameters()]),
        Route::post(
            "/delegations",
            "Delegates operators to a service point; those that are already stay so.",
            Good::Nothing,
            post(begin),
        )
        .body::<DelegateOperators>(),
        Route::get("/delegations/{id}", "Shows a delegation.", Good::Object(schema), get(show)),
        Route::post("/delegations/{id}/end", "Ends a delegation.", Good::Made(schema), post(end))
            .body::<End>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Delegation>(&app, &caller, &LISTING, query)
}

async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<Delegation>(&app, &caller, &id)
}

async fn begin(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<DelegateOperators>,
) -> Answer {
    app.submit_keyed(caller.actor(), Command::DelegateOperators(command), key).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn end(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
    Body(body): Body<End>,
) -> Answer {
    let Delegation { agency, operator, .. } = one(&app, &caller, &id)?;
    let command = Command::EndDelegation(EndDelegation { agency, operator, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Delegation>(&app, &caller, &outcome)
}
