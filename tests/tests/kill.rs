//! `kill -9` under load, twenty times: what was acknowledged is there, once, and nothing is half done.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tianyin_gateway::UpKind;
use tianyin_gateway::client::{DeviceClient, Options};
use tianyin_tests::appliance::Setting;
use tianyin_tests::{Appliance, until};

const ROUNDS: u64 = 20;
const CLIENTS: usize = 4;
const IN_FLIGHT: u16 = 8;
const DEVICE: &str = "json-ysh-01";
const WAIT: Duration = Duration::from_secs(30);

/// What the device has sent in a round.
#[derive(Default)]
struct Sent {
    acknowledged: BTreeSet<String>,
    /// Not acknowledged when the power went: the device sends them again.
    open: BTreeMap<String, Vec<u8>>,
}

#[test]
fn acknowledged_results_survive_twenty_power_cuts() {
    let mut appliance = Appliance::made(Setting::new().unwrap()).unwrap();
    let lots: Vec<String> = appliance.demo.lots.iter().map(|lot| lot.no.clone()).collect();
    let mut acknowledged = BTreeSet::new();
    let mut again = BTreeMap::new();
    for round in 0..ROUNDS {
        appliance.serve().unwrap();
        let sent = Arc::new(Mutex::new(Sent::default()));
        let mqtt = appliance.setting.mqtt.to_string();
        let token = appliance.demo.token(DEVICE).to_owned();
        let load = load(round, mqtt, token, lots.clone(), std::mem::take(&mut again), sent.clone());
        until("the first acknowledgements", WAIT, || {
            Ok((sent.lock().unwrap().acknowledged.len() > 20).then_some(()))
        })
        .unwrap();
        // Another moment in every round: in the middle of a write, of a decode, of an issue.
        std::thread::sleep(Duration::from_millis(20 + (round * 37) % 250));
        appliance.kill();
        load.join().unwrap();
        let mut sent = sent.lock().unwrap();
        acknowledged.append(&mut sent.acknowledged);
        again = std::mem::take(&mut sent.open);
    }

    appliance.serve().unwrap();
    settle(&appliance);
    let before = everything(&appliance);
    let counted = count(&before["/tests"]);
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !counted.contains_key(*id)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged results are lost",
        lost.len(),
        acknowledged.len()
    );
    let twice: Vec<_> = counted.iter().filter(|(_, n)| **n != 1).collect();
    assert!(twice.is_empty(), "recorded more than once: {twice:?}");
    // The last message of a round may be durable without its acknowledgement having arrived.
    assert!(counted.len() >= acknowledged.len());
    certificates_are_whole(&appliance, &before);

    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
    lines_are_whole(&appliance.setting.data.join("journal"));
    appliance.run(&["rebuild"]).unwrap();
    appliance.serve().unwrap();
    let after = everything(&appliance);
    for (path, list) in &before {
        assert!(list == &after[path], "{path} differs after a rebuild from the journal");
    }
    println!("{} results acknowledged over {ROUNDS} power cuts, all there", acknowledged.len());
}

/// Sends results as fast as they are acknowledged until the connection breaks.
fn load(
    round: u64,
    mqtt: String,
    token: String,
    lots: Vec<String>,
    again: BTreeMap<String, Vec<u8>>,
    sent: Arc<Mutex<Sent>>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut clients = Vec::new();
            for n in 0..CLIENTS {
                let client_id = Some(format!("{DEVICE}-{n}"));
                let options = Options { client_id, in_flight_max: IN_FLIGHT, ..Options::default() };
                clients.push(Arc::new(
                    DeviceClient::connect(&mqtt, DEVICE, &token, options).await.unwrap(),
                ));
            }
            let mut tasks = tokio::task::JoinSet::new();
            for (msg_id, payload) in again {
                tasks.spawn(publish(clients[0].clone(), msg_id, payload, sent.clone()));
            }
            for (n, client) in clients.iter().enumerate() {
                for lane in 0..u64::from(IN_FLIGHT) {
                    let (client, sent, lots) = (client.clone(), sent.clone(), lots.clone());
                    tasks.spawn(async move {
                        for number in 0.. {
                            let msg_id = format!("r{round}-c{n}-l{lane}-{number}");
                            let payload = result(&msg_id, &lots[number % lots.len()], number);
                            if !publish(client.clone(), msg_id, payload, sent.clone()).await {
                                return true;
                            }
                        }
                        true
                    });
                }
            }
            while tasks.join_next().await.is_some() {}
        });
    })
}

async fn publish(
    client: Arc<DeviceClient>,
    msg_id: String,
    payload: Vec<u8>,
    sent: Arc<Mutex<Sent>>,
) -> bool {
    sent.lock().unwrap().open.insert(msg_id.clone(), payload.clone());
    let acknowledged = client.publish_acked(UpKind::Result, payload, WAIT).await.is_ok();
    if acknowledged {
        let mut sent = sent.lock().unwrap();
        sent.open.remove(&msg_id);
        sent.acknowledged.insert(msg_id);
    }
    acknowledged
}

fn result(msg_id: &str, lot: &str, number: usize) -> Vec<u8> {
    let message = json!({
        "v": 1, "msg_id": msg_id, "method": "enzyme_inhibition",
        "item": { "code": "pesticide_op_carb", "name": "有机磷和氨基甲酸酯类农药" },
        "sample": { "batch_code": lot },
        "value": { "num": format!("{}.5", number % 40), "unit": "%", "kind": "inhibition_rate", "op": "=" },
        "tested_at": jiff::Timestamp::now().to_string(),
    });
    message.to_string().into_bytes()
}

/// Waits until everything that was durable is decoded, judged, issued and printed (or not).
fn settle(appliance: &Appliance) {
    let mut last = String::new();
    until("the work left over to be done", Duration::from_secs(90), || {
        std::thread::sleep(Duration::from_millis(300));
        let metrics = appliance.get("/metrics")?.text();
        let at = |name: &str| {
            metrics.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
        };
        let now = at("tianyin_journal_seq");
        let done = at("tianyin_messages{status=\"received\"}").ends_with(" 0") && now == last;
        last = now;
        Ok(done.then_some(()))
    })
    .unwrap();
}

/// All items of the lists that the load touches.
fn everything(appliance: &Appliance) -> BTreeMap<&'static str, Vec<Value>> {
    let api = appliance.api("admin").unwrap();
    let mut lists = BTreeMap::new();
    for path in ["/tests", "/messages", "/certificates", "/lots", "/print_jobs"] {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = api.get(&format!("{path}?limit=200{cursor}")).unwrap();
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={}", tianyin_tests::http::encode(next)),
                None => break,
            }
        }
        lists.insert(path, items);
    }
    lists
}

fn count(tests: &[Value]) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for test in tests {
        *counted.entry(test["measurement"]["msg_id"].as_str().unwrap().to_owned()).or_default() +=
            1;
    }
    counted
}

/// Lots that are certified by themselves are certified once and whole, and every code answers.
fn certificates_are_whole(appliance: &Appliance, lists: &BTreeMap<&'static str, Vec<Value>>) {
    for lot in &appliance.demo.lots {
        let of_lot: Vec<&Value> =
            lists["/certificates"].iter().filter(|c| c["lot"] == lot.id.as_str()).collect();
        assert_eq!(of_lot.len(), usize::from(lot.auto_issue), "{}: {of_lot:#?}", lot.no);
        for certificate in of_lot {
            let code = certificate["content"]["code"].as_str().unwrap();
            assert_eq!(appliance.get(&format!("/t/{code}")).unwrap().status, 200);
        }
    }
    let messages: BTreeSet<&str> =
        lists["/messages"].iter().filter_map(|message| message["id"].as_str()).collect();
    for test in &lists["/tests"] {
        assert!(messages.contains(test["message"].as_str().unwrap()), "{test} has no message");
    }
}

/// Every line of the journal is one whole command with its place in the chain.
fn lines_are_whole(folder: &Path) {
    let mut seqs = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten().filter(|e| e.path().is_file()) {
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        for line in text.lines().filter(|line| line.starts_with('{')) {
            let line: Value = serde_json::from_str(line).unwrap();
            if let Some(seq) = line["seq"].as_u64() {
                assert!(
                    line["events"].as_array().is_some_and(|events| !events.is_empty()),
                    "{line}"
                );
                seqs.push(seq);
            }
        }
    }
    seqs.sort_unstable();
    assert!(!seqs.is_empty());
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "a line is missing or twice there");
}
