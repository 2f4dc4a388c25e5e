//! The catalogue of inputs as a sheet: a plan first, which a second request accepts.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Value, json};
use tianyin_domain::command::CommandKind;
use tianyin_sheets::FILE_BYTES_MAX;

use super::Answer;
use super::request::{Body, Caller};
use super::route::{Good, Route};
use super::schema::Kind::{Boolean, Integer, List, Object, Text};
use super::schema::{Described, Schema, opt, req};
use super::shapes::shape;
use crate::app::catalogue_import::StagedInputs;
use crate::app::{App, AppError, sheet};
use crate::http::Problem;
use crate::texts::t;

/// What a sheet may be.
pub(super) const MEDIA: [&str; 2] =
    ["text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"];

const REVISION: Schema = shape!(
    "InputRevision",
    "A revision that the sheet asks for.",
    [
        req("line", Integer, "First line of the product in the sheet."),
        req("input", Text, "Input."),
        req("changes", List(&Text), "What changes, in Chinese words."),
    ]
);

const FAULT: Schema = shape!(
    "InputFault",
    "A row that cannot be taken in.",
    [
        req("line", Integer, "Line in the sheet."),
        req("name", Text, "Name of the product."),
        req("why", List(&Text), "Why, in Chinese words."),
    ]
);

const PLAN: Schema = shape!(
    "InputPlan",
    "What is to become of a sheet of inputs; nothing is written yet.",
    [
        req("id", Text, "To accept it by, within 30 minutes."),
        req("new", Integer, "Products to add."),
        req("same", Integer, "Products on record as they stand in the sheet."),
        req("revised", List(&Object(&REVISION)), "Products on record with something else."),
        req("bad", List(&Object(&FAULT)), "Rows that cannot be taken in, by line."),
        req("ignored", List(&Text), "Columns that are not known and were left out."),
    ]
);

const DONE: Schema = shape!(
    "InputsImported",
    "What an accepted sheet came to.",
    [
        req("added", Integer, "Products added."),
        req("revised", Integer, "Products revised."),
        req("failed", List(&Object(&FAILED)), "Products that were refused after all."),
    ]
);

const FAILED: Schema = shape!(
    "InputFailed",
    "A product that was refused after all.",
    [req("line", Integer, "Its first line."), req("why", Text, "Why, in Chinese words.")]
);

/// Which of the plan to write.
#[derive(Deserialize)]
struct Acceptance {
    #[serde(default)]
    revisions: bool,
}

impl Described for Acceptance {
    const SCHEMA: Schema = shape!(
        "AcceptInputs",
        "Which of a plan to write.",
        [opt("revisions", Boolean, "Write the revisions, too, and not only what is new.")]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let limit = DefaultBodyLimit::max(FILE_BYTES_MAX);
    vec![
        Route::post(
            "/inputs/import",
            "Checks a sheet of inputs, CSV (UTF-8, GB18030) or XLSX of at most 8 MiB as the raw body, and \
             answers a plan; nothing is written. A row is a registration number on a crop.",
            Good::Object(&PLAN),
            post(plan).layer(limit),
        )
        .raw(&MEDIA),
        Route::post(
            "/inputs/import/{plan}/accept",
            "Writes what is new in a plan and, if wanted, its revisions. The plan is used up.",
            Good::Object(&DONE),
            post(accept),
        )
        .body::<Acceptance>(),
    ]
}

async fn plan(State(app): State<Arc<App>>, caller: Caller, bytes: Bytes) -> Answer {
    caller.allowed(CommandKind::ReviseInput)?;
    let user = caller.session.user.id.clone();
    let (checking, actor, by) = (app.clone(), caller.actor().clone(), user.clone());
    let staged = tokio::task::spawn_blocking(move || -> Result<String, AppError> {
        let sheet = sheet::read(&bytes)?;
        checking.stage_inputs(&actor, &by, t("input_sheet.api"), &sheet)
    });
    let id = staged.await.map_err(Problem::internal)??;
    let staged = app.staged_inputs(&user, &id).ok_or_else(gone)?;
    Ok(Json(told(&id, &staged)).into_response())
}

fn gone() -> Problem {
    Problem::new(StatusCode::CONFLICT, "import_gone")
}

fn told(id: &str, staged: &StagedInputs) -> Value {
    let [new, same, ..] = staged.counts();
    let revised = staged.revised().map(|(product, revision)| {
        json!({ "line": product.line, "input": revision.input, "changes": revision.changes })
    });
    let bad = staged.bad.iter();
    let bad = bad.map(|row| json!({ "line": row.line, "name": row.name, "why": row.why }));
    json!({
        "id": id,
        "new": new,
        "same": same,
        "revised": revised.collect::<Vec<_>>(),
        "bad": bad.collect::<Vec<_>>(),
        "ignored": staged.ignored,
    })
}

async fn accept(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Body(how): Body<Acceptance>,
) -> Answer {
    caller.allowed(CommandKind::ReviseInput)?;
    // Goes on when the client does not wait.
    let done = tokio::task::spawn_blocking(move || {
        let user = &caller.session.user.id;
        app.accept_inputs(caller.actor(), user, &id, how.revisions)
    });
    let done = done.await.map_err(Problem::internal)??;
    let failed = done.failed.iter().map(|(line, why)| json!({ "line": line, "why": why }));
    let failed: Vec<Value> = failed.collect();
    let told = json!({ "added": done.added, "revised": done.revised, "failed": failed });
    Ok(Json(told).into_response())
}
