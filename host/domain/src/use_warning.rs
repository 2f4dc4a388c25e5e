//! What is wrong with a use of an input, by the label of its day (law art 29: 不得超范围、超剂量使用): it is
//! recorded all the same, because it was done, and everybody who reads the record is told.

use crate::activity::{Activity, ActivityKind, InputUse};
use crate::dose::Dose;
use crate::input::InputKind;
use crate::time::Date;

/// Days of a season that no planting begins.
const SEASON_DAYS: i32 = 365;

/// Something wrong with a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseWarning {
    /// The label has no such use: outside the registered range (超范围).
    NotRegistered,
    /// The registration had ended by that day.
    Ended,
    /// More than the label says (超剂量).
    OverDose,
    /// More often in a season than the label says (超次数).
    OverUse {
        /// How often with this one.
        times: u32,
        /// How often the label allows.
        max: u32,
    },
}

impl UseWarning {
    /// The word of the catalogue and of the rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotRegistered => "not_registered",
            Self::Ended => "ended",
            Self::OverDose => "over_dose",
            Self::OverUse { .. } => "over_use",
        }
    }
}

/// What is wrong with a record, among the other records of its site.
pub fn warnings(activity: &Activity, records: &[Activity]) -> Vec<UseWarning> {
    let Some(input) = activity.input.as_ref().filter(|_| activity.counts()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let is_drug = matches!(input.kind, InputKind::Pesticide | InputKind::VeterinaryDrug);
    if is_drug && input.interval_days.is_none() && input.interval_degree_days.is_none() {
        found.push(UseWarning::NotRegistered);
    }
    if input.ended {
        found.push(UseWarning::Ended);
    }
    if is_over_dose(input) {
        found.push(UseWarning::OverDose);
    }
    if let Some(max) = input.max_uses {
        let times = uses_in_season(activity, input, records);
        if times > max {
            found.push(UseWarning::OverUse { times, max });
        }
    }
    found
}

fn is_over_dose(input: &InputUse) -> bool {
    let (done, label) = (Dose::parse(&input.dose), Dose::parse(&input.label_dose));
    matches!((done, label), (Some(done), Some(label)) if done.exceeds(&label) == Some(true))
}

/// How often an input was used on the site and product in the season, this use with it.
fn uses_in_season(activity: &Activity, input: &InputUse, records: &[Activity]) -> u32 {
    let same_field = |one: &&Activity| {
        one.counts() && one.site == activity.site && one.product == activity.product
    };
    let begun = season_begin(activity, records.iter().filter(same_field));
    let before = records.iter().filter(same_field).filter(|one| {
        let same = one.input.as_ref().is_some_and(|other| other.input == input.input);
        // Of one day, the earlier written is the earlier used.
        same && one.date >= begun && (one.date, &one.id) < (activity.date, &activity.id)
    });
    u32::try_from(before.count()).unwrap_or(u32::MAX).saturating_add(1)
}

/// A season begins with planting; where none is on record, it is a year.
fn season_begin<'a>(activity: &Activity, records: impl Iterator<Item = &'a Activity>) -> Date {
    let planted = records
        .filter(|one| one.kind == ActivityKind::Planting && one.date <= activity.date)
        .map(|one| one.date)
        .max();
    let year_ago = activity.date.checked_sub(jiff::Span::new().days(SEASON_DAYS));
    planted.unwrap_or_else(|| year_ago.unwrap_or(Date::MIN))
}
