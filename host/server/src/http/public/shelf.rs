//! Finished scan pages, kept for at most two seconds and only as long as nothing they show changed.
//! Serving one is a look-up and two copies of a pointer.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use parking_lot::Mutex;
use tianyin_domain::code::Code;

use super::page;
use super::view::{self, ScanView};
use crate::app::App;
use crate::http::Problem;

/// A page is good for this long, if nothing it shows changed.
const GOOD_FOR: Duration = Duration::from_secs(2);
/// A page whose scan count alone moved on is good for this long.
const COUNT_GOOD_FOR: Duration = Duration::from_millis(100);
/// Pages kept at once.
const PAGES_MAX: usize = 1024;
/// Smaller pages are not worth compressing.
const GZIP_BYTES_MIN: usize = 1024;

/// Finished pages by code.
#[derive(Default)]
pub(super) struct Shelf(Mutex<HashMap<String, Arc<Made>>>);

/// A finished page.
pub(super) struct Made {
    code: Code,
    made_at: Instant,
    scans: u64,
    applied_seq: u64,
    /// Roots of what is shown, with their versions.
    based_on: Vec<(String, u64)>,
    html: Bytes,
    gzip: OnceLock<Bytes>,
    /// The same as JSON.
    pub json: Bytes,
}

impl Shelf {
    /// The page of a code as it is now; `None` when there is no such code. A page that is looked at
    /// by a person counts as a scan.
    pub fn get(&self, app: &App, code: &str, is_scan: bool) -> Result<Option<Arc<Made>>, Problem> {
        let kept = self.0.lock().get(code).cloned();
        // Only codes that exist are counted: one on the shelf does.
        let counted = is_scan && kept.is_some();
        if counted {
            app.scanned(code);
        }
        if let Some(made) = kept.filter(|made| made.is_good(app)) {
            return Ok(Some(made));
        }
        let Some(made) = Made::new(app, code, is_scan && !counted)? else { return Ok(None) };
        let made = Arc::new(made);
        let mut shelf = self.0.lock();
        if shelf.len() >= PAGES_MAX {
            shelf.retain(|_, m| m.made_at.elapsed() < GOOD_FOR);
            if shelf.len() >= PAGES_MAX {
                shelf.clear();
            }
        }
        shelf.insert(code.to_owned(), made.clone());
        Ok(Some(made))
    }
}

impl Made {
    fn new(app: &App, code: &str, count_it: bool) -> Result<Option<Self>, Problem> {
        // Read before the records: what is written in between makes the page old at once.
        let applied_seq = app.store.applied_seq();
        let Some(record) = app.store.get::<Code>(code)? else { return Ok(None) };
        if count_it {
            app.scanned(code);
        }
        let based_on = view::roots_of(app, &record)?;
        let view = ScanView::of(app, &record)?;
        Ok(Some(Self {
            code: record,
            made_at: Instant::now(),
            scans: view.scans.count,
            applied_seq,
            based_on,
            html: page::scan(&view)?.into(),
            gzip: OnceLock::new(),
            json: serde_json::to_vec(&view).map_err(Problem::internal)?.into(),
        }))
    }

    fn is_good(&self, app: &App) -> bool {
        let age = self.made_at.elapsed();
        if age >= GOOD_FOR {
            return false;
        }
        let unchanged = self.applied_seq == app.store.applied_seq()
            || self
                .based_on
                .iter()
                .all(|(root, v)| app.store.version(root).is_ok_and(|now| now == *v));
        unchanged && (age < COUNT_GOOD_FOR || app.scan_numbers(&self.code).count == self.scans)
    }

    /// The page as an answer, compressed if the browser takes that.
    pub fn page(&self, request: &HeaderMap) -> Response {
        let squeeze = self.html.len() >= GZIP_BYTES_MIN && takes_gzip(request);
        let body = if squeeze { self.gzip.get_or_init(|| gzip(&self.html)) } else { &self.html };
        let mut response = Response::new(body.clone().into());
        let headers = response.headers_mut();
        page::set_page_headers(headers);
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if squeeze {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

fn takes_gzip(request: &HeaderMap) -> bool {
    let value = request.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok());
    value.unwrap_or_default().split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

fn gzip(html: &Bytes) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(html);
    encoder.finish().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_takes_gzip() {
        for (value, takes) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
            assert_eq!(takes_gzip(&headers), takes, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
