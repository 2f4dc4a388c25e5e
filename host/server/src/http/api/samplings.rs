//! Samples (抽样): taken, received, cancelled.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::command::Command;
use tianyin_domain::sampling::{self, CancelSample, ReceiveSample, Sampling, TakeSample};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Choice, Date, Few, List, Object, Text, Time};
use super::schema::{Described, Kind, Schema, filled, line, opt, req};
use super::shapes::{ATTACHMENT, shape};
use crate::app::App;

const PURPOSE: Kind = Choice(&["supervision", "monitoring", "routine", "commissioned", "own"]);
const LEVEL: Kind = Choice(&["township", "county", "city", "province", "nation"]);
const STATUS: Kind = Choice(&["taken", "received", "reported", "cancelled"]);

const SAMPLING: Schema = shape!(
    "Sampling",
    "A sample and its way.",
    [
        req("id", Text, "Id, `smp_…`."),
        req("no", Text, "Number on the sample, `S20261123-0001`."),
        req("purpose", PURPOSE, "Purpose."),
        req("level", LEVEL, "Whose plan."),
        opt("basis", Text, "Plan or order."),
        opt("lot", Text, "Lot; absent for what was not harvested yet."),
        opt("lot_no", Text, "Lot number."),
        req("operator", Text, "Tested party."),
        req("product", Text, "Product."),
        req("product_name", Text, "Product's name."),
        req("site", Text, "Site."),
        req("area", Text, "Region code."),
        opt("place", Text, "Place, in words."),
        req("sampled_on", Date, "Day."),
        req("sampled_by", List(&Text), "Who took it."),
        req("quantity", Text, "How much."),
        req("items", List(&Text), "Items to be looked for."),
        req("laboratory", Text, "Testing party."),
        opt("note", Text, "Remarks."),
        opt("attachments", List(&Object(&ATTACHMENT)), "Photos and papers."),
        req("taken_by", Text, "Who entered it."),
        req("taken_at", Time, "When it was entered."),
        req("status", STATUS, "Status."),
        opt("received_at", Time, "When the laboratory had it."),
        opt("condition", Text, "In what state it came."),
        opt("cancelled", Text, "Why it came to nothing."),
    ]
);

impl Shown for Sampling {
    const SCHEMA: &'static Schema = &SAMPLING;
    const PATH: &'static str = "/samplings";
}

impl Described for TakeSample {
    const SCHEMA: Schema = shape!(
        "TakeSample",
        "A sample that was taken.",
        [
            req("purpose", PURPOSE, "Purpose; a producer takes `own` ones only."),
            req("level", LEVEL, "Whose plan."),
            opt("basis", line(128), "Plan or order."),
            opt("lot", Text, "Lot; else site and product."),
            opt("site", Text, "Site, without a lot."),
            opt("product", Text, "Product, without a lot."),
            opt("place", line(64), "Place, in words."),
            req("sampled_on", Date, "Day; not in the future."),
            req("sampled_by", Few(&line(32), 1, 5), "Names; two at least for `supervision`."),
            req("quantity", filled(32), "How much, with its unit."),
            req("items", Few(&line(64), 1, 60), "Items to be looked for."),
            req("laboratory", filled(64), "Testing party."),
            opt("note", line(256), "Remarks."),
            opt("attachments", Few(&Object(&ATTACHMENT), 0, 9), "Files uploaded before."),
        ]
    );
}

/// In what state a sample came.
#[derive(Deserialize)]
struct Receipt {
    #[serde(default)]
    condition: String,
}

impl Described for Receipt {
    const SCHEMA: Schema = shape!(
        "ReceiveSample",
        "In what state a sample came.",
        [opt("condition", line(64), "In what state.")]
    );
}

const LISTING: Listing = Listing {
    all: Some((sampling::BY_STATUS, "")),
    filters: &[
        Filter {
            parameter: parameter("lot", Text, "Only of this lot."),
            field: "/lot",
            index: Some(sampling::BY_LOT),
        },
        Filter {
            parameter: parameter("operator", Text, "Only of this operator."),
            field: "/operator",
            index: Some(sampling::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("status", STATUS, "Only of this status."),
            field: "/status",
            index: Some(sampling::BY_STATUS),
        },
        Filter {
            parameter: parameter("purpose", PURPOSE, "Only of this purpose."),
            field: "/purpose",
            index: None,
        },
    ],
    switches: &[],
    search: &["/no", "/product_name", "/lot_no", "/laboratory"],
    newest_first: true,
    county_wide: false,
};

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(Sampling::SCHEMA);
    vec![
        Route::get("/samplings", "Lists samples.", Good::Page(Sampling::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/samplings", "Takes a sample.", good, post(take)).body::<TakeSample>(),
        Route::get("/samplings/{id}", "Shows a sample.", Good::Object(Sampling::SCHEMA), get(one)),
        Route::post("/samplings/{id}/receive", "The laboratory has it.", good, post(receive))
            .body::<Receipt>(),
        Route::post("/samplings/{id}/cancel", "It came to nothing.", good, post(cancel))
            .body::<Reason>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Sampling>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<Sampling>(&app, &caller, &id)
}

async fn take(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<TakeSample>,
) -> Answer {
    let outcome = app.take_sample(caller.actor(), command, key).await?;
    made::<Sampling>(&app, &caller, &outcome)
}

async fn receive(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(sampling): Path<String>,
    Key(key): Key,
    Body(body): Body<Receipt>,
) -> Answer {
    let command = Command::ReceiveSample(ReceiveSample { sampling, condition: body.condition });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Sampling>(&app, &caller, &outcome)
}

async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(sampling): Path<String>,
    Key(key): Key,
    Body(body): Body<Reason>,
) -> Answer {
    let command = Command::CancelSample(CancelSample { sampling, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Sampling>(&app, &caller, &outcome)
}
