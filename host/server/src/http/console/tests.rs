//! Tests: the list where results settle in live, and one test with everything behind its verdict.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::lot::Lot;
use tianyin_domain::test::{self, Origin, Test, TestVerdict};

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::meter::{Meter, value_text};
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html, refused};
use super::read::{self, ListQuery};
use super::reasons::Findings;
use super::session::{Posted, Signed, done};
use crate::app::App;
use crate::texts::{has, t, tf};

/// Newest lots of the same product offered for an unmatched test.
const LOTS_OFFERED: usize = 12;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/tests", get(list))
        .route("/tests/{id}", get(detail))
        .route("/tests/{id}/row", get(row))
        .route("/tests/{id}/assign", post(assign))
}

#[derive(Template)]
#[template(path = "tests/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    /// New results belong on top of this page.
    live: bool,
    order: Order,
}

/// A test as a list shows it.
#[derive(Template)]
#[template(path = "tests/_row.html")]
pub struct Row {
    test: Test,
    value: String,
    arrived: bool,
}

impl askama::filters::HtmlSafe for Row {}

impl Row {
    /// The row of a test.
    pub fn of(test: Test) -> Self {
        Self { value: value_text(&test.measurement), test, arrived: false }
    }
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let status = query.status.as_str();
    let (part, address) = match (signed.operator(), status) {
        (Some(own), _) => ((test::BY_OPERATOR, own), "/tests".to_owned()),
        (None, "unmatched") => ((test::UNMATCHED, ""), "/tests?status=unmatched".to_owned()),
        (None, "pass" | "fail" | "invalid") => {
            ((test::BY_VERDICT, status), format!("/tests?status={status}"))
        }
        (None, _) => ((test::BY_VERDICT, ""), "/tests".to_owned()),
    };
    let after = query.after.as_deref();
    let order = Order::of(order::BY_TIME, &query.sort, address);
    let found = read::rows::<Test>(&app, &signed.scope(), part, &order, after)?;
    let mut chips = if signed.is_staff() { chips(&app, &signed, status)? } else { Vec::new() };
    order.keep(&mut chips);
    let page = Page::new(&app, &signed, "/tests", "tests.title");
    let rows = found.items.into_iter().map(Row::of).collect();
    // New ones come in at the top.
    let live = after.is_none() && status.is_empty() && order.is_usual();
    html(&ListPage { page, rows, pager: found.pager, chips, order, live })
}

fn chips(app: &App, signed: &Signed, chosen: &str) -> Result<Vec<Chip>, ConsoleError> {
    let chip = |status: &str, text: String, count: Option<u64>| Chip {
        href: if status.is_empty() { "/tests".into() } else { format!("/tests?status={status}") },
        text,
        count,
        on: chosen == status,
    };
    let count = |index, part: &str| read::count(app, signed, index, part);
    let mut out = vec![chip("", t("lists.all").to_owned(), count(test::BY_VERDICT, "")?)];
    let unmatched = count(test::UNMATCHED, "")?;
    out.push(chip("unmatched", t("tests.unmatched").to_owned(), unmatched));
    for verdict in [TestVerdict::Fail, TestVerdict::Invalid, TestVerdict::Pass] {
        out.push(chip(
            verdict.as_str(),
            verdict.word(),
            count(test::BY_VERDICT, verdict.as_str())?,
        ));
    }
    Ok(out)
}

/// One row, for a page that hears of a new or changed test.
async fn row(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let test = read::one(&app, &signed, "test", &id)?;
    html(&Row { arrived: true, ..Row::of(test) })
}

#[derive(Template)]
#[template(path = "tests/detail.html")]
struct DetailPage {
    page: Page,
    test: Test,
    meter: Meter,
    findings: Findings,
    flags: Vec<String>,
    facts: Vec<(String, String)>,
    lots: Vec<Choice>,
    form: Form,
}

impl DetailPage {
    fn is_typed(&self) -> bool {
        self.test.origin == Origin::Typed
    }

    fn may_assign(&self) -> bool {
        self.test.lot.is_none() && !self.test.measurement.blank && self.page.staff()
    }
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    html(&shown(&app, &signed, &id, Form::default())?)
}

fn shown(app: &App, signed: &Signed, id: &str, form: Form) -> Result<DetailPage, ConsoleError> {
    let test: Test = read::one(app, signed, "test", id)?;
    let flags = test.flags.iter().map(|f| t(&format!("test_flag.{f}")).to_owned()).collect();
    let sample = &test.measurement.sample;
    let name = [&test.product_name, &sample.name, &sample.no].into_iter().find(|n| !n.is_empty());
    let title = name.cloned().unwrap_or_else(|| t("tests.unnamed").to_owned());
    Ok(DetailPage {
        page: Page::new(app, signed, "/tests", "tests.title").titled(title),
        meter: Meter::of(app, &test),
        findings: Findings::of(&test.judgement),
        flags,
        facts: facts(&test),
        lots: if test.lot.is_none() { offered(app, signed, &test)? } else { Vec::new() },
        test,
        form,
    })
}

/// Lots that the sample's name points to, else simply the newest.
fn offered(app: &App, signed: &Signed, test: &Test) -> Result<Vec<Choice>, ConsoleError> {
    let part = (tianyin_domain::lot::BY_OPERATOR, "");
    let mut lots: Vec<Lot> = read::newest(app, signed, part, read::ROWS_WITHIN)?;
    let name = test.measurement.sample.name.trim();
    if !name.is_empty() {
        // Devices cut names. A stable sort keeps the newest first.
        lots.sort_by_key(|l| !l.product_name.contains(name) && !name.contains(&l.product_name));
    }
    lots.truncate(LOTS_OFFERED);
    let label = |l: &Lot| format!("{} {} {}", l.no, l.product_name, l.harvested_on);
    Ok(lots.iter().map(|l| Choice::new(&l.no, label(l))).collect())
}

/// The measurement as it came, field by field; what the device left out is left out.
fn facts(test: &Test) -> Vec<(String, String)> {
    let m = &test.measurement;
    let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    let time = m.tested_at.map(tianyin_domain::time::china_minute).unwrap_or_default();
    let control = [
        ("sample_no", m.sample.no.clone()),
        ("sample_name", m.sample.name.clone()),
        ("batch_code", m.sample.batch_code.clone()),
        ("unit_under_test", m.sample.unit_under_test.clone()),
        ("stall", m.sample.stall.clone()),
        ("method", m.method.word()),
        ("item", m.item.name.clone()),
        ("absorbance", m.raw.absorbance.clone()),
        ("delta_a", m.raw.delta_a.clone()),
        ("control_delta_a", m.raw.control_delta_a.clone()),
        ("ct_ratio", m.raw.ct_ratio.clone()),
        ("device_limit", format!("{} {} {}", m.limit.num, m.limit.unit, m.limit.basis)),
        ("record_no", number(m.record_no)),
        ("channel", number(m.channel.map(u64::from))),
        ("tested_at", time),
        ("tester", m.operator.name.clone()),
        ("device_model", format!("{} {}", m.device.vendor, m.device.model)),
        ("device_sn", m.device.sn.clone()),
        ("device_fw", m.device.fw.clone()),
        ("msg_id", m.msg_id.clone()),
    ];
    control
        .into_iter()
        .filter(|(_, v)| !v.trim().is_empty())
        .map(|(k, v)| (t(&format!("facts.{k}")).to_owned(), v.trim().to_owned()))
        .collect()
}

async fn assign(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    signed.staff_only()?;
    let text = form.text_of("lot_no");
    match app.lot_of_text(&text, &signed.scope())? {
        Some(lot) => match app.assign_test(signed.actor(), &id, &lot.id, form.once()).await {
            Ok(_) => return Ok(done(&format!("/tests/{id}"), "tests.assigned")),
            Err(error) => form.refused(error)?,
        },
        None if form.is_good() => {
            form.bad_text("lot_no", tf("tests.no_such_lot", [("text", text.as_str())]));
        }
        None => {}
    }
    form.summarise();
    refused(&shown(&app, &signed, &id, form)?)
}

/// The sentence of a message's reason code.
pub fn reason_text(code: &str) -> String {
    let key = format!("message.{code}");
    if has(&key) { t(&key).to_owned() } else { code.to_owned() }
}
