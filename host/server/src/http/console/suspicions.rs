//! Codes whose scans look as if their labels had been copied: the list, and one with where it was scanned
//! and what the county found.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::State as Records;
use tianyin_domain::Time;
use tianyin_domain::code::{self, Code};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::lot::Lot;
use tianyin_domain::pack::Pack;
use tianyin_domain::product::Product;
use tianyin_domain::scan::{SettleSuspicion, Suspicion, SuspicionStatus};

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html, refused};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done};
use crate::app::App;
use crate::app::codes::Found;
use crate::regions;
use crate::texts::t;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/suspicions", get(list))
        .route("/suspicions/{code}", get(detail))
        .route("/suspicions/{code}/settle", post(settle))
}

/// A city in which a code was scanned.
pub struct Seen {
    /// Name.
    pub city: String,
    /// How often.
    pub count: u64,
    /// First.
    pub first_at: Time,
}

/// Where a code was scanned, as far as that is known, in the order in which the cities came.
pub fn seen_in(code: &Code) -> Vec<Seen> {
    let seen = code.areas.iter().map(|one| Seen {
        city: regions::city_name(&one.area).unwrap_or(&one.area).to_owned(),
        count: one.count,
        first_at: one.first_at,
    });
    seen.collect()
}

#[derive(Template)]
#[template(path = "suspicions/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    order: Order,
}

/// A suspicious code with the names of what it stands for.
struct Row {
    code: Code,
    suspicion: Suspicion,
    product: String,
    operator: String,
    operator_name: String,
    seen: Vec<Seen>,
}

impl Row {
    fn of(app: &App, code: Code) -> Result<Option<Self>, ConsoleError> {
        let Some(suspicion) = code.suspicion.clone() else { return Ok(None) };
        let (product, operator) = subject(app, &code)?;
        Ok(Some(Self {
            product,
            operator_name: read::operator_name(app, &operator)?,
            operator,
            seen: seen_in(&code),
            suspicion,
            code,
        }))
    }
}

/// Name of the product that a code is on, and its operator; of a code of a pack that shows no certificate,
/// those that the pack is for.
fn subject(app: &App, code: &Code) -> Result<(String, String), ConsoleError> {
    let state: &dyn Records = &app.store;
    if let Some(Found::Certificate(shown)) = app.found(&code.code)? {
        let lot = state.get::<Lot>(&shown.lot)?;
        return Ok((lot.map(|lot| lot.product_name).unwrap_or_default(), shown.operator));
    }
    let pack = match &code.unit {
        Some(unit) => state.get::<Pack>(&unit.pack)?,
        None => None,
    };
    let product = match &pack {
        Some(pack) => state.get::<Product>(&pack.product)?,
        None => None,
    };
    let name = product.map_or_else(|| t("suspicions.unknown_product").to_owned(), |one| one.name);
    Ok((name, code.operator.clone()))
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let wanted = SuspicionStatus::ALL.into_iter().find(|one| one.as_str() == query.status);
    let status = wanted.unwrap_or(SuspicionStatus::Open);
    let order = Order::of(order::BY_TIME, &query.sort, address(status));
    let part = (code::BY_SUSPICION, status.as_str());
    let found = read::rows::<Code>(&app, &signed.scope(), part, &order, query.after.as_deref())?;
    let mut rows = Vec::with_capacity(found.items.len());
    for code in found.items {
        rows.extend(Row::of(&app, code)?);
    }
    let mut chips = chips(&app, &signed, status)?;
    order.keep(&mut chips);
    let page = Page::new(&app, &signed, "/suspicions", "suspicions.title");
    html(&ListPage { page, rows, pager: found.pager, chips, order })
}

fn address(status: SuspicionStatus) -> String {
    match status {
        SuspicionStatus::Open => "/suspicions".to_owned(),
        status => format!("/suspicions?status={}", status.as_str()),
    }
}

fn chips(app: &App, signed: &Signed, chosen: SuspicionStatus) -> Result<Vec<Chip>, ConsoleError> {
    let mut chips = Vec::new();
    for status in SuspicionStatus::ALL {
        let count = match signed.is_staff() {
            true => read::count(app, signed, code::BY_SUSPICION, status.as_str())?,
            false => None,
        };
        let (href, text) = (address(status), status.word());
        chips.push(Chip { href, text, count, on: status == chosen });
    }
    Ok(chips)
}

#[derive(Template)]
#[template(path = "suspicions/detail.html")]
struct DetailPage {
    page: Page,
    row: Row,
    /// Certificate of its own.
    certificate: String,
    /// Pack that it is of.
    pack: String,
    form: Form,
    choices: Vec<Choice>,
    may_settle: bool,
}

impl DetailPage {
    fn is_open(&self) -> bool {
        self.row.suspicion.status == SuspicionStatus::Open
    }
}

fn shown(app: &App, signed: &Signed, id: &str, form: Form) -> Result<DetailPage, ConsoleError> {
    let code: Code = read::one(app, signed, "code", id)?;
    let certificate = code.certificate.clone();
    let pack = code.unit.as_ref().map(|unit| unit.pack.clone()).unwrap_or_default();
    let row = Row::of(app, code)?.ok_or_else(|| ConsoleError::not_found("suspicion", id))?;
    let mut choices = vec![Choice::new("", t("forms.choose"))];
    choices.extend(Choice::words(&[SuspicionStatus::Copied, SuspicionStatus::Cleared]));
    let page = Page::new(app, signed, "/suspicions", "suspicions.title");
    Ok(DetailPage {
        page: page.titled(code::grouped(id)),
        certificate,
        pack,
        form,
        choices,
        may_settle: signed.may(CommandKind::SettleSuspicion),
        row,
    })
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(code): Path<String>) -> Answer {
    html(&shown(&app, &signed, &code, Form::default())?)
}

async fn settle(
    State(app): State<Arc<App>>,
    Path(code): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let status: Option<SuspicionStatus> = form.choice_of("status");
    let note = form.text_of("note");
    if let (Some(status), true) = (status, form.is_good()) {
        let command = SettleSuspicion { code: code.clone(), status, note };
        let command = Command::SettleSuspicion(command);
        match app.submit_keyed(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done(&format!("/suspicions/{code}"), "suspicions.settled")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&shown(&app, &signed, &code, form)?)
}
