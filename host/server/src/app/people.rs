//! Accounts in memory, to search in as somebody types: by a part of the person's name or of the sign-in
//! name, and by the initials of the name's pinyin.

use std::collections::HashMap;

use tianyin_domain::user::{self, User};
use tianyin_store::{Store, StoreError};

use super::in_memory::InMemory;
use super::names::initials;

/// What is searched in; filled at the first search.
#[derive(Default)]
pub struct People(InMemory<Person>);

struct Person {
    /// Lower case.
    name: String,
    initials: String,
    username: String,
    agency: Option<String>,
}

fn note(all: &mut HashMap<String, Person>, user: &User) {
    let person = Person {
        name: user.name.to_lowercase(),
        initials: initials(&user.name),
        username: user.username.clone(),
        agency: user.agency.clone(),
    };
    all.insert(user.id.clone(), person);
}

impl People {
    /// Reads it all, so that nobody waits for it at the first look.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fill(&self, store: &Store) -> Result<(), StoreError> {
        self.0.read(store, (user::ALL, ""), note).map(drop)
    }

    /// Takes over an account.
    pub fn note(&self, user: &User) {
        self.0.change(|all| note(all, user));
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
        let all = self.0.read(store, (user::ALL, ""), note)?;
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
