//! Sites (产地).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::command::Command;
use tianyin_domain::site::{self, AddSite, ChangeSite, CloseSite, Site};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, IfMatch, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown_version};
use super::schema::Kind::{Few, Position, Quantity, Text};
use super::schema::{AREA_OR_NONE, Described, Schema, filled, line, opt, req};
use super::shapes::{SITE_KIND, shape};
use crate::app::App;

const LISTING: Listing = Listing {
    all: Some((site::BY_OPERATOR, "")),
    filters: &[
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(site::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("kind", SITE_KIND, "Only this kind."),
            field: "/kind",
            index: None,
        },
    ],
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
            req("name", filled(64), "Name."),
            opt("kind", SITE_KIND, "Kind; `other` when absent."),
            opt("area", AREA_OR_NONE, "Region code; the operator's when empty."),
            opt("area_name", line(64), "Region in words; the operator's when empty."),
            req("size_mu", Quantity, "Size in 亩."),
            opt(
                "position",
                Position,
                "A point on it: `longitude,latitude` in degrees, CGCS2000 or WGS 84."
            ),
            opt(
                "outline",
                Few(&Position, 0, 100),
                "Its corners in order, 3 to 100, each like `position`."
            ),
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
        Route::post(
            "/sites/{id}/change",
            "Corrects a site; its operator stays.",
            Good::Made(Site::SCHEMA),
            post(change),
        )
        .body::<AddSite>()
        .versioned(),
        Route::post(
            "/sites/{id}/close",
            "A site is not used any more.",
            Good::Made(Site::SCHEMA),
            post(close),
        )
        .body::<Reason>()
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

async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(site): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(data): Body<AddSite>,
) -> Answer {
    let seen = version.of(format!("site/{site}"));
    let command = Command::ChangeSite(ChangeSite { site, data });
    let outcome = app.submit_based(caller.actor(), command, key, &seen).await?;
    made::<Site>(&app, &caller, &outcome)
}

async fn close(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(site): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(body): Body<Reason>,
) -> Answer {
    let seen = version.of(format!("site/{site}"));
    let command = Command::CloseSite(CloseSite { site, reason: body.reason });
    let outcome = app.submit_based(caller.actor(), command, key, &seen).await?;
    made::<Site>(&app, &caller, &outcome)
}
