//! What the public says of a code (社会监督评价, R-030; 投诉举报, R-100): ratings, which everybody may read
//! once a clerk has let them through, complaints and reports of fakes, which nobody but the authorities and
//! the producer reads. Nobody is asked who they are: there is no name and no telephone number on record.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::code::Code;
use crate::command::Command;
use crate::decide::{Context, Decision};
use crate::error::DomainError;
use crate::event::Event;
use crate::id::new_id;
use crate::id_card::{self, IdCard};
use crate::lot::Lot;
use crate::state::{Entity, Entry, Index, State, StateError, Table};
use crate::time::Time;

/// Characters of what somebody says.
pub const TEXT_CHARS_MAX: usize = 500;
/// Characters of where it was bought or seen.
pub const PLACE_CHARS_MAX: usize = 64;
/// Characters of a reply to a rating.
pub const REPLY_CHARS_MAX: usize = 200;
/// Characters of why a rating is hidden.
pub const REASON_CHARS_MAX: usize = 128;
/// Characters of what came of a complaint or report.
pub const OUTCOME_CHARS_MAX: usize = 256;
/// Items about one code that may wait.
pub const WAITING_OF_CODE_MAX: u32 = 200;
/// Items that may wait in all.
pub const WAITING_MAX: u32 = 20_000;
/// Items about one code among which the same words count once.
pub(crate) const RECENT: usize = 20;
/// Within this time the same stars without a word are a second press of the button.
const TWICE_MS: i64 = 60_000;
/// Characters of a reference: the last ones of an id, 40 random bits.
const REFERENCE_CHARS: usize = 8;
/// Key of the queue of all codes; no code has this form.
pub(crate) const ALL_CODES: &str = "all";

/// What somebody wants to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackKind {
    /// 评价: stars, and perhaps words.
    Rating,
    /// 投诉.
    Complaint,
    /// 举报假冒: the label seems to be forged.
    Fake,
}

impl FeedbackKind {
    /// Every kind, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Fake, Self::Complaint, Self::Rating];

    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rating => "rating",
            Self::Complaint => "complaint",
            Self::Fake => "fake",
        }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackStatus {
    /// Nobody has dealt with it.
    Waiting,
    /// A rating that everybody may read.
    Shown,
    /// A rating that is not shown.
    Hidden,
    /// A complaint or report that was dealt with.
    Closed,
}

impl FeedbackStatus {
    /// Every status, in the order of a list.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Shown, Self::Hidden, Self::Closed];

    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Shown => "shown",
            Self::Hidden => "hidden",
            Self::Closed => "closed",
        }
    }
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Id, `fbk_…`.
    pub id: String,
    /// Code on the label or package.
    pub code: String,
    /// What it is.
    pub kind: FeedbackKind,
    /// Stars of a rating, 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stars: Option<u8>,
    /// In words; a rating may have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Where it was bought or seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// Lot of the code; none for an ID card's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// Product.
    pub product: String,
    /// Operator.
    pub operator: String,
    /// Region code.
    pub area: String,
    /// When.
    pub at: Time,
    /// How far it is.
    pub status: FeedbackStatus,
    /// Public reply to a rating.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reply: String,
    /// Why a rating is hidden.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What came of a complaint or report.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub outcome: String,
    /// Who dealt with it last, as [`Actor::name`](crate::Actor::name).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub handled_by: String,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handled_at: Option<Time>,
}

impl Feedback {
    /// What its author may name on the telephone, and a clerk finds it by.
    pub fn reference(&self) -> &str {
        reference_of(&self.id)
    }
}

/// The reference of an item with this id, 8 characters.
pub fn reference_of(id: &str) -> &str {
    // Ids are ASCII; anything else is no id.
    id.len().checked_sub(REFERENCE_CHARS).and_then(|at| id.get(at..)).unwrap_or(id)
}

/// By status; part `""` holds all.
pub const BY_STATUS: Index = Index("feedback.status");
/// By kind.
pub const BY_KIND: Index = Index("feedback.kind");
/// Those that wait, by kind.
pub const WAITING: Index = Index("feedback.waiting");
/// By operator.
pub const BY_OPERATOR: Index = Index("feedback.operator");
/// By code.
pub const BY_CODE: Index = Index("feedback.code");
/// Ratings that everybody may read, by product.
pub const SHOWN: Index = Index("feedback.shown");
/// By reference.
pub const BY_REFERENCE: Index = Index("feedback.reference");

impl Entity for Feedback {
    const TABLE: Table = Table("feedback");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![
            Entry::new(BY_STATUS, "", &self.id),
            Entry::new(BY_STATUS, self.status.as_str(), &self.id),
            Entry::new(BY_KIND, self.kind.as_str(), &self.id),
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
            Entry::new(BY_CODE, &self.code, &self.id),
            Entry::new(BY_REFERENCE, self.reference(), &self.id),
        ];
        match self.status {
            FeedbackStatus::Waiting => {
                entries.push(Entry::new(WAITING, self.kind.as_str(), &self.id));
            }
            FeedbackStatus::Shown => entries.push(Entry::new(SHOWN, &self.product, &self.id)),
            FeedbackStatus::Hidden | FeedbackStatus::Closed => {}
        }
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Ratings of a product that everybody may read, counted: a page needs no list for the average.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackTally {
    /// Product.
    pub product: String,
    /// How many.
    pub shown: u64,
    /// Their stars, added up.
    pub stars_sum: u64,
}

impl Entity for FeedbackTally {
    const TABLE: Table = Table("feedback_tally");
    fn id(&self) -> &str {
        &self.product
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

/// How much waits, about one code or about all, and what was said last about the one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackQueue {
    /// The code, or `all`.
    pub id: String,
    /// Items that wait.
    pub waiting: u32,
    /// The latest items about the code, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<String>,
}

impl Entity for FeedbackQueue {
    const TABLE: Table = Table("feedback_queue");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

pub(crate) fn queue_of(state: &dyn State, id: &str) -> Result<FeedbackQueue, StateError> {
    let empty = || FeedbackQueue { id: id.to_owned(), ..FeedbackQueue::default() };
    Ok(state.get(id)?.unwrap_or_else(empty))
}

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Lot; none for the code of an ID card.
    pub lot: Option<String>,
    /// Product.
    pub product: String,
    /// Operator.
    pub operator: String,
    /// Region code.
    pub area: String,
}

/// What a code of a label or of an ID card stands for; `None` for one that was never given out.
pub fn subject(state: &dyn State, code: &str) -> Result<Option<Subject>, StateError> {
    if let Some(code) = state.get::<Code>(code)? {
        let lot = state.get::<Lot>(&code.lot)?;
        return Ok(lot.map(|lot| Subject {
            lot: Some(lot.id),
            product: lot.product,
            operator: code.operator,
            area: code.area,
        }));
    }
    let card = state.find::<IdCard>(id_card::BY_CODE, code)?;
    Ok(card.map(|card| Subject {
        lot: None,
        product: card.product,
        operator: card.operator,
        area: card.area,
    }))
}

/// Command: somebody says something about a code. The appliance gives it for the public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaveFeedback {
    /// Code on the label or package.
    pub code: String,
    /// What it is.
    pub kind: FeedbackKind,
    /// Stars, 1 to 5; required for a rating, ignored for anything else.
    #[serde(default)]
    pub stars: Option<u8>,
    /// In words, at most [`TEXT_CHARS_MAX`]; required for anything but a rating.
    #[serde(default)]
    pub text: String,
    /// Where it was bought or seen, at most [`PLACE_CHARS_MAX`].
    #[serde(default)]
    pub place: String,
}

/// Command: shows a rating to everybody, or hides it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModerateFeedback {
    /// The rating.
    pub feedback: String,
    /// `shown` or `hidden`.
    pub status: FeedbackStatus,
    /// Why it is hidden, at most [`REASON_CHARS_MAX`]; required for that.
    #[serde(default)]
    pub reason: String,
    /// Public reply, at most [`REPLY_CHARS_MAX`].
    #[serde(default)]
    pub reply: String,
}

/// Event payload: a rating was shown or hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackModerated {
    /// The rating.
    pub feedback: String,
    /// `shown` or `hidden`.
    pub status: FeedbackStatus,
    /// Why it is hidden.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Public reply.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reply: String,
    /// Who decided it.
    pub by: String,
}

/// Command: a complaint or report was dealt with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseFeedback {
    /// The complaint or report.
    pub feedback: String,
    /// What came of it, at most [`OUTCOME_CHARS_MAX`].
    pub outcome: String,
}

/// Event payload: a complaint or report was dealt with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackClosed {
    /// The complaint or report.
    pub feedback: String,
    /// What came of it.
    pub outcome: String,
    /// Who dealt with it.
    pub by: String,
}

pub(crate) fn decide(ctx: &mut Context<'_>, command: Command) -> Result<Decision, DomainError> {
    match command {
        Command::LeaveFeedback(c) => leave(ctx, c),
        Command::ModerateFeedback(c) => {
            let e = moderate(ctx, c)?;
            Ok(Decision::one(e.feedback.clone(), Event::FeedbackModerated(e)))
        }
        Command::CloseFeedback(c) => {
            let e = close(ctx, c)?;
            Ok(Decision::one(e.feedback.clone(), Event::FeedbackClosed(e)))
        }
        other => Err(DomainError::Forbidden { action: other.name() }),
    }
}

/// What was said before is answered with the item there is: whoever pressed twice, or repeats himself,
/// is told the same reference.
fn leave(ctx: &mut Context<'_>, c: LeaveFeedback) -> Result<Decision, DomainError> {
    let missing = || DomainError::NotFound { noun: "code", id: c.code.chars().take(64).collect() };
    let of = subject(ctx.state, &c.code)?.ok_or_else(missing)?;
    let is_rating = c.kind == FeedbackKind::Rating;
    let (text, place) = (lines(&c.text), c.place.trim().to_owned());
    let mut check = Check::new();
    if is_rating {
        check.optional_text("text", &text, TEXT_CHARS_MAX);
        match c.stars {
            None => check.bad("stars", "required"),
            Some(stars) => check.ensure((1..=5).contains(&stars), "stars", "bad_stars"),
        };
    } else {
        check.text("text", &text, TEXT_CHARS_MAX);
    }
    check.optional_text("place", &place, PLACE_CHARS_MAX);
    check.done()?;
    let stars = c.stars.filter(|_| is_rating);
    let queue = queue_of(ctx.state, &c.code)?;
    for id in queue.recent.iter().rev() {
        let Some(old) = ctx.state.get::<Feedback>(id)? else { continue };
        let just_now = ctx.time.as_millisecond() - old.at.as_millisecond() < TWICE_MS;
        let same = old.kind == c.kind && old.text == text;
        if same && (!text.is_empty() || (old.stars == stars && just_now)) {
            return Ok(Decision::nothing(old.id, "known"));
        }
    }
    let all = queue_of(ctx.state, ALL_CODES)?;
    if queue.waiting >= WAITING_OF_CODE_MAX || all.waiting >= WAITING_MAX {
        return Err(DomainError::refused("feedback_full", &[]));
    }
    let feedback = Feedback {
        id: new_id("fbk", ctx.time, ctx.random),
        code: c.code,
        kind: c.kind,
        stars,
        text,
        place,
        lot: of.lot,
        product: of.product,
        operator: of.operator,
        area: of.area,
        at: ctx.time,
        status: FeedbackStatus::Waiting,
        reply: String::new(),
        reason: String::new(),
        outcome: String::new(),
        handled_by: String::new(),
        handled_at: None,
    };
    Ok(Decision::one(feedback.id.clone(), Event::FeedbackLeft(feedback)))
}

/// Browsers end lines in two characters.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

fn moderate(ctx: &Context<'_>, c: ModerateFeedback) -> Result<FeedbackModerated, DomainError> {
    let feedback: Feedback = ctx.require("feedback", &c.feedback)?;
    if feedback.kind != FeedbackKind::Rating {
        return Err(DomainError::refused("feedback_is_no_rating", &[]));
    }
    let is_hidden = c.status == FeedbackStatus::Hidden;
    let (reason, reply) = (lines(&c.reason), lines(&c.reply));
    let mut check = Check::new();
    check.ensure(is_hidden || c.status == FeedbackStatus::Shown, "status", "bad_choice");
    check.optional_text("reply", &reply, REPLY_CHARS_MAX);
    if is_hidden {
        check.text("reason", &reason, REASON_CHARS_MAX);
    } else {
        check.optional_text("reason", &reason, REASON_CHARS_MAX);
    }
    check.done()?;
    let by = ctx.actor.name();
    Ok(FeedbackModerated { feedback: feedback.id, status: c.status, reason, reply, by })
}

fn close(ctx: &Context<'_>, c: CloseFeedback) -> Result<FeedbackClosed, DomainError> {
    let feedback: Feedback = ctx.require("feedback", &c.feedback)?;
    if feedback.kind == FeedbackKind::Rating {
        return Err(DomainError::refused("feedback_is_rating", &[]));
    }
    if feedback.status != FeedbackStatus::Waiting {
        return Err(DomainError::refused("feedback_closed", &[]));
    }
    let outcome = lines(&c.outcome);
    let mut check = Check::new();
    check.text("outcome", &outcome, OUTCOME_CHARS_MAX);
    check.done()?;
    Ok(FeedbackClosed { feedback: feedback.id, outcome, by: ctx.actor.name() })
}
