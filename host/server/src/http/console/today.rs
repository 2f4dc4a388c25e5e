//! Today's work: what waits, each number with the list behind it; for a fresh county, what to do first.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use tianyin_domain::certificate::{self, Certificate};
use tianyin_domain::code;
use tianyin_domain::command::CommandKind;
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::operator::Operator;
use tianyin_domain::state::Index;
use tianyin_domain::test::{self, Test};
use tianyin_domain::time::china_date;
use tianyin_domain::{device, feedback, message, objection, operator, print_job, product};

use super::error::{Answer, ConsoleError};
use super::filters;
use super::lots::ready;
use super::page::{Page, html};
use super::read;
use super::session::Signed;
use super::tests::Row;
use crate::app::App;
use crate::edge::now;

/// Newest results and certificates on the page.
const RECENT: usize = 8;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/", get(page)).route("/today/work", get(work))
}

/// A number with the list behind it.
struct Fact {
    href: String,
    text: &'static str,
    note: &'static str,
    /// `None` where there is too much to count.
    count: Option<u64>,
    /// `bad`, `wait` or `ok`: what a number above zero means.
    tone: &'static str,
}

/// A step of the first days.
struct Step {
    href: &'static str,
    text: &'static str,
    note: &'static str,
    done: bool,
}

#[derive(Template)]
#[template(path = "today.html")]
struct TodayPage {
    page: Page,
    work: Work,
    steps: Vec<Step>,
    tests: Vec<Row>,
    certificates: Vec<Certificate>,
    own: Option<Own>,
    today: String,
}

impl TodayPage {
    fn is_starting(&self) -> bool {
        self.steps.iter().any(|s| !s.done)
    }

    /// The first step that is not done.
    fn is_next(&self, step: &Step) -> bool {
        self.steps.iter().find(|s| !s.done).is_some_and(|s| s.href == step.href)
    }
}

/// What a producer sees first.
struct Own {
    operator: Operator,
    lots: Vec<Lot>,
}

#[derive(Template)]
#[template(path = "_work.html")]
struct Work {
    facts: Vec<Fact>,
    /// There is something to work on.
    started: bool,
}

impl askama::filters::HtmlSafe for Work {}

impl Work {
    fn of(app: &App, signed: &Signed) -> Result<Self, ConsoleError> {
        let started = any(app, signed, operator::BY_STATUS, "")?;
        Ok(Self { facts: facts(app, signed)?, started })
    }

    fn waiting(&self) -> u64 {
        self.facts.iter().filter(|f| f.tone != "ok").map(|f| f.count.unwrap_or(1)).sum()
    }
}

async fn page(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    let tests: Vec<Test> = match signed.operator() {
        Some(own) => read::newest(&app, &signed, (test::BY_OPERATOR, own), RECENT)?,
        None => read::newest(&app, &signed, (test::BY_VERDICT, ""), RECENT)?,
    };
    let part = (certificate::BY_OPERATOR, signed.operator().unwrap_or_default());
    html(&TodayPage {
        page: Page::new(&app, &signed, "/", "today.title"),
        work: Work::of(&app, &signed)?,
        steps: steps(&app, &signed)?,
        tests: tests.into_iter().map(Row::of).collect(),
        certificates: read::newest(&app, &signed, part, RECENT)?,
        own: own(&app, &signed)?,
        today: china_date(now()).to_string(),
    })
}

/// The numbers alone, fetched anew when something happened.
async fn work(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    html(&Work::of(&app, &signed)?)
}

fn own(app: &App, signed: &Signed) -> Result<Option<Own>, ConsoleError> {
    let Some(id) = signed.operator() else { return Ok(None) };
    let operator = read::one(app, signed, "operator", id)?;
    let lots = read::newest(app, signed, (lot::BY_OPERATOR, id), RECENT)?;
    Ok(Some(Own { operator, lots }))
}

fn facts(app: &App, signed: &Signed) -> Result<Vec<Fact>, ConsoleError> {
    let ready = Some(ready(app, &signed.scope())?.len() as u64);
    let fact = |href: &str, text, note, count, tone| Fact {
        href: href.to_owned(),
        text,
        note,
        count,
        tone,
    };
    let ready = fact("/lots?status=ready", "today.ready", "today.ready_note", ready, "wait");
    if !signed.is_staff() {
        return Ok(vec![ready]);
    }
    let count = |index, part: &str| read::count(app, signed, index, part);
    let (dead, conflict) =
        (count(message::BY_STATUS, "dead")?, count(message::BY_STATUS, "conflict")?);
    let dead = dead.zip(conflict).map(|(dead, conflict)| dead + conflict);
    let (filed, ordered) =
        (count(objection::BY_STATUS, "filed")?, count(objection::BY_STATUS, "ordered")?);
    let objections = filed.zip(ordered).map(|(filed, ordered)| filed + ordered);
    let today = china_date(now());
    let mut facts = Vec::new();
    // Whoever buys a forged label is deceived now: nothing is more urgent.
    if signed.may(CommandKind::CloseFeedback) {
        let fakes = count(feedback::WAITING, "fake")?;
        let href = "/feedback?status=waiting&kind=fake";
        facts.push(fact(href, "today.fakes", "today.fakes_note", fakes, "bad"));
    }
    if signed.may(CommandKind::ReviewOperator) {
        let (href, waiting) =
            ("/operators?status=submitted", count(operator::BY_STATUS, "submitted")?);
        facts.push(fact(href, "today.review", "today.review_note", waiting, "wait"));
    }
    if signed.may(CommandKind::SettleSuspicion) {
        let open = count(code::BY_SUSPICION, "open")?;
        let (text, note) = ("today.suspicions", "today.suspicions_note");
        facts.push(fact("/suspicions", text, note, open, "bad"));
    }
    if signed.may(CommandKind::ModerateFeedback) {
        let (complaints, ratings) =
            (count(feedback::WAITING, "complaint")?, count(feedback::WAITING, "rating")?);
        let said = complaints.zip(ratings).map(|(complaints, ratings)| complaints + ratings);
        facts.push(fact("/feedback", "today.feedback", "today.feedback_note", said, "wait"));
    }
    facts.extend([
        fact(
            "/tests?status=unmatched",
            "today.unmatched",
            "today.unmatched_note",
            count(test::UNMATCHED, "")?,
            "wait",
        ),
        fact(
            "/tests?status=unverified",
            "today.unverified",
            "today.unverified_note",
            count(test::UNVERIFIED, "")?,
            "wait",
        ),
        fact(
            "/tests?status=positive",
            "today.positive",
            "today.positive_note",
            count(test::POSITIVE, "")?,
            "bad",
        ),
        fact("/objections", "today.objections", "today.objections_note", objections, "bad"),
        ready,
        fact(
            "/lots?status=held",
            "today.held",
            "today.held_note",
            count(lot::BY_STATUS, "held")?,
            "bad",
        ),
        fact(
            "/print-jobs?status=failed",
            "today.failed_prints",
            "today.failed_prints_note",
            count(print_job::BY_STATUS, "failed")?,
            "bad",
        ),
        fact("/messages?status=dead", "today.dead", "today.dead_note", dead, "bad"),
        fact(
            "/devices",
            "today.pending",
            "today.pending_note",
            count(device::BY_STATUS, "pending")?,
            "wait",
        ),
        fact(
            &format!("/certificates?day={today}"),
            "today.issued",
            "today.issued_note",
            count(certificate::BY_DAY, &today.to_string())?,
            "ok",
        ),
    ]);
    Ok(facts)
}

/// Whether the person sees any row of a part.
fn any(app: &App, signed: &Signed, index: Index, part: &str) -> Result<bool, ConsoleError> {
    Ok(read::count(app, signed, index, part)?.is_none_or(|count| count > 0))
}

/// Steps from an empty county to its first certificate; none once all are done.
fn steps(app: &App, signed: &Signed) -> Result<Vec<Step>, ConsoleError> {
    if !signed.is_staff() || !signed.may(CommandKind::RegisterOperator) {
        return Ok(Vec::new());
    }
    let any = |index, part: &str| any(app, signed, index, part);
    let step = |href, text, note, done| Step { href, text, note, done };
    let mut steps = vec![
        step(
            "/operators/new",
            "start.operator",
            "start.operator_note",
            any(operator::BY_STATUS, "")?,
        ),
        step("/operators", "start.product", "start.product_note", any(product::BY_OPERATOR, "")?),
    ];
    if signed.is_administrator() {
        let devices = any(device::BY_STATUS, "approved")?;
        steps.push(step("/devices", "start.device", "start.device_note", devices));
    }
    steps.extend([
        step("/lots/new", "start.lot", "start.lot_note", any(lot::BY_OPERATOR, "")?),
        step("/tests", "start.test", "start.test_note", any(test::BY_VERDICT, "")?),
        step(
            "/lots",
            "start.certificate",
            "start.certificate_note",
            any(certificate::BY_OPERATOR, "")?,
        ),
    ]);
    Ok(steps)
}
