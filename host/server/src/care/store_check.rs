//! The store against one that is built anew from the journal.

use std::path::Path;

use tianyin_journal::Reader;
use tianyin_store::{Emptied, Options as StoreOptions, Store};

use super::cure::Remedy;
use super::finding::Finding;
use super::{Folder, scratch};
use crate::app::replay::{fill, replay};

/// Differences that are told one by one.
const DIFFERENCES_MAX: usize = 20;

/// What was compared.
#[derive(Debug, Default)]
pub struct Compared {
    /// The last line applied to the store.
    pub applied: Option<u64>,
    /// Keys.
    pub keys: u64,
}

/// Builds a second store in a scratch folder and compares every key. The store of a stopped service
/// is copied first: opening it would change it.
pub fn check(
    folder: &Folder,
    head: u64,
    findings: &mut Vec<Finding>,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> anyhow::Result<Compared> {
    let scratch = scratch::new(folder.data())?;
    let (own, is_partial) = match &folder.live {
        Some(live) => (live.store.clone(), false),
        None => match copy_of_store(folder, scratch.path(), findings)? {
            Some(opened) => opened,
            None => return Ok(Compared::default()),
        },
    };
    let (applied, last) = (own.applied_seq(), head.max(folder.until().unwrap_or(0)));
    if applied > last && folder.live.is_none() {
        let (applied, head) = (applied.to_string(), last.to_string());
        let finding = Finding::new(
            "store_ahead",
            "store",
            &[("applied", applied.as_str()), ("head", head.as_str())],
        );
        findings.push(finding.cured_by(Remedy::Journal));
        return Ok(Compared { applied: own.applied_seq().into(), keys: 0 });
    }
    if applied < last && folder.live.is_none() {
        let (applied, head) = (applied.to_string(), last.to_string());
        findings.push(match is_partial {
            true => damaged(&format!("what can be read of it ends with line {applied} of {head}")),
            false => Finding::new(
                "store_behind",
                "store",
                &[("applied", applied.as_str()), ("head", head.as_str())],
            ),
        });
    }
    let (fresh, _) = Store::open(&scratch.path().join("fresh"), &StoreOptions::default())?;
    let journal = folder.journal();
    build(&fresh, &journal, applied, progress)?;
    let compared = own.compare(&fresh, DIFFERENCES_MAX, &mut |seq| {
        build(&fresh, &journal, seq, &mut |_, _, _| {})
    });
    let compared = match compared {
        Ok(compared) => compared,
        Err(e) if e.downcast_ref::<tianyin_store::StoreError>().is_some_and(|e| e.is_damage()) => {
            findings.push(damaged(&e.to_string()));
            return Ok(Compared { applied: Some(applied), keys: 0 });
        }
        Err(e) => return Err(e),
    };
    for one in &compared.differences {
        let values = [("kind", one.kind), ("fault", one.fault)];
        let place = format!("store {} {}", one.kind, one.key);
        findings.push(Finding::new("store_differs", place, &values).cured_by(Remedy::Store));
    }
    Ok(Compared { applied: Some(applied), keys: compared.keys })
}

/// Brings a store up to a line.
fn build(
    store: &Store,
    journal: &Path,
    seq: u64,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> anyhow::Result<()> {
    match store.applied_seq() {
        0 => fill(store, Reader::new(journal, 1), seq, |done| progress("store", done, seq)),
        applied if applied < seq => {
            let mut reader = Reader::new(journal, applied + 1);
            replay(store, reader.lines_up_to(seq), |_| {}).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// The store as it is, opened as a copy, and whether its snapshot could not be read; `None` when there
/// is none to compare, which may be a finding.
fn copy_of_store(
    folder: &Folder,
    scratch: &Path,
    findings: &mut Vec<Finding>,
) -> anyhow::Result<Option<(Store, bool)>> {
    let dir = tianyin_store::folder_in_use(&folder.data().join("store"))?;
    if !dir.exists() {
        findings.push(Finding::new("store_absent", "store", &[]));
        return Ok(None);
    }
    let copy = scratch.join("copy");
    scratch::copy_folder(&dir, &copy)?;
    let (store, opened) = match Store::open(&copy, &StoreOptions::default()) {
        Ok(opened) => opened,
        Err(e) if e.is_damage() => {
            findings.push(damaged(&e.to_string()));
            return Ok(None);
        }
        Err(e) => return Err(e.into()),
    };
    match opened.emptied {
        None => return Ok(Some((store, opened.snapshots_moved))),
        // An empty store is filled at the next start.
        Some(Emptied::New | Emptied::Unfinished) => {
            findings.push(Finding::new("store_absent", "store", &[]));
        }
        Some(Emptied::Lost) => findings.push(damaged("nothing readable in it")),
        Some(Emptied::Schema { .. }) => findings.push(Finding::new("store_old", "store", &[])),
        Some(Emptied::Quarantined { reason, .. }) => findings.push(damaged(&reason)),
    }
    Ok(None)
}

fn damaged(reason: &str) -> Finding {
    Finding::new("store_damaged", "store", &[("reason", reason)]).cured_by(Remedy::Store)
}
