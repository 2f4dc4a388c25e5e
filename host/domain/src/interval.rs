//! The guard on pre-harvest interval (安全间隔期) and withdrawal period (休药期), law art 29 and R-092: what
//! stands against a harvest on a day, and from which day on it is lawful. Day 0 is the last use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::activity::Activity;
use crate::time::Date;

/// Longest time that water temperature is added up over, in days: the intervals of the catalogue are
/// shorter.
const DAYS_MAX: i32 = 1_000;

/// A use whose interval is not over on the day of harvest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hindrance {
    /// The record of it.
    pub activity: String,
    /// Name of the input.
    pub input: String,
    /// Last day of use.
    pub last_use: Date,
    /// First lawful day; `None` while it depends on water that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Date>,
    /// How far the warmth of the water has come, where the label tells degree-days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degree_days: Option<DegreeDays>,
}

/// Warmth that water has given since a use (度·日): the sum of its daily means. A day that nobody
/// measured counts nothing, so the sum is never too high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DegreeDays {
    /// Degree-days that the label asks for.
    pub needed: u32,
    /// Degree-days that were reached, in tenths.
    pub reached_tenths: u32,
    /// Days without a measurement.
    pub unmeasured_days: u32,
}

impl DegreeDays {
    /// Whether the label's number was reached.
    pub fn is_reached(&self) -> bool {
        self.reached_tenths >= self.needed.saturating_mul(10)
    }
}

/// What stands against a harvest on a day, of the records that belong to it.
pub fn hindrances(records: &[&Activity], warmth: &Warmth, harvest: Date) -> Vec<Hindrance> {
    records.iter().filter_map(|one| hindrance(one, warmth, harvest)).collect()
}

/// The first day on which harvest is lawful after one record: its last day and the interval. `None`
/// when nothing with an interval was used, or while it depends on water not yet measured.
pub fn earliest_harvest(activity: &Activity, warmth: &Warmth) -> Option<Date> {
    let input = activity.input.as_ref().filter(|_| activity.counts())?;
    match (input.interval_days, input.interval_degree_days) {
        (Some(days), _) => after(activity.last_day(), days),
        (None, Some(needed)) => warmth.reached_on(activity.last_day(), needed),
        (None, None) => None,
    }
}

/// Degree-days of one record up to a day; `None` where its label tells none, or days that count.
pub fn degree_days(activity: &Activity, warmth: &Warmth, until: Date) -> Option<DegreeDays> {
    let input = activity.input.as_ref().filter(|input| input.interval_days.is_none())?;
    let needed = input.interval_degree_days?;
    let (reached_tenths, unmeasured_days) = warmth.between(activity.last_day(), until);
    Some(DegreeDays { needed, reached_tenths, unmeasured_days })
}

fn hindrance(activity: &Activity, warmth: &Warmth, harvest: Date) -> Option<Hindrance> {
    // What was done to goods already harvested is no use on the field.
    if !activity.counts() || activity.date > harvest {
        return None;
    }
    let input = activity.input.as_ref()?;
    // What is still in use on the day of harvest was last used on it, for that harvest.
    let last_use = activity.last_day().min(harvest);
    let (earliest, degree_days) = match (input.interval_days, input.interval_degree_days) {
        (Some(days), _) => {
            let earliest = after(last_use, days).filter(|day| *day > harvest)?;
            (Some(earliest), None)
        }
        (None, Some(needed)) => {
            let (reached_tenths, unmeasured_days) = warmth.between(last_use, harvest);
            let sum = DegreeDays { needed, reached_tenths, unmeasured_days };
            if sum.is_reached() {
                return None;
            }
            (warmth.reached_on(last_use, needed), Some(sum))
        }
        (None, None) => return None,
    };
    let (activity, input) = (activity.id.clone(), input.name.clone());
    Some(Hindrance { activity, input, last_use, earliest, degree_days })
}

fn after(day: Date, days: u32) -> Option<Date> {
    day.checked_add(jiff::Span::new().try_days(i64::from(days)).ok()?).ok()
}

/// Mean water temperature of a site by day, in tenths of a degree.
#[derive(Default)]
pub struct Warmth(BTreeMap<Date, u32>);

impl Warmth {
    /// Of the records of a site, those that count and tell a water temperature.
    pub fn of(records: &[Activity]) -> Self {
        let mut by_day: BTreeMap<Date, (i64, i64)> = BTreeMap::new();
        for one in records.iter().filter(|one| one.counts()) {
            if let Some(tenths) = one.water_tenths {
                let day = by_day.entry(one.date).or_default();
                *day = (day.0 + i64::from(tenths), day.1 + 1);
            }
        }
        let mean = |(sum, count): (i64, i64)| u32::try_from(sum / count).unwrap_or(0);
        Self(by_day.into_iter().map(|(day, sum)| (day, mean(sum))).collect())
    }

    /// Tenths of a degree-day after `last` up to and with `until`, and the days nobody measured.
    fn between(&self, last: Date, until: Date) -> (u32, u32) {
        let (mut tenths, mut unmeasured) = (0_u32, 0);
        for day in days_after(last).take_while(|day| *day <= until) {
            match self.0.get(&day) {
                Some(mean) => tenths = tenths.saturating_add(*mean),
                None => unmeasured += 1,
            }
        }
        (tenths, unmeasured)
    }

    fn reached_on(&self, last: Date, needed: u32) -> Option<Date> {
        let newest = self.0.keys().next_back().copied()?;
        let mut tenths = 0_u32;
        days_after(last).take_while(|day| *day <= newest).find(|day| {
            tenths = tenths.saturating_add(self.0.get(day).copied().unwrap_or(0));
            tenths >= needed.saturating_mul(10)
        })
    }
}

fn days_after(day: Date) -> impl Iterator<Item = Date> {
    (1..=DAYS_MAX).map_while(move |n| day.checked_add(jiff::Span::new().days(n)).ok())
}
