//! Measurements: what must hold, what was measured, and how far apart they are. Everything is
//! measured in one run on one machine; comparisons alternate, so that a busy moment hits both sides.

mod chain;
mod codes;
mod disk;
mod edit;
mod kernel;
mod label;
mod large;
mod mqtt;
mod page;
mod register;
mod results;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tianyin_tests::{Appliance, child, place};

use crate::{build, deps};

/// Results sent one after the other by one device.
const RESULTS: &str = "400";
const TOOL_TIMEOUT: Duration = Duration::from_secs(180);
/// After this time an appliance that nobody uses counts as idle.
const IDLE: Duration = Duration::from_secs(10);

/// One line of the table.
struct Line {
    what: &'static str,
    value: f64,
    unit: &'static str,
    /// What must hold; `None` is only reported.
    must: Option<Must>,
}

#[derive(Clone, Copy)]
enum Must {
    Below(f64),
    AtLeast(f64),
}

impl Line {
    /// How much better than needed: 1 is just enough, 2 is twice as good.
    fn margin(&self) -> Option<f64> {
        match self.must? {
            Must::Below(limit) => Some(limit / self.value),
            Must::AtLeast(limit) => Some(self.value / limit),
        }
    }
}

type Step = (&'static str, fn(&Appliance) -> Result<Vec<Line>>);

/// In this order; memory first, while nobody has used the appliance.
const STEPS: [Step; 14] = [
    ("idle", idle),
    ("receipt", receipts),
    ("decode", |_| Ok(vec![decode()?])),
    ("label", |_| label::measure()),
    ("page", page::measure),
    ("mqtt", |_| mqtt::measure()),
    ("kernel", |_| kernel::measure()),
    ("chain", |_| chain::measure()),
    ("register", |_| register::measure()),
    ("results", |_| results::measure()),
    ("codes", |_| codes::measure()),
    ("large", |_| large::measure()),
    ("disk", |_| disk::sizes()),
    ("edit", |_| edit::measure()),
];

/// Measures everything, or only one step.
pub(crate) fn run(json_file: Option<&Path>, only: Option<&str>) -> Result<()> {
    let known = STEPS.map(|(name, _)| name);
    ensure!(only.is_none_or(|name| known.contains(&name)), "steps are: {}", known.join(", "));
    deps::ensure(&[deps::BUILD, deps::DEMO, deps::BENCH])?;
    build::everything()?;
    let appliance = Appliance::start()?;
    let mut lines = Vec::new();
    for (name, measure) in STEPS {
        if only.is_none_or(|only| only == name) {
            let new = measure(&appliance).with_context(|| format!("measure {name}"))?;
            print(name, &new);
            lines.extend(new);
        }
    }
    println!();
    print("all", &lines);
    if let Some(file) = json_file {
        let text = serde_json::to_string_pretty(&to_json(&lines))?;
        std::fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
    }
    let failed: Vec<&str> =
        lines.iter().filter(|l| l.margin().is_some_and(|m| m < 1.0)).map(|l| l.what).collect();
    ensure!(failed.is_empty(), "not fast or small enough: {}", failed.join(", "));
    Ok(())
}

fn idle(appliance: &Appliance) -> Result<Vec<Line>> {
    std::thread::sleep(IDLE);
    Ok(vec![memory(appliance, "idle memory, demo county", Some(Must::Below(100.0)))?])
}

/// Resident memory of the process.
fn memory(appliance: &Appliance, what: &'static str, must: Option<Must>) -> Result<Line> {
    memory_of(appliance, "VmRSS", what, must)
}

/// Memory of the process, as the kernel calls it.
fn memory_of(
    appliance: &Appliance,
    name: &str,
    what: &'static str,
    must: Option<Must>,
) -> Result<Line> {
    let file = format!("/proc/{}/status", appliance.service()?.id());
    let status = std::fs::read_to_string(&file).with_context(|| file.clone())?;
    let found = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = found.with_context(|| name.to_owned())?;
    let kib: f64 = kib.trim().trim_end_matches(" kB").parse().with_context(|| name.to_owned())?;
    Ok(Line { what, value: kib * 1024.0 / 1e6, unit: "MB", must })
}

fn receipts(appliance: &Appliance) -> Result<Vec<Line>> {
    let program = example("receipts")?;
    let mqtt = appliance.setting.mqtt.to_string();
    let measure = |device: &str, model: &str| {
        let token = appliance.demo.token(device);
        let arguments = [mqtt.as_str(), device, token, model, RESULTS];
        let told = child::run(
            &program,
            |c| {
                c.args(arguments);
            },
            TOOL_TIMEOUT,
        )?;
        serde_json::from_str::<Value>(&told).context(told)
    };
    let raw = measure("lz4000t-hs-01", "lz4000t")?;
    let json = measure("json-ysh-01", "json")?;
    let line = |what, told: &Value, part: &str, at: &str, must| {
        let value = told[part][at].as_f64().with_context(|| format!("{part} {at} in {told}"))?;
        anyhow::Ok(Line { what, value, unit: "ms", must })
    };
    let must = Some(Must::Below(20.0));
    Ok(vec![
        line("LZ-4000T frame to receipt, p50", &raw, "receipt_ms", "p50", must)?,
        line("LZ-4000T frame to receipt, p99", &raw, "receipt_ms", "p99", None)?,
        line("JSON result to receipt, p50", &json, "receipt_ms", "p50", must)?,
        line("JSON result to receipt, p99", &json, "receipt_ms", "p99", None)?,
        line("JSON result to acknowledgement, p50", &json, "acknowledged_ms", "p50", None)?,
    ])
}

fn decode() -> Result<Line> {
    let told = child::run(&example("decode_bench")?, |_: &mut Command| {}, TOOL_TIMEOUT)?;
    let value: Value = serde_json::from_str(&told).with_context(|| told.clone())?;
    let value = value["p50_us"].as_f64().context("p50_us")?;
    let must = Some(Must::Below(100.0));
    Ok(Line { what: "decode of one frame, fresh instance, p50", value, unit: "us", must })
}

/// An example of the same build.
fn example(name: &str) -> Result<std::path::PathBuf> {
    let folder = place::binary()?.parent().context("folder of the build")?.join("examples");
    let path = folder.join(name);
    ensure!(path.is_file(), "{} is missing", path.display());
    Ok(path)
}

/// The value in the middle.
fn median(mut values: Vec<f64>) -> Result<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("nothing was measured")
}

fn print(title: &str, lines: &[Line]) {
    println!("{title:<46} {:>10} {:<5} {:>12} {:>8}", "measured", "", "must", "margin");
    for line in lines {
        let must = match line.must {
            Some(Must::Below(limit)) => format!("< {limit}"),
            Some(Must::AtLeast(limit)) => format!(">= {limit}"),
            None => String::new(),
        };
        let margin = line.margin().map(|m| format!("{m:.1}x")).unwrap_or_default();
        println!(
            "{:<46} {:>10.2} {:<5} {:>12} {:>8}",
            line.what, line.value, line.unit, must, margin
        );
    }
}

fn to_json(lines: &[Line]) -> Value {
    let all = lines.iter().map(|line| {
        let (below, at_least) = match line.must {
            Some(Must::Below(limit)) => (Some(limit), None),
            Some(Must::AtLeast(limit)) => (None, Some(limit)),
            None => (None, None),
        };
        json!({
            "what": line.what, "value": line.value, "unit": line.unit,
            "must_be_below": below, "must_be_at_least": at_least, "margin": line.margin(),
        })
    });
    json!({ "lines": all.collect::<Vec<_>>() })
}
