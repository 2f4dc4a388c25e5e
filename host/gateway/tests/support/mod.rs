//! A recording [`Ingest`], and short ways to start brokers and clients.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub mod fake;
pub mod raw;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use tianyin_gateway::client::{ClientError, DeviceClient, Options};
use tianyin_gateway::{
    Admission, Embedded, GatewayConfig, Ingest, Login, NotStored, Offline, Refusal, RefuseReason,
    UpMessage,
};
use tokio::sync::Semaphore;

pub const SOON: Duration = Duration::from_secs(10);
/// Long enough that something which must not happen would have happened.
pub const A_WHILE: Duration = Duration::from_millis(400);

/// Remembers everything; stores only while the gate has permits and `fail` is not set.
pub struct Recorder {
    pub tokens: Mutex<HashMap<String, String>>,
    pub gate: Semaphore,
    pub login_gate: Semaphore,
    pub logins: Mutex<Vec<Login>>,
    pub fail: Mutex<Option<NotStored>>,
    pub refused_devices: Mutex<Vec<String>>,
    pub entered: Mutex<Vec<UpMessage>>,
    pub stored: Mutex<Vec<UpMessage>>,
    pub presence: Mutex<Vec<(String, Option<Offline>)>>,
    pub refusals: Mutex<Vec<Refusal>>,
}

impl Recorder {
    pub fn new() -> Arc<Self> {
        let tokens = ["dev-1", "dev-2", "dev-3"]
            .map(|device| (device.to_owned(), format!("token of {device}")));
        Arc::new(Self {
            tokens: Mutex::new(tokens.into()),
            gate: Semaphore::new(1_000_000),
            login_gate: Semaphore::new(1_000_000),
            logins: Mutex::default(),
            fail: Mutex::new(None),
            refused_devices: Mutex::default(),
            entered: Mutex::default(),
            stored: Mutex::default(),
            presence: Mutex::default(),
            refusals: Mutex::default(),
        })
    }

    /// Of what is stored, in the order of storing, which is nobody's promise between two at a time.
    pub fn payloads(&self) -> Vec<String> {
        texts(&self.stored.lock())
    }

    /// Of what was handed over, in that order.
    pub fn begun(&self) -> Vec<String> {
        texts(&self.entered.lock())
    }

    pub fn offline(&self, device: &str) -> Vec<Offline> {
        let presence = self.presence.lock();
        presence
            .iter()
            .filter(|(who, _)| who == device)
            .filter_map(|(_, why)| why.clone())
            .collect()
    }
}

fn texts(messages: &[UpMessage]) -> Vec<String> {
    let text = |message: &UpMessage| String::from_utf8_lossy(&message.payload).into_owned();
    messages.iter().map(text).collect()
}

#[async_trait]
impl Ingest for Recorder {
    async fn authenticate(&self, login: Login) -> Admission {
        if login.device == "disabled" {
            return Admission::Refused(RefuseReason::NotAuthorized);
        }
        self.logins.lock().push(login.clone());
        self.login_gate.acquire().await.unwrap().forget();
        match self.tokens.lock().get(&login.device) {
            Some(token) if token.as_bytes() == login.password => Admission::Accepted,
            _ => Admission::Refused(RefuseReason::BadCredentials),
        }
    }

    async fn received(&self, message: UpMessage) -> Result<(), NotStored> {
        self.entered.lock().push(message.clone());
        if let Some(why) = *self.fail.lock() {
            return Err(why);
        }
        if self.refused_devices.lock().contains(&message.device) {
            return Err(NotStored::Refused);
        }
        self.gate.acquire().await.unwrap().forget();
        self.stored.lock().push(message);
        Ok(())
    }

    async fn connected(&self, device: &str, _remote: Option<SocketAddr>) {
        self.presence.lock().push((device.to_owned(), None));
    }

    async fn disconnected(&self, device: &str, why: Offline) {
        self.presence.lock().push((device.to_owned(), Some(why)));
    }

    async fn refused(&self, refusal: Refusal) {
        self.refusals.lock().push(refusal);
    }
}

pub fn config() -> GatewayConfig {
    let mut config = GatewayConfig::new(([127, 0, 0, 1], 0).into());
    config.retry_pause = Duration::from_millis(50);
    config
}

pub async fn start() -> (Embedded, Arc<Recorder>) {
    let recorder = Recorder::new();
    (Embedded::start(config(), recorder.clone()).await.unwrap(), recorder)
}

pub async fn connect_with(
    gateway: &Embedded,
    device: &str,
    options: Options,
) -> Result<DeviceClient, ClientError> {
    let url = format!("mqtt://{}", gateway.local_addr());
    DeviceClient::connect(&url, device, &format!("token of {device}"), options).await
}

pub async fn connect(gateway: &Embedded, device: &str) -> DeviceClient {
    connect_with(gateway, device, Options::default()).await.unwrap()
}

/// Polls until true.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < SOON, "did not happen: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Runs Debian's `mosquitto_pub` or `mosquitto_sub` (package mosquitto-clients) against the
/// gateway.
pub async fn mosquitto(gateway: &Embedded, tool: &str, device: &str, arguments: &[&str]) -> Output {
    let port = gateway.local_addr().port().to_string();
    let password = format!("token of {device}");
    let mut command = Command::new(tool);
    command.args(["-h", "127.0.0.1", "-p", &port, "-u", device, "-P", &password]).args(arguments);
    command.stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().expect("mosquitto-clients is installed"))
        .await
        .unwrap()
}

pub fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
