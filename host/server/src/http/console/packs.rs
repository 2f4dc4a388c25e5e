//! Packs of codes: the list, ordering one, and the look-up that tells of a code which pack it is of.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::get;
use serde::Deserialize;
use tianyin_domain::Scope;
use tianyin_domain::command::CommandKind;
use tianyin_domain::lot::Lot;
use tianyin_domain::operator::Operator;
use tianyin_domain::pack::{self, OrderPack, Pack, PackCounts, PackKind};

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::lots::product_choices;
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html, refused};
use super::pick;
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, encode, told};
use crate::app::App;
use crate::app::codes::last_part;
use crate::app::packs::Seen;
use crate::texts::t;

/// Packs of one lot that its page tells.
const OF_LOT_MAX: usize = 50;
/// Sizes that are offered by a button.
const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Address of the packs of a kind.
const OF_KIND: &str = "/packs?kind=";

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/packs", get(list).post(add))
        .route("/packs/new", get(new))
        .route("/packs/look", get(look))
}

/// How many codes of a pack stand how, drawn.
#[derive(Debug, Clone, Template)]
#[template(path = "packs/_bar.html")]
pub struct Bar {
    counts: PackCounts,
    parts: Vec<Part>,
}

impl askama::filters::HtmlSafe for Bar {}

#[derive(Debug, Clone)]
struct Part {
    class: &'static str,
    x: u64,
    width: u64,
}

impl Bar {
    /// Width of the drawing.
    const WIDTH: u64 = 206;

    /// The drawing of a pack. What is not nothing is seen, however little it is.
    pub fn of(pack: &Seen) -> Self {
        let (counts, size) = (pack.counts(), u64::from(pack.size().max(1)));
        let told = [
            ("bar-named", counts.bound),
            ("bar-whole", counts.assigned),
            ("bar-none", counts.waste),
            ("stat-fail", counts.void),
        ];
        let (mut parts, mut before) = (Vec::new(), 0);
        for (class, count) in told.into_iter().filter(|(_, count)| *count > 0) {
            let at = |codes: u64| codes * Self::WIDTH / size;
            let (x, end) = (at(before).min(Self::WIDTH - 1), at(before + u64::from(count)));
            parts.push(Part { class, x, width: end.saturating_sub(x).max(1) });
            before += u64::from(count);
        }
        Self { counts, parts }
    }
}

/// What the address of the list may ask for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PacksQuery {
    after: Option<String>,
    kind: String,
    sort: String,
}

#[derive(Template)]
#[template(path = "packs/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    order: Order,
}

/// A pack as a list shows it.
struct Row {
    pack: Pack,
    /// Whether all of it is seen.
    whole: bool,
    size: String,
    operator: String,
    bar: Bar,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<PacksQuery>,
) -> Answer {
    let kind = PackKind::ALL.into_iter().find(|kind| kind.as_str() == query.kind);
    let (scope, mut listed) = (signed.scope(), signed.scope());
    let (part, address) = match (signed.operator(), kind) {
        (Some(own), _) => {
            // Also the county's, of which codes were handed out to it: each is cut to those below.
            listed = Scope::everything();
            ((pack::BY_HOLDER, own), "/packs".to_owned())
        }
        (None, Some(kind)) => {
            ((pack::BY_KIND, kind.as_str()), format!("{OF_KIND}{}", kind.as_str()))
        }
        (None, None) => ((pack::BY_KIND, ""), "/packs".to_owned()),
    };
    let order = Order::of(order::BY_TIME, &query.sort, address);
    let found = read::rows::<Pack>(&app, &listed, part, &order, query.after.as_deref())?;
    let mut rows = Vec::with_capacity(found.items.len());
    for seen in found.items.into_iter().filter_map(|pack| Seen::of(pack, &scope)) {
        let operator = read::operator_name(&app, &seen.pack.operator)?;
        let (bar, size) = (Bar::of(&seen), thousands(seen.size()));
        rows.push(Row { operator, bar, size, whole: seen.whole, pack: seen.pack });
    }
    let mut chips = match signed.is_staff() {
        true => read::chips(&app, &signed, OF_KIND, pack::BY_KIND, &PackKind::ALL, kind)?,
        false => Vec::new(),
    };
    order.keep(&mut chips);
    let page = Page::new(&app, &signed, "/packs", "packs.title");
    html(&ListPage { page, rows, pager: found.pager, chips, order })
}

/// What the address of the form may ask for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct NewQuery {
    operator: String,
    /// Words to find an operator by; there while one is being chosen.
    q: Option<String>,
}

#[derive(Template)]
#[template(path = "packs/new.html")]
struct NewPage {
    page: Page,
    form: Form,
    kinds: Vec<Choice>,
    sizes: Vec<(u32, String)>,
    /// For whom; anybody where there is none.
    operator: Option<Operator>,
    products: Vec<Choice>,
    /// Whether it may be for anybody.
    for_all: bool,
}

async fn new(State(app): State<Arc<App>>, signed: Signed, Query(query): Query<NewQuery>) -> Answer {
    orderers_only(&signed)?;
    let asked = !query.operator.is_empty();
    if !asked && (query.q.is_some() || !app.sees_county(&signed.scope())?) {
        let page = Page::new(&app, &signed, "/packs", "packs.new");
        let words = ListQuery { q: query.q.unwrap_or_default(), ..ListQuery::default() };
        return pick::ask(&app, &signed, &words, page, "/packs/new");
    }
    let form = Form::with("", &[("kind", "unit"), ("operator", query.operator.as_str())]);
    html(&new_page(&app, &signed, form)?)
}

fn orderers_only(signed: &Signed) -> Result<(), ConsoleError> {
    if signed.may(CommandKind::OrderPack) { Ok(()) } else { Err(ConsoleError::forbidden()) }
}

fn new_page(app: &App, signed: &Signed, form: Form) -> Result<NewPage, ConsoleError> {
    let operator: Option<Operator> = match form.get("operator") {
        "" => None,
        id => Some(read::one(app, signed, "operator", id)?),
    };
    let mut products = vec![Choice::new("", t("packs.any_product"))];
    if let Some(operator) = &operator {
        products.extend(product_choices(app, signed, &operator.id)?);
    }
    Ok(NewPage {
        page: Page::new(app, signed, "/packs", "packs.new"),
        kinds: Choice::words(&PackKind::ALL),
        sizes: SIZES.map(|size| (size, thousands(size))).to_vec(),
        for_all: app.sees_county(&signed.scope())?,
        form: form.of("pack"),
        operator,
        products,
    })
}

/// `1,000,000`.
pub fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

async fn add(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    orderers_only(&signed)?;
    let kind: Option<PackKind> = form.choice_of("kind");
    let size = form.whole_of("size");
    if let (Some(kind), Some(size), true) = (kind, size, form.is_good()) {
        let order = OrderPack {
            kind,
            size,
            operator: form.optional("operator"),
            product: form.optional("product"),
            scratch: form.ticked("scratch"),
            note: form.get("note").to_owned(),
            key_check: String::new(),
        };
        match app.order_pack(signed.actor(), order, form.once()).await {
            Ok(outcome) => return Ok(done(&format!("/packs/{}", outcome.id), "packs.ordered")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&new_page(&app, &signed, form)?)
}

/// What was typed or scanned.
#[derive(Default, Deserialize)]
#[serde(default)]
struct LookQuery {
    code: String,
}

async fn look(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<LookQuery>,
) -> Answer {
    Ok(match place_of(&app, &signed, &query.code)? {
        Some(place) => Redirect::to(&place).into_response(),
        None => told("/packs", false, t("packs.unknown_code")),
    })
}

/// The page that tells of a code or number of a pack in sight.
pub fn place_of(app: &App, signed: &Signed, text: &str) -> Result<Option<String>, ConsoleError> {
    let found = app.packed_meant(text, &signed.scope())?;
    Ok(found.map(|one| format!("/packs/{}?code={}", one.pack.id, encode(last_part(text)))))
}

/// Codes of one pack that stand for a lot.
pub struct OfLot {
    /// The pack.
    pub pack: Pack,
    /// How many of its codes.
    pub count: u32,
    /// Whether the pack itself is in sight.
    pub seen: bool,
}

/// Packs of which codes stand for a lot, with how many.
pub fn of_lot(app: &App, signed: &Signed, lot: &Lot) -> Result<Vec<OfLot>, ConsoleError> {
    let part = (pack::BY_LOT, lot.id.as_str());
    let packs: Vec<Pack> = app.store.newest(part, &Scope::everything(), OF_LOT_MAX)?;
    let scope = signed.scope();
    let told = packs.into_iter().map(|pack| OfLot {
        count: pack.bound_to(&lot.id),
        seen: Seen::of(pack.clone(), &scope).is_some(),
        pack,
    });
    Ok(told.filter(|one| one.count > 0).collect())
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn numbers_are_set_in_threes() {
        let told = [1, 999, 1_000, 100_000, 1_000_000].map(thousands);
        assert_eq!(told, ["1", "999", "1,000", "100,000", "1,000,000"]);
    }
}
