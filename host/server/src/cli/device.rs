//! `device …`: list, approve, disable, pair, simulate.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::out::say;
use super::reach::{self, Question};
use super::sim::Sim;
use super::{Place, print_json, quiet_logs, rows, text};

#[derive(Subcommand)]
pub(crate) enum DeviceVerb {
    /// 列出设备 / List devices
    List {
        #[command(flatten)]
        place: Place,
        /// 输出 JSON / Print JSON
        #[arg(long)]
        json: bool,
    },
    /// 审核设备;省略的内容保持不变 / Approve a device; what is left out stays as it is
    Approve(Box<Approve>),
    /// 停用设备并断开连接 / Disable a device and end its connections
    Disable {
        #[command(flatten)]
        place: Place,
        /// 设备编号 / Device id
        id: String,
    },
    /// 开放配对十分钟(服务须在运行) / Open pairing for ten minutes (needs the service running)
    Pair {
        #[command(flatten)]
        place: Place,
    },
    /// 模拟设备(不使用数据目录) / Simulate a device (does not touch the data folder)
    #[command(subcommand)]
    Sim(Sim),
}

#[derive(Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    place: Place,
    /// 设备编号 / Device id
    id: String,
    /// 种类 / Kind
    #[arg(long, value_enum)]
    kind: Kind,
    /// 名称 / Name
    #[arg(long, default_value = "")]
    name: String,
    /// 型号 / Model
    #[arg(long, default_value = "")]
    model: String,
    /// 放置地点 / Where it stands
    #[arg(long, default_value = "")]
    at: String,
    /// 行政区划代码 / Region code
    #[arg(long, default_value = "")]
    area: String,
    /// 检测台 / Bench
    #[arg(long, default_value = "")]
    bench: String,
    /// 解码插件 / Decoder plugin
    #[arg(long, default_value = "")]
    decoder: String,
    /// 打印机网络地址 / Network address of a printer
    #[arg(long, default_value = "")]
    address: String,
    /// 打印机分辨率 203 或 300 / Resolution of a printer
    #[arg(long, default_value_t = 0)]
    dpi: u32,
    /// 发给新令牌,旧令牌失效 / Give out a new token; the old one stops working
    #[arg(long)]
    new_token: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// 残留检测仪 / Residue analyzer
    Analyzer,
    /// 扫码枪 / Scanner
    Scanner,
    /// 标签打印机 / Label printer
    Printer,
}

impl DeviceVerb {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        match self {
            Self::List { place, json } => {
                let told = reach::ask(&place.load()?, &Question::get("/devices"))?;
                if json {
                    return print_json(&told);
                }
                for device in rows(&told, "devices") {
                    let [id, name, kind] = ["id", "name", "kind"].map(|key| text(device, key));
                    let online = if device["online"] == true { "online" } else { "-" };
                    say!("{id}\t{name}\t{kind}\t{}\t{online}", text(device, "status"));
                }
            }
            Self::Approve(approve) => {
                let input = approve.input();
                let question = Question::post("/devices/approve", &input);
                let done = reach::ask(&approve.place.load()?, &question)?;
                // The token is told this once.
                say!("{}", done["token"].as_str().unwrap_or(&approve.id));
            }
            Self::Disable { place, id } => {
                let question = Question::post("/devices/disable", &json!({ "id": id }));
                reach::ask(&place.load()?, &question)?;
                say!("{id}");
            }
            Self::Pair { place } => {
                let question = Question::post("/devices/pair", &Value::Null);
                let done = reach::ask(&place.load()?, &question)?;
                say!("{}", text(&done, "code"));
            }
            Self::Sim(sim) => sim.run()?,
        }
        Ok(())
    }
}

impl Approve {
    fn input(&self) -> Value {
        let kind = match self.kind {
            Kind::Analyzer => "analyzer",
            Kind::Scanner => "scanner",
            Kind::Printer => "printer",
        };
        json!({
            "device": {
                "id": self.id, "kind": kind, "name": self.name, "model": self.model,
                "place": self.at, "area": self.area, "bench": self.bench,
                "decoder": self.decoder, "address": self.address, "dpi": self.dpi,
            },
            "new_token": self.new_token,
        })
    }
}
