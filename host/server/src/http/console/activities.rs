//! Production records: the list, one record, and the form that growers fill in on a phone.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::activity::{
    self, Activity, ActivityKind, CorrectActivity, RecordActivity, StrikeActivity,
};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::interval::{Warmth, earliest_harvest};
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::operator::Operator;
use tianyin_domain::product::Product;
use tianyin_domain::site::Site;
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, Decimal};

use super::activity_told::{self, Told};
use super::blobs::{self, Waiting};
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Field, Form};
use super::input_pick;
use super::lots::{choices_among, products_of, site_choices};
use super::order::{self, Order};
use super::page::{Page, Pager, html, refused};
use super::pick;
use super::procedures::{self, Procedures};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::App;
use crate::edge::now;
use crate::texts::t;

/// Lots offered on the form.
const LOTS_OFFERED: usize = 20;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/activities", get(list).post(record))
        .route("/activities/new", get(new))
        .route("/activities/{id}", get(detail))
        .route("/activities/{id}/correct", get(correction).post(correct))
        .route("/activities/{id}/strike", post(strike))
}

#[derive(Template)]
#[template(path = "activities/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    order: Order,
}

/// A record with the names of what it refers to.
struct Row {
    activity: Activity,
    operator: String,
    site: String,
    product: String,
    earliest: Option<Date>,
}

/// A record in a list, where water is not looked at.
fn named(app: &App, activity: Activity) -> Result<Row, ConsoleError> {
    let product: Option<Product> = app.store.get(&activity.product)?;
    row_of(app, activity, product, &Warmth::default())
}

fn row_of(
    app: &App,
    activity: Activity,
    product: Option<Product>,
    warmth: &Warmth,
) -> Result<Row, ConsoleError> {
    let site: Option<Site> = app.store.get(&activity.site)?;
    Ok(Row {
        operator: read::operator_name(app, &activity.operator)?,
        site: site.map(|s| s.name).unwrap_or_default(),
        product: product.map(|p| p.name).unwrap_or_default(),
        earliest: earliest_harvest(&activity, warmth),
        activity,
    })
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let part = (activity::BY_OPERATOR, signed.operator().unwrap_or_default());
    let order = Order::of(order::BY_TIME, &query.sort, "/activities");
    let found =
        read::rows::<Activity>(&app, &signed.scope(), part, &order, query.after.as_deref())?;
    let rows: Result<_, _> = found.items.into_iter().map(|a| named(&app, a)).collect();
    let page = Page::new(&app, &signed, "/activities", "activities.title");
    html(&ListPage { page, rows: rows?, pager: found.pager, order })
}

#[derive(Template)]
#[template(path = "activities/detail.html")]
struct DetailPage {
    page: Page,
    row: Row,
    lot: Option<Lot>,
    /// Whether the person may put it right.
    may_correct: bool,
    /// What is wrong with the use.
    warnings: Vec<String>,
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let activity: Activity = read::one(&app, &signed, "activity", &id)?;
    let lot = match &activity.lot {
        Some(lot) => app.store.get_scoped(lot, &signed.scope())?,
        None => None,
    };
    let page =
        Page::new(&app, &signed, "/activities", "activities.title").titled(activity.kind.word());
    let records = app.records_of(&activity.site)?;
    let product: Option<Product> = app.store.get(&activity.product)?;
    let warnings = product.as_ref().map(|product| app.use_warnings(&activity, &records, product));
    let may_correct = activity.counts() && signed.may(CommandKind::CorrectActivity);
    let row = row_of(&app, activity, product, &Warmth::of(&records))?;
    html(&DetailPage { page, row, lot, may_correct, warnings: warnings.unwrap_or_default() })
}

#[derive(Template)]
#[template(path = "activities/new.html")]
struct NewPage {
    page: Page,
    operator: Operator,
    form: Form,
    kinds: Vec<Choice>,
    sites: Vec<Choice>,
    products: Vec<Choice>,
    lots: Vec<Choice>,
    input: Field,
    told: Told,
    /// Templates of the product's technical procedure.
    procedures: Procedures,
    /// Whether water is measured: the operator keeps fish.
    has_water: bool,
    /// Where the list of inputs is fetched from as somebody types.
    input_search: String,
    waiting: Vec<Waiting>,
    action: String,
    /// Whether it is to take the place of another record.
    corrects: bool,
}

async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(fields): Query<Vec<(String, String)>>,
) -> Answer {
    let given = Form::sent(fields);
    let page = Page::new(&app, &signed, "/activities", "activities.new");
    let query = ListQuery {
        operator: given.get("operator").to_owned(),
        q: given.get("q").to_owned(),
        ..ListQuery::default()
    };
    let lot: Option<Lot> = match given.get("lot") {
        "" => None,
        lot => Some(read::one(&app, &signed, "lot", lot)?),
    };
    let query = match &lot {
        Some(lot) => ListQuery { operator: lot.operator.clone(), ..query },
        None => query,
    };
    let Some(operator) = pick::operator_of(&app, &signed, &query)? else {
        return pick::ask(&app, &signed, &query, page, "/activities/new");
    };
    let mut form = first_values(&app, &signed, &operator, lot.as_ref())?;
    if !given.get("again").is_empty() {
        let model: Activity = read::one(&app, &signed, "activity", given.get("again"))?;
        form = as_form(&Activity {
            date: china_date(now()),
            stopped_on: None,
            lot: None,
            attachments: Vec::new(),
            water_tenths: None,
            ..model
        });
    }
    if !given.get("step").is_empty() {
        procedures::fill(&app, &given, &mut form);
    }
    html(&new_page(&app, &signed, operator, form)?)
}

/// The form as it would have been sent for a record.
fn as_form(activity: &Activity) -> Form {
    let mut form = Form::sent(blobs::fields_of(&activity.attachments).collect());
    form.set("site", &activity.site);
    form.set("product", &activity.product);
    form.set("kind", activity.kind.as_str());
    form.set("date", activity.date.to_string());
    form.set("stopped_on", activity.stopped_on.map(|day| day.to_string()).unwrap_or_default());
    form.set("lot", activity.lot.clone().unwrap_or_default());
    form.set("note", &activity.note);
    let celsius = activity.water_tenths.map(|tenths| Decimal::new(i64::from(tenths), 1));
    form.set("water", celsius.map(|one| one.normalize().to_string()).unwrap_or_default());
    if let Some(input) = &activity.input {
        form.set("input", &input.input);
        form.set("dose", &input.dose);
    }
    form
}

async fn correction(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let wrong: Activity = read::one(&app, &signed, "activity", &id)?;
    let operator = read::one(&app, &signed, "operator", &wrong.operator)?;
    let page = new_page(&app, &signed, operator, as_form(&wrong))?;
    html(&correcting(&app, &signed, page, &id))
}

/// The form of a new record, to take the place of a wrong one.
fn correcting(app: &App, signed: &Signed, new: NewPage, wrong: &str) -> NewPage {
    let action = format!("/activities/{wrong}/correct");
    let page = Page::new(app, signed, "/activities", "activities.correct");
    NewPage { page, action, corrects: true, ..new }
}

async fn correct(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let wrong: Activity = read::one(&app, &signed, "activity", &id)?;
    let data = read_activity(&mut form);
    let reason = form.text_of("reason");
    if let (Some(data), true) = (data, form.is_good()) {
        let command = CorrectActivity { activity: id.clone(), data, reason };
        match app.correct_activity(signed.actor(), command, form.once()).await {
            Ok(outcome) => {
                let to = format!("/activities/{}", outcome.id);
                return Ok(done(&to, "activities.corrected"));
            }
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    let operator = read::one(&app, &signed, "operator", &wrong.operator)?;
    let page = new_page(&app, &signed, operator, form)?;
    refused(&correcting(&app, &signed, page, &id))
}

async fn strike(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let activity: Activity = read::one(&app, &signed, "activity", &id)?;
    let reason = form.get("reason").to_owned();
    let command = Command::StrikeActivity(StrikeActivity { activity: activity.id, reason });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/activities/{id}"), answer, "activities.struck")
}

/// What was entered last for this operator is offered again; a lot fixes site and product.
fn first_values(
    app: &App,
    signed: &Signed,
    operator: &Operator,
    lot: Option<&Lot>,
) -> Result<Form, ConsoleError> {
    let last: Vec<Activity> = read::newest(app, signed, (activity::BY_OPERATOR, &operator.id), 1)?;
    let mut form = Form::default();
    form.set("date", china_date(now()).to_string());
    if let Some(last) = last.first() {
        form.set("site", &last.site);
        form.set("product", &last.product);
    }
    if let Some(lot) = lot {
        form.set("site", &lot.site);
        form.set("product", &lot.product);
        form.set("lot", &lot.id);
    }
    Ok(form)
}

fn new_page(
    app: &App,
    signed: &Signed,
    operator: Operator,
    form: Form,
) -> Result<NewPage, ConsoleError> {
    let recent: Vec<Lot> =
        read::newest(app, signed, (lot::BY_OPERATOR, &operator.id), LOTS_OFFERED)?;
    let mut lots = vec![Choice::new("", t("activities.whole_site"))];
    lots.extend(recent.iter().map(|l| Choice::new(&l.id, format!("{} {}", l.no, l.product_name))));
    let form = form.of("activity");
    let input = input_pick::field(app, signed, &operator.id, &form)?;
    let told = activity_told::of(app, signed, &mut form.clone())?;
    let own = products_of(app, signed, &operator.id)?;
    let kinds = kinds_of(&own, form.get("kind"));
    let mut offered = form.clone();
    offered.set("operator", &operator.id);
    if let ("", Some(first)) = (offered.get("product"), own.first()) {
        // The first of the list is what the form shows.
        let first = first.id.clone();
        offered.set("product", first);
    }
    Ok(NewPage {
        procedures: procedures::of(app, signed, &offered)?,
        page: Page::new(app, signed, "/activities", "activities.new"),
        has_water: kinds.contains(&ActivityKind::WaterQuality),
        kinds: Choice::words(&kinds),
        sites: site_choices(app, signed, &operator.id)?,
        products: choices_among(&own),
        waiting: blobs::waiting(&form),
        input_search: format!("/inputs/choices?operator={}", operator.id),
        form,
        lots,
        input,
        told,
        operator,
        action: "/activities".to_owned(),
        corrects: false,
    })
}

/// Kinds of work offered: those of the industries that the operator's products are of.
fn kinds_of(products: &[Product], chosen: &str) -> Vec<ActivityKind> {
    let fits = |kind: &ActivityKind| {
        kind.as_str() == chosen
            || products.is_empty()
            || products.iter().any(|one| kind.is_of(one.class.industry()))
    };
    ActivityKind::ALL.into_iter().filter(fits).collect()
}

/// What the form says; `None` when it cannot be understood.
fn read_activity(form: &mut Form) -> Option<RecordActivity> {
    let (site, product) = (form.text_of("site"), form.text_of("product"));
    let kind: Option<ActivityKind> = form.choice_of("kind");
    let stopped_on = form.optional_date("stopped_on");
    let date = form.date_of("date");
    let attachments = blobs::attachments_of(form);
    let water = match form.get("water") {
        "" => None,
        _ => form.decimal_of("water"),
    };
    let water_tenths = water.and_then(|celsius| i32::try_from(celsius * Decimal::TEN).ok());
    Some(RecordActivity {
        site,
        product,
        lot: form.optional("lot"),
        kind: kind?,
        date: date?,
        stopped_on,
        input: form.optional("input"),
        dose: form.get("dose").to_owned(),
        note: form.get("note").to_owned(),
        water_tenths,
        attachments,
    })
}

async fn record(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    let command = read_activity(&mut form);
    if let (Some(command), true) = (command, form.is_good()) {
        let to = match &command.lot {
            Some(lot) => format!("/lots/{lot}"),
            None => "/activities".to_owned(),
        };
        match app.record_activity(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done(&to, "activities.recorded")),
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    let operator = signed.operator().unwrap_or(form.get("operator")).to_owned();
    let operator = read::one(&app, &signed, "operator", &operator)?;
    refused(&new_page(&app, &signed, operator, form)?)
}
