//! Objections (异议) to positive results, and their retests.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::Date as Day;
use tianyin_domain::command::Command;
use tianyin_domain::measurement::Method;
use tianyin_domain::objection::{
    self, ConcludeObjection, Ending, FileObjection, Objection, OrderRetest,
};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Choice, Date, Few, List, Object, Text, Time};
use super::schema::{Described, Kind, Schema, filled, opt, req};
use super::shapes::{ATTACHMENT, METHOD, shape};
use crate::app::App;

const STATUS: Kind = Choice(&["filed", "ordered", "upheld", "overturned", "withdrawn"]);

const OBJECTION: Schema = shape!(
    "Objection",
    "An objection to a positive result.",
    [
        req("id", Text, "Id, `obj_…`."),
        req("test", Text, "Test that is objected to."),
        opt("lot", Text, "Its lot."),
        req("product_name", Text, "Product's name."),
        req("operator", Text, "Operator."),
        req("area", Text, "Region code."),
        req("reason", Text, "Why."),
        req("filed_at", Time, "When it was handed in."),
        req("until", Time, "Until when it could be handed in."),
        req("filed_by", Text, "Who entered it."),
        opt("attachments", List(&Object(&ATTACHMENT)), "Papers."),
        req("status", STATUS, "Status."),
        opt("laboratory", Text, "Laboratory of the retest."),
        opt("method", METHOD, "Method of the retest."),
        opt("received_on", Date, "Day the laboratory received the sample."),
        opt("due_on", Date, "Last day of the report."),
        opt("conclusion", Text, "What was said at the end."),
        opt("concluded_at", Time, "When it ended."),
    ]
);

impl Shown for Objection {
    const SCHEMA: &'static Schema = &OBJECTION;
    const PATH: &'static str = "/objections";
}

impl Described for FileObjection {
    const SCHEMA: Schema = shape!(
        "FileObjection",
        "An objection.",
        [
            req("test", Text, "Test."),
            req("reason", filled(256), "Why."),
            req("filed_at", Time, "When it was handed in, which may be before it is entered."),
            opt("attachments", Few(&Object(&ATTACHMENT), 0, 9), "Files uploaded before."),
        ]
    );
}

/// Who tests again, and how.
#[derive(Deserialize)]
struct Order {
    laboratory: String,
    method: Method,
}

impl Described for Order {
    const SCHEMA: Schema = shape!(
        "OrderRetest",
        "Who tests again, and how.",
        [
            req("laboratory", filled(64), "Laboratory; not the first one."),
            req("method", METHOD, "Method; not a rapid one."),
        ]
    );
}

/// When the laboratory had the sample.
#[derive(Deserialize)]
struct Receipt {
    received_on: Day,
}

impl Described for Receipt {
    const SCHEMA: Schema = shape!(
        "ReceiveRetestSample",
        "When the laboratory of a retest had the sample.",
        [req("received_on", Date, "Day.")]
    );
}

/// How an objection ends.
#[derive(Deserialize)]
struct Conclusion {
    ending: Ending,
    note: String,
}

impl Described for Conclusion {
    const SCHEMA: Schema = shape!(
        "ConcludeObjection",
        "How an objection ends.",
        [
            req(
                "ending",
                Choice(&["decided", "withdrawn"]),
                "`decided`: by the results of the retest."
            ),
            req("note", filled(256), "In words."),
        ]
    );
}

const LISTING: Listing = Listing {
    all: Some((objection::BY_STATUS, "")),
    filters: &[
        Filter {
            parameter: parameter("test", Text, "Only against this test."),
            field: "/test",
            index: Some(objection::BY_TEST),
        },
        Filter {
            parameter: parameter("operator", Text, "Only of this operator."),
            field: "/operator",
            index: Some(objection::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("status", STATUS, "Only of this status."),
            field: "/status",
            index: Some(objection::BY_STATUS),
        },
    ],
    switches: &[],
    search: &["/product_name", "/reason", "/laboratory"],
    newest_first: true,
    county_wide: false,
};

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(Objection::SCHEMA);
    vec![
        Route::get("/objections", "Lists objections.", Good::Page(Objection::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/objections", "Files an objection.", good, post(file)).body::<FileObjection>(),
        Route::get(
            "/objections/{id}",
            "Shows an objection.",
            Good::Object(Objection::SCHEMA),
            get(one),
        ),
        Route::post("/objections/{id}/order", "Names who tests again.", good, post(order))
            .body::<Order>(),
        Route::post(
            "/objections/{id}/receive",
            "The clock of the report runs.",
            good,
            post(receive),
        )
        .body::<Receipt>(),
        Route::post("/objections/{id}/conclude", "Ends it.", good, post(conclude))
            .body::<Conclusion>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Objection>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<Objection>(&app, &caller, &id)
}

async fn file(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<FileObjection>,
) -> Answer {
    let outcome = app.file_objection(caller.actor(), command, key).await?;
    made::<Objection>(&app, &caller, &outcome)
}

async fn order(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(objection): Path<String>,
    Key(key): Key,
    Body(body): Body<Order>,
) -> Answer {
    let (laboratory, method) = (body.laboratory, body.method);
    let command = Command::OrderRetest(OrderRetest { objection, laboratory, method });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Objection>(&app, &caller, &outcome)
}

async fn receive(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(objection): Path<String>,
    Key(key): Key,
    Body(body): Body<Receipt>,
) -> Answer {
    let received_on = body.received_on;
    let outcome = app.receive_retest_sample(caller.actor(), objection, received_on, key).await?;
    made::<Objection>(&app, &caller, &outcome)
}

async fn conclude(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(objection): Path<String>,
    Key(key): Key,
    Body(body): Body<Conclusion>,
) -> Answer {
    let (ending, note) = (body.ending, body.note);
    let command = Command::ConcludeObjection(ConcludeObjection { objection, ending, note });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Objection>(&app, &caller, &outcome)
}
