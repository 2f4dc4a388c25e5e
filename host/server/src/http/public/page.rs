//! The public pages: one style inside the page, allowed by its hash, no script.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use sha2::{Digest, Sha256};
use tianyin_domain::code;

use crate::app::App;
use crate::http::Problem;
use crate::http::problem::FieldProblem;
use crate::texts::{Lang, t_in, tf, tf_in};

const STYLE: &str = include_str!("../../../templates/public/style.css");

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy_of(STYLE));

/// How a policy names a style or script that stands in the page.
pub(super) fn hash_of(text: &str) -> String {
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text)))
}

/// The policy of a page with this style and nothing else.
pub(super) fn policy_of(style: &str) -> HeaderValue {
    policy_framed(style, "'none'")
}

/// The same for a page with a form, which goes to this very site.
pub(super) fn policy_with_form(style: &str) -> HeaderValue {
    whole_policy(style, "'self'", "'none'")
}

/// The same as [`policy_of`] for a page that these may have in a frame.
pub(super) fn policy_framed(style: &str, ancestors: &str) -> HeaderValue {
    whole_policy(style, "'none'", ancestors)
}

fn whole_policy(style: &str, forms: &str, ancestors: &str) -> HeaderValue {
    let policy = format!("{}; frame-ancestors {ancestors}", inner_policy(style, forms));
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn inner_policy(style: &str, forms: &str) -> String {
    let hash = hash_of(style);
    format!(
        "default-src 'none'; style-src '{hash}'; img-src 'self' data:; base-uri 'none'; \
         form-action {forms}"
    )
}

/// What a page says of itself where a plain web host says nothing: who may frame it, only a host can say.
pub(super) fn style_policy() -> String {
    inner_policy(STYLE, "'none'")
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
    lang: Lang,
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
    miss_in(app, miss, text, as_json, Lang::Zh)
}

/// The same in a language; programs get one sentence.
pub(super) fn miss_in(app: &App, miss: Miss, text: &str, as_json: bool, lang: Lang) -> Response {
    let code = miss.code();
    if as_json {
        let detail = t_of(Lang::Zh, code, "_note");
        let problem = Problem { code, detail, ..Problem::not_found() };
        return problem.into_response();
    }
    let asked: String = text.chars().filter(|c| !c.is_control()).take(ASKED_CHARS_MAX).collect();
    let asked = if miss == Miss::NotACode { asked } else { code::grouped(&asked.to_uppercase()) };
    let note = t_of(lang, code, "_note");
    html(StatusCode::NOT_FOUND, &miss_page(app, lang, code, note, miss.sign(), asked))
}

/// The page, or JSON, for a visitor who asks too much: status 429.
pub(super) fn too_many(app: &App, wait: Duration, as_json: bool) -> Response {
    too_many_in(app, wait, as_json, Lang::Zh)
}

/// The same in a language.
pub(super) fn too_many_in(app: &App, wait: Duration, as_json: bool, lang: Lang) -> Response {
    let problem = wait_problem(wait);
    if as_json {
        return problem.into_response();
    }
    let seconds = problem.retry_after_s.unwrap_or(1).to_string();
    let note = tf_in(lang, "public.too_many_note", [("seconds", seconds.as_str())]);
    let page = miss_page(app, lang, "too_many", note, "M12 6.5V12l3.5 2.2", String::new());
    let mut response = html(StatusCode::TOO_MANY_REQUESTS, &page);
    problem.set_headers(&mut response);
    response
}

/// The problem of a visitor who asks too much.
pub(super) fn wait_problem(wait: Duration) -> Problem {
    let seconds = u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX);
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited");
    Problem { retry_after_s: Some(seconds), ..problem }
}

/// A page that tells how a code stands and shows nothing of it: its texts are `public.{words}` and
/// `public.{words}_hint`.
pub(super) fn told(
    app: &App,
    lang: Lang,
    words: &str,
    note: String,
    sign: &'static str,
    asked: String,
) -> Response {
    html(StatusCode::OK, &miss_page(app, lang, words, note, sign, asked))
}

fn miss_page(
    app: &App,
    lang: Lang,
    code: &str,
    note: String,
    sign: &'static str,
    asked: String,
) -> MissPage {
    let (heading, foot) = around_in(app, lang);
    let (title, hint) = (t_of(lang, code, ""), t_of(lang, code, "_hint"));
    MissPage { style: STYLE, lang, heading, title, note, hint, sign, asked, foot }
}

impl MissPage {
    fn t(&self, key: &str) -> String {
        t_in(self.lang, key).to_owned()
    }
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
    around_in(app, Lang::Zh)
}

/// The same in a language.
pub(super) fn around_in(app: &App, lang: Lang) -> (String, String) {
    match app.county().ok().flatten() {
        Some(county) => {
            let name = [("county", county.name.as_str())];
            (tf_in(lang, "public.one_code", name), tf_in(lang, "public.foot", name))
        }
        None => (t_in(lang, "public.site").to_owned(), t_in(lang, "public.site").to_owned()),
    }
}

fn t_of(lang: Lang, code: &str, ending: &str) -> String {
    t_in(lang, &format!("public.{code}{ending}")).to_owned()
}
