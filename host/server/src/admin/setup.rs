//! `setup-link`: a way in before there is an account.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_json::json;

use super::{Answer, Done};
use crate::app::{App, AppError, accounts};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/setup-link", post(setup_link))
}

async fn setup_link(State(app): State<Arc<App>>) -> Answer {
    if app.is_set_up()? {
        return Err(AppError::refused("set_up_link_needless").into());
    }
    let token = accounts::new_setup_token(&app.config.data).map_err(AppError::internal)?;
    let url = format!("http://{}/setup?token={token}", app.config.http.listen);
    Ok(Done(json!({ "url": url })))
}
