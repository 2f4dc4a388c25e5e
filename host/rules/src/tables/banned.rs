//! Banned substances by use date and crop (domain/rules-of-law, section 7).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tianyin_domain::Date;

use super::{About, Mark, TableFile, in_force, normalise};

/// `data/banned.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Banned {
    about: About,
    /// Bans.
    #[serde(rename = "ban")]
    pub bans: Vec<Ban>,
    #[serde(skip)]
    by_name: HashMap<String, Vec<usize>>,
    #[serde(skip)]
    by_part: Vec<(String, usize)>,
}

/// What a use against a ban leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BanEffect {
    /// A person decides.
    Hold,
    /// No certificate.
    #[default]
    Deny,
}

/// One ban of one or several substances with the same dates and scope.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// Substances by name.
    #[serde(default)]
    pub names: Vec<String>,
    /// Parts of names, for families such as 汞制剂.
    #[serde(default)]
    pub parts: Vec<String>,
    /// First day of the ban; absent = every day the appliance can know of.
    #[serde(default)]
    pub from: Option<Date>,
    /// Last day; absent while it stands.
    #[serde(default)]
    pub to: Option<Date>,
    /// Product classes it is for. Empty together with `crops`: every crop.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Words in the name of crop or product it is for.
    #[serde(default)]
    pub crops: Vec<String>,
    /// Words in the name of crop or product it is not for.
    #[serde(default)]
    pub not_crops: Vec<String>,
    /// What a use leads to.
    #[serde(default)]
    pub effect: BanEffect,
    /// Scope in words; empty = everywhere.
    #[serde(default)]
    pub scope: String,
    /// Announcement.
    pub basis: String,
    /// How sure.
    #[serde(default)]
    pub mark: Mark,
}

impl Ban {
    /// Whether it stands on a day.
    pub fn stands(&self, day: Date) -> bool {
        in_force(self.from, self.to, day)
    }

    /// Whether it is only to come on a day.
    pub fn is_to_come(&self, day: Date) -> bool {
        self.from.is_some_and(|from| from > day)
    }

    /// Whether it is for every crop, without exception.
    pub fn is_total(&self) -> bool {
        self.is_for_all() && self.not_crops.is_empty()
    }

    fn is_for_all(&self) -> bool {
        self.classes.is_empty() && self.crops.is_empty()
    }

    /// Whether it is for a product of this class and crop.
    pub fn is_for(&self, class: &str, crop: &str) -> bool {
        let named = |words: &[String]| words.iter().any(|word| crop.contains(word.as_str()));
        (self.is_for_all() || self.classes.iter().any(|c| c == class) || named(&self.crops))
            && !named(&self.not_crops)
    }
}

impl Banned {
    /// Every ban that names a substance, on whatever days and crops.
    pub fn of(&self, substance: &str) -> Vec<&Ban> {
        let name = normalise(substance);
        let exact = self.by_name.get(&name).into_iter().flatten().copied();
        let parts = self.by_part.iter().filter(|(part, _)| name.contains(part)).map(|(_, at)| *at);
        exact.chain(parts).filter_map(|at| self.bans.get(at)).collect()
    }

    /// The gravest ban that stood against a use. `crop` holds the names of crop and product.
    pub fn ban(&self, substance: &str, day: Date, class: &str, crop: &str) -> Option<&Ban> {
        let mut found: Option<&Ban> = None;
        for ban in self.of(substance) {
            let graver = found.is_none_or(|before| ban.effect > before.effect);
            if graver && ban.stands(day) && ban.is_for(class, crop) {
                found = Some(ban);
            }
        }
        found
    }
}

impl TableFile for Banned {
    const NAME: &'static str = "banned";

    fn about(&self) -> &About {
        &self.about
    }

    fn rows(&self) -> usize {
        self.bans.iter().map(|ban| ban.names.len() + ban.parts.len()).sum()
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (at, ban) in self.bans.iter().enumerate() {
            if ban.names.is_empty() && ban.parts.is_empty() {
                faults.push(format!("ban {at} names no substance"));
            }
            if ban
                .names
                .iter()
                .chain(&ban.parts)
                .chain(&ban.crops)
                .chain(&ban.not_crops)
                .any(|w| w.trim().is_empty())
            {
                faults.push(format!("ban {at} has an empty word, which would match everything"));
            }
            if matches!((ban.from, ban.to), (Some(from), Some(to)) if to < from) {
                faults.push(format!("ban {at} ends before it begins"));
            }
        }
        faults
    }

    fn index(&mut self) {
        for (at, ban) in self.bans.iter().enumerate() {
            for name in &ban.names {
                self.by_name.entry(normalise(name)).or_default().push(at);
            }
            self.by_part.extend(ban.parts.iter().map(|part| (normalise(part), at)));
        }
    }
}
