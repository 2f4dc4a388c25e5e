//! Users: people who sign in. Their password hash is a secret in the vault; the journal holds only
//! the token of the secret.

use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Role, Scope};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::state::{Entity, Entry, Index, Table};

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Id, `usr_…`.
    pub id: String,
    /// Sign-in name, unique, lower case.
    pub username: String,
    /// Person's name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Region-code prefix of the user's sight; empty is the county.
    pub area: String,
    /// Operator the user acts for (role producer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Agency the user works for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<String>,
    /// Vault token of the password hash.
    pub credential: String,
    /// A deactivated user cannot sign in and loses all sessions.
    pub active: bool,
}

impl User {
    /// The user as an actor.
    pub fn actor(&self) -> Actor {
        let scope = match (&self.role, &self.operator) {
            (Role::Producer, Some(operator)) => Scope::operator(operator),
            (Role::Producer, None) => Scope::default(),
            _ => Scope { area: Some(self.area.clone()), operators: Vec::new() },
        };
        Actor::User { id: self.id.clone(), role: self.role, scope }
    }
}

/// Users by sign-in name.
pub const BY_NAME: Index = Index("user.name=");
/// All users.
pub const ALL: Index = Index("user.all");

impl Entity for User {
    const TABLE: Table = Table("user");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(BY_NAME, &self.username, ""), Entry::new(ALL, "", &self.username)]
    }
    fn area(&self) -> &str {
        &self.area
    }
}

/// Command: adds a user whose password hash is already in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddUser {
    /// 2 to 32 of `a-z 0-9 . _ -`.
    pub username: String,
    /// Person's name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Region-code prefix; empty is the county.
    #[serde(default)]
    pub area: String,
    /// Operator, for role producer.
    #[serde(default)]
    pub operator: Option<String>,
    /// Agency.
    #[serde(default)]
    pub agency: Option<String>,
    /// Vault token.
    pub credential: String,
}

/// Event payload: the password was changed, the old secret destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialChanged {
    /// User.
    pub user: String,
    /// New vault token.
    pub credential: String,
}

/// Event payload: the user was deactivated or taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveChanged {
    /// User.
    pub user: String,
    /// Whether it may sign in.
    pub active: bool,
}

pub(crate) fn add(ctx: &mut Context<'_>, c: AddUser) -> Result<User, DomainError> {
    let username = c.username.trim().to_ascii_lowercase();
    let good = (2..=32).contains(&username.len())
        && username.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    let mut check = Check::new();
    check.text("name", &c.name, 32).ensure(good, "username", "bad_username");
    if !c.area.is_empty() {
        check.area("area", &c.area);
    }
    let has_operator = c.operator.is_some();
    check.ensure(has_operator == (c.role == Role::Producer), "operator", "operator_for_producer");
    check.done()?;
    if let Some(id) = &c.operator {
        ctx.require::<crate::operator::Operator>("operator", id)?;
    }
    if let Some(id) = &c.agency {
        ctx.require::<crate::agency::Agency>("agency", id)?;
    }
    if ctx.state.find::<User>(BY_NAME, &username)?.is_some() {
        return Err(DomainError::field("username", "taken"));
    }
    Ok(User {
        id: new_id("usr", ctx.time, ctx.random),
        username,
        name: c.name.trim().into(),
        role: c.role,
        area: c.area,
        operator: c.operator,
        agency: c.agency,
        credential: c.credential,
        active: true,
    })
}
