//! The public page of an ID card (农产品“身份证”): the edition that was published, as it was then.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tianyin_domain::State;
use tianyin_domain::attachment::Attachment;
use tianyin_domain::id_card::{self, Edition, IdCard};
use tianyin_domain::time::china_date;

use super::links::{Home, Links};
use super::page::{filters, set_page_headers, style, style_policy};
use super::view::public_url;
use crate::app::App;
use crate::http::Problem;
use crate::texts::{Lang, t_in, tf_in};

#[derive(Template)]
#[template(path = "public/id_card.html")]
struct CardPage<'a> {
    style: &'static str,
    mirror_policy: Option<String>,
    lang: Lang,
    /// Attribute of what stays Chinese on a page that is not.
    zh: &'static str,
    links: Links<'a>,
    title: String,
    heading: String,
    product: String,
    about: String,
    edition_text: String,
    code: &'a str,
    edition: Option<&'a Edition>,
    gone: String,
    foot: String,
}

impl CardPage<'_> {
    /// Words of a line, and the addresses among them, which become links.
    fn words<'b>(&self, line: &'b str) -> Vec<(&'b str, bool)> {
        let is_link = |word: &&str| word.starts_with("https://") || word.starts_with("http://");
        line.split_inclusive(['\n', ' ']).map(|word| (word, is_link(&word))).collect()
    }

    fn t(&self, key: &str) -> String {
        t_in(self.lang, key).to_owned()
    }
}

/// The card with a code.
pub(super) fn card_of(app: &App, code: &str) -> Result<Option<IdCard>, Problem> {
    let state: &dyn State = &app.store;
    Ok(state.find::<IdCard>(id_card::BY_CODE, code)?)
}

/// The page of a code, or the same as JSON; `None` when it is no card's.
pub(super) fn answer(
    app: &App,
    code: &str,
    lang: Lang,
    as_json: bool,
) -> Result<Option<Response>, Problem> {
    if as_json {
        let Some(body) = json(app, code)? else { return Ok(None) };
        let mut response = axum::Json(body).into_response();
        let none = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, none);
        return Ok(Some(response));
    }
    let Some(card) = card_of(app, code)? else { return Ok(None) };
    let mut response = page(app, &card, lang, Home::Appliance)?.into_response();
    if card.edition.is_none() {
        *response.status_mut() = StatusCode::GONE;
    }
    set_page_headers(response.headers_mut());
    Ok(Some(response))
}

/// The page of a code in one piece; `None` when it is no card's.
pub(super) fn whole(
    app: &App,
    code: &str,
    lang: Lang,
    home: Home,
) -> Result<Option<String>, Problem> {
    card_of(app, code)?.map(|card| page(app, &card, lang, home)).transpose()
}

/// The same for programs.
pub(super) fn json(app: &App, code: &str) -> Result<Option<Value>, Problem> {
    let Some(card) = card_of(app, code)? else { return Ok(None) };
    let county = app.county()?;
    Ok(Some(json!({
        "code": card.code,
        "kind": "id_card",
        "status": if card.edition.is_some() { "published" } else { "withdrawn" },
        "reason": Some(&card.status_reason).filter(|_| card.edition.is_none()),
        "edition": card.edition.as_ref().map(|edition| edition.number),
        "published_at": card.edition.as_ref().map(|edition| edition.at),
        "county": county.as_ref().map(|county| &county.name),
        "lines": card.edition.as_ref().map(|edition| &edition.content.lines),
    })))
}

fn page(app: &App, card: &IdCard, lang: Lang, home: Home) -> Result<String, Problem> {
    let county = app.county()?.map(|county| county.name).unwrap_or_default();
    let lines = card.edition.iter().flat_map(|edition| &edition.content.lines);
    let product = lines.clone().find(|line| line.code == "product").map(|line| line.value.clone());
    let product = product.unwrap_or_default();
    let edition_text = card.edition.as_ref().map(|edition| {
        let (number, date) = (edition.number.to_string(), china_date(edition.at).to_string());
        let params = [("number", number.as_str()), ("date", date.as_str())];
        tf_in(lang, "public.id_card_edition", params)
    });
    let title = match card.edition {
        Some(_) => tf_in(lang, "public.id_card_title", [("product", product.as_str())]),
        None => t_in(lang, "public.id_card_gone").to_owned(),
    };
    let reason = [("reason", card.status_reason.as_str())];
    let of_county = [("county", county.as_str())];
    let page = CardPage {
        style: style(),
        mirror_policy: home.is_files().then(style_policy),
        lang,
        zh: if lang == Lang::Zh { "" } else { " lang=\"zh-CN\"" },
        links: Links { home, lang, code: &card.code, paper: &card.code, base: public_url(app)? },
        title,
        heading: tf_in(lang, "public.one_code", of_county),
        about: tf_in(lang, "public.id_card_note", of_county),
        edition_text: edition_text.unwrap_or_default(),
        code: &card.code,
        edition: card.edition.as_ref(),
        gone: tf_in(lang, "public.id_card_gone_reason", reason),
        foot: tf_in(lang, "public.foot", of_county),
        product,
    };
    page.render().map_err(Problem::internal)
}

/// Pictures of the edition that everybody sees.
pub(super) fn pictures(app: &App, code: &str) -> Result<Vec<Attachment>, Problem> {
    let edition = card_of(app, code)?.and_then(|card| card.edition);
    let shown = edition.map(|edition| edition.content.attachments).unwrap_or_default();
    Ok(shown.into_iter().filter(|one| one.kind.is_picture()).collect())
}
