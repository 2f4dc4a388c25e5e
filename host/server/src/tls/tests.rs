//! Certificates over time, with a clock of the test's own.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

const DAY_S: i64 = 24 * 3600;

fn at(days: i64) -> Time {
    // 2026-11-20.
    Time::from_second(1_795_132_800 + days * DAY_S).unwrap()
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_own_certificate_is_made_once_and_kept_private() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path().join("keys/tls");
    let wanted = names(&["localhost", "127.0.0.1", "::1", "ty.example.cn"]);
    let (first, ca) = own::ensure(&dir, "county-1", &wanted, at(0)).unwrap();
    assert_eq!(first.names, ["localhost", "127.0.0.1", "::1", "ty.example.cn"]);
    assert!(wanted.iter().all(|name| first.covers(name)));
    assert!(!first.covers("other.example.cn"));
    assert_eq!(first.not_after, at(396));
    assert_eq!(ca.not_after, at(3653));
    assert_eq!(ca.name, "田印根证书 county-1");
    assert_eq!(ca.fingerprint.len(), 32 * 3 - 1);
    assert_eq!(mode(&dir), 0o700);
    for file in ["ca.key.pem", "ca.pem", "server.pem"] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
    let (again, same) = own::ensure(&dir, "county-1", &wanted, at(100)).unwrap();
    assert_eq!((again.fingerprint, same), (first.fingerprint, ca));
}

#[test]
fn it_is_renewed_before_its_end_and_for_new_names() {
    let dir = TempDir::new().unwrap();
    let one = names(&["localhost"]);
    let (first, ca) = own::ensure(dir.path(), "a", &one, at(0)).unwrap();
    let kept = own::ensure(dir.path(), "a", &one, at(396 - 30)).unwrap().0;
    assert_eq!(kept.fingerprint, first.fingerprint);
    let (renewed, same_ca) = own::ensure(dir.path(), "a", &one, at(396 - 29)).unwrap();
    assert_ne!(renewed.fingerprint, first.fingerprint);
    assert_eq!(renewed.not_after, at(396 - 29 + 396));
    assert_eq!(same_ca, ca);

    let two = names(&["localhost", "10.0.0.8"]);
    let (wider, same_ca) = own::ensure(dir.path(), "a", &two, at(368)).unwrap();
    assert!(wider.covers("10.0.0.8") && same_ca == ca);
    // An address that is gone for a while is no reason.
    let kept = own::ensure(dir.path(), "a", &one, at(369)).unwrap().0;
    assert_eq!(kept.fingerprint, wider.fingerprint);
}

#[test]
fn a_wrong_clock_heals() {
    let dir = TempDir::new().unwrap();
    let wanted = names(&["localhost"]);
    let (early, ca) = own::ensure(dir.path(), "a", &wanted, Time::UNIX_EPOCH).unwrap();
    assert!(early.not_before > Time::UNIX_EPOCH, "{}", early.not_before);
    let (now, same) = own::ensure(dir.path(), "a", &wanted, at(0)).unwrap();
    assert!(now.not_before <= at(0) && now.not_after > at(60));
    assert_eq!(same, ca);

    let dir = TempDir::new().unwrap();
    let (late, ca) = own::ensure(dir.path(), "a", &wanted, at(5000)).unwrap();
    let (now, same) = own::ensure(dir.path(), "a", &wanted, at(0)).unwrap();
    assert_ne!(now.fingerprint, late.fingerprint);
    assert!(now.not_before <= at(0));
    assert_eq!(same, ca);
}

#[test]
fn what_is_lost_or_damaged_is_made_again_but_never_a_ca_in_silence() {
    let dir = TempDir::new().unwrap();
    let wanted = names(&["localhost"]);
    let (first, ca) = own::ensure(dir.path(), "a", &wanted, at(0)).unwrap();
    for damaged in [&b""[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(dir.path().join("server.pem"), damaged).unwrap();
        let (other, same) = own::ensure(dir.path(), "a", &wanted, at(1)).unwrap();
        assert_ne!(other.fingerprint, first.fingerprint);
        assert_eq!(same, ca);
    }
    std::fs::write(dir.path().join("ca.key.pem"), "damaged").unwrap();
    assert!(own::ensure(dir.path(), "a", &wanted, at(2)).is_err());
    std::fs::remove_file(dir.path().join("ca.key.pem")).unwrap();
    let (of_new_ca, new_ca) = own::ensure(dir.path(), "a", &wanted, at(2)).unwrap();
    assert_ne!(new_ca.fingerprint, ca.fingerprint);
    assert_ne!(of_new_ca.fingerprint, first.fingerprint);
    // A server certificate of another CA does not do, however good it looks.
    let other = TempDir::new().unwrap();
    own::ensure(other.path(), "a", &wanted, at(2)).unwrap();
    std::fs::copy(other.path().join("server.pem"), dir.path().join("server.pem")).unwrap();
    let healed = own::ensure(dir.path(), "a", &wanted, at(2)).unwrap().0;
    let foreign = std::fs::read(other.path().join("server.pem")).unwrap();
    assert_ne!(healed.fingerprint, Pair::parse(&foreign, &foreign, at(2)).unwrap().fingerprint);
}

/// A certificate as somebody else would make it: PEM of certificate and key.
fn made(host: &str, from_day: i64, to_day: i64) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, host);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |day| std::time::Duration::from_secs(at(day).as_second().unsigned_abs());
    (params.not_before, params.not_after) = (epoch + since(from_day), epoch + since(to_day));
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn bad_pairs_say_what_is_wrong() {
    let (pem, key) = made("a.cn", 0, 100);
    let (other_pem, other_key) = made("b.cn", 0, 100);
    let parse = |pem: &str, key: &str, day| {
        Pair::parse(pem.as_bytes(), key.as_bytes(), at(day)).map(|pair| pair.fingerprint)
    };
    assert!(parse(&pem, &key, 1).is_ok());
    assert!(matches!(parse(&pem, &other_key, 1), Err(PairError::KeyMismatch)));
    assert!(matches!(parse(&pem, &key, 101), Err(PairError::Expired(_))));
    assert!(matches!(parse(&pem, &key, -1), Err(PairError::NotYet(_))));
    assert!(matches!(parse("", &key, 1), Err(PairError::Chain(_))));
    assert!(matches!(parse(&pem, "", 1), Err(PairError::Key(_))));
    assert!(matches!(parse(&pem, &pem, 1), Err(PairError::Key(_))));
    let unordered = parse(&format!("{pem}{other_pem}"), &key, 1).unwrap_err().to_string();
    assert!(unordered.contains("not the issuer"), "{unordered}");
    assert!(matches!(parse(&pem[..pem.len() / 2], &key, 1), Err(PairError::Chain(_))));
}

struct Imported {
    _dir: TempDir,
    tls: Tls,
    certificate: PathBuf,
    key: PathBuf,
}

impl Imported {
    fn new(pem: &str, key_pem: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let (certificate, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
        std::fs::write(&certificate, pem).unwrap();
        std::fs::write(&key, key_pem).unwrap();
        let text = |path: &Path| path.display().to_string();
        let config = Config {
            data: dir.path().join("data"),
            https: Https { listen: Some(([127, 0, 0, 1], 0).into()) },
            tls: TlsSettings { certificate: text(&certificate), key: text(&key), names: vec![] },
            ..Config::default()
        };
        let tls = Tls::open(&config, Some("https://a.cn"), at(1)).unwrap().unwrap();
        Self { _dir: dir, tls, certificate, key }
    }

    fn put(&self, (pem, key): &(String, String)) {
        std::fs::write(&self.certificate, pem).unwrap();
        std::fs::write(&self.key, key).unwrap();
    }

    /// Enough looks that a change is taken up.
    fn look(&self) -> TlsStatus {
        for _ in 0..3 {
            self.tls.refresh(Some("https://a.cn"), false, at(2));
        }
        self.tls.status()
    }
}

#[test]
fn imported_files_are_taken_up_when_they_change() {
    let first = made("a.cn", 0, 100);
    let imported = Imported::new(&first.0, &first.1);
    let was = imported.tls.status();
    assert_eq!((was.source, was.warning.as_deref()), (TlsSource::Imported, None));
    assert!(imported.tls.is_imported() && imported.tls.own_ca().is_none());
    let config = imported.tls.https();

    imported.put(&made("b.cn", 0, 200));
    let now = imported.look();
    assert_eq!(now.names, ["b.cn"]);
    assert!(now.warning.is_some_and(|warning| warning.contains("a.cn")));
    assert!(config.has_changed().unwrap());

    // A bad one changes nothing but says why; a good one heals it.
    imported.put(&(made("c.cn", 0, 100).0, first.1.clone()));
    let kept = imported.look();
    assert_eq!(kept.fingerprint, now.fingerprint);
    assert!(kept.last_error.is_some_and(|e| e.contains("私钥")));
    imported.put(&first);
    let healed = imported.look();
    assert_eq!((healed.fingerprint, healed.last_error), (was.fingerprint, None));

    std::fs::remove_file(&imported.key).unwrap();
    assert!(imported.tls.reload(None, at(2)).is_err());
    assert!(imported.look().last_error.is_some_and(|e| e.contains("k.pem")));
}

#[test]
fn the_own_certificate_stands_in_for_an_imported_one_that_is_bad() {
    let expired = made("a.cn", -100, 0);
    let imported = Imported::new(&expired.0, &expired.1);
    let status = imported.tls.status();
    assert_eq!(status.source, TlsSource::Own);
    assert!(status.last_error.is_some_and(|e| e.contains("2026-11-20")));
    assert!(!imported.tls.is_imported() && imported.tls.own_ca().is_some());
    imported.tls.refresh(Some("https://b.cn"), true, at(2));
    let status = imported.tls.status();
    assert!(status.names.iter().any(|name| name == "b.cn"), "{:?}", status.names);
    assert!(status.last_error.is_some(), "the reason stays");

    imported.put(&made("a.cn", 0, 100));
    let status = imported.look();
    assert_eq!((status.source, status.last_error), (TlsSource::Imported, None));
    assert!(imported.tls.own_ca().is_none());
}

#[test]
fn nothing_is_made_when_nothing_listens_with_tls() {
    let dir = TempDir::new().unwrap();
    let config = Config { data: dir.path().to_owned(), ..Config::default() };
    assert!(Tls::open(&config, None, at(0)).unwrap().is_none());
    assert!(!dir.path().join("keys").exists());
}
