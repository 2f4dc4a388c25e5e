//! Documents (电子档案): the list, and filing one.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::Date;
use tianyin_domain::command::Command;
use tianyin_domain::document::{self, CloseDocument, Document, DocumentKind, FileDocument};
use tianyin_domain::operator::Operator;
use tianyin_domain::product::{self, Product};
use tianyin_domain::site::{self, Site};
use tianyin_domain::time::china_date;

use super::blobs::{self, Waiting};
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::order::{self, Order};
use super::page::{Page, Pager, html, refused};
use super::pick;
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::App;
use crate::edge::now;
use crate::texts::t;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/documents", get(list).post(file))
        .route("/documents/new", get(new))
        .route("/documents/{id}/close", post(close))
}

/// A document with the name of its operator.
pub struct Row {
    /// The document.
    pub document: Document,
    /// Whose it is.
    pub operator: String,
    /// Its last day is over.
    pub is_over: bool,
}

/// Documents of one operator, the newest first.
pub fn of_operator(
    app: &App,
    signed: &Signed,
    operator: &Operator,
) -> Result<Vec<Row>, ConsoleError> {
    let part = (document::BY_OPERATOR, operator.id.as_str());
    let documents: Vec<Document> = read::newest(app, signed, part, read::ROWS_WITHIN)?;
    let today = china_date(now());
    Ok(documents.into_iter().map(|one| row(one, operator.name.clone(), today)).collect())
}

fn row(document: Document, operator: String, today: Date) -> Row {
    let is_over = document.valid_to.is_some_and(|to| to < today);
    Row { document, operator, is_over }
}

#[derive(Template)]
#[template(path = "documents/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    order: Order,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let part = (document::BY_OPERATOR, query.operator.as_str());
    let address = match query.operator.as_str() {
        "" => "/documents".to_owned(),
        operator => format!("/documents?operator={}", super::session::encode(operator)),
    };
    let order = Order::of(order::BY_TIME, &query.sort, address);
    let found =
        read::rows::<Document>(&app, &signed.scope(), part, &order, query.after.as_deref())?;
    let today = china_date(now());
    let named = |one: Document| -> Result<Row, ConsoleError> {
        let operator: Option<Operator> = app.store.get(&one.operator)?;
        Ok(row(one, operator.map(|o| o.name).unwrap_or_default(), today))
    };
    let rows = found.items.into_iter().map(named).collect::<Result<_, _>>()?;
    let page = Page::new(&app, &signed, "/documents", "documents.title");
    html(&ListPage { page, rows, pager: found.pager, order })
}

#[derive(Template)]
#[template(path = "documents/new.html")]
struct NewPage {
    page: Page,
    operator: Operator,
    form: Form,
    waiting: Vec<Waiting>,
    kinds: Vec<Choice>,
    sites: Vec<Choice>,
    products: Vec<Choice>,
}

async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let Some(operator) = pick::operator_of(&app, &signed, &query)? else {
        let page = Page::new(&app, &signed, "/documents", "documents.new");
        return pick::ask(&app, &signed, &query, page, "/documents/new");
    };
    html(&new_page(&app, &signed, operator, Form::default())?)
}

fn new_page(
    app: &App,
    signed: &Signed,
    operator: Operator,
    form: Form,
) -> Result<NewPage, ConsoleError> {
    let id = operator.id.as_str();
    let sites: Vec<Site> = read::newest(app, signed, (site::BY_OPERATOR, id), read::ROWS_WITHIN)?;
    let products: Vec<Product> =
        read::newest(app, signed, (product::BY_OPERATOR, id), read::ROWS_WITHIN)?;
    let none = || Choice::new("", t("documents.about_all"));
    let mut site_choices = vec![none()];
    site_choices.extend(sites.iter().map(|one| Choice::new(&one.id, &one.name)));
    let mut product_choices = vec![none()];
    product_choices.extend(products.iter().map(|one| Choice::new(&one.id, &one.name)));
    Ok(NewPage {
        page: Page::new(app, signed, "/documents", "documents.new"),
        kinds: Choice::words(&DocumentKind::ALL),
        waiting: blobs::waiting(&form),
        sites: site_choices,
        products: product_choices,
        form: form.of("document"),
        operator,
    })
}

async fn file(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    let kind: Option<DocumentKind> = form.choice_of("kind");
    let title = form.text_of("title");
    let valid_to = form.optional_date("valid_to");
    let attachments = blobs::attachments_of(&mut form);
    if attachments.is_empty() {
        form.bad("attachments", "required");
    }
    let operator = signed.operator().unwrap_or(form.get("operator")).to_owned();
    if let (Some(kind), true) = (kind, form.is_good()) {
        let command = FileDocument {
            operator: operator.clone(),
            site: form.optional("site"),
            product: form.optional("product"),
            kind,
            title,
            number: form.get("number").to_owned(),
            issuer: form.get("issuer").to_owned(),
            valid_to,
            attachments,
        };
        match app.file_document(signed.actor(), command, form.once()).await {
            Ok(_) => {
                let to = format!("/operators/{operator}#documents");
                return Ok(done(&to, "documents.filed"));
            }
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    let operator = read::one(&app, &signed, "operator", &operator)?;
    refused(&new_page(&app, &signed, operator, form)?)
}

async fn close(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let document: Document = read::one(&app, &signed, "document", &id)?;
    let to = format!("/operators/{}#documents", document.operator);
    let reason = form.get("reason").to_owned();
    let command = Command::CloseDocument(CloseDocument { document: id, reason });
    done_or_not(
        &to,
        app.submit_keyed(signed.actor(), command, form.once()).await,
        "documents.closed",
    )
}
