//! From the field to the hand: production records and steps of a lot, as everybody may read them. Remarks,
//! quantities, names of buyers and places of natural persons are left out.

use serde::Serialize;
use tianyin_domain::activity::{Activity, ActivityKind};
use tianyin_domain::lineage::Direction;
use tianyin_domain::lot::Lot;
use tianyin_domain::operator::Operator;
use tianyin_domain::step::{self, Step};
use tianyin_domain::{Date, Scope, State};

use super::view::Word;
use crate::app::App;
use crate::http::Problem;
use crate::texts::Lang;

/// Activities shown, the latest ones.
const ACTIVITIES_MAX: usize = 40;
/// Steps of a lot shown, the latest ones.
const STEPS_MAX: usize = 12;
/// Steps before it that are followed back.
const STEPS_BACK_MAX: usize = 8;
/// Lots looked at to count the harvests that a lot goes back to.
const SOURCES_LOOKED_AT_MAX: usize = 500;
/// So many digits in a row are a telephone or a number of a paper, not a place.
const DIGITS_MAX: usize = 6;

/// One production record.
#[derive(Debug, Clone, Serialize)]
pub struct ActivityView {
    /// Kind.
    pub kind: Word,
    /// First day.
    pub date: Date,
    /// Last day, when it took several.
    pub stopped_on: Option<Date>,
    /// Input used.
    pub input: Option<InputView>,
}

/// What was used.
#[derive(Debug, Clone, Serialize)]
pub struct InputView {
    /// Name.
    pub name: String,
    /// Dose in words.
    pub dose: String,
    /// Pre-harvest interval or withdrawal period in days.
    pub interval_days: Option<u32>,
    /// First day on which harvest was allowed.
    pub harvest_from: Option<Date>,
}

/// A step on the way of a lot.
#[derive(Debug, Clone, Serialize)]
pub struct StepView {
    /// Kind.
    pub kind: Word,
    /// Day.
    pub date: Date,
    /// Where it was done, or where the goods went; empty when nobody said, or when it is a person's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub place: String,
}

/// How many harvests a lot goes back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SourcesView {
    /// Harvests.
    pub count: u64,
    /// There are more than were counted.
    pub more: bool,
}

/// Records of the lot and of the one harvest it goes back to, oldest first.
pub(super) fn activities(app: &App, lot: &Lot, lang: Lang) -> Result<Vec<ActivityView>, Problem> {
    let line = app.line_of(lot)?;
    // The lot itself stands for the harvest that made it.
    let is_shown = |a: &Activity, lot: &Lot| {
        let is_its_harvest = a.kind == ActivityKind::Harvest && a.date == lot.harvested_on;
        a.counts() && a.belongs_to(lot) && !is_its_harvest
    };
    let records = app.records_of(&lot.site)?.into_iter().rev();
    let own = records.filter(|a| line.iter().any(|lot| is_shown(a, lot)));
    let mut shown: Vec<ActivityView> =
        own.take(ACTIVITIES_MAX).map(|a| activity_view(a, lang)).collect();
    shown.reverse();
    Ok(shown)
}

fn activity_view(a: Activity, lang: Lang) -> ActivityView {
    let last_day = a.stopped_on.unwrap_or(a.date);
    let input = a.input.map(|i| InputView {
        harvest_from: i
            .interval_days
            .and_then(|days| last_day.checked_add(jiff::Span::new().try_days(days).ok()?).ok()),
        name: i.name,
        dose: i.dose,
        interval_days: i.interval_days,
    });
    ActivityView {
        kind: Word::of(lang, "activity_kind", &a.kind),
        date: a.date,
        stopped_on: a.stopped_on.filter(|d| *d != a.date),
        input,
    }
}

/// Steps of the lot and those before it, as long as it goes back to one lot alone, oldest first. Of other
/// operators, and of natural persons, only what was done and when.
pub(super) fn steps(
    app: &App,
    lot: &Lot,
    operator: &Operator,
    lang: Lang,
) -> Result<Vec<StepView>, Problem> {
    let part = (step::BY_LOT, lot.id.as_str());
    let mut steps: Vec<Step> = app.store.newest(part, &Scope::everything(), STEPS_MAX)?;
    steps.extend(steps_before(app, lot)?);
    steps.retain(|step| step.struck.is_none());
    steps.sort_by(|a, b| (a.date, &a.id).cmp(&(b.date, &b.id)));
    let is_told = |step: &Step| step.operator == operator.id && !operator.kind.is_natural_person();
    let view = |step: Step| StepView {
        kind: Word::of(lang, "step_kind", &step.kind),
        date: step.date,
        place: if is_told(&step) { place_of(step) } else { String::new() },
    };
    Ok(steps.into_iter().map(view).collect())
}

/// Steps that made what the lot was made of. Of a mixture there are none to show: they are of several.
fn steps_before(app: &App, lot: &Lot) -> Result<Vec<Step>, Problem> {
    let state: &dyn State = &app.store;
    let (mut steps, mut made) = (Vec::new(), lot.clone());
    while steps.len() < STEPS_BACK_MAX {
        let [only] = made.sources.as_slice() else { break };
        let Some(source) = state.get::<Lot>(&only.lot)? else { break };
        let Some(id) = &source.step else { break };
        let Some(step) = state.get::<Step>(id)? else { break };
        steps.push(step);
        made = source;
    }
    Ok(steps)
}

/// Goods that were handed over are where they went.
fn place_of(step: Step) -> String {
    let place = match step.buyer {
        Some(buyer) => buyer.place,
        None => step.place,
    };
    let digits = place.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
    if digits > Some(DIGITS_MAX) { String::new() } else { place }
}

/// How many harvests a lot goes back to; `None` for one of a harvest.
pub(super) fn sources(app: &App, lot: &Lot) -> Result<Option<SourcesView>, Problem> {
    if lot.step.is_none() {
        return Ok(None);
    }
    let walk = app.walk(&lot.id, Direction::Back, SOURCES_LOOKED_AT_MAX)?;
    let harvests = walk.reached.iter().filter(|one| one.lot.step.is_none()).count();
    Ok(Some(SourcesView { count: harvests as u64, more: walk.cut }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shipped_to(place: &str) -> Step {
        let step = serde_json::json!({
            "id": "stp_1", "kind": "ship", "operator": "opr_1", "area": "430321103",
            "date": "2026-03-01", "inputs": [], "outputs": [],
            "buyer": { "name": "张三", "place": place }, "place": "冷库",
            "recorded_at": "2026-03-01T08:00:00Z",
        });
        serde_json::from_value(step).unwrap()
    }

    #[test]
    fn a_place_with_a_telephone_is_no_place() {
        for (told, shown) in [
            ("长沙红星市场 3 号库", "长沙红星市场 3 号库"),
            ("410000 长沙", "410000 长沙"),
            ("张三 13812345678", ""),
            ("0731-57000000", ""),
            ("", ""),
        ] {
            assert_eq!(place_of(shipped_to(told)), shown);
        }
    }
}
