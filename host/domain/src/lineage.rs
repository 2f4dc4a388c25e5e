//! The chain of lots: what a lot was made of, and what was made of it. Lots tell both themselves, so a
//! walk reads each lot once, however many ways lead to it.

use std::collections::HashSet;

use crate::lot::Lot;
use crate::state::{State, StateError};

/// Where a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To what a lot was made of.
    Back,
    /// To what was made of a lot.
    Forward,
}

impl Direction {
    fn next(self, lot: &Lot) -> Vec<&str> {
        match self {
            Self::Back => lot.sources.iter().map(|source| source.lot.as_str()).collect(),
            Self::Forward => lot.into.iter().map(String::as_str).collect(),
        }
    }
}

/// A lot that a walk came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The lot.
    pub lot: Lot,
    /// Fewest steps from a lot that the walk began with; 0 for those.
    pub depth: u32,
}

/// What a walk came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    /// Every lot once, the nearest first.
    pub reached: Vec<Reached>,
    /// There are more than were looked at.
    pub cut: bool,
}

/// Walks from some lots, themselves with it, to at most `limit` lots.
///
/// # Errors
/// When the state cannot be read.
pub fn walk(
    state: &dyn State,
    from: &[String],
    direction: Direction,
    limit: usize,
) -> Result<Walk, StateError> {
    let mut seen: HashSet<String> = HashSet::new();
    let mut found = Walk::default();
    let mut level: Vec<String> = from.to_vec();
    let mut depth = 0;
    while !level.is_empty() {
        let mut next = Vec::new();
        for id in level {
            if !seen.insert(id.clone()) {
                continue;
            }
            if found.reached.len() >= limit {
                found.cut = true;
                return Ok(found);
            }
            let Some(lot) = state.get::<Lot>(&id)? else { continue };
            let unseen = direction.next(&lot).into_iter().filter(|id| !seen.contains(*id));
            next.extend(unseen.map(String::from));
            found.reached.push(Reached { lot, depth });
        }
        level = next;
        depth += 1;
    }
    Ok(found)
}
