//! Counting on hot paths: atomics only, no lock, no allocation. What `/metrics` and the health page
//! read stands beside the thing it measures (the writer has its own numbers, the pipeline its own);
//! here are the instruments.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Upper bounds for durations, µs.
pub const TIME_US: &[u64] = &[
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 10_000_000,
];
/// Upper bounds for numbers of things taken together.
pub const SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];
/// Upper bounds for operations of a script.
pub const OPERATIONS: &[u64] = &[100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000];

/// Counts up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// So far.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How many there are now: jobs in a queue, requests under way.
#[derive(Debug, Default)]
pub struct Level(AtomicI64);

impl Level {
    /// One more; pair it with [`Level::leave`].
    pub fn enter(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// One less.
    pub fn leave(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// One more until the guard is dropped.
    pub fn hold(&self) -> Held<'_> {
        self.enter();
        Held(self)
    }

    /// Now.
    pub fn get(&self) -> u64 {
        u64::try_from(self.0.load(Relaxed)).unwrap_or(0)
    }
}

/// See [`Level::hold`].
#[derive(Debug)]
pub struct Held<'a>(&'a Level);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// How often which size was seen, in fixed classes.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One per bound and one for everything above.
    classes: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// Classes up to each of the ascending bounds.
    pub fn new(bounds: &'static [u64]) -> Self {
        let classes = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, classes, sum: AtomicU64::new(0) }
    }

    /// Classes for durations.
    pub fn of_time() -> Self {
        Self::new(TIME_US)
    }

    /// Counts one.
    pub fn see(&self, size: u64) {
        let class = self.bounds.partition_point(|bound| *bound < size);
        self.classes[class].fetch_add(1, Relaxed);
        self.sum.fetch_add(size, Relaxed);
    }

    /// Counts the time since `started`, in µs.
    pub fn see_since(&self, started: Instant) {
        self.see(micros(started.elapsed()));
    }

    /// The upper bounds with how many were seen up to each, and all together.
    pub fn read(&self) -> Reading {
        let mut count = 0;
        let mut up_to = Vec::with_capacity(self.bounds.len());
        for (bound, class) in self.bounds.iter().zip(&self.classes) {
            count += class.load(Relaxed);
            up_to.push((*bound, count));
        }
        count += self.classes[self.bounds.len()].load(Relaxed);
        Reading { up_to, count, sum: self.sum.load(Relaxed) }
    }
}

/// What a [`Histogram`] has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Bound, and how many were at most that.
    pub up_to: Vec<(u64, u64)>,
    /// How many in all.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
}

/// The last few sizes themselves, for a page that tells how things are now. Readers and the writer
/// may meet: a reading may then miss the newest, never more.
#[derive(Debug)]
pub struct Recent {
    ring: [AtomicU32; RECENT],
    seen: AtomicUsize,
}

/// Sizes that [`Recent`] remembers.
const RECENT: usize = 256;

impl Default for Recent {
    fn default() -> Self {
        Self { ring: [const { AtomicU32::new(0) }; RECENT], seen: AtomicUsize::new(0) }
    }
}

impl Recent {
    /// Remembers one, instead of the oldest.
    pub fn see(&self, size: u64) {
        let at = self.seen.fetch_add(1, Relaxed) % RECENT;
        self.ring[at].store(u32::try_from(size).unwrap_or(u32::MAX), Relaxed);
    }

    /// Median and 99th percentile; `None` when nothing was seen yet.
    pub fn p50_p99(&self) -> Option<(u64, u64)> {
        let n = self.seen.load(Relaxed).min(RECENT);
        let mut all: Vec<u64> = self.ring[..n].iter().map(|v| v.load(Relaxed).into()).collect();
        all.sort_unstable();
        let at = |percent: usize| all.get((n * percent / 100).min(n.saturating_sub(1))).copied();
        Some((at(50)?, at(99)?))
    }
}

/// A duration in µs.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_their_bound_and_readings_add_up() {
        let seen = Histogram::new(&[1, 4, 16]);
        for size in [0, 1, 2, 4, 5, 16, 17, 1000] {
            seen.see(size);
        }
        let reading = seen.read();
        assert_eq!(reading.up_to, [(1, 2), (4, 4), (16, 6)]);
        assert_eq!((reading.count, reading.sum), (8, 1045));
    }

    #[test]
    fn the_last_sizes_count_and_older_ones_do_not() {
        let recent = Recent::default();
        assert_eq!(recent.p50_p99(), None);
        recent.see(7);
        assert_eq!(recent.p50_p99(), Some((7, 7)));
        for _ in 0..RECENT {
            recent.see(1_000_000);
        }
        for size in 0..100 {
            recent.see(size);
        }
        let (p50, p99) = recent.p50_p99().unwrap_or_default();
        assert_eq!((p50, p99), (1_000_000, 1_000_000));
        for _ in 0..RECENT {
            recent.see(3);
        }
        assert_eq!(recent.p50_p99(), Some((3, 3)));
    }

    #[test]
    fn a_level_falls_when_its_guard_goes() {
        let level = Level::default();
        let held = level.hold();
        level.enter();
        assert_eq!(level.get(), 2);
        drop(held);
        level.leave();
        assert_eq!(level.get(), 0);
    }
}
