//! `plugin …`: with the service running they take effect at once.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use super::out::say;
use super::reach::{self, Question};
use super::{Place, print_json, quiet_logs, rows, text};

#[derive(Subcommand)]
pub(crate) enum PluginVerb {
    /// 安装插件包,立即生效 / Install a package; it works at once
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
        /// 输出 JSON / Print JSON
        #[arg(long)]
        json: bool,
    },
    /// 停用插件,立即生效 / Switch a plugin off, at once
    Disable {
        #[command(flatten)]
        place: Place,
        /// 插件编号 / Id of the plugin
        id: String,
    },
    /// 恢复使用插件,立即生效 / Switch a plugin on again, at once
    Enable {
        #[command(flatten)]
        place: Place,
        /// 插件编号 / Id of the plugin
        id: String,
    },
}

impl PluginVerb {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        match self {
            Self::Install { place, file } => {
                let bytes =
                    std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
                let question = Question::send("/plugins/install", bytes.into());
                let done = reach::ask_or_create(&place.load()?, &question)?;
                let plugin = &done["plugin"];
                let [id, version] = ["id", "version"].map(|key| text(plugin, key));
                say!("{id} {version} → {}", text(&done, "path"));
                if plugin["disabled"] == true {
                    say!("仍处于停用状态 / still switched off: tianyin plugin enable {id}");
                }
            }
            Self::List { place, json } => {
                let told = reach::ask_or_create(&place.load()?, &Question::get("/plugins"))?;
                if json {
                    return print_json(&told);
                }
                for p in rows(&told, "plugins") {
                    let state = match p["failure"].as_str() {
                        Some(failure) => failure,
                        None if p["disabled"] == true => "停用 / disabled",
                        None => "ok",
                    };
                    let [id, version, title] = ["id", "version", "title"].map(|key| text(p, key));
                    say!("{id}\t{version}\t{title}\t{state}");
                }
            }
            Self::Disable { place, id } => switch(&place, "/plugins/disable", &id)?,
            Self::Enable { place, id } => switch(&place, "/plugins/enable", &id)?,
        }
        Ok(())
    }
}

fn switch(place: &Place, path: &'static str, id: &str) -> anyhow::Result<()> {
    let done = reach::ask(&place.load()?, &Question::post(path, &json!({ "id": id })))?;
    let off = done["plugin"]["disabled"] == true;
    say!("{id}: {}", if off { "停用 / disabled" } else { "ok" });
    Ok(())
}
