//! API tokens of the caller: listed and revoked here, made on the account page only.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::{delete, get};
use serde_json::{Value, json};

use super::Answer;
use super::request::Caller;
use super::route::{Good, Route};
use super::schema::Kind::{Boolean, Choice, List, Object, Text, Time};
use super::schema::{Kind, Schema, opt, req};
use super::shapes::shape;
use crate::app::App;
use crate::http::Problem;

/// Words of the groups.
pub const TOKEN_GROUP: Kind =
    Choice(&["register", "records", "tests", "certificates", "devices", "contacts"]);

const TOKEN: Schema = shape!(
    "ApiToken",
    "An API token.",
    [
        req("id", Text, "Id."),
        req("name", Text, "What it is for."),
        opt("groups", List(&TOKEN_GROUP), "What it may do beside reading."),
        req("made_at", Time, "When it was made."),
        req("expires_at", Time, "When it ends."),
        opt("revoked_at", Time, "When it was revoked."),
        opt("used_at", Time, "When it was used last."),
        req("works", Boolean, "Whether it works."),
    ]
);

const TOKENS: Schema = shape!(
    "ApiTokens",
    "The caller's tokens, the newest first.",
    [req("items", List(&Object(&TOKEN)), "Tokens.")]
);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/tokens", "Lists the caller's API tokens.", Good::Object(&TOKENS), get(list)),
        Route::delete("/tokens/{id}", "Revokes a token.", Good::Nothing, delete(revoke)),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    let mut items = Vec::new();
    for (token, works) in app.tokens_of(&caller.session.user)? {
        let mut shown = serde_json::to_value(&token).map_err(Problem::internal)?;
        shown["works"] = Value::Bool(works);
        items.push(shown);
    }
    Ok(Json(TOKENS.show(&json!({ "items": items }))).into_response())
}

async fn revoke(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    app.revoke_token(caller.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
