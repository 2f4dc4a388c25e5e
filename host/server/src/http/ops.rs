//! For whoever runs the appliance: `/healthz`, `/readyz`, `/metrics`. No names, no places: counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Serialize;

use super::metrics;
use crate::app::App;
use crate::app::health::HealthState;
use crate::app::space::SpaceState;
use crate::meter::{Counter, Histogram, Level};

/// Kinds of address, for times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteClass {
    /// Pages of codes.
    Public,
    /// The API.
    Api,
    /// Pages for signed-in people.
    Console,
    /// Streams of notices; their time is that to the first byte.
    Live,
    /// Styles, scripts and pictures.
    Assets,
    /// Operations.
    Ops,
}

impl RouteClass {
    /// Each of them.
    pub const ALL: [Self; 6] =
        [Self::Public, Self::Api, Self::Console, Self::Live, Self::Assets, Self::Ops];

    /// The kind of an address.
    pub fn of(path: &str) -> Self {
        match path.split('/').nth(1).unwrap_or_default() {
            "t" | "T" => Self::Public,
            "api" => Self::Api,
            "live" => Self::Live,
            "assets" => Self::Assets,
            "healthz" | "readyz" | "metrics" => Self::Ops,
            _ => Self::Console,
        }
    }

    /// Its word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Api => "api",
            Self::Console => "console",
            Self::Live => "live",
            Self::Assets => "assets",
            Self::Ops => "ops",
        }
    }
}

/// What HTTP counts since start.
#[derive(Debug)]
pub struct HttpStats {
    /// Requests answered, by class of status.
    pub classes: [Counter; 5],
    /// Requests being answered.
    pub in_flight: Level,
    /// Time to the head of the answer, µs, in the order of [`RouteClass::ALL`].
    pub took_us: [Histogram; 6],
}

impl Default for HttpStats {
    fn default() -> Self {
        Self {
            classes: Default::default(),
            in_flight: Level::default(),
            took_us: std::array::from_fn(|_| Histogram::of_time()),
        }
    }
}

impl HttpStats {
    /// Counts one answer.
    pub fn count(&self, route: RouteClass, status: StatusCode, took_us: u64) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.classes[class].inc();
        self.took_us[route as usize].see(took_us);
    }
}

/// Routes for operations.
pub fn router(stats: Arc<HttpStats>) -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics::serve).layer(Extension(stats)))
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    /// `None` when the store cannot be read.
    set_up: Option<bool>,
    read_only: Option<String>,
    space: SpaceState,
    clock: &'static str,
    gateway: bool,
    health: Parts,
    version: &'static str,
}

/// How each part is; the words are for who is signed in.
#[derive(Serialize)]
struct Parts {
    state: HealthState,
    parts: BTreeMap<&'static str, HealthState>,
}

/// Ready is who can take in what people and devices bring; not set up yet is no fault.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let read_only = app.writer.read_only().map(|reason| reason.to_string());
    let space = app.space.state();
    let clock = app.clock.look().code();
    let gateway = app.gateway().is_some();
    let set_up = app.is_set_up().ok();
    let ready = read_only.is_none() && gateway && set_up.is_some();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let looked = tokio::task::spawn_blocking(move || app.health()).await;
    let health = match looked {
        Ok(health) => Parts {
            state: health.state,
            parts: health.rows.iter().map(|row| (row.part, row.state)).collect(),
        },
        Err(_) => Parts { state: HealthState::Fault, parts: BTreeMap::new() },
    };
    let version = env!("CARGO_PKG_VERSION");
    (status, Json(Ready { ready, set_up, read_only, space, clock, gateway, health, version }))
        .into_response()
}
