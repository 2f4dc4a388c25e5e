//! The county's signing keys (县签名密钥): which one is in force, which ones were, and from when to when. Offline
//! proofs are checked with the key of their day, so a key that was retired stays known for ever. Nothing is on
//! record until a key is changed for the first time: then the one before it is written down with it.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::state::{Entity, Entry, Index, State, StateError, Table};
use crate::time::Time;

/// Hex digits of a fingerprint: the first 64 bits of an SM3 digest.
const FINGERPRINT_DIGITS: usize = 16;
/// Characters of a public key as PEM; one of SM2 has 178.
const PEM_CHARS_MAX: usize = 1024;
/// Keys on record at most: every offline page carries all of them.
pub const KEYS_MAX: usize = 100;

/// A key, in force or retired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Fingerprint: the first 16 hex digits of SM3 over the DER of the SubjectPublicKeyInfo.
    pub id: String,
    /// Public key as PEM.
    pub pem: String,
    /// It signs from then on.
    pub from: Time,
    /// It signed until then; `None` for the one in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
    /// Why another took its place; empty for the one in force.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Somebody else may have had it, so that a date in what it signed proves nothing by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compromised: bool,
}

/// All keys, the oldest first.
pub const ALL: Index = Index("signing_key.all");

impl Entity for SigningKey {
    const TABLE: Table = Table("signing_key");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(ALL, "", format!("{:012x}", self.from.as_millisecond()))]
    }
}

/// The public half of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// See [`SigningKey::id`].
    pub fingerprint: String,
    /// As PEM.
    pub pem: String,
}

/// Command: another key takes the place of the one in force. The new private key is on disk before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// The key that signs now.
    pub old: PublicKey,
    /// The key that signs from now on.
    pub new: PublicKey,
    /// Since when the old one signs: the county's first day. Only looked at when no key is on record.
    pub since: Time,
    /// Why, at most 128 characters.
    pub reason: String,
    /// Whether somebody else may have had the old one.
    #[serde(default)]
    pub compromised: bool,
}

/// Event payload: both keys as they are now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRotated {
    /// The retired key.
    pub old: SigningKey,
    /// The key in force.
    pub new: SigningKey,
}

/// All keys on record, the oldest first; none as long as the first one is in force.
///
/// # Errors
/// When the store cannot be read.
pub fn all(state: &dyn State) -> Result<Vec<SigningKey>, StateError> {
    let mut keys: Vec<SigningKey> = state.list(ALL, "", KEYS_MAX)?;
    // Two of one millisecond follow each other as the first one ends.
    keys.sort_by_key(|key| (key.from, key.to.is_none(), key.to));
    Ok(keys)
}

/// The one in force among keys of [`all`].
pub fn in_force(keys: &[SigningKey]) -> Option<&SigningKey> {
    keys.iter().find(|key| key.to.is_none())
}

pub(crate) fn rotate(ctx: &mut Context<'_>, c: RotateKey) -> Result<KeyRotated, DomainError> {
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    for (field, key) in [("old", &c.old), ("new", &c.new)] {
        check.ensure(is_key(key), field, "bad_public_key");
    }
    check.done()?;
    let known = all(ctx.state)?;
    let old = match in_force(&known) {
        Some(key) if key.id == c.old.fingerprint && key.pem == c.old.pem => key.clone(),
        Some(key) => {
            let params = [("fingerprint", key.id.as_str())];
            return Err(DomainError::refused("key_not_in_force", &params));
        }
        None => SigningKey {
            id: c.old.fingerprint,
            pem: c.old.pem,
            from: c.since.min(ctx.time),
            to: None,
            reason: String::new(),
            compromised: false,
        },
    };
    let is_known = |key: &SigningKey| key.id == c.new.fingerprint;
    if is_known(&old) || known.iter().any(is_known) {
        return Err(DomainError::refused("key_known", &[]));
    }
    // The first change puts two on record.
    if known.len().max(1) >= KEYS_MAX {
        return Err(DomainError::refused("too_many_keys", &[]));
    }
    let new = SigningKey {
        id: c.new.fingerprint,
        pem: c.new.pem,
        from: ctx.time,
        to: None,
        reason: String::new(),
        compromised: false,
    };
    let (to, reason) = (Some(ctx.time), c.reason.trim().to_owned());
    Ok(KeyRotated { old: SigningKey { to, reason, compromised: c.compromised, ..old }, new })
}

/// Whether it has the form of a key; that the fingerprint is its own is for whoever made it to see to.
fn is_key(key: &PublicKey) -> bool {
    let PublicKey { fingerprint, pem } = key;
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    fingerprint.len() == FINGERPRINT_DIGITS
        && fingerprint.bytes().all(is_digit)
        && pem.len() <= PEM_CHARS_MAX
        && pem.starts_with("-----BEGIN PUBLIC KEY-----\n")
        && pem.bytes().all(|b| b == b'\n' || b.is_ascii_graphic() || b == b' ')
}
