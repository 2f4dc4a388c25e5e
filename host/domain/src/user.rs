//! Users: people who sign in. Their password hash is a secret in the vault; the journal holds only
//! the token of the secret. Who allocates whose account is told in [`crate::agency`].

use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Role, Scope};
use crate::agency::{self, Agency, AgencyKind, Allocation};
use crate::check::Check;
use crate::county::{COUNTY_ID, County};
use crate::decide::Context;
use crate::delegation;
use crate::error::DomainError;
use crate::id::new_id;
use crate::login::{self, Login};
use crate::policy::Policy;
use crate::state::{Entity, Entry, Index, State, StateError, Table};
use crate::time::Time;

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
    /// Agency the user works for; `None` for the county's supervision, and for producers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<String>,
    /// Its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<AgencyKind>,
    /// Vault token of the password hash.
    pub credential: String,
    /// A deactivated user cannot sign in and loses all sessions.
    pub active: bool,
    /// How the person signs in.
    #[serde(default, skip_serializing_if = "Login::is_blank")]
    pub login: Login,
}

impl User {
    /// The user as an actor, with the sight it has now: that of a service point's people changes with
    /// every delegation.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn actor(&self, state: &dyn State) -> Result<Actor, StateError> {
        let scope = match (&self.role, &self.operator) {
            (Role::Producer, Some(operator)) => Scope::operator(operator),
            (Role::Producer, None) => Scope::default(),
            _ => match self.service_point(state)? {
                Some(agency) => {
                    let operators = delegation::operators_of(state, &agency.id)?;
                    Scope::delegated(agency.id, operators)
                }
                None => Scope::area(&self.area),
            },
        };
        let (id, role, office) = (self.id.clone(), self.role, self.office);
        Ok(Actor::User { id, role, scope, office, token: None })
    }

    /// The service point whose delegations are all that the user sees.
    fn service_point(&self, state: &dyn State) -> Result<Option<Agency>, StateError> {
        let (Some(id), Some(AgencyKind::ServicePoint)) = (&self.agency, self.office) else {
            return Ok(None);
        };
        Ok(state.get::<Agency>(id)?.filter(|agency| agency.delegated_only))
    }

    /// Whether the user works for the county's supervision, which settings and devices belong to.
    pub fn is_of_supervision(&self) -> bool {
        self.role != Role::Producer
            && self.office.is_none_or(|kind| kind == AgencyKind::Supervision)
    }

    /// Whether the user is administrator of the county's supervision.
    pub fn is_county_administrator(&self) -> bool {
        self.role == Role::Administrator && self.is_of_supervision()
    }
}

/// Users by sign-in name.
pub const BY_NAME: Index = Index("user.name=");
/// All users.
pub const ALL: Index = Index("user.all");
/// By agency and sign-in name; part `""` holds the county's own without an agency, and producers.
pub const BY_AGENCY: Index = Index("user.agency");
/// Active administrators by agency.
pub const HEADS: Index = Index("user.head");
/// By operator, for role producer.
pub const BY_OPERATOR: Index = Index("user.operator");
/// Characters of a person's name.
pub const NAME_CHARS_MAX: usize = 32;

impl Entity for User {
    const TABLE: Table = Table("user");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![
            Entry::new(BY_NAME, &self.username, ""),
            Entry::new(ALL, "", &self.username),
            Entry::new(BY_AGENCY, self.agency.as_deref().unwrap_or_default(), &self.username),
        ];
        if self.role == Role::Administrator && self.active {
            let agency = self.agency.iter();
            entries.extend(agency.map(|id| Entry::new(HEADS, id, &self.username)));
        }
        entries.extend(self.operator.iter().map(|id| Entry::new(BY_OPERATOR, id, &self.username)));
        entries
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
    /// Region-code prefix within the agency's; that one, or the county, when empty.
    #[serde(default)]
    pub area: String,
    /// Operator, for role producer.
    #[serde(default)]
    pub operator: Option<String>,
    /// Agency, not for role producer; that of whoever adds the user when absent.
    #[serde(default)]
    pub agency: Option<String>,
    /// Vault token.
    pub credential: String,
    /// Whether the person has to change the password at the first sign-in; so it is whenever a person adds
    /// another.
    #[serde(default, skip_serializing_if = "is_false")]
    pub initial: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Command and event payload: the password was changed, the old secret destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialChanged {
    /// User.
    pub user: String,
    /// New vault token.
    pub credential: String,
    /// Of the command: the person has to change it again; so it is whenever somebody sets another's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub initial: bool,
    /// Of the event: until when it works, if it is to be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_until: Option<Time>,
    /// Of the event: vault tokens of the passwords before that are kept for comparison.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
}

impl CredentialChanged {
    /// The command.
    pub fn new(user: impl Into<String>, credential: impl Into<String>, initial: bool) -> Self {
        let (user, credential) = (user.into(), credential.into());
        Self { user, credential, initial, initial_until: None, earlier: Vec::new() }
    }
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
    let is_producer = c.role == Role::Producer;
    let mut check = Check::new();
    check.text("name", &c.name, NAME_CHARS_MAX).ensure(good, "username", "bad_username");
    if !c.area.is_empty() {
        check.area("area", &c.area);
    }
    check.ensure(c.operator.is_some() == is_producer, "operator", "operator_for_producer");
    check.ensure(c.agency.is_none() || !is_producer, "agency", "agency_not_for_producer");
    check.done()?;
    if let Some(id) = &c.operator {
        ctx.require::<crate::operator::Operator>("operator", id)?;
    }
    let own = agency::own(ctx)?;
    let agency = match &c.agency {
        Some(id) => Some(ctx.require::<Agency>("agency", id)?),
        None => own.clone().filter(|_| !is_producer),
    };
    check_allocation(own.as_ref(), agency.as_ref(), c.role)?;
    let area = area_of(ctx, agency.as_ref(), c.area)?;
    if let (Role::Administrator, Some(agency)) = (c.role, &agency) {
        check_one_administrator(ctx, agency)?;
    }
    if ctx.state.find::<User>(BY_NAME, &username)?.is_some() {
        return Err(DomainError::field("username", "taken"));
    }
    Ok(User {
        id: new_id("usr", ctx.time, ctx.random),
        username,
        name: c.name.trim().into(),
        role: c.role,
        area,
        operator: c.operator,
        office: agency.as_ref().map(|agency| agency.kind),
        agency: agency.map(|agency| agency.id),
        login: initial_login(ctx, &c.credential, c.initial)?,
        credential: c.credential,
        active: true,
    })
}

/// A password that a person gives to another is to be changed at the first sign-in (ASVS 5.0 6.4.1).
fn initial_login(ctx: &Context<'_>, credential: &str, initial: bool) -> Result<Login, DomainError> {
    let is_initial = initial || matches!(ctx.actor, Actor::User { .. });
    let initial_until = match is_initial && !credential.is_empty() {
        true => Some(login::initial_until(ctx)?),
        false => None,
    };
    Ok(Login { initial_until, ..Login::default() })
}

/// Activates or deactivates; a person only whom it could have added, and never itself.
pub(crate) fn set_active(
    ctx: &mut Context<'_>,
    c: ActiveChanged,
) -> Result<ActiveChanged, DomainError> {
    let user: User = ctx.require("user", &c.user)?;
    if is_self(ctx, &user) && !c.active {
        return Err(DomainError::refused("cannot_deactivate_self", &[]));
    }
    let agency = check_over(ctx, &user)?;
    if let (true, false, Role::Administrator, Some(agency)) =
        (c.active, user.active, user.role, &agency)
    {
        check_one_administrator(ctx, agency)?;
    }
    Ok(c)
}

/// A new password: one's own, or that of whom one could have added.
pub(crate) fn change_credential(
    ctx: &mut Context<'_>,
    c: CredentialChanged,
) -> Result<CredentialChanged, DomainError> {
    let user: User = ctx.require("user", &c.user)?;
    let of_another = !is_self(ctx, &user);
    if of_another {
        check_over(ctx, &user)?;
    }
    let by_person = matches!(ctx.actor, Actor::User { .. });
    let initial_until = match c.initial || (of_another && by_person) {
        true => Some(login::initial_until(ctx)?),
        false => None,
    };
    // The new one is one of those that the next must differ from.
    let kept = Policy::of(ctx.state)?.passwords.rules().differs_from.saturating_sub(1);
    let before = [vec![user.credential], user.login.earlier].concat();
    let earlier = before.into_iter().filter(|token| !token.is_empty()).take(kept).collect();
    let CredentialChanged { user, credential, .. } = c;
    Ok(CredentialChanged { user, credential, initial: false, initial_until, earlier })
}

/// What the change of the password makes of how the person signs in.
pub(crate) fn credential_changed(user: &mut User, e: &CredentialChanged, time: Time) {
    user.credential.clone_from(&e.credential);
    user.login.credential_at = Some(time);
    user.login.initial_until = e.initial_until;
    user.login.earlier.clone_from(&e.earlier);
    if e.initial_until.is_some() {
        // Somebody else took the account in hand: what acted for the person ends.
        user.login.tokens_from = Some(time);
    }
}

pub(crate) fn is_self(ctx: &Context<'_>, user: &User) -> bool {
    matches!(ctx.actor, Actor::User { id, .. } if *id == user.id)
}

/// Whether the actor allocates the user's account; gives the user's agency.
pub(crate) fn check_over(ctx: &Context<'_>, user: &User) -> Result<Option<Agency>, DomainError> {
    let agency = match &user.agency {
        Some(id) => Some(ctx.require::<Agency>("agency", id)?),
        None => None,
    };
    check_allocation(agency::own(ctx)?.as_ref(), agency.as_ref(), user.role)?;
    Ok(agency)
}

fn check_allocation(
    own: Option<&Agency>,
    agency: Option<&Agency>,
    role: Role,
) -> Result<(), DomainError> {
    let allowed = match agency::allocation(own, agency) {
        Allocation::Everybody => true,
        Allocation::Staff => matches!(role, Role::Clerk | Role::Officer),
        Allocation::Nobody => false,
    };
    if allowed { Ok(()) } else { Err(DomainError::refused("allocated_above", &[])) }
}

/// Exactly one administrator for each agency. Another takes over when the one before is
/// deactivated, so that the records of both stay apart.
fn check_one_administrator(ctx: &Context<'_>, agency: &Agency) -> Result<(), DomainError> {
    match ctx.state.find::<User>(HEADS, &agency.id)? {
        Some(user) => {
            let params = [("agency", agency.name.as_str()), ("name", user.name.as_str())];
            Err(DomainError::refused("agency_has_administrator", &params))
        }
        None => Ok(()),
    }
}

/// The sight of a person of this agency, cut down to `wanted`; that of the county's own bodies is the
/// county, and so are records that belong to no township.
fn area_of(
    ctx: &Context<'_>,
    agency: Option<&Agency>,
    wanted: String,
) -> Result<String, DomainError> {
    let Some(agency) = agency else { return Ok(wanted) };
    let county = ctx.state.get::<County>(COUNTY_ID)?.map(|county| county.area);
    let widest = if county.as_ref() == Some(&agency.area) { "" } else { &agency.area };
    if wanted.is_empty() {
        return Ok(widest.into());
    }
    let inside = wanted.starts_with(&agency.area);
    if inside { Ok(wanted) } else { Err(DomainError::field("area", "outside_agency")) }
}
