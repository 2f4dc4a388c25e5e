//! What became of an operator, from its first line in the journal.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tianyin_domain::history::CHANGES_MAX;
use tianyin_domain::operator::Operator;

use super::error::Answer;
use super::filters;
use super::page::{Page, html};
use super::read;
use super::session::Signed;
use crate::app::App;
use crate::app::conflict::Change;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/operators/{id}/history", get(show))
}

#[derive(Template)]
#[template(path = "operators/history.html")]
struct HistoryPage {
    page: Page,
    operator: Operator,
    changes: Vec<Change>,
}

async fn show(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let operator: Operator = read::one(&app, &signed, "operator", &id)?;
    let reading = app.clone();
    let changes = tokio::task::spawn_blocking(move || {
        reading.history(&format!("operator/{id}"), CHANGES_MAX)
    });
    let changes = changes.await.map_err(crate::app::AppError::internal)??;
    let page = Page::new(&app, &signed, "/operators", "operators.history");
    html(&HistoryPage { page, operator, changes })
}
