//! Measures how long a device waits for the receipt of a result: one device, one result after the
//! other. Prints one JSON line.
//!
//! `receipts MQTT DEVICE TOKEN lz4000t|json COUNT`
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tianyin_devices::sim::analyzer::{AnalyzerSim, SampleSpec};
use tianyin_gateway::client::{DeviceClient, Options};
use tianyin_gateway::{DownKind, UpKind};

const TIMEOUT: Duration = Duration::from_secs(10);
/// Results before the measured ones, so that no cold start is measured.
const WARM_UP: usize = 20;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mqtt, device, token, model, count] = arguments.as_slice() else {
        panic!("receipts MQTT DEVICE TOKEN lz4000t|json COUNT");
    };
    let count: usize = count.parse().expect("COUNT");
    let client = DeviceClient::connect(mqtt, device, token, Options::default()).await.unwrap();
    let mut analyzer = AnalyzerSim::new(1, device.as_str(), 1);
    let (mut acknowledged, mut answered) = (Vec::new(), Vec::new());
    for n in 0..WARM_UP + count {
        let sample = SampleSpec {
            name: "样品".into(),
            inhibition_hundredths: Some(1654),
            ..SampleSpec::default()
        };
        let now = jiff::Timestamp::now();
        let (kind, payload) = match model.as_str() {
            "json" => (UpKind::Result, analyzer.json(&sample, now).unwrap()),
            _ => (UpKind::Raw, analyzer.lz4000t(&[sample], now).unwrap()),
        };
        let started = Instant::now();
        let published = async {
            client.publish_acked(kind, payload, TIMEOUT).await.unwrap();
            started.elapsed()
        };
        let (ack, receipt) = tokio::join!(published, receipt(&client, started));
        if n >= WARM_UP {
            acknowledged.push(ack);
            answered.push(receipt);
        }
    }
    let line = json!({
        "model": model,
        "count": count,
        "acknowledged_ms": percentiles(&mut acknowledged),
        "receipt_ms": percentiles(&mut answered),
    });
    println!("{line}");
}

async fn receipt(client: &DeviceClient, started: Instant) -> Duration {
    loop {
        let down = client.next_down(TIMEOUT).await.unwrap();
        if down.kind == DownKind::Receipt {
            let receipt: Value = serde_json::from_slice(&down.payload).unwrap();
            assert_eq!(receipt["status"], "accepted", "{receipt}");
            return started.elapsed();
        }
    }
}

fn percentiles(times: &mut [Duration]) -> Value {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    json!({ "p50": at(50), "p99": at(99), "max": at(100) })
}
