//! How the appliance is, in words; for administrators.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::error::Answer;
use super::filters::{self, Word};
use super::page::{Page, html};
use super::session::Signed;
use crate::app::App;
use crate::app::health::{Health, HealthState};

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/health", get(page)).route("/health/now", get(parts))
}

#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage {
    page: Page,
    now: Now,
}

/// The part that the page fetches anew.
#[derive(Template)]
#[template(path = "_health.html")]
struct Now {
    health: Health,
}

impl askama::filters::HtmlSafe for Now {}

impl Word for HealthState {
    const SPACE: &'static str = "health_state";

    fn tone(&self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Attention => "wait",
            Self::Fault => "bad",
        }
    }
}

async fn looked(app: Arc<App>) -> Result<Health, crate::http::Problem> {
    // Counts of the store and sizes of folders: not on a thread that serves others.
    tokio::task::spawn_blocking(move || app.health()).await.map_err(crate::http::Problem::internal)
}

async fn page(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    signed.administrator_only()?;
    let now = Now { health: looked(app.clone()).await? };
    html(&HealthPage { page: Page::new(&app, &signed, "/health", "health.title"), now })
}

async fn parts(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    signed.administrator_only()?;
    html(&Now { health: looked(app).await? })
}
