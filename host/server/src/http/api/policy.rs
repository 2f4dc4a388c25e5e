//! The county's own rules: for accounts, and for the chain of lots.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::{get, put};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tianyin_domain::State as Records;
use tianyin_domain::command::Command;
use tianyin_domain::policy::SetPolicy;
use tianyin_domain::scan_policy::ScanPolicy;
use tianyin_domain::trace_policy::{SetTracePolicy, TracePolicy};

use super::Answer;
use super::request::{Body, Caller, Key};
use super::route::{Good, Route};
use super::schema::Kind::{Boolean, Choice, Integer};
use super::schema::{Described, Kind, Schema, opt, req};
use super::shapes::shape;
use crate::app::{App, AppError};
use crate::http::Problem;

/// Words of the presets.
pub const PASSWORD_PRESET: Kind = Choice(&["asvs5", "gb22239"]);

pub(super) fn routes() -> Vec<Route> {
    let accounts = (&POLICY, "Shows the rules for accounts.", "Sets the rules for accounts.");
    let lots = (
        &TRACE_POLICY,
        "Shows the rules for the chain of lots.",
        "Sets the rules for the chain of lots.",
    );
    let mut routes = pair::<SetPolicy>("/policy", accounts);
    routes.extend(pair::<SetTracePolicy>("/trace_policy", lots));
    let scans =
        (&SCAN_POLICY, "Shows the rules for scans of codes.", "Sets the rules for scans of codes.");
    routes.extend(pair::<ScanPolicy>("/scan_policy", scans));
    routes
}

const POLICY: Schema = shape!(
    "Policy",
    "Rules for accounts.",
    [
        req("passwords", PASSWORD_PRESET, "Rules for passwords."),
        req("initial_days", Integer, "Days that an initial password works, 1 to 30."),
        req("totp_for_administrators", Boolean, "Administrators need a second factor."),
    ]
);

const TRACE_POLICY: Schema = shape!(
    "TracePolicy",
    "Rules for the chain of lots.",
    [
        req(
            "balance_tolerance_permille",
            Integer,
            "By how much what comes out of a step may exceed what went in, in thousandths, 0 to 200."
        ),
        opt(
            "verify_institution",
            Boolean,
            "A second person verifies quantitative results of institutions; `true` when absent."
        ),
        opt("verify_own", Boolean, "The same for operators' own; `false` when absent."),
    ]
);

const SCAN_POLICY: Schema = shape!(
    "ScanPolicy",
    "Rules for what scans of a code tell.",
    [
        req(
            "cities",
            Integer,
            "Scanned in so many cities a code is suspected to be copied: 2 to 16, or 0 for never."
        ),
        req(
            "day_scans",
            Integer,
            "Scanned so often in a day a code is suspected to be copied; 0 for never."
        ),
        req("warn", Boolean, "The public page warns while a suspicion is open."),
        req("void_reason", Boolean, "The public page tells why a certificate is void."),
    ]
);

/// A command that sets one of the rules.
trait Sets: Described + DeserializeOwned + Send + 'static {
    const SHAPE: &'static Schema;
    fn command(self) -> Command;
    /// The rule as it stands.
    fn standing(app: &App) -> Result<impl Serialize, AppError>;
}

impl Described for SetPolicy {
    const SCHEMA: Schema = Schema { name: "SetPolicy", ..POLICY };
}

impl Sets for SetPolicy {
    const SHAPE: &'static Schema = &POLICY;
    fn command(self) -> Command {
        Command::SetPolicy(self)
    }
    fn standing(app: &App) -> Result<impl Serialize, AppError> {
        app.policy()
    }
}

impl Described for SetTracePolicy {
    const SCHEMA: Schema = Schema { name: "SetTracePolicy", ..TRACE_POLICY };
}

impl Sets for SetTracePolicy {
    const SHAPE: &'static Schema = &TRACE_POLICY;
    fn command(self) -> Command {
        Command::SetTracePolicy(self)
    }
    fn standing(app: &App) -> Result<impl Serialize, AppError> {
        let state: &dyn Records = &app.store;
        Ok(TracePolicy::of(state)?)
    }
}

impl Described for ScanPolicy {
    const SCHEMA: Schema = Schema { name: "SetScanPolicy", ..SCAN_POLICY };
}

impl Sets for ScanPolicy {
    const SHAPE: &'static Schema = &SCAN_POLICY;
    fn command(self) -> Command {
        Command::SetScanPolicy(self)
    }
    fn standing(app: &App) -> Result<impl Serialize, AppError> {
        let state: &dyn Records = &app.store;
        Ok(ScanPolicy::of(state)?)
    }
}

fn pair<S: Sets>(
    path: &'static str,
    (shape, shows, sets): (&'static Schema, &'static str, &'static str),
) -> Vec<Route> {
    let good = Good::Object(shape);
    vec![
        Route::get(path, shows, good, get(shown::<S>)),
        Route::put(path, sets, good, put(set::<S>)).body::<S>(),
    ]
}

fn answer<S: Sets>(app: &App) -> Answer {
    let policy = serde_json::to_value(S::standing(app)?).map_err(Problem::internal)?;
    Ok(Json(S::SHAPE.show(&policy)).into_response())
}

async fn shown<S: Sets>(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    caller.staff_only()?;
    answer::<S>(&app)
}

async fn set<S: Sets>(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<S>,
) -> Answer {
    app.submit_keyed(caller.actor(), command.command(), key).await?;
    answer::<S>(&app)
}
