//! The appliance's own CA and the certificate it gives itself, in `keys/tls/`:
//! `ca.key.pem` (never leaves the machine), `ca.pem`, and `server.pem` with key and certificate.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use tianyin_domain::Time;
use tianyin_domain::id::Random as _;

use super::CaCertificate;
use super::pair::{Pair, fingerprint, validity};
use crate::edge::OsRandom;
use crate::keys::{restrict, write_private};

const DAY_S: i64 = 24 * 3600;
/// The CA is trusted by hand, so it must last.
const CA_DAYS: i64 = 3653;
/// Phones refuse server certificates that are good for more than 398 days.
const SERVER_DAYS: i64 = 397;
/// Renewed when fewer days are left.
const RENEW_DAYS: i64 = 30;
/// No certificate begins earlier: the clock of a new machine may stand at 1970, and what was made
/// then must be good when it is right. 2026-01-01T00:00:00Z.
const FIRST_DAY_S: i64 = 1_767_225_600;
/// 2200-01-01T00:00:00Z.
const LAST_DAY_S: i64 = 7_258_118_400;

/// The certificate of this appliance, made or renewed when needed, and the CA that signed it.
/// `host` is the name of the machine, `names` all that the certificate must be good for.
pub(super) fn ensure(
    dir: &Path,
    host: &str,
    names: &[String],
    now: Time,
) -> anyhow::Result<(Pair, CaCertificate)> {
    let now = now.max(Time::from_second(FIRST_DAY_S)?);
    std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    restrict(dir)?;
    let ca = ensure_ca(dir, host, now)?;
    let path = dir.join("server.pem");
    let standing = std::fs::read(&path).ok().and_then(|pem| {
        let pair = Pair::parse(&pem, &pem, now).ok()?;
        is_good(&pair, &ca.certificate.der, names, now).then_some(pair)
    });
    let pair = match standing {
        Some(pair) => pair,
        None => {
            let pem = issue(&ca, host, names, now).context("make the server's certificate")?;
            let pair = Pair::parse(pem.as_bytes(), pem.as_bytes(), now)?;
            write_private(&path, pem.as_bytes())?;
            tracing::info!(?names, not_after = %pair.not_after, "certificate made for this appliance");
            pair
        }
    };
    Ok((pair, ca.certificate))
}

struct Ca {
    certificate: CaCertificate,
    key: KeyPair,
}

fn ensure_ca(dir: &Path, host: &str, now: Time) -> anyhow::Result<Ca> {
    let (key_path, path) = (dir.join("ca.key.pem"), dir.join("ca.pem"));
    let key = if key_path.exists() {
        let pem = std::fs::read_to_string(&key_path)
            .with_context(|| format!("read {}", key_path.display()))?;
        // Damaged: nobody is told to trust another CA without a person having decided it.
        KeyPair::from_pem(&pem).with_context(|| format!("{} is no key", key_path.display()))?
    } else {
        if path.exists() {
            tracing::warn!(
                "the CA's key is lost: a new CA is made, phones and devices must trust it anew"
            );
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        write_private(&key_path, key.serialize_pem().as_bytes())?;
        key
    };
    let standing = std::fs::read_to_string(&path).ok();
    if let Some(pem) = standing.filter(|pem| is_of(pem, &key, now)) {
        return Ok(Ca { certificate: described(pem)?, key });
    }
    let pem = ca_params(host, now)?.self_signed(&key).context("make the CA")?.pem();
    write_private(&path, pem.as_bytes())?;
    let certificate = described(pem)?;
    tracing::info!(name = certificate.name, fingerprint = certificate.fingerprint, "own CA made");
    Ok(Ca { certificate, key })
}

/// Whether a CA certificate is of this key and has time left.
fn is_of(pem: &str, key: &KeyPair, now: Time) -> bool {
    let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return false };
    let Ok((_, not_after, _)) = validity(&der) else { return false };
    let spki = ParsedCertificate::try_from(&der).map(|c| c.subject_public_key_info().to_vec());
    spki.is_ok_and(|spki| spki == rcgen::PublicKeyData::subject_public_key_info(key))
        && days_left(not_after, now) >= RENEW_DAYS
}

fn described(pem: String) -> anyhow::Result<CaCertificate> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes())?;
    let (_, not_after, name) = validity(&der)?;
    let fingerprint = fingerprint(&der);
    Ok(CaCertificate { der: der.to_vec(), pem, fingerprint, name, not_after })
}

fn ca_params(host: &str, now: Time) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    // Two appliances of one maker must be told apart in a phone's list.
    let host: String = host.chars().take(40).collect();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Tianyin 田印");
    params.distinguished_name.push(DnType::CommonName, format!("田印根证书 {host}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(new_serial());
    set_validity(&mut params, FIRST_DAY_S, now.as_second() + CA_DAYS * DAY_S);
    Ok(params)
}

fn issue(ca: &Ca, host: &str, names: &[String], now: Time) -> anyhow::Result<String> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let common_name: String = host.chars().take(64).collect();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(new_serial());
    // A phone's clock may be a little behind.
    let start_s = now.as_second() - DAY_S;
    let end_s = (start_s + SERVER_DAYS * DAY_S).min(ca.certificate.not_after.as_second());
    set_validity(&mut params, start_s, end_s);
    let issuer = Issuer::from_ca_cert_pem(&ca.certificate.pem, &ca.key)?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(format!("{}{}", key.serialize_pem(), certificate.pem()))
}

/// Whether a standing certificate can go on: signed by the CA, enough time left, every name in it.
/// One that has names too many stays: an interface that is down comes back.
fn is_good(pair: &Pair, ca_der: &[u8], names: &[String], now: Time) -> bool {
    let signed = || {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca_der)).ok()?;
        let leaf = ParsedCertificate::try_from(pair.key.end_entity_cert().ok()?).ok()?;
        let at_s = u64::try_from(now.as_second()).ok()?;
        let at = UnixTime::since_unix_epoch(Duration::from_secs(at_s));
        let algorithms = super::provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&leaf, &roots, &[], at, algorithms).ok()
    };
    // Made while the clock was far ahead: nobody else would believe it.
    pair.not_before <= now
        && days_left(pair.not_after, now) >= RENEW_DAYS
        && names.iter().all(|name| pair.covers(name))
        && signed().is_some()
}

fn days_left(not_after: Time, now: Time) -> i64 {
    (not_after.as_second() - now.as_second()) / DAY_S
}

/// Positive and of 127 random bits: a browser refuses two certificates with one number.
fn new_serial() -> SerialNumber {
    let mut bytes = [0; 16];
    OsRandom.fill(&mut bytes);
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&bytes)
}

/// From and to in seconds since 1970, within the years that the library can count.
fn set_validity(params: &mut CertificateParams, from_s: i64, to_s: i64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |at_s: i64| Duration::from_secs(at_s.clamp(0, LAST_DAY_S).unsigned_abs());
    params.not_before = epoch + since(from_s);
    params.not_after = epoch + since(to_s);
}
