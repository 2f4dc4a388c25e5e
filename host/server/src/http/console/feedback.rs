//! What the public says of codes: the list, and one with what can be done about it. Only the county's
//! supervision decides; stations and producers read.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::State as Records;
use tianyin_domain::certificate::Certificate;
use tianyin_domain::code::{self, CodeText};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::feedback::{
    self, CloseFeedback, Feedback, FeedbackKind, FeedbackStatus, ModerateFeedback,
};
use tianyin_domain::id_card::{self, IdCard};
use tianyin_domain::lot::Lot;
use tianyin_domain::product::Product;
use tianyin_domain::state::Index;

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html};
use super::read;
use super::session::{Posted, Signed, done_or_not, encode};
use crate::app::App;
use crate::texts::t;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/feedback", get(list))
        .route("/feedback/{id}", get(detail))
        .route("/feedback/{id}/moderate", post(moderate))
        .route("/feedback/{id}/close", post(close))
}

/// Characters of what was said in the list.
const HEAD_CHARS: usize = 40;

/// What the address of the list may ask for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FeedbackQuery {
    after: Option<String>,
    status: String,
    kind: String,
    q: String,
    sort: String,
}

#[derive(Template)]
#[template(path = "feedback/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    order: Order,
    q: String,
}

/// What somebody said, with the names of what it is about.
struct Row {
    feedback: Feedback,
    head: String,
    stars: String,
    product: String,
    operator: String,
}

impl Row {
    fn of(app: &App, feedback: Feedback) -> Result<Self, ConsoleError> {
        let product = app.store.get::<Product>(&feedback.product)?;
        let mut head: String = feedback.text.chars().take(HEAD_CHARS).collect();
        if head.len() < feedback.text.len() {
            head.push('…');
        }
        if head.is_empty() {
            t("feedback.no_words").clone_into(&mut head);
        }
        Ok(Self {
            head,
            stars: drawn(feedback.stars),
            product: product.map(|one| one.name).unwrap_or_default(),
            operator: read::operator_name(app, &feedback.operator)?,
            feedback,
        })
    }
}

/// Five stars, as many of them filled.
fn drawn(stars: Option<u8>) -> String {
    let Some(stars) = stars else { return String::new() };
    let filled = usize::from(stars).min(5);
    format!("{}{}", "★".repeat(filled), "☆".repeat(5 - filled))
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<FeedbackQuery>,
) -> Answer {
    let wanted = Wanted::of(&signed, &query);
    let order = Order::of(order::BY_TIME, &query.sort, wanted.address.as_str());
    let part = (wanted.index, wanted.part.as_str());
    let found =
        read::rows::<Feedback>(&app, &signed.scope(), part, &order, query.after.as_deref())?;
    let rows = found.items.into_iter().map(|one| Row::of(&app, one));
    let mut chips = if signed.is_staff() { chips(&app, &signed, &wanted)? } else { Vec::new() };
    order.keep(&mut chips);
    html(&ListPage {
        page: Page::new(&app, &signed, "/feedback", "feedback.title"),
        rows: rows.collect::<Result<_, _>>()?,
        pager: found.pager,
        chips,
        order,
        q: query.q,
    })
}

/// The part of an index that a list shows, and its address.
struct Wanted {
    index: Index,
    part: String,
    address: String,
}

impl Wanted {
    fn new(index: Index, part: &str, query: &str) -> Self {
        let address = match query {
            "" => "/feedback".to_owned(),
            query => format!("/feedback?{query}"),
        };
        Self { index, part: part.to_owned(), address }
    }

    /// A producer sees its own; others what waits, unless they ask for something else.
    fn of(signed: &Signed, query: &FeedbackQuery) -> Self {
        if let Some(own) = signed.operator() {
            return Self::new(feedback::BY_OPERATOR, own, "");
        }
        if !query.q.trim().is_empty() {
            return Self::searched(query.q.trim());
        }
        let (status, kind) = (query.status.as_str(), query.kind.as_str());
        let status = FeedbackStatus::ALL.into_iter().find(|one| one.as_str() == status);
        let kind = FeedbackKind::ALL.into_iter().find(|one| one.as_str() == kind);
        match (status, kind) {
            (Some(FeedbackStatus::Waiting), Some(kind)) => {
                let address = format!("status=waiting&kind={}", kind.as_str());
                Self::new(feedback::WAITING, kind.as_str(), &address)
            }
            (Some(status), _) => Self::by_status(status),
            (None, Some(kind)) => Self::by_kind(kind),
            (None, None) if query.status == "all" => Self::everything(),
            (None, None) => Self::by_status(FeedbackStatus::Waiting),
        }
    }

    fn by_status(status: FeedbackStatus) -> Self {
        let query = match status {
            FeedbackStatus::Waiting => String::new(),
            status => format!("status={}", status.as_str()),
        };
        Self::new(feedback::BY_STATUS, status.as_str(), &query)
    }

    fn by_kind(kind: FeedbackKind) -> Self {
        Self::new(feedback::BY_KIND, kind.as_str(), &format!("kind={}", kind.as_str()))
    }

    fn everything() -> Self {
        Self::new(feedback::BY_STATUS, "", "status=all")
    }

    /// By the reference that a caller names, or by a code.
    fn searched(text: &str) -> Self {
        let query = format!("q={}", encode(text));
        match code::parse(text.rsplit('/').next().unwrap_or(text)) {
            CodeText::Valid(code) => Self::new(feedback::BY_CODE, &code, &query),
            CodeText::Mistyped | CodeText::NotACode => {
                let plain = |c: &char| c.is_ascii_alphanumeric();
                let reference: String = text.chars().filter(plain).take(64).collect();
                Self::new(feedback::BY_REFERENCE, &reference.to_ascii_uppercase(), &query)
            }
        }
    }
}

fn chips(app: &App, signed: &Signed, wanted: &Wanted) -> Result<Vec<Chip>, ConsoleError> {
    let mut chips = Vec::new();
    let mut chip = |one: Wanted, text: String| -> Result<(), ConsoleError> {
        let count = read::count(app, signed, one.index, &one.part)?;
        let on = one.address == wanted.address;
        chips.push(Chip { href: one.address, text, count, on });
        Ok(())
    };
    let by_status = |status: FeedbackStatus| (Wanted::by_status(status), status.word());
    let (one, text) = by_status(FeedbackStatus::Waiting);
    chip(one, text)?;
    for kind in FeedbackKind::ALL {
        chip(Wanted::by_kind(kind), kind.word())?;
    }
    for status in [FeedbackStatus::Shown, FeedbackStatus::Hidden, FeedbackStatus::Closed] {
        let (one, text) = by_status(status);
        chip(one, text)?;
    }
    chip(Wanted::everything(), t("lists.all").to_owned())?;
    Ok(chips)
}

#[derive(Template)]
#[template(path = "feedback/detail.html")]
struct DetailPage {
    page: Page,
    row: Row,
    /// What its author may name on the telephone.
    reference: String,
    lot_no: String,
    /// Where the paper behind the code is; empty when it is out of sight.
    paper: String,
    handled_by: String,
    may_moderate: bool,
    may_close: bool,
}

impl DetailPage {
    fn is_shown(&self) -> bool {
        self.row.feedback.status == FeedbackStatus::Shown
    }

    fn is_hidden(&self) -> bool {
        self.row.feedback.status == FeedbackStatus::Hidden
    }

    fn is_urgent(&self) -> bool {
        let one = &self.row.feedback;
        one.kind == FeedbackKind::Fake && one.status == FeedbackStatus::Waiting
    }
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let feedback: Feedback = read::one(&app, &signed, "feedback", &id)?;
    let lot = match &feedback.lot {
        Some(lot) => app.store.get_scoped::<Lot>(lot, &signed.scope())?,
        None => None,
    };
    let is_rating = feedback.kind == FeedbackKind::Rating;
    let is_waiting = feedback.status == FeedbackStatus::Waiting;
    let title = feedback.kind.word();
    html(&DetailPage {
        page: Page::new(&app, &signed, "/feedback", "feedback.title").titled(title),
        reference: feedback.reference().to_owned(),
        lot_no: lot.map(|lot| lot.no).unwrap_or_default(),
        paper: paper_of(&app, &signed, &feedback.code)?,
        handled_by: read::person(&app, &feedback.handled_by),
        may_moderate: is_rating && signed.may(CommandKind::ModerateFeedback),
        may_close: !is_rating && is_waiting && signed.may(CommandKind::CloseFeedback),
        row: Row::of(&app, feedback)?,
    })
}

/// The certificate or ID card that a code is on, as far as the person sees it.
fn paper_of(app: &App, signed: &Signed, code: &str) -> Result<String, ConsoleError> {
    let scope = signed.scope();
    if app.store.get_scoped::<Certificate>(code, &scope)?.is_some() {
        return Ok(format!("/certificates/{code}"));
    }
    let state: &dyn Records = &app.store;
    let card = state.find::<IdCard>(id_card::BY_CODE, code)?;
    let card = card.filter(|card| scope.covers(&card.area, &card.operator));
    Ok(card.map(|card| format!("/products/{}/id-card", card.product)).unwrap_or_default())
}

async fn moderate(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let status = match form.get("status") {
        "shown" => FeedbackStatus::Shown,
        _ => FeedbackStatus::Hidden,
    };
    let command = Command::ModerateFeedback(ModerateFeedback {
        feedback: id.clone(),
        status,
        reason: form.get("reason").to_owned(),
        reply: form.get("reply").to_owned(),
    });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    let good = match status {
        FeedbackStatus::Shown => "feedback.shown_done",
        _ => "feedback.hidden_done",
    };
    done_or_not(&format!("/feedback/{id}"), answer, good)
}

async fn close(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let outcome = form.get("outcome").to_owned();
    let command = Command::CloseFeedback(CloseFeedback { feedback: id.clone(), outcome });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/feedback/{id}"), answer, "feedback.closed_done")
}
