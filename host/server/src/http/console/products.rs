//! Products: the list over all operators, by class. A product is added on its operator's page.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use tianyin_domain::id_card::IdCard;
use tianyin_domain::product::{self, Product, ProductClass};

use super::error::{Answer, ConsoleError};
use super::filters;
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html};
use super::read::{self, ListQuery};
use super::register_export::Tools;
use super::session::Signed;
use crate::app::App;
use crate::app::registers::Register;

/// Address of the products of a class.
const OF_CLASS: &str = "/products?status=";

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/products", get(list))
}

#[derive(Template)]
#[template(path = "products/list.html")]
struct ListPage {
    page: Page,
    tools: Tools,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    order: Order,
}

struct Row {
    product: Product,
    operator: String,
    card: Option<IdCard>,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let class = ProductClass::ALL.into_iter().find(|one| one.as_str() == query.status);
    let (part, address) = match (signed.operator(), class) {
        (Some(own), _) => ((product::BY_OPERATOR, own), "/products".to_owned()),
        (None, Some(class)) => {
            ((product::BY_CLASS, class.as_str()), format!("{OF_CLASS}{}", class.as_str()))
        }
        (None, None) => ((product::BY_OPERATOR, ""), "/products".to_owned()),
    };
    let order = Order::of(order::BY_TIME, &query.sort, address);
    let found = read::rows::<Product>(&app, &signed.scope(), part, &order, query.after.as_deref())?;
    let mut rows = Vec::with_capacity(found.items.len());
    for product in found.items {
        let operator = read::operator_name(&app, &product.operator)?;
        let card = app.id_card_of(&product.id)?;
        rows.push(Row { product, operator, card });
    }
    let mut chips = chips(&app, &signed, class)?;
    order.keep(&mut chips);
    let page = Page::new(&app, &signed, "/products", "products.title");
    let class = class.map(ProductClass::as_str).unwrap_or_default();
    let tools = Tools::of(Register::Products, &signed, &[("status", class)]);
    html(&ListPage { page, tools, rows, pager: found.pager, chips, order })
}

/// A producer has few products: there is nothing to choose from.
fn chips(app: &App, signed: &Signed, on: Option<ProductClass>) -> Result<Vec<Chip>, ConsoleError> {
    if !signed.is_staff() {
        return Ok(Vec::new());
    }
    let count = read::count(app, signed, product::BY_OPERATOR, "")?;
    let mut chips = vec![Chip::every("/products", count, on.is_none())];
    let all = &ProductClass::ALL;
    chips.extend(read::switches(app, signed, OF_CLASS, product::BY_CLASS, all, on)?);
    Ok(chips)
}
