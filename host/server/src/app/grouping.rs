//! Figures by name: summed up while they are counted, then listed in an order, with what is too much to
//! list in one row.

use std::collections::HashMap;
use std::ops::AddAssign;

/// Rows of a group; the rest is summed up in one.
pub const GROUP_ROWS_MAX: usize = 200;

/// A name with its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<T> {
    /// What it was counted under, such as an id.
    pub key: String,
    /// Name for people, the key unless somebody put another; empty where none is known.
    pub name: String,
    /// Its figures.
    pub tally: T,
}

/// Names that are not listed one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Others<T> {
    /// How many.
    pub names: usize,
    /// Their figures.
    pub tally: T,
}

/// Figures by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group<T> {
    /// At most [`GROUP_ROWS_MAX`].
    pub rows: Vec<Row<T>>,
    /// The rest.
    pub others: Option<Others<T>>,
}

/// Figures by name while they are counted.
#[derive(Debug, Default)]
pub struct Names<T>(HashMap<String, T>);

impl<T: Copy + Default + AddAssign> Names<T> {
    /// Adds to those of a name.
    pub fn add(&mut self, name: &str, one: T) {
        // A name is made for what is not known only: there are half a million of them.
        match self.0.get_mut(name) {
            Some(tally) => *tally += one,
            None => {
                self.0.insert(name.to_owned(), one);
            }
        }
    }

    /// The largest first by what `key` makes of the figures, then by name.
    pub fn sorted<K: Ord>(self, key: impl Fn(&T) -> K) -> Group<T> {
        let row = |(name, tally): (String, T)| Row { key: name.clone(), name, tally };
        let mut rows: Vec<Row<T>> = self.0.into_iter().map(row).collect();
        rows.sort_by(|a, b| key(&b.tally).cmp(&key(&a.tally)).then_with(|| a.name.cmp(&b.name)));
        let rest = rows.split_off(rows.len().min(GROUP_ROWS_MAX));
        let mut others = Others { names: rest.len(), tally: T::default() };
        for row in &rest {
            others.tally += row.tally;
        }
        Group { rows, others: Some(others).filter(|others| others.names > 0) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn group<'a>(names: impl IntoIterator<Item = (&'a str, u64)>) -> Group<u64> {
        let mut all = Names::default();
        for (name, count) in names {
            all.add(name, count);
        }
        all.sorted(|count| *count)
    }

    #[test]
    fn names_stand_by_number_then_by_name() {
        let found = group([("b", 1), ("", 1), ("c", 1), ("c", 1), ("a", 1)]);
        let names: Vec<_> = found.rows.iter().map(|row| (row.name.as_str(), row.tally)).collect();
        assert_eq!(names, [("c", 2), ("", 1), ("a", 1), ("b", 1)]);
        assert_eq!(found.others, None);
        assert_eq!(group([]), Group::default());
    }

    #[test]
    fn many_names_end_in_one_row() {
        let names: Vec<String> = (0..GROUP_ROWS_MAX + 3).map(|n| format!("n{n:04}")).collect();
        let once = names.iter().map(|name| (name.as_str(), 1));
        let found = group(once.chain([("n0202", 1)]));
        assert_eq!(found.rows.len(), GROUP_ROWS_MAX);
        assert_eq!(found.rows[0].name, "n0202");
        let others = found.others.unwrap();
        assert_eq!((others.names, others.tally), (3, 3));
    }
}
