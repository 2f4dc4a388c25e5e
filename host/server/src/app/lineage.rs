//! The chain of a lot: what it goes back to, for whoever judges or reads it, and what was made of it.

use tianyin_domain::State;
use tianyin_domain::activity::{Activity, ActivityKind};
use tianyin_domain::lineage::{self, Direction, Walk};
use tianyin_domain::lot::Lot;

use super::{App, AppError};

/// Ancestors of one lot that are looked at. A lot of more than that is judged by nobody but people.
pub const ANCESTORS_MAX: usize = 5_000;

/// What a lot goes back to.
pub struct Ancestry {
    /// Every lot it was made of, itself first.
    pub lots: Vec<Lot>,
    /// There are more.
    pub cut: bool,
}

impl Ancestry {
    /// Lots of harvests among them.
    pub fn harvests(&self) -> impl Iterator<Item = &Lot> {
        self.lots.iter().filter(|lot| lot.step.is_none())
    }

    /// The same without the lot itself.
    pub fn sources(&self) -> &[Lot] {
        self.lots.get(1..).unwrap_or_default()
    }
}

impl App {
    /// What a lot goes back to.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ancestry(&self, lot: &Lot) -> Result<Ancestry, AppError> {
        if lot.step.is_none() {
            return Ok(Ancestry { lots: vec![lot.clone()], cut: false });
        }
        let walk = self.walk(&lot.id, Direction::Back, ANCESTORS_MAX)?;
        let lots = walk.reached.into_iter().map(|one| one.lot).collect();
        Ok(Ancestry { lots, cut: walk.cut })
    }

    /// A lot and the one harvest it goes back to, which may be itself. Of a mixture there is none to
    /// show: its parts are of other people.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn line_of(&self, lot: &Lot) -> Result<Vec<Lot>, AppError> {
        let mut line = vec![lot.clone()];
        if let Some(id) = lot.harvest_lot().filter(|id| *id != lot.id) {
            let state: &dyn State = &self.store;
            line.extend(state.get::<Lot>(id)?);
        }
        Ok(line)
    }

    /// Walks the chain from a lot.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn walk(&self, lot: &str, direction: Direction, limit: usize) -> Result<Walk, AppError> {
        let state: &dyn State = &self.store;
        Ok(lineage::walk(state, &[lot.to_owned()], direction, limit)?)
    }

    /// Production records that made the lots of an ancestry, each once with the lot it led to; those of
    /// one site are read once.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn records_behind<'a>(&self, ancestry: &'a Ancestry) -> Result<Vec<Behind<'a>>, AppError> {
        let mut by_site: Vec<(&str, Vec<&Lot>)> = Vec::new();
        for lot in &ancestry.lots {
            match by_site.iter_mut().find(|(site, _)| *site == lot.site) {
                Some((_, lots)) => lots.push(lot),
                None => by_site.push((&lot.site, vec![lot])),
            }
        }
        let mut behind = Vec::with_capacity(by_site.len());
        for (site, lots) in by_site {
            behind.push(Behind { records: self.records_of(site)?, lots });
        }
        Ok(behind)
    }
}

/// Records of a site, and the lots of an ancestry that go back to it.
pub struct Behind<'a> {
    /// Every record of the site, whatever it was for.
    pub records: Vec<Activity>,
    lots: Vec<&'a Lot>,
}

impl Behind<'_> {
    /// Lots of harvests of which no record tells the harvest.
    pub fn harvests_unrecorded(&self) -> impl Iterator<Item = &Lot> {
        let harvests = |lot: &Lot| {
            let of_lot = |one: &&Activity| {
                one.counts() && one.kind == ActivityKind::Harvest && one.belongs_to(lot)
            };
            self.records.iter().find(of_lot).is_some()
        };
        let own = self.lots.iter().filter(|lot| lot.step.is_none() && !lot.bought);
        own.copied().filter(move |lot| !harvests(lot))
    }

    /// Records that count and made one of the lots, with the lot they led to.
    pub fn leading(&self) -> impl Iterator<Item = (&Activity, &Lot)> {
        self.records.iter().filter(|one| one.counts()).filter_map(|one| {
            // Of several harvests it led to, the first is the one it stood against.
            let led = self.lots.iter().filter(|lot| one.belongs_to(lot));
            let lot = led.min_by_key(|lot| lot.harvested_on)?;
            Some((one, *lot))
        })
    }
}
