//! What is around every request: its id, a time limit, the refusal of other sites' forms, one form
//! of error, security headers, one line in the log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;
use tracing::{Instrument as _, Span};

use super::blobs::UPLOAD_TIME;
use super::cross_site::is_cross_site;
use super::ops::{HttpStats, RouteClass};
use super::problem::Problem;
use super::public::error_page;
use super::scheme::Scheme;
use crate::app::App;
use crate::meter::micros;

/// A request is answered within this time; streams may go on.
const REQUEST_TIME: Duration = Duration::from_secs(30);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// State of the frame.
#[derive(Clone)]
pub(super) struct Frame {
    app: Arc<App>,
    stats: Arc<HttpStats>,
    ids: Arc<Ids>,
}

impl Frame {
    pub(super) fn new(app: Arc<App>, stats: Arc<HttpStats>) -> Self {
        Self { app, stats, ids: Arc::new(Ids::new()) }
    }
}

/// Ids that tell starts apart and count within one.
struct Ids {
    start: String,
    next: AtomicU64,
}

impl Ids {
    fn new() -> Self {
        Self { start: crate::edge::new_token()[..8].to_owned(), next: AtomicU64::new(1) }
    }

    /// The id a proxy gave, when it is a plain word, else a new one.
    fn of(&self, headers: &HeaderMap) -> HeaderValue {
        if let Some(given) = headers.get(REQUEST_ID) {
            let bytes = given.as_bytes();
            let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
            if (1..=64).contains(&bytes.len()) && bytes.iter().all(plain) {
                return given.clone();
            }
        }
        let text = format!("{}-{:x}", self.start, self.next.fetch_add(1, Ordering::Relaxed));
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("none"))
    }
}

pub(super) async fn frame(
    State(frame): State<Frame>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = frame.ids.of(request.headers());
    // Handlers read the id where a proxy would have put it.
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let form = Form::of(uri.path(), request.headers());
    let path = uri.path();
    // A large sheet is written row by row, and goes on when nobody waits.
    let is_long = path.ends_with("/blobs") || path.contains("/import");
    let is_upload = method == axum::http::Method::POST && is_long;
    let time = if is_upload { UPLOAD_TIME } else { REQUEST_TIME };
    let scheme = Scheme::of(&request, &frame.app.config.http.trusted_proxies);
    let started = Instant::now();
    let _held = frame.stats.in_flight.hold();
    let class = RouteClass::of(uri.path());
    let span = span(&id, &request, class);
    let mut response = if is_cross_site(&method, request.headers()) {
        problem_response(Problem::new(StatusCode::FORBIDDEN, "cross_site"))
    } else if is_public(uri.path()) {
        // A scan page is a copy from memory most of the time: no timer.
        run(next.run(request)).instrument(span.clone()).await
    } else if let Some(elsewhere) = scheme.redirect(&request, &frame.app) {
        elsewhere
    } else {
        request.extensions_mut().insert(scheme);
        let answer = tokio::time::timeout(time, run(next.run(request)));
        let answer = answer.instrument(span.clone());
        answer.await.unwrap_or_else(|_| {
            problem_response(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout"))
        })
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        response = span.in_scope(|| frame.present(response, form, text(&id)));
    }
    let took_us = micros(started.elapsed());
    frame.stats.count(class, response.status(), took_us);
    tracing::debug!(parent: &span, status = response.status().as_u16(), took_us, "answered");
    set_headers(response.headers_mut(), id);
    scheme.set_headers(response.headers_mut(), &frame.app);
    response
}

/// Everything logged while a request is answered carries this: the id it was answered with, and the
/// address as a template, so that no code and no id of a record gets into the log. A scan page costs
/// no more than the question whether anybody wants to know.
fn span(id: &HeaderValue, request: &Request, class: RouteClass) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let (id, method) = (text(id), request.method());
    match class {
        RouteClass::Public => tracing::debug_span!("request", id, %method, route),
        _ => tracing::info_span!("request", id, %method, route),
    }
}

/// A panic is one lost request, not a lost connection.
async fn run(answer: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(answer)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| problem_response(Problem::internal("a handler panicked")))
}

fn text(id: &HeaderValue) -> &str {
    id.to_str().unwrap_or_default()
}

fn problem_response(problem: Problem) -> Response {
    axum::response::IntoResponse::into_response(problem)
}

/// In which form an error is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `problem+json`.
    Json,
    /// A page.
    Page,
}

/// Whether an address is that of a code.
fn is_public(path: &str) -> bool {
    path.starts_with("/t/") || path.starts_with("/T/")
}

impl Form {
    fn of(path: &str, headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let for_programs =
            path.starts_with("/api/") || path.to_ascii_lowercase().ends_with(".json");
        if !for_programs && (is_public(path) || accept.contains("text/html")) {
            Self::Page
        } else {
            Self::Json
        }
    }
}

impl Frame {
    /// Writes the body of an error that has none yet, and logs what is the appliance's own fault.
    fn present(&self, mut response: Response, form: Form, id: &str) -> Response {
        let mut problem = match response.extensions_mut().remove::<Problem>() {
            Some(problem) => problem,
            None if is_plain(&response) => match Problem::of_status(response.status()) {
                Some(problem) => problem,
                None => return response,
            },
            None => return response,
        };
        problem.set_request_id(id);
        if let Some(cause) = &problem.cause {
            tracing::error!(request = id, code = problem.code, cause, "request failed");
        }
        let mut presented = match form {
            Form::Json => problem.to_json(id),
            Form::Page => error_page(&self.app, &problem, id),
        };
        if let Some(allow) = response.headers_mut().remove(header::ALLOW) {
            presented.headers_mut().insert(header::ALLOW, allow);
        }
        presented
    }
}

/// Whether the framework answered, not a handler: no body of a kind of its own.
fn is_plain(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_none_or(|k| k.as_bytes().starts_with(b"text/plain"))
}

/// No script, style or frame that is not our own; a page with stricter wishes set its own policy.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

fn set_headers(headers: &mut HeaderMap, id: HeaderValue) {
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(REQUEST_ID, id);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_of_proxies_are_kept_when_they_are_plain() {
        let ids = Ids::new();
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, value.parse().unwrap());
            text(&ids.of(&headers)).to_owned()
        };
        assert_eq!(of("abc-1.2_X"), "abc-1.2_X");
        for bad in ["", "a b", "<x>", &"a".repeat(65)] {
            assert!(of(bad).starts_with(&ids.start), "{bad}");
        }
        assert_ne!(of(""), of(""));
    }

    #[test]
    fn the_form_of_an_error() {
        let of = |path: &str, accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            Form::of(path, &headers)
        };
        assert_eq!(of("/api/v1/lots", "text/html"), Form::Json);
        assert_eq!(of("/lots", "text/html,*/*"), Form::Page);
        assert_eq!(of("/lots", "*/*"), Form::Json);
        assert_eq!(of("/t/ABC", "*/*"), Form::Page);
        assert_eq!(of("/t/ABC.json", "text/html"), Form::Json);
    }
}
