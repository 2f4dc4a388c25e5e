//! `device sim …`: software devices for demonstrations and tests. They use the network, never the data
//! folder.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use tianyin_devices::sim::analyzer::{AnalyzerSim, SampleSpec};
use tianyin_devices::sim::printer::{Fault, Options, PrinterSim, Report};
use tianyin_gateway::client::{DeviceClient, Options as ClientOptions};
use tianyin_gateway::{DownKind, UpKind};

use super::out::say;
use super::runtime;

#[derive(Subcommand)]
pub(crate) enum Sim {
    /// 残留检测仪:发布一个结果并等待回执 / Analyzer: publishes one result and waits for the receipt
    Analyzer {
        #[command(flatten)]
        link: Link,
        /// 数据格式 / Format
        #[arg(long, value_enum, default_value = "json")]
        model: Model,
        /// 批次号(json 格式写入结果) / Lot number (goes into the result with json)
        #[arg(long, default_value = "")]
        lot: String,
        /// 样品名称 / Sample name
        #[arg(long, default_value = "")]
        name: String,
        /// 抑制率 % / Inhibition in percent
        #[arg(long, default_value = "16.54", allow_hyphen_values = true)]
        inhibition: String,
        /// 起始记录号 / First record number
        #[arg(long)]
        record: Option<u16>,
    },
    /// 扫码枪:发布一次扫码并等待回执 / Scanner: publishes one scan and waits for the receipt
    Scanner {
        #[command(flatten)]
        link: Link,
        /// 扫到的文字 / Scanned text
        text: String,
    },
    /// 标签打印机:接收 TSPL,把标签存成 PNG / Label printer: accepts TSPL, writes PNG files
    Printer {
        /// 监听地址 / Address to listen on
        #[arg(long, default_value = "127.0.0.1:9100")]
        listen: SocketAddr,
        /// 存放 PNG 的目录 / Folder for the PNG files
        #[arg(long, default_value = "labels")]
        folder: PathBuf,
        /// 分辨率 203 或 300 / Resolution
        #[arg(long, default_value_t = 203)]
        dpi: u32,
        /// 打印这么多张后退出,0 为一直运行 / Stop after so many labels; 0 runs on
        #[arg(long, default_value_t = 0)]
        count: usize,
    },
}

#[derive(clap::Args)]
pub(crate) struct Link {
    /// MQTT 地址,mqtts:// 为加密连接 / Broker; mqtts:// for TLS
    #[arg(long, default_value = "127.0.0.1:1883")]
    mqtt: String,
    /// 服务器的根证书(PEM),用于 mqtts:// / CA certificate (PEM) for mqtts://
    #[arg(long)]
    ca: Option<PathBuf>,
    /// 设备编号 / Device id
    #[arg(long)]
    device: String,
    /// 设备令牌或配对码 / Device token or pairing code
    #[arg(long)]
    token: String,
    /// 等待回执的秒数 / Seconds to wait for the receipt
    #[arg(long, default_value_t = 10)]
    wait_s: u64,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Model {
    /// LZ-4000T serial frames on up/raw
    Lz4000t,
    /// Canonical JSON on up/result
    Json,
}

impl Sim {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Analyzer { link, model, lot, name, inhibition, record } => {
                let inhibition_hundredths = Some(hundredths(&inhibition)?);
                let spec = SampleSpec { lot_no: lot, name, inhibition_hundredths };
                let now = crate::edge::now();
                // A device counts on between runs; the second of the day does that without a file.
                let first =
                    record.unwrap_or_else(|| (now.as_second() % 65_000).unsigned_abs() as u16);
                let mut device =
                    AnalyzerSim::new(now.as_second().unsigned_abs(), &link.device, first);
                let (kind, payload) = match model {
                    Model::Json => (UpKind::Result, device.json(&spec, now)?),
                    Model::Lz4000t => (UpKind::Raw, device.lz4000t(&[spec], now)?),
                };
                publish(&link, kind, payload)
            }
            Self::Scanner { link, text } => {
                let payload = serde_json::json!({ "text": text }).to_string().into_bytes();
                publish(&link, UpKind::Scan, payload)
            }
            Self::Printer { listen, folder, dpi, count } => print(listen, folder, dpi, count),
        }
    }
}

/// `16.54` → 1654.
fn hundredths(text: &str) -> anyhow::Result<i16> {
    let value: tianyin_domain::Decimal = text.parse().context("--inhibition")?;
    let scaled = (value * tianyin_domain::Decimal::ONE_HUNDRED).trunc();
    i16::try_from(i64::try_from(scaled)?).context("--inhibition")
}

fn publish(link: &Link, kind: UpKind, payload: Vec<u8>) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let ca_pem = match &link.ca {
            Some(path) => Some(std::fs::read(path).with_context(|| path.display().to_string())?),
            None => None,
        };
        let options =
            ClientOptions { ca_pem: ca_pem.map(bytes::Bytes::from), ..ClientOptions::default() };
        let client = DeviceClient::connect(&link.mqtt, &link.device, &link.token, options).await?;
        let started = Instant::now();
        let wait = Duration::from_secs(link.wait_s);
        client.publish_acked(kind, payload, wait).await?;
        let acknowledged = started.elapsed();
        while let Some(left) = wait.checked_sub(started.elapsed()) {
            let down = client.next_down(left).await?;
            if down.kind != DownKind::Receipt {
                continue;
            }
            let receipt: serde_json::Value = serde_json::from_slice(&down.payload)?;
            let answer = serde_json::json!({
                "acknowledged_ms": acknowledged.as_secs_f64() * 1000.0,
                "receipt_ms": started.elapsed().as_secs_f64() * 1000.0,
                "receipt": receipt,
            });
            say!("{answer}");
            client.disconnect().await;
            return Ok(());
        }
        anyhow::bail!("no receipt within {} s", link.wait_s)
    })
}

fn print(listen: SocketAddr, folder: PathBuf, dpi: u32, count: usize) -> anyhow::Result<()> {
    let (tell, told) = std::sync::mpsc::channel();
    let options = Options { addr: listen, dpi, folder: Some(folder), fault: Fault::None };
    let sim = PrinterSim::start(options, move |report| {
        let _ = tell.send(report);
    })?;
    say!("{}", serde_json::json!({ "listening": sim.addr().to_string() }));
    let mut labels = 0;
    for report in told {
        match report {
            Report::Printed { path, label } => {
                labels += label.copies as usize;
                say!("{}", serde_json::json!({ "label": path, "copies": label.copies }));
                if count > 0 && labels >= count {
                    return Ok(());
                }
            }
            other => say!("{}", serde_json::json!({ "problem": format!("{other:?}") })),
        }
    }
    Ok(())
}
