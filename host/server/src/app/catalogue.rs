//! The catalogue of inputs in memory, to list and search in as somebody types: by a part of the name, the
//! initials of its pinyin, the registration number, a substance or a crop.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::input::{self, Input, InputKind, registration_key};
use tianyin_domain::state::Index;
use tianyin_domain::{Actor, Date};
use tianyin_store::{Store, StoreError};

use super::in_memory::{InMemory, Kept};
use super::names::initials;
use super::{App, AppError};

/// Letters that may be the initials of a name.
const INITIALS_MIN: usize = 2;
/// Part of a registration number that is looked for.
const NUMBER_PART_MIN: usize = 3;

/// What is searched in.
#[derive(Default)]
pub struct Catalogue(pub(super) InMemory<Known>);

/// How an input stands on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputState {
    /// Registered.
    Current,
    /// Its registration has ended.
    Ended,
    /// A substance in it is banned, on every crop or on some.
    Barred,
}

impl InputState {
    /// Every state, in the order of a list.
    pub const ALL: [Self; 3] = [Self::Current, Self::Ended, Self::Barred];
}

/// What of the catalogue is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// A part of a name, number, substance or crop; empty for all.
    pub text: &'a str,
    /// Only this kind.
    pub kind: Option<InputKind>,
    /// Only those that stand so.
    pub state: Option<InputState>,
    /// Only the one with this registration number; empty for all.
    pub registration_no: &'a str,
}

pub(super) struct Known {
    version: u32,
    name: String,
    kind: InputKind,
    /// In lower case.
    text: String,
    initials: String,
    number: String,
    substances: Vec<String>,
    crops: Vec<String>,
    /// First day without a registration.
    ended_on: Option<Date>,
}

impl Known {
    fn of(input: &Input) -> Self {
        Self {
            version: input.version,
            name: input.name.clone(),
            kind: input.kind,
            text: input.name.to_lowercase(),
            initials: initials(&input.name),
            number: registration_key(&input.registration_no),
            substances: input.substances.clone(),
            crops: input.uses.iter().map(|one| one.crop.to_lowercase()).collect(),
            ended_on: input.ended.then_some(input.valid_from.unwrap_or(Date::MIN)),
        }
    }

    fn has_ended(&self, day: Date) -> bool {
        self.ended_on.is_some_and(|from| from <= day)
    }
}

impl Kept for Known {
    type Record = Input;
    const ALL: Index = input::ALL;

    fn note(all: &mut HashMap<String, Self>, input: &Input) {
        let newer = all.get(&input.id).is_some_and(|known| known.version > input.version);
        if !newer {
            all.insert(input.id.clone(), Self::of(input));
        }
    }
}

impl Catalogue {
    /// Takes over what an input is now. Notes may come late: an older version changes nothing.
    pub fn note(&self, input: &Input) {
        self.0.note(input);
    }

    fn search(
        &self,
        store: &Store,
        wanted: &Wanted<'_>,
        day: Date,
        barred: impl Fn(&[String]) -> bool,
    ) -> Result<Vec<String>, StoreError> {
        let asked = Asked::of(wanted.text);
        let number = registration_key(wanted.registration_no);
        let stands = |one: &Known| match wanted.state {
            None => true,
            Some(InputState::Current) => !one.has_ended(day),
            Some(InputState::Ended) => one.has_ended(day),
            Some(InputState::Barred) => barred(&one.substances),
        };
        let all = self.0.read(store)?;
        let fits = all.iter().flatten().filter(|(_, one)| {
            wanted.kind.is_none_or(|kind| kind == one.kind)
                && (number.is_empty() || one.number == number)
        });
        let ranked = fits.filter_map(|(id, one)| Some((asked.rank(one)?, one, id)));
        let mut found: Vec<(u8, &Known, &String)> =
            ranked.filter(|(_, one, _)| stands(one)).collect();
        found.sort_by(|a, b| (a.0, &a.1.name, a.2).cmp(&(b.0, &b.1.name, b.2)));
        Ok(found.into_iter().map(|(_, _, id)| id.clone()).collect())
    }
}

/// What somebody typed.
struct Asked {
    text: String,
    initials: Option<String>,
    number: Option<String>,
}

impl Asked {
    fn of(text: &str) -> Self {
        let text = text.trim().to_lowercase();
        let is_letters =
            text.len() >= INITIALS_MIN && text.bytes().all(|b| b.is_ascii_alphanumeric());
        let number = Some(registration_key(&text)).filter(|n| n.chars().count() >= NUMBER_PART_MIN);
        Self { initials: is_letters.then(|| text.clone()), number, text }
    }

    /// How well an input fits; lower is better.
    fn rank(&self, one: &Known) -> Option<u8> {
        let in_text = |words: &[String]| words.iter().any(|word| word.contains(&self.text));
        let in_number = |fits: fn(&str, &str) -> bool| {
            self.number.as_ref().is_some_and(|number| fits(&one.number, number))
        };
        if self.text.is_empty() {
            Some(9)
        } else if one.text == self.text || in_number(|number, asked| number == asked) {
            Some(0)
        } else if one.text.starts_with(&self.text) {
            Some(1)
        } else if one.text.contains(&self.text) || in_number(|number, asked| number.contains(asked))
        {
            Some(2)
        } else if in_text(&one.substances) {
            Some(3)
        } else if in_text(&one.crops) {
            Some(4)
        } else {
            let initials = self.initials.as_ref()?;
            one.initials.contains(initials.as_str()).then_some(5)
        }
    }
}

impl App {
    /// Ids of the inputs that are asked for, the best first, then by name.
    ///
    /// # Errors
    /// When the store cannot be read, at the first search.
    pub fn find_inputs(&self, wanted: &Wanted<'_>, day: Date) -> Result<Vec<String>, AppError> {
        let barred = |substances: &[String]| !self.bars(substances, day).is_empty();
        let found = self.catalogue.search(&self.store, wanted, day, barred);
        found.map_err(AppError::internal)
    }

    /// Submits a command about the catalogue; whoever searches next finds what became of it.
    ///
    /// # Errors
    /// As the domain refuses; [`AppError::Conflict`] when a version in `seen` moved.
    pub async fn submit_input(
        &self,
        actor: &Actor,
        command: Command,
        key: Option<String>,
        seen: &[(String, u64)],
    ) -> Result<Outcome, AppError> {
        let outcome = self.submit_based(actor, command, key, seen).await?;
        // A command that is durable is not told as failed because of what cannot be noted.
        if let Ok(Some(input)) = self.store.get::<Input>(&outcome.id) {
            self.catalogue.note(&input);
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_found_by_all_that_people_know_of_it() {
        let one = Known {
            version: 1,
            name: "示例40%辛硫磷乳油".into(),
            kind: InputKind::Pesticide,
            text: "示例40%辛硫磷乳油".into(),
            initials: initials("示例40%辛硫磷乳油"),
            number: "PD20081234".into(),
            substances: vec!["辛硫磷".into(), "2,4-滴".into()],
            crops: vec!["莲".into(), "白菜".into()],
            ended_on: None,
        };
        let cases = [
            ("", Some(9)),
            ("pd 20081234", Some(0)),
            ("示例40", Some(1)),
            ("辛硫磷", Some(2)),
            ("2008", Some(2)),
            ("2,4-", Some(3)),
            ("白菜", Some(4)),
            ("xll", Some(5)),
            ("p", None),
            ("水稻", None),
        ];
        for (text, rank) in cases {
            assert_eq!(Asked::of(text).rank(&one), rank, "{text}");
        }
    }
}
