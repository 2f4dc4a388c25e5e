//! Products: the list over all operators. A product is added on its operator's page.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use tianyin_domain::product::{self, Product};

use super::error::Answer;
use super::filters;
use super::page::{Page, Pager, html};
use super::read::{self, ListQuery};
use super::session::Signed;
use crate::app::App;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/products", get(list))
}

#[derive(Template)]
#[template(path = "products/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
}

struct Row {
    product: Product,
    operator: String,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let part = (product::BY_OPERATOR, signed.operator().unwrap_or_default());
    let found =
        read::rows::<Product>(&app, &signed.scope(), part, "/products", query.after.as_deref())?;
    let mut rows = Vec::with_capacity(found.items.len());
    for product in found.items {
        let operator = read::operator_name(&app, &product.operator)?;
        rows.push(Row { product, operator });
    }
    let page = Page::new(&app, &signed, "/products", "products.title");
    html(&ListPage { page, rows, pager: found.pager })
}
