//! Codes: what a code stands for, how often and where it was looked at, and what the county found when that
//! is suspicious.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::Value;
use tianyin_domain::code::{self, Code, CodeText};
use tianyin_domain::command::Command;
use tianyin_domain::scan::{SettleSuspicion, SuspicionStatus};

use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, one, show};
use super::schema::Kind::{Choice, Text};
use super::schema::{Described, Schema, filled, req};
use super::shapes::{SUSPICION_STATUS, shape};
use super::{Answer, packs};
use crate::app::App;
use crate::app::codes::{Found, PackedCode};
use crate::http::Problem;
use crate::texts::t;

const SUSPICIONS: Listing = Listing {
    all: Some((code::BY_SUSPICION, "open")),
    filters: &[
        Filter {
            parameter: parameter("status", SUSPICION_STATUS, "How they stand; `open` when absent."),
            field: "/suspicion/status",
            index: Some(code::BY_SUSPICION),
        },
        Filter {
            parameter: parameter("operator", Text, "Only of this operator."),
            field: "/operator",
            index: None,
        },
    ],
    switches: &[],
    search: &["/code", "/suspicion/note"],
    newest_first: true,
    county_wide: false,
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/codes/{code}",
            "Shows what a code stands for, and of a pack's code its place there. Any case, grouped or not.",
            Good::Object(Code::SCHEMA),
            get(shown),
        ),
        Route::post(
            "/codes/{code}/suspicion",
            "Says whether the label of a suspicious code was copied.",
            Good::Made(Code::SCHEMA),
            post(settle),
        )
        .body::<Settling>(),
        Route::get(
            "/suspicions",
            "Lists codes whose labels may have been copied.",
            Good::Page(Code::SCHEMA),
            get(suspicions),
        )
        .query(&[&SUSPICIONS.parameters()]),
    ]
}

/// The code that somebody means.
fn meant(text: &str) -> Result<String, Problem> {
    let missing = |code| {
        let detail = t(&format!("public.{code}_note")).to_owned();
        Problem { detail, ..Problem::new(StatusCode::NOT_FOUND, code) }
    };
    match code::parse(text) {
        CodeText::Valid(code) => Ok(code),
        CodeText::Mistyped => Err(missing("mistyped")),
        CodeText::NotACode => Err(missing("not_a_code")),
    }
}

async fn shown(State(app): State<Arc<App>>, caller: Caller, Path(text): Path<String>) -> Answer {
    let code = meant(&text)?;
    let scope = caller.scope();
    let packed = app.packed(&code)?.filter(|found| found.is_seen(&scope));
    let mut record: Code = match &packed {
        Some(found) => standing(&app, &code, found)?,
        None => one(&app, &caller, &code)?,
    };
    let numbers = app.scan_numbers(&record);
    (record.scans, record.first_scan_at) = (numbers.count, numbers.first_at);
    let mut value = show(&record)?;
    if let (Some(found), Value::Object(fields)) = (&packed, &mut value) {
        fields.insert("unit".into(), packs::unit(found));
        // What stands for no lot yet has none of these.
        for name in ["certificate", "lot", "operator", "area"] {
            if fields.get(name).is_some_and(|text| text == "") {
                fields.remove(name);
            }
        }
        if !fields.contains_key("lot") {
            fields.remove("bound_at");
        }
    }
    Ok(Json(value).into_response())
}

/// A code of a pack as its lot's certificate has it, else with nothing but its scans.
fn standing(app: &App, code: &str, found: &PackedCode) -> Result<Code, Problem> {
    if let Some(Found::Certificate(record)) = app.found(code)? {
        return Ok(*record);
    }
    let record: Option<Code> = app.store.get(code)?;
    Ok(record.unwrap_or_else(|| Code::new(code, found.pack.ordered_at)))
}

/// What the county found.
#[derive(Deserialize)]
struct Settling {
    status: SuspicionStatus,
    note: String,
}

impl Described for Settling {
    const SCHEMA: Schema = shape!(
        "SettleSuspicion",
        "What the county found of a suspicion.",
        [
            req(
                "status",
                Choice(&["copied", "cleared"]),
                "`copied`: the public page warns from now on."
            ),
            req("note", filled(256), "What was found; never public."),
        ]
    );
}

async fn settle(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(text): Path<String>,
    Key(key): Key,
    Body(body): Body<Settling>,
) -> Answer {
    let Settling { status, note } = body;
    let code = meant(&text)?;
    let command = Command::SettleSuspicion(SettleSuspicion { code, status, note });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Code>(&app, &caller, &outcome)
}

async fn suspicions(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Code>(&app, &caller, &SUSPICIONS, query)
}
