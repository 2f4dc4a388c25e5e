//! Sites (产地/基地): plots, ponds, houses of an operator.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::operator::Operator;
use crate::state::{Entity, Entry, Index, Table};

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Id, `sit_…`.
    pub id: String,
    /// Operator.
    pub operator: String,
    /// Name, such as 花石一号莲田.
    pub name: String,
    /// Region code.
    pub area: String,
    /// Region in words.
    pub area_name: String,
    /// Size in 亩.
    pub size_mu: Decimal,
}

/// By operator.
pub const BY_OPERATOR: Index = Index("site.operator");

impl Entity for Site {
    const TABLE: Table = Table("site");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(BY_OPERATOR, &self.operator, &self.id)]
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: adds a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddSite {
    /// Operator.
    pub operator: String,
    /// Name.
    pub name: String,
    /// Region code; the operator's when empty.
    #[serde(default)]
    pub area: String,
    /// Region in words; the operator's when empty.
    #[serde(default)]
    pub area_name: String,
    /// Size in 亩.
    pub size_mu: Decimal,
}

pub(crate) fn add(ctx: &mut Context<'_>, c: AddSite) -> Result<Site, DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    let (area, area_name) =
        if c.area.is_empty() { (operator.area, operator.area_name) } else { (c.area, c.area_name) };
    let mut check = Check::new();
    check
        .text("name", &c.name, 64)
        .area("area", &area)
        .text("area_name", &area_name, 64)
        .quantity("size_mu", c.size_mu);
    check.done()?;
    Ok(Site {
        id: new_id("sit", ctx.time, ctx.random),
        operator: operator.id,
        name: c.name.trim().into(),
        area,
        area_name,
        size_mu: c.size_mu,
    })
}
