//! Brands: the list, one brand with those who may use it, adding, correcting, licensing.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use tianyin_domain::brand::{
    self, AddBrand, Brand, BrandKind, BrandLicence, ChangeBrand, CloseBrand, EndBrandLicence,
    LicenseBrand,
};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::id_card::{self, IdCard};
use tianyin_domain::operator::Operator;
use tianyin_domain::product::{self, Product};
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, Scope};

use super::blobs::{self, Waiting};
use super::clash::{Clash, Side, clashed, seen};
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::order::{self, Order};
use super::page::{Page, Pager, html, refused};
use super::pick;
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::{App, AppError, Conflict};
use crate::edge::now;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/brands", get(list).post(add))
        .route("/brands/new", get(new))
        .route("/brands/{id}", get(detail))
        .route("/brands/{id}/edit", get(edit).post(change))
        .route("/brands/{id}/close", post(close))
        .route("/brands/{id}/licences", get(licence_form).post(license))
        .route("/brand-licences/{id}/end", post(end_licence))
}

#[derive(Template)]
#[template(path = "brands/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Brand>,
    pager: Pager,
    order: Order,
}

/// Brands are for everybody to know.
async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let (part, after) = ((brand::ALL, ""), query.after.as_deref());
    let order = Order::of(order::BY_TIME, &query.sort, "/brands");
    let found = read::rows::<Brand>(&app, &Scope::everything(), part, &order, after)?;
    let page = Page::new(&app, &signed, "/brands", "brands.title");
    html(&ListPage { page, rows: found.items, pager: found.pager, order })
}

struct Licensed {
    licence: BrandLicence,
    operator: String,
    products: Vec<String>,
    in_force: bool,
}

#[derive(Template)]
#[template(path = "brands/detail.html")]
struct DetailPage {
    page: Page,
    brand: Brand,
    licences: Vec<Licensed>,
    cards: Vec<(IdCard, String)>,
    may_change: bool,
}

fn brand_of(app: &App, id: &str) -> Result<Brand, ConsoleError> {
    app.store.get(id)?.ok_or_else(|| ConsoleError::not_found("brand", id))
}

/// Whether the person may correct it: who owns it, and whose township or county it is.
fn may_change(signed: &Signed, brand: &Brand) -> bool {
    use tianyin_domain::Entity as _;
    signed.may(CommandKind::ChangeBrand) && signed.scope().covers(brand.area(), brand.owner())
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let brand = brand_of(&app, &id)?;
    let today = china_date(now());
    let part = (brand::LICENCES_BY_BRAND, id.as_str());
    let all: Vec<BrandLicence> = read::newest(&app, &signed, part, read::ROWS_WITHIN)?;
    let licences =
        all.into_iter().map(|one| licensed(&app, one, today)).collect::<Result<_, _>>()?;
    let part = (id_card::BY_BRAND, id.as_str());
    let mut cards = Vec::new();
    for card in read::newest::<IdCard>(&app, &signed, part, read::ROWS_WITHIN)? {
        let product = app.store.get::<Product>(&card.product)?;
        cards.push((card, product.map(|one| one.name).unwrap_or_default()));
    }
    let page = Page::new(&app, &signed, "/brands", "brands.title").titled(&brand.name);
    let may_change = may_change(&signed, &brand);
    html(&DetailPage { page, licences, cards, may_change, brand })
}

fn licensed(app: &App, licence: BrandLicence, today: Date) -> Result<Licensed, ConsoleError> {
    let mut products = Vec::new();
    for id in &licence.products {
        products.extend(app.store.get::<Product>(id)?.map(|product| product.name));
    }
    let any = licence.products.first().cloned().unwrap_or_default();
    let in_force = licence.covers(&any, today);
    Ok(Licensed {
        operator: read::operator_name(app, &licence.operator)?,
        products,
        in_force,
        licence,
    })
}

#[derive(Template)]
#[template(path = "brands/form.html")]
struct FormPage {
    page: Page,
    form: Form,
    kinds: Vec<Choice>,
    /// The operator that owns it.
    owner: Option<Operator>,
    waiting: Vec<Waiting>,
    action: String,
    back: String,
    clash: Option<Clash>,
}

async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    if !signed.may(CommandKind::AddBrand) {
        return Err(ConsoleError::forbidden());
    }
    let owner = pick::operator_of(&app, &signed, &query)?;
    html(&form_page(&app, &signed, None, owner, Form::default()))
}

fn form_page(
    app: &App,
    signed: &Signed,
    brand: Option<&Brand>,
    owner: Option<Operator>,
    form: Form,
) -> FormPage {
    let (title, action, back) = match brand {
        None => ("brands.new", "/brands".into(), "/brands".into()),
        Some(brand) => {
            ("brands.edit", format!("/brands/{}/edit", brand.id), format!("/brands/{}", brand.id))
        }
    };
    let mut kinds = BrandKind::ALL.to_vec();
    if owner.is_some() && brand.is_none() {
        kinds.retain(|kind| !kind.is_public());
    }
    FormPage {
        page: Page::new(app, signed, "/brands", title),
        kinds: Choice::words(&kinds),
        waiting: blobs::waiting(&form),
        form: form.of("brand"),
        owner,
        action,
        back,
        clash: None,
    }
}

/// What the form says; `None` when it cannot be understood.
fn read_brand(
    app: &App,
    signed: &Signed,
    form: &mut Form,
) -> Result<Option<AddBrand>, ConsoleError> {
    let name = form.text_of("name");
    let kind: Option<BrandKind> = form.choice_of("kind");
    let owner = signed.operator().map(str::to_owned).or_else(|| form.optional("operator"));
    if owner.is_none() {
        form.text_of("owner_name");
    }
    let since = form.optional_date("since");
    let attachments = blobs::attachments_of(form);
    // A brand that no operator owns belongs to where the person works.
    let area = match signed.scope().area {
        Some(area) if !area.is_empty() => area,
        _ => app.county()?.map(|county| county.area).unwrap_or_default(),
    };
    let Some(kind) = kind else { return Ok(None) };
    Ok(Some(AddBrand {
        name,
        kind,
        owner,
        owner_name: form.get("owner_name").to_owned(),
        area,
        goods: form.get("goods").to_owned(),
        trademark_no: form.get("trademark_no").to_owned(),
        about: form.get("about").to_owned(),
        since,
        attachments,
    }))
}

async fn add(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    if let Some(command) = read_brand(&app, &signed, &mut form)?
        && form.is_good()
    {
        let command = Command::AddBrand(command);
        match app.put_brand(signed.actor(), command, form.once(), &Vec::new()).await {
            Ok(outcome) => return Ok(done(&format!("/brands/{}", outcome.id), "brands.added")),
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    let query = ListQuery { operator: form.get("operator").to_owned(), ..ListQuery::default() };
    let owner = pick::operator_of(&app, &signed, &query)?;
    refused(&form_page(&app, &signed, None, owner, form))
}

fn owner_of(app: &App, brand: &Brand) -> Result<Option<Operator>, ConsoleError> {
    match &brand.owner {
        Some(id) => Ok(app.store.get::<Operator>(id)?),
        None => Ok(None),
    }
}

async fn edit(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    // Read before the record: a change in between makes the version too old, never too new.
    let version = app.store.version(&format!("brand/{id}"))?;
    let brand = brand_of(&app, &id)?;
    if !may_change(&signed, &brand) {
        return Err(ConsoleError::forbidden());
    }
    let mut values = vec![
        ("version".to_owned(), version.to_string()),
        ("name".into(), brand.name.clone()),
        ("kind".into(), brand.kind.api_word()),
        ("owner_name".into(), brand.owner_name.clone()),
        ("goods".into(), brand.goods.clone()),
        ("trademark_no".into(), brand.trademark_no.clone()),
        ("about".into(), brand.about.clone()),
        ("since".into(), brand.since.map(|day| day.to_string()).unwrap_or_default()),
    ];
    values.extend(blobs::fields_of(&brand.attachments));
    let owner = owner_of(&app, &brand)?;
    html(&form_page(&app, &signed, Some(&brand), owner, Form::sent(values)))
}

async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let brand = brand_of(&app, &id)?;
    let owner = owner_of(&app, &brand)?;
    if let Some(owner) = &owner {
        form.set("operator", &owner.id);
    }
    if let Some(data) = read_brand(&app, &signed, &mut form)?
        && form.is_good()
    {
        let command = Command::ChangeBrand(ChangeBrand { brand: id.clone(), data });
        let seen = seen(&form, format!("brand/{id}"));
        match app.put_brand(signed.actor(), command, form.once(), &seen).await {
            Ok(_) => return Ok(done(&format!("/brands/{id}"), "brands.changed")),
            Err(AppError::Conflict(conflict)) => {
                return both(&app, &signed, &brand, owner, form, &conflict);
            }
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    refused(&form_page(&app, &signed, Some(&brand), owner, form))
}

/// What is on record now beside what was about to be.
fn both(
    app: &App,
    signed: &Signed,
    now: &Brand,
    owner: Option<Operator>,
    form: Form,
    conflict: &Conflict,
) -> Result<Response, ConsoleError> {
    let mut sides = vec![
        Side::new("label.brand_name", &now.name, form.get("name")),
        Side::new("label.owner_name", &now.owner_name, form.get("owner_name")),
        Side::new("label.goods", &now.goods, form.get("goods")),
        Side::new("label.trademark_no", &now.trademark_no, form.get("trademark_no")),
        Side::new("label.about", &now.about, form.get("about")),
    ];
    sides.retain(|side| side.theirs != side.yours);
    let (keep, action) = (format!("/brands/{}", now.id), format!("/brands/{}/edit", now.id));
    let clash = Clash::new(conflict, &form, &keep, &action, sides);
    clashed(&FormPage { clash: Some(clash), ..form_page(app, signed, Some(now), owner, form) })
}

async fn close(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let to = format!("/brands/{id}");
    let command = CloseBrand { brand: id, reason: form.get("reason").to_owned() };
    told(&app, &signed, &form, &to, Command::CloseBrand(command), "brands.closed").await
}

#[derive(Template)]
#[template(path = "brands/licence.html")]
struct LicencePage {
    page: Page,
    brand: Brand,
    operator: Operator,
    form: Form,
    products: Vec<Choice>,
}

async fn licence_form(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Answer {
    if !signed.may(CommandKind::LicenseBrand) {
        return Err(ConsoleError::forbidden());
    }
    let Some(operator) = pick::operator_of(&app, &signed, &query)? else {
        let page = Page::new(&app, &signed, "/brands", "brands.license");
        return pick::ask(&app, &signed, &query, page, &format!("/brands/{id}/licences"));
    };
    let brand = brand_of(&app, &id)?;
    html(&licence_page(&app, &signed, brand, operator, Form::default())?)
}

fn licence_page(
    app: &App,
    signed: &Signed,
    brand: Brand,
    operator: Operator,
    form: Form,
) -> Result<LicencePage, ConsoleError> {
    let part = (product::BY_OPERATOR, operator.id.as_str());
    let products: Vec<Product> = read::newest(app, signed, part, read::ROWS_WITHIN)?;
    Ok(LicencePage {
        page: Page::new(app, signed, "/brands", "brands.license"),
        products: products.iter().map(|one| Choice::new(&one.id, &one.name)).collect(),
        form: form.of("brand_licence"),
        brand,
        operator,
    })
}

async fn license(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let valid_from = form.date_of("valid_from");
    let valid_to = form.optional_date("valid_to");
    let operator: Operator = read::one(&app, &signed, "operator", form.get("operator"))?;
    if let (Some(valid_from), true) = (valid_from, form.is_good()) {
        let command = Command::LicenseBrand(LicenseBrand {
            brand: id.clone(),
            operator: operator.id.clone(),
            products: form.all("products").map(str::to_owned).collect(),
            number: form.get("number").to_owned(),
            valid_from,
            valid_to,
        });
        match app.submit_keyed(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done(&format!("/brands/{id}"), "brands.licensed")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    let brand = brand_of(&app, &id)?;
    refused(&licence_page(&app, &signed, brand, operator, form)?)
}

async fn end_licence(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let licence: BrandLicence = read::one(&app, &signed, "brand_licence", &id)?;
    let to = format!("/brands/{}", licence.brand);
    let command = EndBrandLicence { licence: id, reason: form.get("reason").to_owned() };
    told(&app, &signed, &form, &to, Command::EndBrandLicence(command), "brands.licence_ended").await
}

async fn told(
    app: &App,
    signed: &Signed,
    form: &Form,
    to: &str,
    command: Command,
    good: &'static str,
) -> Answer {
    done_or_not(to, app.submit_keyed(signed.actor(), command, form.once()).await, good)
}
