//! Finished scan pages, kept until something they show changes or the day is over. Only the line that tells how often the
//! code was scanned is new each time: it is put between what comes before and after it, compressed or
//! not. Serving a page is a look-up, a few versions and a copy.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use parking_lot::Mutex;
use tianyin_domain::Date;
use tianyin_domain::code::Code;
use tianyin_domain::time::china_date;

use super::squeeze::Squeezed;
use super::view::{self, ScanView};
use super::{page, scan};
use crate::app::App;
use crate::app::codes::Found;
use crate::edge::now;
use crate::http::Problem;
use crate::texts::Lang;

/// Memory for pages, in bytes: five to ten thousand of them. Those that were sent compressed take a
/// third more.
const BYTES_MAX: usize = 128 << 20;
/// What a page takes beside its text.
const PAGE_BYTES: usize = 768;

/// Finished pages by code and language. When the new ones fill half of the memory, they become the old ones; what
/// is asked for among the old becomes new again, the rest is forgotten.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Pages>);

#[derive(Default)]
struct Pages {
    new: HashMap<String, Arc<Made>>,
    new_bytes: usize,
    old: HashMap<String, Arc<Made>>,
}

/// A finished page.
pub(super) struct Made {
    /// The code's record, as of this number of flushed scan counts.
    code: Mutex<(u64, Code)>,
    lang: Lang,
    /// Certifications and licences are shown on their days only.
    day: Date,
    /// Nothing it shows had changed up to this line of the journal.
    good_at: AtomicU64,
    /// Roots of what is shown, with their versions.
    based_on: Vec<(String, u64)>,
    /// The page before the style of all pages, between it and the line of the scans, and after that.
    parts: [Box<str>; 3],
    squeezed: std::sync::OnceLock<Squeezed>,
}

impl Shelf {
    /// The page of a code as it is now; `None` when it shows no certificate. A page that is looked at
    /// by a person counts as a scan by `visitor`.
    pub fn get(
        &self,
        app: &App,
        code: &str,
        lang: Lang,
        visitor: Option<IpAddr>,
    ) -> Result<Option<Arc<Made>>, Problem> {
        let key = key(code, lang);
        let kept = self.0.lock().get(&key);
        if let Some(made) = kept.filter(|made| made.is_good(app)) {
            if let Some(address) = visitor {
                app.scanned_from(code, address);
            }
            return Ok(Some(made));
        }
        let Some(made) = Made::new(app, code, lang)?.map(Arc::new) else { return Ok(None) };
        // Only codes that exist are counted.
        if let Some(address) = visitor {
            app.scanned_from(code, address);
        }
        self.0.lock().put(&key, made.clone());
        Ok(Some(made))
    }
}

/// What a page is kept by. Most are Chinese, and cost no copy.
fn key(code: &str, lang: Lang) -> Cow<'_, str> {
    match lang {
        Lang::Zh => Cow::Borrowed(code),
        Lang::En => Cow::Owned(format!("{code}?en")),
    }
}

impl Pages {
    fn get(&mut self, code: &str) -> Option<Arc<Made>> {
        if let Some(made) = self.new.get(code) {
            return Some(made.clone());
        }
        let made = self.old.remove(code)?;
        self.put(code, made.clone());
        Some(made)
    }

    fn put(&mut self, code: &str, made: Arc<Made>) {
        self.new_bytes += made.bytes();
        if let Some(before) = self.new.insert(code.to_owned(), made) {
            self.new_bytes = self.new_bytes.saturating_sub(before.bytes());
        }
        if self.new_bytes > BYTES_MAX / 2 {
            self.old = std::mem::take(&mut self.new);
            self.new_bytes = 0;
        }
    }
}

impl Made {
    fn new(app: &App, code: &str, lang: Lang) -> Result<Option<Self>, Problem> {
        // Read before the records: what is written in between makes the page old at once.
        let (day, good_at) = (china_date(now()), AtomicU64::new(app.store.applied_seq()));
        let flushed = app.scans_flushed();
        let Some(Found::Certificate(record)) = app.found(code)? else { return Ok(None) };
        let based_on = view::roots_of(app, &record)?;
        let view = ScanView::told(app, &record, lang)?;
        let parts = scan::parts(&view, lang, view::public_url(app)?)?;
        let (code, squeezed) = (Mutex::new((flushed, *record)), std::sync::OnceLock::new());
        Ok(Some(Self { code, lang, day, good_at, based_on, parts, squeezed }))
    }

    fn is_good(&self, app: &App) -> bool {
        if self.day != china_date(now()) {
            return false;
        }
        let seq = app.store.applied_seq();
        if self.good_at.load(Ordering::Relaxed) == seq {
            return true;
        }
        let unmoved =
            |(root, v): &(String, u64)| app.store.version(root).is_ok_and(|now| now == *v);
        let is_good = self.based_on.iter().all(unmoved);
        if is_good {
            self.good_at.store(seq, Ordering::Relaxed);
        }
        is_good
    }

    fn bytes(&self) -> usize {
        PAGE_BYTES + self.parts.iter().map(|part| part.len()).sum::<usize>()
    }

    /// The page as an answer, compressed if the browser takes that.
    pub fn page(&self, app: &App, request: &HeaderMap) -> Result<Response, Problem> {
        let seen = self.seen(app)?;
        let [top, middle, end] = &self.parts;
        let squeeze = takes_gzip(request);
        let body = if squeeze {
            let whole = || Squeezed::new(&[top, page::style(), middle].concat(), end);
            self.squeezed.get_or_init(whole).around(&seen)
        } else {
            [top, page::style(), middle, seen.as_str(), end].concat().into_bytes()
        };
        let mut response = Response::new(body.into());
        let headers = response.headers_mut();
        page::set_page_headers(headers);
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if squeeze {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(response)
    }

    /// How often it was scanned, and when first.
    fn seen(&self, app: &App) -> Result<String, Problem> {
        let mut known = self.code.lock();
        let flushed = app.scans_flushed();
        if known.0 != flushed
            && let Some(code) = app.store.get::<Code>(&known.1.code)?
        {
            *known = (flushed, code);
        }
        let numbers = app.scan_numbers(&known.1);
        drop(known);
        Ok(scan::seen(numbers, self.lang))
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

    fn made(size: usize) -> Arc<Made> {
        let parts = ["".into(), "x".repeat(size).into(), "".into()];
        let record = serde_json::json!({
            "code": "C", "certificate": "c", "lot": "l", "operator": "o", "area": "430321",
            "bound_at": "2026-03-01T08:00:00Z",
        });
        let code = Mutex::new((0, serde_json::from_value(record).unwrap()));
        let squeezed = std::sync::OnceLock::new();
        let (lang, day) = (Lang::Zh, china_date(now()));
        let (good_at, based_on) = (AtomicU64::new(0), Vec::new());
        Arc::new(Made { code, lang, day, good_at, based_on, parts, squeezed })
    }

    #[test]
    fn each_language_has_a_page_of_its_own() {
        let mut pages = Pages::default();
        pages.put(&key("C", Lang::Zh), made(1));
        assert!(pages.get(&key("C", Lang::En)).is_none());
        pages.put(&key("C", Lang::En), made(2));
        assert_eq!(pages.get(&key("C", Lang::Zh)).unwrap().parts[1].len(), 1);
        assert_eq!(pages.get(&key("C", Lang::En)).unwrap().parts[1].len(), 2);
    }

    #[test]
    fn the_memory_has_an_end_and_what_is_asked_for_stays() {
        let mut pages = Pages::default();
        let size = 64 << 10;
        for n in 0..3 * BYTES_MAX / size {
            pages.put(&format!("{n}"), made(size));
            assert!(pages.get("0").is_some(), "asked for all the time, gone after {n}");
            let kept = pages.new.values().chain(pages.old.values());
            assert!(kept.map(|made| made.bytes()).sum::<usize>() <= BYTES_MAX + 2 * size);
        }
        assert!(pages.get("1").is_none());
        let before = pages.new_bytes;
        pages.put("0", made(size));
        assert_eq!(pages.new_bytes, before, "one page a code");
    }
}
