//! Codes of packs that show no certificate: how the code stands, and nothing of any lot.

use std::net::IpAddr;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tianyin_domain::State;
use tianyin_domain::code;
use tianyin_domain::scan_policy::ScanPolicy;

use super::page;
use crate::app::App;
use crate::app::codes::{Found, UnitStanding};
use crate::http::Problem;
use crate::texts::{Lang, t, t_in, tf_in};

/// The page of such a code, or the same as JSON; `None` when it is none. A look of `visitor` is counted.
pub(super) fn answer(
    app: &App,
    code: &str,
    lang: Lang,
    as_json: bool,
    visitor: Option<IpAddr>,
) -> Result<Option<Response>, Problem> {
    let Some(Found::Unit(standing)) = app.found(code)? else { return Ok(None) };
    if let Some(address) = visitor {
        app.scanned_from(code, address);
    }
    let state: &dyn State = &app.store;
    let reason = match &standing {
        UnitStanding::Void(reason) if ScanPolicy::of(state)?.void_reason => reason.as_str(),
        _ => "",
    };
    if as_json {
        return told(app, code, &standing, reason).map(Some);
    }
    let words = words_of(&standing);
    let note = match reason {
        "" => t_in(lang, &format!("public.{words}_note")).to_owned(),
        reason => tf_in(lang, "public.unit_void_reason", [("reason", reason)]),
    };
    let sign = match standing {
        // A pencil for what was not filled in yet, a cross for what must not be there, else a clock.
        UnitStanding::Blank => "M7 17l1-3.6 6.6-6.6 2.6 2.6-6.6 6.6zM5.6 19h12",
        UnitStanding::Waste | UnitStanding::Void(_) => "M7.5 7.5l9 9m0-9l-9 9",
        UnitStanding::Unbound | UnitStanding::NotCertified => "M12 6.5V12l3.5 2.2",
    };
    Ok(Some(page::told(app, lang, words, note, sign, code::grouped(code))))
}

/// Where the texts of a standing are.
pub(super) fn words_of(standing: &UnitStanding) -> &'static str {
    match standing {
        UnitStanding::Unbound => "unit_unbound",
        UnitStanding::Blank => "unit_blank",
        UnitStanding::NotCertified => "unit_not_certified",
        UnitStanding::Waste => "unit_waste",
        UnitStanding::Void(_) => "unit_void",
    }
}

fn told(app: &App, code: &str, standing: &UnitStanding, reason: &str) -> Result<Response, Problem> {
    let body = json!({
        "code": code,
        "kind": "unit",
        "status": standing.as_str(),
        "text": t(&format!("public.{}", words_of(standing))),
        "reason": Some(reason).filter(|reason| !reason.is_empty()),
        "county": app.county()?.map(|county| county.name),
    });
    let mut response = axum::Json(body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
