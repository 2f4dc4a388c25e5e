//! The chain of all lots, small enough for memory: a recall asks for twenty thousand lots at once, and to
//! read each record takes longer than a person waits for.

use std::collections::{HashMap, HashSet};

use crate::actor::Scope;
use crate::id::{from_value, value_of};
use crate::lot::{Lot, LotStatus};

/// What was made of every lot, with what a recall's figures are made of. Ids are kept as their 128 bits,
/// names as their place in a list.
#[derive(Debug, Default)]
pub struct Kinship {
    lots: HashMap<u128, Kin, foldhash::fast::RandomState>,
    names: Vec<Box<str>>,
    places: HashMap<Box<str>, u32>,
}

#[derive(Debug)]
struct Kin {
    into: Box<[u128]>,
    operator: u32,
    area: u32,
    certified: bool,
    shipped: bool,
}

/// A lot that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relative<'a> {
    /// Its id.
    pub id: String,
    /// Fewest steps from a lot that the walk began with.
    pub depth: u32,
    /// Its operator.
    pub operator: &'a str,
    /// Its region code.
    pub area: &'a str,
    /// There are valid certificates for it.
    pub certified: bool,
    /// Some of it left its operator.
    pub shipped: bool,
}

impl Relative<'_> {
    /// Whether it is in sight.
    pub fn is_in(&self, scope: &Scope) -> bool {
        scope.covers(self.area, self.operator)
    }
}

impl Kinship {
    /// Takes over a lot as it is now; one that never was is left out.
    pub fn note(&mut self, lot: &Lot) {
        let Some(id) = value_of(&lot.id) else { return };
        if lot.status == LotStatus::Void {
            self.lots.remove(&id);
            return;
        }
        let kin = Kin {
            into: lot.into.iter().filter_map(|made| value_of(made)).collect(),
            operator: self.place(&lot.operator),
            area: self.place(&lot.area),
            certified: !lot.certified.is_zero(),
            shipped: !lot.shipped.is_zero(),
        };
        self.lots.insert(id, kin);
    }

    /// Everything that was made of some lots, themselves with it, the nearest first; at most `limit`.
    pub fn reach(&self, roots: &[String], limit: usize) -> Vec<Relative<'_>> {
        let mut seen: HashSet<u128, foldhash::fast::RandomState> = HashSet::default();
        let mut found = Vec::new();
        let mut level: Vec<u128> = roots.iter().filter_map(|id| value_of(id)).collect();
        let mut depth = 0;
        while !level.is_empty() && found.len() < limit {
            let mut next = Vec::new();
            for value in level {
                let Some(kin) = self.lots.get(&value).filter(|_| seen.insert(value)) else {
                    continue;
                };
                next.extend(kin.into.iter().filter(|made| !seen.contains(*made)));
                found.push(Relative {
                    id: from_value("lot", value),
                    depth,
                    operator: self.name(kin.operator),
                    area: self.name(kin.area),
                    certified: kin.certified,
                    shipped: kin.shipped,
                });
            }
            level = next;
            depth += 1;
        }
        found.truncate(limit);
        found
    }

    fn place(&mut self, name: &str) -> u32 {
        if let Some(known) = self.places.get(name) {
            return *known;
        }
        // Operators and areas of one county are some ten thousand.
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.into());
        self.places.insert(name.into(), place);
        place
    }

    fn name(&self, place: u32) -> &str {
        self.names.get(place as usize).map_or("", |name| name)
    }
}
