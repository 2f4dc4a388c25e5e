//! Certifications: the list with what is about to end, and putting one on record.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::Date;
use tianyin_domain::certification::{
    self, AddCertification, Certification, EndCertification, Standing,
};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::operator::Operator;
use tianyin_domain::product::{self, Product};
use tianyin_domain::time::china_date;
use tianyin_store::PageQuery;

use super::blobs::{self, Waiting};
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html, refused};
use super::pick;
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not, encode};
use crate::app::App;
use crate::edge::now;
use crate::texts::t;

/// Those about to end that are shown at once.
const ENDING_MAX: usize = 200;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/certifications", get(list).post(add))
        .route("/certifications/new", get(new))
        .route("/certifications/{id}/end", post(end))
}

/// A certification as lists show it.
pub struct Row {
    /// The certification.
    pub one: Certification,
    /// Title of its kind.
    pub kind: String,
    /// How it stands today.
    pub standing: Standing,
    /// Whose it is.
    pub operator: String,
    /// Names of the products it covers.
    pub products: Vec<String>,
}

fn row(app: &App, one: Certification, today: Date) -> Result<Row, ConsoleError> {
    let kind = app.certification_kind(&one.kind);
    let mut products = Vec::new();
    for id in &one.products {
        products.extend(app.store.get::<Product>(id)?.map(|product| product.name));
    }
    Ok(Row {
        kind: kind.map_or_else(|| one.kind.clone(), |kind| kind.title.clone()),
        standing: one.standing(today),
        operator: read::operator_name(app, &one.operator)?,
        products,
        one,
    })
}

/// Certifications of one operator, the newest first.
pub fn of_operator(app: &App, signed: &Signed, operator: &str) -> Result<Vec<Row>, ConsoleError> {
    let part = (certification::BY_OPERATOR, operator);
    let all: Vec<Certification> = read::newest(app, signed, part, read::ROWS_WITHIN)?;
    let today = china_date(now());
    all.into_iter().map(|one| row(app, one, today)).collect()
}

#[derive(Template)]
#[template(path = "certifications/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    order: Order,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let today = china_date(now());
    let ending = ending(&app, &signed, today)?;
    let mut chips = chips(&app, &signed, &query, ending.len());
    let (items, pager, order) = if query.status == ENDING {
        let pager = Pager::new("/certifications", None, ending.len(), None);
        (ending, pager, Order::fixed("/certifications?status=ending"))
    } else {
        let (index, part) = match (signed.operator(), query.status.as_str()) {
            (Some(own), _) => (certification::BY_OPERATOR, own),
            (None, "") => (certification::BY_OPERATOR, ""),
            (None, kind) => (certification::BY_KIND, kind),
        };
        let address = match query.status.as_str() {
            "" => "/certifications".to_owned(),
            kind => format!("/certifications?status={}", encode(kind)),
        };
        let after = query.after.as_deref();
        let order = Order::of(order::BY_TIME, &query.sort, address);
        let found = read::rows(&app, &signed.scope(), (index, part), &order, after)?;
        (found.items, found.pager, order)
    };
    let rows = items.into_iter().map(|one| row(&app, one, today)).collect::<Result<_, _>>()?;
    let page = Page::new(&app, &signed, "/certifications", "certifications.title");
    order.keep(&mut chips);
    html(&ListPage { page, rows, pager, chips, order })
}

/// The filter for those that end soon.
const ENDING: &str = "ending";

/// Certifications in sight that end soon or ended without renewal, the first to end first.
fn ending(app: &App, signed: &Signed, today: Date) -> Result<Vec<Certification>, ConsoleError> {
    let mut query = PageQuery::new(certification::BY_END, "");
    query.limit = ENDING_MAX;
    let mut all = app.store.page::<Certification>(&query, &signed.scope())?.items;
    all.retain(|one| matches!(one.standing(today), Standing::Expiring | Standing::Over));
    Ok(all)
}

fn chips(app: &App, signed: &Signed, query: &ListQuery, ending: usize) -> Vec<Chip> {
    let chip = |status: &str, text: &str, count: Option<u64>| Chip {
        href: match status {
            "" => "/certifications".into(),
            status => format!("/certifications?status={status}"),
        },
        text: text.into(),
        count,
        on: query.status == status,
    };
    let mut chips = vec![
        chip("", t("lists.all"), None),
        chip(ENDING, t("certifications.ending"), u64::try_from(ending).ok()),
    ];
    if signed.is_staff() {
        let kinds = app.rules.certifications().into_iter().flat_map(|table| &table.kinds);
        chips.extend(kinds.map(|kind| chip(&kind.code, &kind.title, None)));
    }
    chips
}

#[derive(Template)]
#[template(path = "certifications/new.html")]
struct NewPage {
    page: Page,
    operator: Operator,
    form: Form,
    waiting: Vec<Waiting>,
    kinds: Vec<Choice>,
    products: Vec<Choice>,
    renewable: Vec<Choice>,
}

async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    if !signed.may(CommandKind::AddCertification) {
        return Err(ConsoleError::forbidden());
    }
    let Some(operator) = pick::operator_of(&app, &signed, &query)? else {
        let page = Page::new(&app, &signed, "/certifications", "certifications.new");
        return pick::ask(&app, &signed, &query, page, "/certifications/new");
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
    let products: Vec<Product> =
        read::newest(app, signed, (product::BY_OPERATOR, id), read::ROWS_WITHIN)?;
    let today = china_date(now());
    let kinds = app.rules.certifications().into_iter().flat_map(|table| &table.kinds);
    // What is not given any more was given once, and old ones are put on record, too.
    let (given, ended): (Vec<_>, Vec<_>) = kinds.partition(|kind| kind.is_given_on(today));
    let mut kinds: Vec<Choice> =
        given.into_iter().map(|kind| Choice::new(&kind.code, &kind.title)).collect();
    let past = |title: &str| format!("{title}{}", t("certifications.not_given_now"));
    kinds.extend(ended.into_iter().map(|kind| Choice::new(&kind.code, past(&kind.title))));
    let mut renewable = vec![Choice::new("", t("certifications.renews_none"))];
    let known = of_operator(app, signed, id)?;
    renewable.extend(
        known
            .iter()
            .filter(|row| row.one.renewed_by.is_none() && row.one.ended.is_none())
            .map(|row| Choice::new(&row.one.id, format!("{} {}", row.kind, row.one.number))),
    );
    Ok(NewPage {
        page: Page::new(app, signed, "/certifications", "certifications.new"),
        waiting: blobs::waiting(&form),
        kinds,
        products: products.iter().map(|one| Choice::new(&one.id, &one.name)).collect(),
        renewable,
        form: form.of("certification"),
        operator,
    })
}

async fn add(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    let kind = form.text_of("kind");
    let number = form.text_of("number");
    let valid_from = form.date_of("valid_from");
    let valid_to = form.optional_date("valid_to");
    let attachments = blobs::attachments_of(&mut form);
    let operator = signed.operator().unwrap_or(form.get("operator")).to_owned();
    if let (Some(valid_from), true) = (valid_from, form.is_good()) {
        let command = AddCertification {
            operator: operator.clone(),
            products: form.all("products").map(str::to_owned).collect(),
            kind,
            number,
            issuer: form.get("issuer").to_owned(),
            valid_from,
            valid_to,
            attachments,
            renews: form.optional("renews"),
        };
        match app.add_certification(signed.actor(), command, form.once()).await {
            Ok(_) => {
                let to = format!("/operators/{operator}#certifications");
                return Ok(done(&to, "certifications.added"));
            }
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    let operator = read::one(&app, &signed, "operator", &operator)?;
    refused(&new_page(&app, &signed, operator, form)?)
}

async fn end(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let one: Certification = read::one(&app, &signed, "certification", &id)?;
    let to = format!("/operators/{}#certifications", one.operator);
    let reason = form.get("reason").to_owned();
    let command = Command::EndCertification(EndCertification { certification: id, reason });
    done_or_not(
        &to,
        app.submit_keyed(signed.actor(), command, form.once()).await,
        "certifications.ended",
    )
}
