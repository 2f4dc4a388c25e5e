//! Sites (产地): the list, one site with its place on the map, adding, correcting, giving up.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use tianyin_domain::activity::{self, Activity};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::document::{self, Document};
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::operator::Operator;
use tianyin_domain::position::{Position, outline_mu};
use tianyin_domain::site::{self, AddSite, ChangeSite, CloseSite, Site, SiteKind};
use tianyin_domain::{Decimal, Entity as _};

use super::clash::{Clash, Side, clashed, seen};
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::operators::{area_name, township_choices};
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html, refused};
use super::pick;
use super::read::{self, ListQuery};
use super::register_export::Tools;
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::registers::Register;
use crate::app::{App, AppError, Conflict};
use crate::texts::{t, tf};

/// Sites without a place that are listed.
const MISSING_MAX: usize = 200;
/// Activities and lots shown on the page of a site.
const RECENT: usize = 8;
/// How far the declared size may be from the outline's before somebody should look: a fifth.
const SIZE_DIFFERS: (i64, u32) = (2, 1);

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/sites", get(list).post(add))
        .route("/sites/new", get(new))
        .route("/sites/{id}", get(detail))
        .route("/sites/{id}/edit", get(edit).post(change))
        .route("/sites/{id}/close", post(close))
}

struct Row {
    site: Site,
    operator: String,
}

#[derive(Template)]
#[template(path = "sites/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    missing: bool,
    order: Order,
    tools: Tools,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let missing = query.status == "missing";
    let seen = app.places.seen(&app.store, &signed.scope())?;
    let order = match missing {
        true => Order::fixed("/sites?status=missing"),
        false => Order::of(order::BY_TIME, &query.sort, "/sites"),
    };
    let found = if missing {
        let mut items = Vec::new();
        for id in seen.missing.iter().rev().take(MISSING_MAX) {
            items.extend(app.store.get::<Site>(id)?);
        }
        read::Rows { pager: Pager::new("/sites", None, items.len(), None), items }
    } else {
        let part = (site::BY_OPERATOR, signed.operator().unwrap_or_default());
        read::rows::<Site>(&app, &signed.scope(), part, &order, query.after.as_deref())?
    };
    let mut rows = Vec::with_capacity(found.items.len());
    for site in found.items {
        let operator = read::operator_name(&app, &site.operator)?;
        rows.push(Row { site, operator });
    }
    let chip = |href: &str, key: &str, count: usize, on: bool| Chip {
        href: href.into(),
        text: t(key).into(),
        count: u64::try_from(count).ok(),
        on,
    };
    let all = seen.placed.len() + seen.missing.len();
    let mut chips = vec![
        chip("/sites", "lists.all", all, !missing),
        chip("/sites?status=missing", "map.missing", seen.missing.len(), missing),
    ];
    order.keep(&mut chips);
    let page = Page::new(&app, &signed, "/map", "sites.title");
    let tools = Tools::of(Register::Sites, &signed, &[]);
    html(&ListPage { page, rows, pager: found.pager, chips, order, missing, tools })
}

#[derive(Template)]
#[template(path = "sites/detail.html")]
struct DetailPage {
    page: Page,
    site: Site,
    operator: Operator,
    drawn_mu: Option<Decimal>,
    size_note: Option<String>,
    environment: Vec<Document>,
    activities: Vec<Activity>,
    lots: Vec<Lot>,
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let site: Site = read::one(&app, &signed, "site", &id)?;
    let operator: Operator = read::one(&app, &signed, "operator", &site.operator)?;
    let documents: Vec<Document> =
        read::newest(&app, &signed, (document::BY_OPERATOR, &site.operator), read::ROWS_WITHIN)?;
    let of_site = |one: &Document| one.site.as_deref() == Some(site.id());
    let environment = documents.into_iter().filter(of_site).collect();
    let mut activities: Vec<Activity> =
        read::newest(&app, &signed, (activity::BY_SITE, &id), RECENT)?;
    activities.truncate(RECENT);
    let lots: Vec<Lot> =
        read::newest(&app, &signed, (lot::BY_OPERATOR, &site.operator), read::ROWS_WITHIN)?;
    let lots = lots.into_iter().filter(|lot| lot.site == site.id).take(RECENT).collect();
    let drawn_mu = (!site.outline.is_empty()).then(|| outline_mu(&site.outline));
    let page = Page::new(&app, &signed, "/map", "sites.title").titled(&site.name);
    let size_note = drawn_mu.and_then(|drawn| size_note(site.size_mu, drawn));
    html(&DetailPage { page, operator, drawn_mu, size_note, environment, activities, lots, site })
}

/// What to say where the declared size is far from the drawn one.
fn size_note(declared: Decimal, drawn: Decimal) -> Option<String> {
    let room = declared * Decimal::new(SIZE_DIFFERS.0, SIZE_DIFFERS.1);
    let differs = (declared - drawn).abs() > room;
    let (declared, drawn) = (declared.normalize().to_string(), drawn.normalize().to_string());
    let params = [("declared", declared.as_str()), ("drawn", drawn.as_str())];
    differs.then(|| tf("sites.size_differs", params))
}

#[derive(Template)]
#[template(path = "sites/form.html")]
struct FormPage {
    page: Page,
    operator: Operator,
    form: Form,
    kinds: Vec<Choice>,
    townships: Vec<Choice>,
    action: String,
    back: String,
    clash: Option<Clash>,
}

async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    allowed(&signed, CommandKind::AddSite)?;
    let Some(operator) = pick::operator_of(&app, &signed, &query)? else {
        let page = Page::new(&app, &signed, "/map", "sites.add");
        return pick::ask(&app, &signed, &query, page, "/sites/new");
    };
    let form = Form::with("", &[("area", &operator.area)]);
    html(&form_page(&app, &signed, operator, None, form)?)
}

fn allowed(signed: &Signed, command: CommandKind) -> Result<(), ConsoleError> {
    if signed.may(command) { Ok(()) } else { Err(ConsoleError::forbidden()) }
}

fn form_page(
    app: &App,
    signed: &Signed,
    operator: Operator,
    site: Option<&Site>,
    form: Form,
) -> Result<FormPage, ConsoleError> {
    let (title, action, back) = match site {
        None => ("sites.add", "/sites".into(), format!("/operators/{}#sites", operator.id)),
        Some(site) => {
            ("sites.edit", format!("/sites/{}/edit", site.id), format!("/sites/{}", site.id))
        }
    };
    Ok(FormPage {
        page: Page::new(app, signed, "/map", title),
        kinds: Choice::words(&SiteKind::ALL),
        townships: township_choices(app)?,
        form: form.of("site"),
        operator,
        action,
        back,
        clash: None,
    })
}

/// What the form says; `None` when it cannot be understood.
fn read_site(app: &App, form: &mut Form, operator: &str) -> Result<Option<AddSite>, ConsoleError> {
    let name = form.text_of("name");
    let kind: Option<SiteKind> = form.choice_of("kind");
    let size_mu = form.decimal_of("size_mu");
    let area = form.text_of("area");
    let area_name = area_name(app, &area)?;
    if area_name.is_none() {
        form.bad("area", "bad_choice");
    }
    let position = form.optional("position").and_then(|text| {
        let position: Option<Position> = text.parse().ok();
        if position.is_none() {
            form.bad("position", "bad_position");
        }
        position
    });
    let corners: Result<Vec<Position>, _> = form
        .get("outline")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::parse)
        .collect();
    if corners.is_err() {
        form.bad("outline", "bad_position");
    }
    let (Some(kind), Some(size_mu), Some(area_name), Ok(outline)) =
        (kind, size_mu, area_name, corners)
    else {
        return Ok(None);
    };
    let operator = operator.to_owned();
    Ok(Some(AddSite { operator, name, kind, area, area_name, size_mu, position, outline }))
}

async fn add(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    let id = signed.operator().unwrap_or(form.get("operator")).to_owned();
    let operator: Operator = read::one(&app, &signed, "operator", &id)?;
    if let Some(command) = read_site(&app, &mut form, &operator.id)?
        && form.is_good()
    {
        match app.submit_keyed(signed.actor(), Command::AddSite(command), form.once()).await {
            Ok(outcome) => return Ok(done(&format!("/sites/{}", outcome.id), "sites.added")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&form_page(&app, &signed, operator, None, form)?)
}

async fn edit(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    allowed(&signed, CommandKind::ChangeSite)?;
    // Read before the record: a change in between makes the version too old, never too new.
    let version = app.store.version(&format!("site/{id}"))?;
    let site: Site = read::one(&app, &signed, "site", &id)?;
    let operator: Operator = read::one(&app, &signed, "operator", &site.operator)?;
    let form = Form::with(
        "",
        &[
            ("version", &version.to_string()),
            ("name", &site.name),
            ("kind", &site.kind.api_word()),
            ("size_mu", &site.size_mu.normalize().to_string()),
            ("area", &site.area),
            ("position", &site.position.map(|p| p.to_string()).unwrap_or_default()),
            ("outline", &corners_text(&site)),
        ],
    );
    html(&form_page(&app, &signed, operator, Some(&site), form)?)
}

fn corners_text(site: &Site) -> String {
    site.outline.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let site: Site = read::one(&app, &signed, "site", &id)?;
    let operator: Operator = read::one(&app, &signed, "operator", &site.operator)?;
    if let Some(data) = read_site(&app, &mut form, &operator.id)?
        && form.is_good()
    {
        let command = Command::ChangeSite(ChangeSite { site: id.clone(), data });
        let seen = seen(&form, format!("site/{id}"));
        match app.submit_based(signed.actor(), command, form.once(), &seen).await {
            Ok(_) => return Ok(done(&format!("/sites/{id}"), "sites.changed")),
            Err(AppError::Conflict(conflict)) => {
                return both(&app, &signed, operator, &site, form, &conflict);
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&form_page(&app, &signed, operator, Some(&site), form)?)
}

/// What is on record now beside what was about to be.
fn both(
    app: &App,
    signed: &Signed,
    operator: Operator,
    now: &Site,
    form: Form,
    conflict: &Conflict,
) -> Result<Response, ConsoleError> {
    let position = now.position.map(|p| p.to_string()).unwrap_or_default();
    let corners =
        |text: &str| tf("sites.corners", [("n", text.lines().count().to_string().as_str())]);
    let mut sides = vec![
        Side::new("label.name", &now.name, form.get("name")),
        Side::new("label.size_mu", now.size_mu.normalize().to_string(), form.get("size_mu")),
        Side::new("label.area", &now.area, form.get("area")),
        Side::new("label.position", position, form.get("position")),
        Side::new("label.outline", corners(&corners_text(now)), corners(form.get("outline"))),
    ];
    sides.retain(|side| side.theirs != side.yours);
    let (keep, action) = (format!("/sites/{}", now.id), format!("/sites/{}/edit", now.id));
    let clash = Clash::new(conflict, &form, &keep, &action, sides);
    clashed(&FormPage { clash: Some(clash), ..form_page(app, signed, operator, Some(now), form)? })
}

async fn close(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let site: Site = read::one(&app, &signed, "site", &id)?;
    let to = format!("/sites/{id}");
    let command = CloseSite { site: site.id, reason: form.get("reason").to_owned() };
    let answer = app.submit_keyed(signed.actor(), Command::CloseSite(command), form.once()).await;
    done_or_not(&to, answer, "sites.closed")
}
