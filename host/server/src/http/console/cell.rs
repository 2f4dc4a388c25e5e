//! One cell of the grid: adding it, what it is, its operators, changes, its end.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::agency::{Agency, AgencyKind};
use tianyin_domain::cell::{self, Cell, CellData, ChangeCell, EndCell};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::operator::Operator;
use tianyin_domain::user::{self, User};
use tianyin_domain::{Role, Scope};

use super::agencies;
use super::cells::allowed;
use super::clash::{Clash, Side, clashed, seen};
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::operators::township_choices;
use super::page::{Page, html, refused};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::conflict::Change;
use crate::app::grid::Answerable;
use crate::app::{App, AppError};
use crate::regions;
use crate::texts::t;

/// Hits of a search for operators to name.
const HITS_MAX: usize = 30;
/// Changes on the page.
const RECENT: usize = 30;
/// People offered as answerable.
const PEOPLE_OFFERED: usize = 500;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/cells/new", get(new).post(add))
        .route("/cells/{id}", get(show))
        .route("/cells/{id}/edit", get(edit).post(change))
        .route("/cells/{id}/operators", post(change_operators))
        .route("/cells/{id}/end", post(end))
}

/// The cell of an operator, as the operator's page tells it.
pub struct Shown {
    /// The cell.
    pub cell: Cell,
    /// Who answers for it.
    pub person: Answerable,
    /// Whether the person may open the cell's page.
    pub linked: bool,
}

/// The cell that an operator is in.
pub fn of_operator(
    app: &App,
    signed: &Signed,
    operator: &Operator,
) -> Result<Option<Shown>, ConsoleError> {
    let Some(cell) = cell::of_operator(&app.store, operator)? else { return Ok(None) };
    let linked = signed.is_staff() && signed.scope().covers(&cell.data.area, "");
    Ok(Some(Shown { person: app.answerable(&cell)?, cell, linked }))
}

#[derive(Template)]
#[template(path = "cells/detail.html")]
struct DetailPage {
    page: Page,
    cell: Cell,
    place: String,
    agency: String,
    responsible: Answerable,
    operators: Vec<Operator>,
    may_change: bool,
    q: String,
    hits: Vec<Operator>,
    changes: Vec<Change>,
}

async fn show(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Answer {
    allowed(&signed)?;
    let cell: Cell = read::one(&app, &signed, "cell", &id)?;
    let (reading, root) = (app.clone(), format!("cell/{id}"));
    let changes = tokio::task::spawn_blocking(move || reading.history(&root, RECENT));
    let changes = changes.await.map_err(AppError::internal)??;
    let scope = signed.scope();
    let mut operators = Vec::new();
    for id in &cell.data.operators {
        operators.extend(app.store.get_scoped::<Operator>(id, &scope)?);
    }
    let may_change = cell.ended.is_none() && signed.may(CommandKind::ChangeCell);
    let mut hits = Vec::new();
    if may_change && !query.q.trim().is_empty() {
        hits = read::search_operators(&app, &scope, &query.q, HITS_MAX)?;
        hits.retain(|hit| !cell.data.operators.contains(&hit.id));
    }
    let agency = match &cell.data.agency {
        Some(id) => app.store.get::<Agency>(id)?.map(|agency| agency.name),
        None => None,
    };
    let area = &cell.data.area;
    html(&DetailPage {
        page: Page::new(&app, &signed, "/cells", "cells.title").titled(&cell.data.name),
        place: regions::name(area).unwrap_or(area).to_owned(),
        agency: agency.unwrap_or_else(|| t("cells.county_itself").to_owned()),
        responsible: app.answerable(&cell)?,
        operators,
        may_change,
        q: query.q,
        hits,
        changes,
        cell,
    })
}

#[derive(Template)]
#[template(path = "cells/edit.html")]
struct EditPage {
    page: Page,
    /// The cell that is changed; `None` for a new one.
    cell: Option<Cell>,
    form: Form,
    areas: Vec<Choice>,
    people: Vec<Choice>,
    agencies: Vec<Choice>,
    clash: Option<Clash>,
}

fn may_change(signed: &Signed) -> Result<(), ConsoleError> {
    allowed(signed)?;
    if signed.may(CommandKind::ChangeCell) { Ok(()) } else { Err(ConsoleError::forbidden()) }
}

fn edit_page(
    app: &App,
    signed: &Signed,
    cell: Option<Cell>,
    form: Form,
) -> Result<EditPage, ConsoleError> {
    let scope = signed.scope();
    let mut areas = township_choices(app)?;
    areas.retain(|choice| scope.covers(&choice.value, ""));
    let mut agencies = vec![Choice::new("", t("cells.county_itself"))];
    let supervises = |one: &&Agency| {
        matches!(one.kind, AgencyKind::Supervision | AgencyKind::Station)
            && (one.kind.is_county_wide() || scope.covers(&one.area, ""))
    };
    let every = agencies::every(app)?;
    agencies.extend(every.iter().filter(supervises).map(|one| Choice::new(&one.id, &one.name)));
    let title = if cell.is_some() { "cells.edit" } else { "cells.new" };
    Ok(EditPage {
        page: Page::new(app, signed, "/cells", title),
        people: people(app, &scope)?,
        form: form.of("cell"),
        cell,
        areas,
        agencies,
        clash: None,
    })
}

/// People with accounts who may answer for a cell within this sight.
fn people(app: &App, scope: &Scope) -> Result<Vec<Choice>, ConsoleError> {
    let mut out = vec![Choice::new("", t("forms.none"))];
    let all: Vec<User> =
        read::newest_in(app, &Scope::everything(), (user::ALL, ""), PEOPLE_OFFERED)?;
    for user in all {
        let of_county = scope.area.as_deref() == Some("");
        let near = of_county || scope.covers(&user.area, "");
        if user.active && user.role != Role::Producer && near {
            let place = read::place_of(app, &user)?;
            let label = format!("{} {place}", user.name);
            out.push(Choice::new(&user.id, label.trim()));
        }
    }
    Ok(out)
}

async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    may_change(&signed)?;
    let own = signed.session.user.agency.as_deref().unwrap_or_default();
    let form = Form::with("", &[("area", &query.area), ("agency", own), ("whole", "1")]);
    html(&edit_page(&app, &signed, None, form)?)
}

fn read_data(form: &mut Form, operators: BTreeSet<String>) -> CellData {
    CellData {
        name: form.text_of("name"),
        area: form.text_of("area"),
        whole: form.ticked("whole"),
        operators,
        user: form.optional("user"),
        person: form.get("person").to_owned(),
        phone: form.get("phone").to_owned(),
        agency: form.optional("agency"),
    }
}

async fn add(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    may_change(&signed)?;
    let data = read_data(&mut form, BTreeSet::new());
    if form.is_good() {
        match app.submit_keyed(signed.actor(), Command::AddCell(data), form.once()).await {
            Ok(outcome) => return Ok(done(&format!("/cells/{}", outcome.id), "cells.added")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&edit_page(&app, &signed, None, form)?)
}

async fn edit(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    may_change(&signed)?;
    // Read before the record: a change in between makes the version too old, never too new.
    let version = app.store.version(&format!("cell/{id}"))?;
    let cell: Cell = read::one(&app, &signed, "cell", &id)?;
    let data = &cell.data;
    let form = Form::with(
        "",
        &[
            ("version", &version.to_string()),
            ("name", &data.name),
            ("area", &data.area),
            ("whole", if data.whole { "1" } else { "" }),
            ("user", data.user.as_deref().unwrap_or_default()),
            ("person", &data.person),
            ("phone", &data.phone),
            ("agency", data.agency.as_deref().unwrap_or_default()),
        ],
    );
    html(&edit_page(&app, &signed, Some(cell), form)?)
}

async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    may_change(&signed)?;
    let cell: Cell = read::one(&app, &signed, "cell", &id)?;
    let data = read_data(&mut form, cell.data.operators.clone());
    let reason = form.text_of("reason");
    if form.is_good() {
        let seen = seen(&form, format!("cell/{id}"));
        let command = Command::ChangeCell(ChangeCell { cell: id.clone(), data, reason });
        match app.submit_based(signed.actor(), command, form.once(), &seen).await {
            Ok(_) => return Ok(done(&format!("/cells/{id}"), "cells.changed")),
            Err(AppError::Conflict(conflict)) => {
                let (keep, action) = (format!("/cells/{id}"), format!("/cells/{id}/edit"));
                let now = &cell.data;
                let mut sides = vec![
                    Side::new("label.name", &now.name, form.get("name")),
                    Side::new("label.area", &now.area, form.get("area")),
                    Side::new("label.person", &now.person, form.get("person")),
                    Side::new("label.phone", &now.phone, form.get("phone")),
                    Side::new("label.reason", "", form.get("reason")),
                ];
                sides.retain(|side| side.theirs != side.yours);
                let clash = Clash::new(&conflict, &form, &keep, &action, sides);
                let page = edit_page(&app, &signed, Some(cell), form)?;
                return clashed(&EditPage { clash: Some(clash), ..page });
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&edit_page(&app, &signed, Some(cell), form)?)
}

/// Names operators, or does so no more: `add` and `remove` hold their ids.
async fn change_operators(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    may_change(&signed)?;
    let version = app.store.version(&format!("cell/{id}"))?;
    let cell: Cell = read::one(&app, &signed, "cell", &id)?;
    let mut data = cell.data;
    data.operators.extend(form.all("add").map(str::to_owned));
    for gone in form.all("remove") {
        data.operators.remove(gone);
    }
    let command = ChangeCell { cell: id.clone(), data, reason: form.get("reason").to_owned() };
    // Somebody else's change of the list in this moment is not to be undone.
    let seen = [(format!("cell/{id}"), version)];
    let command = Command::ChangeCell(command);
    let answer = app.submit_based(signed.actor(), command, form.once(), &seen).await;
    done_or_not(&format!("/cells/{id}#operators"), answer, "cells.changed")
}

async fn end(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    may_change(&signed)?;
    let cell: Cell = read::one(&app, &signed, "cell", &id)?;
    let command = EndCell { cell: cell.id, reason: form.get("reason").to_owned() };
    let answer = app.submit_keyed(signed.actor(), Command::EndCell(command), form.once()).await;
    done_or_not(&format!("/cells/{id}"), answer, "cells.ended")
}
