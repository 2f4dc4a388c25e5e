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
