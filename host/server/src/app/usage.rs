//! Who uses the system: accounts by the class of their people, and who has not signed in.

use jiff::SignedDuration;
use tianyin_domain::agency::AgencyKind;
use tianyin_domain::user::{self, User};
use tianyin_domain::{Role, Time};

use super::{App, AppError};

/// Accounts looked at: a county has some hundreds of people and as many producers as operators.
const USERS_MAX: usize = 100_000;

/// The class of a person in the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Works for an agency of this kind.
    Agency(AgencyKind),
    /// Acts for an operator.
    Producer,
}

impl Class {
    /// Every class, in the order of the page.
    pub const ALL: [Self; 6] = [
        Self::Agency(AgencyKind::Supervision),
        Self::Agency(AgencyKind::Testing),
        Self::Agency(AgencyKind::Enforcement),
        Self::Agency(AgencyKind::Station),
        Self::Agency(AgencyKind::ServicePoint),
        Self::Producer,
    ];

    /// The class of a user.
    pub fn of(user: &User) -> Self {
        match (user.role, user.office) {
            (Role::Producer, _) => Self::Producer,
            (_, kind) => Self::Agency(kind.unwrap_or(AgencyKind::Supervision)),
        }
    }
}

/// Days within which people signed in, as the page counts them.
pub const WITHIN_DAYS: [i64; 3] = [7, 30, 90];

/// How many of a class use their accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Accounts that are active.
    pub accounts: u64,
    /// Signed in within [`WITHIN_DAYS`].
    pub within: [u64; 3],
    /// Never signed in.
    pub never: u64,
}

/// Whether the user has not signed in for so many days.
pub fn is_idle(user: &User, days: i64, now: Time) -> bool {
    let back = SignedDuration::from_hours(24 * days);
    let since = now.checked_sub(back).unwrap_or(Time::MIN);
    user.login.seen_at.is_none_or(|seen| seen < since)
}

impl Used {
    /// Counts an account that is active.
    pub fn count(&mut self, user: &User, now: Time) {
        self.accounts += 1;
        for (days, number) in WITHIN_DAYS.into_iter().zip(&mut self.within) {
            *number += u64::from(!is_idle(user, days, now));
        }
        self.never += u64::from(user.login.seen_at.is_none());
    }
}

impl App {
    /// Gives every active account that `may_see` to `each`, in the order of sign-in names.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn each_active_user(
        &self,
        may_see: impl Fn(&User) -> bool,
        mut each: impl FnMut(User),
    ) -> Result<(), AppError> {
        let mut seen = 0;
        let given = self.store.each((user::ALL, ""), |user: User| {
            seen += 1;
            if seen <= USERS_MAX && user.active && may_see(&user) {
                each(user);
            }
        });
        given.map_err(AppError::internal)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn user(seen_at: Option<&str>) -> User {
        let mut user: User = serde_json::from_value(serde_json::json!({
            "id": "usr_1", "username": "a", "name": "a", "role": "clerk", "area": "",
            "credential": "c", "active": true,
        }))
        .unwrap();
        user.login.seen_at = seen_at.map(|at| at.parse().unwrap());
        user
    }

    #[test]
    fn people_are_counted_by_their_last_sign_in() {
        let now: Time = "2026-11-20T08:00:00Z".parse().unwrap();
        let mut used = Used::default();
        for seen in [
            None,
            Some("2026-11-20T07:00:00Z"),
            Some("2026-11-01T00:00:00Z"),
            Some("2026-06-01T00:00:00Z"),
        ] {
            used.count(&user(seen), now);
        }
        assert_eq!(used, Used { accounts: 4, within: [1, 2, 2], never: 1 });
        assert!(
            is_idle(&user(None), 90, now) && !is_idle(&user(Some("2026-11-20T07:00:00Z")), 7, now)
        );
        assert_eq!(Class::of(&user(None)), Class::Agency(AgencyKind::Supervision));
    }
}
