//! Steps of lots (流转环节): taken, struck out, never removed; and the chain that they make.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::routing::post;
use serde_json::json;
use tianyin_domain::Entity as _;
use tianyin_domain::command::Command;
use tianyin_domain::lineage::Direction;
use tianyin_domain::lot::Lot;
use tianyin_domain::step::{self, PORTIONS_MAX, Step, StrikeStep, TakeStep};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{
    Boolean, Choice, Date, Decimal, Few, Integer, List, Object, Quantity, Text, Time,
};
use super::schema::{Described, Kind, Schema, filled, line, opt, req};
use super::shapes::{ATTACHMENT, LOT_STATUS, shape};
use crate::app::App;
use crate::http::Problem;

/// Lots of a chain that are told.
const CHAIN_MAX: usize = 2_000;

const STEP_KIND: Kind = Choice(&["split", "mix", "repack", "process", "store", "transfer", "ship"]);

const PORTION: Schema = shape!(
    "Portion",
    "Part of a lot in a step.",
    [
        req("lot", Text, "Lot."),
        req("no", Text, "Its number."),
        req("product_name", Text, "Its product's name."),
        req("quantity", Decimal, "Quantity."),
        req("unit", Text, "Unit."),
    ]
);

const BUYER: Schema = shape!(
    "Buyer",
    "Who goods went to.",
    [
        opt("operator", Text, "The operator, when on record; for a transfer."),
        req("name", line(64), "Name; of an operator on record it is taken from there."),
        opt("place", line(64), "Where to, such as a market or a city."),
    ]
);

const STEP: Schema = shape!(
    "Step",
    "A step of lots on their way.",
    [
        req("id", Text, "Id, `stp_…`."),
        req("kind", STEP_KIND, "Kind."),
        req("operator", Text, "Operator whose lots went in."),
        req("area", Text, "Region code."),
        req("date", Date, "Day it was done."),
        req("inputs", List(&Object(&PORTION)), "What went in."),
        req("outputs", List(&Object(&PORTION)), "What came out."),
        opt("loss", Decimal, "What went in and did not come out."),
        opt("loss_unit", Text, "Unit of the loss."),
        opt("buyer", Object(&BUYER), "Who goods went to."),
        opt("place", Text, "Where it was done or stored."),
        opt("note", Text, "Remarks."),
        opt("attachments", List(&Object(&ATTACHMENT)), "Photos and documents."),
        req("recorded_at", Time, "When it was written down."),
        opt("struck", Text, "Why it was struck out."),
    ]
);

impl Shown for Step {
    const SCHEMA: &'static Schema = &STEP;
    const PATH: &'static str = "/steps";
}

const TAKEN: Schema = shape!(
    "Taken",
    "What is taken of a lot.",
    [req("lot", Text, "Lot."), req("quantity", Quantity, "Quantity in its unit.")]
);

const MADE: Schema = shape!(
    "Made",
    "What comes out.",
    [
        req("quantity", Quantity, "Quantity."),
        opt("unit", filled(16), "Unit; absent for that of what went in."),
        opt("unit_kg", Quantity, "Kilograms in one unit, where the unit is none of mass."),
        opt("product", Text, "Product; absent for that of what went in."),
        opt("into", Text, "Lot that it is added to; absent for a new one."),
    ]
);

impl Described for TakeStep {
    const SCHEMA: Schema = shape!(
        "TakeStep",
        "A step to be taken.",
        [
            req("kind", STEP_KIND, "Kind."),
            req("date", Date, "Day it was done; not in the future."),
            req(
                "inputs",
                Few(&Object(&TAKEN), 1, PORTIONS_MAX),
                "What goes in, all of one operator."
            ),
            opt(
                "outputs",
                Few(&Object(&MADE), 0, PORTIONS_MAX),
                "What comes out, of a step that makes lots."
            ),
            opt("buyer", Object(&BUYER), "Who goods go to, of a transfer or shipment."),
            opt("place", line(64), "Where it was done or stored."),
            opt("note", line(256), "Remarks."),
            opt(
                "attachments",
                Few(&Object(&ATTACHMENT), 0, 9),
                "Files uploaded before, at most 9."
            ),
        ]
    );
}

const CHAIN_LOT: Schema = shape!(
    "ChainLot",
    "A lot of a chain.",
    [
        req("id", Text, "Lot."),
        req("no", Text, "Number."),
        req("product_name", Text, "Product."),
        opt("quantity", Decimal, "Quantity; of lots in sight only."),
        opt("unit", Text, "Unit; of lots in sight only."),
        req("status", LOT_STATUS, "Status."),
        req(
            "depth",
            Integer,
            "Fewest steps from the lot that was asked for; below zero for what it was made of."
        ),
        req("mine", Boolean, "It is in the caller's sight; of others only this is told."),
        req("sources", List(&Text), "Lots that it was made of."),
    ]
);

const CHAIN: Schema = shape!(
    "Chain",
    "What a lot was made of, and what was made of it.",
    [
        req("lots", List(&Object(&CHAIN_LOT)), "Every lot once, at most 2000 each way."),
        req("cut", Boolean, "There are more."),
    ]
);

const LISTING: Listing = Listing {
    all: Some((step::BY_OPERATOR, "")),
    filters: &[
        Filter {
            parameter: parameter("lot", Text, "Only with this lot, in or out."),
            field: "",
            index: Some(step::BY_LOT),
        },
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(step::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("kind", STEP_KIND, "Only this kind."),
            field: "/kind",
            index: None,
        },
    ],
    switches: &[],
    search: &["/note", "/place", "/buyer/name"],
    newest_first: true,
    county_wide: false,
};

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(Step::SCHEMA);
    vec![
        Route::get("/steps", "Lists steps of lots.", Good::Page(Step::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/steps", "Takes a step.", good, post(take)).body::<TakeStep>(),
        Route::get("/steps/{id}", "Shows a step.", Good::Object(Step::SCHEMA), get(one)),
        Route::post(
            "/steps/{id}/strike",
            "Strikes a step out, as long as nothing was done with what came out.",
            good,
            post(strike),
        )
        .body::<Reason>(),
        Route::get(
            "/lots/{id}/chain",
            "Shows the chain of a lot.",
            Good::Object(&CHAIN),
            get(chain),
        ),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Step>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<Step>(&app, &caller, &id)
}

async fn take(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<TakeStep>,
) -> Answer {
    let outcome = app.take_step(caller.actor(), command, key).await?;
    made::<Step>(&app, &caller, &outcome)
}

async fn strike(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(step): Path<String>,
    Key(key): Key,
    Body(body): Body<Reason>,
) -> Answer {
    let command = Command::StrikeStep(StrikeStep { step, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Step>(&app, &caller, &outcome)
}

async fn chain(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let scope = caller.scope();
    let lot: Option<Lot> = app.store.get_scoped(&id, &scope).map_err(Problem::internal)?;
    if lot.is_none() {
        shown::<Lot>(&app, &caller, &id)?;
    }
    let (mut lots, mut cut) = (Vec::new(), false);
    for (direction, sign) in [(Direction::Back, -1), (Direction::Forward, 1)] {
        let walk = app.walk(&id, direction, CHAIN_MAX)?;
        cut |= walk.cut;
        for one in walk.reached {
            // The lot itself comes with both ways.
            if sign > 0 && one.depth == 0 {
                continue;
            }
            let mine = scope.covers(one.lot.area(), one.lot.owner());
            let mut told = json!({
                "id": one.lot.id, "no": one.lot.no, "product_name": one.lot.product_name,
                "status": one.lot.status, "depth": i64::from(one.depth) * sign, "mine": mine,
                "sources": one.lot.sources.iter().map(|s| &s.lot).collect::<Vec<_>>(),
            });
            if let (true, Some(fields)) = (mine, told.as_object_mut()) {
                fields.insert("quantity".into(), json!(one.lot.quantity));
                fields.insert("unit".into(), json!(one.lot.unit));
            }
            lots.push(told);
        }
    }
    Ok(Json(json!({ "lots": lots, "cut": cut })).into_response())
}
