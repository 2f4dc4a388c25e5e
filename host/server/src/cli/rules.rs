//! `rules check` and `rules test`: the same runner as the tests of the project.

use std::path::PathBuf;

use clap::Subcommand;
use tianyin_rules::{Diagnostic, RuleSet, Severity};

#[derive(Subcommand)]
pub(crate) enum Rules {
    /// 检查规则的语法和数据表 / Check syntax and data tables
    Check {
        /// 规则目录(省略则用内置规则) / Folder of rules (the shipped ones when left out)
        dir: Option<PathBuf>,
    },
    /// 运行规则的用例 / Run the rules' cases
    Test {
        /// 规则目录(省略则用内置规则) / Folder of rules (the shipped ones when left out)
        dir: Option<PathBuf>,
        /// 只运行名称包含此文字的用例 / Only cases whose name contains this
        #[arg(long, default_value = "")]
        filter: String,
    },
}

impl Rules {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Check { dir } => {
                let rules = load(dir)?;
                let diagnostics = rules.check();
                show(&diagnostics);
                anyhow::ensure!(
                    diagnostics.iter().all(|d| d.severity != Severity::Error),
                    "rules are not usable"
                );
                println!("{} rules", rules.rules().count());
                Ok(())
            }
            Self::Test { dir, filter } => {
                let rules = load(dir)?;
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

fn load(dir: Option<PathBuf>) -> anyhow::Result<RuleSet> {
    let loaded = match dir {
        Some(dir) => RuleSet::load(dir),
        None => RuleSet::shipped(),
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
