//! Verbs on a data folder.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tianyin_journal::Journal;
use tianyin_store::{Options as StoreOptions, Store};

use super::out::say;
use super::reach::{self, Question, Reached, Shown};
use super::{Place, print_json, quiet_logs, runtime};
use crate::admin::Progress;
use crate::app::{App, cure, lost, start};
use crate::config::Config;

#[derive(Subcommand)]
pub(crate) enum Admin {
    /// 重设密码,该用户须重新登录 / Set a new password; the user has to sign in again
    ResetPassword {
        #[command(flatten)]
        place: Place,
        /// 用户名 / User name
        #[arg(long)]
        username: String,
        /// 新密码(省略则随机生成并显示) / New password (made up and shown when left out)
        #[arg(long)]
        password: Option<String>,
    },
}

impl Admin {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self::ResetPassword { place, username, password } = self;
        quiet_logs();
        let shown = password.is_none();
        let password = password.unwrap_or_else(crate::app::passwords::drawn_password);
        let input = json!({ "username": username, "password": password });
        reach::ask(&place.load()?, &Question::post("/users/reset-password", &input))?;
        if shown {
            say!("{password}");
        }
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Rebuild {
    #[command(flatten)]
    place: Place,
    /// 日志缺少的行找不回来,以现有日志为准 / Give up lines that the journal has lost
    #[arg(long)]
    accept_loss: bool,
    /// 输出 JSON / Print JSON
    #[arg(long)]
    json: bool,
}

impl Rebuild {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        let config = self.place.load()?;
        reach::must_exist(&config)?;
        let ended = match reach::reach(&config, || open_journal(&config))? {
            Reached::Running(stream) => {
                reach::ask_service(stream, &Question::post("/store/rebuild", &Value::Null))?
            }
            Reached::Stopped(journal) => rebuild(&config, &journal, self.accept_loss)
                .map_err(|e| cure::explain(e, &config.data))?,
        };
        if self.json {
            return print_json(&ended);
        }
        let number = |key: &str| ended[key].as_u64().unwrap_or_default();
        say!(
            "{} 条 / lines, {:.1} s, 写入暂停 / writing paused {} ms",
            number("lines"),
            Duration::from_millis(number("duration_ms")).as_secs_f64(),
            number("pause_ms")
        );
        Ok(())
    }
}

fn open_journal(config: &Config) -> anyhow::Result<Journal> {
    let opened = Journal::open(&config.data.join("journal"), tianyin_journal::Options::default());
    Ok(opened.map_err(|e| cure::explain(e.into(), &config.data))?.0)
}

/// With the service stopped; the answer has the form of the running one's.
fn rebuild(config: &Config, journal: &Journal, accept_loss: bool) -> anyhow::Result<Value> {
    let total = journal.head().seq;
    if !accept_loss {
        lost::check_journal(&config.data, total)?;
        let (store, _) = Store::open(&config.data.join("store"), &StoreOptions::default())?;
        lost::check_store(&store, total)?;
    }
    let started = Instant::now();
    let elapsed_ms = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut shown = Shown::default();
    start::rebuild(&config.data, total, &StoreOptions::default(), |done| {
        let per_s = done * 1000 / elapsed_ms().max(1);
        shown.show(&Progress { text: "重建数据库 / rebuilding".into(), done, total, per_s });
    })?;
    Ok(json!({ "lines": total, "duration_ms": elapsed_ms(), "pause_ms": 0 }))
}

#[derive(Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    place: Place,
    /// 管理员密码(省略则随机生成) / Administrator's password (made up when left out)
    #[arg(long)]
    password: Option<String>,
    /// 二维码中的网址 / Address in QR codes
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    public_url: String,
    /// 标签打印机地址 / Address of the label printer
    #[arg(long, default_value = "127.0.0.1:9100")]
    printer: String,
}

impl Demo {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        let config = self.place.load()?;
        let password = self.password.unwrap_or_else(|| crate::edge::new_token()[..16].to_owned());
        let runtime = runtime()?;
        let _inside = runtime.enter();
        let app = reach::stopped(&config, || App::open(config.clone()))?;
        runtime.block_on(async {
            let made = crate::demo::fill(&app, &password, &self.public_url, &self.printer).await?;
            app.close().await;
            say!("{}", serde_json::to_string_pretty(&made)?);
            anyhow::Ok(())
        })
    }
}
