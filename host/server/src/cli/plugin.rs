//! `plugin install` and `plugin list`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Place, quiet_logs};
use crate::app::plugins::{Plugins, install};

#[derive(Subcommand)]
pub(crate) enum PluginVerb {
    /// 安装插件包,下次启动生效 / Install a package; it works from the next start on
    Install {
        #[command(flatten)]
        place: Place,
        /// 插件包 *.tyx / Package
        file: PathBuf,
    },
    /// 列出插件 / List plugins
    List {
        #[command(flatten)]
        place: Place,
    },
}

impl PluginVerb {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        match self {
            Self::Install { place, file } => {
                let (info, path) = install(&place.load()?.data.join("plugins"), &file)?;
                println!("{} {} → {}", info.id, info.version, path.display());
            }
            Self::List { place } => {
                for p in Plugins::open(&place.load()?.data.join("plugins"))?.list() {
                    let state = p.failure.as_deref().unwrap_or("ok");
                    println!("{}\t{}\t{}\t{state}", p.id, p.version, p.title);
                }
            }
        }
        Ok(())
    }
}
