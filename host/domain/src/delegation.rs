//! Delegations (委托): which operators the people of a village service point work for. The
//! county's supervision or the station of the township delegates them; an operator that a service point
//! registers itself is delegated to it at once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::agency::{Agency, AgencyKind};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::operator::{Operator, OperatorStatus};
use crate::state::{Entity, Entry, Index, State, StateError, Table};
use crate::time::Time;

/// Operators delegated to one service point: a village's, all of them in the sight of each request.
pub const DELEGATED_MAX: usize = 300;
/// Operators delegated by one command.
pub const AT_ONCE_MAX: usize = 100;

/// One operator at one service point: how it stands now. What was before is in the history of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Service point and operator, see [`key`].
    pub id: String,
    /// Service point.
    pub agency: String,
    /// Operator.
    pub operator: String,
    /// The operator's township when it was delegated.
    pub area: String,
    /// Since when.
    pub since: Time,
    /// Who delegated it.
    pub by: String,
    /// Why it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// Operators in force at a service point; part `""` holds all.
pub const BY_AGENCY: Index = Index("delegation.agency");
/// Service points in force of an operator.
pub const BY_OPERATOR: Index = Index("delegation.operator");

impl Entity for Delegation {
    const TABLE: Table = Table("delegation");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        if self.ended.is_some() {
            return Vec::new();
        }
        vec![
            Entry::new(BY_AGENCY, &self.agency, &self.id),
            Entry::new(BY_AGENCY, "", &self.id),
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
        ]
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Id of the delegation of an operator to a service point: there is one, however often it began.
#[must_use]
pub fn key(agency: &str, operator: &str) -> String {
    format!("{agency}.{operator}")
}

/// Whether the operator is delegated to the service point now.
///
/// # Errors
/// When the state cannot be read.
pub fn is_in_force(state: &dyn State, agency: &str, operator: &str) -> Result<bool, StateError> {
    let found: Option<Delegation> = state.get(&key(agency, operator))?;
    Ok(found.is_some_and(|delegation| delegation.ended.is_none()))
}

/// Operators delegated to a service point now.
///
/// # Errors
/// When the state cannot be read.
pub fn operators_of(state: &dyn State, agency: &str) -> Result<BTreeSet<String>, StateError> {
    let ids = state.ids(BY_AGENCY, agency, DELEGATED_MAX)?;
    let operator = |id: &String| id.split_once('.').map(|(_, operator)| operator.to_owned());
    Ok(ids.iter().filter_map(operator).collect())
}

/// Command: operators are delegated to a service point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelegateOperators {
    /// Service point.
    pub agency: String,
    /// Operators, 1 to [`AT_ONCE_MAX`]; those that are delegated to it already stay so.
    pub operators: Vec<String>,
}

/// Command and event payload: an operator is not delegated to a service point any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndDelegation {
    /// Service point.
    pub agency: String,
    /// Operator.
    pub operator: String,
    /// Reason.
    pub reason: String,
}

pub(crate) fn begin(
    ctx: &mut Context<'_>,
    c: &DelegateOperators,
) -> Result<Vec<Delegation>, DomainError> {
    let wanted: BTreeSet<&String> = c.operators.iter().collect();
    let mut check = Check::new();
    check.ensure(!wanted.is_empty(), "operators", "required");
    if wanted.len() > AT_ONCE_MAX {
        check.bad_with("operators", "too_many", &[("max", &AT_ONCE_MAX.to_string())]);
    }
    check.done()?;
    let agency: Agency = ctx.require("agency", &c.agency)?;
    if agency.kind != AgencyKind::ServicePoint {
        return Err(DomainError::refused("not_a_service_point", &[("agency", &agency.name)]));
    }
    let mut begun = Vec::new();
    for id in wanted {
        let operator: Operator = ctx.require("operator", id)?;
        if matches!(operator.status, OperatorStatus::Withdrawn | OperatorStatus::Exited) {
            return Err(DomainError::refused("not_on_register", &[("name", &operator.name)]));
        }
        if !is_in_force(ctx.state, &agency.id, id)? {
            begun.push(delegated(ctx, &agency.id, &operator));
        }
    }
    check_room(ctx, &agency, begun.len())?;
    Ok(begun)
}

/// What a service point registers is delegated to it; nothing where nobody registers for one.
pub(crate) fn of_registrar(
    ctx: &Context<'_>,
    operator: &Operator,
) -> Result<Option<Delegation>, DomainError> {
    let Actor::User { scope, .. } = ctx.actor else { return Ok(None) };
    let Some(id) = &scope.through else { return Ok(None) };
    let agency: Agency = ctx.require("agency", id)?;
    check_room(ctx, &agency, 1)?;
    Ok(Some(delegated(ctx, &agency.id, operator)))
}

fn delegated(ctx: &Context<'_>, agency: &str, operator: &Operator) -> Delegation {
    Delegation {
        id: key(agency, &operator.id),
        agency: agency.into(),
        operator: operator.id.clone(),
        area: operator.area.clone(),
        since: ctx.time,
        by: ctx.actor.name(),
        ended: None,
    }
}

fn check_room(ctx: &Context<'_>, agency: &Agency, more: usize) -> Result<(), DomainError> {
    let now = ctx.state.ids(BY_AGENCY, &agency.id, DELEGATED_MAX)?.len();
    if now + more <= DELEGATED_MAX {
        return Ok(());
    }
    let (now, max) = (now.to_string(), DELEGATED_MAX.to_string());
    let params = [("agency", agency.name.as_str()), ("now", &now), ("max", &max)];
    Err(DomainError::refused("too_many_delegated", &params))
}

pub(crate) fn end(ctx: &Context<'_>, c: EndDelegation) -> Result<EndDelegation, DomainError> {
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    ctx.require::<Agency>("agency", &c.agency)?;
    let id = key(&c.agency, &c.operator);
    let delegation: Delegation = ctx.require("delegation", &id)?;
    if delegation.ended.is_some() {
        return Err(DomainError::refused("delegation_ended", &[]));
    }
    Ok(c)
}
