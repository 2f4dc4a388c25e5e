//! What follows on a result: verified by a second person, struck out, delivered, settled; and the notice
//! that tells the tested party of its rights.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::lot::Lot;
use tianyin_domain::objection::{self, Objection, ObjectionStatus};
use tianyin_domain::positive::{Outcome, SettlePositive, StrikeTest, VerifyTest};
use tianyin_domain::test::{ConductedBy, Origin, Test, TestVerdict};
use tianyin_domain::time::china_date;

use super::blobs::{self, Waiting};
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::meter::value_text;
use super::page::{Page, html, refused};
use super::read;
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::App;
use crate::app::objections::{Until, objection_until};
use crate::edge::now;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/tests/{id}/verify", post(verify))
        .route("/tests/{id}/strike", post(strike))
        .route("/tests/{id}/deliver", post(deliver))
        .route("/tests/{id}/settle", get(settling).post(settle))
        .route("/tests/{id}/notice", get(notice))
}

/// What a person may do next with a result.
#[derive(Default)]
pub struct Follow {
    /// It waits for a second person, and this is one.
    pub may_verify: bool,
    /// It waits for a second person, and this one typed it.
    pub own_entry: bool,
    /// It may be struck out.
    pub may_strike: bool,
    /// It is positive, and nobody has told the tested party yet.
    pub may_deliver: bool,
    /// It is positive and open.
    pub may_settle: bool,
    /// It may be objected to.
    pub may_object: bool,
    /// Objections so far.
    pub objections: Vec<Objection>,
}

impl Follow {
    /// What the person may do with a test.
    pub fn of(app: &App, signed: &Signed, test: &Test) -> Result<Self, ConsoleError> {
        let typed_by_me = test.entered_by == signed.actor().name();
        let waits = test.waits_for_verification();
        let mine = signed.is_staff() || test.conducted_by == Some(ConductedBy::Own);
        let positive = test.is_open_positive();
        let until = test.delivered.as_ref().map(|one| one.until);
        let objections: Vec<Objection> =
            read::newest(app, signed, (objection::BY_TEST, &test.id), read::ROWS_WITHIN)?;
        let open = objections.iter().any(|one| one.status.is_open());
        let can_strike = test.origin == Origin::Typed
            && test.struck.is_none()
            && test.settled.is_none()
            && !(typed_by_me && test.verdict == TestVerdict::Fail);
        Ok(Self {
            may_verify: waits && mine && !typed_by_me && signed.may(CommandKind::VerifyTest),
            own_entry: waits && typed_by_me,
            may_strike: can_strike && mine && signed.may(CommandKind::StrikeTest),
            may_deliver: positive
                && test.delivered.is_none()
                && !test.operator.is_empty()
                && signed.may(CommandKind::DeliverResult),
            may_settle: positive && !open && signed.may(CommandKind::SettlePositive),
            may_object: positive
                && until.is_some()
                && objections.iter().all(|one| one.status == ObjectionStatus::Withdrawn)
                && signed.may(CommandKind::FileObjection),
            objections,
        })
    }
}

async fn verify(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let command = Command::VerifyTest(VerifyTest { test: id.clone() });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/tests/{id}"), answer, "tests.verified_done")
}

async fn strike(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let reason = form.get("reason").to_owned();
    let command = Command::StrikeTest(StrikeTest { test: id.clone(), reason });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/tests/{id}"), answer, "tests.struck_done")
}

async fn deliver(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let to = form.get("to").to_owned();
    let Some(at) = form.moment_of("delivered_at") else {
        let text = form.error("delivered_at").unwrap_or_default().to_owned();
        return Ok(super::session::told(&format!("/tests/{id}"), false, &text));
    };
    let answer = app.deliver_result(signed.actor(), &id, at, to, form.once()).await;
    done_or_not(&format!("/tests/{id}"), answer, "tests.delivered_done")
}

#[derive(Template)]
#[template(path = "tests/settle.html")]
struct SettlePage {
    page: Page,
    test: Test,
    value: String,
    form: Form,
    outcomes: Vec<Choice>,
    waiting: Vec<Waiting>,
}

fn settle_page(
    app: &App,
    signed: &Signed,
    id: &str,
    form: Form,
) -> Result<SettlePage, ConsoleError> {
    let test: Test = read::one(app, signed, "test", id)?;
    Ok(SettlePage {
        page: Page::new(app, signed, "/tests", "tests.settle"),
        value: value_text(&test.measurement),
        waiting: blobs::waiting(&form),
        form: form.of("positive"),
        outcomes: Choice::words(&Outcome::ALL),
        test,
    })
}

async fn settling(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    html(&settle_page(&app, &signed, &id, Form::default())?)
}

async fn settle(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let outcome: Option<Outcome> = form.choice_of("outcome");
    let note = form.text_of("note");
    let attachments = blobs::attachments_of(&mut form);
    if let (Some(outcome), true) = (outcome, form.is_good()) {
        let command = SettlePositive { test: id.clone(), outcome, note, attachments };
        match app.settle_positive(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done(&format!("/tests/{id}"), "tests.settled_done")),
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    refused(&settle_page(&app, &signed, &id, form)?)
}

/// The notice of a positive result (检测结果告知书), with the clock that runs from its delivery.
#[derive(Template)]
#[template(path = "tests/notice.html")]
struct NoticePage {
    page: Page,
    test: Test,
    operator: String,
    value: String,
    reason: String,
    lot: Option<Lot>,
    /// Rapid: 4 hours; else 5 working days.
    is_rapid: bool,
    until: Until,
    today: String,
}

async fn notice(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let test: Test = read::one(&app, &signed, "test", &id)?;
    let lot: Option<Lot> = match &test.lot {
        Some(lot) => app.store.get_scoped(lot, &signed.scope())?,
        None => None,
    };
    let method = test.measurement.method;
    let until = match &test.delivered {
        Some(one) => Until { until: one.until, guessed: one.guessed },
        None => objection_until(app.calendar(), method, now()),
    };
    html(&NoticePage {
        page: Page::new(&app, &signed, "/tests", "tests.notice"),
        operator: read::operator_name(&app, &test.operator)?,
        value: value_text(&test.measurement),
        reason: test.judgement.findings.first().map(|f| f.text.clone()).unwrap_or_default(),
        lot,
        is_rapid: method.is_rapid(),
        until,
        today: china_date(now()).to_string(),
        test,
    })
}
