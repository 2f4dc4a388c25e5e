//! Products.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::command::Command;
use tianyin_domain::product::{self, AddProduct, ChangeProduct, CloseProduct, Product};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, IfMatch, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown_version};
use super::schema::Kind::{Boolean, Text};
use super::schema::{Described, Schema, filled, line, opt, req};
use super::shapes::{PRODUCT_CLASS, shape};
use crate::app::App;

const LISTING: Listing = Listing {
    all: Some((product::BY_OPERATOR, "")),
    filters: &[
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(product::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("class", PRODUCT_CLASS, "Only this class."),
            field: "/class",
            index: Some(product::BY_CLASS),
        },
    ],
    switches: &[],
    search: &["/name", "/crop", "/variety"],
    newest_first: true,
    county_wide: false,
};

impl Described for AddProduct {
    const SCHEMA: Schema = shape!(
        "AddProduct",
        "A product to add.",
        [
            req("operator", Text, "Operator."),
            req("name", filled(64), "Name as sold."),
            req("class", PRODUCT_CLASS, "Class."),
            opt("crop", line(32), "Crop or species."),
            opt("variety", line(32), "Variety."),
            req("unit", filled(8), "Unit of quantity."),
            opt("method_unsuitable", Boolean, "Enzyme inhibition does not work on it."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/products", "Lists products.", Good::Page(Product::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/products", "Adds a product.", Good::Made(Product::SCHEMA), post(add))
            .body::<AddProduct>(),
        Route::get("/products/{id}", "Shows a product.", Good::Object(Product::SCHEMA), get(one))
            .versioned(),
        Route::post(
            "/products/{id}/change",
            "Corrects a product; its operator stays.",
            Good::Made(Product::SCHEMA),
            post(change),
        )
        .body::<AddProduct>()
        .versioned(),
        Route::post(
            "/products/{id}/close",
            "A product is not made any more.",
            Good::Made(Product::SCHEMA),
            post(close),
        )
        .body::<Reason>()
        .versioned(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Product>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown_version::<Product>(&app, &caller, &id)
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<AddProduct>,
) -> Answer {
    let outcome = app.submit_keyed(caller.actor(), Command::AddProduct(command), key).await?;
    made::<Product>(&app, &caller, &outcome)
}

async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(product): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(data): Body<AddProduct>,
) -> Answer {
    let seen = version.of(format!("product/{product}"));
    let command = Command::ChangeProduct(ChangeProduct { product, data });
    let outcome = app.submit_based(caller.actor(), command, key, &seen).await?;
    made::<Product>(&app, &caller, &outcome)
}

async fn close(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(product): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(body): Body<Reason>,
) -> Answer {
    let seen = version.of(format!("product/{product}"));
    let command = Command::CloseProduct(CloseProduct { product, reason: body.reason });
    let outcome = app.submit_based(caller.actor(), command, key, &seen).await?;
    made::<Product>(&app, &caller, &outcome)
}
