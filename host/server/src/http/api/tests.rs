//! Tests (检测): of devices, and typed by people.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::Time as Instant;
use tianyin_domain::attachment::Attachment;
use tianyin_domain::command::Command;
use tianyin_domain::lot::Lot;
use tianyin_domain::measurement::{
    DeviceInfo, DeviceLimit, Item, Measurement, Method, Person, Sample, Value,
};
use tianyin_domain::positive::{Outcome, SettlePositive, StrikeTest, VerifyTest};
use tianyin_domain::sampling::Sampling;
use tianyin_domain::test::{self, Test};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Boolean, Few, Object, Text, Time};
use super::schema::{Described, Schema, filled, line, opt, req};
use super::shapes::{ATTACHMENT, METHOD, TEST_VERDICT, shape};
use super::test_shapes::{ITEM, OUTCOME, VALUE};
use crate::app::App;
use crate::app::testing::{Entry, Target};
use crate::http::Problem;

const LISTING: Listing = Listing {
    all: Some((test::BY_VERDICT, "")),
    filters: &[
        Filter {
            parameter: parameter("lot", Text, "Only of this lot."),
            field: "/lot",
            index: Some(test::BY_LOT),
        },
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(test::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("sampling", Text, "Only of this sample."),
            field: "/sampling",
            index: Some(test::BY_SAMPLING),
        },
        Filter {
            parameter: parameter("verdict", TEST_VERDICT, "Only this verdict."),
            field: "/verdict",
            index: Some(test::BY_VERDICT),
        },
        Filter {
            parameter: parameter("device", Text, "Only of this device."),
            field: "/device",
            index: None,
        },
    ],
    switches: &[
        (
            parameter("unmatched", Boolean, "`true`: only tests that wait for a lot."),
            test::UNMATCHED,
        ),
        (
            parameter("unverified", Boolean, "`true`: only tests that wait for a second person."),
            test::UNVERIFIED,
        ),
        (
            parameter("positive", Boolean, "`true`: only positive tests that are not settled."),
            test::POSITIVE,
        ),
    ],
    search: &[
        "/lot_no",
        "/product_name",
        "/device_name",
        "/measurement/sample/no",
        "/measurement/sample/name",
    ],
    newest_first: true,
    county_wide: false,
};

/// A result typed by a person.
#[derive(Deserialize)]
struct EnterTest {
    #[serde(default)]
    lot: String,
    #[serde(default)]
    objection: Option<String>,
    method: Method,
    #[serde(default)]
    item: Item,
    value: Value,
    #[serde(default)]
    lod: String,
    #[serde(default)]
    loq: String,
    #[serde(default)]
    standard: String,
    #[serde(default)]
    sample_no: String,
    #[serde(default)]
    device_model: String,
    #[serde(default)]
    tester: String,
    #[serde(default)]
    laboratory: String,
    tested_at: Instant,
}

impl Described for EnterTest {
    const SCHEMA: Schema = shape!(
        "EnterTest",
        "A result typed by a person.",
        [
            opt(
                "lot",
                Text,
                "Lot or sample: its id, number, or a trace code. Required unless `objection`."
            ),
            opt(
                "objection",
                Text,
                "Objection that the result decides; its lot and sample are known."
            ),
            req("method", METHOD, "Method."),
            opt("item", Object(&ITEM), "What was looked for."),
            req("value", Object(&VALUE), "Value."),
            opt("lod", line(32), "Limit of detection of the run, in the value's unit."),
            opt("loq", line(32), "Limit of quantification of the run."),
            opt("standard", Text, "Standard the run followed; the county's default when empty."),
            opt("sample_no", line(64), "Sample number."),
            opt("device_model", Text, "Model of the device."),
            opt("tester", Text, "Who measured."),
            opt("laboratory", line(64), "Testing party; the sample's laboratory when empty."),
            req("tested_at", Time, "When it was measured; not in the future."),
        ]
    );
}

/// Whose sample it was.
#[derive(Deserialize)]
struct Assign {
    lot: String,
}

impl Described for Assign {
    const SCHEMA: Schema = shape!(
        "AssignTest",
        "Whose sample it was.",
        [req("lot", Text, "Lot or sample: its id, number, or a trace code."),]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let made = Good::Made(Test::SCHEMA);
    vec![
        Route::get("/tests", "Lists tests.", Good::Page(Test::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/tests", "Enters a result typed by a person.", made, post(enter))
            .body::<EnterTest>(),
        Route::get("/tests/{id}", "Shows a test.", Good::Object(Test::SCHEMA), get(one)),
        Route::post("/tests/{id}/assign", "Says whose sample it was.", made, post(assign))
            .body::<Assign>(),
        Route::post(
            "/tests/{id}/verify",
            "A second person stands by a result.",
            made,
            post(verify),
        ),
        Route::post("/tests/{id}/strike", "Strikes a typed result out.", made, post(strike))
            .body::<Reason>(),
        Route::post(
            "/tests/{id}/deliver",
            "Says that the tested party was told; its clock runs from then.",
            made,
            post(deliver),
        )
        .body::<Deliver>(),
        Route::post("/tests/{id}/settle", "Settles a positive result.", made, post(settle))
            .body::<Settle>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Test>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<Test>(&app, &caller, &id)
}

/// The lot or sample a text names, in the caller's sight.
fn target_of(app: &App, caller: &Caller, text: &str) -> Result<Target, Problem> {
    let scope = caller.scope();
    if let Some(lot) = app.store.get_scoped::<Lot>(text, &scope)? {
        return Ok(Target::Lot(lot));
    }
    if let Some(sample) = app.store.get_scoped::<Sampling>(text, &scope)? {
        return Ok(Target::Sample(sample));
    }
    let found = app.target_of_text(text, &scope)?;
    found.ok_or_else(|| Problem::field("lot", "no_such_lot"))
}

async fn enter(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(body): Body<EnterTest>,
) -> Answer {
    if body.tested_at > crate::edge::now() {
        return Err(Problem::field("tested_at", "in_future"));
    }
    let target = match &body.objection {
        Some(_) => None,
        None => Some(target_of(&app, &caller, &body.lot)?),
    };
    let (name, batch_code) = match &target {
        Some(Target::Lot(lot)) => (lot.product_name.clone(), lot.no.clone()),
        Some(Target::Sample(one)) => (one.product_name.clone(), one.lot_no.clone()),
        None => Default::default(),
    };
    let no = match &target {
        Some(Target::Sample(one)) => one.no.clone(),
        _ => body.sample_no,
    };
    let (lot, sampling) = target.map(|target| target.ids()).unwrap_or_default();
    let measurement = Measurement {
        device: DeviceInfo { model: body.device_model, ..DeviceInfo::default() },
        sample: Sample { no, name, batch_code, ..Sample::default() },
        lod: body.lod,
        loq: body.loq,
        limit: DeviceLimit { basis: body.standard, ..DeviceLimit::default() },
        operator: Person { id: String::new(), name: body.tester },
        ..Measurement::told(body.method, body.item, body.value, Some(body.tested_at))
    };
    let (laboratory, objection) = (body.laboratory, body.objection);
    let entry = Entry { measurement, lot, sampling, laboratory, objection };
    let outcome = app.enter_test(caller.actor(), entry, key).await?;
    made::<Test>(&app, &caller, &outcome)
}

async fn assign(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
    Body(body): Body<Assign>,
) -> Answer {
    let target = target_of(&app, &caller, &body.lot)?;
    let outcome = app.assign_test(caller.actor(), &id, &target, key).await?;
    made::<Test>(&app, &caller, &outcome)
}

async fn verify(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(test): Path<String>,
    Key(key): Key,
) -> Answer {
    let command = Command::VerifyTest(VerifyTest { test });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Test>(&app, &caller, &outcome)
}

async fn strike(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(test): Path<String>,
    Key(key): Key,
    Body(body): Body<Reason>,
) -> Answer {
    let command = Command::StrikeTest(StrikeTest { test, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Test>(&app, &caller, &outcome)
}

/// That the tested party was told.
#[derive(Deserialize)]
struct Deliver {
    delivered_at: Instant,
    to: String,
}

impl Described for Deliver {
    const SCHEMA: Schema = shape!(
        "DeliverResult",
        "That the tested party was told of a positive result.",
        [
            req("delivered_at", Time, "When it had the notice; not in the future."),
            req("to", filled(32), "Who took it."),
        ]
    );
}

async fn deliver(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
    Body(body): Body<Deliver>,
) -> Answer {
    let (at, to) = (body.delivered_at, body.to);
    let outcome = app.deliver_result(caller.actor(), &id, at, to, key).await?;
    made::<Test>(&app, &caller, &outcome)
}

/// What became of what was positive.
#[derive(Deserialize)]
struct Settle {
    outcome: Outcome,
    note: String,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

impl Described for Settle {
    const SCHEMA: Schema = shape!(
        "SettlePositive",
        "What became of what was positive.",
        [
            req("outcome", OUTCOME, "What became of the goods."),
            req("note", filled(256), "In words."),
            opt(
                "attachments",
                Few(&Object(&ATTACHMENT), 0, 9),
                "Files uploaded before; needed for what was destroyed or treated."
            ),
        ]
    );
}

async fn settle(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(test): Path<String>,
    Key(key): Key,
    Body(body): Body<Settle>,
) -> Answer {
    let Settle { outcome, note, attachments } = body;
    let command = SettlePositive { test, outcome, note, attachments };
    let outcome = app.settle_positive(caller.actor(), command, key).await?;
    made::<Test>(&app, &caller, &outcome)
}
