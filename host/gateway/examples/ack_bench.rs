//! Acknowledged results a second and the time to the acknowledgement, through the embedded broker,
//! with a server that stores nothing: the upper bound of what the transport allows. Prints one JSON
//! line.
//!
//! `cargo run -p tianyin-gateway --example ack_bench [CLIENTS] [MESSAGES_PER_CLIENT] [IN_FLIGHT]`
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tianyin_gateway::client::{DeviceClient, Options};
use tianyin_gateway::{
    Admission, Embedded, GatewayConfig, Ingest, Login, NotStored, Offline, UpKind, UpMessage,
};

struct Nothing;

#[async_trait]
impl Ingest for Nothing {
    async fn authenticate(&self, _login: Login) -> Admission {
        Admission::Accepted
    }

    async fn received(&self, _message: UpMessage) -> Result<(), NotStored> {
        Ok(())
    }

    async fn connected(&self, _device: &str, _remote: Option<SocketAddr>) {}

    async fn disconnected(&self, _device: &str, _why: Offline) {}
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse().expect("a number"));
    let [clients, messages, in_flight] =
        [8, 2000, 1].map(|default| numbers.next().unwrap_or(default));
    let config = GatewayConfig::new(([127, 0, 0, 1], 0).into());
    let gateway = Embedded::start(config, Arc::new(Nothing)).await.unwrap();
    let url = gateway.local_addr().to_string();

    let options =
        Options { in_flight_max: u16::try_from(in_flight).unwrap(), ..Options::default() };
    let mut devices = Vec::new();
    for client in 0..clients {
        devices.push(Arc::new(
            DeviceClient::connect(&url, &format!("bench-{client}"), "", options.clone())
                .await
                .unwrap(),
        ));
    }
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for device in devices {
        for lane in 0..in_flight {
            let (device, share) =
                (device.clone(), messages / in_flight + usize::from(lane < messages % in_flight));
            tasks.spawn(async move { publish(&device, share).await });
        }
    }
    let mut latencies: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    let elapsed = start.elapsed();
    latencies.sort_unstable();

    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_micros();
    let report = serde_json::json!({
        "bench": "mqtt_ack",
        "clients": clients,
        "in_flight": in_flight,
        "payload_bytes": PAYLOAD_BYTES,
        "acked": latencies.len(),
        "acks_per_s": (latencies.len() as f64 / elapsed.as_secs_f64()).round(),
        "ack_us": { "p50": at(0.5), "p99": at(0.99), "max": at(1.0) },
    });
    println!("{report}");
    gateway.shutdown().await;
}

const PAYLOAD_BYTES: usize = 400;

async fn publish(device: &DeviceClient, messages: usize) -> Vec<Duration> {
    let mut latencies = Vec::with_capacity(messages);
    for _ in 0..messages {
        let start = Instant::now();
        device
            .publish_acked(UpKind::Result, vec![b'x'; PAYLOAD_BYTES], Duration::from_secs(30))
            .await
            .unwrap();
        latencies.push(start.elapsed());
    }
    latencies
}
