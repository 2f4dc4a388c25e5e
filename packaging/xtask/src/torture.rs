//! The long loops of the tests of faults: more kills, more power cuts, for as long as one likes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::{build, deps};

/// Files of `tests/tests` about faults, and how many of their loops are longer under torture.
const TESTS: [(&str, u32); 5] =
    [("kill", 2), ("power_cut", 1), ("syncs", 0), ("disk_full", 0), ("external_broker", 0)];
/// What a test prints when it is done: `torture: NUMBER WHAT`.
const REPORT: &str = "torture: ";

/// Runs them one after the other; with a number of minutes, each loop goes on for its share.
pub(crate) fn run(minutes: Option<f64>) -> Result<()> {
    deps::ensure(&[deps::BUILD, deps::DEMO, deps::TEST])?;
    build::everything()?;
    let started = Instant::now();
    let loops: u32 = TESTS.iter().map(|(_, loops)| loops).sum();
    let share = minutes.map(|minutes| minutes / f64::from(loops));
    let mut done = BTreeMap::new();
    let mut failed = Vec::new();
    for (test, _) in TESTS {
        if !run_one(test, share, &mut done)? {
            failed.push(test);
        }
    }
    println!("\nxtask: tortured for {:.1} min", started.elapsed().as_secs_f64() / 60.0);
    for (what, number) in &done {
        println!("{number:>10} {what}");
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    println!("nothing was lost");
    Ok(())
}

/// Runs one file of tests, one test at a time; adds up what it reports. False when it fails.
fn run_one(test: &str, minutes: Option<f64>, done: &mut BTreeMap<String, u64>) -> Result<bool> {
    println!("xtask: torture by {test}");
    let mut cargo = build::cargo_command();
    cargo.args(["test", "-p", "tianyin-tests", "--test", test, "--", "--nocapture"]);
    cargo.arg("--test-threads=1").env("TIANYIN_TORTURE", "1").stdout(Stdio::piped());
    if let Some(minutes) = minutes {
        cargo.env("TIANYIN_TORTURE_MINUTES", minutes.to_string());
    }
    let mut running = cargo.spawn().context("start cargo")?;
    let output = running.stdout.take().context("output of cargo")?;
    for line in BufReader::new(output).lines() {
        let line = line.context("output of the tests")?;
        println!("{line}");
        let told = line.split_once(REPORT).and_then(|(_, told)| told.split_once(' '));
        if let Some((number, what)) = told
            && let Ok(number) = number.parse::<u64>()
        {
            *done.entry(what.to_owned()).or_default() += number;
        }
    }
    Ok(running.wait()?.success())
}
