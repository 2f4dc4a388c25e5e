//! One product: what it is, which marks it has to carry, what speaks for it, where it is sold.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use tianyin_domain::brand::Brand;
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::document::{self, Document};
use tianyin_domain::operator::Operator;
use tianyin_domain::product::{AddProduct, ChangeProduct, CloseProduct, Product, ProductClass};
use tianyin_domain::shop_link::{self, AddShopLink, CloseShopLink, ShopLink};
use tianyin_domain::time::china_date;
use tianyin_rules::tables::ProductMark;

use super::clash::{Clash, Side, clashed, seen};
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::page::{Page, html, refused};
use super::read;
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::id_cards::{Certified, Draft, Marked};
use crate::app::{App, AppError, Conflict};
use crate::edge::now;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/products/{id}", get(detail))
        .route("/products/{id}/edit", get(edit).post(change))
        .route("/products/{id}/close", post(close))
        .route("/products/{id}/shop-links", post(add_link))
        .route("/products/{id}/shop-links/{link}/close", post(close_link))
}

#[derive(Template)]
#[template(path = "products/detail.html")]
struct DetailPage {
    page: Page,
    product: Product,
    operator: Operator,
    marks: Vec<Marked>,
    draft: Draft,
    certifications: Vec<Certified>,
    brands: Vec<Brand>,
    documents: Vec<Document>,
    links: Vec<ShopLink>,
    form: Form,
}

impl DetailPage {
    /// Whether the mark is there already; certificates and codes come with each lot.
    fn has(&self, marked: &Marked) -> Option<bool> {
        match marked.mark {
            ProductMark::IdCard => {
                Some(self.draft.card.as_ref().is_some_and(|card| card.edition.is_some()))
            }
            ProductMark::Certificate | ProductMark::TraceCode => None,
        }
    }
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    html(&detail_page(&app, &signed, &id, Form::default())?)
}

fn detail_page(
    app: &App,
    signed: &Signed,
    id: &str,
    form: Form,
) -> Result<DetailPage, ConsoleError> {
    let product: Product = read::one(app, signed, "product", id)?;
    let operator: Operator = read::one(app, signed, "operator", &product.operator)?;
    let part = (document::BY_OPERATOR, product.operator.as_str());
    let documents: Vec<Document> = read::newest(app, signed, part, read::ROWS_WITHIN)?;
    let about = |one: &Document| one.product.as_ref() == Some(&product.id) && one.closed.is_none();
    let links: Vec<ShopLink> =
        read::newest(app, signed, (shop_link::BY_PRODUCT, id), read::ROWS_WITHIN)?;
    let certifications = app.certifications_of(&product)?;
    let brands = app.brands_of(&product, china_date(now()))?;
    Ok(DetailPage {
        page: Page::new(app, signed, "/products", "products.title").titled(&product.name),
        marks: app.marks_needed(&product, &certifications, !brands.is_empty()),
        draft: app.id_card_draft(&product.id)?,
        certifications,
        brands,
        documents: documents.into_iter().filter(about).collect(),
        links: links.into_iter().filter(|one| one.closed.is_none()).collect(),
        form: form.of("shop_link"),
        operator,
        product,
    })
}

#[derive(Template)]
#[template(path = "products/edit.html")]
struct EditPage {
    page: Page,
    product: Product,
    form: Form,
    classes: Vec<Choice>,
    clash: Option<Clash>,
}

async fn edit(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    if !signed.may(CommandKind::ChangeProduct) {
        return Err(ConsoleError::forbidden());
    }
    // Read before the record: a change in between makes the version too old, never too new.
    let version = app.store.version(&format!("product/{id}"))?;
    let product: Product = read::one(&app, &signed, "product", &id)?;
    let mut form = Form::with(
        "",
        &[
            ("version", &version.to_string()),
            ("name", &product.name),
            ("class", &product.class.api_word()),
            ("crop", &product.crop),
            ("variety", &product.variety),
            ("unit", &product.unit),
        ],
    );
    if product.method_unsuitable {
        form.set("method_unsuitable", "1");
    }
    html(&edit_page(&app, &signed, product, form))
}

fn edit_page(app: &App, signed: &Signed, product: Product, form: Form) -> EditPage {
    EditPage {
        page: Page::new(app, signed, "/products", "products.edit"),
        classes: Choice::words(&ProductClass::ALL),
        form: form.of("product"),
        product,
        clash: None,
    }
}

async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let product: Product = read::one(&app, &signed, "product", &id)?;
    let (name, unit) = (form.text_of("name"), form.text_of("unit"));
    let class: Option<ProductClass> = form.choice_of("class");
    if let (Some(class), true) = (class, form.is_good()) {
        let data = AddProduct {
            operator: product.operator.clone(),
            name,
            class,
            crop: form.get("crop").to_owned(),
            variety: form.get("variety").to_owned(),
            unit,
            method_unsuitable: form.ticked("method_unsuitable"),
        };
        let command = Command::ChangeProduct(ChangeProduct { product: id.clone(), data });
        let seen = seen(&form, format!("product/{id}"));
        match app.submit_based(signed.actor(), command, form.once(), &seen).await {
            Ok(_) => return Ok(done(&format!("/products/{id}"), "products.changed")),
            Err(AppError::Conflict(conflict)) => {
                return both(&app, &signed, product, form, &conflict);
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&edit_page(&app, &signed, product, form))
}

/// What is on record now beside what was about to be.
fn both(
    app: &App,
    signed: &Signed,
    now: Product,
    form: Form,
    conflict: &Conflict,
) -> Result<Response, ConsoleError> {
    let class: Option<ProductClass> = form.clone().choice_of("class");
    let class = class.map(|class| class.word()).unwrap_or_default();
    let mut sides = vec![
        Side::new("label.product_name", &now.name, form.get("name")),
        Side::new("label.class", now.class.word(), class),
        Side::new("label.crop", &now.crop, form.get("crop")),
        Side::new("label.variety", &now.variety, form.get("variety")),
        Side::new("label.unit", &now.unit, form.get("unit")),
    ];
    sides.retain(|side| side.theirs != side.yours);
    let (keep, action) = (format!("/products/{}", now.id), format!("/products/{}/edit", now.id));
    let clash = Clash::new(conflict, &form, &keep, &action, sides);
    clashed(&EditPage { clash: Some(clash), ..edit_page(app, signed, now, form) })
}

async fn close(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let product: Product = read::one(&app, &signed, "product", &id)?;
    let command = CloseProduct { product: product.id, reason: form.get("reason").to_owned() };
    ended(&app, &signed, &form, &id, Command::CloseProduct(command), "products.closed").await
}

async fn add_link(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let (platform, url) = (form.text_of("platform"), form.text_of("url"));
    if form.is_good() {
        let command = Command::AddShopLink(AddShopLink { product: id.clone(), platform, url });
        match app.submit_keyed(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done(&format!("/products/{id}#links"), "products.link_added")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&detail_page(&app, &signed, &id, form)?)
}

async fn close_link(
    State(app): State<Arc<App>>,
    Path((id, link)): Path<(String, String)>,
    Posted { signed, form }: Posted,
) -> Answer {
    let reason = form.get("reason").to_owned();
    let command = Command::CloseShopLink(CloseShopLink { shop_link: link, reason });
    ended(&app, &signed, &form, &id, command, "products.link_closed").await
}

/// An act with a reason, whose refusal is told on the product's page.
async fn ended(
    app: &App,
    signed: &Signed,
    form: &Form,
    product: &str,
    command: Command,
    told: &'static str,
) -> Answer {
    let to = format!("/products/{product}");
    done_or_not(&to, app.submit_keyed(signed.actor(), command, form.once()).await, told)
}
