//! The command line. Every verb answers `--help` in Chinese and English; exit code 0 ok, 1 failed,
//! 2 bad usage.

mod care;
mod check;
mod codes;
mod data;
mod device;
mod keys;
mod mirror;
mod out;
mod plugin;
mod reach;
mod rules;
mod serve;
mod sim;
mod status;
mod stuck;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use out::say;

/// 田印:县域农产品追溯、身份证与承诺达标合格证一体机 / Tianyin: traceability, product identity
/// cards and conformity certificates of a county, in one binary.
#[derive(Parser)]
#[command(name = "tianyin", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// 启动服务 / Start the appliance
    Serve(serve::Serve),
    /// 生成初始设置链接(30 分钟有效) / Make a link for the first set-up (good for 30 minutes)
    SetupLink(serve::SetupLink),
    /// 一屏看清运行状况 / How it is, on one screen
    Status(status::Status),
    /// 管理员维护 / Administrators
    #[command(subcommand)]
    Admin(data::Admin),
    /// 用户 / Users
    #[command(subcommand)]
    User(user::UserVerb),
    /// 核对日志、数据库、照片、保密信息和密钥 / Verify journal, store, photos, secrets and keys
    Verify(care::Verify),
    /// 体检:找出问题并说明怎么办,--fix 动手修复 / Find what is wrong and what cures it; --fix cures
    Doctor(care::Doctor),
    /// 备份全部数据到一个文件 / Back everything up to one file
    Backup(care::Backup),
    /// 由备份恢复(须先停止服务) / Restore a backup (stop the service first)
    Restore(care::Restore),
    /// 由日志重建数据库,服务可以照常运行 / Rebuild the store from the journal; the service may run on
    Rebuild(data::Rebuild),
    /// 在空数据目录中建立示范县(须先停止服务) / Fill an empty data folder with the demo county (stop the service first)
    Demo(data::Demo),
    /// 检查和测试规则 / Check and test rules
    #[command(subcommand)]
    Rules(rules::Rules),
    /// 安装、停用和查看插件 / Install, switch off and list plugins
    #[command(subcommand)]
    Plugin(plugin::PluginVerb),
    /// 设备:查看、审核、配对、模拟 / Devices: list, approve, pair, simulate
    #[command(subcommand)]
    Device(device::DeviceVerb),
    /// 县签名密钥:查看、更换 / The county's signing keys: list, change
    #[command(subcommand)]
    Keys(keys::KeysVerb),
    /// 离线验证合格证凭证 / Check offline proofs of certificates
    Check(check::Check),
    /// 静态镜像:导出公开页面,导入网站日志 / The static mirror: export the public pages, import its host's log
    #[command(subcommand)]
    Mirror(mirror::MirrorVerb),
    /// 追溯码:扫码地点所用的地址段表 / Codes: the table of addresses that tells where they are scanned
    #[command(subcommand)]
    Codes(codes::CodesVerb),
    /// 版本 / Version
    Version,
}

/// Where data and settings are.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// 数据目录 / Data folder
    #[arg(long, env = "TIANYIN_DATA", default_value = "tianyin-data")]
    data: PathBuf,
    /// 配置文件(默认为数据目录下的 tianyin.toml) / Settings file
    #[arg(long, env = "TIANYIN_CONFIG")]
    config: Option<PathBuf>,
}

impl Place {
    pub(crate) fn load(&self) -> anyhow::Result<Config> {
        Config::load(&self.data, self.config.as_deref())
    }
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // clap answers --help and --version as errors of their own kind.
            let code = if e.use_stderr() { 2 } else { 0 };
            let _ = e.print();
            return ExitCode::from(code);
        }
    };
    let done = match cli.verb {
        Verb::Serve(v) => v.run(),
        Verb::SetupLink(v) => v.run(),
        Verb::Status(v) => v.run(),
        Verb::Admin(v) => v.run(),
        Verb::User(v) => v.run(),
        Verb::Verify(v) => v.run(),
        Verb::Doctor(v) => v.run(),
        Verb::Backup(v) => v.run(),
        Verb::Restore(v) => v.run(),
        Verb::Rebuild(v) => v.run(),
        Verb::Demo(v) => v.run(),
        Verb::Rules(v) => v.run(),
        Verb::Plugin(v) => v.run(),
        Verb::Device(v) => v.run(),
        Verb::Keys(v) => v.run(),
        Verb::Check(v) => v.run(),
        Verb::Mirror(v) => v.run(),
        Verb::Codes(v) => v.run(),
        Verb::Version => {
            say!("tianyin {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    };
    match done.and_then(|()| out::finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            out::complain(format_args!("tianyin: {e:#}"));
            ExitCode::from(1)
        }
    }
}

/// A runtime for verbs that need one.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Logs of offline verbs: warnings only, to stderr.
pub(crate) fn quiet_logs() {
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .try_init();
}

/// Prints an answer for a machine.
pub(crate) fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    say!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// The rows of a list in an answer.
pub(crate) fn rows<'a>(told: &'a serde_json::Value, key: &str) -> &'a [serde_json::Value] {
    told[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text in an answer.
pub(crate) fn text<'a>(told: &'a serde_json::Value, key: &str) -> &'a str {
    told[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    /// What is wrong with a verb would else be seen by whoever gives it first.
    #[test]
    fn every_verb_can_be_given() {
        super::Cli::command().debug_assert();
    }
}
