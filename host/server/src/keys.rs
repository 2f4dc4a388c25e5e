//! The county's signing key: SM2 with SM3, in `keys/`. One algorithm for signatures everywhere,
//! behind one small trait, so that a certified module can take its place (GB/T 39786-2021). How one key
//! takes the place of another is in [`crate::key_files`].

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use sm2::SecretKey;
use sm2::dsa::signature::{Signer as _, Verifier as _};
use sm2::dsa::{Signature, SigningKey, VerifyingKey};
use sm2::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
    LineEnding,
};
use sm3::{Digest as _, Sm3};

use crate::edge::OsRandom;

/// The default distinguishing identifier of GM/T 0009; OpenSSL needs it said on both sides.
const DISTID: &str = "1234567812345678";
/// The private key in force.
pub(crate) const COUNTY_KEY: &str = "county.key.pem";
/// Its public half, for people and programs on this machine.
pub(crate) const COUNTY_PEM: &str = "county.pem";
/// Hex digits of a fingerprint.
const FINGERPRINT_DIGITS: usize = 16;

/// Signs for the county.
pub trait SignatureProvider: Send + Sync {
    /// DER signature over `message`.
    fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>>;
    /// The public key as PEM (SubjectPublicKeyInfo).
    fn public_pem(&self) -> &str;
}

/// SM2 in software, from a PEM file.
pub struct SoftwareSm2 {
    key: SigningKey,
    public_pem: String,
}

impl SoftwareSm2 {
    /// Reads `county.key.pem` below `dir`, or makes it at first start; writes `county.pem` beside.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        crate::folders::make(dir)?;
        restrict(dir)?;
        let signer = match Self::load(dir)? {
            Some(signer) => signer,
            None => Self::make(&dir.join(COUNTY_KEY))?,
        };
        let public = dir.join(COUNTY_PEM);
        if let Ok(kept) = std::fs::read_to_string(&public)
            && kept != signer.public_pem
            && sm2::PublicKey::from_public_key_pem(&kept).is_ok()
        {
            // A key, but not of this one: what is out there was signed by another.
            return Err(anyhow::anyhow!("{} belongs to another key", public.display()))
                .with_context(|| key_gone(&dir.join(COUNTY_KEY)));
        }
        write_if_other(&public, &signer.public_pem)?;
        Ok(signer)
    }

    /// Makes a key and writes it to a file.
    pub(crate) fn make(path: &Path) -> anyhow::Result<Self> {
        let secret = new_secret()?;
        let pem = secret
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|e| anyhow::anyhow!("encode signing key: {e}"))?;
        write_private(path, pem.as_bytes())?;
        Self::of(&secret)
    }

    /// Reads the key, making nothing; `None` when it is not there.
    pub fn load(dir: &Path) -> anyhow::Result<Option<Self>> {
        Self::load_file(&dir.join(COUNTY_KEY))
    }

    /// The same of any file.
    pub(crate) fn load_file(path: &Path) -> anyhow::Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let pem = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        Self::read(&pem).with_context(|| key_gone(path)).map(Some)
    }

    /// Reads a private key as PEM.
    pub(crate) fn read(pem: &[u8]) -> anyhow::Result<Self> {
        let secret = SecretKey::from_pkcs8_pem(&String::from_utf8_lossy(pem))
            .map_err(|e| anyhow::anyhow!("not an SM2 key: {e}"))?;
        Self::of(&secret)
    }

    fn of(secret: &SecretKey) -> anyhow::Result<Self> {
        let public_pem = secret
            .public_key()
            .to_public_key_pem(LineEnding::LF)
            .map_err(|e| anyhow::anyhow!("encode public key: {e}"))?;
        let key =
            SigningKey::new(DISTID, secret).map_err(|e| anyhow::anyhow!("signing key: {e}"))?;
        Ok(Self { key, public_pem })
    }
}

impl SignatureProvider for SoftwareSm2 {
    fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let signature: Signature =
            self.key.try_sign(message).map_err(|e| anyhow::anyhow!("sign: {e}"))?;
        Ok(signature.to_der().as_bytes().to_vec())
    }

    fn public_pem(&self) -> &str {
        &self.public_pem
    }
}

/// What tells one public key from another: the first 16 hex digits of SM3 over the DER of its
/// SubjectPublicKeyInfo, `openssl pkey -pubin -in county.pem -outform DER | openssl dgst -sm3`.
pub fn fingerprint(public_pem: &str) -> anyhow::Result<String> {
    let public = sm2::PublicKey::from_public_key_pem(public_pem)
        .map_err(|e| anyhow::anyhow!("not an SM2 public key: {e}"))?;
    let der = public.to_public_key_der().map_err(|e| anyhow::anyhow!("encode public key: {e}"))?;
    let mut hex = hex::encode(Sm3::digest(der.as_bytes()));
    hex.truncate(FINGERPRINT_DIGITS);
    Ok(hex)
}

/// Whether a DER signature over `message` is by the key in `public_pem`.
pub fn verify(public_pem: &str, message: &[u8], der: &[u8]) -> anyhow::Result<bool> {
    let public = sm2::PublicKey::from_public_key_pem(public_pem)
        .map_err(|e| anyhow::anyhow!("not an SM2 public key: {e}"))?;
    let key = VerifyingKey::new(DISTID, public).map_err(|e| anyhow::anyhow!("key: {e}"))?;
    let Ok(signature) = Signature::from_der(der) else { return Ok(false) };
    Ok(key.verify(message, &signature).is_ok())
}

pub(crate) fn key_gone(path: &Path) -> String {
    let path = path.display();
    format!(
        "县签名密钥 {path} 丢失或损坏。已开具的合格证仍可用 county.pem 验证;请运行 tianyin doctor --fix --backup 备份文件\
         ,或从备份取回这个文件 / the county's signing key is lost or damaged: take {path} from a backup"
    )
}

fn new_secret() -> anyhow::Result<SecretKey> {
    use tianyin_domain::id::Random as _;
    for _ in 0..64 {
        let mut bytes = [0u8; 32];
        OsRandom.fill(&mut bytes);
        // Rejected only when not below the group order: about once in 2^32.
        if let Ok(key) = SecretKey::from_slice(&bytes) {
            return Ok(key);
        }
    }
    anyhow::bail!("no usable random key after 64 draws")
}

/// Writes a file that only the service may read, and syncs it.
pub fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let tmp = path.with_extension("tmp");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&tmp)
        .with_context(|| format!("create {}", tmp.display()))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("write {}", tmp.display()))?;
    std::fs::rename(&tmp, path).with_context(|| format!("rename to {}", path.display()))?;
    if let Some(parent) = path.parent() {
        std::fs::File::open(parent)
            .and_then(|d| d.sync_all())
            .with_context(|| format!("sync {}", parent.display()))?;
    }
    Ok(())
}

/// Writes a text unless the file holds just that.
pub(crate) fn write_if_other(path: &Path, text: &str) -> anyhow::Result<()> {
    if std::fs::read(path).ok().as_deref() == Some(text.as_bytes()) {
        return Ok(());
    }
    write_private(path, text.as_bytes())
}

/// Makes a folder private to the service user.
pub fn restrict(dir: &Path) -> anyhow::Result<()> {
    set_mode(dir, 0o700)
}

/// Makes a file private to the service user.
pub fn restrict_file(file: &Path) -> anyhow::Result<()> {
    set_mode(file, 0o600)
}

fn set_mode(path: &Path, mode: u32) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .with_context(|| format!("restrict {}", path.display()))
}
