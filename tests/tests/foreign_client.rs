//! mosquitto_pub, which knows nothing of us, delivers results.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::{Timestamp, tz::Offset};
use serde_json::{Value, json};
use tianyin_devices::lz4000t::{Record, frames};
use tianyin_tests::child::Running;
use tianyin_tests::{Appliance, tools, until};

const WAIT: Duration = Duration::from_secs(15);

fn china_now() -> DateTime {
    let now = Offset::constant(8).to_datetime(Timestamp::now());
    now.with().subsec_nanosecond(0).build().unwrap()
}

#[test]
fn raw_frames_and_json_of_a_foreign_client_end_as_judged_tests() {
    let appliance = Appliance::start().unwrap();
    let api = appliance.api("clerk").unwrap();

    // Two records in one payload, as the analyzer sends a day's work.
    let record = |record_no, inhibition_hundredths| Record {
        record_no,
        name: "辣椒".into(),
        time: china_now(),
        inhibition_hundredths,
    };
    let payload = frames(&[record(7, 4996), record(8, 5000)]).unwrap();
    let device = "lz4000t-hs-01";
    let login = (device, appliance.demo.token(device));
    let topic = format!("tianyin/v1/{device}/up/raw");
    let done = tools::mosquitto_pub(&appliance, login, &topic, &payload).unwrap();
    assert_eq!(done.code, Some(0), "{done:?}");
    let raw = tests_of(&api, device, 2);
    let verdicts: Vec<(&str, &str)> = raw
        .iter()
        .map(|t| {
            (t["measurement"]["value"]["num"].as_str().unwrap(), t["verdict"].as_str().unwrap())
        })
        .collect();
    assert_eq!(verdicts, [("49.96", "pass"), ("50.00", "fail")], "50.0 is positive, 49.96 is not");

    // JSON, only what the message must have; the receipt is read by mosquitto_sub.
    let device = "json-ysh-01";
    let token = appliance.demo.token(device).to_owned();
    let mut receipts = subscribe(&appliance, device, &token);
    let lot = appliance.demo.lot("辣椒").unwrap().clone();
    let message = json!({
        "v": 1, "msg_id": "foreign-1", "method": "enzyme_inhibition",
        "item": { "code": "pesticide_op_carb", "name": "有机磷和氨基甲酸酯类农药" },
        "sample": { "batch_code": lot.no },
        "value": { "num": "12.5", "unit": "%", "kind": "inhibition_rate", "op": "=" },
        "tested_at": Timestamp::now().to_string(),
    });
    let topic = format!("tianyin/v1/{device}/up/result");
    let login = (device, token.as_str());
    let done = tools::mosquitto_pub(&appliance, login, &topic, message.to_string().as_bytes());
    assert_eq!(done.as_ref().unwrap().code, Some(0), "{done:?}");
    let receipt = receipts.line("receipt", 0, WAIT, |line| {
        serde_json::from_str::<Value>(line).ok().filter(|r| r["msg_id"] == "foreign-1")
    });
    assert_eq!(receipt.unwrap()["status"], "accepted");
    receipts.kill();
    let test = &tests_of(&api, device, 1)[0];
    assert_eq!(test["verdict"], "pass", "{test}");
    assert_eq!(test["lot"], lot.id.as_str(), "{test}");
    assert_eq!(test["matched_by"], "number", "{test}");
}

/// The tests of a device in the order of receipt, once there are so many.
fn tests_of(api: &tianyin_tests::api::Api, device: &str, count: usize) -> Vec<Value> {
    let mut tests = until("tests of the device", WAIT, || {
        let tests = api.list(&format!("/tests?device={device}"))?;
        Ok((tests.len() >= count).then_some(tests))
    })
    .unwrap();
    assert_eq!(tests.len(), count, "{tests:#?}");
    tests.sort_by_key(|test| test["measurement"]["record_no"].as_u64());
    tests
}

fn subscribe(appliance: &Appliance, device: &str, token: &str) -> Running {
    let port = appliance.setting.mqtt.port().to_string();
    let topic = format!("tianyin/v1/{device}/down/#");
    // Its lines must not wait in a buffer.
    let running = Running::start("mosquitto_sub", Path::new("/usr/bin/stdbuf"), |command| {
        command.args(["-oL", "mosquitto_sub"]);
        command.args(["-h", "127.0.0.1", "-p", &port, "-V", "mqttv311", "-q", "1", "-d"]);
        command.args(["-u", device, "-P", token, "-i", &format!("{device}-sub"), "-t", &topic]);
    });
    let running = running.unwrap();
    running
        .line("subscription", 0, WAIT, |line| line.contains("received SUBACK").then_some(()))
        .unwrap();
    running
}
