//! Users: list, new password.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tianyin_domain::State as _;
use tianyin_domain::user::{self, User};

use super::{Answer, Done, Input, Who};
use crate::app::{App, AppError};

/// Users listed at most; a county has some dozens.
const USERS_MAX: usize = 10_000;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/users", get(list)).route("/users/reset-password", post(reset_password))
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
        "active": user.active,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    username: String,
    password: String,
}

async fn reset_password(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Input(input): Input<NewPassword>,
) -> Answer {
    app.reset_password(&who.actor(), &input.username, input.password).await?;
    tracing::info!(username = input.username, by = who.name, "password set at the command line");
    Ok(Done(json!({ "username": input.username })))
}
