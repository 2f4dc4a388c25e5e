//! Choosing an operator before a form that needs one: a search box and its hits, one question at a
//! time. A producer acts for one operator and is never asked.

use askama::Template;
use tianyin_domain::operator::Operator;

use super::error::{Answer, ConsoleError};
use super::filters;
use super::page::{Page, html};
use super::read::{self, ListQuery};
use super::session::Signed;
use crate::app::App;

/// Operators offered.
const OFFERED_MAX: usize = 20;

#[derive(Template)]
#[template(path = "pick_operator.html")]
struct PickPage {
    page: Page,
    address: String,
    q: String,
    hits: Vec<Operator>,
}

/// The operator that the form is about, if it is known.
pub fn operator_of(
    app: &App,
    signed: &Signed,
    query: &ListQuery,
) -> Result<Option<Operator>, ConsoleError> {
    let id = signed.operator().unwrap_or(&query.operator);
    if id.is_empty() { Ok(None) } else { read::one(app, signed, "operator", id).map(Some) }
}

/// The page that asks for it; a choice leads to `address` with the operator named.
pub fn ask(app: &App, signed: &Signed, query: &ListQuery, page: Page, address: &str) -> Answer {
    let hits = read::search_operators(app, &signed.scope(), &query.q, OFFERED_MAX)?;
    html(&PickPage { page, address: address.to_owned(), q: query.q.clone(), hits })
}
