//! Shop links (电商链接): where products are sold on line.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::command::Command;
use tianyin_domain::shop_link::{self, AddShopLink, CloseShopLink, ShopLink};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Text, Time};
use super::schema::{Described, Schema, opt, req};
use super::shapes::shape;
use crate::app::App;

const SHOP_LINK: Schema = shape!(
    "ShopLink",
    "Where a product is sold on line.",
    [
        req("id", Text, "Id, `shp_…`."),
        req("product", Text, "Product."),
        req("operator", Text, "Operator."),
        req("platform", Text, "Platform or shop."),
        req("url", Text, "Address."),
        req("area", Text, "Region code of the operator."),
        req("added_at", Time, "When it was put on record."),
        opt("closed", Text, "Why it does not count any more."),
    ]
);

impl Shown for ShopLink {
    const SCHEMA: &'static Schema = &SHOP_LINK;
    const PATH: &'static str = "/shop_links";
}

const LISTING: Listing = Listing {
    all: Some((shop_link::BY_OPERATOR, "")),
    filters: &[
        Filter {
            parameter: parameter("product", Text, "Only this product's."),
            field: "/product",
            index: Some(shop_link::BY_PRODUCT),
        },
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(shop_link::BY_OPERATOR),
        },
    ],
    switches: &[],
    search: &["/platform", "/url"],
    newest_first: true,
    county_wide: false,
};

impl Described for AddShopLink {
    const SCHEMA: Schema = shape!(
        "AddShopLink",
        "A shop link to add.",
        [
            req("product", Text, "Product."),
            req("platform", Text, "Platform or shop, at most 32 characters."),
            req("url", Text, "`https://…` or `http://…`, at most 256 characters."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(&SHOP_LINK);
    vec![
        Route::get("/shop_links", "Lists shop links.", Good::Page(&SHOP_LINK), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/shop_links", "Adds a shop link.", good, post(add)).body::<AddShopLink>(),
        Route::get("/shop_links/{id}", "Shows a shop link.", Good::Object(&SHOP_LINK), get(one)),
        Route::post("/shop_links/{id}/close", "A link does not count any more.", good, post(close))
            .body::<Reason>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<ShopLink>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<ShopLink>(&app, &caller, &id)
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<AddShopLink>,
) -> Answer {
    let outcome = app.submit_keyed(caller.actor(), Command::AddShopLink(command), key).await?;
    made::<ShopLink>(&app, &caller, &outcome)
}

async fn close(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(shop_link): Path<String>,
    Key(key): Key,
    Body(body): Body<Reason>,
) -> Answer {
    let command = Command::CloseShopLink(CloseShopLink { shop_link, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<ShopLink>(&app, &caller, &outcome)
}
