//! Collected certificates (收取合格证, R-043): taken in, struck out.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::collection::{self, CollectProof, Collection, StrikeCollection};
use tianyin_domain::command::Command;

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Choice, Date, Decimal, Few, List, Object, Quantity, Text, Time};
use super::schema::{Described, Kind, Schema, filled, line, opt, req};
use super::shapes::{ATTACHMENT, shape};
use crate::app::App;

const KIND: Kind = Choice(&["certificate", "quarantine", "other"]);

const SUPPLIER: Schema = shape!(
    "Supplier",
    "What a supplier's paper says.",
    [
        req("name", filled(64), "Who supplied."),
        opt("contact", line(32), "Phone or other contact."),
        opt("origin", line(64), "Origin."),
        opt("number", line(64), "Number or code on the paper."),
        opt("issued_on", Date, "Day of issue."),
    ]
);

const COLLECTION: Schema = shape!(
    "Collection",
    "A certificate or other proof that a buyer collected.",
    [
        req("id", Text, "Id, `col_…`."),
        req("operator", Text, "The buyer."),
        req("lot", Text, "The buyer's lot."),
        req("kind", KIND, "What it is."),
        opt("code", Text, "The county's certificate."),
        req("supplier", Object(&SUPPLIER), "The supplier."),
        req("product_name", Text, "Goods on the paper."),
        req("quantity", Decimal, "Quantity bought."),
        req("unit", Text, "Unit."),
        opt("attachments", List(&Object(&ATTACHMENT)), "Photos."),
        req("collected_on", Date, "Day."),
        req("recorded_at", Time, "When it was written down."),
        req("area", Text, "Region code."),
        opt("struck", Text, "Why it does not count."),
    ]
);

impl Shown for Collection {
    const SCHEMA: &'static Schema = &COLLECTION;
    const PATH: &'static str = "/collections";
}

impl Described for CollectProof {
    const SCHEMA: Schema = shape!(
        "CollectProof",
        "A certificate to collect: of this county by its code, of others with what it says and a photo.",
        [
            req("operator", Text, "The buyer."),
            opt("code", Text, "Certificate of this county; its goods are handed over with it."),
            opt("kind", KIND, "What it is; `certificate` when absent."),
            opt("supplier", Object(&SUPPLIER), "Without a code."),
            opt("lot", Text, "A lot that is the buyer's already; else one is opened."),
            opt("product", Text, "The buyer's product, for goods from elsewhere."),
            opt("site", Text, "The buyer's premises, likewise."),
            opt("harvested_on", Date, "Day of harvest, where the paper tells it."),
            req("quantity", Quantity, "Quantity bought."),
            req("collected_on", Date, "Day; not in the future."),
            opt(
                "attachments",
                Few(&Object(&ATTACHMENT), 0, 9),
                "Files uploaded before; without a code one at least."
            ),
        ]
    );
}

const LISTING: Listing = Listing {
    all: Some((collection::BY_OPERATOR, "")),
    filters: &[
        Filter {
            parameter: parameter("operator", Text, "Only of this buyer."),
            field: "/operator",
            index: Some(collection::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("lot", Text, "Only for this lot."),
            field: "/lot",
            index: Some(collection::BY_LOT),
        },
        Filter {
            parameter: parameter("code", Text, "Only of this certificate."),
            field: "/code",
            index: Some(collection::BY_CODE),
        },
    ],
    switches: &[],
    search: &["/supplier/name", "/supplier/number", "/product_name", "/code"],
    newest_first: true,
    county_wide: false,
};

pub(super) fn routes() -> Vec<Route> {
    let schema = Collection::SCHEMA;
    vec![
        Route::get("/collections", "Lists collected certificates.", Good::Page(schema), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/collections", "Collects one.", Good::Made(schema), post(collect))
            .body::<CollectProof>(),
        Route::get("/collections/{id}", "Shows one.", Good::Object(schema), get(one)),
        Route::post(
            "/collections/{id}/strike",
            "Strikes it out.",
            Good::Made(schema),
            post(strike),
        )
        .body::<Reason>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Collection>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<Collection>(&app, &caller, &id)
}

async fn collect(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<CollectProof>,
) -> Answer {
    let outcome = app.collect_proof(caller.actor(), command, key).await?;
    made::<Collection>(&app, &caller, &outcome)
}

async fn strike(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(collection): Path<String>,
    Key(key): Key,
    Body(body): Body<Reason>,
) -> Answer {
    let command = Command::StrikeCollection(StrikeCollection { collection, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Collection>(&app, &caller, &outcome)
}
