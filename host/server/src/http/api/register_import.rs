//! Registers as sheets: a plan first, which a second request accepts. The same two routes serve every
//! register.

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
use super::input_import::MEDIA;
use super::request::{Body, Caller};
use super::route::{Good, Route};
use super::schema::Kind::{Boolean, Integer, List, Object, Text};
use super::schema::{Described, Schema, opt, req};
use super::shapes::shape;
use crate::app::registers::{Acceptance, Fate, Register, Staged};
use crate::app::{App, AppError, sheet};
use crate::http::Problem;
use crate::texts::t;

const ROW: Schema = shape!(
    "SheetRow",
    "A row of a sheet.",
    [req("line", Integer, "Line in the sheet."), req("name", Text, "Name in it.")]
);

const FAULT: Schema = shape!(
    "SheetFault",
    "A row that cannot be taken in.",
    [
        req("line", Integer, "Line in the sheet."),
        req("name", Text, "Name in it."),
        req("why", List(&Text), "Why, in Chinese words."),
    ]
);

const PLAN: Schema = shape!(
    "SheetPlan",
    "What is to become of a sheet; nothing is written yet.",
    [
        req("id", Text, "To accept it by, within 30 minutes."),
        req("new", Integer, "Rows to add."),
        req("same", Integer, "Rows on record as they stand in the sheet."),
        req("differ", List(&Object(&ROW)), "Rows on record with something else."),
        req("bad", List(&Object(&FAULT)), "Rows that cannot be taken in."),
        req("ignored", List(&Text), "Columns that are not known and were left out."),
    ]
);

const FAILED: Schema = shape!(
    "SheetFailed",
    "A row that was refused after all.",
    [req("line", Integer, "Line in the sheet."), req("why", Text, "Why, in Chinese words.")]
);

const GIVEN: Schema = shape!(
    "InitialPassword",
    "The initial password of an account that was added; told this once.",
    [
        req("line", Integer, "Line in the sheet."),
        req("username", Text, "Sign-in name."),
        req("password", Text, "The password, to be changed at the first sign-in."),
    ]
);

const DONE: Schema = shape!(
    "SheetImported",
    "What an accepted sheet came to.",
    [
        req("added", Integer, "Rows added."),
        req("changed", Integer, "Rows corrected."),
        req("failed", List(&Object(&FAILED)), "Rows that were refused after all."),
        req("passwords", List(&Object(&GIVEN)), "Initial passwords, of a sheet of accounts."),
    ]
);

/// Which of the plan to write.
#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    changes: bool,
    #[serde(default)]
    approve: bool,
}

impl Described for Wanted {
    const SCHEMA: Schema = shape!(
        "AcceptSheet",
        "Which of a plan to write.",
        [
            opt("changes", Boolean, "Correct what differs, too."),
            opt("approve", Boolean, "Approve the operators that it registers."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    Register::ALL.into_iter().flat_map(of).collect()
}

fn of(register: Register) -> [Route; 2] {
    let limit = DefaultBodyLimit::max(FILE_BYTES_MAX);
    let (check, accepting, about) = words(register);
    [
        Route::post(
            check,
            about,
            Good::Object(&PLAN),
            post(move |app, caller, bytes| plan(register, app, caller, bytes)).layer(limit),
        )
        .raw(&MEDIA),
        Route::post(
            accepting,
            "Writes what is new in a plan and, if wanted, what differs. The plan is used up.",
            Good::Object(&DONE),
            post(move |app, caller, id, how| accept(register, app, caller, id, how)),
        )
        .body::<Wanted>(),
    ]
}

/// Both addresses of a register, and what is said of its sheet.
macro_rules! words {
    ($register:literal, $rows:literal, $more:literal) => {
        (
            concat!("/", $register, "/import"),
            concat!("/", $register, "/import/{plan}/accept"),
            concat!(
                "Checks a sheet of ",
                $rows,
                ", CSV (UTF-8, GB18030) or XLSX of at most 8 MiB as the raw body, and answers a plan; ",
                "nothing is written.",
                $more
            ),
        )
    };
}

fn words(register: Register) -> (&'static str, &'static str, &'static str) {
    match register {
        Register::Agencies => words!("agencies", "agencies", ""),
        Register::Operators => words!("operators", "operators", ""),
        Register::Products => {
            words!("products", "products", " A product is told by its operator and its name.")
        }
        Register::Sites => {
            words!("sites", "sites", " A site is told by its operator and its name.")
        }
        Register::Users => words!("users", "at most 500 accounts", ""),
    }
}

async fn plan(
    register: Register,
    State(app): State<Arc<App>>,
    caller: Caller,
    bytes: Bytes,
) -> Answer {
    caller.allowed(register.command())?;
    let user = caller.session.user.id.clone();
    let (checking, actor, by) = (app.clone(), caller.actor().clone(), user.clone());
    let staged = tokio::task::spawn_blocking(move || -> Result<String, AppError> {
        let sheet = sheet::read(&bytes)?;
        checking.stage_import(register, (&actor, &by), t("input_sheet.api"), &sheet)
    });
    let id = staged.await.map_err(Problem::internal)??;
    let gone = || Problem::new(StatusCode::CONFLICT, "import_gone");
    let staged = app.staged_import(register, &user, &id).ok_or_else(gone)?;
    Ok(Json(told(&id, &staged)).into_response())
}

fn told(id: &str, staged: &Staged) -> Value {
    let [new, same, ..] = staged.counts();
    let differ = staged.rows.iter().filter(|row| matches!(row.fate, Fate::Differs(..)));
    let differ = differ.map(|row| json!({ "line": row.line, "name": row.name }));
    let bad = staged.bad();
    let bad = bad.map(|(line, name, why)| json!({ "line": line, "name": name, "why": why }));
    json!({
        "id": id,
        "new": new,
        "same": same,
        "differ": differ.collect::<Vec<_>>(),
        "bad": bad.collect::<Vec<_>>(),
        "ignored": staged.ignored,
    })
}

async fn accept(
    register: Register,
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Body(how): Body<Wanted>,
) -> Answer {
    caller.allowed(register.command())?;
    let approve = how.approve && caller.may(CommandKind::ReviewOperator);
    let how = Acceptance { changes: how.changes, approve };
    // Goes on when the client does not wait.
    let done = tokio::task::spawn_blocking(move || {
        let by = (caller.actor(), caller.session.user.id.as_str());
        app.accept_import(register, by, &id, how)
    });
    let done = done.await.map_err(Problem::internal)??;
    let failed = done.failed.iter().map(|(line, why)| json!({ "line": line, "why": why }));
    let passwords = done.given.iter().map(|(line, given)| {
        json!({ "line": line, "username": given.username, "password": given.password })
    });
    let told = json!({
        "added": done.added,
        "changed": done.changed,
        "failed": failed.collect::<Vec<_>>(),
        "passwords": passwords.collect::<Vec<_>>(),
    });
    Ok(Json(told).into_response())
}
