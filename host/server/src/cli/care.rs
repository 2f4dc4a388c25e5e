//! `verify`, `doctor`, `backup`, `restore`.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::json;

use tianyin_journal::JournalError;

use super::out::{self, say};
use super::reach::{self, Question, Reached};
use super::{Place, quiet_logs};
use crate::admin::socket;
use crate::app::cure;
use crate::care::backup::{Moment, backup};
use crate::care::cure::{Cures, Outcome, Remedy, Source};
use crate::care::finding::{Finding, Severity};
use crate::care::restore::{Before, prepare};
use crate::care::verify::{Report, verify};
use crate::care::{Folder, archive, doctor, scratch};
use crate::config::Config;

/// Findings of one kind that are printed one by one.
const PRINTED_MAX: usize = 10;

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    place: Place,
    /// 不核对数据库(快得多) / Leave the store out (much faster)
    #[arg(long)]
    quick: bool,
    /// 输出 JSON / Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        let config = self.place.load()?;
        let report = match reach::reach(&config, || lock(&config.data))? {
            Reached::Running(stream) => {
                let question = Question::post("/verify", &json!({ "quick": self.quick }));
                serde_json::from_value(reach::ask_service(stream, &question)?)?
            }
            Reached::Stopped(_lock) => {
                let folder = Folder { config: config.clone(), live: None };
                let options = crate::care::verify::Options { quick: self.quick };
                verify(&folder, options, &mut |_, _, _| {})?
            }
        };
        print(&report, self.json)?;
        ensure!(report.ok, "发现损坏,见上 / damage was found, see above");
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    place: Place,
    /// 动手修复(须先停止服务);原文件移到 set-aside,不会删除 / Cure what can be cured (stop the service first); originals go to set-aside
    #[arg(long)]
    fix: bool,
    /// 修复时可取用的备份 / A backup that cures may take from
    #[arg(long)]
    backup: Option<PathBuf>,
    /// 不核对数据库(快得多) / Leave the store out (much faster)
    #[arg(long)]
    quick: bool,
    /// 逐台连接打印机 / Connect to every printer
    #[arg(long)]
    printers: bool,
    /// 输出 JSON / Print JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        let config = self.place.load().context(
            "设置有错,请改正 tianyin.toml 或环境变量 / the settings are wrong: mend tianyin.toml or the environment",
        )?;
        ensure!(
            config.data.is_dir(),
            "没有这个数据目录 / no such data folder: {}",
            config.data.display()
        );
        let (outcomes, report) = self.look(&config)?;
        if self.json {
            let value = json!({ "cures": outcomes, "report": report });
            say!("{}", serde_json::to_string_pretty(&value)?);
        } else {
            for outcome in &outcomes {
                match outcome {
                    Outcome::Done(text) => say!("✓ {text}"),
                    Outcome::Cannot(text) => say!("✗ 不能修复 / cannot: {text}"),
                }
            }
            print(&report, false)?;
            if !self.fix && report.findings.iter().any(|f| f.severity > Severity::Note) {
                say!(
                    "可以自动修复:停止服务后运行 tianyin doctor --fix / `tianyin doctor --fix` cures some of it"
                );
            }
        }
        ensure!(report.ok, "还有损坏,见上 / there is damage left, see above");
        Ok(())
    }

    /// Looks, beside a running service or at the folder of a stopped one, and cures if asked to.
    fn look(&self, config: &Config) -> anyhow::Result<(Vec<Outcome>, Report)> {
        let options = doctor::Options { quick: self.quick, printers: self.printers };
        let folder = Folder { config: config.clone(), live: None };
        if self.fix {
            let _lock = reach::stopped(config, || lock(&config.data))?;
            let report = doctor::examine(&folder, options, &mut |_, _, _| {})?;
            let outcomes = self.cure(&folder, &report.findings)?;
            return Ok((outcomes, doctor::examine(&folder, options, &mut |_, _, _| {})?));
        }
        let report = match reach::reach(config, || lock(&config.data))? {
            Reached::Running(stream) => {
                let input = json!({ "quick": self.quick, "printers": self.printers });
                let question = Question::post("/doctor", &input);
                serde_json::from_value(reach::ask_service(stream, &question)?)?
            }
            Reached::Stopped(_lock) => doctor::examine(&folder, options, &mut |_, _, _| {})?,
        };
        Ok((Vec::new(), report))
    }

    fn cure(&self, folder: &Folder, findings: &[Finding]) -> anyhow::Result<Vec<Outcome>> {
        let mut remedies: Vec<&Remedy> =
            findings.iter().filter_map(|f| f.remedy.as_ref()).collect();
        remedies.sort();
        remedies.dedup();
        let unpacked = match &self.backup {
            Some(file) if !remedies.is_empty() => Some((file, unpack(folder.data(), file)?)),
            _ => None,
        };
        let source = |path: &Path, dir: &Path, is_backup: bool| Source {
            name: path.display().to_string(),
            dir: dir.to_owned(),
            is_backup,
        };
        let copy = folder.config.journal.copy.iter().map(|dir| source(dir, dir, false));
        let backup = unpacked.iter().map(|(file, dir)| source(file, dir.path(), true));
        let sources: Vec<Source> = copy.chain(backup).collect();
        let stamp = scratch::new_stamp(folder.data());
        let cures = Cures { data: folder.data(), sources: &sources, stamp: &stamp };
        remedies.into_iter().map(|remedy| cures.apply(remedy)).collect()
    }
}

/// Unpacks a backup into a scratch folder, checked in every file.
fn unpack(data: &Path, file: &Path) -> anyhow::Result<tempfile::TempDir> {
    let dir = scratch::new(data)?;
    archive::unpack(file, dir.path(), doctor::free_bytes(data)?)?;
    Ok(dir)
}

#[derive(Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    place: Place,
    /// 备份文件,例如 /media/usb/tianyin-20261120.tgz;其中有私钥,请妥善保管 / The file to write; it holds private keys: keep it safe
    file: PathBuf,
    /// 不做恢复试验 / Leave the restore test out
    #[arg(long)]
    no_test: bool,
    /// 输出 JSON / Print JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        let config = self.place.load()?;
        let data = &config.data;
        ensure!(data.is_dir(), "没有这个数据目录 / no such data folder: {}", data.display());
        let is_running = is_running(data)?;
        let _lock = if is_running { None } else { lock(data)? };
        let moment = || {
            let until = if is_running { Some(acknowledged(data)?) } else { None };
            let report = tianyin_journal::verify(&data.join("journal"), until, &mut |_| {})
                .context(
                    "日志损坏,先运行 tianyin doctor / the journal is damaged: run `tianyin doctor`",
                )?;
            Ok(Moment { head: report.head.seq, hash: report.head.hash.to_string() })
        };
        let made = backup(data, &self.file, moment, !self.no_test, &mut |_| {})?;
        if self.json {
            say!("{}", serde_json::to_string_pretty(&made)?);
            return Ok(());
        }
        let (file, mib) = (made.file.display(), made.bytes as f64 / 1_048_576.0);
        say!("已备份 / backed up: {file} ({mib:.1} MiB, {} 个文件 / files)", made.files);
        say!("日志到第 {} 行 / journal up to line {} {}", made.head, made.head, made.hash);
        say!(
            "{}",
            if made.tested {
                "恢复试验通过 / the restore test passed"
            } else {
                "没有做恢复试验 / not tested"
            }
        );
        say!(
            "备份里有私钥和保密信息,请像公章一样保管 / it holds private keys: keep it as you keep the seal"
        );
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    place: Place,
    /// 备份文件 / The backup
    file: PathBuf,
    /// 现有数据里有备份没有的记录时,仍然恢复 / Restore although the folder has records that the backup lacks
    #[arg(long)]
    yes: bool,
    /// 输出 JSON / Print JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        // Settings are part of the backup; those in place may be what is broken.
        let data = std::path::absolute(&self.place.data)?;
        ensure!(
            !is_running(&data)?,
            "服务正在 {} 上运行,请先停止服务 / a service runs on it: stop it first",
            data.display()
        );
        let _lock = lock(&data)?;
        let unpacked = prepare(&self.file, &data)?;
        let lost = match unpacked.before {
            Before::Nothing | Before::Later(0) => None,
            Before::Later(lines) => Some(format!(
                "现有数据比备份多 {lines} 行记录,恢复后看不到它们 / the folder has {lines} later lines that the backup lacks"
            )),
            Before::Other => Some(
                "现有数据不是这份备份的来源,或已走了另一条路 / the folder holds another history than the backup"
                    .to_owned(),
            ),
        };
        if let Some(text) = &lost {
            out::complain(format_args!("! {text}"));
            if !self.yes {
                bail!(
                    "没有恢复,什么都没有改动。确认要恢复请加 --yes / nothing was changed; add --yes to go on"
                );
            }
        }
        let restored = unpacked.put_in_place(&data)?;
        if self.json {
            say!("{}", serde_json::to_string_pretty(&restored)?);
            return Ok(());
        }
        say!("已恢复 / restored: {} ({} 个文件 / files)", data.display(), restored.files);
        say!("备份时间 / made at {}", restored.made_at);
        say!(
            "日志到第 {} 行 / journal up to line {} {}",
            restored.head,
            restored.head,
            restored.hash
        );
        if let Some(aside) = &restored.safety_copy {
            say!("原来的数据保留在 / what was there is kept in {}", aside.display());
        }
        Ok(())
    }
}

/// Keeps the service, and any other verb that writes, off the data folder.
fn lock(data: &Path) -> anyhow::Result<Option<File>> {
    let path = data.join("journal").join("lock");
    let Ok(file) = File::options().write(true).open(&path) else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            Err(cure::explain(JournalError::Locked(path).into(), data))
        }
        Err(TryLockError::Error(e)) => Err(e).with_context(|| path.display().to_string()),
    }
}

/// Whether a service answers at its socket.
fn is_running(data: &Path) -> anyhow::Result<bool> {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    match socket::connect(data) {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.kind(), NotFound | ConnectionRefused) => Ok(false),
        Err(e) => Err(e).context("连不上运行中的服务 / cannot reach the service"),
    }
}

/// The last line that the running service has acknowledged.
fn acknowledged(data: &Path) -> anyhow::Result<u64> {
    let stream = socket::connect(data).context("连不上运行中的服务 / cannot reach the service")?;
    let told = reach::ask_service(stream, &Question::get("/status"))?;
    told["seq"].as_u64().context("the service did not tell its last line")
}

fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    let mut printed: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &report.findings {
        let n = printed.entry(&finding.code).or_default();
        *n += 1;
        if *n <= PRINTED_MAX {
            say!("{finding}");
        }
    }
    for (code, n) in printed.iter().filter(|(_, n)| **n > PRINTED_MAX) {
        say!("… {code}: 还有 {} 处 / {} more", n - PRINTED_MAX, n - PRINTED_MAX);
    }
    say!("日志 / journal: {} 行 / lines, {}", report.head, report.hash);
    if let Some(applied) = report.applied {
        say!(
            "数据库 / store: 到第 {applied} 行 / up to line {applied}, {} keys",
            report.store_keys
        );
    }
    say!(
        "照片文件 / blobs: {}, 保密信息 / secrets: {}, 凭证抽查 / proofs checked: {}",
        report.blobs,
        report.secrets,
        report.proofs
    );
    say!("{}", if report.ok { "✓ 完好 / whole" } else { "✗ 有损坏 / damaged" });
    Ok(())
}
