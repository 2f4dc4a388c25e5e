//! Accounts: the list, a new one, deactivation, a new password. Administrators only.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::command::Command;
use tianyin_domain::operator::{self, Operator};
use tianyin_domain::user::{self, ActiveChanged, User};
use tianyin_domain::{Actor, Role};

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::page::{Page, Pager, html, refused};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, not_done};
use crate::app::accounts::NewUser;
use crate::app::{App, AppError};
use crate::texts::t;

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
    rows: Vec<Row>,
    pager: Pager,
}

struct Row {
    user: User,
    operator: String,
    own: bool,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    signed.administrator_only()?;
    let part = (user::ALL, "");
    let after = query.after.as_deref();
    let found = read::rows::<User>(&app, &signed.scope(), part, "/users", after)?;
    let mut rows = Vec::with_capacity(found.items.len());
    for user in found.items {
        let operator = match &user.operator {
            Some(id) => read::operator_name(&app, id)?,
            None => String::new(),
        };
        rows.push(Row { own: user.id == signed.session.user.id, operator, user });
    }
    let page = Page::new(&app, &signed, "/users", "users.title");
    html(&ListPage { page, rows, pager: found.pager })
}

#[derive(Template)]
#[template(path = "users/new.html")]
struct NewPage {
    page: Page,
    form: Form,
    roles: Vec<Choice>,
    operators: Vec<Choice>,
}

async fn new(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    signed.administrator_only()?;
    html(&new_page(&app, &signed, Form::with("", &[("role", "clerk")]))?)
}

fn new_page(app: &App, signed: &Signed, form: Form) -> Result<NewPage, ConsoleError> {
    let part = (operator::BY_STATUS, "");
    let all: Vec<Operator> = read::newest(app, signed, part, OPERATORS_OFFERED)?;
    let mut operators = vec![Choice::new("", t("forms.none"))];
    operators.extend(all.iter().map(|o| Choice::new(&o.id, &o.name)));
    let roles = [Role::Clerk, Role::Producer, Role::Administrator];
    Ok(NewPage {
        page: Page::new(app, signed, "/users", "users.new"),
        form: form.of("person"),
        roles: Choice::words(&roles),
        operators,
    })
}

async fn add(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    signed.administrator_only()?;
    let (name, username) = (form.text_of("name"), form.text_of("username"));
    let role: Option<Role> = form.choice_of("role");
    let password = form.raw("password").to_owned();
    form.text_of("password");
    if let (Some(role), true) = (role, form.is_good()) {
        let operator = form.optional("operator");
        let new = NewUser { username, name, role, operator, password };
        match app.add_user(signed.actor(), new, form.once()).await {
            Ok(_) => return Ok(done("/users", "users.added")),
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
    signed.administrator_only()?;
    let active = form.get("active") == "1";
    let user: User = read::one(&app, &signed, "user", &id)?;
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

#[derive(Template)]
#[template(path = "users/password.html")]
struct PasswordPage {
    page: Page,
    user: User,
    form: Form,
}

async fn password(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    signed.administrator_only()?;
    let user = read::one(&app, &signed, "user", &id)?;
    let page = Page::new(&app, &signed, "/users", "users.password");
    html(&PasswordPage { page, user, form: Form::default() })
}

async fn set_password(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    signed.administrator_only()?;
    let user: User = read::one(&app, &signed, "user", &id)?;
    let password = form.raw("password").to_owned();
    form.text_of("password");
    if password != form.raw("password_again") {
        form.bad("password_again", "passwords_differ");
    }
    if form.is_good() {
        match app.reset_password(&Actor::system("console"), &user.username, password).await {
            Ok(()) => return Ok(done("/users", "users.password_set")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    let page = Page::new(&app, &signed, "/users", "users.password");
    refused(&PasswordPage { page, user, form })
}
