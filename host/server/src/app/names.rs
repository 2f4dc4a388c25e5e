//! Names of operators in memory, to search in as somebody types: by a part of the name, by the initials
//! of its pinyin, by credit code and by operator code; and to list them by name.

use std::cmp::Ordering;
use std::collections::HashMap;

use pinyin::ToPinyin as _;
use tianyin_domain::operator::{self, Operator, OperatorStatus};
use tianyin_domain::state::Index;
use tianyin_domain::{Entity as _, Scope, identity};
use tianyin_store::{Store, StoreError};

use super::in_memory::{InMemory, Kept};

/// Letters that may be the initials of a name.
const INITIALS_MIN: usize = 2;
/// Part of a credit code that is looked for.
const CODE_PART_MIN: usize = 4;

/// What is searched in.
#[derive(Default)]
pub struct Names(pub(super) InMemory<Name>);

pub(super) struct Name {
    area: String,
    status: OperatorStatus,
    /// Where it stands in the alphabet: its pinyin, syllable by syllable.
    alphabet: String,
    /// As registered, in lower case.
    text: String,
    /// First letters of the pinyin, digits and Latin letters as they are.
    initials: String,
    uscc: String,
    code: String,
}

impl Name {
    fn of(operator: &Operator) -> Self {
        Self {
            area: operator.area().to_owned(),
            status: operator.status,
            alphabet: alphabet(&operator.name),
            text: operator.name.to_lowercase(),
            initials: initials(&operator.name),
            uscc: operator.uscc.clone(),
            code: operator.code.clone(),
        }
    }
}

/// Which names are listed, and from where.
pub struct Walk<'a> {
    /// Only operators of this status.
    pub status: Option<OperatorStatus>,
    /// After the operator with this id.
    pub after: Option<&'a str>,
    /// From Z to A.
    pub down: bool,
}

impl Kept for Name {
    type Record = Operator;
    const ALL: Index = operator::BY_STATUS;

    fn note(all: &mut HashMap<String, Self>, operator: &Operator) {
        all.insert(operator.id.clone(), Self::of(operator));
    }
}

impl Names {
    /// Takes over what an operator is called now.
    pub fn note(&self, operator: &Operator) {
        self.0.note(operator);
    }

    /// Ids of operators in sight that the text may mean, the best first, then the newest; at most
    /// `limit`.
    ///
    /// # Errors
    /// When the store cannot be read, at the first search.
    pub fn search(
        &self,
        store: &Store,
        scope: &Scope,
        text: &str,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let asked = Asked::of(text);
        let all = self.0.read(store)?;
        let names = all.iter().flatten().filter(|(id, name)| scope.covers(&name.area, id));
        let fits = names.filter_map(|(id, name)| Some((asked.rank(name)?, id)));
        let mut found: Vec<(u8, &String)> = fits.collect();
        // Ids rise with time.
        found.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(a.1)));
        Ok(found.into_iter().take(limit).map(|(_, id)| id.clone()).collect())
    }

    /// Calls for id and township of every operator in sight that is on the register, in no order.
    ///
    /// # Errors
    /// When the store cannot be read, at the first use.
    pub fn each_registered(
        &self,
        store: &Store,
        scope: &Scope,
        mut what: impl FnMut(&str, &str),
    ) -> Result<(), StoreError> {
        let all = self.0.read(store)?;
        for (id, name) in all.iter().flatten() {
            let on_register =
                matches!(name.status, OperatorStatus::Approved | OperatorStatus::Suspended);
            if on_register && scope.covers(&name.area, id) {
                what(id, &name.area);
            }
        }
        Ok(())
    }

    /// Ids of operators in sight by name; at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read, at the first search.
    pub fn walk(
        &self,
        store: &Store,
        scope: &Scope,
        walk: &Walk<'_>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let all = self.0.read(store)?;
        let Some(all) = all.as_ref() else { return Ok(Vec::new()) };
        let place = |id: &String, name: &Name| (name.alphabet.clone(), id.clone());
        let begin = walk.after.and_then(|id| all.get_key_value(id)).map(|(id, one)| place(id, one));
        let in_order = |a: (&str, &str), b: (&str, &str)| {
            if walk.down { b.cmp(&a) } else { a.cmp(&b) }
        };
        let is_wanted = |id: &str, name: &Name| {
            let later = begin.as_ref().is_none_or(|(alphabet, begin)| {
                in_order((alphabet, begin), (&name.alphabet, id)) == Ordering::Less
            });
            later && walk.status.is_none_or(|s| s == name.status) && scope.covers(&name.area, id)
        };
        let mut found: Vec<(&str, &str)> = all
            .iter()
            .filter(|(id, name)| is_wanted(id, name))
            .map(|(id, name)| (name.alphabet.as_str(), id.as_str()))
            .collect();
        // A page of them only is brought into order.
        if found.len() > limit {
            found.select_nth_unstable_by(limit, |a, b| in_order(*a, *b));
            found.truncate(limit);
        }
        found.sort_unstable_by(|a, b| in_order(*a, *b));
        Ok(found.into_iter().map(|(_, id)| id.to_owned()).collect())
    }
}

/// What somebody typed.
struct Asked {
    text: String,
    initials: Option<String>,
    code: String,
}

impl Asked {
    fn of(text: &str) -> Self {
        let text = text.trim().to_lowercase();
        let is_letters =
            text.len() >= INITIALS_MIN && text.bytes().all(|b| b.is_ascii_alphanumeric());
        let code = identity::normalise(&text.replace('-', ""));
        Self { initials: is_letters.then(|| text.clone()), code, text }
    }

    /// How well a name fits; lower is better.
    fn rank(&self, name: &Name) -> Option<u8> {
        let has_code = self.code.len() >= CODE_PART_MIN;
        if self.text.is_empty() {
            return Some(9);
        }
        if has_code && (name.code == self.code || name.uscc == self.code) || name.text == self.text
        {
            return Some(0);
        }
        if name.text.starts_with(&self.text) {
            return Some(1);
        }
        if name.text.contains(&self.text) {
            return Some(2);
        }
        if let Some(initials) = &self.initials {
            if name.initials.starts_with(initials.as_str()) {
                return Some(3);
            }
            if name.initials.contains(initials.as_str()) {
                return Some(4);
            }
        }
        (has_code && name.uscc.contains(&self.code)).then_some(5)
    }
}

/// `湘莲合作社2队` is `xlhzs2d`.
pub(super) fn initials(name: &str) -> String {
    let letter = |c: char| match c.to_pinyin() {
        Some(pinyin) => pinyin.plain().chars().next(),
        None => Some(c.to_ascii_lowercase()).filter(char::is_ascii_alphanumeric),
    };
    name.chars().filter_map(letter).collect()
}

/// `湘莲2` is `xiang lian 2`.
fn alphabet(name: &str) -> String {
    let mut out = String::with_capacity(name.len() * 2);
    for c in name.chars() {
        match c.to_pinyin() {
            Some(pinyin) => out.push_str(pinyin.plain()),
            None => out.extend(c.to_lowercase()),
        }
        out.push(' ');
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(text: &str) -> Name {
        Name {
            area: "430321103".into(),
            status: OperatorStatus::Approved,
            alphabet: alphabet(text),
            text: text.to_lowercase(),
            initials: initials(text),
            uscc: "91350100M000100Y43".into(),
            code: "WQ3518DC".into(),
        }
    }

    #[test]
    fn a_name_is_found_by_its_parts_its_initials_and_its_codes() {
        let one = name("花石湘莲合作社2队");
        assert_eq!(one.initials, "hsxlhzs2d");
        let cases = [
            ("花石湘莲合作社2队", Some(0)),
            ("WQ35-18DC", Some(0)),
            ("wq3518dc", Some(0)),
            ("91350100m000100y43", Some(0)),
            ("花石", Some(1)),
            ("湘莲", Some(2)),
            ("hsxl", Some(3)),
            ("XLHZS", Some(4)),
            ("M000100", Some(5)),
            ("", Some(9)),
            ("h", None),
            ("莲湘", None),
            ("xhl", None),
            ("911", None),
        ];
        for (text, rank) in cases {
            assert_eq!(Asked::of(text).rank(&one), rank, "{text}");
        }
    }
}
