//! The base map: which one lies under the sites, and laying another.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::routing::{get, post};
use tianyin_domain::base_map::BaseMap;

use super::error::Answer;
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::session::{Posted, Signed, done};
use super::sheet::uploaded;
use crate::app::base_map::FILE_BYTES_MAX;
use crate::app::{App, AppError};
use crate::texts::tf;

/// Room for the other fields of the form.
const FIELDS_BYTES_MAX: usize = 64 << 10;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/map/base", get(show).post(lay))
        .layer(DefaultBodyLimit::max(FILE_BYTES_MAX + FIELDS_BYTES_MAX))
        .route("/map/base/remove", post(remove))
}

#[derive(Template)]
#[template(path = "base_map.html")]
struct BasePage {
    page: Page,
    form: Form,
    map: Option<BaseMap>,
    count: String,
}

async fn show(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    signed.administrator_only()?;
    html(&base_page(&app, &signed, Form::default())?)
}

fn base_page(app: &App, signed: &Signed, form: Form) -> Result<BasePage, AppError> {
    let map = app.base_map()?.filter(|map| !map.shapes.is_empty());
    let shapes = map.iter().flat_map(|map| &map.shapes);
    let points: usize = shapes.clone().flat_map(|shape| &shape.rings).map(Vec::len).sum();
    let (shapes, points) = (shapes.count().to_string(), points.to_string());
    let count = tf("map.base_count", [("shapes", shapes.as_str()), ("points", points.as_str())]);
    Ok(BasePage { page: Page::new(app, signed, "/map", "map.base_title"), form, map, count })
}

async fn lay(State(app): State<Arc<App>>, signed: Signed, body: Multipart) -> Answer {
    signed.administrator_only()?;
    let (mut form, file) = uploaded(&signed, body).await?;
    let source = form.text_of("source");
    if let (Some((_, file)), true) = (file, form.is_good()) {
        match app.lay_base_map(signed.actor(), source, &file, form.once()).await {
            Ok(_) => return Ok(done("/map", "map.base_laid")),
            Err(error @ AppError::Refused { .. }) => form.bad_text("file", error.detail()),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&base_page(&app, &signed, form)?)
}

async fn remove(State(app): State<Arc<App>>, Posted { signed, form }: Posted) -> Answer {
    signed.administrator_only()?;
    app.lay_base_map(signed.actor(), String::new(), &[], form.once()).await?;
    Ok(done("/map/base", "map.base_removed"))
}
