//! The public page of an ID card (农产品“身份证”): the edition that was published, as it was then.

use std::sync::Arc;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tianyin_domain::State;
use tianyin_domain::county::County;
use tianyin_domain::id_card::{self, Edition, IdCard};
use tianyin_domain::time::china_date;

use super::bare::bare;
use super::page::{filters, set_page_headers, style};
use crate::app::App;
use crate::http::{Problem, blobs};
use crate::texts::{t, tf};

#[derive(Template)]
#[template(path = "public/id_card.html")]
struct CardPage<'a> {
    style: &'static str,
    title: String,
    heading: String,
    product: String,
    note: String,
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
}

fn card_of(app: &App, code: &str) -> Result<Option<IdCard>, Problem> {
    let state: &dyn State = &app.store;
    Ok(state.find::<IdCard>(id_card::BY_CODE, code)?)
}

/// The page of a code, or the same as JSON; `None` when it is no card's.
pub(super) fn answer(app: &App, code: &str, as_json: bool) -> Result<Option<Response>, Problem> {
    let Some(card) = card_of(app, code)? else { return Ok(None) };
    let county = app.county()?;
    if as_json {
        let body = json!({
            "code": card.code,
            "kind": "id_card",
            "status": if card.edition.is_some() { "published" } else { "withdrawn" },
            "reason": Some(&card.status_reason).filter(|_| card.edition.is_none()),
            "edition": card.edition.as_ref().map(|edition| edition.number),
            "published_at": card.edition.as_ref().map(|edition| edition.at),
            "county": county.as_ref().map(|county| &county.name),
            "lines": card.edition.as_ref().map(|edition| &edition.content.lines),
        });
        let mut response = axum::Json(body).into_response();
        let none = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, none);
        return Ok(Some(response));
    }
    page(&card, county).map(Some)
}

fn page(card: &IdCard, county: Option<County>) -> Result<Response, Problem> {
    let county = county.map(|county| county.name).unwrap_or_default();
    let lines = card.edition.iter().flat_map(|edition| &edition.content.lines);
    let product = lines.clone().find(|line| line.code == "product").map(|line| line.value.clone());
    let product = product.unwrap_or_default();
    let edition_text = card.edition.as_ref().map(|edition| {
        let (number, date) = (edition.number.to_string(), china_date(edition.at).to_string());
        tf("public.id_card_edition", [("number", number.as_str()), ("date", date.as_str())])
    });
    let title = match card.edition {
        Some(_) => tf("public.id_card_title", [("product", product.as_str())]),
        None => t("public.id_card_gone").to_owned(),
    };
    let page = CardPage {
        style: style(),
        title,
        heading: tf("public.one_code", [("county", county.as_str())]),
        note: tf("public.id_card_note", [("county", county.as_str())]),
        edition_text: edition_text.unwrap_or_default(),
        code: &card.code,
        edition: card.edition.as_ref(),
        gone: tf("public.id_card_gone_reason", [("reason", card.status_reason.as_str())]),
        foot: tf("public.foot", [("county", county.as_str())]),
        product,
    };
    let mut response = page.render().map_err(Problem::internal)?.into_response();
    if card.edition.is_none() {
        *response.status_mut() = StatusCode::GONE;
    }
    set_page_headers(response.headers_mut());
    Ok(response)
}

/// A picture of the edition that everybody sees. What cameras write beside the picture, such as the place
/// where it was taken, does not go out.
pub(super) async fn picture(
    app: Arc<App>,
    code: String,
    hash: String,
) -> Result<Response, Problem> {
    let edition = card_of(&app, &code)?.and_then(|card| card.edition);
    let shown = edition.iter().flat_map(|edition| &edition.content.attachments);
    let shown = shown.into_iter().find(|one| one.hash == hash).ok_or_else(Problem::not_found)?;
    let media = shown.kind.media_type();
    let read = tokio::task::spawn_blocking(move || blobs::read_whole(&app, &hash));
    let bytes = read.await.map_err(Problem::internal)??;
    let bytes = bare(&bytes).ok_or_else(Problem::not_found)?;
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    Ok((headers, bytes).into_response())
}
