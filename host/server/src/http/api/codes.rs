//! Codes: what a code stands for, and how often it was looked at.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::get;
use serde_json::Value;
use tianyin_domain::code::{self, Code, CodeText};

use super::request::Caller;
use super::route::{Good, Route, Shown, one, show};
use super::{Answer, packs};
use crate::app::App;
use crate::app::codes::{Found, PackedCode};
use crate::http::Problem;
use crate::texts::t;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/codes/{code}",
        "Shows what a code stands for, and of a pack's code its place there. Any case, grouped or not.",
        Good::Object(Code::SCHEMA),
        get(shown),
    )]
}

async fn shown(State(app): State<Arc<App>>, caller: Caller, Path(text): Path<String>) -> Answer {
    let missing = |code| {
        let detail = t(&format!("public.{code}_note")).to_owned();
        Problem { detail, ..Problem::new(StatusCode::NOT_FOUND, code) }
    };
    let code = match code::parse(&text) {
        CodeText::Valid(code) => code,
        CodeText::Mistyped => return Err(missing("mistyped")),
        CodeText::NotACode => return Err(missing("not_a_code")),
    };
    let scope = caller.scope();
    let in_sight = |found: &PackedCode| scope.covers(&found.pack.area, &found.pack.operator);
    let packed = app.packed(&code)?.filter(in_sight);
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
        return Ok(record);
    }
    let record: Option<Code> = app.store.get(code)?;
    Ok(record.unwrap_or_else(|| Code::new(code, found.pack.ordered_at)))
}
