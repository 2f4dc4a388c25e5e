//! What is banned on a day (R-048; domain/rules-of-law, section 7), as the rules look it up: for the lists
//! people read and hang up, and for warnings in the catalogue of inputs.

use tianyin_domain::Date;
use tianyin_rules::RuleSet;
use tianyin_rules::tables::{About, Ban, Banned, Mark};

use super::App;

/// Name of the table, as the rules call it.
const TABLE: &str = "banned";

/// A ban of one substance, as far as it concerns an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// Substance as the input has it.
    pub substance: String,
    /// First day; `None` for all days known of.
    pub from: Option<Date>,
    /// Whether it is for every crop.
    pub total: bool,
    /// Whether it is only to come.
    pub to_come: bool,
    /// Scope in words; empty for everywhere.
    pub scope: String,
    /// Announcement.
    pub basis: String,
    /// How sure.
    pub mark: Mark,
}

/// Bans of a day.
#[derive(Debug)]
pub struct BanList {
    /// Source and version of the list.
    pub about: About,
    /// For every crop.
    pub total: Vec<Ban>,
    /// For some.
    pub partial: Vec<Ban>,
    /// Announced, to begin after the day.
    pub to_come: Vec<Ban>,
}

impl App {
    /// Bans of substances that stand on a day or are announced; where one is for every crop, the narrower
    /// ones of the same substance that stand beside it say nothing more.
    pub fn bars(&self, substances: &[String], day: Date) -> Vec<Bar> {
        self.rules.banned().map(|table| bars(table, substances, day)).unwrap_or_default()
    }

    /// What is banned on a day, for a crop and class of products; empty for every one. A ban by class is
    /// told for a crop whose class nobody said, and the other way round. `None` without a list.
    pub fn bans(&self, day: Date, class: &str, crop: &str) -> Option<BanList> {
        bans(&self.rules, day, class, crop)
    }
}

fn bars(table: &Banned, substances: &[String], day: Date) -> Vec<Bar> {
    let mut bars = Vec::new();
    for substance in substances {
        let named = table.of(substance);
        let is_total = |ban: &&Ban| ban.stands(day) && ban.is_total();
        let told = match named.iter().copied().find(is_total) {
            Some(total) => vec![total],
            None => named.into_iter().filter(|b| b.stands(day) || b.is_to_come(day)).collect(),
        };
        bars.extend(told.into_iter().map(|ban| Bar {
            substance: substance.clone(),
            from: ban.from,
            total: ban.is_total(),
            to_come: ban.is_to_come(day),
            scope: ban.scope.clone(),
            basis: ban.basis.clone(),
            mark: ban.mark,
        }));
    }
    bars
}

fn bans(rules: &RuleSet, day: Date, class: &str, crop: &str) -> Option<BanList> {
    let table = rules.banned()?;
    let about = rules.tables().into_iter().find(|info| info.name == TABLE)?.about;
    let concerns = |ban: &&Ban| {
        ban.is_for(class, crop)
            || (class.is_empty() && !ban.classes.is_empty())
            || (crop.is_empty() && (!ban.crops.is_empty() || !ban.not_crops.is_empty()))
    };
    let of = |fits: &dyn Fn(&&Ban) -> bool| -> Vec<Ban> {
        table.bans.iter().filter(concerns).filter(fits).cloned().collect()
    };
    let total = of(&|ban| ban.stands(day) && ban.is_total());
    let mut partial = of(&|ban| ban.stands(day) && !ban.is_total());
    // What is banned altogether is not told again with a narrower scope.
    for ban in &mut partial {
        ban.names.retain(|name| !total.iter().any(|wide| wide.names.contains(name)));
    }
    partial.retain(|ban| !ban.names.is_empty() || !ban.parts.is_empty());
    let to_come = of(&|ban| ban.is_to_come(day));
    Some(BanList { about, total, partial, to_come })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn rules() -> RuleSet {
        RuleSet::shipped().unwrap()
    }

    fn names(bans: &[Ban]) -> Vec<&str> {
        bans.iter().flat_map(|ban| &ban.names).map(String::as_str).collect()
    }

    /// Trap 10: the last day before the ban and its first, and the narrower ban that stood before.
    #[test]
    fn a_ban_has_a_first_day_and_a_scope() {
        let rules = rules();
        let substance = ["氧乐果".to_owned()];
        let day = |text: &str| text.parse::<Date>().unwrap();
        for (on, total, partial, to_come) in
            [("2026-05-31", false, true, true), ("2026-06-01", true, false, false)]
        {
            let list = bans(&rules, day(on), "", "").unwrap();
            let has = |bans: &[Ban]| names(bans).contains(&"氧乐果");
            assert_eq!(
                (has(&list.total), has(&list.partial), has(&list.to_come)),
                (total, partial, to_come),
                "{on}"
            );
            let bars = bars(rules.banned().unwrap(), &substance, day(on));
            assert_eq!(bars.iter().any(|bar| bar.total && !bar.to_come), total, "{on}");
            assert_eq!(bars.iter().any(|bar| bar.to_come), to_come, "{on}");
            assert_eq!(bars.iter().any(|bar| !bar.total), partial, "{on}");
        }
        assert_eq!(bars(rules.banned().unwrap(), &["辛硫磷".to_owned()], day("2026-06-01")), []);
    }

    #[test]
    fn a_list_is_cut_to_a_crop_and_never_too_far() {
        let rules = rules();
        let day = "2026-11-20".parse::<Date>().unwrap();
        let partial = |class: &str, crop: &str, name: &str| {
            names(&bans(&rules, day, class, crop).unwrap().partial).contains(&name)
        };
        assert!(partial("", "", "丁酰肼") && partial("", "花生", "丁酰肼"));
        assert!(!partial("", "水稻", "丁酰肼"));
        // Nobody said what class lotus is of: a ban for vegetables may be for it.
        assert!(partial("", "莲", "毒死蜱") && partial("vegetable", "莲", "毒死蜱"));
        assert!(!partial("fruit", "柑橘", "毒死蜱"));
        assert!(names(&bans(&rules, day, "fruit", "柑橘").unwrap().total).contains(&"甲胺磷"));
    }
}
