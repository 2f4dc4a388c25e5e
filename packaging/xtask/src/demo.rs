//! The demo: an appliance with a county in it, and the main job driven once before one's eyes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tianyin_tests::appliance::Setting;
use tianyin_tests::device::Printer;
use tianyin_tests::journey::{self, Outcome};
use tianyin_tests::{Appliance, place};

use crate::{build, deps};

const HTTP_PORT: u16 = 8080;
const MQTT_PORT: u16 = 1883;

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Stop after the main job.
    pub once: bool,
    /// Data folder.
    pub keep: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let started = Instant::now();
    deps::ensure(&[deps::BUILD, deps::DEMO])?;
    build::everything()?;

    let setting = setting(options)?;
    let labels = setting.data.join("labels");
    println!("\n田印 · 示范县 湘潭县(430321),数据目录 {}", setting.data.display());
    let begun = Instant::now();
    let mut printer = Printer::start(setting.printer, &labels)?;
    let mut appliance = Appliance::start_with(setting)?;
    tell("示范县已建立,服务已启动,模拟打印机已就绪", begun.elapsed());
    let outcome = journey::main_job(&appliance, &mut printer, &mut tell).with_context(|| {
        format!("主流程没有走通。服务日志:\n{}", last_lines(&appliance.log(), 40))
    })?;
    show(&appliance, &outcome, begun.elapsed(), started.elapsed());
    if options.once {
        return appliance.stop();
    }
    println!("\n正在运行,按 Ctrl-C 结束。");
    loop {
        std::thread::sleep(Duration::from_millis(500));
        if appliance.get("/healthz").is_err() {
            bail!("服务已停止。日志:\n{}", last_lines(&appliance.log(), 40));
        }
    }
}

fn setting(options: &Options) -> Result<Setting> {
    let data = match &options.keep {
        Some(folder) => std::path::absolute(folder)?,
        None => place::new_folder("demo")?,
    };
    let port = |wanted| if place::is_free(wanted) { Ok(wanted) } else { place::free_port() };
    Ok(Setting {
        data,
        http: place::local(port(HTTP_PORT)?),
        mqtt: place::local(port(MQTT_PORT)?),
        printer: place::local(place::free_port()?),
        environment: Vec::new(),
    })
}

fn tell(step: &str, took: Duration) {
    println!(" ✓ {step}({:.0} 毫秒)", took.as_secs_f64() * 1000.0);
}

fn show(appliance: &Appliance, outcome: &Outcome, job: Duration, all: Duration) {
    let address = format!("http://{}", appliance.setting.http);
    println!("\n主流程全部核验通过:{:.1} 秒;含构建 {:.1} 秒", job.as_secs_f64(), all.as_secs_f64());
    println!("合格证编号  {}", outcome.code);
    println!("标签图片    {}", outcome.label.display());
    println!("扫码页      {address}/t/{}", outcome.code);
    println!("管理界面    {address}/");
    println!("登录        用户名 admin,密码 {}", appliance.demo.password());
    println!("设备接入    mqtt://{}", appliance.setting.mqtt);
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
