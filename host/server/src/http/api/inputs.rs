//! Agricultural inputs (投入品): one catalogue for the county.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::input::{self, AddInput, CloseInput, Input, ReviseInput};
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, State as Records};

use super::Answer;
use super::list;
use super::request::{Body, Caller, IfMatch, Key, Parameter, RawParameters, parameter};
use super::route::{Good, Route, Shown, made_value, show};
use super::schema::Kind::{self, Boolean, Choice, Integer, List, Object, Text, Time};
use super::schema::{Described, Schema, opt, req};
use super::shapes::{INPUT_KIND, shape};
use crate::app::App;
use crate::app::catalogue::Wanted;
use crate::edge::now;
use crate::http::Problem;

const STATE: Kind = Choice(&["current", "ended", "barred"]);

/// Parameters of the list.
const LISTING: &[Parameter] = &[
    list::PAGING[0],
    list::PAGING[1],
    parameter(
        "q",
        Text,
        "Only inputs in whose name, registration number, substances or crops this is.",
    ),
    parameter("kind", INPUT_KIND, "Only this kind."),
    parameter("registration_no", Text, "The input with this registration number."),
    parameter(
        "state",
        STATE,
        "Only those registered today, those whose registration has ended, or those with a substance that \
         is banned on every crop or on some.",
    ),
];

const ON: &[Parameter] =
    &[parameter("on", Kind::Date, "The version that holds on this day, instead of the newest.")];

pub const USE: Schema = shape!(
    "RegisteredUse",
    "A registered use of an input on one crop.",
    [
        opt("crop", Text, "Crop or species; empty for every one."),
        opt(
            "interval_days",
            Integer,
            "Pre-harvest interval or withdrawal period, 0 to 730 days; must be there unless \
             `interval_degree_days` is."
        ),
        opt("dose", Text, "Dose as on the label."),
        opt(
            "interval_degree_days",
            Integer,
            "Withdrawal period of aquatic species in degree-days (度·日), where the label tells no days."
        ),
        opt("max_uses", Integer, "Most uses in a season, 1 to 99."),
    ]
);

pub const INPUT: Schema = shape!(
    "Input",
    "An agricultural input (投入品) of the catalogue.",
    [
        req("id", Text, "Id, `inp_…`."),
        req("name", Text, "Trade name."),
        req("kind", INPUT_KIND, "Kind."),
        opt("registration_no", Text, "Registration number."),
        req("substances", List(&Text), "Active substances by common Chinese name."),
        req("uses", List(&Object(&USE)), "Registered uses."),
        opt("version", Integer, "Number of the version; 1 when absent."),
        opt("valid_from", Kind::Date, "First day the version is good for; absent from ever."),
        opt("source", Text, "Where it was taken from."),
        opt("source_on", Kind::Date, "Day it was looked up there."),
        opt("reason", Text, "Why there is this version."),
        opt("reviewed_at", Time, "When the version was made."),
        opt("ended", Boolean, "The registration has ended from `valid_from` on."),
    ]
);

impl Described for AddInput {
    const SCHEMA: Schema = ADD;
}

const ADD: Schema = shape!(
    "AddInput",
    "An input to add.",
    [
        req("name", Text, "Trade name."),
        req("kind", INPUT_KIND, "Kind."),
        opt("registration_no", Text, "Registration number; no two inputs have the same."),
        opt("substances", List(&Text), "Active substances by common Chinese name."),
        opt("uses", List(&Object(&USE)), "Registered uses, one for each crop."),
        opt("valid_from", Kind::Date, "First day it is good for; absent from ever."),
        opt("source", Text, "Where it was taken from; required for a revision."),
        opt("source_on", Kind::Date, "Day it was looked up there."),
    ]
);

/// A new version.
#[derive(Deserialize)]
struct Revision {
    data: AddInput,
    reason: String,
}

impl Described for Revision {
    const SCHEMA: Schema = shape!(
        "ReviseInput",
        "What the label says from a day on; what was used before is judged by the versions before.",
        [
            req("data", Object(&ADD), "All of it, as it is to be."),
            req("reason", Text, "Why, at most 128 characters."),
        ]
    );
}

/// The end of a registration.
#[derive(Deserialize)]
struct Closing {
    ended_on: Date,
    reason: String,
}

impl Described for Closing {
    const SCHEMA: Schema = shape!(
        "CloseInput",
        "The registration ends; what was used before stays as it was judged.",
        [
            req("ended_on", Kind::Date, "First day without a registration."),
            req("reason", Text, "Why, at most 128 characters."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let made = Good::Made(Input::SCHEMA);
    vec![
        Route::get("/inputs", "Lists inputs.", Good::Page(Input::SCHEMA), get(list_of))
            .query(&[LISTING]),
        Route::post("/inputs", "Adds an input.", made, post(add)).body::<AddInput>(),
        Route::get("/inputs/{id}", "Shows an input.", Good::Object(Input::SCHEMA), get(one))
            .query(&[ON])
            .versioned(),
        Route::get(
            "/inputs/{id}/versions",
            "Every version of an input, the newest first, on one page.",
            Good::Page(Input::SCHEMA),
            get(versions),
        ),
        Route::post("/inputs/{id}/revise", "Makes a new version.", made, post(revise))
            .body::<Revision>()
            .versioned(),
        Route::post("/inputs/{id}/close", "Notes that the registration ends.", made, post(close))
            .body::<Closing>()
            .versioned(),
    ]
}

/// Everybody who is signed in may read the catalogue.
fn find(app: &App, id: &str) -> Result<Input, Problem> {
    app.store.get(id)?.ok_or_else(Problem::not_found)
}

async fn list_of(State(app): State<Arc<App>>, _: Caller, query: RawParameters) -> Answer {
    let values = query.read(&[LISTING])?;
    let limit = list::limit_of(&values)?;
    let from: usize = match values.get("cursor").map(|cursor| cursor.parse()) {
        None => 0,
        Some(Ok(from)) => from,
        Some(Err(_)) => return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_cursor")),
    };
    let found = app.find_inputs(&wanted(&values), china_date(now()))?;
    let mut items = Vec::with_capacity(limit);
    for id in found.iter().skip(from).take(limit) {
        if let Some(input) = app.store.get::<Input>(id)? {
            items.push(show(&input)?);
        }
    }
    let end = from.saturating_add(limit);
    let next = (end < found.len()).then(|| end.to_string());
    Ok(Json(json!({ "items": items, "next": next })).into_response())
}

fn wanted(values: &BTreeMap<String, String>) -> Wanted<'_> {
    let text = |name: &str| values.get(name).map(String::as_str).unwrap_or_default();
    let word = |name: &str| serde_json::Value::String(text(name).to_owned());
    Wanted {
        text: text("q"),
        kind: serde_json::from_value(word("kind")).ok(),
        state: serde_json::from_value(word("state")).ok(),
        registration_no: text("registration_no"),
    }
}

async fn one(
    State(app): State<Arc<App>>,
    _: Caller,
    Path(id): Path<String>,
    query: RawParameters,
) -> Answer {
    let values = query.read(&[ON])?;
    // Read before the record: a change in between makes the version too old, never too new.
    let version = app.store.version(&format!("input/{id}"))?;
    let newest = find(&app, &id)?;
    let input = match values.get("on").and_then(|on| on.parse::<Date>().ok()) {
        None => newest,
        Some(day) => {
            let state: &dyn Records = &app.store;
            let all = input::versions(state, &id)?;
            input::on_day(&all, day).cloned().ok_or_else(Problem::not_found)?
        }
    };
    let mut response = Json(show(&input)?).into_response();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

async fn versions(State(app): State<Arc<App>>, _: Caller, Path(id): Path<String>) -> Answer {
    find(&app, &id)?;
    let state: &dyn Records = &app.store;
    let all = input::versions(state, &id)?;
    let items: Vec<_> = all.iter().map(show).collect::<Result<_, _>>()?;
    Ok(Json(json!({ "items": items, "next": null })).into_response())
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<AddInput>,
) -> Answer {
    let command = Command::AddInput(command);
    made(&app, &app.submit_input(caller.actor(), command, key, &[]).await?)
}

async fn revise(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(body): Body<Revision>,
) -> Answer {
    let seen = version.of(format!("input/{id}"));
    let command = ReviseInput { input: id, data: body.data, reason: body.reason };
    let command = Command::ReviseInput(command);
    made(&app, &app.submit_input(caller.actor(), command, key, &seen).await?)
}

async fn close(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(body): Body<Closing>,
) -> Answer {
    let seen = version.of(format!("input/{id}"));
    let command = CloseInput { input: id, ended_on: body.ended_on, reason: body.reason };
    let command = Command::CloseInput(command);
    made(&app, &app.submit_input(caller.actor(), command, key, &seen).await?)
}

fn made(app: &App, outcome: &Outcome) -> Answer {
    let record = find(app, &outcome.id).and_then(|input| show(&input));
    let record = record.map_err(|problem| problem.after(outcome))?;
    Ok(made_value::<Input>(outcome, record))
}
