//! The administrator's door: what the command line asks of the appliance, over a unix socket in the
//! data folder and never over the network.
//!
//! One router serves both ways: beside a running service it is reached through the socket, on a
//! stopped one the command line opens the data folder and calls the same router in its own process.
//! So a verb is written once. One file per noun.
//!
//! Every answer is JSON Lines: any number of [`Line::Progress`], then one [`Line::Done`] or
//! [`Line::Error`]. An answer that ends without one was cut off.

mod care;
mod devices;
mod keys;
mod mirror;
mod plugins;
mod setup;
pub mod socket;
mod status;
mod store;
mod users;
pub mod who;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

pub use who::Who;

use crate::app::{App, AppError, field_text};

/// Largest body of a request, in bytes; a plugin package sets its own.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Lines of progress that may wait for a slow reader; further ones are left out.
const PROGRESS_WAITING_MAX: usize = 16;

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// How far it is.
    Progress(Progress),
    /// The end: what it came to.
    Done(Value),
    /// The end: why it did not work.
    Error(Refusal),
}

/// How far a long verb is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What it does now, Chinese / English.
    pub text: String,
    /// Done so far, in units of the verb.
    pub done: u64,
    /// All of it; 0 when not known.
    pub total: u64,
    /// Units per second; 0 when not known.
    pub per_s: u64,
}

/// Why a verb did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable code.
    pub code: String,
    /// Chinese sentence that says what to do.
    pub detail: String,
}

impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        let mut detail = error.detail();
        for field in error.fields() {
            detail += &format!(" {}: {}", field.field, field_text(field));
        }
        if let AppError::Internal(cause) = &error {
            // Whoever may use the socket may read the log, too: the cause helps at once.
            tracing::error!(error = format!("{cause:#}"), "a command of the administrator failed");
            detail = format!("{cause:#}");
        }
        Self { code: error.code().to_owned(), detail }
    }
}

/// What a handler answers.
pub type Answer = Result<Done, Refused>;

/// A verb's result.
#[derive(Debug)]
pub struct Done(pub Value);

/// A verb's refusal.
#[derive(Debug)]
pub struct Refused(pub Refusal);

impl From<AppError> for Refused {
    fn from(error: AppError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        respond(StatusCode::OK, Body::from(line(&Line::Done(self.0))))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        // The line says it all; the status is for people with curl.
        respond(StatusCode::UNPROCESSABLE_ENTITY, Body::from(line(&Line::Error(self.0))))
    }
}

fn respond(status: StatusCode, body: Body) -> Response {
    let kind = HeaderValue::from_static("application/jsonl");
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

fn line(line: &Line) -> Bytes {
    let mut text = serde_json::to_string(line).unwrap_or_else(|_| {
        // Only maps with keys that are no text cannot be written; there are none.
        r#"{"error":{"code":"internal","detail":"the answer cannot be written as JSON"}}"#.into()
    });
    text.push('\n');
    text.into()
}

/// Where a long verb tells how far it is.
#[derive(Debug, Clone)]
pub struct Tell(tokio::sync::mpsc::Sender<Bytes>);

impl Tell {
    /// Tells, unless the reader is slow or gone: the work goes on either way.
    pub fn progress(&self, progress: Progress) {
        let _ = self.0.try_send(line(&Line::Progress(progress)));
    }

    /// Whether nobody reads any more.
    pub fn is_alone(&self) -> bool {
        self.0.is_closed()
    }
}

/// Runs a long verb on a thread of its own and answers as it goes. It goes on when the reader leaves.
pub fn streamed(
    name: &str,
    work: impl FnOnce(&Tell) -> Result<Value, AppError> + Send + 'static,
) -> Response {
    let (lines, told) = tokio::sync::mpsc::channel(PROGRESS_WAITING_MAX);
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let end = match work(&Tell(lines.clone())) {
            Ok(value) => Line::Done(value),
            Err(error) => Line::Error(error.into()),
        };
        let _ = lines.blocking_send(line(&end));
    });
    match started {
        Ok(_) => {
            let body = ReceiverStream::new(told).map(Ok::<_, std::convert::Infallible>);
            respond(StatusCode::OK, Body::from_stream(body))
        }
        Err(e) => Refused::from(AppError::internal(e)).into_response(),
    }
}

/// The JSON of a request.
pub struct Input<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let refused = |detail: String| AppError::refused_with("bad_json", vec![("detail", detail)]);
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|e| refused(e.body_text()))?;
        Ok(Self(serde_json::from_slice(&bytes).map_err(|e| refused(e.to_string()))?))
    }
}

/// Everything the command line may ask, of whoever is named by a [`Who`] among the extensions.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(status::router())
        .merge(setup::router())
        .merge(store::router())
        .merge(users::router())
        .merge(devices::router())
        .merge(plugins::router())
        .merge(care::router())
        .merge(keys::router())
        .merge(mirror::router())
        .fallback(async || Refused::from(AppError::refused("no_such_verb")))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(app)
}
