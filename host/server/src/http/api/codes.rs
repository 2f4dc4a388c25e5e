//! Codes: what a code stands for, and how often it was looked at.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::get;
use tianyin_domain::code::{self, Code, CodeText};

use super::Answer;
use super::request::Caller;
use super::route::{Good, Route, Shown, one, show};
use crate::app::App;
use crate::http::Problem;
use crate::texts::t;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/codes/{code}",
        "Shows what a code stands for. Any case, grouped or not.",
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
    let mut record: Code = one(&app, &caller, &code)?;
    let numbers = app.scan_numbers(&record);
    (record.scans, record.first_scan_at) = (numbers.count, numbers.first_at);
    Ok(Json(show(&record)?).into_response())
}
