//! Lots: the list, opening one at harvest, and its page with everything that happened to it.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::activity::Activity;
use tianyin_domain::certificate::{self, Certificate, CertificateStatus};
use tianyin_domain::collection::{self, Collection};
use tianyin_domain::command::Command;
use tianyin_domain::hold::{HoldLot, ReleaseLot};
use tianyin_domain::interval::{self, Warmth};
use tianyin_domain::lot::{self, Lot, LotRequest, LotStatus};
use tianyin_domain::operator::{Operator, OperatorStatus};
use tianyin_domain::product::{self, Product};
use tianyin_domain::site::{self, Site};
use tianyin_domain::step::{self, Step};
use tianyin_domain::test::{self, Test, TestVerdict};
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, Decimal, Scope};

use super::chain::{self, Picture};
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::meter::Meter;
use super::order::{self, Order};
use super::packs;
use super::page::{Chip, Page, Pager, html, refused};
use super::pick;
use super::read::{self, ListQuery, Rows};
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::App;
use crate::edge::now;
use crate::texts::t;

/// Newest lots looked at for those that wait for a certificate.
const READY_AMONG: usize = 200;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/lots", get(list).post(open))
        .route("/lots/new", get(new))
        .route("/lots/{id}", get(detail))
        .route("/lots/{id}/hold", post(hold))
        .route("/lots/{id}/release", post(release))
}

#[derive(Template)]
#[template(path = "lots/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    order: Order,
}

/// A lot as a list shows it.
pub struct Row {
    /// The lot.
    pub lot: Lot,
    /// Name of its operator.
    pub operator: String,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let scope = signed.scope();
    let own = signed.operator().unwrap_or(&query.operator);
    let after = query.after.as_deref();
    let timed = |address: String| Order::of(order::BY_TIME, &query.sort, address);
    let (found, order): (Rows<Lot>, Order) = match query.status.as_str() {
        "ready" => {
            let (items, address) = (ready(&app, &scope)?, "/lots?status=ready");
            let pager = Pager::new(address, None, items.len(), None);
            (Rows { pager, items }, Order::fixed(address))
        }
        status @ ("held" | "open") => {
            let order = timed(format!("/lots?status={status}"));
            (read::rows(&app, &scope, (lot::BY_STATUS, status), &order, after)?, order)
        }
        _ => {
            let address = match query.operator.as_str() {
                "" => "/lots".to_owned(),
                operator => format!("/lots?operator={}", super::session::encode(operator)),
            };
            let order = timed(address);
            (read::rows(&app, &scope, (lot::BY_OPERATOR, own), &order, after)?, order)
        }
    };
    let mut rows = Vec::with_capacity(found.items.len());
    for lot in found.items {
        let operator = read::operator_name(&app, &lot.operator)?;
        rows.push(Row { lot, operator });
    }
    let mut chips = chips(&app, &signed, &query)?;
    order.keep(&mut chips);
    let page = Page::new(&app, &signed, "/lots", "lots.title");
    html(&ListPage { page, rows, pager: found.pager, chips, order })
}

fn chips(app: &App, signed: &Signed, query: &ListQuery) -> Result<Vec<Chip>, ConsoleError> {
    let chip = |status: &str, text: String, count: Option<u64>| Chip {
        href: if status.is_empty() { "/lots".into() } else { format!("/lots?status={status}") },
        text,
        count,
        on: query.status == status,
    };
    let held = match signed.is_staff() {
        true => read::count(app, signed, lot::BY_STATUS, "held")?,
        false => None,
    };
    Ok(vec![
        chip("", t("lists.all").to_owned(), None),
        chip("ready", t("lots.ready").to_owned(), None),
        chip("held", LotStatus::Held.word(), held),
    ])
}

/// Free lots with a passing test and no certificate yet, among the newest.
pub fn ready(app: &App, scope: &Scope) -> Result<Vec<Lot>, ConsoleError> {
    let newest: Vec<Lot> = read::newest_in(app, scope, (lot::BY_STATUS, "open"), READY_AMONG)?;
    let state: &dyn tianyin_domain::State = &app.store;
    let mut out = Vec::new();
    for lot in newest {
        if lot.certified != Decimal::ZERO {
            continue;
        }
        let tests: Vec<Test> = state.list(test::BY_LOT, &lot.id, read::ROWS_WITHIN)?;
        if tests.iter().any(|t| t.verdict == TestVerdict::Pass && t.counts()) {
            out.push(lot);
        }
    }
    Ok(out)
}

#[derive(Template)]
#[template(path = "lots/new.html")]
struct NewPage {
    page: Page,
    operator: Operator,
    form: Form,
    products: Vec<Choice>,
    sites: Vec<Choice>,
    /// An interval is not over: it is open only with a reason.
    too_early: bool,
}

async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let page = Page::new(&app, &signed, "/lots", "lots.new");
    let Some(operator) = pick::operator_of(&app, &signed, &query)? else {
        return pick::ask(&app, &signed, &query, page, "/lots/new");
    };
    let today = china_date(now()).to_string();
    let form = Form::with("", &[("harvested_on", &today)]);
    html(&new_page(&app, &signed, operator, form)?)
}

fn new_page(
    app: &App,
    signed: &Signed,
    operator: Operator,
    form: Form,
) -> Result<NewPage, ConsoleError> {
    Ok(NewPage {
        page: Page::new(app, signed, "/lots", "lots.new"),
        products: product_choices(app, signed, &operator.id)?,
        sites: site_choices(app, signed, &operator.id)?,
        operator,
        form,
        too_early: false,
    })
}

/// Products of an operator, with their unit.
pub fn product_choices(
    app: &App,
    signed: &Signed,
    operator: &str,
) -> Result<Vec<Choice>, ConsoleError> {
    Ok(choices_among(&products_of(app, signed, operator)?))
}

/// Products of an operator, the newest first.
pub fn products_of(
    app: &App,
    signed: &Signed,
    operator: &str,
) -> Result<Vec<Product>, ConsoleError> {
    read::newest(app, signed, (product::BY_OPERATOR, operator), read::ROWS_WITHIN)
}

/// Products to choose from.
pub fn choices_among(products: &[Product]) -> Vec<Choice> {
    let label = |p: &Product| format!("{} ({})", p.name, p.unit);
    products.iter().map(|p| Choice::new(&p.id, label(p))).collect()
}

/// Sites of an operator.
pub fn site_choices(
    app: &App,
    signed: &Signed,
    operator: &str,
) -> Result<Vec<Choice>, ConsoleError> {
    let part = (site::BY_OPERATOR, operator);
    let all: Vec<Site> = read::newest(app, signed, part, read::ROWS_WITHIN)?;
    Ok(all.iter().map(|s| Choice::new(&s.id, &s.name)).collect())
}

async fn open(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    let (product, site) = (form.text_of("product"), form.text_of("site"));
    let quantity = form.decimal_of("quantity");
    let harvested_on = form.date_of("harvested_on");
    let mut too_early = form.optional("early_reason").is_some();
    if let (Some(quantity), Some(harvested_on), true) = (quantity, harvested_on, form.is_good()) {
        let early_reason = form.optional("early_reason");
        let request = LotRequest { product, site, quantity, harvested_on, early_reason };
        match app.open_lot(signed.actor(), &request, form.once()).await {
            Ok(outcome) => return Ok(done(&format!("/lots/{}", outcome.id), "lots.opened")),
            Err(error) => {
                too_early =
                    ["interval_not_over", "degree_days_not_reached"].contains(&error.code());
                form.refused(error)?;
            }
        }
    }
    form.summarise();
    let operator = signed.operator().unwrap_or(form.get("operator")).to_owned();
    let operator = read::one(&app, &signed, "operator", &operator)?;
    refused(&NewPage { too_early, ..new_page(&app, &signed, operator, form)? })
}

#[derive(Template)]
#[template(path = "lots/detail.html")]
struct DetailPage {
    page: Page,
    lot: Lot,
    operator: Operator,
    product: Option<Product>,
    site: Option<Site>,
    activities: Vec<Done>,
    tests: Vec<Measured>,
    certificates: Vec<Certificate>,
    steps: Vec<Step>,
    collections: Vec<Collection>,
    picture: Picture,
    /// Packs of which codes stand for it.
    units: Vec<packs::OfLot>,
}

/// An activity with the first day on which harvest is allowed after it.
pub struct Done {
    /// The activity.
    pub activity: Activity,
    /// Earliest harvest, when something with an interval was used.
    pub earliest: Option<Date>,
    /// The lot was harvested before that day.
    pub too_early: bool,
    /// What is wrong with the use.
    pub warnings: Vec<String>,
}

struct Measured {
    test: Test,
    meter: Meter,
}

impl DetailPage {
    fn left(&self) -> Decimal {
        self.lot.left()
    }

    fn on_hand(&self) -> Decimal {
        self.lot.on_hand()
    }

    fn unit_count(&self) -> u32 {
        self.units.iter().map(|one| one.count).sum()
    }

    fn has_national(&self) -> bool {
        !self.lot.national_code.is_empty() || !self.lot.national_short_code.is_empty()
    }

    fn may_set_national(&self) -> bool {
        self.page.may("set_national_code") && self.lot.status != LotStatus::Void
    }

    fn is_held(&self) -> bool {
        self.lot.status == LotStatus::Held
    }

    fn is_approved(&self) -> bool {
        self.operator.status == OperatorStatus::Approved
    }

    fn may_issue(&self) -> bool {
        self.lot.status == LotStatus::Open && self.left() > Decimal::ZERO
    }

    /// Goods that came from others: their proofs are shown.
    fn is_bought(&self) -> bool {
        self.lot.bought || !self.collections.is_empty()
    }

    fn has_pass(&self) -> bool {
        self.tests.iter().any(|m| m.test.verdict == TestVerdict::Pass && m.test.counts())
    }
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let lot: Lot = read::one(&app, &signed, "lot", &id)?;
    let operator = read::one(&app, &signed, "operator", &lot.operator)?;
    let product: Option<Product> = app.store.get(&lot.product)?;
    let line = app.line_of(&lot)?;
    let harvested_on = line.last().map_or(lot.harvested_on, |harvest| harvest.harvested_on);
    let records = app.records_of(&lot.site)?;
    let warmth = Warmth::of(&records);
    let own = records.iter().rev().filter(|one| line.iter().any(|lot| one.belongs_to(lot)));
    let told = |one: &Activity| Done {
        earliest: interval::earliest_harvest(one, &warmth),
        too_early: !interval::hindrances(&[one], &warmth, harvested_on).is_empty(),
        warnings: product.as_ref().map_or_else(Vec::new, |p| app.use_warnings(one, &records, p)),
        activity: one.clone(),
    };
    let activities = own.take(read::ROWS_WITHIN).map(told).collect();
    let steps = read::newest(&app, &signed, (step::BY_LOT, &lot.id), read::ROWS_WITHIN)?;
    let picture = chain::picture(&app, &signed, &lot)?;
    let tests: Vec<Test> = read::newest(&app, &signed, (test::BY_LOT, &lot.id), read::ROWS_WITHIN)?;
    let page = Page::new(&app, &signed, "/lots", "lots.title").titled(&lot.no);
    html(&DetailPage {
        page,
        operator,
        product,
        site: app.store.get(&lot.site)?,
        activities,
        steps,
        picture,
        collections: read::newest(&app, &signed, (collection::BY_LOT, &lot.id), read::ROWS_WITHIN)?,
        units: packs::of_lot(&app, &signed, &lot)?,
        tests: tests
            .into_iter()
            .map(|t| Measured { meter: Meter::of(&app, &t), test: t })
            .collect(),
        certificates: read::newest(
            &app,
            &signed,
            (certificate::BY_LOT, &lot.id),
            read::ROWS_WITHIN,
        )?,
        lot,
    })
}

async fn hold(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let reason = form.get("reason").to_owned();
    let command = Command::HoldLot(HoldLot { lot: id.clone(), reason });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/lots/{id}"), answer, "holds.held")
}

async fn release(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let Some(kind) = form.choice_of("kind") else {
        return Err(ConsoleError::not_found("lot", &id));
    };
    let command = ReleaseLot {
        lot: id.clone(),
        kind,
        reference: form.get("reference").to_owned(),
        reason: form.get("reason").to_owned(),
        test: form.optional("test"),
    };
    let command = Command::ReleaseLot(command);
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/lots/{id}"), answer, "holds.released")
}
