//! What a start must not take for granted: that the journal it found is the whole one. An empty or
//! shorter journal would make records vanish from sight, silently; so it stops and says so.

use std::path::Path;

use tianyin_journal::Recovery;
use tianyin_store::{Emptied, Opened, Store};

use crate::texts::tf;
use crate::vault;

/// Stops when the journal is empty although the county was set up: its administrator's password is
/// in the vault.
pub fn check_journal(data: &Path, head: u64) -> anyhow::Result<()> {
    let is_lost = head == 0 && !vault::secrets(&data.join("vault"))?.is_empty();
    let data = data.display();
    anyhow::ensure!(
        !is_lost,
        "日志不见了:{data} 里有保密资料,却没有一条日志,没有启动,也没有改动任何文件。请从备份或第二副本取回 journal \
         目录(tianyin restore 或 tianyin doctor --fix);确要从头开始,请换一个新的数据目录 / the journal is gone: take `journal` from a backup or the \
         second copy; to begin anew, use a new data folder"
    );
    Ok(())
}

/// Stops when the store knows lines that the journal does not have: they were acknowledged, and
/// are lost.
pub fn check_store(store: &Store, head: u64) -> anyhow::Result<()> {
    let applied = store.applied_seq();
    anyhow::ensure!(
        applied <= head,
        "日志只到第 {head} 行,而数据库里已有第 {applied} 行:日志缺了 {} 行,没有启动。请运行 tianyin doctor --fix(有第二副本时)或 tianyin doctor --fix --backup 备份文件;确认找不回来、愿意以现有日志为准时,运行 tianyin rebuild --accept-loss / the journal ends \
         with line {head}, but line {applied} was acknowledged: take the missing files from a backup or the \
         second copy; to give up what is lost, run `tianyin rebuild --accept-loss`",
        applied - head
    );
    Ok(())
}

/// What was found and mended, for an administrator.
pub fn notes(recovery: &Recovery, opened: &Opened) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(cut) = &recovery.cut {
        let (bytes, file) = (cut.bytes.to_string(), cut.kept_in.display().to_string());
        notes.push(tf("start.cut", [("bytes", bytes.as_str()), ("file", file.as_str())]));
    }
    match &opened.emptied {
        Some(Emptied::Quarantined { moved_to, .. }) => {
            let folder = moved_to.display().to_string();
            notes.push(tf("start.store_damaged", [("folder", folder.as_str())]));
        }
        Some(Emptied::Lost) => notes.push(tf("start.store_lost", [])),
        _ => {}
    }
    notes
}
