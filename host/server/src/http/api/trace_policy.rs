//! The county's rules for the chain of lots.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::{get, put};
use tianyin_domain::State as Records;
use tianyin_domain::command::Command;
use tianyin_domain::trace_policy::{SetTracePolicy, TracePolicy};

use super::Answer;
use super::request::{Body, Caller, Key};
use super::route::{Good, Route};
use super::schema::Kind::Integer;
use super::schema::{Described, Schema, req};
use super::shapes::shape;
use crate::app::App;
use crate::http::Problem;

const POLICY: Schema = shape!(
    "TracePolicy",
    "Rules for the chain of lots.",
    [req(
        "balance_tolerance_permille",
        Integer,
        "By how much what comes out of a step may exceed what went in, in thousandths, 0 to 200."
    )]
);

impl Described for SetTracePolicy {
    const SCHEMA: Schema = Schema { name: "SetTracePolicy", ..POLICY };
}

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Object(&POLICY);
    vec![
        Route::get("/trace_policy", "Shows the rules for the chain of lots.", good, get(shown)),
        Route::put("/trace_policy", "Sets the rules for the chain of lots.", good, put(set))
            .body::<SetTracePolicy>(),
    ]
}

fn answer(app: &App) -> Answer {
    let state: &dyn Records = &app.store;
    let policy = TracePolicy::of(state).map_err(Problem::internal)?;
    let policy = serde_json::to_value(policy).map_err(Problem::internal)?;
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
    Body(command): Body<SetTracePolicy>,
) -> Answer {
    app.submit_keyed(caller.actor(), Command::SetTracePolicy(command), key).await?;
    answer(&app)
}
