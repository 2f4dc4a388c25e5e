//! The second copy of the journal, where one is set.

use tianyin_journal::JournalError;

use super::Folder;
use super::finding::Finding;
use super::on_record::place_of;

/// The copy follows within a moment; further behind than this it has stopped.
const BEHIND_LINES: u64 = 10_000;

/// The second copy is whole and not far behind line `head` of the journal.
pub fn check(folder: &Folder, head: u64, findings: &mut Vec<Finding>) {
    let Some(dir) = &folder.config.journal.copy else { return };
    let place = dir.display().to_string();
    if !dir.is_dir() {
        findings.push(Finding::new("copy_missing", place, &[]));
        return;
    }
    match tianyin_journal::verify(dir, None, &mut |_| {}) {
        Ok(report) => {
            let behind = head.saturating_sub(report.head.seq);
            // A stopped service leaves a complete copy.
            let may_lag = if folder.live.is_some() { BEHIND_LINES } else { 0 };
            if behind > may_lag {
                let lines = behind.to_string();
                findings.push(Finding::new("copy_behind", place, &[("lines", &lines)]));
            }
        }
        Err(e @ JournalError::Damaged(_)) => {
            let (place, reason) = (place_of(&e, folder.data()), e.to_string());
            findings.push(Finding::new("copy_damaged", place, &[("reason", &reason)]));
        }
        Err(e) => {
            let reason = e.to_string();
            findings.push(Finding::new("copy_unreadable", place, &[("reason", &reason)]));
        }
    }
}
