//! Lots (批次).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::command::Command;
use tianyin_domain::lot::{self, Lot, OpenLot};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown_version};
use super::schema::Kind::{Date, Quantity, Text};
use super::schema::{Described, Schema, req};
use super::shapes::{LOT_STATUS, shape};
use crate::app::App;

const LISTING: Listing = Listing {
    all: Some((lot::BY_OPERATOR, "")),
    filters: &[
        Filter {
            parameter: parameter("no", Text, "The lot with this number."),
            field: "/no",
            index: Some(lot::BY_NO),
        },
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(lot::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("status", LOT_STATUS, "Only this status."),
            field: "/status",
            index: Some(lot::BY_STATUS),
        },
    ],
    switches: &[],
    search: &["/no", "/product_name", "/area_name"],
    newest_first: true,
    county_wide: false,
};

impl Described for OpenLot {
    const SCHEMA: Schema = shape!(
        "OpenLot",
        "A lot to open, at harvest.",
        [
            req("product", Text, "Product."),
            req("site", Text, "Site of the same operator."),
            req("quantity", Quantity, "Quantity in the product's unit."),
            req("harvested_on", Date, "Day of harvest, slaughter or catch; not in the future."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/lots", "Lists lots.", Good::Page(Lot::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/lots", "Adds a lot.", Good::Made(Lot::SCHEMA), post(add)).body::<OpenLot>(),
        Route::get("/lots/{id}", "Shows a lot.", Good::Object(Lot::SCHEMA), get(one)).versioned(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Lot>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown_version::<Lot>(&app, &caller, &id)
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<OpenLot>,
) -> Answer {
    let outcome = app.submit_keyed(caller.actor(), Command::OpenLot(command), key).await?;
    made::<Lot>(&app, &caller, &outcome)
}
