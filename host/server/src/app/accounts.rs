//! People at the door: set-up link, sign-in, sessions, throttles. Sessions live in memory and may
//! be lost; who may sign in stands in the journal, the password hash in the vault.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use jiff::SignedDuration;
use parking_lot::Mutex;
use tianyin_domain::Time;
use tianyin_domain::access::AccessKind;
use tianyin_domain::actor::{Actor, Role};
use tianyin_domain::code::{self, CodeText};
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::county::ConfigureCounty;
use tianyin_domain::error::DomainError;
use tianyin_domain::user::{self, AddUser, User};
use tokio::sync::Semaphore;

use super::{App, AppError};
use crate::edge::{new_token, sha256_hex};
use crate::meter::Level;

/// A session ends after this time without a request.
const SESSION_IDLE: Duration = Duration::from_secs(8 * 3600);
/// A session ends after this time in any case.
const SESSION_MAX: Duration = Duration::from_secs(24 * 3600);
/// Sessions kept at once; the oldest gives way.
const SESSIONS_MAX: usize = 10_000;
/// A set-up link is good for this long.
pub const SETUP_LINK: Duration = Duration::from_secs(30 * 60);
/// Failed attempts per account or address before waiting begins.
const FREE_FAILURES: u32 = 5;
/// Longest wait between attempts.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// Throttle records kept.
const THROTTLES_MAX: usize = 10_000;
/// Password hashes computed at once: each takes 19 MiB.
const HASHES_AT_ONCE: usize = 2;

/// A signed-in browser or API client.
#[derive(Debug, Clone)]
pub struct Session {
    /// Names it in a list; tells nothing of its token.
    pub id: String,
    /// Where it was begun.
    pub address: IpAddr,
    /// The user.
    pub user: User,
    /// The user as actor.
    pub actor: Actor,
    /// Version of what its sight was read from.
    pub(super) sight: u64,
    /// Value of the hidden form field that proves a form came from our page.
    pub form_token: String,
    /// When it ends at the latest.
    pub expires_in: Duration,
    started: Instant,
    last_seen: Instant,
}

impl Session {
    /// When it was begun.
    pub fn started_at(&self) -> Time {
        ago(self.started)
    }

    /// When it was last used.
    pub fn last_seen_at(&self) -> Time {
        ago(self.last_seen)
    }

    fn has_ended(&self) -> bool {
        self.last_seen.elapsed() > SESSION_IDLE || self.started.elapsed() > SESSION_MAX
    }
}

/// Sessions go by uptime; people read the time of day.
fn ago(then: Instant) -> Time {
    let now = crate::edge::now();
    let past = SignedDuration::try_from(then.elapsed()).unwrap_or_default();
    now.checked_sub(past).unwrap_or(now)
}

struct Throttle {
    failures: u32,
    until: Instant,
}

/// State of the door.
pub struct Accounts {
    sessions: Mutex<HashMap<String, Session>>,
    throttles: Mutex<HashMap<String, Throttle>>,
    hashing: Semaphore,
    /// Passwords that wait for or are in the making of their hash.
    pub hashes_queued: Level,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            sessions: Mutex::default(),
            throttles: Mutex::default(),
            hashing: Semaphore::new(HASHES_AT_ONCE),
            hashes_queued: Level::default(),
        }
    }
}

/// First run: the county and its first administrator.
#[derive(Debug, Clone)]
pub struct SetUp {
    /// Token of the link.
    pub token: String,
    /// GB/T 2260 code of the county.
    pub area: String,
    /// Address printed in QR codes.
    pub public_url: String,
    /// Sign-in name of the administrator.
    pub username: String,
    /// The administrator's name.
    pub name: String,
    /// Password.
    pub password: String,
}

impl App {
    /// Whether county and administrator exist.
    pub fn is_set_up(&self) -> Result<bool, AppError> {
        Ok(self.county()?.is_some()
            && self.store.count(user::ALL, "").map_err(AppError::internal)? > 0)
    }

    /// Whether a set-up token works now.
    pub fn setup_token_works(&self, token: &str) -> bool {
        let Ok(kept) = std::fs::read_to_string(setup_file(&self.config.data)) else { return false };
        let Some((sha256, made_at)) = kept.trim().split_once(' ') else { return false };
        let Ok(made_at) = made_at.parse::<tianyin_domain::Time>() else { return false };
        let age_s = crate::edge::now().as_second() - made_at.as_second();
        sha256 == sha256_hex(token.as_bytes())
            && u64::try_from(age_s).is_ok_and(|age_s| age_s < SETUP_LINK.as_secs())
    }

    /// Carries out the first run.
    pub async fn set_up(&self, form: SetUp) -> Result<Outcome, AppError> {
        if self.is_set_up()? {
            return Err(AppError::refused("already_set_up"));
        }
        if !self.setup_token_works(&form.token) {
            return Err(AppError::refused("bad_setup_token"));
        }
        let system = Actor::system("setup");
        let full_name = crate::regions::full_name(&form.area)
            .ok_or_else(|| DomainError::field("area", "bad_region_code"))?;
        let name = crate::regions::name(&form.area).unwrap_or_default().to_owned();
        check_password(&form.password)?;
        let county =
            ConfigureCounty { area: form.area, name, full_name, public_url: form.public_url };
        self.submit(&system, Command::ConfigureCounty(county)).await?;
        let user = NewUser {
            username: form.username,
            name: form.name,
            role: Role::Administrator,
            operator: None,
            agency: None,
            password: form.password,
        };
        let outcome = self.add_user(&system, user, None).await?;
        // Used up; the check above refuses any token from now on in any case.
        let _ = std::fs::remove_file(setup_file(&self.config.data));
        Ok(outcome)
    }

    /// Adds a user; the password hash goes to the vault first.
    pub async fn add_user(
        &self,
        actor: &Actor,
        new: NewUser,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        check_password(&new.password)?;
        let credential = self.keep_password(new.password).await?;
        let command = Command::AddUser(AddUser {
            username: new.username,
            name: new.name,
            role: new.role,
            area: String::new(),
            operator: new.operator,
            agency: new.agency,
            credential: credential.clone(),
        });
        let outcome = self.submit_keyed(actor, command, idempotency_key).await;
        self.erase_unless_written(&[credential], &outcome)?;
        outcome
    }

    /// Sets a new password and ends the user's sessions.
    pub async fn reset_password(
        &self,
        actor: &Actor,
        username: &str,
        password: String,
    ) -> Result<(), AppError> {
        check_password(&password)?;
        let user = self
            .user_by_name(username)?
            .ok_or_else(|| DomainError::NotFound { noun: "user", id: username.to_owned() })?;
        let credential = self.keep_password(password).await?;
        let changed =
            user::CredentialChanged { user: user.id.clone(), credential: credential.clone() };
        let outcome = self.submit(actor, Command::ChangeCredential(changed)).await;
        self.erase_unless_written(&[credential], &outcome)?;
        outcome?;
        if !user.credential.is_empty() {
            self.vault.erase(&user.credential).map_err(AppError::internal)?;
        }
        self.end_sessions_of(&user.id);
        Ok(())
    }

    /// A person's new password, for the one used so far; ends all its sessions. Guessing the old one is
    /// as slow as at sign-in.
    pub async fn change_own_password(
        &self,
        user: &User,
        old: String,
        new: String,
        address: IpAddr,
    ) -> Result<(), AppError> {
        let keys = throttle_keys(&user.username, address);
        // As it is now: the session may be older than the last change.
        let Some(user) = self.user_with_password(&user.username, old, &keys).await? else {
            return Err(DomainError::field("password_now", "wrong_old_password").into());
        };
        let actor = user.actor(&self.store)?;
        self.reset_password(&actor, &user.username, new).await
    }

    /// Sessions that have not ended.
    pub fn sessions_open(&self) -> usize {
        self.accounts.sessions.lock().len()
    }

    /// Signs in. The answer is the session token; the same time passes for unknown names.
    pub async fn sign_in(
        &self,
        username: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<(String, Session), AppError> {
        let username = username.trim().to_ascii_lowercase();
        // A code is typed in many ways: attempts are counted by the name it stands for.
        let username = self.user_by_name(&username)?.map_or(username, |user| user.username);
        let keys = throttle_keys(&username, address);
        let Some(user) = self.user_with_password(&username, password.to_owned(), &keys).await?
        else {
            return Err(AppError::refused("wrong_password"));
        };
        self.forget_failures(&keys[0]);
        self.note_sign_in(&user, AccessKind::SignIn, address).await;
        self.start_session(user, address)
    }

    /// The session of a token, when it is still good; counts as activity.
    pub fn session(&self, token: &str) -> Option<Session> {
        let mut sessions = self.accounts.sessions.lock();
        let key = sha256_hex(token.as_bytes());
        let session = sessions.get_mut(&key)?;
        if session.has_ended() {
            sessions.remove(&key);
            return None;
        }
        session.last_seen = Instant::now();
        let mut session = session.clone();
        drop(sessions);
        if self.renew_sight(&mut session)
            && let Some(kept) = self.accounts.sessions.lock().get_mut(&key)
        {
            (kept.actor, kept.sight) = (session.actor.clone(), session.sight);
        }
        Some(session)
    }

    /// Ends a session.
    pub fn sign_out(&self, token: &str) {
        self.accounts.sessions.lock().remove(&sha256_hex(token.as_bytes()));
    }

    /// A user's open sessions, the last used first (ASVS 5.0 7.5.2).
    pub fn sessions_of(&self, user: &str) -> Vec<Session> {
        let sessions = self.accounts.sessions.lock();
        let of_user = sessions.values().filter(|s| s.user.id == user && !s.has_ended());
        let mut found: Vec<Session> = of_user.cloned().collect();
        found.sort_by_key(|session| std::cmp::Reverse(session.last_seen));
        found
    }

    /// Ends every session of a user but this one.
    pub fn end_other_sessions(&self, of: &Session) {
        self.accounts.sessions.lock().retain(|_, s| s.user.id != of.user.id || s.id == of.id);
    }

    /// Ends every session of a user.
    pub fn end_sessions_of(&self, user: &str) {
        self.accounts.sessions.lock().retain(|_, s| s.user.id != user);
    }

    /// The active user whose password it is; failures are counted under `keys`.
    async fn user_with_password(
        &self,
        username: &str,
        password: String,
        keys: &[String],
    ) -> Result<Option<User>, AppError> {
        self.check_throttle(keys)?;
        let user = self.user_by_name(username)?.filter(|u| u.active);
        let hash = match &user {
            // Without one, only the operator's card signs in.
            Some(user) if !user.credential.is_empty() => {
                self.vault.get(&user.credential).map_err(AppError::internal)?
            }
            _ => None,
        };
        if self.verify_password(password, hash).await? {
            return Ok(user);
        }
        self.count_failure(keys);
        Ok(None)
    }

    /// By sign-in name, or by an operator code as people type one.
    fn user_by_name(&self, username: &str) -> Result<Option<User>, AppError> {
        let state: &dyn tianyin_domain::State = &self.store;
        let found = state.find(user::BY_NAME, username)?;
        match code::parse_operator_code(username) {
            CodeText::Valid(code) if found.is_none() => {
                Ok(state.find(user::BY_NAME, &code.to_ascii_lowercase())?)
            }
            _ => Ok(found),
        }
    }

    pub(super) fn start_session(
        &self,
        user: User,
        address: IpAddr,
    ) -> Result<(String, Session), AppError> {
        let token = new_token();
        let now = Instant::now();
        let session = Session {
            id: new_token(),
            address,
            // Read before the sight itself: see there.
            sight: self.sight_version(&user)?,
            actor: user.actor(&self.store)?,
            user,
            form_token: new_token(),
            expires_in: SESSION_MAX,
            started: now,
            last_seen: now,
        };
        let mut sessions = self.accounts.sessions.lock();
        if sessions.len() >= SESSIONS_MAX
            && let Some(oldest) =
                sessions.iter().min_by_key(|(_, s)| s.last_seen).map(|(k, _)| k.clone())
        {
            sessions.remove(&oldest);
        }
        sessions.insert(sha256_hex(token.as_bytes()), session.clone());
        Ok((token, session))
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

    pub(super) fn check_throttle(&self, keys: &[String]) -> Result<(), AppError> {
        let throttles = self.accounts.throttles.lock();
        let now = Instant::now();
        let wait = keys
            .iter()
            .filter_map(|k| throttles.get(k))
            .filter(|t| t.failures >= FREE_FAILURES)
            .map(|t| t.until.saturating_duration_since(now))
            .max()
            .unwrap_or_default();
        if wait.is_zero() {
            return Ok(());
        }
        let seconds = (wait.as_secs() + 1).to_string();
        Err(AppError::refused_with("throttled", vec![("seconds", seconds)]))
    }

    /// Who got in begins anew.
    pub(super) fn forget_failures(&self, key: &str) {
        self.accounts.throttles.lock().remove(key);
    }

    pub(super) fn count_failure(&self, keys: &[String]) {
        let mut throttles = self.accounts.throttles.lock();
        let now = Instant::now();
        if throttles.len() >= THROTTLES_MAX {
            throttles.retain(|_, t| t.until > now);
        }
        for key in keys {
            let t = throttles.entry(key.clone()).or_insert(Throttle { failures: 0, until: now });
            t.failures = t.failures.saturating_add(1);
            let doublings = t.failures.saturating_sub(FREE_FAILURES).min(10);
            t.until = now + WAIT_MAX.min(Duration::from_secs(1 << doublings));
        }
    }
}

/// By what attempts are counted.
fn throttle_keys(username: &str, address: IpAddr) -> [String; 2] {
    [format!("user/{username}"), format!("addr/{address}")]
}

/// A fresh set-up token; an older one stops working. Kept as a digest in a private file, so that the
/// command line can make one beside a running service.
pub fn new_setup_token(data: &Path) -> anyhow::Result<String> {
    let token = new_token();
    let file = setup_file(data);
    crate::folders::make(&data.join("keys"))?;
    let line = format!("{} {}\n", sha256_hex(token.as_bytes()), crate::edge::now());
    crate::keys::write_private(&file, line.as_bytes())?;
    Ok(token)
}

fn setup_file(data: &Path) -> PathBuf {
    data.join("keys").join("setup-token")
}

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
}

/// At least 8 characters and none of the most used ones (ASVS 5.0 6.2.1, 6.2.4).
pub(super) fn check_password(password: &str) -> Result<(), AppError> {
    const COMMON: [&str; 12] = [
        "12345678",
        "123456789",
        "1234567890",
        "password",
        "11111111",
        "88888888",
        "00000000",
        "qwertyui",
        "abc12345",
        "a1234567",
        "admin123",
        "66666666",
    ];
    let chars = password.chars().count();
    if !(8..=128).contains(&chars) || COMMON.contains(&password.to_lowercase().as_str()) {
        return Err(DomainError::field("password", "bad_password").into());
    }
    Ok(())
}
