//! `mirror …`: export the public pages, tell how the mirror stands, count the scans in its host's log.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tianyin_domain::mirror_log::{ImportMirrorLog, Place as LogPlace, is_name};

use super::out::say;
use super::reach::{self, Question, Session};
use super::{Place, print_json, quiet_logs, rows, text};
use crate::app::mirror::import::{self, Counted, DEFAULT_NAME, Imported, Sink};
use crate::app::mirror::log::Source;
use crate::app::scan_areas::ScanAreas;

#[derive(Subcommand)]
pub(crate) enum MirrorVerb {
    /// 把全部公开页面导出到一个文件夹 / Export all public pages to a folder
    Export(Export),
    /// 镜像更新到哪里了,日志导入到哪里了 / How the mirror stands, and how far logs were imported
    Status {
        #[command(flatten)]
        place: Place,
        /// 输出 JSON / Print JSON
        #[arg(long)]
        json: bool,
    },
    /// 导入网站日志,计入扫码次数;重复导入不会重复计 / Count the scans in a web host's log; again counts nothing
    ImportLog(ImportLog),
}

#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    place: Place,
    /// 文件夹,没有会新建 / The folder, made when it is not there
    dir: PathBuf,
    /// 输出 JSON / Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct ImportLog {
    #[command(flatten)]
    place: Place,
    /// combined 格式的日志,可以是 .gz / Logs in the combined format, also gzip'd
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// 日志名称,每台网站主机用一个 / Name of the log, one for each host
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
    /// 输出 JSON / Print JSON
    #[arg(long)]
    json: bool,
}

impl MirrorVerb {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        match self {
            Self::Export(export) => export.run(),
            Self::Status { place, json } => {
                let told = reach::ask(&place.load()?, &Question::get("/mirror"))?;
                if json {
                    return print_json(&told);
                }
                show(&told);
                Ok(())
            }
            Self::ImportLog(import) => import.run(),
        }
    }
}

impl Export {
    fn run(self) -> anyhow::Result<()> {
        // The service works in another folder.
        let dir = std::path::absolute(&self.dir).context("folder")?;
        let input = json!({ "dir": dir });
        let done = reach::ask(&self.place.load()?, &Question::post("/mirror/export", &input))?;
        if self.json {
            return print_json(&done);
        }
        say!(
            "页面 / pages {}, 码包的码 / codes of packs {}, 写入文件 / files written {}, 没有做成 / faults {}",
            done["pages"], done["codes"], done["files"], done["faults"]
        );
        Ok(())
    }
}

fn show(told: &Value) {
    let mirror = &told["mirror"];
    let folder = mirror["folder"].as_str().unwrap_or("没有设置 / not set");
    say!("文件夹 / folder: {folder}");
    if mirror["is_kept"] == true {
        say!("已完成 / complete at: {}", mirror["complete_at"].as_str().unwrap_or("-"));
        say!("等待 / waiting: {}", mirror["waiting"]);
        say!("页面 / pages: {}, 文件 / files: {}", mirror["pages"], mirror["files"]);
        let units = &mirror["units"];
        say!("等待的码包 / packs waiting: {}", units["packs"]);
        if let Some(pack) = units["pack"].as_str() {
            say!("  {pack}: {} / {}", units["done"], units["size"]);
        }
        if let Some(error) = units["error"].as_str() {
            say!("  {error}");
        }
        for key in ["error", "last_fault"] {
            if let Some(text) = mirror[key].as_str() {
                say!("{key}: {text}");
            }
        }
    }
    for log in rows(told, "logs") {
        let through = text(&log["through"], "at");
        say!(
            "日志 / log {}: 至 / through {through}, 扫码 / scans {}",
            text(log, "name"),
            log["scans"]
        );
    }
}

impl ImportLog {
    fn run(self) -> anyhow::Result<()> {
        anyhow::ensure!(
            is_name(&self.name),
            "日志名称请用字母、数字、点、横线或下划线,最长 64 个字符 / --name: letters, digits, `.`, `-`, `_`"
        );
        let sources = self.files.into_iter().map(Source::File).collect();
        // The log is read here: the service's account may not be allowed to. Addresses stay here, too.
        let config = self.place.load()?;
        let session = Session::open(&config)?;
        let mut there = There { session, areas: ScanAreas::open(&config.data) };
        let imported = import::import(&self.name, sources, &mut there);
        there.session.end();
        let imported = imported?;
        if self.json {
            return print_json(&serde_json::to_value(imported)?);
        }
        tell(&imported);
        Ok(())
    }
}

fn tell(imported: &Imported) {
    say!("读取行数 / lines read: {}", imported.lines);
    say!("计入扫码 / scans counted: {}", imported.scans);
    say!(
        "跳过 / skipped: 以前导入过 / imported before {}, 爬虫 / bots {}, 其他 / others {}, 不是合格证的码 / no certificate's code {}",
        imported.known,
        imported.bots,
        imported.others,
        imported.other_codes
    );
    say!("看不懂的行 / bad lines: {}", imported.bad);
    for bad in &imported.bad_lines {
        say!("  {}:{} {}", bad.file, bad.line, bad.why);
    }
}

/// Counts in the service, or in the data folder opened here.
struct There {
    session: Session,
    areas: ScanAreas,
}

impl Sink for There {
    type Error = anyhow::Error;

    fn area_of(&self, address: IpAddr) -> Option<String> {
        self.areas.area_of(address)
    }

    fn place(&mut self, name: &str) -> anyhow::Result<Option<LogPlace>> {
        let told = self.session.ask(&Question::post("/mirror/log", &json!({ "name": name })))?;
        serde_json::from_value(told["place"].clone()).context("place")
    }

    fn count(&mut self, import: ImportMirrorLog) -> anyhow::Result<Counted> {
        let input = serde_json::to_value(import)?;
        let told = self.session.ask(&Question::post("/mirror/log/count", &input))?;
        serde_json::from_value(told).context("counts")
    }
}
