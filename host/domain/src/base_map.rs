//! The base map (底图): outlines of townships and the like, laid by the county under the marks of its sites.
//! No map comes from elsewhere: the appliance has no network, and maps of others carry duties of their own.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::error::DomainError;
use crate::position::Position;
use crate::state::{Entity, Entry, Table};
use crate::time::Time;

/// Outlines on the map.
pub const SHAPES_MAX: usize = 300;
/// Points of all outlines together.
pub const POINTS_MAX: usize = 8_000;
/// Id of the one base map.
pub const BASE_MAP_ID: &str = "county";

/// One outline with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Name, such as 花石镇; may be empty.
    #[serde(default)]
    pub name: String,
    /// Rings: the outline, and holes or further parts.
    pub rings: Vec<Vec<Position>>,
}

/// Command and event payload: the base map is laid, in place of the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayBaseMap {
    /// Where it was taken from, for people.
    pub source: String,
    /// Outlines; none takes the map away.
    pub shapes: Vec<Shape>,
}

/// The base map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseMap {
    /// [`BASE_MAP_ID`].
    pub id: String,
    /// Where it was taken from.
    pub source: String,
    /// Outlines.
    pub shapes: Vec<Shape>,
    /// When it was laid.
    pub laid_at: Time,
}

impl Entity for BaseMap {
    const TABLE: Table = Table("base_map");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

pub(crate) fn lay(c: LayBaseMap) -> Result<LayBaseMap, DomainError> {
    let points: usize = c.shapes.iter().flat_map(|shape| &shape.rings).map(Vec::len).sum();
    let mut check = Check::new();
    check
        .optional_text("source", &c.source, 64)
        .ensure(c.shapes.len() <= SHAPES_MAX, "shapes", "too_many")
        .ensure(points <= POINTS_MAX, "shapes", "too_many");
    for shape in c.shapes.iter().take(SHAPES_MAX) {
        check.optional_text("shapes", &shape.name, 32);
        check.ensure(shape.rings.iter().all(|ring| ring.len() >= 3), "shapes", "bad_value");
    }
    check.done()?;
    Ok(c)
}

/// The map after that.
pub(crate) fn laid(e: &LayBaseMap, at: Time) -> BaseMap {
    BaseMap {
        id: BASE_MAP_ID.into(),
        source: e.source.clone(),
        shapes: e.shapes.clone(),
        laid_at: at,
    }
}
