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
use crate::http::ClientAddr;

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
}

impl Described for SignIn {
    const SCHEMA: Schema = shape!(
        "SignIn",
        "Sign-in.",
        [req("username", Text, "Sign-in name."), req("password", Text, "Password."),]
    );
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/session", "Signs in.", Good::Object(&SESSION), post(sign_in))
            .body::<SignIn>()
            .open(),
        Route::delete("/session", "Signs out.", Good::Nothing, delete(sign_out)),
    ]
}

async fn sign_in(
    State(app): State<Arc<App>>,
    client: ClientAddr,
    Body(body): Body<SignIn>,
) -> Answer {
    let (token, session) = app.sign_in(&body.username, &body.password, client.0).await?;
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

async fn sign_out(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    app.sign_out(&caller.token);
    Ok(StatusCode::NO_CONTENT.into_response())
}
