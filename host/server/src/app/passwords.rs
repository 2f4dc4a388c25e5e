//! Passwords: what the county's policy asks of them, their hashes in the vault, whom they are given to.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use tianyin_domain::actor::{Actor, Role};
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::error::DomainError;
use tianyin_domain::id::Random as _;
use tianyin_domain::policy::{PasswordRules, Policy};
use tianyin_domain::user::{AddUser, CredentialChanged, User};

use super::accounts::{Due, Session, throttle_keys};
use super::{App, AppError};
use crate::edge::OsRandom;

/// Letters and digits that nobody mistakes for another.
const DRAWN_FROM: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
/// Characters of a drawn password, in groups of four: 69 bits.
const DRAWN_CHARS: usize = 12;

/// The most used passwords, lower case (ASVS 5.0 6.2.4).
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let list = include_str!("../../data/common-passwords.txt").lines();
    list.filter(|line| !line.starts_with('#')).collect()
});

/// A user to be added, with the password in clear.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Sign-in name.
    pub username: String,
    /// Person's name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Operator, for role producer.
    pub operator: Option<String>,
    /// Agency; that of whoever adds the user when absent.
    pub agency: Option<String>,
    /// Password.
    pub password: String,
    /// Whether the person has to change it; so it is whenever a person adds another.
    pub initial: bool,
}

/// Vault tokens of a person's passwords, the one in use first.
fn earlier_of(user: &User) -> impl Iterator<Item = &String> {
    std::iter::once(&user.credential).chain(&user.login.earlier).filter(|token| !token.is_empty())
}

/// An initial password that meets every preset: the person changes it at the first sign-in.
pub fn drawn_password() -> String {
    let rules = tianyin_domain::policy::PasswordPreset::Gb22239.rules();
    loop {
        let mut text = String::with_capacity(DRAWN_CHARS + 2);
        while text.len() < DRAWN_CHARS + 2 {
            let mut byte = [0u8];
            OsRandom.fill(&mut byte);
            // Of 256 values as many as are a multiple of the letters: each is as likely as another.
            let place = usize::from(byte[0]);
            if place < 256 / DRAWN_FROM.len() * DRAWN_FROM.len() {
                text.push(char::from(DRAWN_FROM[place % DRAWN_FROM.len()]));
                if matches!(text.len(), 4 | 9) {
                    text.push('-');
                }
            }
        }
        if rules.fault(&text, "").is_none() {
            return text;
        }
    }
}

impl App {
    /// The county's rules for accounts.
    pub fn policy(&self) -> Result<Policy, AppError> {
        Ok(Policy::of(&self.store)?)
    }

    /// Whether the policy takes the password, for an account of this sign-in name.
    pub(super) fn check_password(&self, password: &str, username: &str) -> Result<(), AppError> {
        let rules: PasswordRules = self.policy()?.passwords.rules();
        let common = || COMMON.contains(password.to_lowercase().as_str()).then_some("bad_password");
        match rules.fault(password, username).or_else(common) {
            Some(code) => Err(DomainError::field("password", code).into()),
            None => Ok(()),
        }
    }

    /// Adds a user; the password hash goes to the vault first.
    ///
    /// # Errors
    /// As the domain refuses; a password that the policy does not take.
    pub async fn add_user(
        &self,
        actor: &Actor,
        new: NewUser,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        self.check_password(&new.password, new.username.trim())?;
        let credential = self.keep_password(new.password).await?;
        let command = Command::AddUser(AddUser {
            username: new.username,
            name: new.name,
            role: new.role,
            area: String::new(),
            operator: new.operator,
            agency: new.agency,
            credential: credential.clone(),
            initial: new.initial,
        });
        let outcome = self.submit_keyed(actor, command, idempotency_key).await;
        self.erase_unless_written(&[credential], &outcome)?;
        outcome
    }

    /// Sets another's password, `initial` when the person has to change it; ends the person's sessions.
    ///
    /// # Errors
    /// As the domain refuses; a password that the policy does not take.
    pub async fn reset_password(
        &self,
        actor: &Actor,
        username: &str,
        password: String,
        initial: bool,
    ) -> Result<Outcome, AppError> {
        self.check_password(&password, username)?;
        let user = self.named_user(username)?;
        self.set_password(actor, user, password, initial).await
    }

    /// The user of a sign-in name.
    pub fn named_user(&self, username: &str) -> Result<User, AppError> {
        let missing = || DomainError::NotFound { noun: "user", id: username.to_owned() };
        Ok(self.user_by_name(username)?.ok_or_else(missing)?)
    }

    async fn set_password(
        &self,
        actor: &Actor,
        before: User,
        password: String,
        initial: bool,
    ) -> Result<Outcome, AppError> {
        let credential = self.keep_password(password).await?;
        let changed = CredentialChanged::new(&before.id, &credential, initial);
        let outcome = self.submit(actor, Command::ChangeCredential(changed)).await;
        self.erase_unless_written(&[credential], &outcome)?;
        let outcome = outcome?;
        let after: Option<User> = self.store.get(&before.id).map_err(AppError::internal)?;
        let kept = after.map(|user| user.login.earlier).unwrap_or_default();
        for token in earlier_of(&before).filter(|token| !kept.contains(token)) {
            self.vault.erase(token).map_err(AppError::internal)?;
        }
        self.end_sessions_of(&before.id);
        Ok(outcome)
    }

    /// A person's new password, for the one used so far; ends all its sessions. Guessing the old one is
    /// as slow as at sign-in.
    ///
    /// # Errors
    /// `wrong_old_password`, `throttled`; a password that the policy does not take.
    pub async fn change_own_password(
        &self,
        user: &User,
        old: String,
        new: String,
        address: IpAddr,
    ) -> Result<(), AppError> {
        let user = self.again(user, old, address).await?;
        self.replace_own(user, new).await
    }

    /// The user as it is now, if it is the one whose password this is: asked again before a sensitive
    /// change (ASVS 5.0 7.5.1).
    pub(super) async fn again(
        &self,
        user: &User,
        password: String,
        address: IpAddr,
    ) -> Result<User, AppError> {
        let keys = throttle_keys(&user.username, address);
        let found = self.user_with_password(&user.username, password, &keys).await?;
        Ok(found.ok_or_else(|| DomainError::field("password_now", "wrong_old_password"))?)
    }

    /// At the door: the password is to be changed before anything else.
    ///
    /// # Errors
    /// `session_expired`; a password that the policy does not take.
    pub async fn change_due_password(
        &self,
        token: &str,
        new: String,
    ) -> Result<(String, Session), AppError> {
        let door = self.door_for(token, Due::Password)?;
        let user = self.named_user(&door.user.username)?;
        self.replace_own(user, new).await?;
        self.step_in(token, &door, false).await
    }

    async fn replace_own(&self, user: User, new: String) -> Result<(), AppError> {
        self.check_password(&new, &user.username)?;
        let rules = self.policy()?.passwords.rules();
        let last: Vec<String> = earlier_of(&user).take(rules.differs_from).cloned().collect();
        for token in last {
            // One that cannot be read is no reason to refuse another.
            let hash = self.vault.get(&token).ok().flatten();
            if hash.is_some() && self.verify_password(new.clone(), hash).await? {
                return Err(DomainError::field("password", "password_used").into());
            }
        }
        self.set_password(&user.actor(&self.store)?, user, new, false).await.map(drop)
    }

    /// Puts the hash of a password, or PIN, into the vault; its token.
    pub(super) async fn keep_password(&self, password: String) -> Result<String, AppError> {
        let hash = self.hash_password(password).await?;
        self.vault.put(&hash).map_err(AppError::internal)
    }

    async fn hash_password(&self, password: String) -> Result<String, AppError> {
        let _queued = self.accounts.hashes_queued.hold();
        let _permit = self.accounts.hashing.acquire().await.map_err(AppError::internal)?;
        tokio::task::spawn_blocking(move || {
            Argon2::default()
                .hash_password(password.as_bytes())
                .map(|h| h.to_string())
                .map_err(|e| AppError::Internal(anyhow::anyhow!("hash password: {e}")))
        })
        .await
        .map_err(AppError::internal)?
    }

    pub(super) async fn verify_password(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, AppError> {
        let _queued = self.accounts.hashes_queued.hold();
        let _permit = self.accounts.hashing.acquire().await.map_err(AppError::internal)?;
        tokio::task::spawn_blocking(move || match hash {
            Some(hash) => PasswordHash::new(&hash)
                .is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok()),
            None => {
                // The same work as for a known name, so that time tells nothing.
                let _ = Argon2::default().hash_password(password.as_bytes());
                false
            }
        })
        .await
        .map_err(AppError::internal)
    }
}
