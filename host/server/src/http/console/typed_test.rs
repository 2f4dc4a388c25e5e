//! A result typed by a person: a laboratory's report, or an analyzer that has no line. Of a lot, of a sample
//! item by item, or of a retest.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::Uri;
use axum::routing::get;
use serde::Deserialize;
use tianyin_domain::lot::Lot;
use tianyin_domain::measurement::{
    DeviceInfo, DeviceLimit, Item, Measurement, Method, Person, Qualifier, Sample, Value, ValueKind,
};
use tianyin_domain::objection::Objection;
use tianyin_domain::sampling::Sampling;
use tianyin_domain::test::{self, Test};
use tianyin_domain::time::{china_date, from_china};

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::page::{Page, html, refused};
use super::read;
use super::samplings::open_items;
use super::session::{Posted, Signed, done, encode};
use crate::app::App;
use crate::app::testing::Entry;
use crate::edge::now;
use crate::texts::t;

pub fn router() -> Router<Arc<App>> {
    let form = || get(page).post(enter);
    Router::new()
        .route("/lots/{id}/tests/new", form())
        .route("/samplings/{id}/tests/new", form())
        .route("/objections/{id}/tests/new", form())
}

/// What a result is typed for.
enum Subject {
    Lot(Box<Lot>),
    Sample(Box<Sampling>),
    Retest(Box<Objection>),
}

impl Subject {
    /// By the first part of the address.
    fn find(app: &App, signed: &Signed, uri: &Uri, id: &str) -> Result<Self, ConsoleError> {
        Ok(match uri.path().split('/').nth(1).unwrap_or_default() {
            "lots" => Self::Lot(Box::new(read::one(app, signed, "lot", id)?)),
            "samplings" => Self::Sample(Box::new(read::one(app, signed, "sampling", id)?)),
            "objections" => Self::Retest(Box::new(read::one(app, signed, "objection", id)?)),
            _ => return Err(ConsoleError::not_found("lot", id)),
        })
    }

    /// Its page.
    fn address(&self) -> String {
        match self {
            Self::Lot(lot) => format!("/lots/{}", lot.id),
            Self::Sample(one) => format!("/samplings/{}", one.id),
            Self::Retest(one) => format!("/objections/{}", one.id),
        }
    }

    fn title(&self) -> String {
        match self {
            Self::Lot(lot) => format!("{} {}", lot.no, lot.product_name),
            Self::Sample(one) => format!("{} {}", one.no, one.product_name),
            Self::Retest(one) => format!("{} {}", t("objections.retest"), one.product_name),
        }
    }

    /// The sample as a device would tell it.
    fn sample(&self) -> Sample {
        let (no, name, batch_code) = match self {
            Self::Lot(lot) => ("", &lot.product_name, lot.no.as_str()),
            Self::Sample(one) => (one.no.as_str(), &one.product_name, one.lot_no.as_str()),
            Self::Retest(one) => ("", &one.product_name, ""),
        };
        let (no, batch_code) = (no.to_owned(), batch_code.to_owned());
        Sample { no, name: name.clone(), batch_code, ..Sample::default() }
    }

    fn entry(&self, measurement: Measurement, laboratory: String) -> Entry {
        let (mut lot, mut sampling, mut objection) = (None, None, None);
        match self {
            Self::Lot(one) => lot = Some(one.id.clone()),
            Self::Sample(one) => sampling = Some(one.id.clone()),
            Self::Retest(one) => objection = Some(one.id.clone()),
        }
        Entry { measurement, lot, sampling, laboratory, objection }
    }
}

#[derive(Template)]
#[template(path = "tests/new.html")]
struct NewPage {
    page: Page,
    address: String,
    subject: String,
    form: Form,
    methods: Vec<Choice>,
    kinds: Vec<Choice>,
    qualifiers: Vec<Choice>,
    words: Vec<Choice>,
    /// Items of the sample without a result.
    items: Vec<String>,
    /// Who tests is known already.
    laboratory_known: bool,
}

/// What the address says.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Wanted {
    item: String,
}

async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    uri: Uri,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let subject = Subject::find(&app, &signed, &uri, &id)?;
    let mut form = first_values(&app, &signed, &subject)?;
    if !wanted.item.is_empty() {
        form.set("item", wanted.item);
    }
    html(&shown(&app, &signed, &subject, form)?)
}

/// What was typed for the item before holds for the next one, too.
fn first_values(app: &App, signed: &Signed, subject: &Subject) -> Result<Form, ConsoleError> {
    let today = china_date(now()).to_string();
    let mut form = Form::with("", &[("tested_on", &today), ("unit", "%")]);
    let part = match subject {
        Subject::Lot(_) => return Ok(form),
        Subject::Sample(one) => (test::BY_SAMPLING, one.id.as_str()),
        Subject::Retest(one) => {
            let first: Option<Test> = app.store.get(&one.test)?;
            form.set("item", first.map(|test| test.measurement.item.name).unwrap_or_default());
            form.set("method", one.method.map(|m| m.api_word()).unwrap_or_default());
            form.set("value_kind", "concentration");
            form.set("unit", "mg/kg");
            return Ok(form);
        }
    };
    let last: Vec<Test> = read::newest(app, signed, part, 1)?;
    if let Some(m) = last.first().map(|test| &test.measurement) {
        form.set("method", m.method.api_word());
        form.set("value_kind", kind_word(m.value.kind));
        form.set("unit", &m.value.unit);
        form.set("limit_basis", &m.limit.basis);
        form.set("model", &m.device.model);
        form.set("tester", &m.operator.name);
        form.set("lod", &m.lod);
        form.set("loq", &m.loq);
    }
    if let Subject::Sample(one) = subject {
        let open = open_items(app, signed, one)?;
        form.set("item", open.first().cloned().unwrap_or_default());
    }
    Ok(form)
}

fn kind_word(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::InhibitionRate => "inhibition_rate",
        ValueKind::Concentration => "concentration",
        ValueKind::Qualitative => "qualitative",
    }
}

fn shown(
    app: &App,
    signed: &Signed,
    subject: &Subject,
    form: Form,
) -> Result<NewPage, ConsoleError> {
    let kinds = ["inhibition_rate", "concentration", "qualitative"];
    let words = ["negative", "positive", "invalid"];
    let list = |space: &str, all: &[&str]| -> Vec<Choice> {
        all.iter().map(|w| Choice::new(*w, t(&format!("{space}.{w}")))).collect()
    };
    let items = match subject {
        Subject::Sample(one) => open_items(app, signed, one)?,
        _ => Vec::new(),
    };
    Ok(NewPage {
        page: Page::new(app, signed, "/tests", "typed_test.title"),
        address: subject.address(),
        subject: subject.title(),
        form,
        methods: methods_of(subject),
        kinds: list("value_kind", &kinds),
        qualifiers: qualifiers(),
        words: list("qualitative", &words),
        items,
        laboratory_known: !matches!(subject, Subject::Lot(_)),
    })
}

/// A retest is by no rapid method (law art 51).
fn methods_of(subject: &Subject) -> Vec<Choice> {
    let fits = |m: &Method| !matches!(subject, Subject::Retest(_)) || !m.is_rapid();
    let methods: Vec<Method> = Method::ALL.into_iter().filter(fits).collect();
    Choice::words(&methods)
}

/// Qualifiers with the words people know them by.
fn qualifiers() -> Vec<Choice> {
    let label = |one: Qualifier| match one {
        Qualifier::NotDetected => t("qualifier.not_detected"),
        Qualifier::BelowQuantification => t("qualifier.below_quantification"),
        other => other.as_str(),
    };
    Qualifier::ALL.map(|one| Choice::new(one.as_str(), label(one))).to_vec()
}

async fn enter(
    State(app): State<Arc<App>>,
    uri: Uri,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let subject = Subject::find(&app, &signed, &uri, &id)?;
    if let Some(measurement) = read_measurement(&mut form, &subject)
        && form.is_good()
    {
        let laboratory = form.get("laboratory").to_owned();
        let entry = subject.entry(measurement, laboratory);
        match app.enter_test(signed.actor(), entry, form.once()).await {
            Ok(outcome) => return after(&app, &signed, &subject, &outcome.id),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&shown(&app, &signed, &subject, form)?)
}

/// On to the next item of a sample; else to the result, or back to the objection.
fn after(app: &App, signed: &Signed, subject: &Subject, test: &str) -> Answer {
    let to = match subject {
        Subject::Lot(_) => format!("/tests/{test}"),
        Subject::Retest(_) => subject.address(),
        Subject::Sample(one) => match open_items(app, signed, one)?.first() {
            Some(item) => format!("{}/tests/new?item={}", subject.address(), encode(item)),
            None => subject.address(),
        },
    };
    Ok(done(&to, "typed_test.done"))
}

fn read_measurement(form: &mut Form, subject: &Subject) -> Option<Measurement> {
    let method: Option<Method> = form.choice_of("method");
    let kind: Option<ValueKind> = form.choice_of("value_kind");
    let name = form.text_of("item");
    let day = form.date_of("tested_on");
    if day.is_some_and(|d| d > china_date(now())) {
        form.bad("tested_on", "in_future");
    }
    let op: Qualifier = form.choice_of("qualifier").unwrap_or_default();
    let (num, unit, op) = match kind {
        Some(ValueKind::Qualitative) => (form.text_of("word"), String::new(), Qualifier::Equal),
        _ if op.stands_alone() => (String::new(), form.get("unit").to_owned(), op),
        _ => {
            form.decimal_of("value");
            (form.get("value").to_owned(), form.get("unit").to_owned(), op)
        }
    };
    for field in ["lod", "loq"] {
        if form.optional(field).is_some() {
            form.decimal_of(field);
        }
    }
    let tested_at = from_china(day?.at(12, 0, 0, 0)).map(|t| t.min(now()));
    let item = Item { code: String::new(), name };
    let value = Value { num, unit, kind: kind?, op };
    Some(Measurement {
        device: DeviceInfo { model: form.get("model").to_owned(), ..DeviceInfo::default() },
        sample: subject.sample(),
        report_no: form.get("report_no").to_owned(),
        lod: form.get("lod").to_owned(),
        loq: form.get("loq").to_owned(),
        limit: DeviceLimit { basis: form.get("limit_basis").to_owned(), ..DeviceLimit::default() },
        operator: Person { id: String::new(), name: form.get("tester").to_owned() },
        ..Measurement::told(method?, item, value, tested_at)
    })
}
