//! How one signing key takes the place of another on disk. The journal has the last word, and no private key that
//! is in force is ever the only thing in a file that is being written:
//!
//! 1. the new private key is durable as `county-next.key.pem`;
//! 2. the event that names it is durable in the journal;
//! 3. the old public key is kept as `retired/FINGERPRINT.pem`;
//! 4. `county-next.key.pem` is renamed to `county.key.pem`, which is the end of the old private key;
//! 5. `county.pem` is written anew.
//!
//! [`settle`] finishes what a crash cut off: before 2 the new key signed nothing and goes; after it, the rest is done.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use tianyin_domain::signing_key::{PublicKey, SigningKey, in_force};

use crate::keys::{
    COUNTY_KEY, COUNTY_PEM, SignatureProvider as _, SoftwareSm2, fingerprint, key_gone, restrict,
    write_if_other,
};

/// The private key that is to take the other's place.
pub const NEXT_KEY: &str = "county-next.key.pem";
/// What a write that was cut off leaves of it.
const NEXT_TORN: &str = "county-next.key.tmp";
/// Public keys that were in force.
const RETIRED: &str = "retired";

/// Opens the key in force when the service starts. `known` are the keys on record; as long as there are none, the
/// one in the file is it, and is made at the first start of all.
///
/// # Errors
/// When the private key in force is in no file, or files cannot be read or written.
pub fn settle(dir: &Path, known: &[SigningKey]) -> anyhow::Result<SoftwareSm2> {
    let Some(current) = in_force(known) else {
        abandon(dir)?;
        return SoftwareSm2::open(dir);
    };
    restrict(dir)?;
    for key in known.iter().filter(|key| key.to.is_some()) {
        keep_retired(dir, &key.id, &key.pem)?;
    }
    let in_place = SoftwareSm2::load(dir);
    if let Ok(Some(signer)) = &in_place
        && is_it(signer, current)
    {
        abandon(dir)?;
    } else {
        let next = SoftwareSm2::load_file(&dir.join(NEXT_KEY));
        if !next.is_ok_and(|next| next.is_some_and(|next| is_it(&next, current))) {
            in_place?;
            return Err(anyhow::anyhow!("the key in force is {}", current.id))
                .with_context(|| key_gone(&dir.join(COUNTY_KEY)));
        }
        tracing::warn!(key = current.id, "the change of the signing key was cut off: finished now");
        put_in_place(dir)?;
    }
    write_if_other(&dir.join(COUNTY_PEM), &current.pem)?;
    let signer = SoftwareSm2::load(dir)?;
    signer.with_context(|| key_gone(&dir.join(COUNTY_KEY)))
}

/// Writes a new private key beside the one in force. Refused while one is there already: it may be the one that the
/// journal names.
pub fn prepare(dir: &Path) -> anyhow::Result<SoftwareSm2> {
    let path = dir.join(NEXT_KEY);
    anyhow::ensure!(!path.exists(), "{} is there already", path.display());
    SoftwareSm2::make(&path)
}

/// Whether a change was begun here and neither finished nor given up.
pub fn is_open(dir: &Path) -> bool {
    dir.join(NEXT_KEY).exists()
}

/// Removes a key that is not on record and never will be.
pub fn abandon(dir: &Path) -> anyhow::Result<()> {
    let mut removed = false;
    for name in [NEXT_KEY, NEXT_TORN] {
        let path = dir.join(name);
        match std::fs::remove_file(&path) {
            Ok(()) => removed = true,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e).with_context(|| format!("remove {}", path.display())),
        }
    }
    if removed { sync(dir) } else { Ok(()) }
}

/// Puts the new key in the place of the old one, which is on record as retired.
pub fn swap(dir: &Path, old: &PublicKey, new: &PublicKey) -> anyhow::Result<()> {
    keep_retired(dir, &old.fingerprint, &old.pem)?;
    put_in_place(dir)?;
    write_if_other(&dir.join(COUNTY_PEM), &new.pem)
}

/// Whether the private key that should sign is in a folder, in place or about to be.
pub fn holds(dir: &Path, current: &SigningKey) -> bool {
    [COUNTY_KEY, NEXT_KEY].iter().any(|name| {
        let found = SoftwareSm2::load_file(&dir.join(name));
        found.is_ok_and(|found| found.is_some_and(|signer| is_it(&signer, current)))
    })
}

/// Whether the text is the private key that should sign.
pub fn is_private_of(pem: &[u8], current: &SigningKey) -> bool {
    SoftwareSm2::read(pem).is_ok_and(|signer| is_it(&signer, current))
}

/// Where the public half of a retired key is kept, below the data folder.
pub fn retired_path(id: &str) -> String {
    format!("keys/{RETIRED}/{id}.pem")
}

fn is_it(signer: &SoftwareSm2, key: &SigningKey) -> bool {
    fingerprint(signer.public_pem()).is_ok_and(|own| own == key.id)
}

fn put_in_place(dir: &Path) -> anyhow::Result<()> {
    let (next, key) = (dir.join(NEXT_KEY), dir.join(COUNTY_KEY));
    std::fs::rename(&next, &key).with_context(|| format!("rename to {}", key.display()))?;
    sync(dir)
}

fn keep_retired(dir: &Path, id: &str, pem: &str) -> anyhow::Result<()> {
    let folder = dir.join(RETIRED);
    if !folder.is_dir() {
        crate::folders::make(&folder)?;
        restrict(&folder)?;
    }
    write_if_other(&folder.join(format!("{id}.pem")), pem)
}

fn sync(dir: &Path) -> anyhow::Result<()> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.with_context(|| format!("sync {}", dir.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use tianyin_domain::Time;

    use super::*;

    fn key(signer: &SoftwareSm2, from: &str, to: Option<&str>) -> SigningKey {
        let time = |text: &str| text.parse::<Time>().unwrap();
        SigningKey {
            id: fingerprint(signer.public_pem()).unwrap(),
            pem: signer.public_pem().to_owned(),
            from: time(from),
            to: to.map(time),
            reason: String::new(),
            compromised: false,
        }
    }

    /// A key in place, and the two records of a change to the one that waits.
    fn begun(dir: &Path) -> [SigningKey; 2] {
        let old = SoftwareSm2::open(dir).unwrap();
        let new = prepare(dir).unwrap();
        let (begin, change) = ("2026-03-01T00:00:00Z", "2026-11-20T08:00:00Z");
        [key(&old, begin, Some(change)), key(&new, change, None)]
    }

    fn public(key: &SigningKey) -> PublicKey {
        PublicKey { fingerprint: key.id.clone(), pem: key.pem.clone() }
    }

    fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                let inner = files(&path).into_iter();
                found.extend(inner.map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
            } else {
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
        found
    }

    fn signs_as(signer: &SoftwareSm2, key: &SigningKey) -> bool {
        let signature = signer.sign(b"text").unwrap();
        crate::keys::verify(&key.pem, b"text", &signature).unwrap()
    }

    #[test]
    fn a_change_that_is_not_on_record_never_was() {
        let dir = tempfile::tempdir().unwrap();
        let [old, _] = begun(dir.path());
        std::fs::write(dir.path().join(NEXT_TORN), "half").unwrap();
        assert!(is_open(dir.path()));
        assert!(prepare(dir.path()).is_err(), "what may be in force is not written over");
        assert!(signs_as(&settle(dir.path(), &[]).unwrap(), &old));
        let names: Vec<String> = files(dir.path()).into_keys().collect();
        assert_eq!(names, [COUNTY_KEY, COUNTY_PEM]);
    }

    #[test]
    fn a_change_on_record_is_finished_from_every_point() {
        type Crash = fn(&Path, &SigningKey);
        let points: [Crash; 5] = [
            |_, _| {},
            |dir, old| keep_retired(dir, &old.id, &old.pem).unwrap(),
            |dir, old| {
                keep_retired(dir, &old.id, &old.pem).unwrap();
                put_in_place(dir).unwrap();
            },
            // Names changed in another order than they were asked to.
            |dir, _| put_in_place(dir).unwrap(),
            |dir, _| {
                put_in_place(dir).unwrap();
                std::fs::remove_file(dir.join(COUNTY_PEM)).unwrap();
            },
        ];
        for (n, crash) in points.into_iter().enumerate() {
            let dir = tempfile::tempdir().unwrap();
            let [old, new] = begun(dir.path());
            let private = std::fs::read(dir.path().join(NEXT_KEY)).unwrap();
            crash(dir.path(), &old);
            let known = [old.clone(), new.clone()];
            assert!(holds(dir.path(), &new), "{n}");
            assert!(signs_as(&settle(dir.path(), &known).unwrap(), &new), "{n}");
            let expected = BTreeMap::from([
                (COUNTY_KEY.to_owned(), private),
                (COUNTY_PEM.to_owned(), new.pem.clone().into_bytes()),
                (format!("{RETIRED}/{}.pem", old.id), old.pem.clone().into_bytes()),
            ]);
            assert!(files(dir.path()) == expected, "{n}: {:?}", files(dir.path()).keys());
            // And again: nothing is left to do.
            settle(dir.path(), &known).unwrap();
            assert!(files(dir.path()) == expected, "{n}");
        }
    }

    #[test]
    fn an_uninterrupted_change_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let [old, new] = begun(dir.path());
        swap(dir.path(), &public(&old), &public(&new)).unwrap();
        let done = files(dir.path());
        assert!(signs_as(&settle(dir.path(), &[old, new.clone()]).unwrap(), &new));
        assert!(files(dir.path()) == done && done.len() == 3);
    }

    #[test]
    fn a_second_change_that_was_given_up_leaves_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let [old, new] = begun(dir.path());
        swap(dir.path(), &public(&old), &public(&new)).unwrap();
        prepare(dir.path()).unwrap();
        assert!(signs_as(&settle(dir.path(), &[old, new.clone()]).unwrap(), &new));
        assert!(!is_open(dir.path()));
    }

    #[test]
    fn without_the_key_in_force_nothing_starts_and_nothing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let [old, new] = begun(dir.path());
        // As from a backup that is older than the change.
        std::fs::remove_file(dir.path().join(NEXT_KEY)).unwrap();
        let before = std::fs::read(dir.path().join(COUNTY_KEY)).unwrap();
        let Err(error) = settle(dir.path(), &[old.clone(), new.clone()]) else {
            panic!("it started with a key that is not in force")
        };
        let error = format!("{error:#}");
        assert!(error.contains(&new.id) && error.contains("doctor"), "{error}");
        assert_eq!(std::fs::read(dir.path().join(COUNTY_KEY)).unwrap(), before);
        assert!(!holds(dir.path(), &new) && is_private_of(&before, &old));
        std::fs::remove_file(dir.path().join(COUNTY_KEY)).unwrap();
        assert!(settle(dir.path(), &[old, new]).is_err());
        assert!(!dir.path().join(COUNTY_KEY).exists());
    }
}
