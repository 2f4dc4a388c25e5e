//! The order in which sorted keys fill sled's leaves.

use std::collections::VecDeque;

/// Which keys in a row come late. sled splits a leaf of 17 keys into 9 and 8, and rewrites its whole
/// parent for it. In the order of keys every leaf would stay at 9; so 3 of 5 keys go ahead, and when
/// their leaf is split off the 2 between them fill it up to 15.
const LATE_KEYS: [bool; 5] = [false, true, false, true, false];
/// Late keys that wait: those of about three leaves.
const LATE_KEYS_MAX: usize = 20;

/// Takes what comes in the order of keys, and gives it in the order for sled.
pub(crate) struct Filling<T> {
    late: VecDeque<T>,
    taken: usize,
}

impl<T> Default for Filling<T> {
    fn default() -> Self {
        Self { late: VecDeque::new(), taken: 0 }
    }
}

impl<T> Filling<T> {
    /// Takes one and gives what comes next, if anything.
    pub(crate) fn next(&mut self, item: T) -> Option<T> {
        let is_late = LATE_KEYS[self.taken % LATE_KEYS.len()];
        self.taken += 1;
        if !is_late {
            return Some(item);
        }
        self.late.push_back(item);
        if self.late.len() > LATE_KEYS_MAX { self.late.pop_front() } else { None }
    }

    /// What is left in the end.
    pub(crate) fn rest(self) -> impl Iterator<Item = T> {
        self.late.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_come_once_and_some_late() {
        let mut filling = Filling::default();
        let mut given: Vec<u32> = (0..1000).filter_map(|n| filling.next(n)).collect();
        given.extend(filling.rest());
        assert_eq!(given[..4], [0, 2, 4, 5]);
        assert!(given.windows(2).any(|pair| pair[0] > pair[1]));
        given.sort_unstable();
        assert_eq!(given, (0..1000).collect::<Vec<_>>());
    }
}
