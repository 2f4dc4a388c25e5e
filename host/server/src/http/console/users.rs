//! Accounts: the list, a new one, deactivation, a new password; the county's administrator those of all,
//! that of another agency its own.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use tianyin_domain::access::{self, Access};
use tianyin_domain::agency::{Agency, AgencyKind};
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::operator::{self, Operator};
use tianyin_domain::policy::PasswordPreset;
use tianyin_domain::state::Index;
use tianyin_domain::user::{self, ActiveChanged, User};
use tianyin_domain::{Role, Scope, Time};

use super::account_totp::never_kept;
use super::agencies;
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::order::{self, Order};
use super::page::{Page, Pager, html, refused};
use super::read::{self, ListQuery, Rows};
use super::register_export::Tools;
use super::session::{Posted, Signed, done, not_done, told};
use crate::app::passwords::{NewUser, drawn_password};
use crate::app::registers::Register;
use crate::app::{App, AppError};
use crate::texts::t;

/// Roles offered: those everybody allocates first, then the administrator's, then the producer's.
const ROLES: [Role; 4] = [Role::Clerk, Role::Officer, Role::Administrator, Role::Producer];
/// Hits of a search.
const HITS_MAX: usize = 100;
/// Operators offered for a producer's account.
const OPERATORS_OFFERED: usize = 200;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/users", get(list).post(add))
        .route("/users/new", get(new))
        .route("/users/{id}/active", post(set_active))
        .route("/users/{id}/password", get(password).post(set_password))
}

#[derive(Template)]
#[template(path = "users/list.html")]
struct ListPage {
    page: Page,
    tools: Tools,
    rows: Vec<Row>,
    pager: Pager,
    /// The agency whose people are shown.
    agency: Option<Agency>,
    order: Order,
    /// What was searched for.
    q: String,
}

struct Row {
    user: User,
    /// Where the person works, or the operator it acts for.
    place: String,
    own: bool,
    /// When the account was used last.
    used_at: Option<Time>,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    signed.allocators_only()?;
    let agency = chosen(&app, &signed, &query.agency)?;
    let (found, order) = found(&app, agency.as_ref(), &query)?;
    let mut rows = Vec::with_capacity(found.items.len());
    for user in found.items {
        let place = read::place_of(&app, &user)?;
        let last = (access::BY_USER, user.id.as_str());
        let last: Vec<Access> = read::newest_in(&app, &Scope::everything(), last, 1)?;
        let used_at = last.first().map(|access| access.at);
        rows.push(Row { own: user.id == signed.session.user.id, place, used_at, user });
    }
    let page = Page::new(&app, &signed, "/users", "users.title");
    let of_agency = agency.as_ref().map(|agency| agency.id.as_str()).unwrap_or_default();
    let tools = Tools::of(Register::Users, &signed, &[("agency", of_agency)]);
    html(&ListPage { page, tools, rows, pager: found.pager, order, agency, q: query.q })
}

/// Hits of a search by sign-in name; else a page of the list.
fn found(
    app: &App,
    agency: Option<&Agency>,
    query: &ListQuery,
) -> Result<(Rows<User>, Order), ConsoleError> {
    let address = match agency {
        Some(agency) => format!("/users?agency={}", agency.id),
        None => "/users".to_owned(),
    };
    if !query.q.trim().is_empty() {
        let agency = agency.map(|agency| agency.id.as_str());
        let mut items = Vec::new();
        for id in app.people.search(&app.store, agency, &query.q, HITS_MAX)? {
            items.extend(app.store.get::<User>(&id)?);
        }
        let pager = Pager::new(&address, None, items.len(), None);
        return Ok((Rows { items, pager }, Order::fixed(address)));
    }
    let order = Order::of(order::BY_NAME, &query.sort, address);
    let after = query.after.as_deref();
    Ok((read::rows(app, &Scope::everything(), part(agency), &order, after)?, order))
}

/// The part of an index that holds the people of an agency; of none, everybody.
pub fn part(agency: Option<&Agency>) -> (Index, &str) {
    match agency {
        Some(agency) => (user::BY_AGENCY, agency.id.as_str()),
        None => (user::ALL, ""),
    }
}

/// The agency whose people are to be shown: the one asked for, if its accounts are the person's to
/// allocate; else all for the county's administrator, and its own for another.
pub fn chosen(app: &App, signed: &Signed, wanted: &str) -> Result<Option<Agency>, ConsoleError> {
    let own = signed.session.user.agency.as_deref().unwrap_or_default();
    let id = match wanted {
        "" if signed.is_administrator() => return Ok(None),
        "" => own,
        id => id,
    };
    let found = agencies::allocated(app, signed)?.into_iter().find(|agency| agency.id == id);
    found.map(Some).ok_or_else(|| ConsoleError::not_found("agency", id))
}

/// An account that the person allocates.
pub(super) fn account(app: &App, signed: &Signed, id: &str) -> Result<User, ConsoleError> {
    let missing = || ConsoleError::not_found("user", id);
    let user: User = app.store.get(id)?.ok_or_else(missing)?;
    if !signed.is_administrator() {
        chosen(app, signed, user.agency.as_deref().ok_or_else(missing)?).map_err(|_| missing())?;
    }
    Ok(user)
}

#[derive(Template)]
#[template(path = "users/new.html")]
struct NewPage {
    page: Page,
    form: Form,
    roles: Vec<Choice>,
    agencies: Vec<Choice>,
    operators: Vec<Choice>,
    hint: String,
}

async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    signed.allocators_only()?;
    let role = if query.role.is_empty() { "clerk" } else { &query.role };
    let agency = match query.agency.as_str() {
        "" => signed.session.user.agency.as_deref().unwrap_or_default(),
        id => id,
    };
    html(&new_page(&app, &signed, Form::with("", &[("role", role), ("agency", agency)]))?)
}

fn new_page(app: &App, signed: &Signed, form: Form) -> Result<NewPage, ConsoleError> {
    let mut operators = Vec::new();
    if signed.is_administrator() {
        let part = (operator::BY_STATUS, "");
        let all: Vec<Operator> = read::newest(app, signed, part, OPERATORS_OFFERED)?;
        operators.push(Choice::new("", t("forms.none")));
        operators.extend(all.iter().map(|o| Choice::new(&o.id, &o.name)));
    }
    let mut agencies = Vec::new();
    if signed.session.user.agency.is_none() {
        agencies.push(Choice::new("", t("users.county_itself")));
    } else if signed.is_administrator() {
        agencies.push(Choice::new("", t("forms.none")));
    }
    let offered = agencies::allocated(app, signed)?;
    agencies.extend(offered.iter().map(|a| Choice::new(&a.id, &a.name)));
    let roles: &[Role] = match signed.session.user.office {
        _ if signed.is_administrator() => &ROLES,
        Some(AgencyKind::Station) => &ROLES[..3],
        _ => &ROLES[..2],
    };
    Ok(NewPage {
        page: Page::new(app, signed, "/users", "users.new"),
        form: form.of("person"),
        roles: Choice::words(roles),
        agencies,
        operators,
        hint: drawn_hint(app)?,
    })
}

async fn add(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    signed.allocators_only()?;
    let (name, username) = (form.text_of("name"), form.text_of("username"));
    let role: Option<Role> = form.choice_of("role");
    let password = typed_or_drawn(&form);
    if let (Some(role), true) = (role, form.is_good()) {
        let (operator, agency) = (form.optional("operator"), form.optional("agency"));
        // A producer works for no agency: what the list happened to show does not count.
        let agency = agency.filter(|_| role != Role::Producer);
        let shown = password.clone();
        let new = NewUser { username, name, role, operator, agency, password, initial: true };
        match app.add_user(signed.actor(), new, form.once()).await {
            Ok(outcome) => {
                let drawn = was_drawn(&form).then_some(shown);
                return handed_over(&app, &signed, &outcome, drawn, "/users");
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&new_page(&app, &signed, form)?)
}

async fn set_active(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    signed.allocators_only()?;
    let active = form.get("active") == "1";
    let user = account(&app, &signed, &id)?;
    let command = Command::SetUserActive(ActiveChanged { user: user.id.clone(), active });
    match app.submit(signed.actor(), command).await {
        Ok(_) => {
            if !active {
                app.end_sessions_of(&user.id);
            }
            Ok(done("/users", if active { "users.activated" } else { "users.deactivated" }))
        }
        Err(error @ AppError::Domain(_)) => Ok(not_done("/users", &error)),
        Err(error) => Err(error.into()),
    }
}

/// One's own password is asked for before it is changed (ASVS 5.0 7.5.1).
pub(super) fn own_account() -> Response {
    Redirect::to("/account").into_response()
}

/// Without one typed in, the appliance makes one up.
pub(super) fn was_drawn(form: &Form) -> bool {
    form.raw("password").is_empty()
}

pub(super) fn typed_or_drawn(form: &Form) -> String {
    if was_drawn(form) { drawn_password() } else { form.raw("password").to_owned() }
}

/// What the county's policy asks of a password, in words.
pub(super) fn password_hint(app: &App) -> Result<String, ConsoleError> {
    Ok(t(match app.policy()?.passwords {
        PasswordPreset::Asvs5 => "users.password_hint",
        PasswordPreset::Gb22239 => "users.password_hint_gb",
    })
    .to_owned())
}

/// The same where it may be left out.
pub(super) fn drawn_hint(app: &App) -> Result<String, ConsoleError> {
    Ok(format!("{}{}", t("users.drawn_hint"), password_hint(app)?))
}

#[derive(Template)]
#[template(path = "users/initial.html")]
struct InitialPage {
    page: Page,
    user: User,
    /// The only time that it is seen; `None` when it was typed.
    password: Option<String>,
    back: String,
}

/// After a password was given to somebody: until when it works, and the drawn one, seen this once.
pub(super) fn handed_over(
    app: &App,
    signed: &Signed,
    outcome: &Outcome,
    password: Option<String>,
    back: &str,
) -> Answer {
    let id = outcome.id.as_str();
    let user: User = app.store.get(id)?.ok_or_else(|| ConsoleError::not_found("user", id))?;
    if !outcome.written {
        // The button was pressed twice: the password of the first time is the one that works.
        return Ok(told(back, false, t("users.given_before")));
    }
    if password.is_none() {
        return Ok(done(back, "users.password_given"));
    }
    let page = Page::new(app, signed, "/users", "users.initial");
    never_kept(html(&InitialPage { page, user, password, back: back.to_owned() }))
}

#[derive(Template)]
#[template(path = "users/password.html")]
struct PasswordPage {
    page: Page,
    user: User,
    form: Form,
    hint: String,
}

async fn password(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    signed.allocators_only()?;
    let user = account(&app, &signed, &id)?;
    if user.id == signed.session.user.id {
        return Ok(own_account());
    }
    let page = Page::new(&app, &signed, "/users", "users.password");
    let hint = drawn_hint(&app)?;
    html(&PasswordPage { page, user, form: Form::default(), hint })
}

async fn set_password(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    signed.allocators_only()?;
    let user = account(&app, &signed, &id)?;
    if user.id == signed.session.user.id {
        return Ok(own_account());
    }
    let password = typed_or_drawn(&form);
    if form.raw("password") != form.raw("password_again") {
        form.bad("password_again", "passwords_differ");
    }
    if form.is_good() {
        let drawn = was_drawn(&form).then(|| password.clone());
        match app.reset_password(signed.actor(), &user.username, password, true).await {
            Ok(outcome) => return handed_over(&app, &signed, &outcome, drawn, "/users"),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    let page = Page::new(&app, &signed, "/users", "users.password");
    let hint = drawn_hint(&app)?;
    refused(&PasswordPage { page, user, form, hint })
}
