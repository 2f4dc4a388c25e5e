//! The search box in the top bar, which also takes what a scanner types: a code leads to its
//! certificate or its pack, a lot number or a code of the national platform to its lot, a sample number to its sample,
//! anything else to operators by name or credit code.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::get;
use tianyin_domain::certificate::Certificate;
use tianyin_domain::code::{self, CodeText};
use tianyin_domain::test::Test;

use super::error::Answer;
use super::packs;
use super::read::ListQuery;
use super::session::{Signed, encode, told};
use crate::app::App;
use crate::app::testing::Target;
use crate::texts::{t, tf};

/// Longest text looked at.
const TEXT_BYTES_MAX: usize = 256;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/search", get(search))
}

async fn search(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let text = query.q.trim();
    let scope = signed.scope();
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Ok(Redirect::to("/").into_response());
    }
    // A label's QR holds an address; the code is its last part.
    match code::parse(text.rsplit('/').next().unwrap_or(text)) {
        CodeText::Valid(code) => {
            return Ok(match app.store.get_scoped::<Certificate>(&code, &scope)? {
                Some(_) => Redirect::to(&format!("/certificates/{code}")).into_response(),
                None => match packs::place_of(&app, &signed, &code)? {
                    Some(place) => Redirect::to(&place).into_response(),
                    None => told("/certificates", false, t("search.unknown_code")),
                },
            });
        }
        CodeText::Mistyped => return Ok(told("/certificates", false, t("search.mistyped"))),
        CodeText::NotACode => {}
    }
    if let Some(place) = packs::place_of(&app, &signed, text)? {
        return Ok(Redirect::to(&place).into_response());
    }
    match app.target_of_text(text, &scope)? {
        Some(Target::Lot(lot)) => {
            return Ok(Redirect::to(&format!("/lots/{}", lot.id)).into_response());
        }
        Some(Target::Sample(one)) => {
            return Ok(Redirect::to(&format!("/samplings/{}", one.id)).into_response());
        }
        None => {}
    }
    if let Some(operator) = app.operator_of_national(text, &scope)? {
        return Ok(Redirect::to(&format!("/operators/{}", operator.id)).into_response());
    }
    if text.starts_with("tst_") && app.store.get_scoped::<Test>(text, &scope)?.is_some() {
        return Ok(Redirect::to(&format!("/tests/{text}")).into_response());
    }
    if !signed.is_staff() {
        return Ok(told("/lots", false, &tf("search.nothing", [("text", text)])));
    }
    Ok(Redirect::to(&format!("/operators?q={}", encode(text))).into_response())
}
