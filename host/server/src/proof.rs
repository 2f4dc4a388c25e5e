//! Offline proof of a certificate: `TY1.{fields}.{signature}`, both base64url. `fields` is the
//! canonical JSON of the public content, the signature is SM2 (DER) over those JSON bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use tianyin_domain::certificate::Content;

use crate::keys::{SignatureProvider, verify};

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

/// What a proof says, when its signature is by the key in `public_pem`.
pub fn check(public_pem: &str, proof: &str) -> anyhow::Result<Content> {
    let mut parts = proof.trim().split('.');
    let (Some("TY1"), Some(fields), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        anyhow::bail!("not a TY1 proof");
    };
    let (fields, signature) = (B64.decode(fields)?, B64.decode(signature)?);
    anyhow::ensure!(verify(public_pem, &fields, &signature)?, "the signature does not fit");
    Ok(serde_json::from_slice(&fields)?)
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
            issued_on: tianyin_domain::certificate::FORMS[0].valid_from,
            lot_no: "L20261118-0003".into(),
            county: "湘潭县".into(),
        }
    }

    #[test]
    fn a_proof_verifies_and_a_changed_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let key = SoftwareSm2::open(dir.path()).unwrap();
        let proof = make(&key, &content()).unwrap();
        assert_eq!(check(key.public_pem(), &proof).unwrap(), content());
        let mut other = content();
        other.quantity = "5000".parse().unwrap();
        let fields = B64.encode(canonical(&other).unwrap());
        let signature = proof.rsplit('.').next().unwrap();
        assert!(check(key.public_pem(), &format!("TY1.{fields}.{signature}")).is_err());
        assert!(check(key.public_pem(), "TY1.x").is_err());
        let stranger = tempfile::tempdir().unwrap();
        let stranger = SoftwareSm2::open(stranger.path()).unwrap();
        assert!(check(stranger.public_pem(), &proof).is_err());
    }

    #[test]
    fn the_key_stays_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let first = SoftwareSm2::open(dir.path()).unwrap();
        let again = SoftwareSm2::open(dir.path()).unwrap();
        assert_eq!(first.public_pem(), again.public_pem());
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
