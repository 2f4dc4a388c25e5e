//! Agencies: supervision, testing and enforcement bodies, township stations, village service points
//!

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::state::{Entity, Entry, Index, Table};

/// Kind of agency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// All agencies by area.
pub const ALL: Index = Index("agency.all");

impl Entity for Agency {
    const TABLE: Table = Table("agency");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(ALL, "", &self.area)]
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
    let mut check = Check::new();
    check.text("name", &c.name, 64).area("area", &c.area).done()?;
    let id = new_id("agy", ctx.time, ctx.random);
    Ok(Agency { id, name: c.name.trim().into(), kind: c.kind, area: c.area })
}
