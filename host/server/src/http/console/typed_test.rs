//! A test result typed by a person: a laboratory's report, or an analyzer that has no line.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tianyin_domain::lot::Lot;
use tianyin_domain::measurement::{
    DeviceInfo, DeviceLimit, Item, Measurement, Method, Person, Qualifier, Sample, Value, ValueKind,
};
use tianyin_domain::time::{china_date, from_china};

use super::error::Answer;
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::page::{Page, html, refused};
use super::read;
use super::session::{Posted, Signed, done};
use crate::app::App;
use crate::edge::now;
use crate::texts::t;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/lots/{id}/tests/new", get(page).post(enter))
}

#[derive(Template)]
#[template(path = "tests/new.html")]
struct NewPage {
    page: Page,
    lot: Lot,
    form: Form,
    methods: Vec<Choice>,
    kinds: Vec<Choice>,
    qualifiers: Vec<Choice>,
    words: Vec<Choice>,
}

async fn page(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let lot: Lot = read::one(&app, &signed, "lot", &id)?;
    let today = china_date(now()).to_string();
    let form = Form::with("", &[("tested_on", &today), ("unit", "%")]);
    html(&shown(&app, &signed, lot, form))
}

fn shown(app: &App, signed: &Signed, lot: Lot, form: Form) -> NewPage {
    use Method::{ColloidalGold, Elisa, EnzymeInhibition, Other};
    let kinds = ["inhibition_rate", "concentration", "qualitative"];
    let words = ["negative", "positive", "invalid"];
    let list = |space: &str, all: &[&str]| -> Vec<Choice> {
        all.iter().map(|w| Choice::new(*w, t(&format!("{space}.{w}")))).collect()
    };
    NewPage {
        page: Page::new(app, signed, "/tests", "typed_test.title"),
        lot,
        form,
        methods: [EnzymeInhibition, ColloidalGold, Elisa, Other]
            .iter()
            .map(|m| Choice::new(m.api_word(), m.word()))
            .collect(),
        kinds: list("value_kind", &kinds),
        qualifiers: ["=", "<", ">"].iter().map(|q| Choice::new(*q, *q)).collect(),
        words: list("qualitative", &words),
    }
}

async fn enter(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let lot: Lot = read::one(&app, &signed, "lot", &id)?;
    if let Some(measurement) = read_measurement(&mut form, &lot)
        && form.is_good()
    {
        let entered = app.enter_test(signed.actor(), measurement, &lot.id, form.once()).await;
        match entered {
            Ok(outcome) => return Ok(done(&format!("/tests/{}", outcome.id), "typed_test.done")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&shown(&app, &signed, lot, form))
}

fn read_measurement(form: &mut Form, lot: &Lot) -> Option<Measurement> {
    let method: Option<Method> = form.choice_of("method");
    let kind: Option<ValueKind> = form.choice_of("value_kind");
    let item = form.text_of("item");
    let day = form.date_of("tested_on");
    if day.is_some_and(|d| d > china_date(now())) {
        form.bad("tested_on", "in_future");
    }
    let (num, unit) = match kind {
        Some(ValueKind::Qualitative) => (form.text_of("word"), String::new()),
        _ => {
            form.decimal_of("value");
            (form.get("value").to_owned(), form.get("unit").to_owned())
        }
    };
    let op: Qualifier = form.choice_of("qualifier").unwrap_or_default();
    let tested_at = from_china(day?.at(12, 0, 0, 0)).map(|t| t.min(now()));
    Some(Measurement {
        v: 1,
        msg_id: String::new(),
        device: DeviceInfo { model: form.get("model").to_owned(), ..DeviceInfo::default() },
        record_no: None,
        channel: None,
        kind: Default::default(),
        retest_of: None,
        sample: Sample {
            name: lot.product_name.clone(),
            batch_code: lot.no.clone(),
            ..Sample::default()
        },
        method: method?,
        item: Item { code: String::new(), name: item },
        value: Value { num, unit, kind: kind?, op },
        raw: Default::default(),
        limit: DeviceLimit { basis: form.get("limit_basis").to_owned(), ..DeviceLimit::default() },
        device_verdict: None,
        tested_at,
        clock: Default::default(),
        operator: Person { id: String::new(), name: form.get("tester").to_owned() },
        blank: false,
        geo: serde_json::Value::Null,
    })
}
