//! A certificate chain and its key: read, checked, described.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use tianyin_domain::Time;
use tianyin_domain::time::china_date;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::TlsFiles;
use crate::edge::sha256_hex;
use crate::texts::{t, tf};

/// Largest certificate or key file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Certificates in a chain.
const CHAIN_MAX: usize = 10;

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A file is not there or not readable.
    #[error("read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Larger than any certificate.
    #[error("{} is larger than {FILE_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// No certificate in PEM form, or too many, or one that cannot be read.
    #[error("certificate chain: {0}")]
    Chain(String),
    /// No private key in PEM form, or of a kind that cannot be used.
    #[error("private key: {0}")]
    Key(String),
    /// The key is of another certificate.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// Its time is over.
    #[error("the certificate expired at {0}")]
    Expired(Time),
    /// Its time has not come: a wrong clock, or a wrong file.
    #[error("the certificate is not valid before {0}")]
    NotYet(Time),
}

impl PairError {
    /// The sentence of the catalogue for the pages.
    pub fn text(&self) -> String {
        let day = |time: &Time| china_date(*time).to_string();
        match self {
            Self::Read { path, source } => {
                let (path, reason) = (path.display().to_string(), source.to_string());
                tf("tls.read", [("path", path.as_str()), ("reason", reason.as_str())])
            }
            Self::TooLarge { path } => {
                tf("tls.too_large", [("path", path.display().to_string().as_str())])
            }
            Self::Chain(reason) => tf("tls.chain", [("reason", reason.as_str())]),
            Self::Key(reason) => tf("tls.key", [("reason", reason.as_str())]),
            Self::KeyMismatch => t("tls.key_mismatch").to_owned(),
            Self::Expired(at) => tf("tls.expired", [("date", day(at).as_str())]),
            Self::NotYet(at) => tf("tls.not_yet", [("date", day(at).as_str())]),
        }
    }
}

/// A usable certificate with its key.
pub(super) struct Pair {
    pub(super) key: CertifiedKey,
    pub(super) not_before: Time,
    pub(super) not_after: Time,
    pub(super) names: Vec<String>,
    pub(super) fingerprint: String,
}

impl Pair {
    /// Reads and checks the files of an imported certificate.
    pub(super) fn read(files: &TlsFiles, now: Time) -> Result<Self, PairError> {
        Self::parse(&read(&files.certificate)?, &read(&files.key)?, now)
    }

    /// The same from PEM bytes: the certificate first, then those that sign it, in order.
    pub(super) fn parse(chain_pem: &[u8], key_pem: &[u8], now: Time) -> Result<Self, PairError> {
        let chain = chain_of(chain_pem)?;
        let key =
            PrivateKeyDer::from_pem_slice(key_pem).map_err(|e| PairError::Key(e.to_string()))?;
        let leaf = parsed(&chain[0])?;
        let (not_before, not_after) =
            (time(leaf.validity().not_before), time(leaf.validity().not_after));
        let names = names_of(&leaf);
        let fingerprint = fingerprint(&chain[0]);
        if now > not_after {
            return Err(PairError::Expired(not_after));
        }
        if now < not_before {
            return Err(PairError::NotYet(not_before));
        }
        let key = CertifiedKey::from_der(chain, key, &super::provider()).map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => PairError::KeyMismatch,
            other => PairError::Key(other.to_string()),
        })?;
        Ok(Self { key, not_before, not_after, names, fingerprint })
    }

    /// Whether a browser that asks for this host would accept the certificate's names.
    pub(super) fn covers(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(host) else { return false };
        let Ok(leaf) = self.key.end_entity_cert() else { return false };
        ParsedCertificate::try_from(leaf).is_ok_and(|leaf| verify_server_name(&leaf, &name).is_ok())
    }
}

fn chain_of(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PairError> {
    let bad = |text: String| Err(PairError::Chain(text));
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let chain = match chain {
        Ok(chain) if chain.is_empty() => return bad("no certificate in PEM form".into()),
        Ok(chain) if chain.len() > CHAIN_MAX => {
            return bad(format!("more than {CHAIN_MAX} certificates"));
        }
        Ok(chain) => chain,
        Err(e) => return bad(e.to_string()),
    };
    let all = chain.iter().map(parsed).collect::<Result<Vec<_>, _>>()?;
    for (i, two) in all.windows(2).enumerate() {
        if two[0].issuer().as_raw() != two[1].subject().as_raw() {
            let (this, next) = (i + 1, i + 2);
            return bad(format!("certificate {next} is not the issuer of certificate {this}"));
        }
    }
    drop(all);
    Ok(chain)
}

fn parsed<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, PairError> {
    match X509Certificate::from_der(der) {
        Ok((_, certificate)) => Ok(certificate),
        Err(e) => Err(PairError::Chain(format!("not a certificate: {e}"))),
    }
}

/// Validity and common name of a certificate in DER.
pub(super) fn validity(der: &CertificateDer<'_>) -> Result<(Time, Time, String), PairError> {
    let certificate = parsed(der)?;
    let validity = certificate.validity();
    let name = certificate.subject().iter_common_name().next();
    let name = name.and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned();
    Ok((time(validity.not_before), time(validity.not_after), name))
}

fn time(at: x509_parser::time::ASN1Time) -> Time {
    // The years 0 to 9999 of a certificate are within the range.
    Time::from_second(at.timestamp()).unwrap_or(Time::MAX)
}

fn names_of(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = leaf.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    names.value.general_names.iter().filter_map(text).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string())
}

/// SHA-256 of DER bytes as people compare it: `AB:CD:…`.
pub(super) fn fingerprint(der: &[u8]) -> String {
    let hex = sha256_hex(der).to_ascii_uppercase();
    let pairs: Vec<&str> = (0..hex.len()).step_by(2).map(|i| &hex[i..i + 2]).collect();
    pairs.join(":")
}

fn read(path: &Path) -> Result<Vec<u8>, PairError> {
    let failed = |source| PairError::Read { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > FILE_BYTES_MAX {
        return Err(PairError::TooLarge { path: path.to_owned() });
    }
    std::fs::read(path).map_err(failed)
}

/// When two files were last changed, as far as the file system tells; links are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp([Option<(SystemTime, u64, u64)>; 2]);

impl Stamp {
    pub(super) fn of(files: &TlsFiles) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let stamp = |path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
        };
        Self([stamp(&files.certificate), stamp(&files.key)])
    }
}
