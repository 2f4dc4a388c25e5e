//! Photos, keys and secrets against what is on record.

use std::collections::BTreeSet;
use std::path::Path;

use tianyin_domain::operator::Operator;
use tianyin_domain::signing_key::{self, SigningKey, in_force};
use tianyin_domain::user::User;

use super::cure::Remedy;
use super::finding::Finding;
use super::on_record::OnRecord;
use super::{CODE_KEY_FILE, Folder, KEY_FILES};
use crate::blobs;
use crate::code_key::CodeKey;
use crate::key_files;
use crate::keys::{SignatureProvider as _, SoftwareSm2};
use crate::proof::{PublishedKey, judge};
use crate::vault::Vault;

/// Every photo on record is there and has its digest; others are counted.
pub fn blobs(
    folder: &Folder,
    on_record: &OnRecord,
    findings: &mut Vec<Finding>,
) -> anyhow::Result<()> {
    let dir = folder.data().join("blobs");
    for (hash, (_, record)) in &on_record.blobs {
        let path = blobs::path_of(&dir, hash);
        let place = shown(folder, &path);
        let code = match blobs::hash_of_file(&path) {
            Ok(found) if found == *hash => continue,
            Ok(_) => "blob_damaged",
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => "blob_missing",
            Err(_) => "blob_unreadable",
        };
        let values = [("record", record.as_str())];
        let finding = match code {
            "blob_damaged" => Finding::new("blob_damaged", place, &values),
            "blob_missing" => Finding::new("blob_missing", place, &values),
            _ => Finding::new("blob_unreadable", place, &values),
        };
        findings.push(finding.cured_by(Remedy::Blob(hash.clone())));
    }
    let mut orphans = 0u64;
    for hash in blobs::list(&dir)? {
        orphans += u64::from(!on_record.blobs.contains_key(&hash?));
    }
    // A running service takes in photos whose record comes later.
    if orphans > 0 && folder.live.is_none() {
        let count = orphans.to_string();
        findings.push(Finding::new("blob_orphans", "blobs", &[("count", &count)]));
    }
    Ok(())
}

/// The county's key is there, is the one in force, and every proof fits the key of its day; the vault's key is there.
pub fn keys(folder: &Folder, on_record: &OnRecord, findings: &mut Vec<Finding>) {
    if on_record.seq == 0 {
        return;
    }
    for file in KEY_FILES {
        if !folder.data().join(file).exists() {
            let finding = Finding::new("key_missing", file, &[]);
            findings.push(finding.cured_by(Remedy::Key(file)));
        }
    }
    let dir = folder.data().join("keys");
    let known = keys_on_record(folder, on_record);
    let mut published: Vec<PublishedKey> = known.iter().cloned().map(Into::into).collect();
    match SoftwareSm2::load(&dir) {
        Ok(None) => {}
        Err(e) => {
            let reason = format!("{e:#}");
            let finding = Finding::new("key_damaged", KEY_FILES[0], &[("reason", &reason)]);
            findings.push(finding.cured_by(Remedy::Key(KEY_FILES[0])));
        }
        Ok(Some(signer)) => match in_force(&known) {
            None => published.extend(PublishedKey::bare(signer.public_pem())),
            Some(current) if !key_files::holds(&dir, current) => {
                let values = [("fingerprint", current.id.as_str())];
                let finding = Finding::new("key_not_in_force", KEY_FILES[0], &values);
                findings.push(finding.cured_by(Remedy::Key(KEY_FILES[0])));
            }
            Some(_) => {}
        },
    }
    for key in known.iter().filter(|key| key.to.is_some()) {
        let file = key_files::retired_path(&key.id);
        let kept = std::fs::read(folder.data().join(&file));
        if kept.ok().as_deref() != Some(key.pem.as_bytes()) {
            findings.push(Finding::new("retired_key_missing", file, &[]));
        }
    }
    if published.is_empty() {
        return;
    }
    for (code, proof) in &on_record.proofs {
        let judged = judge(&published, proof);
        if !judged.holds() || judged.text("code") != code {
            findings.push(Finding::new("proof_wrong", format!("certificate/{code}"), &[]));
        }
    }
}

/// The key that codes of packs were made with is there and that very one, from the first pack on.
pub fn code_key(folder: &Folder, on_record: &OnRecord, findings: &mut Vec<Finding>) {
    let Some(known) = &on_record.code_key else { return };
    let finding = match std::fs::read(folder.data().join(CODE_KEY_FILE)) {
        Ok(bytes) if CodeKey::check_of(&bytes).as_ref() == Some(known) => return,
        Ok(_) => Finding::new("code_key_other", CODE_KEY_FILE, &[]),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Finding::new("code_key_missing", CODE_KEY_FILE, &[])
        }
        Err(e) => {
            let reason = e.to_string();
            Finding::new("key_damaged", CODE_KEY_FILE, &[("reason", &reason)])
        }
    };
    findings.push(finding.cured_by(Remedy::Key(CODE_KEY_FILE)));
}

/// The signing keys; a running service may have changed its key after the line that is looked at.
fn keys_on_record(folder: &Folder, on_record: &OnRecord) -> Vec<SigningKey> {
    let now = folder.live.as_ref().and_then(|live| signing_key::all(&live.store).ok());
    now.filter(|now| now.len() > on_record.signing_keys.len())
        .unwrap_or_else(|| on_record.signing_keys.clone())
}

/// Every secret on record is there and opens; a file that does not open is told even without a record.
pub fn vault(
    folder: &Folder,
    on_record: &OnRecord,
    findings: &mut Vec<Finding>,
) -> anyhow::Result<()> {
    let dir = folder.data().join("vault");
    let vault = match Vault::existing(&dir, &folder.data().join("keys")) {
        Ok(Some(vault)) => vault,
        // Told by `keys`, or nothing is on record yet.
        Ok(None) => return Ok(()),
        Err(e) => {
            let reason = format!("{e:#}");
            let finding = Finding::new("key_damaged", KEY_FILES[1], &[("reason", &reason)]);
            findings.push(finding.cured_by(Remedy::Key(KEY_FILES[1])));
            return Ok(());
        }
    };
    let mut orphans = 0u64;
    let files: BTreeSet<String> = vault.tokens()?.into_iter().collect();
    for token in &files {
        let record = on_record.secrets.get(token);
        if vault.get(token).is_err() {
            let record = record.map_or("-", String::as_str);
            let place = shown(folder, &dir.join(token));
            let finding = Finding::new("secret_damaged", place, &[("record", record)]);
            findings.push(finding.cured_by(Remedy::Secret(token.clone())));
        } else if record.is_none() {
            orphans += 1;
        }
    }
    for (token, record) in &on_record.secrets {
        let is_gone = !files.contains(token) && vault.get(token).is_ok_and(|s| s.is_none());
        if is_gone && still_holds(folder, record, token) {
            let place = shown(folder, &dir.join(token));
            let finding = Finding::new("secret_missing", place, &[("record", record)]);
            findings.push(finding.cured_by(Remedy::Secret(token.clone())));
        }
    }
    if orphans > 0 && folder.live.is_none() {
        let count = orphans.to_string();
        findings.push(Finding::new("secret_orphans", "vault", &[("count", &count)]));
    }
    Ok(())
}

/// Whether a record still holds a secret: a running service may have replaced it since.
fn still_holds(folder: &Folder, record: &str, token: &str) -> bool {
    let Some(live) = &folder.live else { return true };
    let mut parts = record.split('/');
    let now = match (parts.next(), parts.next()) {
        (Some("user" | "totp"), Some(id)) => live
            .store
            .get::<User>(id)
            .map(|u| u.is_some_and(|u| secrets_of(&u).any(|s| s == token))),
        (Some("operator"), Some(id)) => live
            .store
            .get::<Operator>(id)
            .map(|o| o.and_then(|o| o.contact_secret).as_deref() == Some(token)),
        _ => return true,
    };
    // A store that cannot be read is told elsewhere.
    now.unwrap_or(true)
}

/// Passwords in use and before, and the second factor.
fn secrets_of(user: &User) -> impl Iterator<Item = &String> {
    let totp = user.login.totp.iter().map(|totp| &totp.secret);
    std::iter::once(&user.credential).chain(&user.login.earlier).chain(totp)
}

fn shown(folder: &Folder, path: &Path) -> String {
    path.strip_prefix(folder.data()).unwrap_or(path).display().to_string()
}
