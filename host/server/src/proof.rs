//! Offline proof of a certificate: `TY1.{fields}.{signature}`, both base64url. `fields` is the
//! canonical JSON of the public content, the signature is SM2 (DER) over those JSON bytes. It is judged by the
//! county's published keys and their time: a key that was retired still proves what it signed in its days.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tianyin_domain::certificate::Content;
use tianyin_domain::signing_key::SigningKey;
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, Time};

use crate::keys::{SignatureProvider, fingerprint, verify};

/// Bytes of a proof at most; a QR code holds less than a fifth.
const PROOF_BYTES_MAX: usize = 16 * 1024;
/// Keys of one file that are looked at: those of several counties.
pub const KEYS_READ_MAX: usize = 1000;
/// Fields of a certificate in the order of the form.
pub const FIELDS: [&str; 17] = [
    "code",
    "form",
    "product",
    "quantity",
    "unit",
    "packages",
    "vehicle",
    "origin",
    "producer",
    "contact",
    "issued_on",
    "commitment",
    "basis",
    "lot_no",
    "national_code",
    "national_short_code",
    "county",
];
/// Forms that a proof may name, with words in the catalogue's table `form`.
pub const FORMS: [&str; 4] = ["producer-2026", "buyer-2026", "producer-2021", "producer-2019"];
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// Canonical JSON: keys sorted, no spaces, as RFC 8785 gives for strings, integers and arrays.
pub fn canonical(content: &Content) -> anyhow::Result<String> {
    // serde_json's map is sorted by key, and there are no floats in the content.
    Ok(serde_json::to_string(&serde_json::to_value(content)?)?)
}

/// Makes the proof.
pub fn make(provider: &dyn SignatureProvider, content: &Content) -> anyhow::Result<String> {
    let fields = canonical(content)?;
    let signature = provider.sign(fields.as_bytes())?;
    Ok(format!("TY1.{}.{}", B64.encode(fields), B64.encode(signature)))
}

/// A public key with its time, as it is published and as whoever checks has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedKey {
    /// See [`fingerprint`]. Of a file it is computed, never believed.
    #[serde(default)]
    pub fingerprint: String,
    /// As PEM.
    pub pem: String,
    /// It signs from then on; `None` when that is not known.
    #[serde(default)]
    pub from: Option<Time>,
    /// It signed until then; `None` for the one in force, and when that is not known.
    #[serde(default)]
    pub to: Option<Time>,
    /// Why another took its place.
    #[serde(default)]
    pub reason: String,
    /// Somebody else may have had it.
    #[serde(default)]
    pub compromised: bool,
}

impl PublishedKey {
    /// A key of which nothing but the key is known.
    pub fn bare(pem: &str) -> anyhow::Result<Self> {
        Ok(Self {
            fingerprint: fingerprint(pem)?,
            pem: pem.to_owned(),
            from: None,
            to: None,
            reason: String::new(),
            compromised: false,
        })
    }

    /// Whether it signed on a day in China.
    fn signed_on(&self, day: Date) -> bool {
        self.from.is_none_or(|from| china_date(from) <= day)
            && self.to.is_none_or(|to| day <= china_date(to))
    }
}

impl From<SigningKey> for PublishedKey {
    fn from(key: SigningKey) -> Self {
        let SigningKey { id, pem, from, to, reason, compromised } = key;
        Self { fingerprint: id, pem, from: Some(from), to, reason, compromised }
    }
}

/// All keys as PEM, each after a comment that programs for PEM skip: `# fingerprint … from … to …`.
pub fn write_keys(keys: &[PublishedKey]) -> String {
    let time = |time: Option<Time>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    let mut out = String::new();
    for key in keys {
        let PublishedKey { fingerprint, pem, from, to, compromised, .. } = key;
        let note = if *compromised { " compromised" } else { "" };
        out += &format!(
            "# fingerprint {fingerprint} from {} to {}{note}\n{pem}",
            time(*from),
            time(*to)
        );
    }
    out
}

/// Reads published keys: one PEM, several with or without comments, or the history as JSON.
///
/// # Errors
/// When there is none, one is not of SM2, or there are more than [`KEYS_READ_MAX`].
pub fn read_keys(text: &str) -> anyhow::Result<Vec<PublishedKey>> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut keys: Vec<PublishedKey> =
        if text.starts_with('[') { serde_json::from_str(text)? } else { read_pem(text)? };
    anyhow::ensure!(!keys.is_empty(), "no public key in it");
    anyhow::ensure!(keys.len() <= KEYS_READ_MAX, "more than {KEYS_READ_MAX} keys");
    for key in &mut keys {
        key.fingerprint = fingerprint(&key.pem)?;
    }
    Ok(keys)
}

fn read_pem(text: &str) -> anyhow::Result<Vec<PublishedKey>> {
    let mut keys = Vec::new();
    let (mut comment, mut pem) = (String::new(), None::<String>);
    for line in text.lines().map(str::trim) {
        if line == BEGIN {
            pem = Some(String::new());
        }
        match &mut pem {
            Some(pem) => *pem += &format!("{line}\n"),
            None if line.starts_with('#') => comment = line.to_owned(),
            None => {}
        }
        if line == END
            && let Some(pem) = pem.take()
        {
            let mut key = PublishedKey::bare(&pem)?;
            tell(&mut key, &std::mem::take(&mut comment))?;
            keys.push(key);
        }
        anyhow::ensure!(keys.len() <= KEYS_READ_MAX, "more than {KEYS_READ_MAX} keys");
    }
    Ok(keys)
}

/// Takes the time of a key from the comment before it.
fn tell(key: &mut PublishedKey, comment: &str) -> anyhow::Result<()> {
    let words: Vec<&str> = comment.trim_start_matches('#').split_whitespace().collect();
    if words.first() != Some(&"fingerprint") {
        return Ok(());
    }
    let time = |name: &str| {
        let at = words.iter().position(|word| *word == name);
        let text = at.and_then(|at| words.get(at + 1)).filter(|text| **text != "-");
        text.map(|text| text.parse::<Time>()).transpose()
    };
    (key.from, key.to) = (time("from")?, time("to")?);
    key.compromised = words.contains(&"compromised");
    Ok(())
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It has not the form of a proof.
    NotAProof,
    /// None of the keys made this signature over this content.
    NoKeyFits,
    /// Signed, but not the content of a certificate.
    NoCertificate,
    /// The key was not in force on the day of issue.
    OutsidePeriod,
}

impl Flaw {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAProof => "not_a_proof",
            Self::NoKeyFits => "no_key_fits",
            Self::NoCertificate => "no_certificate",
            Self::OutsidePeriod => "outside_period",
        }
    }
}

/// What came of looking at a proof.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged<'a> {
    /// What is certified; only of what was signed.
    pub fields: Map<String, Value>,
    /// The key that signed it.
    pub key: Option<&'a PublishedKey>,
    /// What is wrong with it; `None` when it holds.
    pub flaw: Option<Flaw>,
}

impl Judged<'_> {
    /// Whether the county certified this on a day on which its key was in force.
    pub fn holds(&self) -> bool {
        self.flaw.is_none()
    }

    /// Whether somebody else may have had the key, so that the day of issue may be made up.
    pub fn is_doubtful(&self) -> bool {
        self.key.is_some_and(|key| key.compromised)
    }

    /// A field as text; empty when it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Judges a proof by keys and their time.
pub fn judge<'a>(keys: &'a [PublishedKey], proof: &str) -> Judged<'a> {
    let mut judged = Judged { fields: Map::new(), key: None, flaw: Some(Flaw::NotAProof) };
    let Some((fields, signature)) = parts(proof.trim()) else { return judged };
    let fits = |key: &&PublishedKey| verify(&key.pem, &fields, &signature).unwrap_or(false);
    judged.key = keys.iter().find(fits);
    let Some(key) = judged.key else {
        return Judged { flaw: Some(Flaw::NoKeyFits), ..judged };
    };
    judged.fields = serde_json::from_slice(&fields).unwrap_or_default();
    let day = judged.text("issued_on").parse::<Date>();
    judged.flaw = match day {
        Ok(day) if key.signed_on(day) => None,
        Ok(_) => Some(Flaw::OutsidePeriod),
        Err(_) => Some(Flaw::NoCertificate),
    };
    judged
}

/// Content and signature of a proof.
fn parts(proof: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    if proof.len() > PROOF_BYTES_MAX {
        return None;
    }
    let mut parts = proof.split('.');
    let (Some("TY1"), Some(fields), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    Some((B64.decode(fields).ok()?, B64.decode(signature).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::keys::SoftwareSm2;
    use tianyin_domain::certificate::Basis;

    fn content() -> Content {
        Content {
            code: "8K2M7Q4D9XPR3TWA".into(),
            form: "producer-2026".into(),
            commitment: "我承诺".into(),
            basis: vec![Basis::SelfTest],
            product: "湘莲".into(),
            quantity: "500".parse().unwrap(),
            unit: "公斤".into(),
            origin: "湖南省湘潭市湘潭县花石镇".into(),
            producer: "示例合作社".into(),
            contact: "0731-57000000".into(),
            issued_on: jiff::civil::date(2026, 2, 1),
            lot_no: "L20261118-0003".into(),
            county: "湘潭县".into(),
            packages: None,
            vehicle: None,
            national_code: None,
            national_short_code: None,
        }
    }

    fn keys_of(key: &SoftwareSm2) -> Vec<PublishedKey> {
        vec![PublishedKey::bare(key.public_pem()).unwrap()]
    }

    #[test]
    fn a_proof_verifies_and_a_changed_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let key = SoftwareSm2::open(dir.path()).unwrap();
        let keys = keys_of(&key);
        let proof = make(&key, &content()).unwrap();
        let judged = judge(&keys, &format!(" {proof}\n"));
        assert!(judged.holds() && !judged.is_doubtful());
        assert_eq!(Value::Object(judged.fields), serde_json::to_value(content()).unwrap());
        assert_eq!(judged.key, keys.first());
        let mut other = content();
        other.quantity = "5000".parse().unwrap();
        let fields = B64.encode(canonical(&other).unwrap());
        let signature = proof.rsplit('.').next().unwrap();
        let flaw = |proof: &str| judge(&keys, proof).flaw;
        assert_eq!(flaw(&format!("TY1.{fields}.{signature}")), Some(Flaw::NoKeyFits));
        let long = format!("TY1.{}.{signature}", "A".repeat(PROOF_BYTES_MAX));
        for text in
            ["", "TY1.x", "TY1..", "TY2.e30.e30", "TY1.e30.e30.e30", "TY1.e3 0.e30", long.as_str()]
        {
            let flaw = flaw(text);
            assert!(matches!(flaw, Some(Flaw::NotAProof | Flaw::NoKeyFits)), "{text}: {flaw:?}");
        }
        let stranger = tempfile::tempdir().unwrap();
        let stranger = SoftwareSm2::open(stranger.path()).unwrap();
        let judged = judge(&keys, &make(&stranger, &content()).unwrap());
        assert!(judged.flaw == Some(Flaw::NoKeyFits) && judged.fields.is_empty());
        // Signed by the county's key, but nothing that was ever a certificate.
        let signature = B64.encode(key.sign(b"[1]").unwrap());
        let no_certificate = format!("TY1.{}.{signature}", B64.encode("[1]"));
        assert_eq!(flaw(&no_certificate), Some(Flaw::NoCertificate));
    }

    #[test]
    fn a_key_proves_what_it_signed_in_its_days() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let old = SoftwareSm2::open(old.path()).unwrap();
        let new = SoftwareSm2::open(new.path()).unwrap();
        let time = |text: &str| Some(text.parse::<Time>().unwrap());
        // 2026-11-20 00:30 in China is still the 19th in London.
        let change = "2026-11-19T16:30:00Z";
        let mut keys = [keys_of(&old), keys_of(&new)].concat();
        (keys[0].from, keys[0].to) = (time("2026-03-01T00:00:00Z"), time(change));
        keys[1].from = time(change);
        let signed = |signer: &SoftwareSm2, day: &str| {
            let content = Content { issued_on: day.parse().unwrap(), ..content() };
            make(signer, &content).unwrap()
        };
        let late = Some(Flaw::OutsidePeriod);
        for (signer, day, flaw) in [
            (&old, "2026-02-28", late),
            (&old, "2026-03-01", None),
            (&old, "2026-11-20", None),
            (&old, "2026-11-21", late),
            (&new, "2026-11-19", late),
            (&new, "2026-11-20", None),
            (&new, "2035-01-01", None),
        ] {
            let proof = signed(signer, day);
            let judged = judge(&keys, &proof);
            assert_eq!(judged.flaw, flaw, "{day}");
            assert!(!judged.is_doubtful() && judged.text("issued_on") == day);
        }
        keys[0].compromised = true;
        let proof = signed(&old, "2026-05-01");
        let judged = judge(&keys, &proof);
        assert!(judged.holds() && judged.is_doubtful());
    }

    #[test]
    fn keys_are_read_as_they_are_published() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let one = SoftwareSm2::open(one.path()).unwrap();
        let two = SoftwareSm2::open(two.path()).unwrap();
        let mut keys = [keys_of(&one), keys_of(&two)].concat();
        let time = |text: &str| Some(text.parse::<Time>().unwrap());
        (keys[0].from, keys[0].to) =
            (time("2026-03-01T00:00:00Z"), time("2026-11-19T16:30:00.123Z"));
        (keys[1].from, keys[0].compromised) = (keys[0].to, true);
        assert_eq!(read_keys(&write_keys(&keys)).unwrap(), keys);
        let windows = format!("\u{feff}{}", write_keys(&keys).replace('\n', "\r\n"));
        assert_eq!(read_keys(&windows).unwrap(), keys);
        keys[0].reason = "硬盘失窃".into();
        assert_eq!(read_keys(&serde_json::to_string(&keys).unwrap()).unwrap(), keys);
        assert_eq!(read_keys(one.public_pem()).unwrap(), keys_of(&one));
        // What a file says of a fingerprint is not believed.
        let lie = write_keys(&keys).replace(&keys[0].fingerprint, "0123456789abcdef");
        assert_eq!(read_keys(&lie).unwrap()[0].fingerprint, keys[0].fingerprint);
        let no_key = format!("{BEGIN}\nMFkw\n{END}\n");
        for bad in ["", "[]", "[1]", "text", no_key.as_str(), "# fingerprint a from b to c"] {
            assert!(read_keys(bad).is_err(), "{bad}");
        }
        let bad_time = write_keys(&keys).replace("2026-03-01T00:00:00Z", "yesterday");
        assert!(read_keys(&bad_time).is_err());
    }

    #[test]
    fn the_key_stays_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let first = SoftwareSm2::open(dir.path()).unwrap();
        let again = SoftwareSm2::open(dir.path()).unwrap();
        assert_eq!(first.public_pem(), again.public_pem());
    }

    /// The commands of the handbook, as they stand there.
    #[test]
    fn the_handbook_verifies_a_proof_with_openssl_alone() {
        let page = include_str!("../../../packaging/handbook/14-offline-proof.md");
        let block = |name: &str| {
            let commands = page.split("```\n").find(|part| part.contains(name));
            commands.unwrap_or_else(|| panic!("the handbook has no {name}"))
        };
        let dir = tempfile::tempdir().unwrap();
        let key = SoftwareSm2::open(dir.path()).unwrap();
        let run = |commands: &str| {
            let mut shell = std::process::Command::new("sh");
            let done = shell.current_dir(dir.path()).args(["-c", commands]).output().unwrap();
            (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
        };
        for quantity in ["5", "50", "500", "5000"] {
            // One length of every kind that base64 has.
            let content = Content { quantity: quantity.parse().unwrap(), ..content() };
            let proof = make(&key, &content).unwrap();
            std::fs::write(dir.path().join("proof.txt"), format!("{proof}\n")).unwrap();
            let (verified, told) = run(block("openssl pkeyutl"));
            assert!(verified && told.contains("Signature Verified Successfully"), "{told}");
            let fields = std::fs::read_to_string(dir.path().join("fields.json")).unwrap();
            assert_eq!(fields, canonical(&content).unwrap());
        }
        let mut proof = std::fs::read_to_string(dir.path().join("proof.txt")).unwrap();
        let other = if &proof[60..61] == "A" { "B" } else { "A" };
        proof.replace_range(60..61, other);
        std::fs::write(dir.path().join("proof.txt"), proof).unwrap();
        assert!(!run(block("openssl pkeyutl")).0);
        let (_, told) = run(block("openssl dgst -sm3"));
        let digest = told.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(digest.starts_with(&fingerprint(key.public_pem()).unwrap()), "{told}");
    }

    #[test]
    fn openssl_agrees() {
        let dir = tempfile::tempdir().unwrap();
        let key = SoftwareSm2::open(dir.path()).unwrap();
        let fields = canonical(&content()).unwrap();
        std::fs::write(dir.path().join("fields"), &fields).unwrap();
        std::fs::write(dir.path().join("sig"), key.sign(fields.as_bytes()).unwrap()).unwrap();
        let verified = |file: &str| {
            std::process::Command::new("openssl")
                .current_dir(dir.path())
                .args(["pkeyutl", "-verify", "-pubin", "-inkey", "county.pem", "-rawin"])
                .args(["-digest", "sm3", "-pkeyopt", "distid:1234567812345678"])
                .args(["-in", file, "-sigfile", "sig"])
                .output()
                .unwrap()
                .status
                .success()
        };
        assert!(verified("fields"));
        std::fs::write(dir.path().join("other"), fields.replace("500", "900")).unwrap();
        assert!(!verified("other"));
    }
}
