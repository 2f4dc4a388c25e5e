//! Measures how many QoS 1 publishes a second a broker acknowledges: many connections of some devices,
//! each with some results under way. Prints one JSON line.
//!
//! `mqtt_rate MQTT DEVICE:TOKEN,… CLIENTS SECONDS RUN`; RUN makes the message ids of this run its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tianyin_gateway::UpKind;
use tianyin_gateway::client::{DeviceClient, Options};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Publishes that wait for their acknowledgement, per connection.
const IN_FLIGHT: u16 = 8;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mqtt, logins, clients, seconds, run] = arguments.as_slice() else {
        panic!("mqtt_rate MQTT DEVICE:TOKEN,… CLIENTS SECONDS RUN");
    };
    let clients: usize = clients.parse().expect("CLIENTS");
    let time = Duration::from_secs_f64(seconds.parse().expect("SECONDS"));
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let mut connections = Vec::new();
    let logins: Vec<_> =
        logins.split(',').map(|l| l.split_once(':').expect("DEVICE:TOKEN")).collect();
    for n in 0..clients {
        let (device, token) = logins[n % logins.len()];
        let options = Options {
            client_id: Some(format!("{device}-{n}")),
            in_flight_max: IN_FLIGHT,
            subscribe: false,
            ..Options::default()
        };
        connections
            .push(Arc::new(DeviceClient::connect(mqtt, device, token, options).await.unwrap()));
    }
    let mut lanes = tokio::task::JoinSet::new();
    let started = Instant::now();
    for (n, client) in connections.iter().enumerate() {
        for lane in 0..IN_FLIGHT {
            let (client, stop, done) = (client.clone(), stop.clone(), done.clone());
            let head = format!("{run}-{n}-{lane}");
            lanes.spawn(async move {
                let mut number = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    let payload = result(&format!("{head}-{number}"), number);
                    client.publish_acked(UpKind::Result, payload, TIMEOUT).await.unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                    number += 1;
                }
            });
        }
    }
    tokio::time::sleep(time).await;
    let (count, spent) = (done.load(Ordering::Relaxed), started.elapsed());
    stop.store(true, Ordering::Relaxed);
    while lanes.join_next().await.transpose().unwrap().is_some() {}
    let rate = count as f64 / spent.as_secs_f64();
    println!("{}", json!({ "acknowledged": count, "acknowledged_per_s": rate }));
}

fn result(msg_id: &str, number: u64) -> Vec<u8> {
    let result = json!({
        "v": 1, "msg_id": msg_id, "device": { "sn": "bench" }, "record_no": number, "channel": 1,
        "kind": "initial", "sample": { "name": "样品" }, "method": "enzyme_inhibition",
        "item": { "code": "pesticide_op_carb", "name": "有机磷和氨基甲酸酯类农药" },
        "value": { "num": "16.54", "unit": "%", "kind": "inhibition_rate", "op": "=" },
        "limit": { "num": "50", "unit": "%", "basis": "GB/T 5009.199-2003" },
        "device_verdict": "pass", "tested_at": "2026-03-01T08:00:00.000Z"
    });
    result.to_string().into_bytes()
}
