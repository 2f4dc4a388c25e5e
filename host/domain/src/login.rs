//! How a person signs in: since when the password stands, whether somebody else gave it, the second
//! factor, when it signed in last. Part of the [`User`]; secrets are in the vault.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::policy::Policy;
use crate::time::Time;
use crate::user::{User, check_over, is_self};

/// Recovery codes made with a second factor.
pub const RECOVERY_CODES: usize = 8;

/// What is known of how a person signs in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// When the password was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_at: Option<Time>,
    /// Somebody else gave the password: it is to be changed, and works until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_until: Option<Time>,
    /// Vault tokens of the passwords before, the newest first, as far as the policy looks at them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
    /// The second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<Totp>,
    /// API tokens made before this time are void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_from: Option<Time>,
    /// When the person signed in last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Time>,
}

/// A second factor: codes of an app on the person's phone (RFC 6238).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    /// Vault token of the secret.
    pub secret: String,
    /// SHA-256 (hex) of the recovery codes that are left.
    pub recovery: Vec<String>,
    /// Since when.
    pub since: Time,
}

impl Login {
    /// Nothing is known: left out of what is written.
    pub(crate) fn is_blank(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the password was given by somebody else and works no more.
    pub fn is_over(&self, now: Time) -> bool {
        self.initial_until.is_some_and(|until| until <= now)
    }

    /// Whether the password must be changed before anything else.
    pub fn must_change(&self, policy: &Policy, now: Time) -> bool {
        let days_max = policy.passwords.rules().days_max;
        let too_old = |days| self.credential_at.is_some_and(|at| after_days(at, days) <= now);
        self.initial_until.is_some() || days_max.is_some_and(too_old)
    }
}

fn after_days(time: Time, days: u32) -> Time {
    time.checked_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Time::MAX)
}

/// Until when a password works that somebody else gave.
pub(crate) fn initial_until(ctx: &Context<'_>) -> Result<Time, DomainError> {
    let policy = Policy::of(ctx.state)?;
    Ok(after_days(ctx.time, policy.initial_days))
}

/// Command and event payload: a person's second factor; the app proved that it has the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolTotp {
    /// User.
    pub user: String,
    /// Vault token of the secret.
    pub secret: String,
    /// SHA-256 (hex) of the recovery codes.
    pub recovery: Vec<String>,
}

/// Command and event payload: a recovery code was used in place of the phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseRecovery {
    /// User.
    pub user: String,
    /// SHA-256 (hex) of the code.
    pub code_sha256: String,
}

/// Command and event payload: the second factor was switched off, its secret destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveTotp {
    /// User.
    pub user: String,
}

/// One's own only: nobody else has the phone.
pub(crate) fn enrol(ctx: &mut Context<'_>, c: EnrolTotp) -> Result<EnrolTotp, DomainError> {
    let user: User = ctx.require("user", &c.user)?;
    let mut check = Check::new();
    check.text("secret", &c.secret, 64).ensure(
        c.recovery.len() == RECOVERY_CODES,
        "recovery",
        "required",
    );
    check.done()?;
    if user.login.totp.is_some() {
        return Err(DomainError::refused("totp_is_on", &[("name", &user.name)]));
    }
    Ok(c)
}

pub(crate) fn use_recovery(
    ctx: &mut Context<'_>,
    c: UseRecovery,
) -> Result<UseRecovery, DomainError> {
    let user: User = ctx.require("user", &c.user)?;
    let known = user.login.totp.is_some_and(|totp| totp.recovery.contains(&c.code_sha256));
    if known { Ok(c) } else { Err(DomainError::refused("wrong_code", &[])) }
}

/// One's own, or that of whom one could have added.
pub(crate) fn remove(ctx: &mut Context<'_>, c: RemoveTotp) -> Result<RemoveTotp, DomainError> {
    let user: User = ctx.require("user", &c.user)?;
    if !is_self(ctx, &user) {
        check_over(ctx, &user)?;
    }
    if user.login.totp.is_none() {
        return Err(DomainError::refused("totp_is_off", &[("name", &user.name)]));
    }
    Ok(c)
}
