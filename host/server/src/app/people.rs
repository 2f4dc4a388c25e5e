//! Accounts in memory, to search in as somebody types: by a part of the person's name or of the sign-in
//! name, and by the initials of the name's pinyin.

use std::collections::HashMap;

use tianyin_domain::state::Index;
use tianyin_domain::user::{self, User};
use tianyin_store::{Store, StoreError};

use super::in_memory::{InMemory, Kept};
use super::names::initials;

/// What is searched in.
#[derive(Default)]
pub struct People(pub(super) InMemory<Person>);

pub(super) struct Person {
    /// Lower case.
    name: String,
    initials: String,
    username: String,
    agency: Option<String>,
}

impl Kept for Person {
    type Record = User;
    const ALL: Index = user::ALL;

    fn note(all: &mut HashMap<String, Self>, user: &User) {
        let person = Self {
            name: user.name.to_lowercase(),
            initials: initials(&user.name),
            username: user.username.clone(),
            agency: user.agency.clone(),
        };
        all.insert(user.id.clone(), person);
    }
}

impl People {
    /// Takes over an account.
    pub fn note(&self, user: &User) {
        self.0.note(user);
    }

    /// Ids of accounts, of one agency if it is given, that the text may mean, by sign-in name; at most
    /// `limit`.
    ///
    /// # Errors
    /// When the store cannot be read, at the first search.
    pub fn search(
        &self,
        store: &Store,
        agency: Option<&str>,
        text: &str,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let text = text.trim().to_lowercase();
        let all = self.0.read(store)?;
        let fits = all.iter().flatten().filter(|(_, one)| {
            agency.is_none_or(|agency| one.agency.as_deref() == Some(agency))
                && (one.name.contains(&text)
                    || one.username.contains(&text)
                    || one.initials.starts_with(&text))
        });
        let mut found: Vec<(&str, &String)> =
            fits.map(|(id, one)| (one.username.as_str(), id)).collect();
        found.sort_unstable();
        Ok(found.into_iter().take(limit).map(|(_, id)| id.clone()).collect())
    }
}
