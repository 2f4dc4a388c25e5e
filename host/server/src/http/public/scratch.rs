//! `/t/{code}/scratch`: the number under the scratch layer of a package. Whoever types it first knows that
//! nobody opened the layer before; whoever types it later learns when that was. A number of six digits can
//! be guessed, so wrong tries are counted, for each code and for each visitor.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Form, Router};
use serde::Deserialize;
use tianyin_domain::code::{self, Code, CodeText};
use tianyin_domain::command::Command;
use tianyin_domain::lot::Lot;
use tianyin_domain::pack::{self, Pack, Unit};
use tianyin_domain::scan::CodeScratched;
use tianyin_domain::time::china_minute;
use tianyin_domain::{Actor, State as Records};

use super::lang_of;
use super::page::{self, Miss, around_in, filters, policy_with_form, set_page_headers};
use crate::app::App;
use crate::app::codes::Found;
use crate::code_key::PIN_DIGITS;
use crate::edge::now;
use crate::http::limits::{RateLimit, Tries, visitor};
use crate::http::{ClientAddr, Problem};
use crate::texts::{Lang, t_in, tf_in};

const STYLE: &str = concat!(
    include_str!("../../../templates/public/style.css"),
    include_str!("../../../templates/public/scratch.css")
);

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy_with_form(STYLE));

/// Bytes of a form with one number.
const BODY_BYTES_MAX: usize = 1 << 10;
/// Wrong numbers for one code, and of one visitor, in an hour.
const WRONG_OF_CODE: u32 = 5;
const WRONG_OF_VISITOR: u32 = 20;
const WINDOW: Duration = Duration::from_secs(3600);
/// Packs of one lot that are looked at.
const PACKS_MAX: usize = 50;
/// Forms that one address may ask for or send.
const LOOKS_PER_S: f64 = 1.0;
const LOOKS_BURST: f64 = 60.0;

struct Desk {
    looks: RateLimit,
    of_code: Tries<String>,
    of_visitor: Tries<IpAddr>,
}

pub(super) fn router() -> Router<Arc<App>> {
    let desk = Arc::new(Desk {
        looks: RateLimit::new(LOOKS_PER_S, LOOKS_BURST),
        of_code: Tries::new(WRONG_OF_CODE, WINDOW),
        of_visitor: Tries::new(WRONG_OF_VISITOR, WINDOW),
    });
    Router::new()
        .route("/t/{code}/scratch", get(ask).post(check))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(Extension(desk))
}

/// Whether a code has a number under a scratch layer: one of a pack that was ordered with them.
pub(super) fn has_number(app: &App, code: &Code) -> Result<bool, Problem> {
    let state: &dyn Records = &app.store;
    let pack = match &code.unit {
        Some(unit) => state.get::<Pack>(&unit.pack)?,
        None => None,
    };
    Ok(pack.is_some_and(|pack| pack.scratch))
}

/// Whether packages of a lot have such numbers.
pub(super) fn has_numbers(app: &App, lot: &str) -> Result<bool, Problem> {
    let state: &dyn Records = &app.store;
    let packs: Vec<Pack> = state.list(pack::BY_LOT, lot, PACKS_MAX)?;
    Ok(packs.iter().any(|pack| pack.scratch))
}

/// A package's code, its place, and what is in the package.
struct Known {
    code: String,
    unit: Unit,
    product: String,
}

/// What an address speaks of, or why it speaks of nothing. A code without such a number has no such page.
fn known(app: &App, text: &str) -> Result<Result<Known, Miss>, Problem> {
    let code = match code::parse(text) {
        CodeText::Valid(code) => code,
        CodeText::Mistyped => return Ok(Err(Miss::Mistyped)),
        CodeText::NotACode => return Ok(Err(Miss::NotACode)),
    };
    let Some(Found::Certificate(record)) = app.found(&code)? else {
        return Err(Problem::not_found());
    };
    let (true, Some(unit)) = (has_number(app, &record)?, record.unit) else {
        return Err(Problem::not_found());
    };
    let lot = app.store.get::<Lot>(&record.lot)?;
    Ok(Ok(Known { code, unit, product: lot.map(|lot| lot.product_name).unwrap_or_default() }))
}

async fn ask(
    State(app): State<Arc<App>>,
    Extension(desk): Extension<Arc<Desk>>,
    client: ClientAddr,
    Path(text): Path<String>,
    query: RawQuery,
) -> Result<Response, Problem> {
    let lang = lang_of(&query);
    if let Err(wait) = desk.looks.take(client.0, Instant::now()) {
        return Ok(page::too_many_in(&app, wait, false, lang));
    }
    match known(&app, &text)? {
        Ok(known) => shown(&app, &known, &Told::Asked, lang),
        Err(miss) => Ok(page::miss_in(&app, miss, &text, false, lang)),
    }
}

/// What is typed.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Typed {
    number: String,
}

async fn check(
    State(app): State<Arc<App>>,
    Extension(desk): Extension<Arc<Desk>>,
    client: ClientAddr,
    Path(text): Path<String>,
    query: RawQuery,
    sent: Result<Form<Typed>, FormRejection>,
) -> Result<Response, Problem> {
    let lang = lang_of(&query);
    if let Err(wait) = desk.looks.take(client.0, Instant::now()) {
        return Ok(page::too_many_in(&app, wait, false, lang));
    }
    let known = match known(&app, &text)? {
        Ok(known) => known,
        Err(miss) => return Ok(page::miss_in(&app, miss, &text, false, lang)),
    };
    let shown = |told: &Told| shown(&app, &known, told, lang);
    let number = digits(&sent.map_err(unread)?.0.number);
    if number.len() != PIN_DIGITS {
        return shown(&Told::NoNumber);
    }
    if let Err(wait) = desk.take(&known.code, client.0) {
        return shown(&Told::TooOften(wait));
    }
    if !app.code_key.is_pin(&known.code, &number) {
        return shown(&Told::Wrong);
    }
    desk.give_back(&known.code, client.0);
    let command =
        Command::ScratchCode(CodeScratched { code: known.code.clone(), unit: known.unit.clone() });
    let outcome = app.submit(&Actor::system("public"), command).await?;
    let told = match outcome.written {
        true => Told::First,
        false => Told::Again(first_time(&app, &known.code)?),
    };
    shown(&told)
}

/// When a number was typed first.
fn first_time(app: &App, code: &str) -> Result<String, Problem> {
    let record = app.store.get::<Code>(code)?;
    Ok(china_minute(record.and_then(|record| record.scratched_at).unwrap_or_else(now)))
}

/// The digits of what was typed: phones offer full-width ones, people put spaces between them.
fn digits(typed: &str) -> String {
    let plain = |c: char| match c {
        '0'..='9' => char::from_u32(c as u32 - '0' as u32 + '0' as u32).unwrap_or(c),
        c => c,
    };
    typed.chars().map(plain).filter(|c| !c.is_whitespace() && *c != '-').take(64).collect()
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

impl Desk {
    /// Takes a try before the number is looked at, so that many at once are no more than one after the
    /// other. This machine itself is free, as it is of every limit here.
    fn take(&self, code: &str, address: IpAddr) -> Result<(), Duration> {
        let now = Instant::now();
        self.of_code.take(code.to_owned(), now)?;
        if address.is_loopback() {
            return Ok(());
        }
        let taken = self.of_visitor.take(visitor(address), now);
        if taken.is_err() {
            self.of_code.give_back(&code.to_owned());
        }
        taken
    }

    /// A right number is no try: a household opens many packages.
    fn give_back(&self, code: &str, address: IpAddr) {
        self.of_code.give_back(&code.to_owned());
        self.of_visitor.give_back(&visitor(address));
    }
}

/// What the page says.
enum Told {
    /// Nothing yet: it asks.
    Asked,
    /// What was typed is no number of six digits.
    NoNumber,
    /// It is another number.
    Wrong,
    /// Too many wrong ones.
    TooOften(Duration),
    /// It is right, and nobody typed it before.
    First,
    /// It is right, and was typed before.
    Again(String),
}

impl Told {
    fn status(&self) -> StatusCode {
        match self {
            Self::Asked | Self::First | Self::Again(_) => StatusCode::OK,
            Self::NoNumber | Self::Wrong => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// Heading and what follows it.
    fn words(&self, lang: Lang) -> (&'static str, String) {
        let t = |key: &str| t_in(lang, key).to_owned();
        match self {
            Self::First => ("public.scratch_first", t("public.scratch_first_note")),
            Self::Again(time) => (
                "public.scratch_again",
                tf_in(lang, "public.scratch_again_note", [("time", time.as_str())]),
            ),
            _ => ("public.scratch", t("public.scratch_note")),
        }
    }

    /// What is wrong with what was typed; empty when nothing is.
    fn fault(&self, lang: Lang) -> String {
        match self {
            Self::Asked | Self::First | Self::Again(_) => String::new(),
            Self::NoNumber => t_in(lang, "public.scratch_no_number").to_owned(),
            Self::Wrong => t_in(lang, "public.scratch_wrong").to_owned(),
            Self::TooOften(wait) => {
                let minutes = (wait.as_secs() / 60 + 1).to_string();
                tf_in(lang, "public.scratch_too_often", [("minutes", minutes.as_str())])
            }
        }
    }
}

#[derive(Template)]
#[template(path = "public/scratch.html")]
struct ScratchPage<'a> {
    style: &'static str,
    lang: Lang,
    /// What the addresses of this language end in.
    query: &'static str,
    heading: String,
    foot: String,
    known: &'a Known,
    title: &'static str,
    note: String,
    tone: &'static str,
    fault: String,
    /// Whether there is something to type.
    asks: bool,
    digits: usize,
}

impl ScratchPage<'_> {
    fn t(&self, key: &str) -> String {
        t_in(self.lang, key).to_owned()
    }
}

fn shown(app: &App, known: &Known, told: &Told, lang: Lang) -> Result<Response, Problem> {
    let (heading, foot) = around_in(app, lang);
    let (title, note) = told.words(lang);
    let page = ScratchPage {
        style: STYLE,
        lang,
        query: if lang == Lang::En { "?lang=en" } else { "" },
        heading,
        foot,
        known,
        title: t_in(lang, title),
        note,
        tone: if matches!(told, Told::Again(_)) { "held" } else { "" },
        fault: told.fault(lang),
        asks: matches!(told, Told::Asked | Told::NoNumber | Told::Wrong),
        digits: PIN_DIGITS,
    };
    let body = page.render().map_err(Problem::internal)?;
    let mut response = (told.status(), body).into_response();
    let headers = response.headers_mut();
    set_page_headers(headers);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    if let Told::TooOften(wait) = told {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_however_it_is_typed() {
        for (typed, read) in
            [("012345", "012345"), (" 012 345 ", "012345"), ("012345", "012345"), ("12a", "12a")]
        {
            assert_eq!(digits(typed), read);
        }
    }
}
