//! ID cards (农产品“身份证”): the list by status, and the card of a product from collection to publication.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::id_card::{
    BY_INDUSTRY, BY_STATUS, IdCard, IdCardStatus, ReviewIdCard, SaveIdCard, WithdrawIdCard,
};
use tianyin_domain::product::{Industry, Product};
use tianyin_domain::time::china_date;

use super::blobs::{self, Waiting};
use super::clash::seen;
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Field, Form};
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html, refused};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not, not_done};
use crate::app::id_cards::{CardLine, Draft};
use crate::app::{App, AppError};
use crate::edge::now;
use crate::texts::t;

/// Above this a field takes several lines.
const ONE_LINE_CHARS_MAX: u32 = 100;
/// Address of the cards of a status.
const OF_STATUS: &str = "/id-cards?status=";
/// Address of the cards of an industry.
const OF_INDUSTRY: &str = "/id-cards?role=";

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/id-cards", get(list))
        .route("/products/{id}/id-card", get(show).post(save))
        .route("/id-cards/{id}/submit", post(submit))
        .route("/id-cards/{id}/review", post(review))
        .route("/id-cards/{id}/publish", post(publish))
        .route("/id-cards/{id}/withdraw", post(withdraw))
}

struct Row {
    card: IdCard,
    product: String,
    operator: String,
}

#[derive(Template)]
#[template(path = "id_cards/list.html")]
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
    let status = IdCardStatus::ALL.into_iter().find(|one| one.as_str() == query.status);
    let industry = Industry::ALL.into_iter().find(|one| one.as_str() == query.role);
    let (part, address) = match (status, industry) {
        (Some(status), _) => {
            ((BY_STATUS, status.as_str()), format!("{OF_STATUS}{}", status.as_str()))
        }
        (None, Some(industry)) => {
            ((BY_INDUSTRY, industry.as_str()), format!("{OF_INDUSTRY}{}", industry.as_str()))
        }
        (None, None) => ((BY_STATUS, ""), "/id-cards".to_owned()),
    };
    let after = query.after.as_deref();
    let order = Order::of(order::BY_TIME, &query.sort, address);
    let found = read::rows::<IdCard>(&app, &signed.scope(), part, &order, after)?;
    let mut rows = Vec::with_capacity(found.items.len());
    for card in found.items {
        let product = app.store.get::<Product>(&card.product)?;
        let product = product.map(|one| one.name).unwrap_or_default();
        let operator = read::operator_name(&app, &card.operator)?;
        rows.push(Row { card, product, operator });
    }
    let mut chips = chips(&app, &signed, status, industry)?;
    order.keep(&mut chips);
    let page = Page::new(&app, &signed, "/id-cards", "id_cards.title");
    html(&ListPage { page, rows, pager: found.pager, chips, order })
}

fn chips(
    app: &App,
    signed: &Signed,
    status: Option<IdCardStatus>,
    industry: Option<Industry>,
) -> Result<Vec<Chip>, ConsoleError> {
    let count = read::count(app, signed, BY_STATUS, "")?;
    let nothing_chosen = status.is_none() && industry.is_none();
    let mut chips = vec![Chip::every("/id-cards", count, nothing_chosen)];
    let all = &IdCardStatus::ALL;
    chips.extend(read::switches(app, signed, OF_STATUS, BY_STATUS, all, status)?);
    // Each department works on its own industry.
    if signed.is_staff() {
        let all = &Industry::ALL;
        chips.extend(read::switches(app, signed, OF_INDUSTRY, BY_INDUSTRY, all, industry)?);
    }
    Ok(chips)
}

#[derive(Template)]
#[template(path = "id_cards/card.html")]
struct CardPage {
    page: Page,
    draft: Draft,
    form: Form,
    waiting: Vec<Waiting>,
    brands: Vec<Choice>,
    version: u64,
    percent: u8,
    public: Option<String>,
}

impl CardPage {
    fn status(&self) -> IdCardStatus {
        self.draft.card.as_ref().map_or(IdCardStatus::Draft, |card| card.status)
    }

    /// Whether the collected card may be handed in.
    fn may_submit(&self) -> bool {
        let open = matches!(self.status(), IdCardStatus::Draft | IdCardStatus::Returned);
        self.draft.card.is_some() && open && self.page.may("submit_id_card")
    }

    fn may_review(&self) -> bool {
        self.status() == IdCardStatus::Submitted && self.page.may("review_id_card")
    }

    fn may_publish(&self) -> bool {
        self.status() == IdCardStatus::Approved && self.page.may("publish_id_card")
    }

    fn is_published(&self) -> bool {
        self.draft.card.as_ref().is_some_and(|card| card.edition.is_some())
    }

    /// The field of a line that people fill in.
    fn field(&self, line: &CardLine) -> Field {
        let code = &line.field.code;
        let long = line.field.max_chars > ONE_LINE_CHARS_MAX;
        let drawn = if long { self.form.area(code) } else { self.form.text(code) };
        let mut drawn = drawn.max(line.field.max_chars).note(&line.field.hint);
        drawn.label.clone_from(&line.field.label);
        if line.field.required { drawn.required() } else { drawn }
    }
}

async fn show(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    html(&card_page(&app, &signed, &id, None)?)
}

/// `form` is one that came back; else it says what is on record.
fn card_page(
    app: &App,
    signed: &Signed,
    product: &str,
    form: Option<Form>,
) -> Result<CardPage, ConsoleError> {
    let product: Product = read::one(app, signed, "product", product)?;
    // Read before the record: a change in between makes the version too old, never too new.
    let known = app.id_card_of(&product.id)?.map(|card| card.id).unwrap_or_default();
    let version = app.store.version(&format!("id_card/{known}"))?;
    let draft = app.id_card_draft(&product.id)?;
    let form = form.unwrap_or_else(|| form_of(&draft));
    let mut brands = vec![Choice::new("", t("id_cards.no_brand"))];
    let usable = app.brands_of(&product, china_date(now()))?;
    brands.extend(usable.iter().map(|one| Choice::new(&one.id, &one.name)));
    let public = draft.card.as_ref().filter(|card| card.edition.is_some());
    Ok(CardPage {
        page: Page::new(app, signed, "/id-cards", "id_cards.of_product"),
        waiting: blobs::waiting(&form),
        percent: draft.complete_percent(),
        public: public.map(|card| format!("/t/{}", card.code)),
        brands,
        version,
        form: form.of("id_card"),
        draft,
    })
}

fn form_of(draft: &Draft) -> Form {
    let Some(card) = &draft.card else { return Form::default() };
    let mut values: Vec<(String, String)> =
        card.fields.iter().map(|(code, value)| (code.clone(), value.clone())).collect();
    values.extend(card.brand.iter().map(|id| ("brand".to_owned(), id.clone())));
    values.extend(blobs::fields_of(&card.attachments));
    Form::sent(values)
}

async fn save(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let product: Product = read::one(&app, &signed, "product", &id)?;
    let attachments = blobs::attachments_of(&mut form);
    let typed = app.typed_fields(product.class).map(|field| &field.code);
    let fields: BTreeMap<String, String> =
        typed.map(|code| (code.clone(), form.get(code).replace("\r\n", "\n"))).collect();
    if form.is_good() {
        let brand = form.optional("brand");
        let command = SaveIdCard { product: id.clone(), brand, fields, attachments };
        let seen = match app.id_card_of(&id)? {
            Some(card) => seen(&form, format!("id_card/{}", card.id)),
            None => Vec::new(),
        };
        match app.save_id_card(signed.actor(), command, form.once(), &seen).await {
            Ok(_) => return Ok(done(&format!("/products/{id}/id-card"), "id_cards.saved")),
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    refused(&card_page(&app, &signed, &id, Some(form))?)
}

/// The page of a card that is in sight.
fn page_of(app: &App, signed: &Signed, id: &str) -> Result<String, ConsoleError> {
    let card: IdCard = read::one(app, signed, "id_card", id)?;
    Ok(format!("/products/{}/id-card", card.product))
}

async fn submit(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let to = page_of(&app, &signed, &id)?;
    let answer = app.submit_id_card(signed.actor(), &id, form.once()).await;
    done_or_not(&to, answer, "id_cards.submitted")
}

async fn review(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    if !signed.may(CommandKind::ReviewIdCard) {
        return Err(ConsoleError::forbidden());
    }
    let to = page_of(&app, &signed, &id)?;
    let Some(status) = form.choice_of::<IdCardStatus>("status") else {
        return Ok(not_done(
            &to,
            &AppError::from(tianyin_domain::DomainError::field("status", "bad_choice")),
        ));
    };
    let reason = form.get("reason").to_owned();
    let seen = seen(&form, format!("id_card/{id}"));
    let command = Command::ReviewIdCard(ReviewIdCard { id_card: id, status, reason });
    let answer = app.submit_based(signed.actor(), command, form.once(), &seen).await;
    done_or_not(&to, answer, "id_cards.reviewed")
}

async fn publish(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    if !signed.may(CommandKind::PublishIdCard) {
        return Err(ConsoleError::forbidden());
    }
    let to = page_of(&app, &signed, &id)?;
    let seen = seen(&form, format!("id_card/{id}"));
    let answer = app.publish_id_card(signed.actor(), &id, form.once(), &seen).await;
    done_or_not(&to, answer, "id_cards.published")
}

async fn withdraw(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let to = page_of(&app, &signed, &id)?;
    let reason = form.get("reason").to_owned();
    let command = Command::WithdrawIdCard(WithdrawIdCard { id_card: id, reason });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&to, answer, "id_cards.withdrawn")
}
