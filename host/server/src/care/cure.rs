//! What `doctor --fix` does by itself. Whatever is replaced is set aside, never removed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use tianyin_domain::signing_key::in_force;
use tianyin_store::Options as StoreOptions;

use super::CODE_KEY_FILE;
use super::mend::mend;
use super::on_record::OnRecord;
use super::scratch::{self, set_aside, sync_dir};
use crate::app::start;
use crate::blobs;
use crate::code_key::CodeKey;
use crate::key_files;
use crate::keys::{SoftwareSm2, restrict, restrict_file, write_private};
use crate::vault::Vault;

/// A cure, in the order in which cures are applied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Keeps others out of a folder or a key.
    Restrict(PathBuf),
    /// Moves aside what was left behind.
    SetAside(PathBuf),
    /// Takes a key from a backup.
    Key(&'static str),
    /// Puts the journal together from what there is and its copies.
    Journal,
    /// Builds the store anew.
    Store,
    /// Takes a photo from a backup.
    Blob(String),
    /// Takes a secret from a backup.
    Secret(String),
}

/// How a cure went.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is done.
    Done(String),
    /// It cannot be done with what there is.
    Cannot(String),
}

/// A journal or data folder that cures may take from.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name, for people.
    pub name: String,
    /// A second copy of the journal: the journal's folder alone. A backup: the unpacked data folder.
    pub dir: PathBuf,
    /// Whether it holds a whole data folder.
    pub is_backup: bool,
}

impl Source {
    fn journal(&self) -> PathBuf {
        if self.is_backup { self.dir.join("journal") } else { self.dir.clone() }
    }
}

/// Applies cures to the data folder of a stopped service.
pub struct Cures<'a> {
    /// The data folder.
    pub data: &'a Path,
    /// Copies and backups.
    pub sources: &'a [Source],
    /// Names the folder where originals go.
    pub stamp: &'a str,
}

impl Cures<'_> {
    /// Applies one.
    pub fn apply(&self, remedy: &Remedy) -> anyhow::Result<Outcome> {
        match remedy {
            Remedy::Restrict(path) => {
                let make_private = if path.is_dir() { restrict } else { restrict_file };
                make_private(path)?;
                Ok(done(format!("权限已改为仅本服务可读 / private now: {}", path.display())))
            }
            Remedy::SetAside(path) => {
                set_aside(self.data, path, self.stamp)?;
                Ok(done(format!("已移开 / set aside: {}", path.display())))
            }
            Remedy::Key(file) => self.take_from_backup(file, &|path| {
                let is_good = match *file {
                    "keys/vault.key" => std::fs::read(path)?.len() == 32,
                    CODE_KEY_FILE => self.makes_codes(&std::fs::read(path)?),
                    _ => self.signs(&std::fs::read(path)?),
                };
                Ok(is_good)
            }),
            Remedy::Blob(hash) => {
                let file = format!("blobs/{}/{hash}", hash.get(..2).unwrap_or_default());
                self.take_from_backup(&file, &|path| Ok(blobs::hash_of_file(path)? == *hash))
            }
            Remedy::Secret(token) => self.take_from_backup(&format!("vault/{token}"), &|path| {
                let dir = path.parent().unwrap_or(path);
                let vault = Vault::existing(dir, &self.data.join("keys"))?;
                Ok(vault.is_some_and(|vault| vault.get(token).is_ok_and(|s| s.is_some())))
            }),
            Remedy::Store => self.store(),
            Remedy::Journal => self.journal(),
        }
    }

    /// Whether a private key is the one in force, as far as the journal can tell.
    fn signs(&self, pem: &[u8]) -> bool {
        let (on_record, _) = OnRecord::read(&self.data.join("journal"), u64::MAX);
        match in_force(&on_record.signing_keys) {
            Some(current) => key_files::is_private_of(pem, current),
            None => SoftwareSm2::read(pem).is_ok(),
        }
    }

    /// Whether a key is the one that codes of packs were made with, as far as the journal can tell.
    fn makes_codes(&self, key: &[u8]) -> bool {
        let (on_record, _) = OnRecord::read(&self.data.join("journal"), u64::MAX);
        CodeKey::check_of(key)
            .is_some_and(|check| on_record.code_key.is_none_or(|known| known == check))
    }

    /// Takes a file from the first backup that has it in good order.
    fn take_from_backup(
        &self,
        file: &str,
        is_good: &dyn Fn(&Path) -> anyhow::Result<bool>,
    ) -> anyhow::Result<Outcome> {
        for source in self.sources.iter().filter(|source| source.is_backup) {
            let path = source.dir.join(file);
            if !path.is_file() || !is_good(&path).unwrap_or(false) {
                continue;
            }
            let target = self.data.join(file);
            let content = std::fs::read(&path).with_context(|| path.display().to_string())?;
            set_aside(self.data, &target, self.stamp)?;
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent)?;
                restrict(parent)?;
            }
            write_private(&target, &content)?;
            return Ok(done(format!("{file}: 已从备份找回 / taken from {}", source.name)));
        }
        Ok(Outcome::Cannot(match self.sources.iter().any(|source| source.is_backup) {
            true => format!("{file}: 备份里也没有完好的 / not whole in the backup either"),
            false => format!(
                "{file}: 需要一份备份,请加 --backup 文件 / needs a backup: add --backup FILE"
            ),
        }))
    }

    fn store(&self) -> anyhow::Result<Outcome> {
        let report = tianyin_journal::verify(&self.data.join("journal"), None, &mut |_| {});
        let head = match report {
            Ok(report) => report.head.seq,
            Err(e) => {
                return Ok(Outcome::Cannot(format!(
                    "日志没有修好之前,数据库无法重建 / not before the journal is whole: {e}"
                )));
            }
        };
        // After a rebuild beside a running service it may still have another name.
        tianyin_store::settle(&self.data.join("store"))?;
        set_aside(self.data, &self.data.join("store"), self.stamp)?;
        start::rebuild(self.data, head, &StoreOptions::default(), |_| {})?;
        Ok(done(format!("数据库已由日志重建,共 {head} 行 / store rebuilt from {head} lines")))
    }

    fn journal(&self) -> anyhow::Result<Outcome> {
        let journal = self.data.join("journal");
        let scratch = scratch::new(self.data)?;
        let out = scratch.path().join("journal");
        std::fs::create_dir(&out)?;
        let mut sources = vec![("journal".to_owned(), journal.clone())];
        sources.extend(self.sources.iter().map(|s| (s.name.clone(), s.journal())));
        let mended = mend(&sources, &out)?;
        if let Some((first, last)) = mended.lost {
            return Ok(Outcome::Cannot(format!(
                "第 {first} 至 {last} 行在日志、副本和备份里都没有完好的。请用 --backup 给出更新的备份,\
                 或用 tianyin restore 恢复整份备份 / lines {first} to {last} are whole nowhere: give a newer \
                 backup, or restore one as a whole"
            )));
        }
        if mended.head == 0 {
            return Ok(Outcome::Cannot(
                "没有可用的副本或备份 / no copy and no backup to take it from".to_owned(),
            ));
        }
        let now =
            tianyin_journal::verify(&journal, None, &mut |_| {}).map(|report| report.head.seq);
        if now.is_ok_and(|now| now >= mended.head) {
            return Ok(Outcome::Cannot(
                "副本和备份里也没有丢失的行。确认无法找回后,运行 tianyin rebuild 按现有日志继续 / no copy has                  the lost lines either; `tianyin rebuild` goes on without them"
                    .to_owned(),
            ));
        }
        let report = tianyin_journal::verify(&out, None, &mut |_| {})?;
        ensure!(report.head.seq == mended.head && report.torn.is_none(), "the mended journal");
        set_aside(self.data, &journal, self.stamp)?;
        std::fs::rename(&out, &journal).context("put the mended journal in place")?;
        sync_dir(self.data)?;
        let taken: Vec<String> = mended
            .taken
            .iter()
            .filter(|(name, ..)| name != "journal")
            .map(|(name, first, last)| format!("{first}–{last} ({name})"))
            .collect();
        let (head, taken) = (mended.head, taken.join(", "));
        Ok(done(format!(
            "日志已修好,共 {head} 行,取自副本的行: {taken} / journal whole again, lines taken from copies: {taken}"
        )))
    }
}

fn done(text: String) -> Outcome {
    Outcome::Done(text)
}
