//! `status`: one screen.

use clap::Args;
use serde_json::Value;

use super::out::say;
use super::reach::{self, Question};
use super::{Place, print_json, quiet_logs, text};

#[derive(Args)]
pub(crate) struct Status {
    #[command(flatten)]
    place: Place,
    /// 输出 JSON / Print JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        let told = reach::ask(&self.place.load()?, &Question::get("/status"))?;
        if self.json {
            return print_json(&told);
        }
        for (name, value) in screen(&told) {
            say!("{name}: {value}");
        }
        Ok(())
    }
}

/// What is shown, line by line.
fn screen(told: &Value) -> Vec<(&'static str, String)> {
    let number = |path: &str| told.pointer(path).and_then(Value::as_u64).unwrap_or_default();
    let hours = |s: u64| format!("{} h {} min", s / 3600, s / 60 % 60);
    let service = match told["running"] == true {
        true => format!("运行中 / running, {}, pid {}", hours(number("/uptime_s")), number("/pid")),
        false => "已停止 / stopped".into(),
    };
    let county = match told["set_up"] == true {
        true => text(told, "county").to_owned(),
        false => "尚未初始设置,请运行 tianyin setup-link / not set up".into(),
    };
    let writing = match &told["read_only"] {
        Value::Null => "正常 / yes".into(),
        reason => format!("否,只读 / no, read-only: {}", reason.as_str().unwrap_or_default()),
    };
    let (head, applied) = (number("/seq"), number("/applied_seq"));
    let rebuild = &told["rebuild"];
    let rebuild = if rebuild["running"].is_object() {
        let (done, total) = (number("/rebuild/running/done"), number("/rebuild/running/total"));
        let speed = number("/rebuild/running/per_s");
        format!("进行中 / running, {}% ({done}/{total}, {speed}/s)", done * 100 / total.max(1))
    } else if let Some(why) = told.pointer("/rebuild/last/failure").and_then(Value::as_str) {
        format!("上次没有成功 / the last one failed: {why}")
    } else if rebuild["last"].is_object() {
        format!("上次完成于 / last one done {}", text(&rebuild["last"], "at"))
    } else {
        "无 / none".into()
    };
    let devices = format!(
        "在线 / online {}, 已审核 / approved {}, 待审核 / pending {}, 停用 / disabled {}",
        number("/devices/online"),
        number("/devices/approved"),
        number("/devices/pending"),
        number("/devices/disabled")
    );
    let waiting = format!(
        "待处理消息 / messages {}, 隔离 / quarantined {}, 死信 / dead {}, 未归批检测 / tests without \
         lot {}, 打印任务 / print jobs {}",
        number("/waiting/messages"),
        number("/waiting/quarantined"),
        number("/waiting/dead"),
        number("/waiting/tests_without_lot"),
        number("/waiting/print_jobs")
    );
    let mut lines = vec![
        ("版本 / version", text(told, "version").to_owned()),
        ("服务 / service", service),
        ("数据目录 / data folder", text(told, "data").to_owned()),
        ("县 / county", county),
        ("可写入 / takes records", writing),
        ("日志 / journal", format!("{head} 条 / lines, 数据库已应用 / store applied {applied}")),
        ("数据库重建 / rebuild", rebuild),
        ("磁盘剩余 / disk free", format!("{} MiB", number("/disk_free_bytes") >> 20)),
        ("用户 / users", number("/users").to_string()),
        ("设备 / devices", devices),
        ("等待 / waiting", waiting),
    ];
    lines.extend(health(&told["health"]));
    lines
}

/// The sentence of the health page, then every part that is not well with what to do.
fn health(told: &Value) -> Vec<(&'static str, String)> {
    if told.is_null() {
        return Vec::new();
    }
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let rows = list(&told["rows"]).into_iter().filter(|row| row["state"] != "good");
    let ill = rows.flat_map(|row| {
        let title = text(&row, "title").to_owned();
        let said =
            |note: Value| format!("{title}: {} {}", text(&note, "text"), text(&note, "cure"));
        list(&row["notes"]).into_iter().map(said).collect::<Vec<_>>()
    });
    let sentence = ("系统状态 / health", text(told, "sentence").to_owned());
    std::iter::once(sentence).chain(ill.map(|line| ("  ·", line))).collect()
}
