//! The simulated devices of the binary, as processes of their own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::Appliance;
use crate::child::Running;
use crate::place;

/// An analyzer counts its records; two with the same number on one day would contradict each other.
static NEXT_RECORD: AtomicU16 = AtomicU16::new(1);
const LISTEN_TIMEOUT: Duration = Duration::from_secs(20);

/// What a device sends for one sample.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Format: `lz4000t` or `json`.
    pub model: &'a str,
    /// Lot number; only JSON carries it.
    pub lot: &'a str,
    /// Sample name.
    pub name: &'a str,
    /// Inhibition in percent.
    pub inhibition: &'a str,
}

impl Appliance {
    /// Lets a device measure a sample and send it; gives the receipt.
    pub fn measure(&self, device: &str, sample: Sample<'_>) -> Result<Value> {
        let more = ["--model", sample.model, "--inhibition", sample.inhibition];
        let record = NEXT_RECORD.fetch_add(1, Ordering::Relaxed).to_string();
        let named = ["--lot", sample.lot, "--name", sample.name, "--record", &record];
        self.simulate("analyzer", device, &[&more[..], &named[..]].concat())
    }

    /// Lets a scanner read a text and send it; gives the receipt.
    pub fn scan(&self, device: &str, text: &str) -> Result<Value> {
        self.simulate("scanner", device, &[text])
    }

    fn simulate(&self, what: &str, device: &str, more: &[&str]) -> Result<Value> {
        let mqtt = self.setting.mqtt.to_string();
        let token = self.demo.token(device);
        let link = ["device", "sim", what, "--mqtt", &mqtt, "--device", device];
        // Tokens may start with a hyphen.
        let token = format!("--token={token}");
        let output = self.run(&[&link[..], &[token.as_str()], more].concat())?;
        let told: Value = serde_json::from_str(&output).with_context(|| output.clone())?;
        Ok(told["receipt"].clone())
    }
}

/// A simulated label printer that writes what would come out as PNG files.
pub struct Printer {
    running: Running,
    seen: usize,
}

impl Printer {
    /// Starts one that listens at an address.
    pub fn start(address: SocketAddr, folder: &Path) -> Result<Self> {
        let running = Running::start("label printer", &place::binary()?, |command| {
            command.args(["device", "sim", "printer", "--listen", &address.to_string()]);
            command.arg("--folder").arg(folder);
        })?;
        running.line("word that the printer listens", 0, LISTEN_TIMEOUT, |line| {
            line.contains("listening").then_some(())
        })?;
        Ok(Self { running, seen: 0 })
    }

    /// The picture of the next label.
    pub fn next_label(&mut self, timeout: Duration) -> Result<PathBuf> {
        let mut at = self.seen;
        let path = self.running.line("label", self.seen, timeout, |line| {
            at += 1;
            let told: Value = serde_json::from_str(line).ok()?;
            told["label"].as_str().map(PathBuf::from)
        })?;
        self.seen = at;
        Ok(path)
    }
}
