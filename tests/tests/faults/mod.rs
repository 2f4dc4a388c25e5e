//! What the tests of faults share: a mixed load that notes what was acknowledged, and the checks that
//! all of it is there afterwards.
#![allow(dead_code)]

pub mod check;
pub mod load;

use std::time::{Duration, Instant};

/// Whether the long loops were asked for: `cargo xtask torture`.
pub fn torture() -> bool {
    std::env::var_os("TIANYIN_TORTURE").is_some_and(|value| value != "0")
}

/// How often something is done: in a normal run, and under torture. More than that, as long as there is
/// time, when `TIANYIN_TORTURE_MINUTES` says how much.
pub struct Rounds {
    least: u64,
    until: Option<Instant>,
    done: u64,
}

impl Rounds {
    /// Counts from 0.
    pub fn new(normal: u64, tortured: u64) -> Self {
        let minutes = std::env::var("TIANYIN_TORTURE_MINUTES").ok();
        let minutes = minutes.filter(|_| torture()).and_then(|minutes| minutes.parse::<f64>().ok());
        let until = minutes.map(|minutes| Instant::now() + Duration::from_secs_f64(minutes * 60.0));
        Self { least: if torture() { tortured } else { normal }, until, done: 0 }
    }
}

impl Iterator for Rounds {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let goes_on = self.done < self.least || self.until.is_some_and(|end| Instant::now() < end);
        goes_on.then(|| {
            self.done += 1;
            self.done - 1
        })
    }
}

/// What `cargo xtask torture` adds up at the end.
pub fn report(what: &str, number: u64) {
    println!("torture: {number} {what}");
}
