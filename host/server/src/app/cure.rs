//! What to do when it does not start: the cure before the cause, in words for whoever stands there.

use std::path::Path;

use tianyin_journal::{Damage, JournalError};
use tianyin_store::StoreError;

use super::space::is_full;

/// Puts what to do in front of an error of opening a data folder.
pub fn explain(error: anyhow::Error, data: &Path) -> anyhow::Error {
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    match cure(&error, &data) {
        Some(text) => error.context(text),
        None => error,
    }
}

fn cure(error: &anyhow::Error, data: &Path) -> Option<String> {
    let data = data.display();
    if is_full(error) {
        return Some(format!(
            "磁盘空间已满,没有启动,已有记录没有受损。请在 {data} 所在磁盘腾出空间后再启动 / disk full, \
             nothing is lost: free space on the disk of {data}, then start again"
        ));
    }
    let in_use = format!(
        "数据目录 {data} 正被另一个田印进程使用。请先停止那个进程,或换一个数据目录 / the data folder is in use \
         by another process: stop it first, or use another folder"
    );
    for cause in error.chain() {
        match cause.downcast_ref::<JournalError>() {
            Some(JournalError::Damaged(damage)) => return Some(damaged(damage)),
            Some(JournalError::Locked(_)) => return Some(in_use),
            _ => {}
        }
        if let Some(StoreError::InUse(_)) = cause.downcast_ref::<StoreError>() {
            return Some(in_use);
        }
    }
    None
}

fn damaged(damage: &Damage) -> String {
    format!(
        "日志已损坏,没有启动,也没有改动任何文件。位置:{} 第 {} 行。请运行 tianyin doctor --fix(有第二副本时)或 \
         tianyin doctor --fix --backup 备份文件,原件会保留 / the journal is damaged and nothing was changed: run \
         `tianyin doctor --fix` (with a second copy) or `tianyin doctor --fix --backup FILE`; originals are kept",
        damage.segment.display(),
        damage.line
    )
}
