//! Several applications decided at once from the list: one reason, but each its own command and journal line,
//! based on the version that the list showed, so that nobody's change in between is passed over.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::operator::{Operator, OperatorStatus, ReviewOperator};

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::read::{ROWS, Rows};
use super::session::{Posted, Signed, told};
use crate::app::{App, AppError};
use crate::texts::{t, tf};

/// Characters of a reason, as the domain has it.
const REASON_CHARS_MAX: usize = 256;
/// Where the rest of the work is.
const WAITING: &str = "/operators?status=submitted";

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/operators/decide", post(decide))
}

/// An operator as the list shows it.
pub(super) struct Listed {
    /// The operator.
    pub operator: Operator,
    /// What a ticked box sends, where it waits for a decision of the person who looks at it.
    pub choice: Option<String>,
}

/// The rows of a list with what may be ticked among them.
pub(super) fn rows(
    app: &App,
    signed: &Signed,
    found: Rows<Operator>,
) -> Result<Rows<Listed>, ConsoleError> {
    let may = signed.may(CommandKind::ReviewOperator);
    let mut items = Vec::with_capacity(found.items.len());
    for operator in found.items {
        items.push(if may && operator.status == OperatorStatus::Submitted {
            // Read once more after its version: what is shown is never newer than what is sent.
            let version = app.store.version(&format!("operator/{}", operator.id))?;
            let now: Option<Operator> = app.store.get(&operator.id)?;
            let operator = now.unwrap_or(operator);
            let waits = operator.status == OperatorStatus::Submitted;
            let choice = waits.then(|| format!("{}@{version}", operator.id));
            Listed { operator, choice }
        } else {
            Listed { operator, choice: None }
        });
    }
    Ok(Rows { items, pager: found.pager })
}

#[derive(Template)]
#[template(path = "operators/decided.html")]
struct DecidedPage {
    page: Page,
    form: Form,
    lines: Vec<Line>,
    waiting: &'static str,
}

/// One of those that were ticked.
struct Line {
    operator: Operator,
    version: u64,
    fate: Fate,
}

/// What became of it.
enum Fate {
    /// Nothing yet: the form has to be mended first.
    Open,
    Done(OperatorStatus),
    Refused(String),
}

impl DecidedPage {
    fn is_open(&self) -> bool {
        self.lines.iter().any(|line| matches!(line.fate, Fate::Open))
    }

    fn summary(&self) -> String {
        let done = self.lines.iter().filter(|line| matches!(line.fate, Fate::Done(_))).count();
        let failed = self.lines.len() - done;
        let numbers = [("done", done.to_string()), ("failed", failed.to_string())];
        tf("operators.decided", numbers.iter().map(|(k, v)| (*k, v.as_str())))
    }
}

async fn decide(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    if !signed.may(CommandKind::ReviewOperator) {
        return Err(ConsoleError::forbidden());
    }
    let mut lines = ticked(&app, &signed, &form)?;
    if lines.is_empty() {
        return Ok(told(WAITING, false, t("operators.tick_first")));
    }
    let status = status_of(&mut form);
    if let (Some(status), true) = (status, form.is_good()) {
        for line in &mut lines {
            line.fate = decide_one(&app, &signed, &form, line, status).await?;
        }
        return html(&decided(&app, &signed, form, lines));
    }
    form.summarise();
    refused(&decided(&app, &signed, form, lines))
}

/// What is to become of them, with a reason that fits.
fn status_of(form: &mut Form) -> Option<OperatorStatus> {
    let status: Option<OperatorStatus> = form.choice_of("status");
    let known = [OperatorStatus::Approved, OperatorStatus::Returned];
    if status.is_some_and(|status| !known.contains(&status)) {
        form.bad("status", "bad_choice");
    }
    if status == Some(OperatorStatus::Returned) {
        form.text_of("reason");
    }
    if form.get("reason").chars().count() > REASON_CHARS_MAX {
        let max = REASON_CHARS_MAX.to_string();
        form.bad_text("reason", tf("field.too_long", [("max", max.as_str())]));
    }
    status
}

/// Those that were ticked, as far as they are in sight; no more than a page shows.
fn ticked(app: &App, signed: &Signed, form: &Form) -> Result<Vec<Line>, ConsoleError> {
    let mut lines: Vec<Line> = Vec::new();
    for choice in form.all("operator").take(ROWS) {
        let Some((id, version)) = choice.split_once('@') else { continue };
        let Ok(version) = version.parse() else { continue };
        let is_new = lines.iter().all(|line| line.operator.id != id);
        let operator = app.store.get_scoped::<Operator>(id, &signed.scope())?;
        if let Some(operator) = operator.filter(|_| is_new) {
            lines.push(Line { operator, version, fate: Fate::Open });
        }
    }
    Ok(lines)
}

async fn decide_one(
    app: &App,
    signed: &Signed,
    form: &Form,
    line: &Line,
    status: OperatorStatus,
) -> Result<Fate, ConsoleError> {
    let id = &line.operator.id;
    let reason = form.get("reason").to_owned();
    let command = ReviewOperator { operator: id.clone(), status, reason };
    // A page sent twice decides nothing twice.
    let key = form.once().map(|once| format!("{once}/{id}"));
    let seen = [(format!("operator/{id}"), line.version)];
    let command = Command::ReviewOperator(command);
    match app.submit_based(signed.actor(), command, key, &seen).await {
        Ok(_) => Ok(Fate::Done(status)),
        Err(error @ AppError::Internal(_)) => Err(error.into()),
        Err(error) => Ok(Fate::Refused(error.detail())),
    }
}

fn decided(app: &App, signed: &Signed, form: Form, lines: Vec<Line>) -> DecidedPage {
    let page = Page::new(app, signed, "/operators", "operators.decide");
    DecidedPage { page, form, lines, waiting: WAITING }
}
