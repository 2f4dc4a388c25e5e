//! Showing a certificate on line (亮证, R-047): a small picture for shops and a small page for frames and live
//! streams. Both tell how the code stands at this moment; whoever copies the picture has copied a moment.

use std::sync::LazyLock;

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tianyin_domain::State;
use tianyin_domain::certificate::Certificate;
use tianyin_domain::code::{self, CodeText};
use tianyin_domain::id_card::IdCard;
use tianyin_domain::lot::Lot;
use tianyin_domain::scan_policy::ScanPolicy;

use super::id_card::card_of;
use super::page::{filters, policy_framed};
use super::scan::Look;
use super::view::{public_url, standing};
use super::warning::{Verdict, Warned};
use crate::app::App;
use crate::app::codes::Found;
use crate::http::Problem;
use crate::http::qr::{Drawn, drawn};
use crate::texts::{Lang, t_in};

const STYLE: &str = include_str!("../../../templates/public/embed.css");
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy_framed(STYLE, "*"));

/// Seconds that a badge may be kept: a crowd of viewers is served, and voiding shows at once all the same.
const KEPT: &str = "public, max-age=2";
/// Width of a Chinese character is one em, that of others about this.
const NARROW_EM: f32 = 0.62;
/// Room for text on the badge, in pixels: the block with the verdict, and beside it.
const WORD_PX: f32 = 54.0;
const TEXT_PX: f32 = 148.0;
/// Sizes of its texts, in pixels.
const WORD_SIZE: f32 = 13.0;
const TITLE_SIZE: f32 = 13.0;
const PRODUCT_SIZE: f32 = 12.0;
const COUNTY_SIZE: f32 = 10.0;

const UNKNOWN: Look = Look {
    tone: "miss",
    bar: "#343c37",
    colour: "#4a544d",
    sign: "M9 9.4a3 3 0 1 1 4.3 2.7c-.9.4-1.3 1-1.3 2.1M12 16.6v1.6",
    word: "public.unknown",
    seal: ("", ""),
};

/// What a badge tells of a code.
struct Told {
    look: Look,
    /// Key of what it is; empty when there is none.
    title: &'static str,
    county: String,
    product: String,
    producer: String,
    /// The code; empty when there is none.
    code: String,
}

/// How a code stands now. One that nobody gave out is told, too: a forger's shop shows that.
fn told(app: &App, text: &str) -> Result<Told, Problem> {
    let county = app.county()?.map(|county| county.name).unwrap_or_default();
    if let CodeText::Valid(code) = code::parse(text) {
        let state: &dyn State = &app.store;
        if let Some(Found::Certificate(record)) = app.found(&code)? {
            let missing = |what: &str| Problem::internal(format!("code {code}: no {what}"));
            let certificate: Certificate =
                state.get(&record.certificate)?.ok_or_else(|| missing("certificate"))?;
            let lot: Lot = state.get(&record.lot)?.ok_or_else(|| missing("lot"))?;
            let warned = Warned::of(&ScanPolicy::of(state)?, &record);
            return Ok(Told {
                look: Look::of(Verdict::of(standing(&certificate, &lot), warned)),
                title: "public.certificate_title",
                county,
                product: certificate.content.product,
                producer: certificate.content.producer,
                code,
            });
        }
        if let Some(card) = card_of(app, &code)? {
            return Ok(of_card(card, county));
        }
    }
    let none = String::new;
    Ok(Told { look: UNKNOWN, title: "", county, product: none(), producer: none(), code: none() })
}

fn of_card(card: IdCard, county: String) -> Told {
    let look = match card.edition {
        Some(_) => Look { word: "public.id_card_published", ..Look::of(Verdict::Valid) },
        None => Look { word: "public.id_card_gone", ..Look::of(Verdict::Void) },
    };
    let mut lines = card.edition.map(|edition| edition.content.lines).unwrap_or_default();
    let mut line = |code: &str| {
        let found = lines.iter_mut().find(|line| line.code == code);
        found.map(|line| std::mem::take(&mut line.value)).unwrap_or_default()
    };
    let (product, producer) = (line("product"), line("producer"));
    Told { look, title: "public.id_card_head", county, product, producer, code: card.code }
}

#[derive(Template)]
#[template(path = "public/badge.svg")]
struct Badge {
    look: Look,
    word: String,
    word_size: String,
    title: String,
    title_size: String,
    product: String,
    county: String,
    code: String,
    label: String,
}

/// The badge, 220 by 64 pixels.
pub(super) fn picture(app: &App, text: &str, lang: Lang) -> Result<Response, Problem> {
    let told = told(app, text)?;
    let (word, title) = (t_in(lang, told.look.word), t_in(lang, told.title));
    let code = code::grouped(&told.code);
    let said = [title, word, &told.product, &code];
    let said: Vec<&str> = said.into_iter().filter(|one| !one.is_empty()).collect();
    let badge = Badge {
        look: told.look,
        word: word.to_owned(),
        word_size: format!("{:.1}", WORD_SIZE.min(WORD_PX / ems(word).max(1.0))),
        title: title.to_owned(),
        title_size: format!("{:.1}", TITLE_SIZE.min(TEXT_PX / ems(title).max(1.0))),
        product: fitting(&told.product, PRODUCT_SIZE),
        county: fitting(&told.county, COUNTY_SIZE),
        label: said.join(" · "),
        code,
    };
    let svg = badge.render().map_err(Problem::internal)?;
    let policy = HeaderValue::from_static("default-src 'none'; sandbox");
    Ok(answer(&told.code, svg, "image/svg+xml", policy))
}

#[derive(Template)]
#[template(path = "public/embed.html")]
struct Frame {
    style: &'static str,
    lang: Lang,
    is_live: bool,
    look: Look,
    word: String,
    title: String,
    county: String,
    product: String,
    producer: String,
    code: String,
    qr: Option<Drawn>,
    hint: String,
}

/// The page for frames, 360 by 200 pixels; twice that for the picture of a live stream.
pub(super) fn frame(app: &App, text: &str, lang: Lang, is_live: bool) -> Result<Response, Problem> {
    let told = told(app, text)?;
    let qr = match told.code.as_str() {
        "" => None,
        code => drawn(&code::qr_text(&public_url(app)?, code)),
    };
    let known = told.code.clone();
    let frame = Frame {
        style: STYLE,
        lang,
        is_live,
        look: told.look,
        word: t_in(lang, told.look.word).to_owned(),
        title: t_in(lang, told.title).to_owned(),
        county: told.county,
        product: told.product,
        producer: told.producer,
        hint: t_in(lang, if qr.is_some() { "public.scan_me" } else { "public.unknown_note" })
            .into(),
        qr,
        code: told.code,
    };
    let page = frame.render().map_err(Problem::internal)?;
    Ok(answer(&known, page, "text/html; charset=utf-8", POLICY.clone()))
}

/// Other sites show it, so their own policies must not keep it out.
fn answer(code: &str, body: String, media: &'static str, policy: HeaderValue) -> Response {
    let status = if code.is_empty() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(KEPT));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    let for_all = HeaderValue::from_static("cross-origin");
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), for_all);
    response
}

fn ems(text: &str) -> f32 {
    text.chars().map(|c| if c.is_ascii() { NARROW_EM } else { 1.0 }).sum()
}

/// As much of a text as there is room for beside the verdict. A picture cannot measure: which fonts there
/// are, nobody here knows.
fn fitting(text: &str, size: f32) -> String {
    if ems(text) * size <= TEXT_PX {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        cut.push(c);
        if (ems(&cut) + 1.0) * size > TEXT_PX {
            cut.pop();
            break;
        }
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_short_ones_are_not() {
        assert_eq!(fitting("湘潭湘莲(干莲)", PRODUCT_SIZE), "湘潭湘莲(干莲)");
        let cut = fitting(&"长".repeat(40), PRODUCT_SIZE);
        assert!(cut.ends_with('…') && ems(&cut) * PRODUCT_SIZE <= TEXT_PX, "{cut}");
        assert!(cut.chars().count() >= 11, "{cut}");
        assert_eq!(fitting("", PRODUCT_SIZE), "");
    }
}
