//! Agencies: supervision, testing and enforcement bodies, township stations, village service points
//! and who allocates accounts in which.

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::check::Check;
use crate::county::{COUNTY_ID, County};
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::state::{Entity, Entry, Index, Table};
use crate::user::User;

/// Kind of agency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgencyKind {
    /// 监管机构.
    Supervision,
    /// 检测机构.
    Testing,
    /// 执法机构.
    Enforcement,
    /// 乡镇监管站.
    Station,
    /// 村级服务站点.
    ServicePoint,
}

impl AgencyKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 5] =
        [Self::Supervision, Self::Testing, Self::Enforcement, Self::Station, Self::ServicePoint];

    /// Whether it is one of the county's own, and not of a township or village.
    pub fn is_county_wide(self) -> bool {
        matches!(self, Self::Supervision | Self::Testing | Self::Enforcement)
    }
}

/// An agency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agency {
    /// Id, `agy_…`.
    pub id: String,
    /// Full name.
    pub name: String,
    /// Kind.
    pub kind: AgencyKind,
    /// Region code it is responsible for.
    pub area: String,
    /// Its people see the operators delegated to it and no others. Service points of earlier
    /// versions see their area until the first delegation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delegated_only: bool,
}

/// All agencies by area.
pub const ALL: Index = Index("agency.all");
/// By name.
pub const BY_NAME: Index = Index("agency.name=");

impl Entity for Agency {
    const TABLE: Table = Table("agency");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(ALL, "", &self.area), Entry::new(BY_NAME, &self.name, "")]
    }
    fn area(&self) -> &str {
        &self.area
    }
}

/// Command: adds an agency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddAgency {
    /// Full name, at most 64 characters.
    pub name: String,
    /// Kind.
    pub kind: AgencyKind,
    /// Region code, 6 digits or more.
    pub area: String,
}

pub(crate) fn add(ctx: &mut Context<'_>, c: AddAgency) -> Result<Agency, DomainError> {
    let name = c.name.trim();
    let mut check = Check::new();
    check.text("name", name, 64).area("area", &c.area);
    if let Some(county) = ctx.state.get::<County>(COUNTY_ID)? {
        // A county's body is responsible for all of it, the others for a part.
        let fits = if c.kind.is_county_wide() {
            c.area == county.area
        } else {
            c.area.starts_with(&county.area) && c.area.len() >= 9
        };
        check.ensure(fits, "area", "agency_area");
    }
    check.done()?;
    let agency = Agency {
        id: new_id("agy", ctx.time, ctx.random),
        name: name.into(),
        delegated_only: c.kind == AgencyKind::ServicePoint,
        kind: c.kind,
        area: c.area,
    };
    if allocation(own(ctx)?.as_ref(), Some(&agency)) != Allocation::Everybody {
        return Err(DomainError::refused("agency_of_county", &[]));
    }
    if ctx.state.find::<Agency>(BY_NAME, name)?.is_some() {
        return Err(DomainError::field("name", "taken"));
    }
    Ok(agency)
}

/// Whose accounts somebody may allocate in an agency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// Its administrator and all others.
    Everybody,
    /// All but its administrator.
    Staff,
    /// Nobody's.
    Nobody,
}

/// The agency for which the actor works, if it works for one.
pub(crate) fn own(ctx: &Context<'_>) -> Result<Option<Agency>, DomainError> {
    let Actor::User { id, .. } = ctx.actor else { return Ok(None) };
    let user: Option<User> = ctx.state.get(id)?;
    let id = user.and_then(|user| user.agency);
    id.map(|id| ctx.require("agency", &id)).transpose()
}

/// The tree of: the county's supervision (`own` of that kind, or `None`) allocates all
/// accounts of the county and its townships, an administrator those of its own agency. That a station
/// allocates the accounts of the service points in its township is our reading of R-011.
#[must_use]
pub fn allocation(own: Option<&Agency>, agency: Option<&Agency>) -> Allocation {
    match (own.filter(|own| own.kind != AgencyKind::Supervision), agency) {
        (None, _) => Allocation::Everybody,
        (Some(own), Some(agency)) if own.id == agency.id => Allocation::Staff,
        (Some(own), Some(agency))
            if own.kind == AgencyKind::Station
                && agency.kind == AgencyKind::ServicePoint
                && agency.area.starts_with(&own.area) =>
        {
            Allocation::Everybody
        }
        _ => Allocation::Nobody,
    }
}
