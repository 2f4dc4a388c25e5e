//! Signing in and out: a token for the other routes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::{delete, post};
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use super::request::{Body, Caller};
use super::route::{Good, Route};
use super::schema::Kind::{Text, Time};
use super::schema::{Described, Schema, opt, req};
use super::shapes::{ROLE, shape};
use crate::app::App;
use crate::app::accounts::{Due, Session};
use crate::http::{ClientAddr, Problem};

const SESSION: Schema = shape!(
    "Session",
    "A session.",
    [
        req("token", Text, "Send it as `Authorization: Bearer TOKEN`."),
        req(
            "expires_at",
            Time,
            "When it ends at the latest; 8 hours without a request end it, too."
        ),
        req("user", Text, "User."),
        req("role", ROLE, "Role."),
        opt("operator", Text, "Operator the user acts for."),
    ]
);

#[derive(Deserialize)]
struct SignIn {
    username: String,
    password: String,
    #[serde(default)]
    code: Option<String>,
}

impl Described for SignIn {
    const SCHEMA: Schema = shape!(
        "SignIn",
        "Sign-in.",
        [
            req("username", Text, "Sign-in name."),
            req("password", Text, "Password."),
            opt(
                "code",
                Text,
                "Code of the second factor, or a recovery code; 401 `totp_required` where it is missing."
            ),
        ]
    );
}

#[derive(Deserialize)]
struct ChangePassword {
    username: String,
    password: String,
    password_new: String,
    #[serde(default)]
    code: Option<String>,
}

impl Described for ChangePassword {
    const SCHEMA: Schema = shape!(
        "ChangePassword",
        "A person's new password.",
        [
            req("username", Text, "Sign-in name."),
            req("password", Text, "Password so far."),
            req("password_new", Text, "New password."),
            opt("code", Text, "Code of the second factor, where there is one."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/session", "Signs in.", Good::Object(&SESSION), post(sign_in))
            .body::<SignIn>()
            .open(),
        Route::post(
            "/session/password",
            "Changes a person's own password and ends its sessions. An initial or expired password does \
             nothing else: 403 `password_change_due` at sign-in.",
            Good::Nothing,
            post(change_password),
        )
        .body::<ChangePassword>()
        .open(),
        Route::delete("/session", "Signs out.", Good::Nothing, delete(sign_out)),
    ]
}

async fn sign_in(
    State(app): State<Arc<App>>,
    client: ClientAddr,
    Body(body): Body<SignIn>,
) -> Answer {
    let (token, session) = whole(&app, &body.username, &body.password, body.code, client).await?;
    if let Some(due) = session.due {
        app.sign_out(&token);
        return Err(due.refusal().into());
    }
    let left = i64::try_from(session.expires_in.as_secs()).unwrap_or(0);
    let expires_at = crate::edge::now() + jiff::SignedDuration::from_secs(left);
    let answer = json!({
        "token": token,
        "expires_at": expires_at,
        "user": session.user.id,
        "role": session.user.role,
        "operator": session.user.operator,
    });
    Ok(Json(SESSION.show(&answer)).into_response())
}

/// A session after password and code; something may be due all the same.
async fn whole(
    app: &App,
    username: &str,
    password: &str,
    code: Option<String>,
    client: ClientAddr,
) -> Result<(String, Session), Problem> {
    let (token, session) = app.sign_in(username, password, client.0).await?;
    match (session.due, code) {
        (Some(Due::Code), Some(code)) => Ok(app.give_code(&token, &code).await?),
        _ => Ok((token, session)),
    }
}

async fn change_password(
    State(app): State<Arc<App>>,
    client: ClientAddr,
    Body(body): Body<ChangePassword>,
) -> Answer {
    let ChangePassword { username, password, password_new, code } = body;
    let address = client.0;
    let (token, session) = whole(&app, &username, &password, code, client).await?;
    let changed = match session.due {
        Some(Due::Password) => {
            app.change_due_password(&token, password_new).await.map(|(next, _)| app.sign_out(&next))
        }
        Some(Due::Code) => Err(Due::Code.refusal()),
        Some(Due::Enrolment) | None => {
            app.change_own_password(&session.user, password, password_new, address).await
        }
    };
    app.sign_out(&token);
    changed?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn sign_out(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    app.sign_out(&caller.token);
    Ok(StatusCode::NO_CONTENT.into_response())
}
