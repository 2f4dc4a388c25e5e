//! HTTP: how browsers and programs ask. Public pages, console, JSON API and operations under one
//! frame that gives every answer a request id, security headers and one form of error.

pub mod api;
pub mod assets;
pub mod blobs;
pub mod client;
pub mod console;
pub mod cross_site;
mod frame;
pub mod limits;
pub mod metrics;
pub mod ops;
pub mod pack_file;
pub mod problem;
pub mod public;
pub mod qr;
mod scheme;
mod serve;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use tower_http::compression::CompressionLayer;

pub use client::ClientAddr;
pub use problem::Problem;
pub use scheme::Scheme;
pub use serve::{Listening, serve};

use crate::app::App;

/// Largest body of a request, in bytes; uploads set their own.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Everything that is served.
pub fn router(app: Arc<App>) -> Router {
    let stats = Arc::new(ops::HttpStats::default());
    // Public pages compress once, when they are made; only the others do it as they answer.
    let changing = Router::new()
        .merge(console::router())
        .merge(api::router())
        .merge(assets::router())
        .layer(CompressionLayer::new());
    let frame = frame::Frame::new(app.clone(), stats.clone());
    Router::new()
        .merge(changing)
        .merge(public::router())
        .merge(ops::router(stats))
        .fallback(problem::no_such_page)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(frame, frame::frame))
        .with_state(app)
}
