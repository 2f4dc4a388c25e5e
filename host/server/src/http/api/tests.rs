//! Tests (检测): of devices, and typed by people.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::Time as Instant;
use tianyin_domain::lot::Lot;
use tianyin_domain::measurement::{
    DeviceInfo, DeviceLimit, Item, Measurement, Method, Person, Sample, Value,
};
use tianyin_domain::test::{self, Test};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Boolean, Object, Text, Time};
use super::schema::{Described, Schema, line, opt, req};
use super::shapes::{ITEM, METHOD, TEST_VERDICT, VALUE, shape};
use crate::app::App;
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
    switches: &[(
        parameter("unmatched", Boolean, "`true`: only tests that wait for a lot."),
        test::UNMATCHED,
    )],
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
    lot: String,
    method: Method,
    #[serde(default)]
    item: Item,
    value: Value,
    #[serde(default)]
    standard: String,
    #[serde(default)]
    sample_no: String,
    #[serde(default)]
    device_model: String,
    #[serde(default)]
    tester: String,
    tested_at: Instant,
}

impl Described for EnterTest {
    const SCHEMA: Schema = shape!(
        "EnterTest",
        "A result typed by a person.",
        [
            req("lot", Text, "Lot: its id, number or trace code."),
            req("method", METHOD, "Method."),
            opt("item", Object(&ITEM), "What was looked for."),
            req("value", Object(&VALUE), "Value."),
            opt("standard", Text, "Standard the run followed; the county's default when empty."),
            opt("sample_no", line(64), "Sample number."),
            opt("device_model", Text, "Model of the device."),
            opt("tester", Text, "Who measured."),
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
        [req("lot", Text, "Lot: its id, number or trace code."),]
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
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Test>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<Test>(&app, &caller, &id)
}

/// The lot a text names, in the caller's sight.
fn lot_of(app: &App, caller: &Caller, text: &str) -> Result<Lot, Problem> {
    if let Some(lot) = app.store.get_scoped::<Lot>(text, &caller.scope())? {
        return Ok(lot);
    }
    let found = app.lot_of_text(text, &caller.scope())?;
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
    let lot = lot_of(&app, &caller, &body.lot)?;
    let measurement = Measurement {
        v: 1,
        msg_id: String::new(),
        device: DeviceInfo { model: body.device_model, ..DeviceInfo::default() },
        record_no: None,
        channel: None,
        kind: Default::default(),
        retest_of: None,
        sample: Sample {
            no: body.sample_no,
            name: lot.product_name.clone(),
            batch_code: lot.no.clone(),
            ..Sample::default()
        },
        method: body.method,
        item: body.item,
        value: body.value,
        raw: Default::default(),
        limit: DeviceLimit { basis: body.standard, ..DeviceLimit::default() },
        device_verdict: None,
        tested_at: Some(body.tested_at),
        clock: Default::default(),
        operator: Person { id: String::new(), name: body.tester },
        blank: false,
        geo: serde_json::Value::Null,
    };
    let outcome = app.enter_test(caller.actor(), measurement, &lot.id, key).await?;
    made::<Test>(&app, &caller, &outcome)
}

async fn assign(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
    Body(body): Body<Assign>,
) -> Answer {
    let lot = lot_of(&app, &caller, &body.lot)?;
    let outcome = app.assign_test(caller.actor(), &id, &lot.id, key).await?;
    made::<Test>(&app, &caller, &outcome)
}
