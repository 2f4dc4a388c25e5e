//! Accesses on record: who signed in, who took data out, who looked at what is kept masked. They tell
//! whether an account is used, and after a leak who had what.

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::operator::Operator;
use crate::state::{Entity, Entry, Index, Table};
use crate::time::Time;
use crate::user::User;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessKind {
    /// Signed in with a password.
    SignIn,
    /// Signed in with an operator's card.
    Card,
    /// Took a list out as a file.
    Export,
    /// Looked at a natural person's data in full.
    Reveal,
}

impl AccessKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 4] = [Self::SignIn, Self::Card, Self::Export, Self::Reveal];

    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Card => "card",
            Self::Export => "export",
            Self::Reveal => "reveal",
        }
    }
}

/// One access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Id, `acc_…`.
    pub id: String,
    /// User.
    pub user: String,
    /// Region-code prefix of the user's sight, for whose business it is.
    pub area: String,
    /// What was done.
    pub kind: AccessKind,
    /// To what, such as `operators.csv?status=approved` or `operator/opr_…`; empty for a sign-in.
    #[serde(default)]
    pub what: String,
    /// Rows that went out.
    #[serde(default)]
    pub rows: u64,
    /// Address it came from.
    pub address: String,
    /// What for, as whoever looked at masked data said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When.
    pub at: Time,
}

/// By kind; part `""` holds all.
pub const BY_KIND: Index = Index("access.kind");
/// By user.
pub const BY_USER: Index = Index("access.user");

impl Entity for Access {
    const TABLE: Table = Table("access");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![
            Entry::new(BY_KIND, "", &self.id),
            Entry::new(BY_KIND, self.kind.as_str(), &self.id),
            Entry::new(BY_USER, &self.user, &self.id),
        ]
    }
    fn area(&self) -> &str {
        &self.area
    }
}

/// Command: puts an access on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteAccess {
    /// User.
    pub user: String,
    /// What was done.
    pub kind: AccessKind,
    /// To what.
    #[serde(default)]
    pub what: String,
    /// Rows that went out.
    #[serde(default)]
    pub rows: u64,
    /// Address it came from.
    pub address: String,
}

pub(crate) fn note(ctx: &mut Context<'_>, c: NoteAccess) -> Result<Access, DomainError> {
    let user: User = ctx.require("user", &c.user)?;
    let mut check = Check::new();
    check.optional_text("what", &c.what, 256).text("address", &c.address, 64);
    check.done()?;
    Ok(Access {
        id: new_id("acc", ctx.time, ctx.random),
        user: user.id,
        area: user.area,
        kind: c.kind,
        what: c.what,
        rows: c.rows,
        address: c.address,
        reason: String::new(),
        at: ctx.time,
    })
}

/// Command: looks at a natural person's contact in full. It is on record before anything is shown
/// (Personal Information Protection Law, art 51).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealContact {
    /// Operator.
    pub operator: String,
    /// What for, 2 to 128 characters.
    pub reason: String,
    /// Address it came from.
    pub address: String,
}

pub(crate) fn reveal(ctx: &mut Context<'_>, c: RevealContact) -> Result<Access, DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    let reason = c.reason.trim();
    let mut check = Check::new();
    check
        .text("reason", reason, 128)
        .ensure(reason.chars().count() != 1, "reason", "required")
        .text("address", &c.address, 64);
    check.done()?;
    if operator.contact_secret.is_none() {
        return Err(DomainError::refused("not_masked", &[("name", &operator.name)]));
    }
    let (user, area) = match ctx.actor {
        Actor::User { id, .. } => {
            let user: User = ctx.require("user", id)?;
            (user.id, user.area)
        }
        other => (other.name(), operator.area.clone()),
    };
    Ok(Access {
        id: new_id("acc", ctx.time, ctx.random),
        user,
        area,
        kind: AccessKind::Reveal,
        what: format!("operator/{}", operator.id),
        rows: 1,
        address: c.address,
        reason: reason.into(),
        at: ctx.time,
    })
}
