//! A county after years: a million events. How fast its store is built anew, how soon it serves, and
//! how fast any of 10,000 scan pages comes, against nginx with as many files of that size.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tianyin_tests::appliance::Setting;
use tianyin_tests::device::Printer;
use tianyin_tests::{Appliance, child, journey};

use super::register::Browser;
use super::{Line, Must, example, median, page};

const EVENTS: u64 = 1_000_000;
const TIMEOUT: Duration = Duration::from_secs(600);
const STARTS: usize = 3;

pub(super) fn measure() -> Result<Vec<Line>> {
    let (mut appliance, codes) = grown()?;
    let mut lines = vec![rebuild(&appliance)?];
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        appliance.serve()?;
        starts.push(started.elapsed().as_secs_f64());
        if starts.len() < STARTS {
            appliance.stop()?;
        }
    }
    let must = Some(Must::Below(2.0));
    lines.push(Line {
        what: "start with 1,000,000 events",
        value: median(starts)?,
        unit: "s",
        must,
    });
    lines.push(super::memory(&appliance, "memory with 1,000,000 events, after start", None)?);
    let lists =
        ["/", "/lots", "/tests", "/certificates", "/messages", "/print-jobs", "/activities"];
    let browser = Browser::sign_in(&appliance, "admin")?;
    lines.push(Line {
        what: "lists with 1,000,000 events, p95",
        value: browser.p95_ms(&lists.map(str::to_owned))?,
        unit: "ms",
        must: Some(Must::Below(50.0)),
    });
    lines.extend(page::measure_many(&appliance, &codes)?);
    Ok(lines)
}

/// A county in which one main job ran, and was repeated until there are enough events; the codes of
/// 10,000 certificates.
fn grown() -> Result<(Appliance, Vec<String>)> {
    let setting = Setting::new()?;
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels"))?;
    let mut appliance = Appliance::start_with(setting)?;
    journey::main_job(&appliance, &mut printer, &mut |_, _| {})?;
    appliance.stop()?;
    let data = appliance.setting.data.clone();
    let told = child::run(
        &example("grow")?,
        |c| {
            c.arg(&data).arg(EVENTS.to_string());
        },
        TIMEOUT,
    )?;
    let told: Value = serde_json::from_str(&told).context("what grow told")?;
    let codes = told["codes"].as_array().context("codes")?;
    let codes = codes.iter().filter_map(|c| c.as_str().map(str::to_owned)).collect();
    std::fs::remove_dir_all(data.join("store"))?;
    Ok((appliance, codes))
}

fn rebuild(appliance: &Appliance) -> Result<Line> {
    let started = Instant::now();
    let done = appliance.finish_within(&["rebuild"], TIMEOUT)?;
    ensure!(done.code == Some(0), "rebuild: {done:?}");
    let value = EVENTS as f64 / started.elapsed().as_secs_f64();
    let must = Some(Must::AtLeast(30_000.0));
    Ok(Line { what: "rebuild, events a second", value, unit: "/s", must })
}

/// Writes a script for wrk that asks for these paths in random order.
pub(super) fn random_paths(file: &Path, paths: &[String]) -> Result<()> {
    let list: Vec<String> = paths.iter().map(|path| format!("{path:?}")).collect();
    let text = format!(
        "local paths = {{ {} }}\nmath.randomseed(os.time())\n\
         request = function() return wrk.format(\"GET\", paths[math.random(#paths)]) end\n",
        list.join(",")
    );
    std::fs::write(file, text).with_context(|| file.display().to_string())
}
