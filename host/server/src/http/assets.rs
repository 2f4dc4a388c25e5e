//! Files of the pages, embedded in the binary: style sheet, htmx, icons.
//!
//! A page asks for `/assets/FILE?v=HASH`; the hash changes with the content, so such an answer may be
//! kept for ever. Without a fitting hash the browser asks again each time, with an ETag.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

use crate::app::App;

/// Digits of the hash in an address and an ETag: 64 bits tell versions of one file apart.
const HASH_DIGITS: usize = 16;

#[derive(RustEmbed)]
#[folder = "assets"]
struct Files;

/// Addresses with their hash, by file name.
static URLS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    Files::iter()
        .filter_map(|path| {
            let hash = hash(&Files::get(&path)?);
            Some((path.to_string(), format!("/assets/{path}?v={hash}")))
        })
        .collect()
});

fn hash(file: &rust_embed::EmbeddedFile) -> String {
    let mut hex = hex::encode(file.metadata.sha256_hash());
    hex.truncate(HASH_DIGITS);
    hex
}

/// The address of an embedded file, hash included; the plain path when there is no such file, which
/// a test forbids.
pub fn url(path: &str) -> &str {
    URLS.get(path).map_or(path, String::as_str)
}

/// Whether a file is embedded.
pub fn has(path: &str) -> bool {
    URLS.contains_key(path)
}

/// `GET /assets/{path}`.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/assets/{*path}", get(serve)).route("/favicon.ico", get(favicon))
}

async fn favicon(headers: HeaderMap) -> Response {
    answer("seal.svg", None, &headers)
}

async fn serve(
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(&path, query.as_deref(), &headers)
}

fn answer(path: &str, query: Option<&str>, headers: &HeaderMap) -> Response {
    let Some(file) = Files::get(path) else { return StatusCode::NOT_FOUND.into_response() };
    let hash = hash(&file);
    let fits = query.and_then(|q| q.strip_prefix("v=")) == Some(hash.as_str());
    let kept = if fits { "public, max-age=31536000, immutable" } else { "no-cache" };
    let etag = format!("\"{hash}\"");
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.split(',').any(|one| one.trim().trim_start_matches("W/") == etag));
    let caching = [(header::CACHE_CONTROL, kept.to_owned()), (header::ETAG, etag)];
    if known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, content_type(path))], file.data.into_owned()).into_response()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_fitting_hash_is_kept_for_ever_and_no_other() {
        let url = url("console.css").to_owned();
        let query = url.split_once('?').unwrap().1;
        let cached = |query| {
            let response = answer("console.css", query, &HeaderMap::new());
            response.headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned()
        };
        assert!(cached(Some(query)).contains("immutable"));
        assert_eq!(cached(Some("v=0000000000000000")), "no-cache");
        assert_eq!(cached(None), "no-cache");
    }

    #[test]
    fn a_known_etag_is_not_sent_again() {
        let first = answer("console.css", None, &HeaderMap::new());
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(answer("console.css", None, &headers).status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn nothing_outside_is_served() {
        for path in ["../Cargo.toml", "/etc/passwd", "", "console.css/"] {
            let answer = answer(path, None, &HeaderMap::new());
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
