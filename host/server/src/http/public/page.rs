//! The public pages: one style inside the page, allowed by its hash, no script.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use sha2::{Digest, Sha256};
use tianyin_domain::time::china_minute;
use tianyin_domain::{Date, code};

use super::meter::Limit;
use super::view::{ActivityView, ScanView, Standing, TestView};
use crate::app::App;
use crate::app::scans::ScanNumbers;
use crate::http::Problem;
use crate::http::problem::FieldProblem;
use crate::texts::{t, tf};

const STYLE: &str = include_str!("../../../templates/public/style.css");

/// Where the line of the scans begins.
const SEEN: &str = "<p class=\"seen\">";

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy_of(STYLE));

/// How a policy names a style or script that stands in the page.
pub(super) fn hash_of(text: &str) -> String {
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text)))
}

/// The policy of a page with this style and nothing else.
pub(super) fn policy_of(style: &str) -> HeaderValue {
    let hash = hash_of(style);
    let policy = format!(
        "default-src 'none'; style-src '{hash}'; img-src 'self' data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

pub(super) mod filters {
    use askama::Values;

    #[askama::filter_fn]
    pub fn t(key: &str, _: &dyn Values) -> askama::Result<String> {
        Ok(crate::texts::t(key).to_owned())
    }

    #[askama::filter_fn]
    pub fn grouped(code: &str, _: &dyn Values) -> askama::Result<String> {
        Ok(tianyin_domain::code::grouped(code))
    }
}

#[derive(Template)]
#[template(path = "public/scan.html")]
struct ScanPage<'a> {
    style: &'static str,
    view: &'a ScanView,
    title: String,
    heading: String,
    tone: &'static str,
    seal: (&'static str, &'static str),
    is_void: bool,
    void_note: String,
    before: &'a [ActivityView],
    after: &'a [ActivityView],
    harvested: String,
    harvested_note: String,
    foot: String,
}

/// The scan page of a code, in three parts: before the style, between that and [`seen`], and after it.
pub(super) fn scan_parts(view: &ScanView) -> Result<[Box<str>; 3], Problem> {
    let page = scan(view)?;
    // Texts of people are escaped: what follows can only be the template's own.
    let parts = page.split_once("<style>").and_then(|(top, rest)| {
        let (middle, end) = rest.strip_prefix(STYLE)?.split_once(SEEN)?;
        Some([format!("{top}<style>"), format!("{middle}{SEEN}"), end.to_owned()])
    });
    let parts = parts.ok_or_else(|| Problem::internal("the scan page has other parts"))?;
    Ok(parts.map(String::into_boxed_str))
}

/// How often a code was scanned, and when first.
pub(super) fn seen(scans: ScanNumbers) -> String {
    let count = tf("public.scan_count", [("count", scans.count.to_string().as_str())]);
    match scans.first_at.map(china_minute) {
        Some(first) => format!("{count} · {}", tf("public.first_scan", [("time", first.as_str())])),
        None => count,
    }
}

fn scan(view: &ScanView) -> Result<String, Problem> {
    let (word, tone, seal) = match view.status {
        Standing::Valid => ("public.valid", "valid", ("public.seal_1", "public.seal_2")),
        Standing::Void => ("public.void", "void", ("public.seal_void_1", "public.seal_void_2")),
        Standing::Held => ("public.held", "held", ("public.seal_held_1", "public.seal_held_2")),
    };
    let lot = &view.lot;
    let split = view.activities.partition_point(|a| a.date <= lot.harvested_on);
    let (before, after) = view.activities.split_at(split);
    let void_date = view.certificate.voided_on.map(|d| d.to_string()).unwrap_or_default();
    let params =
        [("area", lot.area_name.as_str()), ("quantity", &lot.quantity), ("unit", &lot.unit)];
    let page = ScanPage {
        style: STYLE,
        view,
        title: tf(
            "public.title_scan",
            [("product", view.certificate.product.as_str()), ("status", t(word))],
        ),
        heading: tf("public.one_code", [("county", view.county.as_str())]),
        tone,
        seal: (t(seal.0), t(seal.1)),
        is_void: view.status == Standing::Void,
        void_note: tf("public.void_note", [("date", void_date.as_str())]),
        before,
        after,
        harvested: tf("public.harvested", [("no", lot.no.as_str())]),
        harvested_note: tf("public.harvested_note", params),
        foot: tf("public.foot", [("county", view.county.as_str())]),
    };
    page.render().map_err(Problem::internal)
}

impl ScanPage<'_> {
    fn until(&self, day: &Date) -> String {
        tf("public.to_day", [("date", day.to_string().as_str())])
    }

    fn interval(&self, days: &u32, from: &Date) -> String {
        let (days, from) = (days.to_string(), from.to_string());
        tf("public.interval", [("days", days.as_str()), ("date", from.as_str())])
    }

    fn limit_text(&self, limit: &Limit) -> String {
        let num = limit.num.to_string();
        let text = tf("public.limit", [("num", num.as_str()), ("unit", limit.unit.as_str())]);
        format!("{text} · {}", limit.source)
    }

    fn meter_text(&self, test: &TestView, limit: &Limit) -> String {
        let num = limit.num.to_string();
        let params = [("value", test.value.as_str()), ("unit", &test.unit), ("num", &num)];
        tf("public.value_of", params)
    }
}

/// The style of every page here, to be put in its `<style>` as it is.
pub fn style() -> &'static str {
    STYLE
}

/// Headers of every page here: never kept, so that voiding shows at once.
pub fn set_page_headers(headers: &mut HeaderMap) {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, html);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
}

/// Why there is nothing to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Miss {
    /// Well formed, but never given out.
    Unknown,
    /// The check character does not fit.
    Mistyped,
    /// Has no code's length or alphabet.
    NotACode,
}

impl Miss {
    fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Mistyped => "mistyped",
            Self::NotACode => "not_a_code",
        }
    }

    /// The sign beside the heading: a question mark, a pencil, a cross.
    fn sign(self) -> &'static str {
        match self {
            Self::Unknown => "M9 9.4a3 3 0 1 1 4.3 2.7c-.9.4-1.3 1-1.3 2.1M12 16.6v1.6",
            Self::Mistyped => "M7 17l1-3.6 6.6-6.6 2.6 2.6-6.6 6.6zM5.6 19h12",
            Self::NotACode => "M7.5 7.5l9 9m0-9l-9 9",
        }
    }
}

#[derive(Template)]
#[template(path = "public/miss.html")]
struct MissPage {
    style: &'static str,
    heading: String,
    title: String,
    note: String,
    hint: String,
    sign: &'static str,
    asked: String,
    foot: String,
}

/// Longest part of what was asked for that is shown again, in characters.
const ASKED_CHARS_MAX: usize = 40;

/// The page, or JSON, for a code that shows nothing: status 404.
pub(super) fn miss(app: &App, miss: Miss, text: &str, as_json: bool) -> Response {
    let code = miss.code();
    let note = t_of(code, "_note");
    if as_json {
        let problem = Problem { code, detail: note, ..Problem::not_found() };
        return problem.into_response();
    }
    let asked: String = text.chars().filter(|c| !c.is_control()).take(ASKED_CHARS_MAX).collect();
    let asked = if miss == Miss::NotACode { asked } else { code::grouped(&asked.to_uppercase()) };
    answer(app, StatusCode::NOT_FOUND, code, note, miss.sign(), asked)
}

/// The page, or JSON, for a visitor who asks too much: status 429.
pub(super) fn too_many(app: &App, wait: Duration, as_json: bool) -> Response {
    let problem = wait_problem(wait);
    if as_json {
        return problem.into_response();
    }
    let seconds = problem.retry_after_s.unwrap_or(1).to_string();
    let note = tf("public.too_many_note", [("seconds", seconds.as_str())]);
    let sign = "M12 6.5V12l3.5 2.2";
    let mut response =
        answer(app, StatusCode::TOO_MANY_REQUESTS, "too_many", note, sign, String::new());
    problem.set_headers(&mut response);
    response
}

/// The problem of a visitor who asks too much.
pub(super) fn wait_problem(wait: Duration) -> Problem {
    let seconds = u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX);
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited");
    Problem { retry_after_s: Some(seconds), ..problem }
}

fn answer(
    app: &App,
    status: StatusCode,
    code: &'static str,
    note: String,
    sign: &'static str,
    asked: String,
) -> Response {
    let (heading, foot) = around(app);
    let title = t_of(code, "");
    let hint = t_of(code, "_hint");
    let page = MissPage { style: STYLE, heading, title, note, hint, sign, asked, foot };
    html(status, &page)
}

/// The page that tells a browser what went wrong.
pub fn error_page(app: &Arc<App>, problem: &Problem, request_id: &str) -> Response {
    let page = ErrorPage {
        style: STYLE,
        heading: around(app).0,
        title: problem.title(),
        detail: problem.detail.clone(),
        errors: problem.errors.clone(),
        code: tf("public.error_code", [("code", problem.code)]),
        id: tf("public.error_id", [("id", request_id)]),
    };
    let mut response = html(problem.status, &page);
    problem.set_headers(&mut response);
    response
}

#[derive(Template)]
#[template(path = "public/error.html")]
struct ErrorPage {
    style: &'static str,
    heading: String,
    title: String,
    detail: String,
    errors: Vec<FieldProblem>,
    code: String,
    id: String,
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    let Ok(body) = page.render() else { return status.into_response() };
    let mut response = (status, body).into_response();
    set_page_headers(response.headers_mut());
    response
}

/// Heading and foot with the county's name, once it has one.
pub(super) fn around(app: &App) -> (String, String) {
    match app.county().ok().flatten() {
        Some(county) => (
            tf("public.one_code", [("county", county.name.as_str())]),
            tf("public.foot", [("county", county.name.as_str())]),
        ),
        None => (t("public.site").to_owned(), t("public.site").to_owned()),
    }
}

fn t_of(code: &str, ending: &str) -> String {
    t(&format!("public.{code}{ending}")).to_owned()
}
