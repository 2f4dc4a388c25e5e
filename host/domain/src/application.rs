//! Applications on line (在线入网登记申请, R-007): somebody without an account enters its operator and a
//! password; the account is there at once, for the applicant to follow, correct or take back what it
//! sent. What an operator may do opens with the approval.

use serde::{Deserialize, Serialize};

use crate::actor::Role;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::login::Login;
use crate::operator::{self, Operator, OperatorStatus, RegisterOperator};
use crate::user::{self, User};

/// Command: applies. The password hash is already in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyOperator {
    /// The operator. A contact person is required: the account is in that name.
    pub data: RegisterOperator,
    /// Vault token of the password hash.
    pub credential: String,
}

/// Command and event payload: the applicant takes its application back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithdrawOperator {
    /// Operator.
    pub operator: String,
}

pub(crate) fn apply(
    ctx: &mut Context<'_>,
    c: ApplyOperator,
) -> Result<(Operator, User), DomainError> {
    if c.data.contact_name.trim().is_empty() {
        return Err(DomainError::field("contact_name", "required"));
    }
    let operator = operator::register(ctx, c.data)?;
    let user = account(ctx, &operator, c.credential)?;
    Ok((operator, user))
}

pub(crate) fn withdraw(
    ctx: &mut Context<'_>,
    c: WithdrawOperator,
) -> Result<WithdrawOperator, DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    if !operator.status.is_open_application() {
        return Err(DomainError::refused("decided_already", &[("name", &operator.name)]));
    }
    Ok(c)
}

/// The operator after that.
pub(crate) fn withdrawn(operator: &mut Operator) {
    operator.status = OperatorStatus::Withdrawn;
    operator.status_reason = String::new();
}

/// An operator's own account, whose sign-in name is the operator code. Without a credential nobody
/// signs in with a password, only with the operator's card.
pub(crate) fn account(
    ctx: &mut Context<'_>,
    operator: &Operator,
    credential: String,
) -> Result<User, DomainError> {
    let username = operator.code.to_ascii_lowercase();
    if ctx.state.find::<User>(user::BY_NAME, &username)?.is_some() {
        return Err(DomainError::field("username", "taken"));
    }
    let who = [operator.contact_name.trim(), &operator.name];
    let name = who.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    Ok(User {
        id: new_id("usr", ctx.time, ctx.random),
        username,
        name: name.chars().take(user::NAME_CHARS_MAX).collect(),
        role: Role::Producer,
        area: String::new(),
        operator: Some(operator.id.clone()),
        agency: None,
        office: None,
        credential,
        active: true,
        login: Login::default(),
    })
}
