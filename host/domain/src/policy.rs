//! The county's rules for accounts: which passwords, how long an initial one works, who needs a second
//! factor. GB/T 22239 (等保2.0) wants passwords composed and changed regularly, OWASP ASVS 5.0 forbids
//! both, so there are two presets and the county chooses.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::state::{Entity, Entry, State, StateError, Table};

/// A preset of rules for passwords.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordPreset {
    /// OWASP ASVS 5.0: long enough and none of the common ones.
    #[default]
    Asvs5,
    /// GB/T 22239-2019: composed, without the sign-in name, changed regularly.
    Gb22239,
}

/// What a preset asks of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordRules {
    /// Characters at least (ASVS 5.0 6.2.1).
    pub chars_min: usize,
    /// Characters at most (ASVS 5.0 6.2.9).
    pub chars_max: usize,
    /// Of upper case, lower case, digits and others, so many kinds at least.
    pub classes_min: usize,
    /// Whether the sign-in name may be in it.
    pub may_have_name: bool,
    /// Days after which it is to be changed.
    pub days_max: Option<u32>,
    /// A new one is none of the last so many.
    pub differs_from: usize,
}

impl PasswordPreset {
    /// Every preset, in the order of a choice list.
    pub const ALL: [Self; 2] = [Self::Asvs5, Self::Gb22239];

    /// Its figures.
    #[must_use]
    pub fn rules(self) -> PasswordRules {
        match self {
            Self::Asvs5 => PasswordRules {
                chars_min: 8,
                chars_max: 128,
                classes_min: 0,
                may_have_name: true,
                days_max: None,
                differs_from: 1,
            },
            Self::Gb22239 => PasswordRules {
                chars_min: 8,
                chars_max: 128,
                classes_min: 3,
                may_have_name: false,
                days_max: Some(90),
                differs_from: 5,
            },
        }
    }
}

impl PasswordRules {
    /// Why a password is refused: a code of the catalogue. Which ones are common is not known here.
    #[must_use]
    pub fn fault(&self, password: &str, username: &str) -> Option<&'static str> {
        let chars = password.chars().count();
        if !(self.chars_min..=self.chars_max).contains(&chars) {
            return Some("bad_password");
        }
        let has_name = password.to_lowercase().contains(&username.to_lowercase());
        if !self.may_have_name && !username.is_empty() && has_name {
            return Some("password_has_name");
        }
        (classes(password) < self.classes_min).then_some("password_classes")
    }
}

/// Kinds of characters: upper case, lower case, digits, others.
fn classes(password: &str) -> usize {
    let kinds: [fn(char) -> bool; 4] = [
        char::is_uppercase,
        char::is_lowercase,
        |c| c.is_ascii_digit(),
        |c| !c.is_uppercase() && !c.is_lowercase() && !c.is_ascii_digit(),
    ];
    kinds.into_iter().filter(|kind| password.chars().any(kind)).count()
}

/// Days that an initial password works, where the county says nothing else.
const INITIAL_DAYS: u32 = 7;
/// Days that it may say.
const INITIAL_DAYS_MAX: u32 = 30;

/// The rules in force; one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Always `policy`.
    pub id: String,
    /// Rules for passwords.
    pub passwords: PasswordPreset,
    /// Days after which an initial password works no more (ASVS 5.0 6.4.1).
    pub initial_days: u32,
    /// Administrators sign in with a code of their phone as well (ASVS 5.0 6.3.3).
    pub totp_for_administrators: bool,
}

/// Key of the one record.
pub const POLICY_ID: &str = "policy";

impl Default for Policy {
    fn default() -> Self {
        Self {
            id: POLICY_ID.into(),
            passwords: PasswordPreset::default(),
            initial_days: INITIAL_DAYS,
            totp_for_administrators: false,
        }
    }
}

impl Policy {
    /// The rules in force.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of(state: &dyn State) -> Result<Self, StateError> {
        Ok(state.get::<Self>(POLICY_ID)?.unwrap_or_default())
    }
}

impl Entity for Policy {
    const TABLE: Table = Table("policy");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

/// Command: sets the rules for accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetPolicy {
    /// Rules for passwords.
    pub passwords: PasswordPreset,
    /// Days that an initial password works, 1 to 30.
    pub initial_days: u32,
    /// Whether administrators need a second factor.
    pub totp_for_administrators: bool,
}

pub(crate) fn set(_: &mut Context<'_>, c: SetPolicy) -> Result<Policy, DomainError> {
    let mut check = Check::new();
    check.ensure((1..=INITIAL_DAYS_MAX).contains(&c.initial_days), "initial_days", "bad_days");
    check.done()?;
    Ok(Policy {
        id: POLICY_ID.into(),
        passwords: c.passwords,
        initial_days: c.initial_days,
        totp_for_administrators: c.totp_for_administrators,
    })
}
