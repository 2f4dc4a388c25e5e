//! `rules check` and `rules test`: the same runner as the tests of the project.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use tianyin_rules::{Diagnostic, RuleSet, Severity};

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
                println!("{} rules", rules.rules().count());
                Ok(())
            }
            Self::Export { dir } => export(&dir),
            Self::Test { pack, filter } => {
                let rules = load(pack)?;
                let report = rules.run_cases(&filter);
                for failure in &report.failed {
                    println!("FAILED {}: {} ({})", failure.rule, failure.case, failure.file);
                    for diff in &failure.diffs {
                        println!("       {diff}");
                    }
                }
                println!("{} passed, {} failed", report.passed, report.failed.len());
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
    println!("{} files", rules.files().len());
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
        println!("{d}");
    }
}
