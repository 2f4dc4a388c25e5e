//! Cells (网格) of supervision: who answers for which operators (R-090, 网格化监管、包片联点责任制).
//!
//! Which cell an operator is in is unambiguous by two rules: the one cell that names it; else the one cell
//! that takes its whole township. A named operator is in no other cell by name, a township is taken as a
//! whole by one cell at most.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::actor::Role;
use crate::agency::{Agency, AgencyKind};
use crate::check::Check;
use crate::county::{COUNTY_ID, County};
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::operator::Operator;
use crate::state::{Entity, Entry, Index, State, StateError, Table};
use crate::time::Time;
use crate::user::User;

/// Operators that one cell names.
pub const NAMED_MAX: usize = 300;
/// Digits of a township's code.
pub const TOWNSHIP_DIGITS: usize = 9;
/// Digits of a village's code.
const VILLAGE_DIGITS: usize = 12;

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Id, `cel_…`.
    pub id: String,
    /// What it is.
    #[serde(flatten)]
    pub data: CellData,
    /// When it was made.
    pub since: Time,
    /// Why it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// Command: adds a cell; and what a cell is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellData {
    /// Name, unique, at most 32 characters.
    pub name: String,
    /// Township (9 digits) or village (12 digits).
    pub area: String,
    /// It has every operator of the township that no other cell names.
    #[serde(default)]
    pub whole: bool,
    /// Operators it names, at most [`NAMED_MAX`].
    #[serde(default)]
    pub operators: BTreeSet<String>,
    /// Who answers for it (包片责任人), when that is somebody with an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The same by name, for somebody without one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub person: String,
    /// The office phone that is posted for the cell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phone: String,
    /// Supervising agency; the county's supervision when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<String>,
}

/// Cells in force in part `""`, the others in part `ended`, by area.
pub const BY_STATUS: Index = Index("cell.status");
/// The cell in force that takes a township as a whole.
pub const BY_TOWNSHIP: Index = Index("cell.township=");
/// The cell in force that names an operator.
pub const BY_OPERATOR: Index = Index("cell.operator=");
/// Cells in force by name.
pub const BY_NAME: Index = Index("cell.name=");
/// Part of [`BY_STATUS`] with the cells that ended.
pub const ENDED: &str = "ended";

impl Entity for Cell {
    const TABLE: Table = Table("cell");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        if self.ended.is_some() {
            return vec![Entry::new(BY_STATUS, ENDED, &self.data.area)];
        }
        let mut out = vec![
            Entry::new(BY_STATUS, "", &self.data.area),
            Entry::new(BY_NAME, &self.data.name, ""),
        ];
        if self.data.whole {
            out.push(Entry::new(BY_TOWNSHIP, &self.data.area, ""));
        }
        let named = self.data.operators.iter();
        out.extend(named.map(|operator| Entry::new(BY_OPERATOR, operator, "")));
        out
    }
    fn area(&self) -> &str {
        &self.data.area
    }
}

/// The cell that an operator is in.
///
/// # Errors
/// When the state cannot be read.
pub fn of_operator(state: &dyn State, operator: &Operator) -> Result<Option<Cell>, StateError> {
    let named = state.find::<Cell>(BY_OPERATOR, &operator.id)?;
    match (named, operator.area.get(..TOWNSHIP_DIGITS)) {
        (None, Some(township)) => state.find(BY_TOWNSHIP, township),
        (named, _) => Ok(named),
    }
}

/// Command: a cell becomes another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeCell {
    /// Cell.
    pub cell: String,
    /// All of it, as it is to be.
    pub data: CellData,
    /// Reason.
    pub reason: String,
}

/// Event payload: the cell as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellChanged {
    /// The cell.
    pub cell: Cell,
    /// Reason.
    pub reason: String,
}

/// Command and event payload: a cell ends; its operators fall back to the cell of their township.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndCell {
    /// Cell.
    pub cell: String,
    /// Reason.
    pub reason: String,
}

pub(crate) fn add(ctx: &mut Context<'_>, c: CellData) -> Result<Cell, DomainError> {
    let data = checked(ctx, c, "")?;
    Ok(Cell { id: new_id("cel", ctx.time, ctx.random), data, since: ctx.time, ended: None })
}

pub(crate) fn change(ctx: &Context<'_>, c: ChangeCell) -> Result<CellChanged, DomainError> {
    let cell = in_force(ctx, &c.cell)?;
    check_reason(&c.reason)?;
    let data = checked(ctx, c.data, &cell.id)?;
    Ok(CellChanged { cell: Cell { data, ..cell }, reason: c.reason })
}

pub(crate) fn end(ctx: &Context<'_>, c: EndCell) -> Result<EndCell, DomainError> {
    in_force(ctx, &c.cell)?;
    check_reason(&c.reason)?;
    Ok(c)
}

fn in_force(ctx: &Context<'_>, id: &str) -> Result<Cell, DomainError> {
    let cell: Cell = ctx.require("cell", id)?;
    match &cell.ended {
        Some(_) => Err(DomainError::refused("cell_ended", &[("name", &cell.data.name)])),
        None => Ok(cell),
    }
}

fn check_reason(reason: &str) -> Result<(), DomainError> {
    let mut check = Check::new();
    check.text("reason", reason, 128);
    check.done()
}

/// What was sent, checked and in its clean spelling. `own` is the cell it is of, if there is one.
fn checked(ctx: &Context<'_>, c: CellData, own: &str) -> Result<CellData, DomainError> {
    let data = CellData { name: c.name.trim().into(), person: c.person.trim().into(), ..c };
    check_fields(ctx, &data)?;
    let township = Some(&data.area).filter(|_| data.whole);
    if let Some(other) = township.map(|area| ctx.state.find::<Cell>(BY_TOWNSHIP, area)) {
        let other = other?.filter(|other| other.id != own);
        if let Some(other) = other {
            return Err(DomainError::refused("township_in_cell", &[("name", &other.data.name)]));
        }
    }
    let same_name = ctx.state.find::<Cell>(BY_NAME, &data.name)?;
    if same_name.is_some_and(|other| other.id != own) {
        return Err(DomainError::field("name", "taken"));
    }
    for id in &data.operators {
        let operator: Operator = ctx.require("operator", id)?;
        let other = ctx.state.find::<Cell>(BY_OPERATOR, id)?.filter(|other| other.id != own);
        if let Some(other) = other {
            let params = [("name", operator.name.as_str()), ("cell", other.data.name.as_str())];
            return Err(DomainError::refused("operator_in_cell", &params));
        }
    }
    check_people(ctx, &data)?;
    Ok(data)
}

fn check_fields(ctx: &Context<'_>, data: &CellData) -> Result<(), DomainError> {
    let county = ctx.state.get::<County>(COUNTY_ID)?.map(|county| county.area).unwrap_or_default();
    let digits = data.area.len();
    let mut check = Check::new();
    check
        .text("name", &data.name, 32)
        .area("area", &data.area)
        .ensure(
            [TOWNSHIP_DIGITS, VILLAGE_DIGITS].contains(&digits) && data.area.starts_with(&county),
            "area",
            "cell_area",
        )
        // Operators are registered by township: which of them belong to a village, only a list says.
        .ensure(!data.whole || digits != VILLAGE_DIGITS, "whole", "cell_whole_township")
        .optional_text("person", &data.person, 32)
        .optional_text("phone", &data.phone, 32)
        .ensure(data.user.is_none() || data.person.is_empty(), "person", "one_person_only")
        .ensure(data.person.is_empty() || !data.phone.trim().is_empty(), "phone", "required");
    if data.operators.len() > NAMED_MAX {
        check.bad_with("operators", "too_many", &[("max", &NAMED_MAX.to_string())]);
    }
    check.done()
}

/// Who answers for it must see it, and so must its agency.
fn check_people(ctx: &Context<'_>, data: &CellData) -> Result<(), DomainError> {
    if let Some(id) = &data.user {
        let user: User = ctx.require("user", id)?;
        if user.role == Role::Producer || !user.active || !data.area.starts_with(&user.area) {
            return Err(DomainError::field("user", "person_not_here"));
        }
    }
    if let Some(id) = &data.agency {
        let agency: Agency = ctx.require("agency", id)?;
        let supervises = matches!(agency.kind, AgencyKind::Supervision | AgencyKind::Station);
        if !supervises || !data.area.starts_with(&agency.area) {
            return Err(DomainError::field("agency", "agency_not_here"));
        }
    }
    Ok(())
}
