//! Collected certificates: the list, one of them, and taking one in: by the code of this county's
//! certificate, or with a photo of a paper from elsewhere.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::Decimal;
use tianyin_domain::certificate::{Certificate, CertificateStatus};
use tianyin_domain::collection::{
    self, CollectProof, Collection, ProofKind, StrikeCollection, Supplier, left_of,
};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::lot::{Lot, LotStatus};
use tianyin_domain::operator::Operator;
use tianyin_domain::time::china_date;

use super::blobs::{self, Waiting};
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::lots::{product_choices, site_choices};
use super::order::{self, Order};
use super::page::{Page, Pager, html, refused};
use super::pick;
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::App;
use crate::edge::now;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/collections", get(list).post(collect))
        .route("/collections/new", get(new))
        .route("/collections/{id}", get(detail))
        .route("/collections/{id}/strike", post(strike))
}

#[derive(Template)]
#[template(path = "collections/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    order: Order,
}

/// A collection with the name of the buyer.
struct Row {
    collection: Collection,
    buyer: String,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let own = signed.operator().unwrap_or(&query.operator);
    let address = match query.operator.as_str() {
        "" => "/collections".to_owned(),
        operator => format!("/collections?operator={}", super::session::encode(operator)),
    };
    let order = Order::of(order::BY_TIME, &query.sort, address);
    let part = (collection::BY_OPERATOR, own);
    let found =
        read::rows::<Collection>(&app, &signed.scope(), part, &order, query.after.as_deref())?;
    let mut rows = Vec::with_capacity(found.items.len());
    for collection in found.items {
        let buyer = read::operator_name(&app, &collection.operator)?;
        rows.push(Row { collection, buyer });
    }
    let page = Page::new(&app, &signed, "/collections", "collections.title");
    html(&ListPage { page, rows, pager: found.pager, order })
}

#[derive(Template)]
#[template(path = "collections/detail.html")]
struct DetailPage {
    page: Page,
    collection: Collection,
    buyer: String,
    lot: Option<Lot>,
    /// The county's certificate was voided since.
    is_void: bool,
    may_strike: bool,
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let collection: Collection = read::one(&app, &signed, "collection", &id)?;
    let certificate: Option<Certificate> = match &collection.code {
        Some(code) => app.store.get(code)?,
        None => None,
    };
    let page = Page::new(&app, &signed, "/collections", "collections.title");
    html(&DetailPage {
        page: page.titled(format!("{} {}", collection.supplier.name, collection.product_name)),
        buyer: read::operator_name(&app, &collection.operator)?,
        lot: app.store.get(&collection.lot)?,
        is_void: certificate.is_some_and(|one| one.status == CertificateStatus::Void),
        may_strike: collection.struck.is_none() && signed.may(CommandKind::StrikeCollection),
        collection,
    })
}

async fn strike(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let reason = form.get("reason").to_owned();
    let command = Command::StrikeCollection(StrikeCollection { collection: id.clone(), reason });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/collections/{id}"), answer, "collections.struck")
}

/// What the address of the form says.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Wanted {
    operator: String,
    q: String,
    /// Code of a certificate of this county, typed or scanned.
    code: String,
    /// Lot of the buyer that the proof is for.
    lot: String,
}

#[derive(Template)]
#[template(path = "collections/new.html")]
struct NewPage {
    page: Page,
    form: Form,
    buyer: Operator,
    lot: Option<Lot>,
    found: Looked,
    kinds: Vec<Choice>,
    products: Vec<Choice>,
    sites: Vec<Choice>,
    waiting: Vec<Waiting>,
}

/// What a code that was typed turned out to be.
enum Looked {
    /// Nothing was typed: a paper from elsewhere may follow.
    Nothing,
    /// No certificate of this county.
    Unknown,
    /// Not to be bought on: void, or its lot is held.
    Barred(Box<Certificate>),
    /// It stands; so much of it was not collected yet.
    Good(Box<Certificate>, Decimal),
}

async fn new(State(app): State<Arc<App>>, signed: Signed, Query(wanted): Query<Wanted>) -> Answer {
    let lot: Option<Lot> = match wanted.lot.as_str() {
        "" => None,
        lot => Some(read::one(&app, &signed, "lot", lot)?),
    };
    let page = Page::new(&app, &signed, "/collections", "collections.new");
    let buyer = match &lot {
        Some(lot) => Some(read::one(&app, &signed, "operator", &lot.operator)?),
        None => {
            let query = ListQuery { operator: wanted.operator, ..ListQuery::default() };
            pick::operator_of(&app, &signed, &query)?
        }
    };
    let Some(buyer) = buyer else {
        let query = ListQuery { q: wanted.q, ..ListQuery::default() };
        return pick::ask(&app, &signed, &query, page, "/collections/new");
    };
    let mut form = Form::default();
    form.set("collected_on", china_date(now()).to_string());
    form.set("code", &wanted.code);
    if let Looked::Good(_, left) = looked_up(&app, &wanted.code)? {
        form.set("quantity", left.normalize().to_string());
    }
    html(&new_page(&app, &signed, buyer, lot, form)?)
}

fn looked_up(app: &App, text: &str) -> Result<Looked, ConsoleError> {
    if text.trim().is_empty() {
        return Ok(Looked::Nothing);
    }
    let Some(code) = app.code_meant(text)? else { return Ok(Looked::Unknown) };
    let Some(certificate) = app.store.get::<Certificate>(&code)? else {
        return Ok(Looked::Unknown);
    };
    let lot: Option<Lot> = app.store.get(&certificate.lot)?;
    let free = lot.is_some_and(|lot| lot.status == LotStatus::Open);
    if certificate.status == CertificateStatus::Void || !free {
        return Ok(Looked::Barred(Box::new(certificate)));
    }
    let state: &dyn tianyin_domain::State = &app.store;
    let left = left_of(state, &certificate)?;
    Ok(Looked::Good(Box::new(certificate), left))
}

fn new_page(
    app: &App,
    signed: &Signed,
    buyer: Operator,
    lot: Option<Lot>,
    form: Form,
) -> Result<NewPage, ConsoleError> {
    Ok(NewPage {
        page: Page::new(app, signed, "/collections", "collections.new"),
        found: looked_up(app, form.get("code"))?,
        kinds: Choice::words(&ProofKind::ALL),
        products: product_choices(app, signed, &buyer.id)?,
        sites: site_choices(app, signed, &buyer.id)?,
        waiting: blobs::waiting(&form),
        form: form.of("collection"),
        buyer,
        lot,
    })
}

fn read_proof(app: &App, form: &mut Form) -> Result<Option<CollectProof>, ConsoleError> {
    let attachments = blobs::attachments_of(form);
    let quantity = form.decimal_of("quantity");
    let collected_on = form.date_of("collected_on");
    let code = match form.optional("code") {
        None => None,
        Some(text) => {
            let code = app.code_meant(&text)?;
            if code.is_none() {
                form.bad("code", "not_a_code");
            }
            code
        }
    };
    let supplier = match &code {
        Some(_) => None,
        None => Some(read_supplier(form)),
    };
    let kind = if code.is_some() { Some(ProofKind::Certificate) } else { form.choice_of("kind") };
    let (Some(quantity), Some(collected_on), Some(kind)) = (quantity, collected_on, kind) else {
        return Ok(None);
    };
    Ok(Some(CollectProof {
        operator: form.get("operator").to_owned(),
        code,
        kind,
        supplier,
        lot: form.optional("lot"),
        product: form.optional("product"),
        site: form.optional("site"),
        harvested_on: None,
        quantity,
        collected_on,
        attachments,
    }))
}

fn read_supplier(form: &mut Form) -> Supplier {
    let issued_on = match form.get("issued_on") {
        "" => None,
        _ => form.date_of("issued_on"),
    };
    Supplier {
        name: form.text_of("supplier.name"),
        contact: form.get("supplier.contact").to_owned(),
        origin: form.get("supplier.origin").to_owned(),
        number: form.get("supplier.number").to_owned(),
        issued_on,
    }
}

async fn collect(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    let command = read_proof(&app, &mut form)?;
    if let (Some(command), true) = (command, form.is_good()) {
        match app.collect_proof(signed.actor(), command, form.once()).await {
            Ok(outcome) => {
                return Ok(done(&format!("/collections/{}", outcome.id), "collections.done"));
            }
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    let lot: Option<Lot> = match form.get("lot") {
        "" => None,
        lot => Some(read::one(&app, &signed, "lot", lot)?),
    };
    let buyer = signed.operator().unwrap_or(form.get("operator")).to_owned();
    let buyer = read::one(&app, &signed, "operator", &buyer)?;
    refused(&new_page(&app, &signed, buyer, lot, form)?)
}
