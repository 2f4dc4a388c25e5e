//! Secrets that must not stand in the journal: password hashes, phones of natural persons. One
//! file per secret, encrypted; the journal knows the token only. Deleting the file erases the
//! secret while the chain stays whole.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use tianyin_domain::id::Random as _;

use crate::edge::{OsRandom, sha256_hex};
use crate::keys::{restrict, write_private};
use crate::meter::Counter;

const NONCE_BYTES: usize = 24;
const TOKEN_CHARS: usize = 32;

/// A secret whose file is there but cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("vault secret {0} is damaged")]
pub struct DamagedSecret(String);

/// The vault folder and its master key in `keys/`.
pub struct Vault {
    dir: PathBuf,
    cipher: XChaCha20Poly1305,
    /// Secrets read since start.
    pub reads: Counter,
}

impl Vault {
    /// Opens the vault, making folder and key at first start.
    pub fn open(dir: &Path, keys: &Path) -> anyhow::Result<Self> {
        crate::folders::make(dir)?;
        restrict(dir)?;
        let path = keys.join("vault.key");
        if !path.exists() {
            // A new key would open none of the secrets.
            anyhow::ensure!(secrets(dir)?.is_empty(), "{}", key_gone(&path));
            let mut key = [0u8; 32];
            OsRandom.fill(&mut key);
            write_private(&path, &key)?;
        }
        let vault = Self::with_key(dir, &path)?;
        vault.check_key(keys, &path)?;
        Ok(vault)
    }

    /// Tells a damaged key from damaged secrets: by its digest, or by a secret that it opens.
    fn check_key(&self, keys: &Path, key: &Path) -> anyhow::Result<()> {
        let check = keys.join("vault.check");
        let bytes = std::fs::read(key).with_context(|| format!("read {}", key.display()))?;
        let digest = sha256_hex(&bytes);
        if std::fs::read_to_string(&check).is_ok_and(|kept| kept.trim() == digest) {
            return Ok(());
        }
        let secrets = self.tokens()?;
        let opens = |token: &String| matches!(self.get(token), Ok(Some(_)));
        anyhow::ensure!(secrets.is_empty() || secrets.iter().any(opens), "{}", key_gone(key));
        write_private(&check, digest.as_bytes())
    }

    /// Opens a vault as it is, making nothing; `None` when its key is not there.
    pub fn existing(dir: &Path, keys: &Path) -> anyhow::Result<Option<Self>> {
        let path = keys.join("vault.key");
        if path.exists() { Self::with_key(dir, &path).map(Some) } else { Ok(None) }
    }

    fn with_key(dir: &Path, path: &Path) -> anyhow::Result<Self> {
        let key = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let key: [u8; 32] = key.try_into().map_err(|_| anyhow::anyhow!("{}", key_gone(path)))?;
        let cipher = XChaCha20Poly1305::new(&Key::from(key));
        Ok(Self { dir: dir.into(), cipher, reads: Counter::default() })
    }

    /// Tokens of all secrets.
    pub fn tokens(&self) -> anyhow::Result<Vec<String>> {
        secrets(&self.dir)
    }

    /// Keeps a secret, durable when this returns; the answer is its token.
    pub fn put(&self, secret: &str) -> anyhow::Result<String> {
        let mut bytes = [0u8; TOKEN_CHARS / 2];
        OsRandom.fill(&mut bytes);
        let token = hex::encode(bytes);
        let mut nonce = [0u8; NONCE_BYTES];
        OsRandom.fill(&mut nonce);
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), secret.as_bytes())
            .map_err(|_| anyhow::anyhow!("encrypt a secret"))?;
        let mut file = nonce.to_vec();
        file.extend_from_slice(&sealed);
        write_private(&self.dir.join(&token), &file)?;
        Ok(token)
    }

    /// Reads a secret; `None` when it was erased.
    pub fn get(&self, token: &str) -> anyhow::Result<Option<String>> {
        self.reads.inc();
        let path = self.path(token)?;
        let file = match std::fs::read(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("read {}", path.display())),
        };
        let (nonce, sealed) =
            file.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| DamagedSecret(token.into()))?;
        let plain = self
            .cipher
            .decrypt(&XNonce::from(*nonce), sealed)
            .map_err(|_| DamagedSecret(token.into()))?;
        Ok(Some(String::from_utf8(plain).map_err(|_| DamagedSecret(token.into()))?))
    }

    /// Erases a secret.
    pub fn erase(&self, token: &str) -> anyhow::Result<()> {
        match std::fs::remove_file(self.path(token)?) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).context("erase a secret"),
            _ => Ok(()),
        }
    }

    fn path(&self, token: &str) -> anyhow::Result<PathBuf> {
        anyhow::ensure!(is_token(token), "not a vault token");
        Ok(self.dir.join(token))
    }
}

/// Tokens of all secrets in a vault's folder.
pub fn secrets(dir: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    if !dir.exists() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let name = entry.with_context(|| format!("list {}", dir.display()))?.file_name();
        found.extend(name.into_string().ok().filter(|name| is_token(name)));
    }
    Ok(found)
}

fn key_gone(path: &Path) -> String {
    let path = path.display();
    format!(
        "保密资料的密钥 {path} 丢失或损坏。请运行 tianyin doctor --fix --backup 备份文件,或从备份取回这个文件 / the key \
         of the vault is lost or damaged: take {path} from a backup"
    )
}

fn is_token(text: &str) -> bool {
    text.len() == TOKEN_CHARS && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn secrets_are_sealed_kept_and_erased() {
        let dir = tempfile::tempdir().unwrap();
        let (vault_dir, keys) = (dir.path().join("vault"), dir.path().join("keys"));
        std::fs::create_dir_all(&keys).unwrap();
        let vault = Vault::open(&vault_dir, &keys).unwrap();
        let token = vault.put("13800000001").unwrap();
        let file = std::fs::read(vault_dir.join(&token)).unwrap();
        assert!(!file.windows(5).any(|w| w == b"13800"), "the file must not show the secret");
        let again = Vault::open(&vault_dir, &keys).unwrap();
        assert_eq!(again.get(&token).unwrap().as_deref(), Some("13800000001"));
        let mut damaged = file;
        *damaged.last_mut().unwrap() ^= 1;
        std::fs::write(vault_dir.join(&token), damaged).unwrap();
        assert!(again.get(&token).is_err());
        again.erase(&token).unwrap();
        assert_eq!(again.get(&token).unwrap(), None);
        again.erase(&token).unwrap();
    }

    #[test]
    fn a_token_cannot_leave_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(&dir.path().join("v"), dir.path()).unwrap();
        for token in ["../vault.key", "", "0123456789abcdef0123456789abcde/"] {
            assert!(vault.get(token).is_err(), "{token}");
        }
    }
}
