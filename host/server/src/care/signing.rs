//! The files of the signing key as they go into a backup. The key may be changed at any time, which is the end of the old
//! private key: so they are read before the moment of the backup and, when its journal has a change that they lack,
//! once more after it.

use std::io;
use std::path::Path;

use anyhow::{Context as _, ensure};
use tianyin_domain::signing_key::{SigningKey, in_force};

use crate::key_files::{NEXT_KEY, is_private_of};
use crate::keys::{COUNTY_KEY, COUNTY_PEM};

/// The private keys, by name below `keys/`.
pub type Files = Vec<(&'static str, Vec<u8>)>;

/// Whether a file below `keys/` is packed apart; the public half is made anew from the private one.
pub fn is_one(name: &str) -> bool {
    [COUNTY_KEY, NEXT_KEY, COUNTY_PEM].contains(&name)
}

/// The files as they are now.
pub fn read(data: &Path) -> anyhow::Result<Files> {
    let mut found = Vec::new();
    for name in [COUNTY_KEY, NEXT_KEY] {
        let path = data.join("keys").join(name);
        match std::fs::read(&path) {
            Ok(content) => found.push((name, content)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e).with_context(|| format!("read {}", path.display())),
        }
    }
    Ok(found)
}

/// The files that go with the keys on record at the moment; `before` were read before it.
pub fn at(data: &Path, before: Files, on_record: &[SigningKey]) -> anyhow::Result<Files> {
    let Some(current) = in_force(on_record) else { return Ok(before) };
    let fit = |files: &Files| files.iter().any(|(_, pem)| is_private_of(pem, current));
    if fit(&before) {
        return Ok(before);
    }
    let now = read(data)?;
    ensure!(
        fit(&now),
        "密钥目录里没有现用的县签名密钥(可能刚换过)。请再备份一次;仍然如此,请运行 tianyin doctor / the signing \
         key in force is not in the folder, perhaps it was changed just now: try again, then run `tianyin doctor`"
    );
    Ok(now)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tianyin_domain::signing_key::PublicKey;

    use super::*;
    use crate::key_files::{prepare, swap};
    use crate::keys::{SignatureProvider as _, SoftwareSm2, fingerprint};

    fn public(signer: &SoftwareSm2) -> PublicKey {
        let pem = signer.public_pem().to_owned();
        PublicKey { fingerprint: fingerprint(&pem).unwrap(), pem }
    }

    fn on_record(key: &PublicKey) -> Vec<SigningKey> {
        vec![SigningKey {
            id: key.fingerprint.clone(),
            pem: key.pem.clone(),
            from: "2026-11-20T08:00:00Z".parse().unwrap(),
            to: None,
            reason: String::new(),
            compromised: false,
        }]
    }

    #[test]
    fn what_is_packed_goes_with_the_journal_however_late_the_change() {
        let dir = tempfile::tempdir().unwrap();
        let (data, keys) = (dir.path(), dir.path().join("keys"));
        let first = public(&SoftwareSm2::open(&keys).unwrap());
        let before = read(data).unwrap();
        let second = public(&prepare(&keys).unwrap());
        let begun = read(data).unwrap();
        assert_eq!((before.len(), begun.len()), (1, 2));
        swap(&keys, &first, &second).unwrap();
        let now = read(data).unwrap();
        // The journal ends before the change: the old key, although it is gone by now.
        assert!(at(data, before.clone(), &[]).unwrap() == before);
        // It has the change: what holds the new key, wherever that was.
        assert!(at(data, begun.clone(), &on_record(&second)).unwrap() == begun);
        assert!(at(data, before.clone(), &on_record(&second)).unwrap() == now);
        // Changed once more since: nothing that was read fits.
        let third = public(&prepare(&keys).unwrap());
        swap(&keys, &second, &third).unwrap();
        assert!(at(data, before, &on_record(&second)).is_err());
    }
}
