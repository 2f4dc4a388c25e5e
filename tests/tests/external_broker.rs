//! Devices behind mosquitto: broker and appliance are killed under load, again and again. What the
//! appliance acknowledged to the broker is there once; a device that repeats until it has a receipt
//! gets one, and what it sent is there once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tianyin_gateway::client::{DeviceClient, Options};
use tianyin_gateway::{DownKind, UpKind};
use tianyin_tests::api::Api;
use tianyin_tests::appliance::Setting;
use tianyin_tests::device::Printer;
use tianyin_tests::mosquitto::Mosquitto;
use tianyin_tests::{Appliance, http, journey, tools, until};

const WAIT: Duration = Duration::from_secs(30);
/// After the load everything must be settled by then, on a busy machine too.
const SETTLE: Duration = Duration::from_secs(300);
/// Nothing arrived for so long: it may be that all has.
const QUIET: Duration = Duration::from_secs(1);
/// Nothing arrived for so long: no more will come.
const STALLED: Duration = Duration::from_secs(30);
const DEVICES: [&str; 6] = ["ext-1", "ext-2", "ext-3", "ext-4", "ext-5", "ext-6"];
const OPEN_MAX: usize = 8;
/// A device repeats what has no receipt after this time.
const REPEAT: Duration = Duration::from_secs(2);

fn rounds(usual: usize) -> usize {
    if std::env::var_os("TIANYIN_TORTURE").is_some() { usual * 20 } else { usual }
}

/// An appliance with the demo county behind a mosquitto that knows `users`, and serving.
fn behind_mosquitto(users: &[&str], with_tls: bool) -> (Appliance, Mosquitto) {
    behind_mosquitto_at(Setting::new().unwrap(), users, with_tls)
}

fn behind_mosquitto_at(setting: Setting, users: &[&str], tls: bool) -> (Appliance, Mosquitto) {
    let mut appliance = Appliance::made(setting).unwrap();
    let own = ["scan-hs-01", "lz4000t-hs-01", "json-ysh-01", "scan-market-01"];
    let mut all = Mosquitto::users_of(&appliance.demo, &own);
    all.extend(users.iter().map(|user| (*user, *user)));
    let broker = Mosquitto::start(&appliance.setting, &all).unwrap();
    appliance.setting.environment.extend(broker.environment(tls));
    appliance.serve().unwrap();
    // Before the first subscription the broker keeps nothing for us; a device repeats what has no
    // receipt, the simulators do not.
    until("the subscription", WAIT, || {
        Ok(appliance.log().contains("connected to the external broker").then_some(()))
    })
    .unwrap();
    (appliance, broker)
}

fn approve(api: &Api, device: &str) {
    let described = json!({ "name": device, "kind": "analyzer", "model": "JSON" });
    let answer = api.post(&format!("/devices/{device}/approve"), &described).unwrap();
    let answer = answer.expect(201).unwrap().json().unwrap();
    assert!(answer["token"].is_null(), "the external broker keeps the passwords: {answer}");
}

#[test]
fn the_main_job_runs_through_mosquitto_and_strangers_stay_outside() {
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let (appliance, broker) = behind_mosquitto_at(setting, &["stranger"], true);
    assert!(appliance.log().contains("mqtt.listen is not used"), "{}", appliance.log());
    journey::main_job(&appliance, &mut printer, &mut |_, _| {})
        .unwrap_or_else(|e| panic!("{e:#}\n{}\n{}", appliance.log(), broker.log()));

    // The broker's access list keeps a device to its own topics.
    let api = appliance.api("admin").unwrap();
    let foreign = result("foreign-1", 1);
    let login = ("json-ysh-01", appliance.demo.token("json-ysh-01"));
    let topic = tianyin_gateway::topic::up("lz4000t-hs-01", UpKind::Result);
    tools::mosquitto_pub(&appliance, login, &topic, &foreign).unwrap();

    // A device that is nobody's is refused, until pairing is open; then it waits to be approved.
    let own = tianyin_gateway::topic::up("stranger", UpKind::Result);
    let refused = result("stranger-1", 1);
    tools::mosquitto_pub(&appliance, ("stranger", "stranger"), &own, &refused).unwrap();
    until("the stranger to be noticed", WAIT, || {
        Ok(appliance.log().contains("unknown device refused").then_some(()))
    })
    .unwrap();
    assert!(api.get("/messages?device=stranger").unwrap()["items"].as_array().unwrap().is_empty());
    api.post("/pairing", &json!({})).unwrap().expect(200).unwrap();
    let quarantined = result("stranger-2", 2);
    tools::mosquitto_pub(&appliance, ("stranger", "stranger"), &own, &quarantined).unwrap();
    until("the quarantine", WAIT, || {
        let messages = api.list("/messages?device=stranger")?;
        Ok(messages.iter().any(|m| m["status"] == "quarantined").then_some(()))
    })
    .unwrap();
    approve(&api, "stranger");
    until("the test of the approved stranger", WAIT, || {
        Ok(count(&all(&api, "/tests")).contains_key("stranger-2").then_some(()))
    })
    .unwrap();
    let tests = count(&all(&api, "/tests"));
    assert!(!tests.contains_key("stranger-1") && !tests.contains_key("foreign-1"), "{tests:?}");
    let page = http::get_url(&format!("http://{}/readyz", appliance.setting.http)).unwrap();
    assert_eq!(page.status, 200);
}

/// Devices send once and trust the broker, which stays up: whatever is missing in the end we
/// acknowledged before it was durable.
#[test]
fn nothing_acknowledged_to_the_broker_is_lost_when_the_appliance_is_killed() {
    let (mut appliance, broker) = behind_mosquitto(&DEVICES, false);
    let api = appliance.api("admin").unwrap();
    DEVICES.iter().for_each(|device| approve(&api, device));
    let load = Load::start(broker.address, Habit::Once);
    for round in 0..rounds(4) {
        std::thread::sleep(Duration::from_millis(300 + (round as u64 * 137) % 700));
        appliance.kill();
        std::thread::sleep(Duration::from_millis(200));
        appliance.serve().unwrap();
    }
    let sent = load.stop();
    assert!(sent.len() > 200, "{}", sent.len());
    let tests = settled(&appliance, &sent);
    let lost: Vec<&String> = sent.iter().filter(|id| !tests.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), sent.len());
    assert_once(&tests);
    verified(appliance, sent.len(), "sent once");
}

#[test]
fn what_devices_repeat_until_the_receipt_arrives_once_whoever_is_killed() {
    let (mut appliance, mut broker) = behind_mosquitto(&DEVICES, false);
    let api = appliance.api("admin").unwrap();
    DEVICES.iter().for_each(|device| approve(&api, device));
    let load = Load::start(broker.address, Habit::UntilReceipt);
    for round in 0..rounds(3) {
        let pause = Duration::from_millis(400 + (round as u64 * 173) % 900);
        std::thread::sleep(pause);
        broker.kill();
        std::thread::sleep(pause / 3);
        broker.restart().unwrap();
        std::thread::sleep(pause);
        appliance.kill();
        if round % 2 == 1 {
            broker.restart().unwrap();
        }
        appliance.serve().unwrap();
    }
    let sent = load.stop();
    assert!(sent.len() > 100, "{}", sent.len());
    let tests = settled(&appliance, &sent);
    assert_once(&tests);
    let known: BTreeSet<&String> = tests.keys().collect();
    let lost: Vec<&String> = sent.iter().filter(|id| !known.contains(id)).collect();
    assert!(lost.is_empty(), "{} of {} have a receipt but no test", lost.len(), sent.len());
    verified(appliance, sent.len(), "repeated until the receipt");
}

fn verified(mut appliance: Appliance, count: usize, how: &str) {
    let messages = all(&appliance.api("admin").unwrap(), "/messages");
    let bad = messages.iter().filter(|m| m["status"] == "dead" || m["status"] == "conflict");
    assert_eq!(bad.count(), 0);
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
    println!("{count} results, {how}: all there, each once");
}

/// Whether devices trust the broker, or wait for a receipt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    Once,
    UntilReceipt,
}

/// Devices that send until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<Mutex<BTreeSet<String>>>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(broker: SocketAddr, habit: Habit) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(Mutex::new(BTreeSet::new()));
        let threads = DEVICES.map(|device| {
            let device = Device {
                id: device,
                broker: broker.to_string(),
                habit,
                stop: stop.clone(),
                done: done.clone(),
                open: BTreeMap::new(),
                next: 0,
            };
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(device.run());
            })
        });
        Self { stop, done, threads: threads.into() }
    }

    /// Stops making results, waits until every device is done with those it made, and gives the ids
    /// of all that were acknowledged by the broker (or have a receipt).
    fn stop(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        std::mem::take(&mut *self.done.lock().unwrap())
    }
}

struct Device {
    id: &'static str,
    broker: String,
    habit: Habit,
    stop: Arc<AtomicBool>,
    done: Arc<Mutex<BTreeSet<String>>>,
    /// Made and not done with: payload, and when it was sent last on this connection.
    open: BTreeMap<String, (Vec<u8>, Option<Instant>)>,
    next: usize,
}

impl Device {
    async fn run(mut self) {
        let mut stopped_at = None;
        loop {
            let options = Options { in_flight_max: 64, ..Options::default() };
            let client = DeviceClient::connect(&self.broker, self.id, self.id, options).await;
            let Ok(client) = client else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let client = Arc::new(client);
            self.open.values_mut().for_each(|(_, sent_at)| *sent_at = None);
            while client.is_connected() {
                if self.stop.load(Ordering::Relaxed) {
                    let since = *stopped_at.get_or_insert_with(Instant::now);
                    if self.open.is_empty() {
                        return;
                    }
                    assert!(
                        since.elapsed() < SETTLE,
                        "{}: no end of {:?}",
                        self.id,
                        self.open.keys()
                    );
                } else if self.open.len() < OPEN_MAX {
                    self.make();
                }
                match self.habit {
                    Habit::Once => self.send_once(&client).await,
                    Habit::UntilReceipt => self.repeat(&client).await,
                }
            }
        }
    }

    fn make(&mut self) {
        let id = format!("{}-{}", self.id, self.next);
        self.next += 1;
        let payload = result(&id, self.next);
        self.open.insert(id, (payload, None));
    }

    async fn send_once(&mut self, client: &DeviceClient) {
        while let Some((id, (payload, _))) = self.open.pop_first() {
            if client.publish_acked(UpKind::Result, payload, WAIT).await.is_ok() {
                self.done.lock().unwrap().insert(id);
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    async fn repeat(&mut self, client: &Arc<DeviceClient>) {
        for (payload, sent_at) in self.open.values_mut() {
            if sent_at.is_none_or(|at| at.elapsed() > REPEAT) {
                *sent_at = Some(Instant::now());
                let (client, payload) = (client.clone(), payload.clone());
                tokio::spawn(async move {
                    let _ = client.publish_acked(UpKind::Result, payload, WAIT).await;
                });
            }
        }
        let Ok(down) = client.next_down(Duration::from_millis(20)).await else { return };
        if down.kind == DownKind::Receipt {
            let receipt: Value = serde_json::from_slice(&down.payload).unwrap();
            assert!(
                receipt["status"] == "accepted" || receipt["status"] == "duplicate",
                "{receipt}"
            );
            let id = receipt["msg_id"].as_str().unwrap();
            if self.open.remove(id).is_some() {
                self.done.lock().unwrap().insert(id.to_owned());
            }
        }
    }
}

fn result(msg_id: &str, number: usize) -> Vec<u8> {
    let message = json!({
        "v": 1, "msg_id": msg_id, "method": "enzyme_inhibition",
        "item": { "code": "pesticide_op_carb", "name": "有机磷和氨基甲酸酯类农药" },
        "value": { "num": format!("{}.5", number % 40), "unit": "%", "kind": "inhibition_rate", "op": "=" },
        "tested_at": jiff::Timestamp::now().to_string(),
    });
    message.to_string().into_bytes()
}

/// The tests on record by message id, once all of `sent` are there or nothing more comes.
fn settled(appliance: &Appliance, sent: &BTreeSet<String>) -> BTreeMap<String, usize> {
    let api = appliance.api("admin").unwrap();
    let mut last = String::new();
    let mut quiet_since = Instant::now();
    let tests = until("the broker's queue and the pipeline to run dry", SETTLE, || {
        std::thread::sleep(Duration::from_millis(200));
        let metrics = appliance.get("/metrics")?.text();
        let at = |name: &str| {
            metrics.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
        };
        // What was recorded already may be given again, too, and is acknowledged again.
        let now = at("tianyin_journal_seq") + &at("tianyin_broker_acknowledged_total");
        if now != last || !at("tianyin_messages{status=\"received\"}").ends_with(" 0") {
            (last, quiet_since) = (now, Instant::now());
        }
        if quiet_since.elapsed() < QUIET {
            return Ok(None);
        }
        let tests = count(&all(&api, "/tests"));
        let complete = sent.iter().all(|id| tests.contains_key(id));
        // A broker that writes a long queue to its disk may say nothing for a while.
        Ok((complete || quiet_since.elapsed() > STALLED).then_some(tests))
    });
    let tests = tests.unwrap();
    assert!(tests.len() >= sent.len() / 2, "{} of {}", tests.len(), sent.len());
    tests
}

fn assert_once(tests: &BTreeMap<String, usize>) {
    let twice: Vec<_> = tests.iter().filter(|(_, n)| **n != 1).collect();
    assert!(twice.is_empty(), "recorded more than once: {twice:?}");
}

fn count(tests: &[Value]) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for test in tests {
        let id = test["measurement"]["msg_id"].as_str().unwrap().to_owned();
        *counted.entry(id).or_default() += 1;
    }
    counted
}

/// All items of a list.
fn all(api: &Api, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}?limit=200{cursor}")).unwrap();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={}", http::encode(next)),
            None => return items,
        }
    }
}
