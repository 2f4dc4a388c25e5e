//! Results over MQTT, durable before they are acknowledged, against mosquitto's QoS 1 with one
//! subscriber: the same clients send the same payloads, in turns.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tianyin_tests::child::{self, Running};
use tianyin_tests::{Appliance, appliance, place, tools, until};

use super::{Line, Must, TOOL_TIMEOUT, example, median};

/// Each with as many connections as one device may have.
const DEVICES: usize = 8;
const CLIENTS: &str = "64";
const ROUND_S: &str = "4";
const ROUNDS: usize = 3;
const START: Duration = Duration::from_secs(20);

pub(super) fn measure() -> Result<Vec<Line>> {
    // One of its own, because it goes on judging what it took in when its time is over.
    let appliance = Appliance::start()?;
    let folder = appliance::test_folder()?;
    let address = place::local(place::free_port()?);
    let _broker = start_mosquitto(&folder, address)?;
    let _subscriber = Running::start("mosquitto_sub", &program("mosquitto_sub")?, |c| {
        let port = address.port().to_string();
        c.args(["-p", &port, "-q", "1", "-i", "one", "-t", "tianyin/#", "-F", "%l", "-W", "600"]);
        c.stdout(std::process::Stdio::null());
    })?;
    let logins = devices(&appliance)?;
    let (mut us, mut them, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let a = rate(appliance.setting.mqtt, &logins, &format!("a{round}"))?;
        signal(&appliance, "-STOP")?;
        let b = rate(address, &logins, &format!("b{round}"))?;
        signal(&appliance, "-CONT")?;
        us.push(a);
        them.push(b);
        ratios.push(a / b);
    }
    let must = Some(Must::AtLeast(0.3));
    Ok(vec![
        Line {
            what: "MQTT results, durable, against mosquitto",
            value: median(ratios)?,
            unit: "x",
            must,
        },
        Line {
            what: "MQTT results, durable, 64 clients",
            value: median(us)?,
            unit: "/s",
            must: None,
        },
        Line {
            what: "mosquitto, QoS 1, one subscriber",
            value: median(them)?,
            unit: "/s",
            must: None,
        },
    ])
}

/// While the other is measured, ours rests.
fn signal(appliance: &Appliance, signal: &str) -> Result<()> {
    let id = appliance.service()?.id().to_string();
    let sent = std::process::Command::new("kill").args([signal, &id]).status()?;
    anyhow::ensure!(sent.success(), "kill {signal} {id}: {sent}");
    Ok(())
}

/// Acknowledgements a second.
fn rate(broker: SocketAddr, logins: &str, run: &str) -> Result<f64> {
    let broker = broker.to_string();
    let arguments = [broker.as_str(), logins, CLIENTS, ROUND_S, run];
    let told = child::run(
        &example("mqtt_rate")?,
        |c| {
            c.args(arguments);
        },
        TOOL_TIMEOUT,
    )?;
    let value: Value = serde_json::from_str(&told).with_context(|| told.clone())?;
    value["acknowledged_per_s"].as_f64().context(told)
}

/// New devices, as `device:token,device:token`.
fn devices(appliance: &Appliance) -> Result<String> {
    let api = appliance.api("admin")?;
    let pairing = api.done("/pairing", &json!({}))?;
    let code = pairing["code"].as_str().context("pairing code")?;
    let mut logins = Vec::new();
    for n in 1..=DEVICES {
        let device = format!("bench-{n}");
        let topic = format!("tianyin/v1/{device}/up/status");
        tools::mosquitto_pub(appliance, (&device, code), &topic, b"{}")?;
        let described = json!({ "name": device, "kind": "analyzer", "new_token": true });
        let approved = api.done(&format!("/devices/{device}/approve"), &described)?;
        logins.push(format!("{device}:{}", approved["token"].as_str().context("token")?));
    }
    api.send("DELETE", "/pairing", &[], &[])?.expect(204)?;
    Ok(logins.join(","))
}

fn start_mosquitto(folder: &Path, address: SocketAddr) -> Result<Running> {
    let config = folder.join("mosquitto.conf");
    let port = address.port();
    // No limit on what waits for the subscriber: a dropped message would cost nothing.
    let text = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n\
         max_inflight_messages 100\npersistence false\nlog_type error\n"
    );
    std::fs::write(&config, text)?;
    let broker = Running::start("mosquitto", &program("mosquitto")?, |command| {
        command.arg("-c").arg(&config);
    })?;
    until("mosquitto to listen", START, || Ok(std::net::TcpStream::connect(address).ok()))?;
    Ok(broker)
}

fn program(name: &str) -> Result<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let found =
        folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    found.with_context(|| format!("{name} is missing"))
}
