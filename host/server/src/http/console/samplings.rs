//! Samples: the list, the sheet of one with its results, taking one, its receipt and end.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::lot::Lot;
use tianyin_domain::operator::Operator;
use tianyin_domain::sampling::{
    self, CancelSample, Level, Purpose, ReceiveSample, Sampling, SamplingStatus, TakeSample,
};
use tianyin_domain::site::Site;
use tianyin_domain::test::{self, Test};
use tianyin_domain::time::china_date;

use super::blobs::{self, Waiting};
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::lots::{product_choices, site_choices};
use super::meter::value_text;
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html, refused};
use super::pick;
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::App;
use crate::edge::now;
use crate::http::qr::{self, Drawn};

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/samplings", get(list).post(take))
        .route("/samplings/new", get(new))
        .route("/samplings/worksheet", get(worksheet))
        .route("/samplings/{id}", get(detail))
        .route("/samplings/{id}/report", get(report))
        .route("/samplings/{id}/receive", post(receive))
        .route("/samplings/{id}/cancel", post(cancel))
}

const STATUSES: [SamplingStatus; 4] = [
    SamplingStatus::Taken,
    SamplingStatus::Received,
    SamplingStatus::Reported,
    SamplingStatus::Cancelled,
];
/// Address of the samples of a status.
const OF_STATUS: &str = "/samplings?status=";

#[derive(Template)]
#[template(path = "samplings/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    order: Order,
}

/// A sample with the name of the tested party.
struct Row {
    sampling: Sampling,
    operator: String,
}

fn rows_of(app: &App, samples: Vec<Sampling>) -> Result<Vec<Row>, ConsoleError> {
    let mut rows = Vec::with_capacity(samples.len());
    for sampling in samples {
        rows.push(Row { operator: read::operator_name(app, &sampling.operator)?, sampling });
    }
    Ok(rows)
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let status = STATUSES.into_iter().find(|one| one.as_str() == query.status);
    let (part, address) = match (signed.operator(), status) {
        (Some(own), _) => ((sampling::BY_OPERATOR, own), "/samplings".to_owned()),
        (None, Some(status)) => {
            ((sampling::BY_STATUS, status.as_str()), format!("{OF_STATUS}{}", status.as_str()))
        }
        (None, None) => ((sampling::BY_STATUS, ""), "/samplings".to_owned()),
    };
    let order = Order::of(order::BY_TIME, &query.sort, address);
    let found =
        read::rows::<Sampling>(&app, &signed.scope(), part, &order, query.after.as_deref())?;
    let mut chips = match signed.is_staff() {
        true => read::chips(&app, &signed, OF_STATUS, sampling::BY_STATUS, &STATUSES, status)?,
        false => Vec::new(),
    };
    order.keep(&mut chips);
    let page = Page::new(&app, &signed, "/samplings", "samplings.title");
    let rows = rows_of(&app, found.items)?;
    html(&ListPage { page, rows, pager: found.pager, chips, order })
}

/// What the laboratory is to work on: a sheet to print, with room for what is measured.
#[derive(Template)]
#[template(path = "samplings/worksheet.html")]
struct WorksheetPage {
    page: Page,
    rows: Vec<Row>,
    today: String,
}

async fn worksheet(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    signed.staff_only()?;
    let part = (sampling::BY_STATUS, SamplingStatus::Received.as_str());
    let mut waiting: Vec<Sampling> = read::newest(&app, &signed, part, read::ROWS_WITHIN)?;
    waiting.reverse();
    let page = Page::new(&app, &signed, "/samplings", "samplings.worksheet");
    let today = china_date(now()).to_string();
    html(&WorksheetPage { page, rows: rows_of(&app, waiting)?, today })
}

#[derive(Template)]
#[template(path = "samplings/detail.html")]
struct DetailPage {
    page: Page,
    sampling: Sampling,
    operator: Operator,
    site: String,
    tests: Vec<Told>,
    /// Items that no result names yet.
    open_items: Vec<String>,
    qr: Option<Drawn>,
    may_receive: bool,
    may_cancel: bool,
    may_enter: bool,
}

/// A result with its value in words.
struct Told {
    test: Test,
    value: String,
    verified_by: String,
}

impl DetailPage {
    fn is_cancelled(&self) -> bool {
        self.sampling.status == SamplingStatus::Cancelled
    }
}

/// Results of a sample, the first first.
fn results(app: &App, signed: &Signed, sampling: &Sampling) -> Result<Vec<Test>, ConsoleError> {
    let part = (test::BY_SAMPLING, sampling.id.as_str());
    let mut tests: Vec<Test> = read::newest(app, signed, part, read::ROWS_WITHIN)?;
    tests.reverse();
    Ok(tests)
}

/// Results with their values in words.
fn told(app: &App, tests: Vec<Test>) -> Vec<Told> {
    let one = |test: Test| Told {
        value: value_text(&test.measurement),
        verified_by: test
            .verified
            .as_ref()
            .map(|one| read::person(app, &one.by))
            .unwrap_or_default(),
        test,
    };
    tests.into_iter().map(one).collect()
}

/// Items of a sample that no result names yet.
pub fn open_items(
    app: &App,
    signed: &Signed,
    sampling: &Sampling,
) -> Result<Vec<String>, ConsoleError> {
    Ok(items_without(sampling, &results(app, signed, sampling)?))
}

/// Items of a sample that none of its results names.
fn items_without(sampling: &Sampling, tests: &[Test]) -> Vec<String> {
    let done = |item: &String| {
        let mut standing = tests.iter().filter(|test| test.struck.is_none());
        standing.any(|test| test.measurement.item.name == *item)
    };
    sampling.items.iter().filter(|item| !done(item)).cloned().collect()
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let sampling: Sampling = read::one(&app, &signed, "sampling", &id)?;
    let title = format!("{} {}", sampling.product_name, sampling.no);
    let page = Page::new(&app, &signed, "/samplings", "samplings.title").titled(title);
    let site: Option<Site> = app.store.get(&sampling.site)?;
    let is_taken = sampling.status == SamplingStatus::Taken;
    let is_open = is_taken || sampling.status == SamplingStatus::Received;
    let own = signed.is_staff() || sampling.purpose == Purpose::Own;
    let tests = results(&app, &signed, &sampling)?;
    html(&DetailPage {
        page,
        operator: read::one(&app, &signed, "operator", &sampling.operator)?,
        site: site.map(|site| site.name).unwrap_or_default(),
        open_items: items_without(&sampling, &tests),
        tests: told(&app, tests),
        qr: qr::drawn(&sampling.no),
        may_receive: is_taken && signed.may(CommandKind::ReceiveSample),
        may_cancel: is_open && own && signed.may(CommandKind::CancelSample),
        may_enter: sampling.status != SamplingStatus::Cancelled
            && own
            && signed.may(CommandKind::RecordTest),
        sampling,
    })
}

/// The result sheet (检测结果单) of a sample.
#[derive(Template)]
#[template(path = "samplings/report.html")]
struct ReportPage {
    page: Page,
    sampling: Sampling,
    operator: String,
    tests: Vec<Told>,
    today: String,
}

impl ReportPage {
    /// A sheet is final once nothing waits any more.
    fn is_draft(&self) -> bool {
        self.tests.iter().any(|one| one.test.waits_for_verification())
    }

    fn standing(&self) -> impl Iterator<Item = &Told> {
        // A retest is another laboratory's, and stands on its own sheet.
        let own = |one: &&Told| one.test.struck.is_none() && one.test.objection.is_none();
        self.tests.iter().filter(own)
    }
}

async fn report(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let sampling: Sampling = read::one(&app, &signed, "sampling", &id)?;
    html(&ReportPage {
        page: Page::new(&app, &signed, "/samplings", "samplings.report"),
        operator: read::operator_name(&app, &sampling.operator)?,
        tests: told(&app, results(&app, &signed, &sampling)?),
        today: china_date(now()).to_string(),
        sampling,
    })
}

async fn receive(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let condition = form.get("condition").to_owned();
    let command = Command::ReceiveSample(ReceiveSample { sampling: id.clone(), condition });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/samplings/{id}"), answer, "samplings.received")
}

async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let reason = form.get("reason").to_owned();
    let command = Command::CancelSample(CancelSample { sampling: id.clone(), reason });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/samplings/{id}"), answer, "samplings.cancelled")
}

/// What the address of the form says.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Wanted {
    lot: String,
    operator: String,
    q: String,
}

#[derive(Template)]
#[template(path = "samplings/new.html")]
struct NewPage {
    page: Page,
    form: Form,
    lot: Option<Lot>,
    operator: Operator,
    sites: Vec<Choice>,
    products: Vec<Choice>,
    purposes: Vec<Choice>,
    levels: Vec<Choice>,
    waiting: Vec<Waiting>,
}

async fn new(State(app): State<Arc<App>>, signed: Signed, Query(wanted): Query<Wanted>) -> Answer {
    let lot: Option<Lot> = match wanted.lot.as_str() {
        "" => None,
        lot => Some(read::one(&app, &signed, "lot", lot)?),
    };
    let page = Page::new(&app, &signed, "/samplings", "samplings.new");
    let operator = match &lot {
        Some(lot) => Some(read::one(&app, &signed, "operator", &lot.operator)?),
        None => {
            let query = ListQuery { operator: wanted.operator, ..ListQuery::default() };
            pick::operator_of(&app, &signed, &query)?
        }
    };
    let Some(operator) = operator else {
        let query = ListQuery { q: wanted.q, ..ListQuery::default() };
        return pick::ask(&app, &signed, &query, page, "/samplings/new");
    };
    let form = first_values(&app, &signed)?;
    html(&new_page(&app, &signed, operator, lot, form)?)
}

/// What was entered last is offered again.
fn first_values(app: &App, signed: &Signed) -> Result<Form, ConsoleError> {
    let part = (sampling::BY_STATUS, "");
    let recent: Vec<Sampling> = read::newest(app, signed, part, read::ROWS_WITHIN)?;
    let own = recent.iter().find(|one| one.taken_by == signed.actor().name());
    let mut form = Form::default();
    form.set("sampled_on", china_date(now()).to_string());
    form.set("purpose", if signed.is_staff() { "supervision" } else { "own" });
    form.set("level", "county");
    if let Some(last) = own {
        form.set("purpose", last.purpose.as_str());
        form.set("level", last.level.as_str());
        form.set("laboratory", &last.laboratory);
        form.set("sampled_by", last.sampled_by.join("、"));
        form.set("items", last.items.join("\n"));
        form.set("quantity", &last.quantity);
    }
    Ok(form)
}

fn new_page(
    app: &App,
    signed: &Signed,
    operator: Operator,
    lot: Option<Lot>,
    form: Form,
) -> Result<NewPage, ConsoleError> {
    let purposes: &[Purpose] = if signed.is_staff() { &Purpose::ALL } else { &[Purpose::Own] };
    Ok(NewPage {
        page: Page::new(app, signed, "/samplings", "samplings.new"),
        sites: site_choices(app, signed, &operator.id)?,
        products: product_choices(app, signed, &operator.id)?,
        purposes: Choice::words(purposes),
        levels: Choice::words(&Level::ALL),
        waiting: blobs::waiting(&form),
        form: form.of("sampling"),
        lot,
        operator,
    })
}

/// Names in one field: a line each, or with the signs that people set between names.
fn names(text: &str) -> Vec<String> {
    let all = text.split(['\n', '、', ',', ',', ';', ';']);
    all.map(str::trim).filter(|one| !one.is_empty()).map(String::from).collect()
}

fn read_sample(form: &mut Form) -> Option<TakeSample> {
    let purpose: Option<Purpose> = form.choice_of("purpose");
    let level: Option<Level> = form.choice_of("level");
    let sampled_on = form.date_of("sampled_on");
    let attachments = blobs::attachments_of(form);
    Some(TakeSample {
        purpose: purpose?,
        level: level?,
        basis: form.get("basis").to_owned(),
        lot: form.optional("lot"),
        site: form.optional("site"),
        product: form.optional("product"),
        place: form.get("place").to_owned(),
        sampled_on: sampled_on?,
        sampled_by: names(form.get("sampled_by")),
        quantity: form.get("quantity").to_owned(),
        items: names(form.get("items")),
        laboratory: form.get("laboratory").to_owned(),
        note: form.get("note").to_owned(),
        attachments,
    })
}

async fn take(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    if let (Some(command), true) = (read_sample(&mut form), form.is_good()) {
        match app.take_sample(signed.actor(), command, form.once()).await {
            Ok(outcome) => {
                return Ok(done(&format!("/samplings/{}", outcome.id), "samplings.taken"));
            }
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    let lot: Option<Lot> = match form.get("lot") {
        "" => None,
        lot => Some(read::one(&app, &signed, "lot", lot)?),
    };
    let operator = lot.as_ref().map_or(form.get("operator"), |lot| lot.operator.as_str());
    let operator = signed.operator().unwrap_or(operator).to_owned();
    let operator = read::one(&app, &signed, "operator", &operator)?;
    refused(&new_page(&app, &signed, operator, lot, form)?)
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_however_they_are_set_apart() {
        assert_eq!(names("张三、李四,王五\n 赵六 ;"), ["张三", "李四", "王五", "赵六"]);
        assert!(names(" \n,").is_empty());
    }
}
