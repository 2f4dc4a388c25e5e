//! What devices do wrong: everything has a name, nothing is lost, and the flow goes on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use tianyin_devices::lz4000t::{Fault, Record, frames};
use tianyin_gateway::client::{ClientError, ConnectRefused, DeviceClient, Options};
use tianyin_gateway::{DownKind, UpKind};
use tianyin_tests::api::Api;
use tianyin_tests::{Appliance, tools, until};
use tokio::runtime::Runtime;

const WAIT: Duration = Duration::from_secs(15);
const JSON: &str = "json-ysh-01";
const LZ: &str = "lz4000t-hs-01";
const SCANNER: &str = "scan-hs-01";

fn appliance() -> &'static Appliance {
    static SHARED: OnceLock<Appliance> = OnceLock::new();
    SHARED.get_or_init(|| Appliance::start().unwrap())
}

fn api() -> Api {
    static SHARED: OnceLock<Api> = OnceLock::new();
    SHARED.get_or_init(|| appliance().api("admin").unwrap()).clone()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn connect(device: &str, token: &str) -> Result<DeviceClient, ClientError> {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let client_id = Some(format!("{device}-{number}"));
    let options = Options { client_id, ..Options::default() };
    DeviceClient::connect(&appliance().setting.mqtt.to_string(), device, token, options).await
}

/// Sends one message and gives the receipt that `mine` picks.
fn send(device: &str, kind: UpKind, payload: &[u8], mine: impl Fn(&Value) -> bool) -> Value {
    runtime().block_on(async {
        let client = connect(device, appliance().demo.token(device)).await.unwrap();
        client.publish_acked(kind, payload.to_vec(), WAIT).await.unwrap();
        let receipt = next_receipt(&client, &mine).await;
        client.disconnect().await;
        receipt
    })
}

async fn next_receipt(client: &DeviceClient, mine: &impl Fn(&Value) -> bool) -> Value {
    loop {
        let down = client.next_down(WAIT).await.unwrap();
        let receipt: Value = serde_json::from_slice(&down.payload).unwrap();
        if down.kind == DownKind::Receipt && mine(&receipt) {
            return receipt;
        }
    }
}

fn result(msg_id: &str, num: &str) -> Value {
    json!({
        "v": 1, "msg_id": msg_id, "method": "enzyme_inhibition",
        "item": { "code": "pesticide_op_carb", "name": "有机磷和氨基甲酸酯类农药" },
        "value": { "num": num, "unit": "%", "kind": "inhibition_rate", "op": "=" },
        "tested_at": Timestamp::now().to_string(),
    })
}

/// The message in which these very bytes are kept, once it is settled.
fn kept(device: &str, payload: &[u8]) -> Value {
    let raw = base64::engine::general_purpose::STANDARD.encode(payload);
    until("the message to be settled", WAIT, || {
        for message in api().list(&format!("/messages?device={device}"))? {
            let id = message["id"].as_str().unwrap_or_default();
            let shown = api().get(&format!("/messages/{id}"))?;
            if shown["raw"] == raw.as_str() && shown["status"] != "received" {
                return Ok(Some(shown));
            }
        }
        Ok(None)
    })
    .unwrap()
}

fn test_by_msg_id(msg_id: &str) -> Option<Value> {
    let tests = api().list("/tests").unwrap();
    tests.into_iter().find(|test| test["measurement"]["msg_id"] == msg_id)
}

#[test]
fn wrong_bodies_are_rejected_and_kept_raw() {
    let whole = result("wrong-body", "1.0");
    let with = |key: &str, value: Value| {
        let mut changed = whole.clone();
        changed[key] = value;
        changed.to_string().into_bytes()
    };
    let mut no_value = whole.clone();
    no_value.as_object_mut().unwrap().remove("value");
    let bodies: [(Vec<u8>, &str); 7] = [
        (b"{\"v\":1,".to_vec(), "EOF"),
        (b"".to_vec(), "EOF"),
        (vec![0xFF, 0xFE, 0x00, 0x7B], "expected"),
        (b"[1,2,3]".to_vec(), ""),
        (no_value.to_string().into_bytes(), "value"),
        (with("method", "guessing".into()), "guessing"),
        (with("tested_at", "2026-13-45T00:00:00Z".into()), ""),
    ];
    for (body, named) in bodies {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let receipt = send(JSON, UpKind::Result, &body, |r| r["status"] == "rejected");
        assert!(receipt["error"].as_str().unwrap().contains(named), "{shown}: {receipt}");
        let message = kept(JSON, &body);
        assert_eq!(message["status"], "dead", "{shown}: {message}");
        assert_eq!(message["reason"], "not_json", "{shown}: {message}");
    }
    assert!(test_by_msg_id("wrong-body").is_none());
    // The next good one goes through, and a dead one can be decoded again (and is dead again).
    let good = send(JSON, UpKind::Result, result("after-all", "2.0").to_string().as_bytes(), |r| {
        r["msg_id"] == "after-all"
    });
    assert_eq!(good["status"], "accepted");
    let dead = kept(JSON, b"[1,2,3]");
    let replay = format!("/messages/{}/replay", dead["id"].as_str().unwrap());
    api().done(&replay, &json!({})).unwrap();
    assert_eq!(kept(JSON, b"[1,2,3]")["status"], "dead");
}

#[test]
fn values_that_no_test_can_have_are_refused_by_name() {
    for (case, num) in [("empty", ""), ("word", "a lot"), ("huge", "9e99999")] {
        let body = result(&format!("bad-value-{case}"), num).to_string();
        let receipt = send(JSON, UpKind::Result, body.as_bytes(), |r| {
            r["msg_id"] == format!("bad-value-{case}")
        });
        let message = kept(JSON, body.as_bytes());
        if receipt["status"] == "accepted" {
            // Kept, but never judged as a pass.
            let test = test_by_msg_id(&format!("bad-value-{case}")).unwrap();
            assert_eq!(test["verdict"], "invalid", "{case}: {test}");
        } else {
            assert_eq!(message["status"], "dead", "{case}: {message}");
            assert!(receipt["error"].is_string(), "{case}: {receipt}");
        }
    }
}

#[test]
fn frames_are_taken_as_far_as_they_are_whole() {
    let time = jiff::tz::Offset::constant(8).to_datetime(Timestamp::now());
    let time = time.with().subsec_nanosecond(0).build().unwrap();
    let record =
        |record_no| Record { record_no, name: "白菜".into(), time, inhibition_hundredths: 1000 };
    let good = frames(&[record(301)]).unwrap();
    let damaged = Fault::CorruptedCrc.apply(&frames(&[record(302)]).unwrap());
    let doubled = Fault::DoubledStart.apply(&frames(&[record(303)]).unwrap());
    let noisy =
        Fault::GarbageBefore(vec![0x00, 0x7E, 0x11, 0x42]).apply(&frames(&[record(304)]).unwrap());

    let nothing = b"this is no frame at all".to_vec();
    let receipt = send(LZ, UpKind::Raw, &nothing, |r| r["status"] == "rejected");
    assert!(receipt["error"].is_string(), "{receipt}");
    let message = kept(LZ, &nothing);
    assert_eq!((&message["status"], &message["reason"]), (&json!("dead"), &json!("decoder_empty")));

    let only_damaged = kept_after(&damaged, "rejected");
    assert_eq!(only_damaged["status"], "dead", "{only_damaged}");
    assert!(only_damaged["problems"].to_string().contains("crc"), "{only_damaged}");

    let all = [good, damaged, doubled, noisy].concat();
    let mixed = kept_after(&all, "accepted");
    assert_eq!(mixed["status"], "accepted", "{mixed}");
    assert_eq!(mixed["tests"].as_array().unwrap().len(), 3, "{mixed}");
    assert!(!mixed["problems"].as_array().unwrap().is_empty(), "damage is reported: {mixed}");
}

fn kept_after(payload: &[u8], status: &str) -> Value {
    send(LZ, UpKind::Raw, payload, |r| r["status"] == status);
    kept(LZ, payload)
}

#[test]
fn a_clock_that_was_never_set_is_flagged() {
    let time = jiff::civil::date(2000, 1, 1).at(8, 0, 0, 0);
    let record =
        Record { record_no: 411, name: "白菜".into(), time, inhibition_hundredths: 1200 };
    let payload = frames(&[record]).unwrap();
    let message = kept_after(&payload, "accepted");
    let id = message["tests"][0].as_str().unwrap();
    let test = api().get(&format!("/tests/{id}")).unwrap();
    assert_eq!(test["flags"], json!(["clock_none"]), "{test}");
    assert_eq!(test["verdict"], "pass");

    // A clock that is wrong by a year is another matter.
    let mut body = result("wrong-year", "3.0");
    let then = Timestamp::now() - jiff::SignedDuration::from_hours(365 * 24);
    body["tested_at"] = then.to_string().into();
    send(JSON, UpKind::Result, body.to_string().as_bytes(), |r| r["msg_id"] == "wrong-year");
    let test = test_by_msg_id("wrong-year").unwrap();
    assert_eq!(test["flags"], json!(["clock_off"]), "{test}");
}

#[test]
fn repeats_are_known_and_contradictions_are_kept_apart() {
    let first = result("twice", "4.0").to_string();
    let mine = |r: &Value| r["msg_id"] == "twice";
    assert_eq!(send(JSON, UpKind::Result, first.as_bytes(), mine)["status"], "accepted");
    assert_eq!(send(JSON, UpKind::Result, first.as_bytes(), mine)["status"], "duplicate");
    // The same content in other bytes is the same result, too.
    let spaced =
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(&first).unwrap()).unwrap();
    assert_eq!(send(JSON, UpKind::Result, spaced.as_bytes(), mine)["status"], "duplicate");

    let mut other: Value = serde_json::from_str(&first).unwrap();
    other["value"]["num"] = "94.0".into();
    let other = other.to_string();
    assert_eq!(send(JSON, UpKind::Result, other.as_bytes(), mine)["status"], "conflict");
    assert_eq!(kept(JSON, other.as_bytes())["status"], "conflict");
    let test = test_by_msg_id("twice").unwrap();
    assert_eq!(test["measurement"]["value"]["num"], "4.0", "the first one stands");
    let tests = api().list(&format!("/tests?device={JSON}")).unwrap();
    assert_eq!(tests.iter().filter(|t| t["measurement"]["msg_id"] == "twice").count(), 1);
}

#[test]
fn unknown_lots_wait_for_a_person_and_unknown_scans_are_told() {
    let mut body = result("no-such-lot", "5.0");
    body["sample"] = json!({ "batch_code": "L19990101-9999" });
    let receipt =
        send(JSON, UpKind::Result, body.to_string().as_bytes(), |r| r["msg_id"] == "no-such-lot");
    assert_eq!(receipt["status"], "accepted");
    let test = test_by_msg_id("no-such-lot").unwrap();
    assert!(test["lot"].is_null(), "{test}");
    let waiting = api().list("/tests?unmatched=true").unwrap();
    assert!(waiting.iter().any(|t| t["id"] == test["id"]));
    let lot = appliance().demo.lot("辣椒").unwrap();
    let id = test["id"].as_str().unwrap();
    let assigned = api().done(&format!("/tests/{id}/assign"), &json!({ "lot": lot.no })).unwrap();
    assert_eq!((&assigned["lot"], &assigned["matched_by"]), (&json!(lot.id), &json!("person")));

    let scans: [(&[u8], &str); 4] = [
        ("{\"text\":\"没有这个批次\"}".as_bytes(), "scan_unknown"),
        (b"{\"text\":\"   \"}", "scan_empty"),
        (b"{\"text\":\"0000000000000000\"}", "scan_unknown"),
        (b"not json", "not_json"),
    ];
    for (body, reason) in scans {
        let receipt = send(SCANNER, UpKind::Scan, body, |r| r["status"] == "rejected");
        assert!(receipt["error"].is_string(), "{receipt}");
        assert_eq!(kept(SCANNER, body)["reason"], reason);
    }
}

#[test]
fn wrong_tokens_and_strangers_stay_outside() {
    runtime().block_on(async {
        for (device, token) in [
            (JSON, "wrong"),
            (JSON, ""),
            (JSON, appliance().demo.token(LZ)),
            ("stranger-01", "12345678"),
            ("printer-hs-01", ""),
        ] {
            let error =
                connect(device, token).await.err().unwrap_or_else(|| panic!("{device} {token}"));
            let refused = ClientError::Refused(ConnectRefused::BadCredentials);
            assert_eq!(error, refused, "{device} {token}");
        }
    });
    // A foreign client is told in its own words.
    let told =
        tools::mosquitto_pub(appliance(), (JSON, "wrong"), "tianyin/v1/x/up/raw", b"x").unwrap();
    assert_ne!(told.code, Some(0));
    assert!(told.stderr.to_lowercase().contains("bad user name or password"), "{told:?}");
    let log = appliance().log();
    assert!(log.contains("wrong token"), "no word of it in the log");
}

#[test]
fn nobody_speaks_for_another_and_nothing_too_large_comes_in() {
    let token = appliance().demo.token(JSON);
    let before = api().list(&format!("/messages?device={LZ}")).unwrap().len();
    for topic in [
        format!("tianyin/v1/{LZ}/up/result"),
        format!("tianyin/v1/{JSON}/up/unknown"),
        format!("tianyin/v1/{JSON}/down/receipt"),
        "anything".to_owned(),
    ] {
        let body = result("foreign-topic", "6.0").to_string();
        let done =
            tools::mosquitto_pub(appliance(), (JSON, token), &topic, body.as_bytes()).unwrap();
        assert_ne!(done.code, Some(0), "{topic}: {done:?}");
    }
    assert!(test_by_msg_id("foreign-topic").is_none());
    let after = api().list(&format!("/messages?device={LZ}")).unwrap().len();
    assert!(after >= before, "messages were lost");

    runtime().block_on(async {
        let client = connect(JSON, token).await.unwrap();
        let large = vec![b' '; 66 * 1024];
        let sent = client.publish_acked(UpKind::Result, large, Duration::from_secs(5)).await;
        assert!(sent.is_err(), "66 KiB were acknowledged");
    });
    // The service has taken no harm, the device comes back.
    let good =
        send(JSON, UpKind::Result, result("after-large", "7.0").to_string().as_bytes(), |r| {
            r["msg_id"] == "after-large"
        });
    assert_eq!(good["status"], "accepted");
}

#[test]
fn a_device_in_quarantine_loses_nothing_and_a_disabled_one_is_out() {
    let code = api().done("/pairing", &json!({})).unwrap();
    let code = code["code"].as_str().unwrap().to_owned();
    let body = result("from-quarantine", "8.0").to_string();
    runtime().block_on(async {
        let client = connect("new-device-01", &code).await.unwrap();
        client.publish_acked(UpKind::Result, body.clone(), WAIT).await.unwrap();
        client.disconnect().await;
    });
    api().send("DELETE", "/pairing", &[], &[]).unwrap().expect(204).unwrap();
    assert_eq!(kept("new-device-01", body.as_bytes())["status"], "quarantined");
    assert!(test_by_msg_id("from-quarantine").is_none());

    let approval =
        json!({ "name": "新检测仪", "kind": "analyzer", "area": "430321", "new_token": true });
    let approved = api().done("/devices/new-device-01/approve", &approval).unwrap();
    let token = approved["token"].as_str().unwrap().to_owned();
    // What it sent in quarantine is taken in now.
    until("the result from quarantine", WAIT, || Ok(test_by_msg_id("from-quarantine"))).unwrap();
    let wait_over = runtime().block_on(async { connect("new-device-01", &code).await.err() });
    assert!(wait_over.is_some(), "the pairing code still works");
    runtime().block_on(async { connect("new-device-01", &token).await.unwrap() });

    api().done("/devices/new-device-01/disable", &json!({})).unwrap();
    let refused = runtime().block_on(async { connect("new-device-01", &token).await.err() });
    assert!(matches!(refused, Some(ClientError::Refused(_))), "{refused:?}");
}
