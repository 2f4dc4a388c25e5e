//! What everybody may see: the scan page of a code, as page, JSON, label and badge, and the county's key.

mod badge;
mod bare;
mod ca;
mod chain;
mod feedback;
mod id_card;
mod keys;
mod label;
mod links;
mod lost;
pub mod meter;
mod page;
mod scan;
mod scratch;
mod shelf;
mod squeeze;
mod story;
mod unit_files;
mod units;
mod verify;
mod view;
mod warning;
mod whole;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tianyin_domain::code::{self, CodeText};

pub use label::masked_label_svg;
pub use links::Home;
pub use lost::lost_page;
pub use page::{error_page, set_page_headers, style};
pub use unit_files::{UnitFile, uncertified_file, unit_file};
pub use verify::file as verify_file;
pub use whole::{picture_bytes, pictures_of, whole_json, whole_page};

use super::limits::RateLimit;
use super::{ClientAddr, Problem};
use crate::app::App;
use crate::app::codes::Found;
use crate::texts::Lang;
use page::Miss;
use shelf::Shelf;
use view::ScanView;

/// Scans of one visitor: whole villages share one address of a phone company.
const SCANS_PER_S: f64 = 10.0;
const SCANS_BURST: f64 = 120.0;
/// Codes of one visitor that there are not. Whoever has spent these is not told of any code for a while: to
/// try many is no way to find one.
const MISSES_PER_S: f64 = 0.5;
const MISSES_BURST: f64 = 30.0;
/// Labels are drawn anew each time, so they are dearer.
const LABELS_PER_S: f64 = 0.5;
const LABELS_BURST: f64 = 20.0;

struct Public {
    scans: RateLimit,
    misses: RateLimit,
    labels: RateLimit,
    shelf: Shelf,
}

/// Public routes.
pub fn router() -> Router<Arc<App>> {
    let public = Arc::new(Public {
        scans: RateLimit::new(SCANS_PER_S, SCANS_BURST),
        misses: RateLimit::new(MISSES_PER_S, MISSES_BURST),
        labels: RateLimit::new(LABELS_PER_S, LABELS_BURST),
        shelf: Shelf::default(),
    });
    Router::new()
        .route("/t/{code}", get(scan))
        .route("/T/{code}", get(scan))
        .route("/t/{code}/label.svg", get(label))
        .route("/t/{code}/badge.svg", get(badge))
        .route("/t/{code}/embed", get(embed))
        .route("/t/{code}/pictures/{hash}", get(picture))
        .layer(Extension(public))
        .merge(ca::router())
        .merge(feedback::router())
        .merge(keys::router())
        .merge(scratch::router())
}

/// The language asked for by `?lang=en`. Without it a page is Chinese, whatever the browser prefers and
/// whatever a messenger adds: it is what the label says.
fn lang_of(query: &RawQuery) -> Lang {
    if asks(query, "lang=en") { Lang::En } else { Lang::Zh }
}

fn asks(RawQuery(query): &RawQuery, what: &str) -> bool {
    query.as_deref().unwrap_or_default().split('&').any(|one| one == what)
}

/// The scan page; `CODE.json` is the same as JSON. A `HEAD` request is no scan.
async fn scan(
    State(app): State<Arc<App>>,
    Extension(public): Extension<Arc<Public>>,
    client: ClientAddr,
    method: Method,
    Path(text): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let lang = lang_of(&query);
    let (text, as_json) = match text.strip_suffix(".json").or_else(|| text.strip_suffix(".JSON")) {
        Some(text) => (text, true),
        None => (text.as_str(), false),
    };
    let now = Instant::now();
    let spent = public.misses.spent(client.0, now);
    if let Some(wait) = public.scans.take(client.0, now).err().or(spent) {
        return Ok(page::too_many_in(&app, wait, as_json, lang));
    }
    let miss = |miss: Miss, text: &str| {
        app.stats.scan_misses.inc();
        let _ = public.misses.take(client.0, now);
        page::miss_in(&app, miss, text, as_json, lang)
    };
    let code = match code::parse(text) {
        CodeText::Valid(code) => code,
        CodeText::Mistyped => return Ok(miss(Miss::Mistyped, text)),
        CodeText::NotACode => return Ok(miss(Miss::NotACode, text)),
    };
    let visitor = (method == Method::GET).then_some(client.0);
    let found = match as_json {
        true => json(&app, &code, visitor)?,
        false => {
            let made = public.shelf.get(&app, &code, lang, visitor)?;
            made.map(|made| made.page(&app, &headers)).transpose()?
        }
    };
    let found = match found {
        None => units::answer(&app, &code, lang, as_json, visitor)?,
        found => found,
    };
    // A code on a package is that of an ID card; a label's is that of a certificate.
    let found = match found {
        None => id_card::answer(&app, &code, lang, as_json)?,
        found => found,
    };
    Ok(found.unwrap_or_else(|| miss(Miss::Unknown, &code)))
}

/// A picture that the page of a code shows, without what cameras write beside it.
async fn picture(
    State(app): State<Arc<App>>,
    Extension(public): Extension<Arc<Public>>,
    client: ClientAddr,
    Path((text, hash)): Path<(String, String)>,
) -> Result<Response, Problem> {
    if let Err(wait) = public.scans.take(client.0, Instant::now()) {
        return Err(page::wait_problem(wait));
    }
    let CodeText::Valid(code) = code::parse(&text) else { return Err(Problem::not_found()) };
    let read = tokio::task::spawn_blocking(move || picture_bytes(&app, &code, &hash));
    let found = read.await.map_err(Problem::internal)??;
    let (bytes, media) = found.ok_or_else(Problem::not_found)?;
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    Ok((headers, bytes).into_response())
}

/// How the code stands, as a small picture for shops on line (亮证, R-047). It is no scan.
async fn badge(
    State(app): State<Arc<App>>,
    Extension(public): Extension<Arc<Public>>,
    client: ClientAddr,
    Path(text): Path<String>,
    query: RawQuery,
) -> Result<Response, Problem> {
    if let Err(wait) = public.scans.take(client.0, Instant::now()) {
        return Err(page::wait_problem(wait));
    }
    badge::picture(&app, &text, lang_of(&query))
}

/// The same as a small page for frames and pictures of live streams, with a code to scan.
async fn embed(
    State(app): State<Arc<App>>,
    Extension(public): Extension<Arc<Public>>,
    client: ClientAddr,
    Path(text): Path<String>,
    query: RawQuery,
) -> Result<Response, Problem> {
    if let Err(wait) = public.scans.take(client.0, Instant::now()) {
        return Err(page::wait_problem(wait));
    }
    badge::frame(&app, &text, lang_of(&query), asks(&query, "size=live"))
}

fn json(app: &App, code: &str, visitor: Option<IpAddr>) -> Result<Option<Response>, Problem> {
    let Some(Found::Certificate(record)) = app.found(code)? else { return Ok(None) };
    if let Some(address) = visitor {
        app.scanned_from(code, address);
    }
    let body = serde_json::to_vec(&ScanView::of(app, &record)?).map_err(Problem::internal)?;
    let json = HeaderValue::from_static("application/json");
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(Some(response))
}

/// The label as it would be printed now, but with a natural person's name and phone masked.
async fn label(
    State(app): State<Arc<App>>,
    Extension(public): Extension<Arc<Public>>,
    client: ClientAddr,
    Path(text): Path<String>,
) -> Result<Response, Problem> {
    if let Err(wait) = public.labels.take(client.0, Instant::now()) {
        return Err(page::wait_problem(wait));
    }
    let CodeText::Valid(code) = code::parse(&text) else { return Err(Problem::not_found()) };
    let drawn = tokio::task::spawn_blocking(move || masked_label_svg(&app, &code));
    let svg = drawn.await.map_err(Problem::internal)??.ok_or_else(Problem::not_found)?;
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "private, max-age=60"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
        ),
    ];
    Ok((headers, svg).into_response())
}
