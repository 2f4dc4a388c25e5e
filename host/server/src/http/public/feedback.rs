//! `/t/{code}/feedback`: what somebody has to say of what carries the code – a rating, a complaint, a report
//! of a fake. One plain form, no script, no account, no question who asks: the page says whom
//! to call for an answer.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Form, Router};
use serde::Deserialize;
use tianyin_domain::DomainError;
use tianyin_domain::code::{self, CodeText};
use tianyin_domain::feedback::{
    self, FeedbackKind, LeaveFeedback, PLACE_CHARS_MAX, TEXT_CHARS_MAX, reference_of,
};
use tianyin_domain::product::Product;

use super::page::{self, Miss, around, filters, policy_with_form, set_page_headers};
use crate::app::{App, AppError, field_text};
use crate::http::limits::RateLimit;
use crate::http::{ClientAddr, Problem};
use crate::texts::{t, tf};

const STYLE: &str = concat!(
    include_str!("../../../templates/public/style.css"),
    include_str!("../../../templates/public/feedback.css")
);

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy_with_form(STYLE));

/// Bytes of a form: 500 characters of Chinese take 4500 as they are sent.
const BODY_BYTES_MAX: usize = 16 << 10;
/// Fields of a form that are looked at.
const FIELDS_MAX: usize = 16;
/// What one address may say: whole villages share one of a phone company.
const SAID_PER_S: f64 = 1.0 / 60.0;
const SAID_BURST: f64 = 6.0;
/// Forms that one address may ask for.
const LOOKS_PER_S: f64 = 1.0;
const LOOKS_BURST: f64 = 30.0;
/// A field that people do not see, and that machines fill in.
const TRAP: &str = "memo";

struct Desk {
    looks: RateLimit,
    said: RateLimit,
}

pub(super) fn router() -> Router<Arc<App>> {
    let desk = Arc::new(Desk {
        looks: RateLimit::new(LOOKS_PER_S, LOOKS_BURST),
        said: RateLimit::new(SAID_PER_S, SAID_BURST),
    });
    Router::new()
        .route("/t/{code}/feedback", get(ask).post(leave))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(Extension(desk))
}

/// A code that was given out, and the name of its product.
struct Known {
    code: String,
    product: String,
}

/// What an address speaks of, or why it speaks of nothing.
fn known(app: &App, text: String) -> Result<Result<Known, (Miss, String)>, Problem> {
    let code = match code::parse(&text) {
        CodeText::Valid(code) => code,
        CodeText::Mistyped => return Ok(Err((Miss::Mistyped, text))),
        CodeText::NotACode => return Ok(Err((Miss::NotACode, text))),
    };
    let Some(subject) = feedback::subject(&app.store, &code)? else {
        return Ok(Err((Miss::Unknown, code)));
    };
    let product = app.store.get::<Product>(&subject.product)?;
    Ok(Ok(Known { code, product: product.map(|one| one.name).unwrap_or_default() }))
}

/// What is asked for in the address.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    kind: String,
}

async fn ask(
    State(app): State<Arc<App>>,
    Extension(desk): Extension<Arc<Desk>>,
    client: ClientAddr,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    if let Err(wait) = desk.looks.take(client.0, Instant::now()) {
        return Ok(page::too_many(&app, wait, false));
    }
    match known(&app, text)? {
        Ok(known) => {
            let kind = kind_of(&asked.kind);
            Typed { kind, ..Typed::default() }.page(&app, &known, StatusCode::OK)
        }
        Err((miss, asked)) => Ok(page::miss(&app, miss, &asked, false)),
    }
}

async fn leave(
    State(app): State<Arc<App>>,
    Extension(desk): Extension<Arc<Desk>>,
    client: ClientAddr,
    Path(text): Path<String>,
    sent: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Result<Response, Problem> {
    if let Err(wait) = desk.looks.take(client.0, Instant::now()) {
        return Ok(page::too_many(&app, wait, false));
    }
    let known = match known(&app, text)? {
        Ok(known) => known,
        Err((miss, asked)) => return Ok(page::miss(&app, miss, &asked, false)),
    };
    let mut typed = Typed::of(sent.map_err(unread)?.0);
    if !typed.trap.is_empty() {
        typed.bad(TRAP, t("public.feedback.trap_filled"));
        return typed.page(&app, &known, StatusCode::UNPROCESSABLE_ENTITY);
    }
    if let Err(wait) = desk.said.take(client.0, Instant::now()) {
        return typed.too_often(&app, &known, wait);
    }
    match app.leave_feedback(typed.said(&known.code)).await {
        Ok(outcome) => thanks(&app, &known, typed.kind, &outcome.id),
        Err(AppError::Domain(DomainError::Invalid(fields))) => {
            for field in &fields {
                typed.bad(&field.field, &field_text(field));
            }
            typed.page(&app, &known, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(error @ AppError::Domain(DomainError::Refused { .. })) => {
            typed.summary = error.detail();
            typed.page(&app, &known, StatusCode::CONFLICT)
        }
        Err(error) => Err(error.into()),
    }
}

fn unread(rejection: FormRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let max = format!("{} KiB", BODY_BYTES_MAX / 1024);
            let params = [("max", max.as_str())];
            Problem::with(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &params)
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, "bad_request"),
    }
}

fn kind_of(word: &str) -> FeedbackKind {
    let found = FeedbackKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    found.unwrap_or(FeedbackKind::Rating)
}

/// What somebody typed, and what is wrong with it.
struct Typed {
    kind: FeedbackKind,
    stars: String,
    text: String,
    place: String,
    trap: String,
    errors: Vec<(String, String)>,
    /// Why nothing was taken in, where that is nobody's fault.
    summary: String,
}

impl Default for Typed {
    fn default() -> Self {
        let none = String::new;
        let (stars, text, place, trap) = (none(), none(), none(), none());
        let kind = FeedbackKind::Rating;
        Self { kind, stars, text, place, trap, errors: Vec::new(), summary: none() }
    }
}

impl Typed {
    fn of(fields: Vec<(String, String)>) -> Self {
        let mut typed = Self::default();
        for (name, value) in fields.into_iter().take(FIELDS_MAX) {
            match name.as_str() {
                "kind" => typed.kind = kind_of(&value),
                "stars" => typed.stars = value,
                "text" => typed.text = value,
                "place" => typed.place = value,
                TRAP => typed.trap = value,
                _ => {}
            }
        }
        typed
    }

    fn said(&self, code: &str) -> LeaveFeedback {
        LeaveFeedback {
            code: code.to_owned(),
            kind: self.kind,
            stars: self.stars.parse().ok(),
            text: self.text.clone(),
            place: self.place.clone(),
        }
    }

    fn bad(&mut self, field: &str, text: &str) {
        self.errors.push((field.to_owned(), text.to_owned()));
    }

    /// Nothing that was typed is lost by being too quick.
    fn too_often(mut self, app: &App, known: &Known, wait: Duration) -> Result<Response, Problem> {
        let seconds = (wait.as_secs() + 1).to_string();
        self.summary = tf("public.feedback.too_often", [("seconds", seconds.as_str())]);
        let mut response = self.page(app, known, StatusCode::TOO_MANY_REQUESTS)?;
        if let Ok(value) = HeaderValue::try_from(seconds) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        Ok(response)
    }

    /// The form with what was typed so far.
    fn page(&self, app: &App, known: &Known, status: StatusCode) -> Result<Response, Problem> {
        let (heading, foot) = around(app);
        let of_kind =
            |key: &str| t(&format!("public.feedback.{}_{key}", self.kind.as_str())).to_owned();
        let page = FormPage {
            style: STYLE,
            heading,
            foot,
            known,
            typed: self,
            title: of_kind("title"),
            lead: of_kind("lead"),
            text_label: of_kind("text"),
            button: of_kind("send"),
            is_rating: self.kind == FeedbackKind::Rating,
            text_max: TEXT_CHARS_MAX,
            place_max: PLACE_CHARS_MAX,
        };
        html(status, &page)
    }
}

/// One of the three things that the form is for.
struct Tab {
    word: &'static str,
    text: String,
    on: bool,
}

/// One to five stars to choose from.
struct Star {
    value: String,
    drawn: String,
    text: String,
    on: bool,
}

#[derive(Template)]
#[template(path = "public/feedback.html")]
struct FormPage<'a> {
    style: &'static str,
    heading: String,
    foot: String,
    known: &'a Known,
    typed: &'a Typed,
    title: String,
    lead: String,
    text_label: String,
    button: String,
    is_rating: bool,
    text_max: usize,
    place_max: usize,
}

impl FormPage<'_> {
    fn tabs(&self) -> Vec<Tab> {
        let tab = |kind: FeedbackKind| Tab {
            word: kind.as_str(),
            text: t(&format!("public.feedback.{}", kind.as_str())).to_owned(),
            on: kind == self.typed.kind,
        };
        FeedbackKind::ALL.into_iter().rev().map(tab).collect()
    }

    fn stars(&self) -> Vec<Star> {
        let star = |n: usize| {
            let value = n.to_string();
            let text = t(&format!("public.feedback.stars_{n}")).to_owned();
            Star { drawn: "★".repeat(n), text, on: value == self.typed.stars, value }
        };
        (1..=5).rev().map(star).collect()
    }

    /// What is wrong with a field; empty when nothing is.
    fn error(&self, field: &str) -> &str {
        let found = self.typed.errors.iter().find(|(name, _)| name == field);
        found.map_or("", |(_, text)| text.as_str())
    }
}

#[derive(Template)]
#[template(path = "public/feedback_done.html")]
struct DonePage<'a> {
    style: &'static str,
    heading: String,
    foot: String,
    code: &'a str,
    product: &'a str,
    note: String,
    /// Two groups of four.
    reference: String,
}

fn thanks(app: &App, known: &Known, kind: FeedbackKind, id: &str) -> Result<Response, Problem> {
    let (heading, foot) = around(app);
    let page = DonePage {
        style: STYLE,
        heading,
        foot,
        code: &known.code,
        product: &known.product,
        note: t(&format!("public.feedback.{}_done", kind.as_str())).to_owned(),
        reference: code::grouped(reference_of(id)),
    };
    html(StatusCode::OK, &page)
}

fn html(status: StatusCode, page: &impl Template) -> Result<Response, Problem> {
    let body = page.render().map_err(Problem::internal)?;
    let mut response = (status, body).into_response();
    set_page_headers(response.headers_mut());
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    Ok(response)
}
