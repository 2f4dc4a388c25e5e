//! Objections: the list with its clocks, filing one, and the way to its end.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::measurement::Method;
use tianyin_domain::objection::{
    self, ConcludeObjection, Ending, FileObjection, Objection, ObjectionStatus, OrderRetest,
};
use tianyin_domain::test::{self, Test, TestVerdict};
use tianyin_domain::time::china_date;

use super::blobs::{self, Waiting};
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::meter::value_text;
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html, refused};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::App;
use crate::edge::now;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/objections", get(list))
        .route("/tests/{id}/objection", get(filing).post(file))
        .route("/objections/{id}", get(detail))
        .route("/objections/{id}/order", post(order_retest))
        .route("/objections/{id}/receive", post(receive))
        .route("/objections/{id}/conclude", post(conclude))
}

const STATUSES: [ObjectionStatus; 5] = [
    ObjectionStatus::Filed,
    ObjectionStatus::Ordered,
    ObjectionStatus::Upheld,
    ObjectionStatus::Overturned,
    ObjectionStatus::Withdrawn,
];
/// Address of the objections of a status.
const OF_STATUS: &str = "/objections?status=";

#[derive(Template)]
#[template(path = "objections/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    order: Order,
}

/// An objection with the name of who objects.
struct Row {
    objection: Objection,
    operator: String,
    overdue: bool,
}

/// Whether the report of the retest should be there.
fn is_overdue(objection: &Objection) -> bool {
    let today = china_date(now());
    objection.status.is_open() && objection.due_on.is_some_and(|due| due < today)
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let status = STATUSES.into_iter().find(|one| one.as_str() == query.status);
    let (part, address) = match (signed.operator(), status) {
        (Some(own), _) => ((objection::BY_OPERATOR, own), "/objections".to_owned()),
        (None, Some(status)) => {
            ((objection::BY_STATUS, status.as_str()), format!("{OF_STATUS}{}", status.as_str()))
        }
        (None, None) => ((objection::BY_STATUS, ""), "/objections".to_owned()),
    };
    let order = Order::of(order::BY_TIME, &query.sort, address);
    let found =
        read::rows::<Objection>(&app, &signed.scope(), part, &order, query.after.as_deref())?;
    let mut rows = Vec::with_capacity(found.items.len());
    for objection in found.items {
        let operator = read::operator_name(&app, &objection.operator)?;
        rows.push(Row { overdue: is_overdue(&objection), operator, objection });
    }
    let mut chips = match signed.is_staff() {
        true => read::chips(&app, &signed, OF_STATUS, objection::BY_STATUS, &STATUSES, status)?,
        false => Vec::new(),
    };
    order.keep(&mut chips);
    let page = Page::new(&app, &signed, "/objections", "objections.title");
    html(&ListPage { page, rows, pager: found.pager, chips, order })
}

#[derive(Template)]
#[template(path = "objections/new.html")]
struct NewPage {
    page: Page,
    test: Test,
    value: String,
    form: Form,
    waiting: Vec<Waiting>,
}

fn new_page(app: &App, signed: &Signed, id: &str, form: Form) -> Result<NewPage, ConsoleError> {
    let test: Test = read::one(app, signed, "test", id)?;
    Ok(NewPage {
        page: Page::new(app, signed, "/objections", "objections.new"),
        value: value_text(&test.measurement),
        waiting: blobs::waiting(&form),
        form: form.of("objection"),
        test,
    })
}

async fn filing(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let mut form = Form::default();
    form.set_moment("filed_at", now());
    html(&new_page(&app, &signed, &id, form)?)
}

async fn file(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let reason = form.text_of("reason");
    // A producer hands it in by this very click.
    let filed_at = match signed.is_staff() {
        true => form.moment_of("filed_at"),
        false => Some(now()),
    };
    let attachments = blobs::attachments_of(&mut form);
    if let (Some(filed_at), true) = (filed_at, form.is_good()) {
        let command = FileObjection { test: id.clone(), reason, filed_at, attachments };
        match app.file_objection(signed.actor(), command, form.once()).await {
            Ok(outcome) => {
                return Ok(done(&format!("/objections/{}", outcome.id), "objections.filed_done"));
            }
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    refused(&new_page(&app, &signed, &id, form)?)
}

#[derive(Template)]
#[template(path = "objections/detail.html")]
struct DetailPage {
    page: Page,
    objection: Objection,
    operator: String,
    first: Test,
    first_value: String,
    retests: Vec<(Test, String)>,
    overdue: bool,
    /// The last day was reckoned without the year's holidays.
    guessed: bool,
    methods: Vec<Choice>,
    form: Form,
    may_order: bool,
    may_receive: bool,
    may_enter: bool,
    may_conclude: bool,
}

impl DetailPage {
    fn is_decidable(&self) -> bool {
        let standing = || self.retests.iter().filter(|(test, _)| test.struck.is_none());
        standing().count() > 0
            && standing().all(|(test, _)| test.counts() && test.verdict != TestVerdict::Invalid)
    }
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let objection: Objection = read::one(&app, &signed, "objection", &id)?;
    let first: Test = read::one(&app, &signed, "test", &objection.test)?;
    let part = (test::BY_OBJECTION, id.as_str());
    let mut retests: Vec<Test> = read::newest(&app, &signed, part, read::ROWS_WITHIN)?;
    retests.reverse();
    let may_conclude = objection.status.is_open() && signed.may(CommandKind::ConcludeObjection);
    let is_ordered = objection.status == ObjectionStatus::Ordered;
    let can_order = objection.status.is_open() && objection.received_on.is_none();
    let guessed = objection.received_on.is_some_and(|day| app.report_due(day).guessed);
    let mut form = Form::default();
    form.set("received_on", china_date(now()).to_string());
    let rapid = |m: &Method| !m.is_rapid();
    let methods: Vec<Method> = Method::ALL.into_iter().filter(rapid).collect();
    html(&DetailPage {
        page: Page::new(&app, &signed, "/objections", "objections.title")
            .titled(&objection.product_name),
        operator: read::operator_name(&app, &objection.operator)?,
        first_value: value_text(&first.measurement),
        first,
        retests: retests
            .into_iter()
            .map(|one| (one.clone(), value_text(&one.measurement)))
            .collect(),
        overdue: is_overdue(&objection),
        guessed,
        methods: Choice::words(&methods),
        form: form.of("objection"),
        may_order: can_order && signed.may(CommandKind::OrderRetest),
        may_receive: is_ordered
            && objection.received_on.is_none()
            && signed.may(CommandKind::ReceiveRetestSample),
        may_enter: is_ordered && signed.is_staff() && signed.may(CommandKind::RecordTest),
        may_conclude,
        objection,
    })
}

async fn order_retest(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let laboratory = form.get("laboratory").to_owned();
    let Some(method) = form.choice_of("method") else {
        let text = form.error("method").unwrap_or_default().to_owned();
        return Ok(super::session::told(&format!("/objections/{id}"), false, &text));
    };
    let command = Command::OrderRetest(OrderRetest { objection: id.clone(), laboratory, method });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/objections/{id}"), answer, "objections.ordered_done")
}

async fn receive(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let Some(day) = form.date_of("received_on") else {
        let text = form.error("received_on").unwrap_or_default().to_owned();
        return Ok(super::session::told(&format!("/objections/{id}"), false, &text));
    };
    let answer = app.receive_retest_sample(signed.actor(), id.clone(), day, form.once()).await;
    done_or_not(&format!("/objections/{id}"), answer, "objections.received_done")
}

async fn conclude(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let ending = match form.get("ending") {
        "withdrawn" => Ending::Withdrawn,
        _ => Ending::Decided,
    };
    let note = form.get("note").to_owned();
    let command =
        Command::ConcludeObjection(ConcludeObjection { objection: id.clone(), ending, note });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/objections/{id}"), answer, "objections.concluded_done")
}
