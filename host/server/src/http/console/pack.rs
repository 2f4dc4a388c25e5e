//! A pack of codes: its figures, its files for the printing house, what became of which of its codes.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_documents::PaperSize;
use tianyin_domain::Scope;
use tianyin_domain::certificate_form::Issuer;
use tianyin_domain::code;
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::label_template::LabelSize;
use tianyin_domain::lot::Lot;
use tianyin_domain::pack::{CancelPack, MarkRange, Pack, PackCounts, PackKind};
use tianyin_domain::product::Product;
use tianyin_domain::span::{Span, SpanState};
use tokio::sync::Semaphore;

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::packs::{Bar, thousands};
use super::page::{Page, html, refused};
use super::read;
use super::session::{Posted, Signed, done, done_or_not};
use super::sheet::file;
use crate::app::codes::PackedCode;
use crate::app::packs::{Printable, Seen, issuer_key};
use crate::app::{App, AppError};
use crate::http::{ClientAddr, pack_file};
use crate::texts::t;

/// Sheets are drawn one file at a time: each is thousands of pictures in memory.
static DRAWING: Semaphore = Semaphore::const_new(1);

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/packs/{id}", get(detail))
        .route("/packs/{id}/ranges", post(mark))
        .route("/packs/{id}/cancel", post(cancel))
        .route("/packs/{id}/codes.csv", get(codes_csv))
        .route("/packs/{id}/sheets.pdf", get(sheets_pdf))
}

#[derive(Template)]
#[template(path = "packs/detail.html")]
struct DetailPage {
    page: Page,
    pack: Pack,
    /// Whether all of it is seen: else the codes that were handed out to whom the person acts for.
    whole: bool,
    size: String,
    operator: String,
    product: String,
    ordered_by: String,
    counts: PackCounts,
    bar: Bar,
    scanned: u64,
    ranges: Vec<Range>,
    /// Ranges that are not listed for want of room.
    more: usize,
    looked: Option<Looked>,
    mark_form: Form,
    file_form: Form,
    states: Vec<Choice>,
    sizes: Vec<Choice>,
    papers: Vec<Choice>,
    issuers: Vec<Choice>,
    may_mark: bool,
    may_cancel: bool,
    may_take: bool,
}

impl DetailPage {
    fn is_unit(&self) -> bool {
        self.pack.kind == PackKind::Unit
    }

    /// Most codes of one file of sheets.
    fn sheets_max(&self) -> String {
        thousands(Printable::sheets_max(self.pack.kind))
    }
}

/// Codes in a row with the names of what they stand for.
struct Range {
    span: Span,
    first: String,
    last: String,
    operator: String,
    lot_no: String,
}

/// What is known of one code.
struct Looked {
    number: String,
    code: String,
    /// What became of it; `None` while nothing is told.
    range: Option<Range>,
    scans: u64,
}

/// Names that many ranges share.
struct Names<'a> {
    app: &'a App,
    known: HashMap<String, String>,
}

impl Names<'_> {
    fn operator(&mut self, id: &str) -> Result<String, ConsoleError> {
        if let Some(name) = self.known.get(id) {
            return Ok(name.clone());
        }
        let name = read::operator_name(self.app, id)?;
        self.known.insert(id.to_owned(), name.clone());
        Ok(name)
    }

    fn lot(&mut self, id: &str) -> Result<String, ConsoleError> {
        if let Some(no) = self.known.get(id) {
            return Ok(no.clone());
        }
        let no = self.app.store.get::<Lot>(id)?.map(|lot| lot.no).unwrap_or_default();
        self.known.insert(id.to_owned(), no.clone());
        Ok(no)
    }

    fn range(&mut self, pack: &Pack, span: &Span) -> Result<Range, ConsoleError> {
        Ok(Range {
            first: pack.label_of(span.from),
            last: pack.label_of(span.to),
            operator: self.operator(&span.operator)?,
            lot_no: self.lot(&span.lot)?,
            span: span.clone(),
        })
    }
}

/// What the address of a pack may ask for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct DetailQuery {
    /// A code or number to tell of.
    code: String,
}

async fn detail(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<DetailQuery>,
) -> Answer {
    let pack = seen(&app, &signed, &id)?;
    let form = Form::named("mark");
    html(&shown(&app, &signed, pack, &query.code, form)?)
}

/// The pack as the person sees it.
fn seen(app: &App, signed: &Signed, id: &str) -> Result<Seen, ConsoleError> {
    app.pack_seen(id, &signed.scope())?.ok_or_else(|| ConsoleError::not_found("pack", id))
}

fn shown(
    app: &App,
    signed: &Signed,
    seen: Seen,
    code: &str,
    form: Form,
) -> Result<DetailPage, ConsoleError> {
    let (counts, bar, size) = (seen.counts(), Bar::of(&seen), thousands(seen.size()));
    let states = states(signed, &seen);
    let mut names = Names { app, known: HashMap::new() };
    let looked = looked(app, &mut names, &seen, code)?;
    let Seen { pack, whole } = seen;
    let product: Option<Product> = app.store.get(&pack.product)?;
    let mut newest: Vec<&Span> = pack.spans.iter().collect();
    newest.sort_by_key(|span| std::cmp::Reverse(span.at));
    let listed = newest.iter().take(read::ROWS_WITHIN);
    let ranges = listed.map(|span| names.range(&pack, span)).collect::<Result<_, _>>()?;
    let is_open = pack.cancelled.is_none();
    let word = |size: &LabelSize| Choice::new(size.as_str(), format!("{} mm", size.as_str()));
    let issuers = [("producer", Issuer::Producer), ("buyer", Issuer::Buyer)];
    Ok(DetailPage {
        page: Page::new(app, signed, "/packs", "packs.title").titled(pack.no()),
        operator: read::operator_name(app, &pack.operator)?,
        product: product.map(|one| one.name).unwrap_or_default(),
        ordered_by: read::person(app, &pack.ordered_by),
        counts,
        bar,
        size,
        whole,
        scanned: app.scanned_of(&pack)?,
        more: pack.spans.len().saturating_sub(read::ROWS_WITHIN),
        ranges,
        looked,
        mark_form: form.of("pack"),
        file_form: Form::with("file", &[("label_size", "50x30")]).of("pack"),
        sizes: LabelSize::ALL.iter().filter(|size| size.is_roll()).map(word).collect(),
        papers: vec![Choice::new("a5", t("packs.a_five")), Choice::new("a4", t("packs.a_four"))],
        issuers: issuers.map(|(word, one)| Choice::new(word, t(issuer_key(one)))).to_vec(),
        may_mark: signed.may(CommandKind::MarkRange) && !states.is_empty(),
        may_cancel: is_open && whole && signed.may(CommandKind::CancelPack),
        may_take: is_open && whole && signed.may(CommandKind::OrderPack),
        states,
        pack,
    })
}

/// What codes can be marked as: forms are bound when they are entered, and producers hand out nothing. What
/// was handed out of a pack that is not seen whole is for staff to make void.
fn states(signed: &Signed, seen: &Seen) -> Vec<Choice> {
    let (pack, whole) = (&seen.pack, seen.whole);
    let is_offered = |state: &SpanState| match state {
        SpanState::Void => whole,
        _ if pack.cancelled.is_some() => false,
        SpanState::Assigned => whole && signed.is_staff(),
        SpanState::Bound => pack.kind == PackKind::Unit,
        SpanState::Waste => true,
    };
    let offered: Vec<SpanState> = SpanState::ALL.into_iter().filter(is_offered).collect();
    Choice::words(&offered)
}

fn looked(
    app: &App,
    names: &mut Names<'_>,
    seen: &Seen,
    text: &str,
) -> Result<Option<Looked>, ConsoleError> {
    let pack = &seen.pack;
    let found = app.packed_meant(text, &Scope::everything())?;
    // Of a code that is not seen it is not even told that there is one.
    let is_seen = |serial| seen.whole || pack.span_of(serial).is_some();
    let is_it = |one: &PackedCode| one.pack.id == pack.id && is_seen(one.unit.serial);
    let Some(found) = found.filter(is_it) else { return Ok(None) };
    let serial = found.unit.serial;
    let code = app.code_key.code(pack.number, serial).unwrap_or_default();
    let record: Option<code::Code> = app.store.get(&code)?;
    Ok(Some(Looked {
        number: pack.label_of(serial),
        range: pack.span_of(serial).map(|span| names.range(pack, span)).transpose()?,
        scans: record.map_or(0, |record| app.scan_numbers(&record).count),
        code,
    }))
}

async fn mark(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let seen = seen(&app, &signed, &id)?;
    if form.get("to").is_empty() {
        let from = form.get("from").to_owned();
        form.set("to", from);
    }
    let from = serial_of(&app, &signed, &id, &mut form, "from")?;
    let to = serial_of(&app, &signed, &id, &mut form, "to")?;
    let state: Option<SpanState> = form.choice_of("state");
    let lot = lot_of(&app, &signed, &mut form, state)?;
    let operator = operator_of(&app, &signed, &mut form, state)?;
    if let (Some(from), Some(to), Some(state), true) = (from, to, state, form.is_good()) {
        let reason = form.get("reason").to_owned();
        let pack = id.clone();
        let command =
            Command::MarkRange(MarkRange { pack, from, to, state, lot, operator, reason });
        match app.submit_keyed(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done(&format!("/packs/{id}#ranges"), "packs.marked")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&shown(&app, &signed, seen, "", form.called("mark"))?)
}

/// A number in the pack: typed bare, as it is printed, or the code itself scanned.
fn serial_of(
    app: &App,
    signed: &Signed,
    pack: &str,
    form: &mut Form,
    field: &str,
) -> Result<Option<u32>, ConsoleError> {
    let text = form.text_of(field);
    if let Ok(serial) = text.parse() {
        return Ok(Some(serial));
    }
    let found = app.packed_meant(&text, &signed.scope())?;
    let found = found.filter(|one| one.pack.id == pack);
    if found.is_none() {
        form.bad(field, "not_in_pack");
    }
    Ok(found.map(|one| one.unit.serial))
}

/// The lot that codes are bound to, by its number or by a code on it.
fn lot_of(
    app: &App,
    signed: &Signed,
    form: &mut Form,
    state: Option<SpanState>,
) -> Result<Option<String>, ConsoleError> {
    if state != Some(SpanState::Bound) {
        return Ok(None);
    }
    let text = form.text_of("lot");
    let lot = app.lot_of_text(&text, &signed.scope())?;
    if lot.is_none() {
        form.bad("lot", "no_such_lot");
    }
    Ok(lot.map(|lot| lot.id))
}

/// The operator that codes are handed out to, as it was typed.
fn operator_of(
    app: &App,
    signed: &Signed,
    form: &mut Form,
    state: Option<SpanState>,
) -> Result<Option<String>, ConsoleError> {
    if state != Some(SpanState::Assigned) {
        return Ok(None);
    }
    let found = read::named_operator(app, &signed.scope(), &form.text_of("operator"))?;
    if found.is_none() {
        form.bad("operator", "unknown_operator");
    }
    Ok(found.map(|one| one.id))
}

async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let reason = form.get("reason").to_owned();
    let command = Command::CancelPack(CancelPack { pack: id.clone(), reason });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/packs/{id}"), answer, "packs.cancelled")
}

/// Which codes go into a file, and how they are set.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    from: String,
    to: String,
    label_size: String,
    paper: String,
    issuer: String,
}

/// Only who orders packs takes them to a printing house: a list of codes, and of the numbers under their
/// scratch layers, is as good as the labels.
fn printable(
    app: &App,
    signed: &Signed,
    id: &str,
    wanted: &Wanted,
    most: Option<u32>,
) -> Result<Printable, ConsoleError> {
    if !signed.may(CommandKind::OrderPack) {
        return Err(ConsoleError::forbidden());
    }
    let pack: Pack = read::one(app, signed, "pack", id)?;
    let number = |text: &str| -> Result<Option<u32>, ConsoleError> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        if let Ok(serial) = text.trim().parse() {
            return Ok(Some(serial));
        }
        let found = app.packed_meant(text, &Scope::everything())?;
        // No number of any pack: refused as one that is not in it.
        Ok(Some(found.filter(|one| one.pack.id == pack.id).map_or(0, |one| one.unit.serial)))
    };
    let (from, to) = (number(&wanted.from)?, number(&wanted.to)?);
    let full = most.map(|most| from.unwrap_or(1).saturating_add(most - 1).min(pack.size));
    Ok(Printable::of(pack, from, to.or(full))?)
}

async fn codes_csv(
    State(app): State<Arc<App>>,
    signed: Signed,
    ClientAddr(address): ClientAddr,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let codes = printable(&app, &signed, &id, &wanted, None)?;
    Ok(pack_file::codes_csv(&app, &signed.session.user, address, codes).await?)
}

/// Sheets of labels, or blank forms; as many as one file holds where no last number is told.
async fn sheets_pdf(
    State(app): State<Arc<App>>,
    signed: Signed,
    ClientAddr(address): ClientAddr,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let pack: Pack = read::one(&app, &signed, "pack", &id)?;
    let most = Printable::sheets_max(pack.kind);
    let codes = printable(&app, &signed, &id, &wanted, Some(most))?;
    codes.fit_sheets()?;
    let name = codes.file_name("pdf");
    pack_file::noted(&app, &signed.session.user, address, &codes, &name).await?;
    let _permit = DRAWING.acquire().await.map_err(AppError::internal)?;
    let drawn = tokio::task::spawn_blocking(move || draw(&app, &codes, &wanted));
    let bytes = drawn.await.map_err(AppError::internal)??;
    Ok(file(bytes, "application/pdf", &name))
}

fn draw(app: &App, codes: &Printable, wanted: &Wanted) -> Result<Vec<u8>, AppError> {
    if codes.pack().kind == PackKind::Unit {
        let is_it = |size: &LabelSize| size.is_roll() && size.as_str() == wanted.label_size;
        let size = LabelSize::ALL.into_iter().find(is_it).unwrap_or(LabelSize::W50H30);
        return app.code_sheets(codes, size);
    }
    let paper = if wanted.paper == "a4" { PaperSize::A4 } else { PaperSize::A5 };
    let issuer = if wanted.issuer == "buyer" { Issuer::Buyer } else { Issuer::Producer };
    app.blank_forms(codes, paper, issuer)
}
