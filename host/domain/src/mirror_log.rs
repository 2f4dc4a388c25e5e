//! Logs of a static mirror: pages that any web host serves are scanned there, and are counted when the host's
//! log is imported. How far a log was imported is on record together with the counts, so that the same lines
//! never count twice.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::scan::{self, CodeSuspected, ScanCount, ScansCounted};
use crate::state::{Entity, Entry, Index, Overlay, State, StateError, Table};
use crate::time::Time;

/// Codes counted by one command, so that a journal line stays small.
pub const CODES_MAX: usize = 1000;
/// Characters of a log's name.
pub const NAME_CHARS_MAX: usize = 64;
/// A host's clock may be ahead by a day; what is later is no time of a scan.
pub const AHEAD_S: i64 = 24 * 3600;

/// A place in a log. Lines are in the order of their times, and many have the same second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Time of a line.
    pub at: Time,
    /// How many lines of that time.
    pub lines: u64,
}

/// A log and how far it was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorLog {
    /// Its name: one for each host and each of its logs.
    pub name: String,
    /// Up to where.
    pub through: Place,
    /// Scans counted from it so far.
    pub scans: u64,
    /// When it was imported last.
    pub imported_at: Time,
}

/// All logs, by name.
pub const ALL: Index = Index("mirror_log");

impl Entity for MirrorLog {
    const TABLE: Table = Table("mirror_log");
    fn id(&self) -> &str {
        &self.name
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

/// Command: counts the scans of some lines of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportMirrorLog {
    /// The log: 1 to 64 ASCII letters, digits, `.`, `-`, `_`.
    pub name: String,
    /// Up to where it was imported when the lines were read; `None` before the first time.
    #[serde(default)]
    pub after: Option<Place>,
    /// Up to where these lines go.
    pub through: Place,
    /// Scans, at most [`CODES_MAX`] codes; those of codes that do not exist are left out.
    #[serde(default)]
    pub counts: Vec<ScanCount>,
}

/// Event payload: lines of a log are counted; the counts are an event of their own on the same line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorLogImported {
    /// The log.
    pub name: String,
    /// Up to where.
    pub through: Place,
    /// Scans among these lines.
    pub scans: u64,
}

/// Whether a text may name a log.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.bytes().all(fits)
}

/// Lines of a log, with what they count and make suspicious.
pub(crate) struct Imported {
    pub log: MirrorLogImported,
    pub counted: Option<ScansCounted>,
    pub suspected: Vec<CodeSuspected>,
}

pub(crate) fn import(ctx: &mut Context<'_>, c: ImportMirrorLog) -> Result<Imported, DomainError> {
    let latest_s = ctx.time.as_second().saturating_add(AHEAD_S);
    let mut check = Check::new();
    check
        .ensure(is_name(&c.name), "name", "bad_log_name")
        .ensure(c.counts.len() <= CODES_MAX, "counts", "too_many")
        .ensure(c.through.at.as_second() <= latest_s, "through", "in_future");
    check.done()?;
    let known = ctx.state.get::<MirrorLog>(&c.name)?.map(|log| log.through);
    // Somebody else imported the log meanwhile, or there is nothing new in it.
    if known != c.after || known.is_some_and(|known| c.through <= known) {
        return Err(DomainError::refused("mirror_log_moved", &[("name", &c.name)]));
    }
    let (counted, suspected) = match scan::count(ctx.state, c.counts, ctx.time)? {
        Some((counted, suspected)) => (Some(counted), suspected),
        None => (None, Vec::new()),
    };
    let counts = counted.iter().flat_map(|counted| &counted.counts);
    let scans = counts.fold(0u64, |sum, one| sum.saturating_add(one.count));
    let log = MirrorLogImported { name: c.name, through: c.through, scans };
    Ok(Imported { log, counted, suspected })
}

pub(crate) fn apply(
    o: &mut Overlay<'_>,
    event: &MirrorLogImported,
    time: Time,
) -> Result<(), StateError> {
    let state: &dyn State = &*o;
    let before = state.get::<MirrorLog>(&event.name)?.map_or(0, |log| log.scans);
    o.put(&MirrorLog {
        name: event.name.clone(),
        through: event.through,
        scans: before.saturating_add(event.scans),
        imported_at: time,
    })
}
