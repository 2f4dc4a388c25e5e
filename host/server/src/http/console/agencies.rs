//! Agencies: the county's bodies, township stations and village service points, and who heads them.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use tianyin_domain::agency::{self, AddAgency, Agency, AgencyKind, Allocation};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::user::{self, User};

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::operators::township_choices;
use super::page::{Page, html, refused};
use super::register_export::Tools;
use super::session::{Posted, Signed, done};
use crate::app::App;
use crate::app::registers::Register;
use crate::regions;
use crate::texts::t;

/// Agencies of a county: its bodies, a station for each township, a service point for each village.
const AGENCIES_MAX: usize = 2000;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/agencies", get(list).post(add)).route("/agencies/new", get(new))
}

/// Agencies whose accounts the person allocates, the county's own first.
pub fn allocated(app: &App, signed: &Signed) -> Result<Vec<Agency>, ConsoleError> {
    let own: Option<Agency> = match &signed.session.user.agency {
        Some(id) => app.store.get(id)?,
        None => None,
    };
    let mut all = every(app)?;
    all.retain(|one| agency::allocation(own.as_ref(), Some(one)) != Allocation::Nobody);
    Ok(all)
}

/// All agencies, the county's own first.
pub fn every(app: &App) -> Result<Vec<Agency>, ConsoleError> {
    let state: &dyn tianyin_domain::State = &app.store;
    let mut all = state.list::<Agency>(agency::ALL, "", AGENCIES_MAX)?;
    all.sort_by_key(|one| (AgencyKind::ALL.iter().position(|k| *k == one.kind), one.area.clone()));
    Ok(all)
}

#[derive(Template)]
#[template(path = "agencies/list.html")]
struct ListPage {
    page: Page,
    tools: Tools,
    rows: Vec<Row>,
    may_add: bool,
    /// Whether the person allocates their accounts.
    allocates: bool,
}

struct Row {
    agency: Agency,
    area: String,
    administrator: Option<User>,
    people: u64,
}

/// Agencies that the person has to do with: it allocates their accounts, or delegates operators to them.
pub fn concerned(app: &App, signed: &Signed) -> Result<Vec<Agency>, ConsoleError> {
    if signed.allocates_accounts() {
        return allocated(app, signed);
    }
    if !signed.may(CommandKind::DelegateOperators) {
        return Err(ConsoleError::forbidden());
    }
    let scope = signed.scope();
    let mut all = every(app)?;
    all.retain(|one| scope.covers(&one.area, ""));
    Ok(all)
}

/// An agency that the person may look at: its own, or one in its sight.
pub fn one(app: &App, signed: &Signed, id: &str) -> Result<Agency, ConsoleError> {
    signed.staff_only()?;
    let missing = || ConsoleError::not_found("agency", id);
    let agency: Agency = app.store.get(id)?.ok_or_else(missing)?;
    let own = signed.session.user.agency.as_deref() == Some(id);
    if own || signed.scope().covers(&agency.area, "") { Ok(agency) } else { Err(missing()) }
}

/// Who heads an agency, if somebody does.
pub fn administrator(app: &App, agency: &Agency) -> Result<Option<User>, ConsoleError> {
    let state: &dyn tianyin_domain::State = &app.store;
    Ok(state.find(user::HEADS, &agency.id)?)
}

async fn list(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    let mut rows = Vec::new();
    for agency in concerned(&app, &signed)? {
        rows.push(Row {
            area: regions::name(&agency.area).unwrap_or(&agency.area).to_owned(),
            administrator: administrator(&app, &agency)?,
            people: app.store.count(user::BY_AGENCY, &agency.id)?,
            agency,
        });
    }
    let page = Page::new(&app, &signed, "/agencies", "agencies.title");
    let may_add = signed.allocates_accounts() && !kinds(&signed).is_empty();
    let tools = Tools::of(Register::Agencies, &signed, &[]);
    html(&ListPage { page, tools, rows, may_add, allocates: signed.allocates_accounts() })
}

/// Kinds of agencies that the person may add.
fn kinds(signed: &Signed) -> Vec<AgencyKind> {
    let user = &signed.session.user;
    match user.office {
        _ if user.is_county_administrator() => AgencyKind::ALL.to_vec(),
        Some(AgencyKind::Station) => vec![AgencyKind::ServicePoint],
        _ => Vec::new(),
    }
}

#[derive(Template)]
#[template(path = "agencies/new.html")]
struct NewPage {
    page: Page,
    form: Form,
    kinds: Vec<Choice>,
    areas: Vec<Choice>,
}

async fn new(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    may_add(&signed)?;
    html(&new_page(&app, &signed, Form::default())?)
}

fn may_add(signed: &Signed) -> Result<(), ConsoleError> {
    signed.allocators_only()?;
    if kinds(signed).is_empty() { Err(ConsoleError::forbidden()) } else { Ok(()) }
}

fn new_page(app: &App, signed: &Signed, form: Form) -> Result<NewPage, ConsoleError> {
    let mut areas = township_choices(app)?;
    let sight = signed.session.user.area.as_str();
    areas.retain(|choice| choice.value.starts_with(sight));
    if let (Some(county), true) = (app.county()?, sight.is_empty()) {
        areas.insert(0, Choice::new(&county.area, t("agencies.whole_county")));
    }
    Ok(NewPage {
        page: Page::new(app, signed, "/agencies", "agencies.new"),
        form: form.of("agency"),
        kinds: Choice::words(&kinds(signed)),
        areas,
    })
}

async fn add(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    may_add(&signed)?;
    let kind: Option<AgencyKind> = form.choice_of("kind");
    let (name, area) = (form.text_of("name"), form.text_of("area"));
    if let (Some(kind), true) = (kind, form.is_good()) {
        let command = Command::AddAgency(AddAgency { name, kind, area });
        match app.submit_keyed(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done("/agencies", "agencies.added")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&new_page(&app, &signed, form)?)
}
