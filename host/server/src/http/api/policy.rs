//! The county's rules for accounts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::{get, put};
use tianyin_domain::command::Command;
use tianyin_domain::policy::SetPolicy;

use super::Answer;
use super::request::{Body, Caller, Key};
use super::route::{Good, Route};
use super::schema::Kind::{Boolean, Choice, Integer};
use super::schema::{Described, Kind, Schema, req};
use super::shapes::shape;
use crate::app::App;
use crate::http::Problem;

/// Words of the presets.
pub const PASSWORD_PRESET: Kind = Choice(&["asvs5", "gb22239"]);

const POLICY: Schema = shape!(
    "Policy",
    "Rules for accounts.",
    [
        req("passwords", PASSWORD_PRESET, "Rules for passwords."),
        req("initial_days", Integer, "Days that an initial password works, 1 to 30."),
        req("totp_for_administrators", Boolean, "Administrators need a second factor."),
    ]
);

impl Described for SetPolicy {
    const SCHEMA: Schema = Schema { name: "SetPolicy", ..POLICY };
}

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Object(&POLICY);
    vec![
        Route::get("/policy", "Shows the rules for accounts.", good, get(shown)),
        Route::put("/policy", "Sets the rules for accounts.", good, put(set)).body::<SetPolicy>(),
    ]
}

fn answer(app: &App) -> Answer {
    let policy = serde_json::to_value(app.policy()?).map_err(Problem::internal)?;
    Ok(Json(POLICY.show(&policy)).into_response())
}

async fn shown(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    caller.staff_only()?;
    answer(&app)
}

async fn set(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<SetPolicy>,
) -> Answer {
    app.submit_keyed(caller.actor(), Command::SetPolicy(command), key).await?;
    answer(&app)
}
