//! Recalls (召回): from an input, a site, a test or a lot to everything that was made of it, and what
//! became of each lot until the recall is closed. A drill holds nothing.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::attachment::{self, Attachment};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::hold::{HoldKind, LotHeld};
use crate::id::new_id;
use crate::lot::{Lot, LotStatus};
use crate::state::{Entity, Entry, Index, Table};
use crate::time::{Date, Time, china_date};

/// Lots that one recall begins with.
pub const ROOTS_MAX: usize = 2_000;
/// Lots held by one command.
pub const BATCH_MAX: usize = 500;

/// What a recall begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecallCause {
    /// An input of the catalogue: every lot that it was used for.
    Input,
    /// A site: every lot harvested there.
    Site,
    /// A test: its lot.
    Test,
    /// A lot.
    Lot,
}

impl RecallCause {
    /// Every cause, in the order of a choice list.
    pub const ALL: [Self; 4] = [Self::Lot, Self::Test, Self::Site, Self::Input];

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Site => "site",
            Self::Test => "test",
            Self::Lot => "lot",
        }
    }
}

/// Whether a recall goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecallStatus {
    /// It goes on.
    Running,
    /// It is over.
    Closed,
}

/// What a recall is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecallRequest {
    /// Why, at most 128 characters.
    pub reason: String,
    /// What it begins with.
    pub cause: RecallCause,
    /// Its id.
    pub of: String,
    /// First day of use or harvest that counts, for an input or a site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// A drill: nothing is held.
    #[serde(default)]
    pub drill: bool,
}

/// A recall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// Id, `rcl_…`.
    pub id: String,
    /// What it is about.
    pub request: RecallRequest,
    /// What it begins with, in words.
    pub title: String,
    /// Lots that it begins with.
    pub roots: Vec<String>,
    /// Lots that it reached when it began.
    pub reached: u32,
    /// Region code of whoever began it.
    pub area: String,
    /// Who began it, as [`Actor::name`](crate::Actor::name).
    pub started_by: String,
    /// When.
    pub started_at: Time,
    /// Whether it goes on.
    pub status: RecallStatus,
    /// What came of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Time>,
}

/// All recalls, by time.
pub const ALL: Index = Index("recall.all");
/// By status.
pub const BY_STATUS: Index = Index("recall.status");

impl Entity for Recall {
    const TABLE: Table = Table("recall");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let status = match self.status {
            RecallStatus::Running => "running",
            RecallStatus::Closed => "closed",
        };
        vec![Entry::new(ALL, "", &self.id), Entry::new(BY_STATUS, status, &self.id)]
    }
    fn area(&self) -> &str {
        &self.area
    }
}

/// What became of a lot of a recall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposal {
    /// 待处理.
    Waiting,
    /// 已通知.
    Notified,
    /// 已封存 / 下架.
    Sealed,
    /// 已召回.
    Recovered,
    /// 已销毁 (无害化处理).
    Destroyed,
    /// 已放行: it had nothing to do with it.
    Cleared,
}

impl Disposal {
    /// Every one, in the order of a choice list.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Notified,
        Self::Sealed,
        Self::Recovered,
        Self::Destroyed,
        Self::Cleared,
    ];

    /// Whether nothing is left to do.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Recovered | Self::Destroyed | Self::Cleared)
    }
}

/// How far a recall is with one lot; the newest note stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecallNote {
    /// Recall and lot, `rcl_…/lot_…`.
    pub id: String,
    /// Recall.
    pub recall: String,
    /// Lot.
    pub lot: String,
    /// What became of it.
    pub disposal: Disposal,
    /// Quantity that was got back, in the lot's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Decimal>,
    /// In words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Photos and papers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Who noted it.
    pub noted_by: String,
    /// When.
    pub noted_at: Time,
    /// Region code of the lot.
    pub area: String,
    /// Operator of the lot.
    pub operator: String,
}

/// Notes by recall.
pub const NOTES: Index = Index("recall_note.recall");
/// Notes by digest of an attachment.
pub const NOTE_ATTACHMENT: Index = Index("recall_note.attachment");

impl Entity for RecallNote {
    const TABLE: Table = Table("recall_note");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![Entry::new(NOTES, &self.recall, &self.lot)];
        let files = self.attachments.iter();
        entries.extend(files.map(|one| Entry::new(NOTE_ATTACHMENT, &one.hash, &self.id)));
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: begins a recall. What it begins with was found by the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRecall {
    /// What it is about.
    pub request: RecallRequest,
    /// What it begins with, in words.
    pub title: String,
    /// Lots that it begins with.
    pub roots: Vec<String>,
    /// Lots that it reaches.
    pub reached: u32,
}

/// Command: holds lots of a running recall; at most [`BATCH_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldForRecall {
    /// Recall.
    pub recall: String,
    /// Lots.
    pub lots: Vec<String>,
}

/// Command: notes how far a recall is with a lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteRecall {
    /// Recall.
    pub recall: String,
    /// Lot.
    pub lot: String,
    /// What became of it.
    pub disposal: Disposal,
    /// Quantity that was got back, in the lot's unit.
    #[serde(default)]
    pub recovered: Option<Decimal>,
    /// In words.
    #[serde(default)]
    pub note: String,
    /// Photos and papers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// Command and event payload: a recall is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseRecall {
    /// Recall.
    pub recall: String,
    /// What came of it, at most 256 characters.
    pub summary: String,
}

pub(crate) fn start(ctx: &mut Context<'_>, c: StartRecall) -> Result<Recall, DomainError> {
    let today = china_date(ctx.time);
    let request = &c.request;
    let mut check = Check::new();
    check.text("reason", &request.reason, 128).ensure(
        request.from.zip(request.to).is_none_or(|(from, to)| from <= to),
        "to",
        "bad_range",
    );
    if let Some(from) = request.from {
        check.day_done("from", from, today);
    }
    check.done()?;
    if c.roots.is_empty() {
        return Err(DomainError::refused("recall_of_nothing", &[]));
    }
    if c.roots.len() > ROOTS_MAX {
        return Err(DomainError::refused("recall_too_wide", &[("max", &ROOTS_MAX.to_string())]));
    }
    let first: Lot = ctx.require("lot", c.roots.first().map_or("", String::as_str))?;
    let area = match ctx.actor {
        crate::Actor::User { scope, .. } => scope.area.clone().unwrap_or(first.area),
        _ => String::new(),
    };
    Ok(Recall {
        id: new_id("rcl", ctx.time, ctx.random),
        request: c.request,
        title: c.title,
        roots: c.roots,
        reached: c.reached,
        area,
        started_by: ctx.actor.name(),
        started_at: ctx.time,
        status: RecallStatus::Running,
        summary: String::new(),
        closed_at: None,
    })
}

/// Holds what is not held for this recall yet.
pub(crate) fn hold(ctx: &Context<'_>, c: &HoldForRecall) -> Result<Vec<LotHeld>, DomainError> {
    let recall = running(ctx, &c.recall)?;
    if recall.request.drill || c.lots.len() > BATCH_MAX {
        return Err(DomainError::refused("recall_is_drill", &[]));
    }
    let mut held = Vec::new();
    for id in &c.lots {
        let lot: Lot = ctx.require("lot", id)?;
        if lot.status != LotStatus::Void && !lot.is_held_for(HoldKind::Recall, &recall.id) {
            let (reason, reference) = (HoldKind::Recall, recall.id.clone());
            held.push(LotHeld {
                lot: lot.id,
                reason,
                reference,
                note: recall.request.reason.clone(),
            });
        }
    }
    Ok(held)
}

pub(crate) fn note(ctx: &mut Context<'_>, c: NoteRecall) -> Result<RecallNote, DomainError> {
    let recall = running(ctx, &c.recall)?;
    let lot: Lot = ctx.require("lot", &c.lot)?;
    let mut check = Check::new();
    check.optional_text("note", &c.note, 256);
    if let Some(recovered) = c.recovered {
        let fits = recovered >= Decimal::ZERO && recovered <= lot.quantity;
        check.ensure(fits && recovered.normalize().scale() <= 3, "recovered", "bad_quantity");
    }
    // What was destroyed is proved (law art 59, R-096): by words at least, better by a photo.
    let proved = !c.note.trim().is_empty() || !c.attachments.is_empty();
    check.ensure(!c.disposal.is_done() || proved, "note", "required");
    attachment::check(&mut check, &c.attachments);
    check.done()?;
    Ok(RecallNote {
        id: format!("{}/{}", recall.id, lot.id),
        recall: recall.id,
        lot: lot.id,
        disposal: c.disposal,
        recovered: c.recovered,
        note: c.note.trim().to_owned(),
        attachments: c.attachments,
        noted_by: ctx.actor.name(),
        noted_at: ctx.time,
        area: lot.area,
        operator: lot.operator,
    })
}

pub(crate) fn close(ctx: &mut Context<'_>, c: CloseRecall) -> Result<CloseRecall, DomainError> {
    let recall = running(ctx, &c.recall)?;
    let mut check = Check::new();
    check.text("summary", &c.summary, 256);
    check.done()?;
    Ok(CloseRecall { recall: recall.id, summary: c.summary.trim().to_owned() })
}

fn running(ctx: &Context<'_>, id: &str) -> Result<Recall, DomainError> {
    let recall: Recall = ctx.require("recall", id)?;
    match recall.status {
        RecallStatus::Running => Ok(recall),
        RecallStatus::Closed => Err(DomainError::refused("recall_is_closed", &[])),
    }
}
