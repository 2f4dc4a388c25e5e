//! The county's signature: the key in force, its change while the service runs, and what is published of all keys.
//! The change is one journal line; `key_files` tells how the files follow it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};
use tianyin_domain::command::{Command, Envelope};
use tianyin_domain::signing_key::{self, PublicKey, RotateKey};
use tianyin_domain::{Actor, Time};
use tianyin_journal::Reader;

use super::{App, AppError};
use crate::edge::now;
use crate::key_files;
use crate::keys::{SignatureProvider, fingerprint};
use crate::proof::PublishedKey;

/// Who signs now.
pub struct Signer {
    key: RwLock<Arc<dyn SignatureProvider>>,
    /// One change at a time.
    changing: Mutex<()>,
    first_day: OnceLock<Time>,
}

impl Signer {
    /// Signs with a key until it is changed.
    pub fn new(key: Arc<dyn SignatureProvider>) -> Self {
        Self { key: RwLock::new(key), changing: Mutex::default(), first_day: OnceLock::new() }
    }

    /// The key in force. Whoever composes something reads the time before this, and signs with what this
    /// gives: then nothing signed by a retired key is dated after its end, see [`App::rotate_key`].
    pub fn current(&self) -> Arc<dyn SignatureProvider> {
        self.key.read().clone()
    }
}

impl App {
    /// Makes a new signing key and puts it in the place of the one in force; from the answer on, it signs. For
    /// threads that may block.
    ///
    /// # Errors
    /// Nothing has changed, but for `key_files_unfinished`: then the new key is on record and signs, and the next
    /// start brings the files into order.
    pub fn rotate_key(
        &self,
        actor: &Actor,
        reason: String,
        compromised: bool,
    ) -> Result<PublicKey, AppError> {
        let unfinished = || AppError::refused("key_change_open");
        let _alone = self.signer.changing.try_lock().ok_or_else(unfinished)?;
        self.clock.require_right()?;
        let since = self.first_day()?.ok_or_else(|| AppError::refused("not_set_up"))?;
        let dir = self.keys_dir();
        // It may be the one that is on record, if nobody knows what the disk kept of a failed write.
        if key_files::is_open(&dir) {
            return Err(unfinished());
        }
        let old = public_half(self.signer.current().public_pem())?;
        let next = key_files::prepare(&dir).map_err(AppError::internal)?;
        let new = public_half(next.public_pem())?;
        let command = RotateKey { old: old.clone(), new: new.clone(), since, reason, compromised };
        // Nobody takes a key until this line has its time and the new key is in place: who took the old one has
        // read the time before, and that is not after the end of the old key.
        let mut signing = self.signer.key.write();
        let answer = self.submit_blocking(Envelope {
            actor: actor.clone(),
            command: Command::RotateKey(command),
            time: now(),
            idempotency_key: None,
            based_on: Vec::new(),
        });
        match answer {
            Ok(_) | Err(AppError::Recorded(_)) => {}
            Err(error) => {
                drop(signing);
                if !may_be_on_record(&error)
                    && let Err(e) = key_files::abandon(&dir)
                {
                    tracing::warn!(error = format!("{e:#}"), "a key that is not needed stays");
                }
                return Err(error);
            }
        }
        *signing = Arc::new(next);
        drop(signing);
        tracing::warn!(old = old.fingerprint, new = new.fingerprint, "the signing key was changed");
        if let Err(e) = key_files::swap(&dir, &old, &new) {
            let error = format!("{e:#}");
            tracing::error!(error, "the files of the signing key did not follow");
            return Err(AppError::refused("key_files_unfinished"));
        }
        Ok(new)
    }

    /// Every key that ever signed, the oldest first; the last one is in force.
    pub fn published_keys(&self) -> Result<Vec<PublishedKey>, AppError> {
        let known = signing_key::all(&self.store)?;
        if !known.is_empty() {
            return Ok(known.into_iter().map(PublishedKey::from).collect());
        }
        let key = PublishedKey::bare(self.signer.current().public_pem());
        let key = key.map_err(AppError::internal)?;
        Ok(vec![PublishedKey { from: self.first_day()?, ..key }])
    }

    /// The county's first key, which stays the same whatever signs.
    pub fn first_key_pem(&self) -> Result<String, AppError> {
        let first = signing_key::all(&self.store)?.into_iter().next();
        Ok(first.map_or_else(|| self.signer.current().public_pem().to_owned(), |key| key.pem))
    }

    /// When the first line was written: the key was made at that start. `None` before there is one.
    fn first_day(&self) -> Result<Option<Time>, AppError> {
        if let Some(day) = self.signer.first_day.get() {
            return Ok(Some(*day));
        }
        let head = *self.writer.committed().borrow();
        if head == 0 {
            return Ok(None);
        }
        let mut reader = Reader::new(&self.config.data.join("journal"), 1);
        let Some(line) = reader.read_up_to(1).map_err(AppError::internal)? else { return Ok(None) };
        let day: Time = line.time.parse().map_err(AppError::internal)?;
        Ok(Some(*self.signer.first_day.get_or_init(|| day)))
    }

    fn keys_dir(&self) -> PathBuf {
        self.config.data.join("keys")
    }
}

fn public_half(pem: &str) -> Result<PublicKey, AppError> {
    let fingerprint = fingerprint(pem).map_err(AppError::internal)?;
    Ok(PublicKey { fingerprint, pem: pem.to_owned() })
}

/// Whether a command that failed may still be found in the journal at the next start.
fn may_be_on_record(error: &AppError) -> bool {
    match error {
        AppError::ReadOnly(reason) => !reason.heals(),
        AppError::Internal(_) => true,
        _ => false,
    }
}
