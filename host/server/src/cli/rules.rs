//! `rules check` and `rules test`: the same runner as the tests of the project.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use tianyin_rules::{Diagnostic, RuleSet, Severity};

use super::out::say;
use crate::app::limit_sheet::{self, Edition, TABLE};
use crate::app::sheet;

#[derive(Subcommand)]
pub(crate) enum Rules {
    /// 检查规则的语法和数据表 / Check syntax and data tables
    Check {
        #[command(flatten)]
        pack: Pack,
    },
    /// 把内置的规则和数据表写到一个新目录,供县里修改 / Write the shipped rules and tables to a new folder, for
    /// a county to change
    Export {
        /// 新目录 / New folder
        dir: PathBuf,
    },
    /// 导入一版残留限量(如 GB 2763)到本县的数据表,下次启动生效 / Take one edition of residue limits into the
    /// county's table; it holds from the next start
    ImportLimits {
        /// xlsx 或 CSV,列:农药、食品、类别、限量、单位 / Sheet
        sheet: PathBuf,
        /// 数据目录 / Data folder
        #[arg(long)]
        data: PathBuf,
        /// 标准号,例如 GB 2763-2026 / Number of the standard
        #[arg(long)]
        edition: String,
        /// 施行日期 / First day
        #[arg(long)]
        from: tianyin_domain::Date,
        /// 废止日期 / Last day
        #[arg(long)]
        to: Option<tianyin_domain::Date>,
    },
    /// 运行规则的用例 / Run the rules' cases
    Test {
        #[command(flatten)]
        pack: Pack,
        /// 只运行名称包含此文字的用例 / Only cases whose name contains this
        #[arg(long, default_value = "")]
        filter: String,
    },
}

/// Which rules.
#[derive(Args)]
pub(crate) struct Pack {
    /// 规则目录(省略则用内置规则) / Folder of rules (the shipped ones when left out)
    dir: Option<PathBuf>,
    /// 按这个数据目录启动时的样子:内置规则加上其中 rules/ 里本县的文件 / As the appliance starts with this data
    /// folder: the shipped rules with the county's own files in its rules/
    #[arg(long, conflicts_with = "dir")]
    data: Option<PathBuf>,
}

impl Rules {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Check { pack } => {
                let rules = load(pack)?;
                let diagnostics = rules.check();
                show(&diagnostics);
                anyhow::ensure!(
                    diagnostics.iter().all(|d| d.severity != Severity::Error),
                    "rules are not usable"
                );
                say!("{} rules", rules.rules().count());
                Ok(())
            }
            Self::Export { dir } => export(&dir),
            Self::ImportLimits { sheet, data, edition, from, to } => {
                let edition = Edition { id: edition, valid_from: from, valid_to: to };
                import_limits(&sheet, &data, &edition)
            }
            Self::Test { pack, filter } => {
                let rules = load(pack)?;
                let report = rules.run_cases(&filter);
                for failure in &report.failed {
                    say!("FAILED {}: {} ({})", failure.rule, failure.case, failure.file);
                    for diff in &failure.diffs {
                        say!("       {diff}");
                    }
                }
                say!("{} passed, {} failed", report.passed, report.failed.len());
                anyhow::ensure!(report.passed > 0, "no case ran");
                anyhow::ensure!(report.failed.is_empty(), "cases failed");
                Ok(())
            }
        }
    }
}

fn export(dir: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!dir.exists(), "{} is there already", dir.display());
    let rules = RuleSet::shipped().map_err(|d| anyhow::anyhow!("{} errors", d.len()))?;
    for (path, text) in rules.files() {
        let to = dir.join(path);
        std::fs::create_dir_all(to.parent().unwrap_or(dir))?;
        std::fs::write(&to, text).with_context(|| to.display().to_string())?;
    }
    say!("{} files", rules.files().len());
    Ok(())
}

/// Writes the county's table anew, once the whole pack was seen to be good with it.
fn import_limits(sheet: &Path, data: &Path, edition: &Edition) -> anyhow::Result<()> {
    let bytes = std::fs::read(sheet).with_context(|| sheet.display().to_string())?;
    let sheet = sheet::read(&bytes).map_err(|error| anyhow::anyhow!(error.detail()))?;
    let rules = load(Pack { dir: None, data: Some(data.to_owned()) })?;
    let mut files = rules.files().clone();
    let table = files.get(TABLE).context(TABLE)?;
    let (text, count) = limit_sheet::merged(table, &sheet, edition)?;
    files.insert(TABLE.to_owned(), text.clone());
    RuleSet::from_files(files, tianyin_rules::Limits::default()).map_err(|diagnostics| {
        show(&diagnostics);
        anyhow::anyhow!("rules are not usable")
    })?;
    let to = data.join("rules").join(TABLE);
    std::fs::create_dir_all(to.parent().unwrap_or(data))?;
    let fresh = to.with_extension("toml.new");
    std::fs::write(&fresh, text).with_context(|| fresh.display().to_string())?;
    std::fs::rename(&fresh, &to).with_context(|| to.display().to_string())?;
    say!("{count} limits of {} in {}", edition.id, to.display());
    Ok(())
}

fn load(pack: Pack) -> anyhow::Result<RuleSet> {
    let loaded = match (pack.dir, pack.data) {
        (Some(dir), _) => RuleSet::load(dir),
        (None, Some(data)) => RuleSet::shipped_under(data.join("rules")),
        (None, None) => RuleSet::shipped(),
    };
    loaded.map_err(|diagnostics| {
        show(&diagnostics);
        anyhow::anyhow!("rules are not usable")
    })
}

fn show(diagnostics: &[Diagnostic]) {
    for d in diagnostics {
        say!("{d}");
    }
}
