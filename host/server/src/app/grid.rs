//! The grid of supervision as a whole: which operators each cell has, and where it has holes.

use std::collections::{BTreeMap, HashMap};

use tianyin_domain::agency::Agency;
use tianyin_domain::cell::{self, Cell, TOWNSHIP_DIGITS};
use tianyin_domain::user::User;
use tianyin_domain::{Scope, State};

use super::{App, AppError};
use crate::regions;

/// Cells of a county: one or some for each village.
const CELLS_MAX: usize = 2000;

/// Who answers for a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answerable {
    /// Name; empty for nobody.
    pub name: String,
    /// The account is deactivated: nobody looks after the cell any more.
    pub gone: bool,
}

/// A cell with what there is to tell of it.
#[derive(Debug, Clone)]
pub struct InGrid {
    /// The cell.
    pub cell: Cell,
    /// Who answers for it.
    pub person: Answerable,
    /// Supervising agency by name; empty for the county's supervision.
    pub agency: String,
    /// Operators in it, of those in sight that are on the register.
    pub operators: u64,
}

/// Operators of a township by how they are supervised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Township {
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Cells in it.
    pub cells: u64,
    /// Operators that a cell names.
    pub named: u64,
    /// Operators of the cell that takes the township as a whole.
    pub whole: u64,
    /// Operators in no cell.
    pub none: u64,
}

/// The grid, as far as somebody sees it.
#[derive(Debug, Default)]
pub struct Grid {
    /// Cells in force, by area.
    pub cells: Vec<InGrid>,
    /// Townships in sight.
    pub townships: Vec<Township>,
    /// Ids of the operators in no cell, in no order: nobody sorts twenty thousand to show some.
    pub uncovered: Vec<String>,
    /// Operators with their cell, as a place in `cells`, in no order.
    pub covered: Vec<(String, usize)>,
}

impl Grid {
    /// The oldest operators in no cell, at most `most`: ids rise with time.
    pub fn oldest_uncovered(&self, most: usize) -> Vec<&str> {
        let mut ids: Vec<&str> = self.uncovered.iter().map(String::as_str).collect();
        if ids.len() > most {
            ids.select_nth_unstable(most);
            ids.truncate(most);
        }
        ids.sort_unstable();
        ids
    }
}

impl App {
    /// Who answers for a cell.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn answerable(&self, cell: &Cell) -> Result<Answerable, AppError> {
        let Some(id) = &cell.data.user else {
            return Ok(Answerable { name: cell.data.person.clone(), gone: false });
        };
        let user: Option<User> = self.store.get(id).map_err(AppError::internal)?;
        Ok(user.map(|user| Answerable { name: user.name, gone: !user.active }).unwrap_or_default())
    }

    /// The grid within a sight.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn grid(&self, scope: &Scope) -> Result<Grid, AppError> {
        let mut grid = Grid { cells: self.cells_in(scope)?, ..Grid::default() };
        let (mut named, mut whole) = (HashMap::new(), HashMap::new());
        for (place, one) in grid.cells.iter().enumerate() {
            named.extend(one.cell.data.operators.iter().map(|id| (id.clone(), place)));
            if one.cell.data.whole {
                whole.insert(one.cell.data.area.clone(), place);
            }
        }
        let mut townships = self.townships_in(scope, &grid.cells)?;
        let counted = self.names.each_registered(&self.store, scope, |id, area| {
            let code = area.get(..TOWNSHIP_DIGITS).unwrap_or(area);
            // A name is made for what is not known only: there are twenty thousand operators.
            let township = match townships.get_mut(code) {
                Some(township) => township,
                None => townships.entry(code.to_owned()).or_insert_with(|| Township {
                    code: code.to_owned(),
                    name: code.to_owned(),
                    ..Township::default()
                }),
            };
            let place = match (named.get(id), whole.get(code)) {
                (Some(place), _) => {
                    township.named += 1;
                    *place
                }
                (None, Some(place)) => {
                    township.whole += 1;
                    *place
                }
                (None, None) => {
                    township.none += 1;
                    grid.uncovered.push(id.to_owned());
                    return;
                }
            };
            grid.cells[place].operators += 1;
            grid.covered.push((id.to_owned(), place));
        });
        counted.map_err(AppError::internal)?;
        grid.townships = townships.into_values().collect();
        Ok(grid)
    }

    fn cells_in(&self, scope: &Scope) -> Result<Vec<InGrid>, AppError> {
        let state: &dyn State = &self.store;
        let mut found = Vec::new();
        for cell in state.list::<Cell>(cell::BY_STATUS, "", CELLS_MAX)? {
            if !scope.covers(&cell.data.area, "") {
                continue;
            }
            let agency = match &cell.data.agency {
                Some(id) => state.get::<Agency>(id)?.map(|agency| agency.name),
                None => None,
            };
            let (person, agency) = (self.answerable(&cell)?, agency.unwrap_or_default());
            found.push(InGrid { cell, person, agency, operators: 0 });
        }
        Ok(found)
    }

    fn townships_in(
        &self,
        scope: &Scope,
        cells: &[InGrid],
    ) -> Result<BTreeMap<String, Township>, AppError> {
        let Some(county) = self.county()? else { return Ok(BTreeMap::new()) };
        let of_county = regions::townships(&county.area).into_iter();
        let seen = of_county.filter(|region| scope.covers(region.code, ""));
        Ok(seen
            .map(|region| {
                let within = |one: &&InGrid| one.cell.data.area.starts_with(region.code);
                let township = Township {
                    code: region.code.to_owned(),
                    name: region.name.to_owned(),
                    cells: cells.iter().filter(within).count() as u64,
                    ..Township::default()
                };
                (township.code.clone(), township)
            })
            .collect())
    }
}
