//! One agency: who works there, what it is responsible for, and, for a village service point, the
//! operators delegated to it.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::Scope;
use tianyin_domain::Time;
use tianyin_domain::agency::{Agency, AgencyKind};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::delegation::{
    self, DELEGATED_MAX, DelegateOperators, Delegation, EndDelegation,
};
use tianyin_domain::operator::{self, Operator};
use tianyin_domain::user::{self, User};

use super::agencies::{self, administrator};
use super::error::{Answer, ConsoleError};
use super::filters;
use super::page::{Page, html};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done_or_not};
use crate::app::conflict::Change;
use crate::app::{App, AppError};
use crate::regions;

/// Hits of a search for operators to delegate.
const HITS_MAX: usize = 30;
/// Changes on the page.
const RECENT: usize = 30;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/agencies/{id}", get(show))
        .route("/agencies/{id}/delegations", post(delegate))
        .route("/agencies/{id}/delegations/end", post(end))
}

/// An operator that is delegated.
struct Row {
    operator: Operator,
    since: Time,
}

#[derive(Template)]
#[template(path = "agencies/detail.html")]
struct DetailPage {
    page: Page,
    agency: Agency,
    area: String,
    /// For whoever allocates accounts there; else nobody.
    people: Vec<User>,
    allocates: bool,
    administrator: Option<User>,
    /// Operators delegated to it; those that the person sees are listed.
    count: usize,
    delegated: Vec<Row>,
    /// Operators in its area, as long as it sees them all.
    in_area: Option<u64>,
    may_delegate: bool,
    /// What was searched for.
    q: String,
    hits: Vec<Operator>,
    changes: Vec<Change>,
}

impl DetailPage {
    fn is_service_point(&self) -> bool {
        self.agency.kind == AgencyKind::ServicePoint
    }

    fn room(&self) -> usize {
        DELEGATED_MAX.saturating_sub(self.count)
    }
}

async fn show(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let agency = agencies::one(&app, &signed, &id)?;
    let (reading, root) = (app.clone(), format!("agency/{id}"));
    let changes = tokio::task::spawn_blocking(move || reading.history(&root, RECENT));
    let changes = changes.await.map_err(AppError::internal)??;
    html(&shown(&app, &signed, agency, &query.q, changes)?)
}

fn shown(
    app: &App,
    signed: &Signed,
    agency: Agency,
    q: &str,
    changes: Vec<Change>,
) -> Result<DetailPage, ConsoleError> {
    let part = (user::BY_AGENCY, agency.id.as_str());
    let mut people: Vec<User> =
        read::newest_in(app, &Scope::everything(), part, read::ROWS_WITHIN)?;
    let administrator = administrator(app, &agency)?;
    let allocates = signed.allocates_accounts()
        && agencies::allocated(app, signed)?.iter().any(|one| one.id == agency.id);
    if !allocates {
        people.clear();
    }
    let is_point = agency.kind == AgencyKind::ServicePoint;
    let may_delegate = is_point
        && signed.may(CommandKind::DelegateOperators)
        && signed.scope().covers(&agency.area, "");
    let known = delegation::operators_of(&app.store, &agency.id)?;
    let delegated = delegated(app, signed, &agency)?;
    let mut hits = Vec::new();
    if may_delegate && !q.trim().is_empty() {
        hits = read::search_operators(app, &signed.scope(), q, HITS_MAX)?;
        hits.retain(|hit| !known.contains(&hit.id));
    }
    let in_area = match is_point && !agency.delegated_only {
        true => app.store.count_in(operator::BY_STATUS, "", &Scope::area(&agency.area))?,
        false => None,
    };
    let mut page = Page::new(app, signed, "/agencies", "agencies.title");
    page.title = agency.name.clone();
    Ok(DetailPage {
        page,
        area: regions::name(&agency.area).unwrap_or(&agency.area).to_owned(),
        people,
        allocates,
        administrator,
        count: known.len(),
        delegated,
        in_area,
        may_delegate,
        q: q.to_owned(),
        hits,
        changes,
        agency,
    })
}

/// Operators delegated to the service point, as far as the person sees them.
fn delegated(app: &App, signed: &Signed, agency: &Agency) -> Result<Vec<Row>, ConsoleError> {
    let (state, scope): (&dyn tianyin_domain::State, _) = (&app.store, signed.scope());
    let mut rows = Vec::new();
    for one in state.list::<Delegation>(delegation::BY_AGENCY, &agency.id, DELEGATED_MAX)? {
        let operator: Option<Operator> = app.store.get_scoped(&one.operator, &scope)?;
        rows.extend(operator.map(|operator| Row { operator, since: one.since }));
    }
    rows.sort_by(|a, b| a.operator.name.cmp(&b.operator.name));
    Ok(rows)
}

/// A service point that an operator is delegated to.
pub struct Point {
    /// The service point.
    pub agency: Agency,
    /// Since when.
    pub since: Time,
    /// Whether the person may open its page.
    pub linked: bool,
}

/// Service points that work for an operator.
pub fn points_of(app: &App, signed: &Signed, operator: &str) -> Result<Vec<Point>, ConsoleError> {
    let state: &dyn tianyin_domain::State = &app.store;
    let all: Vec<Delegation> = state.list(delegation::BY_OPERATOR, operator, read::ROWS_WITHIN)?;
    let mut points = Vec::new();
    for one in all {
        let Some(agency) = state.get::<Agency>(&one.agency)? else { continue };
        let linked = agencies::one(app, signed, &agency.id).is_ok();
        points.push(Point { agency, since: one.since, linked });
    }
    Ok(points)
}

async fn delegate(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let agency = agencies::one(&app, &signed, &id)?;
    let operators = form.all("operators").map(str::to_owned).collect();
    let command = DelegateOperators { agency: agency.id, operators };
    let command = Command::DelegateOperators(command);
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/agencies/{id}#delegations"), answer, "delegations.begun")
}

async fn end(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let agency = agencies::one(&app, &signed, &id)?;
    let (operator, reason) = (form.get("operator").to_owned(), form.get("reason").to_owned());
    let command = EndDelegation { agency: agency.id, operator, reason };
    let command = Command::EndDelegation(command);
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/agencies/{id}#delegations"), answer, "delegations.ended")
}
