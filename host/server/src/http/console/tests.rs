//! Tests: the list where results settle in live, and one test with everything behind its verdict.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::Entity as _;
use tianyin_domain::lot::Lot;
use tianyin_domain::sampling::{self, Sampling, SamplingStatus};
use tianyin_domain::test::{self, Origin, Test, TestVerdict};
use tianyin_domain::time::china_minute;

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::meter::{Meter, value_text};
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html, refused};
use super::read::{self, ListQuery};
use super::reasons::Findings;
use super::session::{Posted, Signed, done};
use super::test_follow::Follow;
use crate::app::App;
use crate::edge::now;
use crate::texts::{has, t, t_static, tf};

/// Newest lots of the same product offered for an unmatched test.
const LOTS_OFFERED: usize = 12;
/// A sample that came to the laboratory so long before or after a result may be what was measured.
const WINDOW_S: i64 = 8 * 3600;

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
        (None, "unverified") => ((test::UNVERIFIED, ""), "/tests?status=unverified".to_owned()),
        (None, "positive") => ((test::POSITIVE, ""), "/tests?status=positive".to_owned()),
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
    let unverified = count(test::UNVERIFIED, "")?;
    out.push(chip("unverified", t("tests.unverified").to_owned(), unverified));
    let positive = count(test::POSITIVE, "")?;
    out.push(chip("positive", t("tests.positive").to_owned(), positive));
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
    facts: Vec<Fact>,
    /// Samples in the laboratory about then, and lots, that it may be of.
    offers: Vec<Choice>,
    form: Form,
    follow: Follow,
    people: People,
    /// Moment of delivery as the form begins.
    now: String,
    /// The first measurement that it repeats, and those that repeat it.
    first: Option<Test>,
    repeats: Vec<Test>,
}

/// Names of those who had to do with a test.
#[derive(Default)]
struct People {
    entered: String,
    verified: String,
    settled: String,
}

impl DetailPage {
    fn is_typed(&self) -> bool {
        self.test.origin == Origin::Typed
    }

    fn may_assign(&self) -> bool {
        let nobodys = self.test.lot.is_none() && self.test.sampling.is_none();
        nobodys && !self.test.measurement.blank && self.page.staff()
    }
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    html(&shown(&app, &signed, &id, Form::default())?)
}

fn shown(app: &App, signed: &Signed, id: &str, form: Form) -> Result<DetailPage, ConsoleError> {
    let test: Test = read::one(app, signed, "test", id)?;
    let first = first_of(app, signed, &test)?;
    // A first result that came after its repeat is not missing any more.
    let holds = |flag: &&String| *flag != "retest_first" || first.is_none();
    let flags = test.flags.iter().filter(holds);
    let flags = flags.map(|f| t(&format!("test_flag.{f}")).to_owned()).collect();
    let sample = &test.measurement.sample;
    let name = [&test.product_name, &sample.name, &sample.no].into_iter().find(|n| !n.is_empty());
    let title = name.cloned().unwrap_or_else(|| t("tests.unnamed").to_owned());
    Ok(DetailPage {
        page: Page::new(app, signed, "/tests", "tests.title").titled(title),
        meter: Meter::of(app, &test),
        findings: Findings::of(&test.judgement),
        flags,
        facts: facts(&test),
        offers: match test.lot.is_none() && test.sampling.is_none() {
            true => offered(app, signed, &test)?,
            false => Vec::new(),
        },
        follow: Follow::of(app, signed, &test)?,
        people: People {
            entered: read::person(app, &test.entered_by),
            verified: test.verified.as_ref().map(|v| read::person(app, &v.by)).unwrap_or_default(),
            settled: test.settled.as_ref().map(|s| read::person(app, &s.by)).unwrap_or_default(),
        },
        now: china_minute(now()).replacen(' ', "T", 1),
        first,
        repeats: repeats_of(app, signed, &test)?,
        test,
        form,
    })
}

/// The first measurement that a device's repeat names, once it is known.
fn first_of(app: &App, signed: &Signed, test: &Test) -> Result<Option<Test>, ConsoleError> {
    let Some(first) = test.measurement.retest_of.as_ref().filter(|one| !one.is_empty()) else {
        return Ok(None);
    };
    let state: &dyn tianyin_domain::State = &app.store;
    let found: Option<Test> =
        state.find(test::BY_DEVICE_ID, &test::device_key(&test.device, first))?;
    Ok(found.filter(|one| signed.scope().covers(one.area(), one.owner())))
}

/// Repeats of a device's measurement, come before it or after.
fn repeats_of(app: &App, signed: &Signed, test: &Test) -> Result<Vec<Test>, ConsoleError> {
    if test.device.is_empty() {
        return Ok(Vec::new());
    }
    let key = test::device_key(&test.device, &test.measurement.msg_id);
    read::newest(app, signed, (test::BY_FIRST, &key), read::ROWS_WITHIN)
}

/// Samples that were in the laboratory when it was measured, then lots that the sample's name points to:
/// a guess by time, which a person confirms.
fn offered(app: &App, signed: &Signed, test: &Test) -> Result<Vec<Choice>, ConsoleError> {
    let name = test.measurement.sample.name.trim();
    // Devices cut names. A stable sort keeps the newest first.
    let unlike = |product: &str| !product.contains(name) && !name.contains(product);
    let part = (sampling::BY_STATUS, SamplingStatus::Received.as_str());
    let mut samples: Vec<Sampling> = read::newest(app, signed, part, read::ROWS_WITHIN)?;
    samples.retain(|one| {
        let at = one.received_at.unwrap_or(one.taken_at);
        let age_s = test.received_at.as_second() - at.as_second();
        (-WINDOW_S..=WINDOW_S).contains(&age_s)
    });
    samples.sort_by_key(|one| !name.is_empty() && unlike(&one.product_name));
    samples.truncate(LOTS_OFFERED);
    let label = |one: &Sampling| format!("{} {}", one.no, one.product_name);
    let mut offers: Vec<Choice> =
        samples.iter().map(|one| Choice::new(&one.no, label(one))).collect();
    let part = (tianyin_domain::lot::BY_OPERATOR, "");
    let mut lots: Vec<Lot> = read::newest(app, signed, part, read::ROWS_WITHIN)?;
    lots.sort_by_key(|lot| !name.is_empty() && unlike(&lot.product_name));
    lots.truncate(LOTS_OFFERED);
    let label = |l: &Lot| format!("{} {} {}", l.no, l.product_name, l.harvested_on);
    offers.extend(lots.iter().map(|l| Choice::new(&l.no, label(l))));
    Ok(offers)
}

/// A field of the measurement, and where it comes from.
struct Fact {
    label: &'static str,
    text: String,
    provenance: &'static str,
}

/// What the appliance itself fills in of a typed result.
const FILLED_IN: [&str; 4] = ["sample_no", "sample_name", "batch_code", "msg_id"];

/// The measurement as it came, field by field; what was left out is left out.
fn facts(test: &Test) -> Vec<Fact> {
    let typed = test.origin == Origin::Typed;
    let provenance = |field: &str| match typed {
        true if FILLED_IN.contains(&field) => t("provenance.server"),
        true => t("provenance.typed"),
        false => t("provenance.device"),
    };
    let m = &test.measurement;
    let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    let time = m.tested_at.map(tianyin_domain::time::china_minute).unwrap_or_default();
    let bound = |num: &str| match num {
        "" => String::new(),
        num => format!("{num} {}", m.value.unit),
    };
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
        ("lod", bound(&m.lod)),
        ("loq", bound(&m.loq)),
        ("device_limit", format!("{} {} {}", m.limit.num, m.limit.unit, m.limit.basis)),
        ("report_no", m.report_no.clone()),
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
        .map(|(k, v)| Fact {
            label: t_static(&format!("facts.{k}")).unwrap_or_default(),
            text: v.trim().to_owned(),
            provenance: provenance(k),
        })
        .collect()
}

async fn assign(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    signed.staff_only()?;
    let text = form.text_of("lot_no");
    match app.target_of_text(&text, &signed.scope())? {
        Some(target) => match app.assign_test(signed.actor(), &id, &target, form.once()).await {
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
