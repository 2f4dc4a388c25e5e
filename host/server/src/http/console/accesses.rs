//! Who signed in and who took data out, for whoever answers for the accounts.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use tianyin_domain::access::{self, Access, AccessKind};
use tianyin_domain::user::User;

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html};
use super::read::{self, ListQuery};
use super::session::Signed;
use crate::app::App;
use crate::texts::t;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/accesses", get(list))
}

struct Line {
    access: Access,
    user: String,
}

#[derive(Template)]
#[template(path = "users/accesses.html")]
struct ListPage {
    page: Page,
    rows: Vec<Line>,
    chips: Vec<Chip>,
    pager: Pager,
    order: Order,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    signed.allocators_only()?;
    let scope = signed.scope();
    let order = Order::of(order::BY_TIME, &query.sort, address(&query.status));
    let part = (access::BY_KIND, query.status.as_str());
    let found = read::rows::<Access>(&app, &scope, part, &order, query.after.as_deref())?;
    let named = |access: Access| -> Result<Line, ConsoleError> {
        let user: Option<User> = app.store.get(&access.user)?;
        Ok(Line { user: user.map(|user| user.name).unwrap_or_default(), access })
    };
    let rows = found.items.into_iter().map(named).collect::<Result<_, _>>()?;
    let chip = |status: &str, text: String| -> Result<Chip, ConsoleError> {
        let count = app.store.count_in(access::BY_KIND, status, &scope)?;
        let href = self::address(status);
        Ok(Chip { href, text, count, on: query.status == status })
    };
    let mut chips = vec![chip("", t("lists.all").to_owned())?];
    for kind in AccessKind::ALL {
        chips.push(chip(kind.as_str(), kind.word())?);
    }
    order.keep(&mut chips);
    let page = Page::new(&app, &signed, "/users", "accesses.title");
    html(&ListPage { page, rows, chips, pager: found.pager, order })
}

fn address(status: &str) -> String {
    match status {
        "" => "/accesses".to_owned(),
        status => format!("/accesses?status={}", super::session::encode(status)),
    }
}
