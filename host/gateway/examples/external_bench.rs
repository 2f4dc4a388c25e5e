//! Messages a second through an external broker, acknowledged by us to it, with a server that stores
//! nothing: the upper bound of what that way allows. Prints one JSON line.
//!
//! `cargo run -p tianyin-gateway --example external_bench URL [DEVICES] [MESSAGES_PER_DEVICE]
//! [IN_FLIGHT]`, against a broker that lets anybody in (`mosquitto -p 18830`).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tianyin_gateway::client::{DeviceClient, Options};
use tianyin_gateway::{
    Admission, External, ExternalConfig, Ingest, Login, NotStored, Offline, UpKind, UpMessage,
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
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("the broker's URL");
    let mut numbers = arguments.map(|argument| argument.parse::<usize>().expect("a number"));
    let [devices, messages, in_flight] =
        [64, 500, 1].map(|default| numbers.next().unwrap_or(default));
    let config = ExternalConfig::new(url.parse().unwrap(), "external-bench");
    let gateway = External::start(config, Arc::new(Nothing)).unwrap();
    while gateway.status().connected_since.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = gateway.status().acknowledged;
    let options = Options {
        in_flight_max: u16::try_from(in_flight).unwrap(),
        subscribe: false,
        ..Options::default()
    };
    let mut clients = Vec::new();
    for n in 0..devices {
        let device = format!("bench-{n}");
        clients.push(Arc::new(
            DeviceClient::connect(&url, &device, "", options.clone()).await.unwrap(),
        ));
    }
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for client in clients {
        for _ in 0..in_flight {
            let client = client.clone();
            let share = messages / in_flight;
            tasks.spawn(async move {
                for _ in 0..share {
                    let payload = vec![b'x'; 200];
                    client
                        .publish_acked(UpKind::Raw, payload, Duration::from_secs(60))
                        .await
                        .unwrap();
                }
            });
        }
    }
    tasks.join_all().await;
    let published = start.elapsed();
    let total = (messages / in_flight * in_flight * devices) as u64;
    while gateway.status().acknowledged < before + total {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let acknowledged = start.elapsed();
    println!(
        r#"{{"devices":{devices},"in_flight":{in_flight},"messages":{total},"to_broker_per_s":{:.0},"acknowledged_per_s":{:.0}}}"#,
        total as f64 / published.as_secs_f64(),
        total as f64 / acknowledged.as_secs_f64(),
    );
    gateway.shutdown().await;
}
