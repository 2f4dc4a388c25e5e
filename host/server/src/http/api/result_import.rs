//! Results of a laboratory as a sheet: a plan first, which a second request accepts.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::post;
use serde_json::{Value, json};
use tianyin_domain::Role;
use tianyin_domain::command::CommandKind;
use tianyin_domain::test::TestVerdict;
use tianyin_sheets::FILE_BYTES_MAX;

use super::Answer;
use super::input_import::MEDIA;
use super::request::Caller;
use super::route::{Good, Route};
use super::schema::Kind::{Boolean, Integer, List, Object, Text};
use super::schema::{Schema, req};
use super::shapes::{TEST_VERDICT, shape};
use crate::app::result_import::{StagedResult, StagedResults};
use crate::app::{App, AppError, sheet};
use crate::http::Problem;
use crate::texts::t;

const VERDICTS: Schema = shape!(
    "ResultVerdicts",
    "How many results are judged what.",
    [
        req("pass", Integer, "Pass."),
        req("fail", Integer, "Fail: their lots are held as soon as they are written."),
        req("invalid", Integer, "Invalid, or cannot be judged."),
    ]
);

const REMARK: Schema = shape!(
    "ResultRemark",
    "A result that can be taken in and would not pass.",
    [
        req("line", Integer, "Line in the sheet."),
        req("verdict", TEST_VERDICT, "What it would be judged now."),
        req("why", Text, "Why, in Chinese words."),
    ]
);

const FAULT: Schema = shape!(
    "ResultFault",
    "A row that cannot be taken in.",
    [
        req("line", Integer, "Line in the sheet."),
        req("sample", Text, "Number of the sample or lot, as it stands there."),
        req("item", Text, "Item."),
        req("why", List(&Text), "Why, in Chinese words."),
    ]
);

const TWICE: Schema = shape!(
    "ResultTwice",
    "A row that says the same as one before it, and is taken in once.",
    [req("line", Integer, "Line in the sheet."), req("before", Integer, "Line of that one.")]
);

const PLAN: Schema = shape!(
    "ResultPlan",
    "What is to become of a sheet of results; nothing is written yet.",
    [
        req("id", Text, "To accept it by, within 30 minutes."),
        req("new", Integer, "Results to write."),
        req("known", Integer, "Results on record already."),
        req("twice", List(&Object(&TWICE)), "Rows that the sheet has twice."),
        req("verdicts", Object(&VERDICTS), "What the new results would be judged now."),
        req("remarks", List(&Object(&REMARK)), "New results that would not pass."),
        req(
            "doubtful_rates",
            Boolean,
            "All inhibition rates are 1 % or less: the file may say 0.123 where 12.3 % is meant."
        ),
        req("bad", List(&Object(&FAULT)), "Rows that cannot be taken in, by line."),
        req("ignored", List(&Text), "Columns that are not known and were left out."),
    ]
);

const FAILED: Schema = shape!(
    "ResultFailed",
    "A row that was refused after all.",
    [req("line", Integer, "Line in the sheet."), req("why", Text, "Why, in Chinese words.")]
);

const DONE: Schema = shape!(
    "ResultsImported",
    "What an accepted sheet came to.",
    [
        req("added", Integer, "Results written."),
        req("known", Integer, "Results that were on record after all."),
        req("verdicts", Object(&VERDICTS), "What those written were judged."),
        req("waiting", Integer, "Of those written, how many wait for a second person."),
        req("failed", List(&Object(&FAILED)), "Rows that were refused after all."),
    ]
);

pub(super) fn routes() -> Vec<Route> {
    let limit = DefaultBodyLimit::max(FILE_BYTES_MAX);
    vec![
        Route::post(
            "/tests/import",
            "Checks a sheet of laboratory results, CSV (UTF-8, GB18030) or XLSX of at most 8 MiB as the raw \
             body, and answers a plan; nothing is written. A row is a result of one item of one sample; for \
             people who work for an agency.",
            Good::Object(&PLAN),
            post(plan).layer(limit),
        )
        .raw(&MEDIA),
        Route::post(
            "/tests/import/{plan}/accept",
            "Writes what is new in a plan. The plan is used up; a sheet that was cut short may be sent again.",
            Good::Object(&DONE),
            post(accept),
        ),
    ]
}

/// Sheets come from laboratories and agencies; a producer enters its own results one by one.
fn allowed(caller: &Caller) -> Result<(), Problem> {
    caller.allowed(CommandKind::RecordTest)?;
    match caller.session.user.role == Role::Producer {
        true => Err(Problem::forbidden()),
        false => Ok(()),
    }
}

async fn plan(State(app): State<Arc<App>>, caller: Caller, bytes: Bytes) -> Answer {
    allowed(&caller)?;
    let user = caller.session.user.id.clone();
    let (checking, actor, by) = (app.clone(), caller.actor().clone(), user.clone());
    let staged = tokio::task::spawn_blocking(move || -> Result<String, AppError> {
        let sheet = sheet::read(&bytes)?;
        checking.stage_results(&actor, &by, t("result_sheet.api"), &sheet)
    });
    let id = staged.await.map_err(Problem::internal)??;
    let gone = || Problem::new(StatusCode::CONFLICT, "import_gone");
    let staged = app.staged_results(&user, &id).ok_or_else(gone)?;
    Ok(Json(told(&id, &staged)).into_response())
}

fn told(id: &str, staged: &StagedResults) -> Value {
    let remark = |one: &StagedResult| json!({ "line": one.row.line, "verdict": one.verdict, "why": one.why });
    let remarks = staged.rows.iter().filter(|one| one.verdict != TestVerdict::Pass).map(remark);
    let bad = staged.bad.iter().map(
        |row| json!({ "line": row.line, "sample": row.sample, "item": row.item, "why": row.why }),
    );
    let twice = staged.twice.iter();
    let twice = twice.map(|(line, before)| json!({ "line": line, "before": before }));
    json!({
        "id": id,
        "new": staged.rows.len(),
        "known": staged.known,
        "twice": twice.collect::<Vec<_>>(),
        "verdicts": verdicts(staged.verdicts()),
        "remarks": remarks.collect::<Vec<_>>(),
        "doubtful_rates": staged.doubtful_rates(),
        "bad": bad.collect::<Vec<_>>(),
        "ignored": staged.ignored,
    })
}

fn verdicts([pass, fail, invalid]: [usize; 3]) -> Value {
    json!({ "pass": pass, "fail": fail, "invalid": invalid })
}

async fn accept(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    allowed(&caller)?;
    // Goes on when the client does not wait.
    let done = tokio::task::spawn_blocking(move || {
        app.accept_results(caller.actor(), &caller.session.user.id, &id)
    });
    let done = done.await.map_err(Problem::internal)??;
    let failed = done.failed.iter().map(|(line, why)| json!({ "line": line, "why": why }));
    let failed: Vec<Value> = failed.collect();
    let told = json!({
        "added": done.added,
        "known": done.known,
        "verdicts": verdicts(done.verdicts),
        "waiting": done.waiting,
        "failed": failed,
    });
    Ok(Json(told).into_response())
}
