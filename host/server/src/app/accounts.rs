//! People at the door: set-up link, sign-in, sessions, throttles. Sessions live in memory and may
//! be lost; who may sign in stands in the journal, the password hash in the vault.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use parking_lot::Mutex;
use tianyin_domain::Time;
use tianyin_domain::access::AccessKind;
use tianyin_domain::actor::{Actor, Role};
use tianyin_domain::code::{self, CodeText};
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::county::ConfigureCounty;
use tianyin_domain::error::DomainError;
use tianyin_domain::policy::Policy;
use tianyin_domain::user::{self, User};
use tokio::sync::Semaphore;

pub use super::passwords::NewUser;
use super::totp::TotpMemory;
use super::{App, AppError};
use crate::edge::{new_token, sha256_hex};
use crate::meter::Level;

/// A session ends after this time without a request.
const SESSION_IDLE: Duration = Duration::from_secs(8 * 3600);
/// A session ends after this time in any case.
const SESSION_MAX: Duration = Duration::from_secs(24 * 3600);
/// What is due at the door is done within this time.
const DOOR_MAX: Duration = Duration::from_secs(15 * 60);
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
    /// What has to be done before the session opens anything.
    pub due: Option<Due>,
    /// The second factor was given.
    gave_code: bool,
    started: Instant,
    last_seen: Instant,
}

/// What has to be done at the door, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The code of the second factor.
    Code,
    /// Another password: this one was given by somebody else, or is too old.
    Password,
    /// A second factor, which the county wants of administrators.
    Enrolment,
}

impl Due {
    /// The refusal that tells a program so.
    pub fn refusal(self) -> AppError {
        AppError::refused(match self {
            Self::Code => "totp_required",
            Self::Password => "password_change_due",
            Self::Enrolment => "totp_enrolment_due",
        })
    }
}

fn due_of(user: &User, policy: &Policy, now: Time, gave_code: bool) -> Option<Due> {
    let has_totp = user.login.totp.is_some();
    let wants_totp = policy.totp_for_administrators && user.role == Role::Administrator;
    if has_totp && !gave_code {
        Some(Due::Code)
    } else if user.login.must_change(policy, now) {
        Some(Due::Password)
    } else {
        (wants_totp && !has_totp).then_some(Due::Enrolment)
    }
}

impl Session {
    /// One that begins now.
    fn new(actor: Actor, sight: u64, user: User, address: IpAddr) -> Self {
        let now = Instant::now();
        Self {
            id: new_token(),
            address,
            sight,
            actor,
            user,
            form_token: new_token(),
            expires_in: SESSION_MAX,
            due: None,
            gave_code: false,
            started: now,
            last_seen: now,
        }
    }

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
    pub(super) hashing: Semaphore,
    /// Second factors being set up and steps used.
    pub(super) totp: TotpMemory,
    /// When API tokens were used last, where that is not noted yet.
    pub(super) tokens_used: Mutex<HashMap<String, Time>>,
    /// Passwords that wait for or are in the making of their hash.
    pub hashes_queued: Level,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            sessions: Mutex::default(),
            throttles: Mutex::default(),
            hashing: Semaphore::new(HASHES_AT_ONCE),
            totp: TotpMemory::default(),
            tokens_used: Mutex::default(),
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
        self.check_password(&form.password, &form.username)?;
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
            initial: false,
        };
        let outcome = self.add_user(&system, user, None).await?;
        // Used up; the check above refuses any token from now on in any case.
        let _ = std::fs::remove_file(setup_file(&self.config.data));
        Ok(outcome)
    }

    /// Sessions that have not ended.
    pub fn sessions_open(&self) -> usize {
        self.accounts.sessions.lock().len()
    }

    /// Signs in. The answer is the session token; the same time passes for unknown names. Where something
    /// is due first, the session opens nothing but the door's pages ([`Session::due`]).
    ///
    /// # Errors
    /// `wrong_password`, `throttled`, `initial_password_over`.
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
        self.let_in(user, address, false).await
    }

    /// A session for whoever proved to be the user: a whole one, or one for what is due first.
    async fn let_in(
        &self,
        user: User,
        address: IpAddr,
        gave_code: bool,
    ) -> Result<(String, Session), AppError> {
        let now = crate::edge::now();
        if user.login.is_over(now) {
            return Err(AppError::refused("initial_password_over"));
        }
        let due = due_of(&user, &self.policy()?, now, gave_code);
        if due.is_none() {
            self.note_sign_in(&user, AccessKind::SignIn, address).await;
        }
        let new = Session { due, gave_code, ..self.new_session(user, address)? };
        Ok(self.keep_session(new))
    }

    /// The session that waits at the door for what is due.
    pub fn at_door(&self, token: &str) -> Option<Session> {
        let sessions = self.accounts.sessions.lock();
        let session = sessions.get(&sha256_hex(token.as_bytes()))?;
        let waits = session.due.is_some() && session.started.elapsed() < DOOR_MAX;
        waits.then(|| session.clone())
    }

    /// The session at the door, if this is what is due.
    pub(super) fn door_for(&self, token: &str, due: Due) -> Result<Session, AppError> {
        let door = self.at_door(token).filter(|session| session.due == Some(due));
        door.ok_or_else(|| AppError::refused("session_expired"))
    }

    /// What was due is done: another session, whole unless more is due (ASVS 5.0 7.2.4).
    pub(super) async fn step_in(
        &self,
        token: &str,
        door: &Session,
        gave_code: bool,
    ) -> Result<(String, Session), AppError> {
        self.sign_out(token);
        let user: Option<User> = self.store.get(&door.user.id).map_err(AppError::internal)?;
        let Some(user) = user.filter(|user| user.active) else {
            return Err(AppError::refused("session_expired"));
        };
        self.let_in(user, door.address, gave_code || door.gave_code).await
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
        if session.due.is_some() {
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
        let of_user =
            sessions.values().filter(|s| s.user.id == user && s.due.is_none() && !s.has_ended());
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
    pub(super) async fn user_with_password(
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
    pub(super) fn user_by_name(&self, username: &str) -> Result<Option<User>, AppError> {
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
        Ok(self.keep_session(self.new_session(user, address)?))
    }

    /// A session that begins now.
    pub(super) fn new_session(&self, user: User, address: IpAddr) -> Result<Session, AppError> {
        // Read before the sight itself: a change in between is taken over at the next look.
        let sight = self.sight_version(&user)?;
        Ok(Session::new(user.actor(&self.store)?, sight, user, address))
    }

    fn keep_session(&self, session: Session) -> (String, Session) {
        let token = new_token();
        let mut sessions = self.accounts.sessions.lock();
        if sessions.len() >= SESSIONS_MAX
            && let Some(oldest) =
                sessions.iter().min_by_key(|(_, s)| s.last_seen).map(|(k, _)| k.clone())
        {
            sessions.remove(&oldest);
        }
        sessions.insert(sha256_hex(token.as_bytes()), session.clone());
        (token, session)
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
pub(super) fn throttle_keys(username: &str, address: IpAddr) -> [String; 2] {
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
