//! `verify`: is everything that was acknowledged still there and unchanged.

use serde::{Deserialize, Serialize};
use tianyin_journal::{Damage, JournalError, VerifyReport};

use super::checks;
use super::cure::Remedy;
use super::finding::{Finding, Severity, worst};
use super::on_record::{OnRecord, place_of};
use super::{Folder, second_copy, store_check};

/// What to look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Leaves the store out: comparing it takes as long as rebuilding it.
    pub quick: bool,
}

/// What was looked at and what was found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// Nothing is damaged.
    pub ok: bool,
    /// Sequence number of the last line.
    pub head: u64,
    /// Its hash.
    pub hash: String,
    /// The last line applied to the store; `None` when the store was not looked at or cannot be opened.
    pub applied: Option<u64>,
    /// Keys of the store that were compared.
    pub store_keys: u64,
    /// Photos and documents on record.
    pub blobs: usize,
    /// Secrets on record.
    pub secrets: usize,
    /// Certificates whose proof was checked.
    pub proofs: usize,
    /// Everything found, worst first.
    pub findings: Vec<Finding>,
}

/// Verifies a data folder; `progress` is told what is being done. Changes nothing.
pub fn verify(
    folder: &Folder,
    options: Options,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> anyhow::Result<Report> {
    let mut findings = Vec::new();
    let chain = chain(folder, &mut findings, progress)?;
    let head = chain.as_ref().map(|report| report.head);
    // Of a damaged journal what stands before the damage still tells what should be there.
    let until = head.map_or(u64::MAX, |head| head.seq);
    let (on_record, fault) = OnRecord::read(&folder.journal(), until);
    if let (Some(fault), true) = (fault, chain.is_some()) {
        let fault = fault.to_string();
        findings.push(Finding::new("journal_not_understood", &fault, &[("reason", &fault)]));
    }
    if let Some(head) = head {
        second_copy::check(folder, head.seq, &mut findings);
    }
    progress("blobs", 0, on_record.blobs.len() as u64);
    checks::blobs(folder, &on_record, &mut findings)?;
    progress("vault", 0, on_record.secrets.len() as u64);
    checks::keys(folder, &on_record, &mut findings);
    checks::code_key(folder, &on_record, &mut findings);
    checks::vault(folder, &on_record, &mut findings)?;
    let mut report = Report {
        ok: false,
        head: head.map_or(on_record.seq, |head| head.seq),
        hash: head.map(|head| head.hash.to_string()).unwrap_or_default(),
        applied: None,
        store_keys: 0,
        blobs: on_record.blobs.len(),
        secrets: on_record.secrets.len(),
        proofs: on_record.proofs.len(),
        findings: Vec::new(),
    };
    match (&chain, options.quick) {
        (Some(chain), false) => {
            let compared = store_check::check(folder, chain.head.seq, &mut findings, progress)?;
            (report.applied, report.store_keys) = (compared.applied, compared.keys);
        }
        // Without the journal there is nothing to compare the store with.
        (None, _) => findings.push(Finding::new("store_not_compared", "store", &[])),
        (Some(_), true) => {}
    }
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    report.ok = worst(&findings) < Some(Severity::Damage);
    report.findings = findings;
    Ok(report)
}

/// Recomputes the chain; `None` when it is damaged, which is then among the findings.
fn chain(
    folder: &Folder,
    findings: &mut Vec<Finding>,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> anyhow::Result<Option<VerifyReport>> {
    let dir = folder.journal();
    if !dir.is_dir() {
        findings.push(Finding::new("journal_missing", "journal", &[]).cured_by(Remedy::Journal));
        return Ok(None);
    }
    let verified = tianyin_journal::verify(&dir, folder.until(), &mut |p| {
        progress("journal", p.done_bytes, p.total_bytes);
    });
    match verified {
        Ok(report) => {
            if let Some(torn) = &report.torn {
                findings.push(torn_tail(folder, torn));
            }
            Ok(Some(report))
        }
        Err(e @ JournalError::Damaged(_)) => {
            let (place, reason) = (place_of(&e, folder.data()), reason_of(&e));
            let finding = Finding::new("journal_damaged", place, &[("reason", &reason)]);
            findings.push(finding.cured_by(Remedy::Journal));
            Ok(None)
        }
        Err(e) => Err(e.into()),
    }
}

fn torn_tail(folder: &Folder, torn: &Damage) -> Finding {
    let error = JournalError::Damaged(torn.clone());
    Finding::new("journal_torn", place_of(&error, folder.data()), &[("reason", &torn.reason)])
}

fn reason_of(error: &JournalError) -> String {
    match error {
        JournalError::Damaged(damage) => damage.reason.clone(),
        other => other.to_string(),
    }
}
