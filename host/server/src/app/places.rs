//! Places of sites in memory: a map of the county asks for all of them.

use std::collections::HashMap;

use tianyin_domain::position::Position;
use tianyin_domain::site::{self, Site};
use tianyin_domain::state::Index;
use tianyin_domain::{Entity as _, Scope};
use tianyin_store::{Store, StoreError};

use super::App;
use super::in_memory::{InMemory, Kept};

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

    /// Whether a point lies in it.
    #[must_use]
    pub fn holds(&self, point: Position) -> bool {
        (self.from.lon_e6..=self.to.lon_e6).contains(&point.lon_e6)
            && (self.from.lat_e6..=self.to.lat_e6).contains(&point.lat_e6)
    }
}

/// Where sites are.
#[derive(Default)]
pub struct Places(pub(super) InMemory<Place>);

pub(super) struct Place {
    area: String,
    owner: String,
    at: Option<Position>,
}

impl Kept for Place {
    type Record = Site;
    const ALL: Index = site::BY_OPERATOR;

    /// Sites that were given up are on no map.
    fn note(all: &mut HashMap<String, Self>, site: &Site) {
        if site.closed.is_some() {
            all.remove(&site.id);
            return;
        }
        let (area, owner) = (site.area().to_owned(), site.owner().to_owned());
        all.insert(site.id.clone(), Self { area, owner, at: site.mark() });
    }
}

/// Sites in sight, with and without a place.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Id and place of those that have one, in no order.
    pub placed: Vec<(String, Position)>,
    /// Ids of those that have none, the oldest first.
    pub missing: Vec<String>,
}

impl Seen {
    /// The extent of all that have a place.
    #[must_use]
    pub fn extent(&self) -> Option<Extent> {
        Extent::of(self.placed.iter().map(|(_, at)| *at))
    }
}

impl Places {
    /// Takes over where a site is now.
    pub fn note(&self, site: &Site) {
        self.0.note(site);
    }

    /// Sites in sight.
    ///
    /// # Errors
    /// When the store cannot be read, at the first look.
    pub fn seen(&self, store: &Store, scope: &Scope) -> Result<Seen, StoreError> {
        let all = self.0.read(store)?;
        let mut seen = Seen::default();
        for (id, place) in all.iter().flatten() {
            if !scope.covers(&place.area, &place.owner) {
                continue;
            }
            match place.at {
                Some(at) => seen.placed.push((id.clone(), at)),
                None => seen.missing.push(id.clone()),
            }
        }
        seen.missing.sort_unstable();
        Ok(seen)
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
