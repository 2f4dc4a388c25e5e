//! Measures how fast results of many devices become durable through mosquitto: 64 devices, one
//! result after the other each. Prints one JSON line.
//!
//! `cargo run -p tianyin-tests --example external_rate [RESULTS_PER_DEVICE]` (the binary must be
//! built)
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use serde_json::json;
use tianyin_gateway::UpKind;
use tianyin_gateway::client::{DeviceClient, Options};
use tianyin_tests::Appliance;
use tianyin_tests::appliance::Setting;
use tianyin_tests::mosquitto::Mosquitto;

const DEVICES: usize = 64;
const WAIT: Duration = Duration::from_secs(60);

fn main() {
    let count = std::env::args().nth(1).map_or(100, |n| n.parse().expect("a number"));
    let names: Vec<String> = (0..DEVICES).map(|n| format!("rate-{n}")).collect();
    let mut appliance = Appliance::made(Setting::new().unwrap()).unwrap();
    let users: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), n.as_str())).collect();
    let broker = Mosquitto::start(&appliance.setting, &users).unwrap();
    appliance.setting.environment.extend(broker.environment(false));
    appliance.serve().unwrap();
    let api = appliance.api("admin").unwrap();
    for name in &names {
        let described = json!({ "name": name, "kind": "analyzer", "model": "JSON" });
        api.post(&format!("/devices/{name}/approve"), &described).unwrap().expect(201).unwrap();
    }
    let before = messages(&appliance);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let start = Instant::now();
    runtime.block_on(publish(&broker.address.to_string(), &names, count));
    let published = start.elapsed();
    let total = DEVICES * count;
    while messages(&appliance) < before + total {
        std::thread::sleep(Duration::from_millis(5));
    }
    let durable = start.elapsed();
    let rate = |time: Duration| (total as f64 / time.as_secs_f64()).round();
    println!(
        "{}",
        json!({
            "results": total,
            "devices": DEVICES,
            "acknowledged_by_mosquitto_per_s": rate(published),
            "durable_per_s": rate(durable),
        })
    );
}

async fn publish(broker: &str, names: &[String], count: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for name in names {
        let options = Options { subscribe: false, ..Options::default() };
        let client = DeviceClient::connect(broker, name, name, options).await.unwrap();
        let name = name.clone();
        tasks.spawn(async move {
            for n in 0..count {
                let message = json!({
                    "v": 1, "msg_id": format!("{name}-{n}"), "method": "enzyme_inhibition",
                    "item": { "code": "pesticide_op_carb", "name": "有机磷和氨基甲酸酯类农药" },
                    "value": {
                        "num": "16.5", "unit": "%", "kind": "inhibition_rate", "op": "="
                    },
                    "tested_at": jiff::Timestamp::now().to_string(),
                });
                let payload = message.to_string().into_bytes();
                client.publish_acked(UpKind::Result, payload, WAIT).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
}

/// Messages on record, whatever became of them.
fn messages(appliance: &Appliance) -> usize {
    let metrics = appliance.get("/metrics").unwrap().text();
    let lines = metrics.lines().filter(|line| line.starts_with("tianyin_messages{"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as usize
}
