//! A mixed load: devices publish results, people enter lots and records, issue, void and print, and
//! consumers scan.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tianyin_gateway::UpKind;
use tianyin_gateway::client::{DeviceClient, Options};
use tianyin_tests::api::Api;
use tianyin_tests::{Appliance, http};

pub const DEVICE: &str = "json-ysh-01";
/// Of one person; more in a short time would be refused.
const PHOTOS_MAX: usize = 20;
const ACK_TIMEOUT: Duration = Duration::from_secs(30);

/// How much is done at once.
#[derive(Debug, Clone)]
pub struct Shape {
    /// In every name, so that no two loads have the same.
    pub name: String,
    /// Connections of devices.
    pub clients: usize,
    /// Results a device sends before it waits for an acknowledgement.
    pub in_flight: u16,
    /// Pause of a device between two results.
    pub pause: Duration,
    /// People at work.
    pub people: usize,
    /// Whether records have photos.
    pub photos: bool,
}

/// What was acknowledged, and what was sent without an answer.
#[derive(Default)]
pub struct Told {
    /// Everything acknowledged: `{ "what": …, "id": …, … }`.
    pub acknowledged: Vec<Value>,
    /// Results without an acknowledgement, by message id: a device sends them again.
    pub open: BTreeMap<String, Vec<u8>>,
    /// Answers that were refusals: nothing was promised.
    pub refused: Vec<String>,
}

/// Hears of every acknowledgement as soon as it has arrived.
pub type Hear = Arc<dyn Fn(&Value) + Send + Sync>;

/// A load under way.
pub struct Load {
    pub told: Arc<Mutex<Told>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts; `again` are results an earlier load has had no acknowledgement for.
    pub fn start(
        appliance: &Appliance,
        shape: &Shape,
        again: BTreeMap<String, Vec<u8>>,
        hear: Hear,
    ) -> Self {
        let told = Arc::new(Mutex::new(Told::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let ear = Ear { told: told.clone(), stop: stop.clone(), hear };
        let mut threads = Vec::new();
        if shape.clients > 0 {
            let lots = appliance.demo.lots.iter().map(|lot| lot.no.clone()).collect();
            let devices = Devices {
                mqtt: appliance.setting.mqtt.to_string(),
                token: appliance.demo.token(DEVICE).to_owned(),
                lots,
                shape: shape.clone(),
                ear: ear.clone(),
            };
            threads.push(std::thread::spawn(move || devices.run(again)));
        }
        let api = appliance.api("admin").unwrap();
        let green = appliance.demo.lot("小白菜").unwrap().id.clone();
        let green = api.get(&format!("/lots/{green}")).unwrap();
        for n in 0..shape.people {
            let name = format!("{}-p{n}", shape.name);
            let person = Person {
                api: api.clone(),
                address: appliance.setting.http,
                printer: appliance.demo.printer().to_owned(),
                name,
                green: green.clone(),
                photos: shape.photos,
                ear: ear.clone(),
            };
            threads.push(std::thread::spawn(move || person.run()));
        }
        Self { told, stop, threads }
    }

    /// Number of acknowledgements so far.
    pub fn acknowledged(&self) -> usize {
        self.told.lock().unwrap().acknowledged.len()
    }

    /// Waits until it has ended, which it does when it is told to or when the service is gone.
    pub fn end(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

#[derive(Clone)]
struct Ear {
    told: Arc<Mutex<Told>>,
    stop: Arc<AtomicBool>,
    hear: Hear,
}

impl Ear {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn acknowledged(&self, what: Value) {
        (self.hear)(&what);
        self.told.lock().unwrap().acknowledged.push(what);
    }
}

struct Devices {
    mqtt: String,
    token: String,
    lots: Vec<String>,
    shape: Shape,
    ear: Ear,
}

impl Devices {
    fn run(self, again: BTreeMap<String, Vec<u8>>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut clients = Vec::new();
            for n in 0..self.shape.clients {
                let options = Options {
                    client_id: Some(format!("{DEVICE}-{n}")),
                    in_flight_max: self.shape.in_flight,
                    ..Options::default()
                };
                // The service may be killed at any time, also now.
                let client = DeviceClient::connect(&self.mqtt, DEVICE, &self.token, options).await;
                let Ok(client) = client else { return self.keep(again) };
                clients.push(Arc::new(client));
            }
            let mut tasks = tokio::task::JoinSet::new();
            for (msg_id, payload) in again {
                let (client, ear) = (clients[0].clone(), self.ear.clone());
                tasks.spawn(async move {
                    publish(&client, &ear, msg_id, payload).await;
                });
            }
            for (n, client) in clients.iter().enumerate() {
                for lane in 0..u64::from(self.shape.in_flight) {
                    let (client, ear, lots) = (client.clone(), self.ear.clone(), self.lots.clone());
                    let (name, pause) = (self.shape.name.clone(), self.shape.pause);
                    tasks.spawn(async move {
                        for number in 0.. {
                            let msg_id = format!("{name}-c{n}-l{lane}-{number}");
                            let payload = result(&msg_id, &lots[number % lots.len()], number);
                            if !ear.goes_on() || !publish(&client, &ear, msg_id, payload).await {
                                return;
                            }
                            tokio::time::sleep(pause).await;
                        }
                    });
                }
            }
            while tasks.join_next().await.is_some() {}
        });
    }

    fn keep(&self, again: BTreeMap<String, Vec<u8>>) {
        self.ear.told.lock().unwrap().open.extend(again);
    }
}

async fn publish(client: &DeviceClient, ear: &Ear, msg_id: String, payload: Vec<u8>) -> bool {
    ear.told.lock().unwrap().open.insert(msg_id.clone(), payload.clone());
    let acknowledged = client.publish_acked(UpKind::Result, payload, ACK_TIMEOUT).await.is_ok();
    if acknowledged {
        ear.told.lock().unwrap().open.remove(&msg_id);
        ear.acknowledged(json!({ "what": "result", "id": msg_id }));
    }
    acknowledged
}

/// A result in the canonical format.
pub fn result(msg_id: &str, lot: &str, number: usize) -> Vec<u8> {
    let message = json!({
        "v": 1, "msg_id": msg_id, "method": "enzyme_inhibition",
        "item": { "code": "pesticide_op_carb", "name": "有机磷和氨基甲酸酯类农药" },
        "sample": { "batch_code": lot },
        "value": { "num": format!("{}.5", number % 40), "unit": "%", "kind": "inhibition_rate", "op": "=" },
        "tested_at": jiff::Timestamp::now().to_string(),
    });
    message.to_string().into_bytes()
}

/// Somebody at a desk: a lot, a record of the field, a certificate, sometimes a label or an error.
struct Person {
    api: Api,
    address: SocketAddr,
    printer: String,
    name: String,
    /// A lot whose producer has given an authorisation; more of its kind are opened.
    green: Value,
    photos: bool,
    ear: Ear,
}

impl Person {
    fn run(self) {
        let mut number = 0;
        while self.ear.goes_on() && self.work(number).is_some() {
            number += 1;
        }
    }

    /// `None` when the service is gone.
    fn work(&self, number: usize) -> Option<()> {
        let (site, product) = (&self.green["site"], &self.green["product"]);
        let lot = json!({
            "site": site, "product": product, "quantity": "100",
            "harvested_on": self.green["harvested_on"],
        });
        let lot = self.send("lot", number, "/lots", lot)??;
        let note = format!("{}-{number}", self.name);
        let photos =
            if self.photos && number < PHOTOS_MAX { vec![self.photo(&note)?] } else { Vec::new() };
        let record = json!({
            "site": site, "product": product, "kind": "other", "note": note,
            "date": self.green["harvested_on"], "attachments": photos,
        });
        self.send("activity", number, "/activities", record)?;
        let request = json!({ "lot": lot, "quantity": "1", "basis": ["quality_control"] });
        let Some(code) = self.send("certificate", number, "/certificates", request)? else {
            return Some(());
        };
        http::get(self.address, &format!("/t/{code}")).ok()?;
        if number.is_multiple_of(3) {
            let job = json!({ "certificate": code, "printer": self.printer, "copies": 1 });
            self.send("print_job", number, "/print_jobs", job)?;
        }
        if number.is_multiple_of(4) {
            let path = format!("/certificates/{code}/void");
            self.send("void", number, &path, json!({ "reason": "写错了" }))?;
        }
        Some(())
    }

    /// Uploads a file that holds a text; gives what a record refers to it with.
    fn photo(&self, text: &str) -> Option<Value> {
        let answer = self.api.send("POST", "/blobs", &[], &photo(text)).ok()?;
        if answer.status != 200 {
            let refusal = format!("photo: {} {}", answer.status, answer.text());
            self.ear.told.lock().unwrap().refused.push(refusal);
            return None;
        }
        answer.json().ok()
    }

    /// Posts with a key of its own. `None` without an answer, `Some(None)` when it was refused, else
    /// the id of what was made.
    fn send(&self, what: &str, number: usize, path: &str, body: Value) -> Option<Option<String>> {
        let key = format!("{}-{what}-{number}", self.name);
        let answer = post_keyed(&self.api, path, &key, &body).ok()?;
        if !(200..300).contains(&answer.status) {
            let refusal = format!("{what}: {} {}", answer.status, answer.text());
            self.ear.told.lock().unwrap().refused.push(refusal);
            return Some(None);
        }
        let made = answer.json().ok()?;
        let id = made["id"].as_str().or(made["content"]["code"].as_str())?.to_owned();
        let told = json!({ "what": what, "id": id, "key": key, "path": path, "body": body });
        self.ear.acknowledged(told);
        Some(Some(id))
    }
}

/// What is a picture by its first bytes, and holds a text.
pub fn photo(text: &str) -> Vec<u8> {
    [b"\xff\xd8\xff\xe0 a picture of ", text.repeat(50).as_bytes()].concat()
}

/// A request that may be repeated without being done twice.
pub fn post_keyed(
    api: &Api,
    path: &str,
    key: &str,
    body: &Value,
) -> anyhow::Result<tianyin_tests::http::Answer> {
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)];
    api.send("POST", path, &headers, body.to_string().as_bytes())
}
