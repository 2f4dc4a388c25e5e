//! Places of sites in memory: a map of the county asks for all of them, and reading tens of thousands of
//! records for each picture would take ten times as long as a person waits for.

use std::collections::HashMap;

use parking_lot::RwLock;
use tianyin_domain::position::Position;
use tianyin_domain::site::{self, Site};
use tianyin_domain::{Entity as _, Scope};
use tianyin_store::{PAGE_ITEMS_MAX, PageQuery, Store, StoreError};

use super::App;

/// A part of the ground; corners included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// West and south corner.
    pub from: Position,
    /// East and north corner.
    pub to: Position,
}

impl Extent {
    /// The smallest that holds all the points.
    #[must_use]
    pub fn of(points: impl IntoIterator<Item = Position>) -> Option<Self> {
        let mut points = points.into_iter();
        let first = points.next()?;
        Some(points.fold(Self { from: first, to: first }, |all, point| Self {
            from: Position {
                lon_e6: all.from.lon_e6.min(point.lon_e6),
                lat_e6: all.from.lat_e6.min(point.lat_e6),
            },
            to: Position {
                lon_e6: all.to.lon_e6.max(point.lon_e6),
                lat_e6: all.to.lat_e6.max(point.lat_e6),
            },
        }))
    }

    fn holds(&self, point: Position) -> bool {
        (self.from.lon_e6..=self.to.lon_e6).contains(&point.lon_e6)
            && (self.from.lat_e6..=self.to.lat_e6).contains(&point.lat_e6)
    }
}

/// Where sites are; filled at the first look.
#[derive(Default)]
pub struct Places(RwLock<Option<HashMap<String, Place>>>);

struct Place {
    area: String,
    owner: String,
    at: Option<Position>,
}

/// Sites in sight, with and without a place.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Id and place of those within the extent asked for.
    pub placed: Vec<(String, Position)>,
    /// The extent of all that have a place.
    pub extent: Option<Extent>,
    /// How many have one.
    pub placed_count: usize,
    /// Ids of those that have none, the oldest first.
    pub missing: Vec<String>,
}

impl Places {
    /// Takes over where a site is now.
    pub fn note(&self, site: &Site) {
        if let Some(all) = self.0.write().as_mut() {
            note(all, site);
        }
    }

    /// Sites in sight, those within an extent by id.
    ///
    /// # Errors
    /// When the store cannot be read, at the first look.
    pub fn seen(
        &self,
        store: &Store,
        scope: &Scope,
        within: Option<&Extent>,
    ) -> Result<Seen, StoreError> {
        self.fill(store)?;
        let all = self.0.read();
        let mut seen = Seen::default();
        let mut points = Vec::new();
        for (id, place) in all.iter().flatten() {
            if !scope.covers(&place.area, &place.owner) {
                continue;
            }
            let Some(at) = place.at else {
                seen.missing.push(id.clone());
                continue;
            };
            points.push(at);
            if within.is_none_or(|extent| extent.holds(at)) {
                seen.placed.push((id.clone(), at));
            }
        }
        seen.missing.sort_unstable();
        seen.placed_count = points.len();
        seen.extent = Extent::of(points);
        Ok(seen)
    }

    fn fill(&self, store: &Store) -> Result<(), StoreError> {
        if self.0.read().is_some() {
            return Ok(());
        }
        // Held while reading: what changes meanwhile is noted after.
        let mut all = self.0.write();
        if all.is_some() {
            return Ok(());
        }
        let (mut places, mut after) = (HashMap::new(), None::<String>);
        loop {
            let mut query = PageQuery::new(site::BY_OPERATOR, "");
            query.after = after.as_deref();
            query.limit = PAGE_ITEMS_MAX;
            let page = store.page::<Site>(&query, &Scope::everything())?;
            page.items.iter().for_each(|site| note(&mut places, site));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        *all = Some(places);
        Ok(())
    }
}

impl App {
    /// Whoever looks at a map next finds the site where the store has it now.
    pub(super) fn note_place(&self, site: &str) {
        if let Ok(Some(site)) = self.store.get::<Site>(site) {
            self.places.note(&site);
        }
    }
}

/// Sites that were given up are on no map.
fn note(all: &mut HashMap<String, Place>, site: &Site) {
    if site.closed.is_some() {
        all.remove(&site.id);
        return;
    }
    let (area, owner) = (site.area().to_owned(), site.owner().to_owned());
    all.insert(site.id.clone(), Place { area, owner, at: site.mark() });
}
