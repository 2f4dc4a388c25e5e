//! API tokens: a program acts for a person, never for more than the person may, mostly for less.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Role};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::state::{Entity, Entry, Index, Table};
use crate::time::Time;
use crate::user::{User, check_over};

/// A group of commands that a token may give; reading needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenGroup {
    /// Operators, their sites, products and documents, the list of inputs.
    Register,
    /// Lots and production records.
    Records,
    /// Test results.
    Tests,
    /// Certificates, authorisations, labels.
    Certificates,
    /// Devices and their messages.
    Devices,
    /// Natural persons' contacts in full.
    Contacts,
}

impl TokenGroup {
    /// Every group, in the order of a choice list.
    pub const ALL: [Self; 6] = [
        Self::Register,
        Self::Records,
        Self::Tests,
        Self::Certificates,
        Self::Devices,
        Self::Contacts,
    ];
}

/// By which token an actor acts; goes on record with what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Via {
    /// Token id.
    pub id: String,
    /// What it may do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<TokenGroup>,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Id, `tok_…`.
    pub id: String,
    /// Whom it acts for.
    pub user: String,
    /// The user's role when it was made: with another role it works no more.
    pub role: Role,
    /// What the person calls it.
    pub name: String,
    /// SHA-256 (hex) of 256 random bits.
    pub sha256: String,
    /// What it may do; nothing but read when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<TokenGroup>,
    /// When it was made.
    pub made_at: Time,
    /// When it ends.
    pub expires_at: Time,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Time>,
    /// When it was used last; noted once a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Time>,
}

/// By digest.
pub const BY_SHA256: Index = Index("token.sha256=");
/// By user.
pub const BY_USER: Index = Index("token.user");
/// Tokens of one user that work.
pub const TOKENS_MAX: usize = 20;
/// Tokens of one user looked at: those that ended stay on record.
const LISTED_MAX: usize = 1000;
/// Days a token works at most.
pub const DAYS_MAX: u32 = 366;

impl Entity for ApiToken {
    const TABLE: Table = Table("token");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(BY_SHA256, &self.sha256, ""), Entry::new(BY_USER, &self.user, &self.id)]
    }
}

impl ApiToken {
    /// Whether it works for its user now: whoever was deactivated or has another role since gets a new one.
    pub fn works(&self, user: &User, now: Time) -> bool {
        let after = |from: Time| self.made_at > from;
        self.revoked_at.is_none()
            && now < self.expires_at
            && user.active
            && user.id == self.user
            && user.role == self.role
            && user.login.tokens_from.is_none_or(after)
    }

    /// The token as the actor carries it.
    pub fn via(&self) -> Via {
        Via { id: self.id.clone(), groups: self.groups.clone() }
    }
}

/// Command: makes a token for oneself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakeToken {
    /// What it is for.
    pub name: String,
    /// What it may do; nothing but read when empty.
    pub groups: Vec<TokenGroup>,
    /// Days it works, 1 to 366.
    pub days: u32,
    /// SHA-256 (hex) of the token.
    pub sha256: String,
}

/// Command and event payload: a token works no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeToken {
    /// Token id.
    pub token: String,
}

/// Command and event payload: a token was used, noted at most once a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteTokenUse {
    /// Token id.
    pub token: String,
}

pub(crate) fn make(ctx: &mut Context<'_>, c: MakeToken) -> Result<ApiToken, DomainError> {
    let Actor::User { id, .. } = ctx.actor else {
        return Err(DomainError::Forbidden { action: "make_token" });
    };
    let user: User = ctx.require("user", id)?;
    let mut check = Check::new();
    check.text("name", &c.name, 32).text("sha256", &c.sha256, 64).ensure(
        (1..=DAYS_MAX).contains(&c.days),
        "days",
        "bad_token_days",
    );
    check.done()?;
    let all = ctx.state.list::<ApiToken>(BY_USER, &user.id, LISTED_MAX)?;
    if all.iter().filter(|token| token.works(&user, ctx.time)).count() >= TOKENS_MAX {
        return Err(DomainError::refused("too_many_tokens", &[("max", &TOKENS_MAX.to_string())]));
    }
    let mut groups = c.groups;
    groups.sort_unstable();
    groups.dedup();
    let works_for = SignedDuration::from_hours(24 * i64::from(c.days));
    Ok(ApiToken {
        id: new_id("tok", ctx.time, ctx.random),
        user: user.id,
        role: user.role,
        name: c.name.trim().into(),
        sha256: c.sha256,
        groups,
        made_at: ctx.time,
        expires_at: ctx.time.checked_add(works_for).unwrap_or(Time::MAX),
        revoked_at: None,
        used_at: None,
    })
}

/// One's own, or those of people whose accounts one allocates.
pub(crate) fn revoke(ctx: &mut Context<'_>, c: RevokeToken) -> Result<RevokeToken, DomainError> {
    let token: ApiToken = ctx.require("token", &c.token)?;
    let own = matches!(ctx.actor, Actor::User { id, .. } if *id == token.user);
    if !own {
        let not_found = || DomainError::NotFound { noun: "token", id: token.id.clone() };
        // What is not one's to see is not there.
        let may_be = !matches!(ctx.actor, Actor::User { role, .. } if *role != Role::Administrator);
        let user: User = ctx.require("user", &token.user)?;
        if !may_be || check_over(ctx, &user).is_err() {
            return Err(not_found());
        }
    }
    if token.revoked_at.is_some() {
        return Err(DomainError::refused("token_revoked", &[("name", &token.name)]));
    }
    Ok(c)
}

pub(crate) fn note_use(
    ctx: &mut Context<'_>,
    c: NoteTokenUse,
) -> Result<NoteTokenUse, DomainError> {
    ctx.require::<ApiToken>("token", &c.token)?;
    Ok(c)
}
