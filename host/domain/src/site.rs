//! Sites (产地/基地): plots, ponds, houses of an operator, with their place on the map.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::operator::Operator;
use crate::position::{self, Position};
use crate::state::{Entity, Entry, Index, Table};

/// Kind of site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteKind {
    /// 大田.
    Field,
    /// 设施大棚.
    Greenhouse,
    /// 果园.
    Orchard,
    /// 茶园.
    TeaGarden,
    /// 鱼塘、水面.
    Pond,
    /// 畜禽舍.
    House,
    /// 初加工、包装场所.
    Workshop,
    /// Everything else, and sites of the time before kinds.
    #[default]
    Other,
}

impl SiteKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 8] = [
        Self::Field,
        Self::Greenhouse,
        Self::Orchard,
        Self::TeaGarden,
        Self::Pond,
        Self::House,
        Self::Workshop,
        Self::Other,
    ];

    fn is_other(&self) -> bool {
        *self == Self::Other
    }
}

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Id, `sit_…`.
    pub id: String,
    /// Operator.
    pub operator: String,
    /// Name, such as 花石一号莲田.
    pub name: String,
    /// Kind.
    #[serde(default, skip_serializing_if = "SiteKind::is_other")]
    pub kind: SiteKind,
    /// Region code.
    pub area: String,
    /// Region in words.
    pub area_name: String,
    /// Size in 亩, as declared.
    pub size_mu: Decimal,
    /// A point on it, such as its gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Its corners, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outline: Vec<Position>,
    /// Why it is not used any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
}

impl Site {
    /// Where a map marks it: its point, or the middle of its outline.
    pub fn mark(&self) -> Option<Position> {
        self.position.or_else(|| position::middle(&self.outline))
    }
}

/// By operator; part `""` holds all.
pub const BY_OPERATOR: Index = Index("site.operator");

impl Entity for Site {
    const TABLE: Table = Table("site");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
            Entry::new(BY_OPERATOR, "", &self.id),
        ]
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
    /// Kind.
    #[serde(default, skip_serializing_if = "SiteKind::is_other")]
    pub kind: SiteKind,
    /// Region code; the operator's when empty.
    #[serde(default)]
    pub area: String,
    /// Region in words; the operator's when empty.
    #[serde(default)]
    pub area_name: String,
    /// Size in 亩.
    pub size_mu: Decimal,
    /// A point on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Its corners, 3 to [`position::OUTLINE_POINTS_MAX`], in order; none when it was not drawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outline: Vec<Position>,
}

/// Command and event payload: a site is corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeSite {
    /// Site.
    pub site: String,
    /// All of it, as it is to be; the operator stays.
    pub data: AddSite,
}

/// Command and event payload: a site is not used any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseSite {
    /// Site.
    pub site: String,
    /// Why.
    pub reason: String,
}

pub(crate) fn add(ctx: &mut Context<'_>, c: AddSite) -> Result<Site, DomainError> {
    let c = checked(ctx, c)?;
    Ok(Site {
        id: new_id("sit", ctx.time, ctx.random),
        operator: c.operator,
        name: c.name,
        kind: c.kind,
        area: c.area,
        area_name: c.area_name,
        size_mu: c.size_mu,
        position: c.position,
        outline: c.outline,
        closed: None,
    })
}

/// What was sent, checked and in its clean spelling.
fn checked(ctx: &Context<'_>, mut c: AddSite) -> Result<AddSite, DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    if c.area.is_empty() {
        (c.area, c.area_name) = (operator.area, operator.area_name);
    }
    let mut check = Check::new();
    check
        .text("name", &c.name, 64)
        .area("area", &c.area)
        .text("area_name", &c.area_name, 64)
        .quantity("size_mu", c.size_mu);
    position::check(&mut check, c.position, &c.outline);
    check.done()?;
    c.name = c.name.trim().into();
    Ok(c)
}

pub(crate) fn change(ctx: &mut Context<'_>, c: ChangeSite) -> Result<ChangeSite, DomainError> {
    let site: Site = ctx.require("site", &c.site)?;
    not_closed(&site)?;
    let data = checked(ctx, AddSite { operator: site.operator, ..c.data })?;
    Ok(ChangeSite { site: site.id, data })
}

/// The site after a change.
pub(crate) fn changed(site: &mut Site, data: &AddSite) {
    let c = data.clone();
    (site.name, site.kind, site.size_mu) = (c.name, c.kind, c.size_mu);
    (site.area, site.area_name) = (c.area, c.area_name);
    (site.position, site.outline) = (c.position, c.outline);
}

pub(crate) fn close(ctx: &mut Context<'_>, c: CloseSite) -> Result<CloseSite, DomainError> {
    let site: Site = ctx.require("site", &c.site)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    not_closed(&site)?;
    Ok(CloseSite { site: site.id, reason: c.reason.trim().into() })
}

/// Nothing new grows on a site that was given up.
pub(crate) fn not_closed(site: &Site) -> Result<(), DomainError> {
    match &site.closed {
        Some(_) => Err(DomainError::refused("site_closed", &[("name", &site.name)])),
        None => Ok(()),
    }
}
