//! Users: list, add, switch off and on, new password, second factor. What the pages do, also when nobody can
//! sign in any more.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tianyin_domain::agency::{self, Agency};
use tianyin_domain::command::Command;
use tianyin_domain::operator::{self, Operator};
use tianyin_domain::user::{self, ActiveChanged, User};
use tianyin_domain::{DomainError, Role, State as _, code};

use super::{Answer, Done, Input, Who};
use crate::app::passwords::NewUser;
use crate::app::{App, AppError};

/// Users listed at most; a county has some dozens.
const USERS_MAX: usize = 10_000;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/users", get(list))
        .route("/users/add", post(add))
        .route("/users/active", post(set_active))
        .route("/users/reset-password", post(reset_password))
        .route("/users/remove-totp", post(remove_totp))
}

async fn list(State(app): State<Arc<App>>) -> Answer {
    let ids = app.store.ids(user::ALL, "", USERS_MAX).map_err(AppError::from)?;
    let mut users = Vec::with_capacity(ids.len());
    for id in ids {
        let found: Option<User> = app.store.get(&id).map_err(AppError::internal)?;
        users.extend(found.map(|u| shown(&u)));
    }
    Ok(Done(json!({ "users": users })))
}

/// Without where the password hash lies.
fn shown(user: &User) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "name": user.name,
        "role": user.role,
        "operator": user.operator,
        "agency": user.agency,
        "active": user.active,
        "totp": user.login.totp.is_some(),
        "seen_at": user.login.seen_at,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    username: String,
    password: String,
    /// Whether the person has to change it at the next sign-in.
    #[serde(default)]
    initial: bool,
}

async fn reset_password(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Input(input): Input<NewPassword>,
) -> Answer {
    let NewPassword { username, password, initial } = &input;
    app.reset_password(&who.actor(), username, password.clone(), *initial).await?;
    tracing::info!(username = input.username, by = who.name, "password set at the command line");
    Ok(Done(json!({ "username": input.username })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    username: String,
    name: String,
    role: Role,
    /// Name or id; none for the county itself.
    #[serde(default)]
    agency: Option<String>,
    /// Operator code or id.
    #[serde(default)]
    operator: Option<String>,
    password: String,
}

async fn add(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Input(input): Input<Add>,
) -> Answer {
    let Add { username, name, role, agency, operator, password } = input;
    let agency = agency.map(|text| agency_of(&app, &text)).transpose()?;
    let operator = operator.map(|text| operator_of(&app, &text)).transpose()?;
    let new = NewUser {
        username: username.clone(),
        name,
        role,
        operator,
        agency,
        password,
        initial: true,
    };
    let outcome = app.add_user(&who.actor(), new, None).await?;
    tracing::info!(username, by = who.name, "user added at the command line");
    Ok(Done(json!({ "id": outcome.id, "username": username })))
}

fn agency_of(app: &App, text: &str) -> Result<String, AppError> {
    let state: &dyn tianyin_domain::State = &app.store;
    let found = match state.get::<Agency>(text)? {
        Some(agency) => Some(agency),
        None => state.find::<Agency>(agency::BY_NAME, text)?,
    };
    let missing = || DomainError::NotFound { noun: "agency", id: text.to_owned() };
    Ok(found.ok_or_else(missing)?.id)
}

fn operator_of(app: &App, text: &str) -> Result<String, AppError> {
    let state: &dyn tianyin_domain::State = &app.store;
    let found = match code::parse_operator_code(text) {
        code::CodeText::Valid(code) => state.find::<Operator>(operator::BY_CODE, &code)?,
        _ => state.get::<Operator>(text)?,
    };
    let missing = || DomainError::NotFound { noun: "operator", id: text.to_owned() };
    Ok(found.ok_or_else(missing)?.id)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Active {
    username: String,
    active: bool,
}

async fn set_active(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Input(input): Input<Active>,
) -> Answer {
    let user = app.named_user(&input.username)?;
    let changed = ActiveChanged { user: user.id.clone(), active: input.active };
    app.submit(&who.actor(), Command::SetUserActive(changed)).await?;
    if !input.active {
        app.end_sessions_of(&user.id);
    }
    Ok(Done(json!({ "username": user.username, "active": input.active })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    username: String,
}

async fn remove_totp(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Input(input): Input<Named>,
) -> Answer {
    let user = app.named_user(&input.username)?;
    app.remove_totp(&who.actor(), &user).await?;
    tracing::info!(username = user.username, by = who.name, "second factor removed");
    Ok(Done(json!({ "username": user.username })))
}
