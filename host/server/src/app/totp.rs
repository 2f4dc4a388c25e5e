//! The second factor: six digits of an app on the person's phone (RFC 6238: SHA-1, 30 s), recovery codes
//! in case the phone is lost.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use data_encoding::BASE32_NOPAD;
use parking_lot::Mutex;
use ring::hmac;
use tianyin_domain::Actor;
use tianyin_domain::code::{self, CodeText};
use tianyin_domain::command::Command;
use tianyin_domain::error::DomainError;
use tianyin_domain::id::Random as _;
use tianyin_domain::login::{EnrolTotp, RECOVERY_CODES, RemoveTotp, Totp, UseRecovery};
use tianyin_domain::user::User;

use super::accounts::{Due, Session};
use super::{App, AppError};
use crate::edge::{OsRandom, sha256_hex};

/// Seconds that a code counts (ASVS 5.0 6.5.5).
const STEP_S: u64 = 30;
/// Digits of a code.
pub const DIGITS: usize = 6;
/// Steps that the phone's clock may be off, either way.
const DRIFT: u64 = 1;
/// Random bytes of a secret (RFC 4226: 160 bits).
const SECRET_BYTES: usize = 20;
/// A secret that nobody confirmed is forgotten after this time.
const DRAFT_FOR: Duration = Duration::from_secs(15 * 60);
/// Secrets waiting to be confirmed at once; the oldest gives way.
const DRAFTS_MAX: usize = 1000;

/// What need not outlive a restart.
#[derive(Default)]
pub struct TotpMemory {
    /// Secrets shown and not confirmed yet, by user.
    drafts: Mutex<HashMap<String, (String, Instant)>>,
    /// The last step whose code a user has used: none counts twice (ASVS 5.0 6.5.1).
    used: Mutex<HashMap<String, u64>>,
}

/// The code of a step.
fn code_of(secret: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let at = usize::from(bytes[bytes.len() - 1] & 15);
    let word: [u8; 4] = [bytes[at] & 127, bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    format!("{:0DIGITS$}", u32::from_be_bytes(word) % 10_u32.pow(DIGITS as u32))
}

/// The step whose code it is, about now.
fn step_of(secret: &[u8], typed: &str, now_s: u64) -> Option<u64> {
    let now = now_s / STEP_S;
    let steps = now.saturating_sub(DRIFT)..=now + DRIFT;
    // All are compared whatever fits: how long it takes tells nothing.
    steps.fold(None, |found, step| (code_of(secret, step) == typed).then_some(step).or(found))
}

fn digits_in(typed: &str) -> Option<String> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let is_code = typed.len() == DIGITS && typed.bytes().all(|b| b.is_ascii_digit());
    is_code.then_some(typed)
}

fn now_s() -> u64 {
    u64::try_from(crate::edge::now().as_second()).unwrap_or(0)
}

impl TotpMemory {
    /// The secret being set up for a user, the same until it is confirmed or forgotten.
    fn draft(&self, user: &str) -> String {
        let mut drafts = self.drafts.lock();
        drafts.retain(|_, (_, begun)| begun.elapsed() < DRAFT_FOR);
        if let Some((secret, _)) = drafts.get(user) {
            return secret.clone();
        }
        if drafts.len() >= DRAFTS_MAX
            && let Some(oldest) =
                drafts.iter().min_by_key(|(_, (_, at))| *at).map(|(k, _)| k.clone())
        {
            drafts.remove(&oldest);
        }
        let mut bytes = [0u8; SECRET_BYTES];
        OsRandom.fill(&mut bytes);
        let secret = BASE32_NOPAD.encode(&bytes);
        drafts.insert(user.to_owned(), (secret.clone(), Instant::now()));
        secret
    }

    /// Whether the code counts; it does so once.
    fn take(&self, user: &str, secret: &str, typed: &str) -> bool {
        let Ok(secret) = BASE32_NOPAD.decode(secret.as_bytes()) else { return false };
        let Some(step) = step_of(&secret, typed, now_s()) else { return false };
        let mut used = self.used.lock();
        let last = used.entry(user.to_owned()).or_default();
        let is_new = step > *last;
        if is_new {
            *last = step;
        }
        is_new
    }
}

impl App {
    /// The secret of the second factor that the user is setting up, in base 32.
    ///
    /// # Errors
    /// `totp_is_on` when there is one.
    pub fn totp_draft(&self, user: &User) -> Result<String, AppError> {
        let user = self.named_user(&user.username)?;
        if user.login.totp.is_some() {
            return Err(DomainError::refused("totp_is_on", &[("name", &user.name)]).into());
        }
        Ok(self.accounts.totp.draft(&user.id))
    }

    /// Switches the second factor on, once a code shows that the phone has the secret. The answer are the
    /// recovery codes, which nobody can have again.
    ///
    /// # Errors
    /// `wrong_old_password`, `wrong_code`, `throttled`, `totp_is_on`.
    pub async fn enrol(
        &self,
        user: &User,
        password: String,
        typed: &str,
        address: IpAddr,
    ) -> Result<Vec<String>, AppError> {
        let user = self.again(user, password, address).await?;
        self.switch_on(&user, typed, address).await
    }

    /// The same at the door, where the password was given just now.
    ///
    /// # Errors
    /// `session_expired`, `wrong_code`, `throttled`.
    pub async fn enrol_at_door(
        &self,
        token: &str,
        typed: &str,
    ) -> Result<(Vec<String>, String, Session), AppError> {
        let door = self.door_for(token, Due::Enrolment)?;
        let codes = self.switch_on(&door.user, typed, door.address).await?;
        let (token, session) = self.step_in(token, &door, true).await?;
        Ok((codes, token, session))
    }

    async fn switch_on(
        &self,
        user: &User,
        typed: &str,
        address: IpAddr,
    ) -> Result<Vec<String>, AppError> {
        let keys = code_keys(user, address);
        self.check_throttle(&keys)?;
        let draft = self.accounts.totp.draft(&user.id);
        let fits =
            digits_in(typed).is_some_and(|typed| self.accounts.totp.take(&user.id, &draft, &typed));
        if !fits {
            self.count_failure(&keys);
            return Err(DomainError::field("code", "wrong_code").into());
        }
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| code::draw(&mut OsRandom)).collect();
        let secret = self.vault.put(&draft).map_err(AppError::internal)?;
        let command = Command::EnrolTotp(EnrolTotp {
            user: user.id.clone(),
            secret: secret.clone(),
            recovery: codes.iter().map(|code| sha256_hex(code.as_bytes())).collect(),
        });
        let outcome = self.submit(&user.actor(&self.store)?, command).await;
        self.erase_unless_written(&[secret], &outcome)?;
        outcome?;
        self.accounts.totp.drafts.lock().remove(&user.id);
        self.forget_failures(&keys[0]);
        Ok(codes)
    }

    /// At the door: the code of the phone, or a recovery code in its place. Guessing waits as it does for
    /// passwords, and a right password does not make it forgotten.
    ///
    /// # Errors
    /// `session_expired`, `wrong_code`, `throttled`.
    pub async fn give_code(&self, token: &str, typed: &str) -> Result<(String, Session), AppError> {
        let door = self.door_for(token, Due::Code)?;
        let keys = code_keys(&door.user, door.address);
        self.check_throttle(&keys)?;
        let user = self.named_user(&door.user.username)?;
        let fits = match &user.login.totp {
            Some(totp) => self.fits(&user, totp, typed).await?,
            // Removed meanwhile: the next step looks again.
            None => true,
        };
        if !fits {
            self.count_failure(&keys);
            return Err(AppError::refused("wrong_code"));
        }
        self.forget_failures(&keys[0]);
        self.step_in(token, &door, true).await
    }

    async fn fits(&self, user: &User, totp: &Totp, typed: &str) -> Result<bool, AppError> {
        if let Some(typed) = digits_in(typed) {
            let secret = self.vault.get(&totp.secret).map_err(AppError::internal)?;
            return Ok(secret.is_some_and(|s| self.accounts.totp.take(&user.id, &s, &typed)));
        }
        let CodeText::Valid(code) = code::parse(typed) else { return Ok(false) };
        let command = Command::UseRecovery(UseRecovery {
            user: user.id.clone(),
            code_sha256: sha256_hex(code.as_bytes()),
        });
        match self.submit(&Actor::system("sign_in"), command).await {
            Ok(_) => Ok(true),
            Err(AppError::Domain(e)) if e.code() == "wrong_code" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Switches one's own second factor off.
    ///
    /// # Errors
    /// `wrong_old_password`, `throttled`, `totp_is_off`.
    pub async fn leave_totp(
        &self,
        user: &User,
        password: String,
        address: IpAddr,
    ) -> Result<(), AppError> {
        let user = self.again(user, password, address).await?;
        self.remove_totp(&user.actor(&self.store)?, &user).await
    }

    /// Takes a second factor away, for one's own account or one that the actor allocates.
    ///
    /// # Errors
    /// As the domain refuses.
    pub async fn remove_totp(&self, actor: &Actor, user: &User) -> Result<(), AppError> {
        let command = Command::RemoveTotp(RemoveTotp { user: user.id.clone() });
        self.submit(actor, command).await?;
        if let Some(totp) = &user.login.totp {
            self.vault.erase(&totp.secret).map_err(AppError::internal)?;
        }
        Ok(())
    }
}

fn code_keys(user: &User, address: IpAddr) -> [String; 2] {
    [format!("code/{}", user.id), format!("addr/{address}")]
}

/// The code of a secret in base 32, so many steps from now.
#[cfg(test)]
pub fn code_in(secret: &str, steps: u64) -> String {
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap_or_default();
    code_of(&secret, now_s() / STEP_S + steps)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RFC 6238, appendix B, the last six of eight digits.
    const VECTORS: [(u64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (time_s, code) in VECTORS {
            assert_eq!(code_of(secret, time_s / STEP_S), code, "{time_s}");
            for (off_s, fits) in [(0, true), (30, true), (90, false)] {
                let later = step_of(secret, code, time_s + off_s);
                assert_eq!(later, fits.then_some(time_s / STEP_S), "{time_s} + {off_s}");
            }
            let early = step_of(secret, code, time_s.saturating_sub(90));
            assert_eq!(early.is_some(), time_s < 90, "{time_s}: the time begins with step 0");
        }
    }

    #[test]
    fn a_code_counts_once() {
        let memory = TotpMemory::default();
        let secret = memory.draft("usr_1");
        assert_eq!(memory.draft("usr_1"), secret, "the same until it is confirmed");
        assert_ne!(memory.draft("usr_2"), secret);
        let bytes = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
        assert_eq!(bytes.len(), SECRET_BYTES);
        let code = code_of(&bytes, now_s() / STEP_S);
        assert!(memory.take("usr_1", &secret, &code));
        assert!(!memory.take("usr_1", &secret, &code), "seen by somebody, it is worth nothing");
        let before = code_of(&bytes, now_s() / STEP_S - 1);
        assert!(!memory.take("usr_1", &secret, &before), "nor is an earlier one");
    }

    #[test]
    fn digits_are_read_with_spaces() {
        assert_eq!(digits_in(" 123 456 ").as_deref(), Some("123456"));
        for typed in ["12345", "1234567", "12345a", ""] {
            assert_eq!(digits_in(typed), None, "{typed}");
        }
    }
}
