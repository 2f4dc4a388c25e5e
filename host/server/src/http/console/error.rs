//! What a handler of the console may end with, and the page that tells it.
//!
//! A handler only says what went wrong. [`pages`] stands around all of them: when somebody is signed
//! in it renders the problem within the console and logs it; else it leaves it to the frame, which
//! has a page for visitors.

use std::sync::Arc;

use askama::Template;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use tianyin_domain::{DomainError, StateError};
use tianyin_store::StoreError;

use super::filters;
use super::page::{Page, html};
use super::session::{self, Signed};
use crate::app::{App, AppError};
use crate::http::problem::Problem;

/// Why there is no page.
#[derive(Debug, Clone)]
pub struct ConsoleError(Box<Problem>);

/// What every handler gives back.
pub type Answer = Result<Response, ConsoleError>;

impl ConsoleError {
    /// The record does not exist, or is out of sight.
    pub fn not_found(noun: &'static str, id: &str) -> Self {
        let id = id.chars().take(64).collect();
        AppError::Domain(DomainError::NotFound { noun, id }).into()
    }

    /// The person may not do this.
    pub fn forbidden() -> Self {
        Problem::forbidden().into()
    }
}

impl From<Problem> for ConsoleError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<AppError> for ConsoleError {
    fn from(error: AppError) -> Self {
        Problem::from(error).into()
    }
}

impl From<StoreError> for ConsoleError {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl From<StateError> for ConsoleError {
    fn from(error: StateError) -> Self {
        Problem::from(error).into()
    }
}

impl From<askama::Error> for ConsoleError {
    fn from(error: askama::Error) -> Self {
        Problem::internal(error).into()
    }
}

impl IntoResponse for ConsoleError {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// Who asks, once the handler's extractor knows it; the error page needs it too.
#[derive(Clone, Default)]
pub struct Asker(Arc<Mutex<Option<Asked>>>);

type Asked = (Arc<App>, Signed);

impl Asker {
    /// Notes who asks.
    pub fn note(&self, app: &Arc<App>, signed: &Signed) {
        *self.0.lock() = Some((app.clone(), signed.clone()));
    }
}

/// Renders what a handler ended with, and keeps private pages out of shared caches.
pub async fn pages(mut request: Request, next: Next) -> Response {
    let asker = Asker::default();
    let headers = request.headers().clone();
    // The frame put it there.
    let id = headers.get("x-request-id").and_then(|v| v.to_str().ok()).unwrap_or_default();
    request.extensions_mut().insert(asker.clone());
    let mut response = next.run(request).await;
    let asked = asker.0.lock().take();
    if let Some((app, signed)) = asked
        && let Some(problem) = response.extensions_mut().remove::<Problem>()
    {
        response = error_page(&app, &signed, problem, id.to_owned());
    }
    session::settle(&headers, &mut response);
    response
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    status: u16,
    detail: String,
    request_id: String,
}

fn error_page(app: &App, signed: &Signed, problem: Problem, request_id: String) -> Response {
    if let Some(cause) = &problem.cause {
        tracing::error!(request = request_id, code = problem.code, cause, "request failed");
    }
    let detail = problem.detail.replace("{request_id}", &request_id);
    let title = problem.title();
    let status = problem.status;
    let page = Page::new(app, signed, "", "errors.title").titled(title);
    match html(&ErrorPage { page, status: status.as_u16(), detail, request_id }) {
        Ok(mut response) => {
            *response.status_mut() = status;
            response
        }
        Err(_) => status.into_response(),
    }
}
