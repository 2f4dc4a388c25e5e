//! Costs of rules, and of parts that have no numbers of their own.

use std::collections::BTreeMap;

use tianyin_domain::Verdict;
use tianyin_rules::{Evaluation, RuleSet};

use crate::meter::{Counter, Histogram, Level, OPERATIONS};

/// What a rule cost and said since start.
#[derive(Debug)]
pub struct RuleStat {
    /// Time of one run, µs.
    pub run_us: Histogram,
    /// Operations of one run.
    pub operations: Histogram,
    /// Runs that ended in hold, failures among them.
    pub holds: Counter,
    /// Runs that ended in deny.
    pub denials: Counter,
    /// Runs in which the script failed.
    pub failures: Counter,
}

impl Default for RuleStat {
    fn default() -> Self {
        Self {
            run_us: Histogram::of_time(),
            operations: Histogram::new(OPERATIONS),
            holds: Counter::default(),
            denials: Counter::default(),
            failures: Counter::default(),
        }
    }
}

/// The same for every rule of the pack; a rule the pack does not have counts as `unknown`.
#[derive(Debug)]
pub struct RuleStats {
    rules: BTreeMap<String, RuleStat>,
    unknown: RuleStat,
}

impl RuleStats {
    /// Nothing run yet.
    pub fn of(rules: &RuleSet) -> Self {
        let rules = rules.rules().map(|rule| (rule.id.clone(), RuleStat::default())).collect();
        Self { rules, unknown: RuleStat::default() }
    }

    /// Counts a run.
    pub fn note(&self, rule: &str, evaluation: &Evaluation) {
        let stat = self.rules.get(rule).unwrap_or(&self.unknown);
        stat.run_us.see(evaluation.micros);
        stat.operations.see(evaluation.ops);
        match evaluation.judgement.verdict {
            Verdict::Pass => {}
            Verdict::Hold => stat.holds.inc(),
            Verdict::Deny => stat.denials.inc(),
        }
        if evaluation.error.is_some() {
            stat.failures.inc();
        }
    }

    /// Every rule by id, then `unknown`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RuleStat)> {
        let known = self.rules.iter().map(|(id, stat)| (id.as_str(), stat));
        known.chain([("unknown", &self.unknown)])
    }
}

/// Costs of devices' messages and of drawing.
#[derive(Debug)]
pub struct Stats {
    /// Messages of devices on their way to the journal.
    pub mqtt_in_flight: Level,
    /// Time from a message's receipt to its durability, µs.
    pub mqtt_stored_us: Histogram,
    /// Messages whose acknowledgement was withheld.
    pub mqtt_withheld: Counter,
    /// Connections that were refused.
    pub mqtt_refused: Counter,
    /// Time to draw one label or paper, µs.
    pub render_us: Histogram,
    /// Codes asked for that are none of this county's.
    pub scan_misses: Counter,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            mqtt_in_flight: Level::default(),
            mqtt_stored_us: Histogram::of_time(),
            mqtt_withheld: Counter::default(),
            mqtt_refused: Counter::default(),
            render_us: Histogram::of_time(),
            scan_misses: Counter::default(),
        }
    }
}
