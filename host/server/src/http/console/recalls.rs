//! Recalls: the list, what one would reach before it is begun, how far it is with each lot, notices to
//! print and lists to hand out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::certificate::{self, Certificate, CertificateStatus};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::kinship::Relative;
use tianyin_domain::lot::Lot;
use tianyin_domain::recall::{
    self, CloseRecall, Disposal, NoteRecall, Recall, RecallCause, RecallNote, RecallRequest,
    RecallStatus,
};
use tianyin_domain::step::{self, Step, StepKind};
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, Decimal, Scope};

use super::blobs::{self, Waiting};
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::order::{self, Order};
use super::page::{Page, Pager, html, refused};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not};
use super::sheet::{Format, Outgoing, hand_out};
use crate::app::App;
use crate::edge::now;
use crate::http::ClientAddr;
use crate::texts::t;

/// Lots that the page of a recall lists; all of them are in its sheet.
const LOTS_SHOWN: usize = 200;
/// Lots that notices are printed for at once.
const NOTICES_MAX: usize = 2_000;
/// Steps and certificates of one lot that are told.
const OF_LOT_MAX: usize = 200;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/recalls", get(list).post(start))
        .route("/recalls/new", get(new))
        .route("/recalls/{id}", get(detail))
        .route("/recalls/{id}/close", post(close))
        .route("/recalls/{id}/notices", get(notices))
        .route("/recalls/{id}/export.csv", get(export))
        .route("/recalls/{id}/export.xlsx", get(export))
        .route("/recalls/{id}/lots/{lot}", get(lot_page).post(note))
}

#[derive(Template)]
#[template(path = "recalls/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Recall>,
    pager: Pager,
    order: Order,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    signed.staff_only()?;
    let order = Order::of(order::BY_TIME, &query.sort, "/recalls");
    // That there is a recall is for all of the county's people to know; its lots are cut to their sight.
    let everything = Scope::everything();
    let found = read::rows(&app, &everything, (recall::ALL, ""), &order, query.after.as_deref())?;
    let page = Page::new(&app, &signed, "/recalls", "recalls.title");
    html(&ListPage { page, rows: found.items, pager: found.pager, order })
}

/// What a recall reaches, in figures.
#[derive(Default)]
struct Figures {
    lots: usize,
    operators: usize,
    certified: usize,
    shipped: usize,
    /// Lots that are on nobody's list to do any more.
    done: usize,
}

/// A lot of a recall with all that is told of it.
struct Row {
    lot: Lot,
    operator: String,
    note: Option<RecallNote>,
}

impl Row {
    fn disposal(&self) -> Disposal {
        self.note.as_ref().map_or(Disposal::Waiting, |note| note.disposal)
    }
}

#[derive(Template)]
#[template(path = "recalls/new.html")]
struct NewPage {
    page: Page,
    form: Form,
    title: String,
    figures: Figures,
    /// Whether a period is asked for.
    by_period: bool,
    /// The first lots that it would reach.
    rows: Vec<Row>,
}

async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(fields): Query<Vec<(String, String)>>,
) -> Answer {
    signed.staff_only()?;
    html(&new_page(&app, &signed, Form::sent(fields))?)
}

fn request_of(form: &mut Form) -> Option<RecallRequest> {
    let cause: Option<RecallCause> = form.choice_of("cause");
    let (from, to) = (form.optional_date("from"), form.optional_date("to"));
    Some(RecallRequest {
        reason: form.get("reason").to_owned(),
        cause: cause?,
        of: form.get("of").to_owned(),
        from,
        to,
        drill: form.ticked("drill"),
    })
}

fn new_page(app: &App, signed: &Signed, mut form: Form) -> Result<NewPage, ConsoleError> {
    let Some(request) = request_of(&mut form) else {
        return Err(ConsoleError::not_found("recall", ""));
    };
    let roots = app.roots_of(&request)?;
    let reached = in_sight(app, &signed.scope(), &roots.lots, &HashMap::new())?;
    let rows = rows_of(app, &reached.ids, &mut HashMap::new())?;
    let (title, figures) = (roots.title, reached.figures);
    let by_period = matches!(request.cause, RecallCause::Input | RecallCause::Site);
    let page = Page::new(app, signed, "/recalls", "recalls.new");
    Ok(NewPage { page, form: form.of("recall"), title, figures, by_period, rows })
}

/// Lots of a recall in the person's sight.
struct InSight {
    ids: Vec<String>,
    figures: Figures,
}

fn in_sight(
    app: &App,
    scope: &Scope,
    roots: &[String],
    notes: &HashMap<String, RecallNote>,
) -> Result<InSight, ConsoleError> {
    let found = app.relatives(roots, |found| {
        let seen: Vec<Relative<'_>> = found.into_iter().filter(|one| one.is_in(scope)).collect();
        let operators: BTreeSet<&str> = seen.iter().map(|one| one.operator).collect();
        let is_done =
            |one: &&Relative<'_>| notes.get(&one.id).is_some_and(|note| note.disposal.is_done());
        let figures = Figures {
            lots: seen.len(),
            operators: operators.len(),
            certified: seen.iter().filter(|one| one.certified).count(),
            shipped: seen.iter().filter(|one| one.shipped).count(),
            done: seen.iter().filter(is_done).count(),
        };
        InSight { figures, ids: seen.into_iter().map(|one| one.id).collect() }
    });
    Ok(found?)
}

/// The first lots, as the page lists them.
fn rows_of(
    app: &App,
    ids: &[String],
    notes: &mut HashMap<String, RecallNote>,
) -> Result<Vec<Row>, ConsoleError> {
    let mut rows = Vec::new();
    for id in ids.iter().take(LOTS_SHOWN) {
        let Some(lot) = app.store.get::<Lot>(id)? else { continue };
        let operator = read::operator_name(app, &lot.operator)?;
        let note = notes.remove(&lot.id);
        rows.push(Row { lot, operator, note });
    }
    Ok(rows)
}

async fn start(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    form.text_of("reason");
    if let (Some(request), true) = (request_of(&mut form), form.is_good()) {
        match app.start_recall(signed.actor(), &request, form.once()).await {
            Ok(outcome) => return Ok(done(&format!("/recalls/{}", outcome.id), "recalls.started")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&new_page(&app, &signed, form)?)
}

#[derive(Template)]
#[template(path = "recalls/detail.html")]
struct DetailPage {
    page: Page,
    recall: Recall,
    started_by: String,
    figures: Figures,
    rows: Vec<Row>,
    /// Lots in sight that are not listed for want of room.
    more: usize,
    may_close: bool,
}

impl DetailPage {
    fn is_running(&self) -> bool {
        self.recall.status == RecallStatus::Running
    }
}

/// A recall with its lots in the person's sight, and the notes on them by lot.
struct Reached {
    recall: Recall,
    lots: InSight,
    notes: HashMap<String, RecallNote>,
}

fn reached(app: &App, signed: &Signed, id: &str) -> Result<Reached, ConsoleError> {
    signed.staff_only()?;
    let recall: Recall = app.store.get(id)?.ok_or_else(|| ConsoleError::not_found("recall", id))?;
    let mut notes = HashMap::new();
    app.store.each((recall::NOTES, id), |note: RecallNote| {
        notes.insert(note.lot.clone(), note);
    })?;
    let lots = in_sight(app, &signed.scope(), &recall.roots, &notes)?;
    Ok(Reached { recall, lots, notes })
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let Reached { recall, lots, mut notes } = reached(&app, &signed, &id)?;
    let running = recall.status == RecallStatus::Running;
    html(&DetailPage {
        page: Page::new(&app, &signed, "/recalls", "recalls.title").titled(&recall.title),
        started_by: read::person(&app, &recall.started_by),
        rows: rows_of(&app, &lots.ids, &mut notes)?,
        more: lots.ids.len().saturating_sub(LOTS_SHOWN),
        figures: lots.figures,
        may_close: running && signed.may(CommandKind::CloseRecall),
        recall,
    })
}

async fn close(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let summary = form.get("summary").to_owned();
    let command = Command::CloseRecall(CloseRecall { recall: id.clone(), summary });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/recalls/{id}"), answer, "recalls.closed")
}

#[derive(Template)]
#[template(path = "recalls/lot.html")]
struct LotPage {
    page: Page,
    recall: Recall,
    lot: Lot,
    operator: String,
    buyers: Vec<Sale>,
    certificates: Vec<Certificate>,
    note: Option<RecallNote>,
    form: Form,
    disposals: Vec<Choice>,
    waiting: Vec<Waiting>,
    may_note: bool,
}

/// What of a lot went to a buyer.
struct Sale {
    /// A buyer on record has a lot of its own.
    on_record: bool,
    buyer: String,
    place: String,
    quantity: Decimal,
    unit: String,
    date: Date,
}

fn sales_of(app: &App, lot: &Lot) -> Result<Vec<Sale>, ConsoleError> {
    if lot.shipped.is_zero() {
        return Ok(Vec::new());
    }
    let part = (step::BY_LOT, lot.id.as_str());
    let steps: Vec<Step> = app.store.newest(part, &Scope::everything(), OF_LOT_MAX)?;
    let left = steps.into_iter().filter(|one| {
        one.struck.is_none() && matches!(one.kind, StepKind::Ship | StepKind::Transfer)
    });
    let sales = left.filter_map(|one| {
        let part = one.inputs.into_iter().find(|input| input.lot == lot.id)?;
        let buyer = one.buyer?;
        Some(Sale {
            on_record: buyer.operator.is_some(),
            buyer: buyer.name,
            place: buyer.place,
            quantity: part.quantity,
            unit: part.unit,
            date: one.date,
        })
    });
    Ok(sales.collect())
}

fn certificates_of(app: &App, lot: &Lot) -> Result<Vec<Certificate>, ConsoleError> {
    if lot.certified.is_zero() {
        return Ok(Vec::new());
    }
    let part = (certificate::BY_LOT, lot.id.as_str());
    let mut all: Vec<Certificate> = app.store.newest(part, &Scope::everything(), OF_LOT_MAX)?;
    all.retain(|one| one.status == CertificateStatus::Valid);
    Ok(all)
}

fn shown_lot(
    app: &App,
    signed: &Signed,
    id: &str,
    lot: &str,
    form: Option<Form>,
) -> Result<LotPage, ConsoleError> {
    signed.staff_only()?;
    let recall: Recall = app.store.get(id)?.ok_or_else(|| ConsoleError::not_found("recall", id))?;
    let lot: Lot = read::one(app, signed, "lot", lot)?;
    let note: Option<RecallNote> = app.store.get(&format!("{id}/{}", lot.id))?;
    let form = form.unwrap_or_else(|| {
        let mut form = Form::default();
        let disposal = note.as_ref().map_or(Disposal::Notified, |one| one.disposal);
        form.set("disposal", disposal.api_word());
        form
    });
    let running = recall.status == RecallStatus::Running;
    Ok(LotPage {
        page: Page::new(app, signed, "/recalls", "recalls.title").titled(&lot.no),
        operator: read::operator_name(app, &lot.operator)?,
        buyers: sales_of(app, &lot)?,
        certificates: certificates_of(app, &lot)?,
        note,
        waiting: blobs::waiting(&form),
        form: form.of("recall"),
        disposals: Choice::words(&Disposal::ALL),
        may_note: running && signed.may(CommandKind::NoteRecall),
        recall,
        lot,
    })
}

async fn lot_page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path((id, lot)): Path<(String, String)>,
) -> Answer {
    html(&shown_lot(&app, &signed, &id, &lot, None)?)
}

async fn note(
    State(app): State<Arc<App>>,
    Path((id, lot)): Path<(String, String)>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let disposal: Option<Disposal> = form.choice_of("disposal");
    let recovered = match form.get("recovered") {
        "" => None,
        _ => form.decimal_of("recovered"),
    };
    let attachments = blobs::attachments_of(&mut form);
    if let (Some(disposal), true) = (disposal, form.is_good()) {
        let note = form.get("note").to_owned();
        let (recall, lot) = (id.clone(), lot.clone());
        let command = NoteRecall { recall, lot, disposal, recovered, note, attachments };
        match app.note_recall(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done(&format!("/recalls/{id}"), "recalls.noted")),
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    refused(&shown_lot(&app, &signed, &id, &lot, Some(form))?)
}

#[derive(Template)]
#[template(path = "recalls/notices.html")]
struct NoticesPage {
    page: Page,
    recall: Recall,
    day: Date,
    notices: Vec<Notice>,
}

/// One notice: to whom, and which lots.
struct Notice {
    to: String,
    place: String,
    lines: Vec<NoticeLine>,
}

/// One lot of a notice.
struct NoticeLine {
    product: String,
    no: String,
    amount: String,
}

async fn notices(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let Reached { recall, lots, .. } = reached(&app, &signed, &id)?;
    let mut by_name: BTreeMap<(String, String), Vec<NoticeLine>> = BTreeMap::new();
    for id in lots.ids.iter().take(NOTICES_MAX) {
        let Some(lot) = app.store.get::<Lot>(id)? else { continue };
        let line = |quantity: Decimal| NoticeLine {
            product: lot.product_name.clone(),
            no: lot.no.clone(),
            amount: format!("{} {}", quantity.normalize(), lot.unit),
        };
        let holder = read::operator_name(&app, &lot.operator)?;
        if !lot.on_hand().is_zero() {
            by_name.entry((holder, lot.area_name.clone())).or_default().push(line(lot.on_hand()));
        }
        for sale in sales_of(&app, &lot)?.into_iter().filter(|sale| !sale.on_record) {
            by_name.entry((sale.buyer, sale.place)).or_default().push(line(sale.quantity));
        }
    }
    let notices = by_name.into_iter().map(|((to, place), lines)| Notice { to, place, lines });
    let page = Page::new(&app, &signed, "/recalls", "recalls.notices");
    let notices = notices.collect();
    html(&NoticesPage { page, recall, day: china_date(now()), notices })
}

async fn export(
    State(app): State<Arc<App>>,
    signed: Signed,
    ClientAddr(address): ClientAddr,
    Path(id): Path<String>,
    format: Format,
) -> Answer {
    let keys = [
        "th.lot",
        "th.product",
        "th.operator",
        "th.quantity",
        "th.unit",
        "th.status",
        "certificates.title",
        "steps.buyer",
        "recalls.disposal",
        "label.note",
    ];
    let list = Outgoing {
        stem: "recall",
        asked: String::new(),
        title: t("recalls.title"),
        headings: keys.map(|key| t(key).to_owned()).into(),
    };
    let (reading, by) = (app.clone(), signed.clone());
    let rows = move || export_rows(&reading, &by, &id);
    hand_out(&app, &signed, address, format, list, rows).await
}

fn export_rows(app: &App, signed: &Signed, id: &str) -> Result<Vec<Vec<String>>, ConsoleError> {
    let Reached { lots, notes, .. } = reached(app, signed, id)?;
    let mut rows = Vec::with_capacity(lots.ids.len());
    for id in lots.ids {
        let Some(lot) = app.store.get::<Lot>(&id)? else { continue };
        let codes: Vec<String> =
            certificates_of(app, &lot)?.into_iter().map(|one| one.content.code).collect();
        let sales = sales_of(app, &lot)?;
        let buyers: Vec<String> = sales
            .iter()
            .map(|one| {
                let amount = one.quantity.normalize();
                format!("{} {} {amount} {} {}", one.buyer, one.place, one.unit, one.date)
            })
            .collect();
        let note = notes.get(&lot.id);
        rows.push(vec![
            lot.no.clone(),
            lot.product_name.clone(),
            read::operator_name(app, &lot.operator)?,
            lot.quantity.normalize().to_string(),
            lot.unit.clone(),
            lot.status.word(),
            codes.join(" "),
            buyers.join(";"),
            note.map_or(Disposal::Waiting, |one| one.disposal).word(),
            note.map(|one| one.note.clone()).unwrap_or_default(),
        ]);
    }
    Ok(rows)
}
