//! Whoever watches the appliance: ids that lead from a request to the journal, one line an error,
//! metrics that move, the same health on every way in.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use serde_json::{Value, json};
use tianyin_gateway::UpKind;
use tianyin_gateway::client::{DeviceClient, Options};
use tianyin_tests::appliance::Setting;
use tianyin_tests::{Appliance, until};

const WAIT: Duration = Duration::from_secs(20);

/// Lines of the log, each one JSON object.
fn lines(appliance: &Appliance) -> Vec<Value> {
    let log = appliance.log();
    let objects = log.lines().filter(|line| line.starts_with('{'));
    objects
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

fn value_of(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is not in\n{metrics}")).parse().unwrap()
}

#[test]
fn an_id_leads_from_the_request_to_the_journal() {
    let setting =
        Setting::new().unwrap().with("LOG_FORMAT", "json").with("LOG_FILTER", "info,tianyin=debug");
    let appliance = Appliance::start_with(setting).unwrap();
    let api = appliance.api("admin").unwrap();

    let product = api.list("/products").unwrap()[0].clone();
    let site = api.list(&format!("/sites?operator={}", product["operator"].as_str().unwrap()));
    let lot = json!({
        "product": product["id"], "site": site.unwrap()[0]["id"], "quantity": "5",
        "harvested_on": "2026-11-01",
    });
    let headers = [("Content-Type", "application/json"), ("X-Request-Id", "trace-me-7")];
    let made = api.send("POST", "/lots", &headers, lot.to_string().as_bytes()).unwrap();
    let made = made.expect(201).unwrap();
    assert_eq!(made.header("x-request-id"), Some("trace-me-7"));
    let id = made.json().unwrap()["id"].as_str().unwrap().to_owned();
    let of_request = |line: &Value| line["span"]["id"] == "trace-me-7";
    let found = until("the command in the log", WAIT, || {
        let mut lines = lines(&appliance).into_iter();
        Ok(lines.find(|line| of_request(line) && line["fields"]["command"] == "open_lot"))
    })
    .unwrap();
    assert_eq!(found["fields"]["id"], id, "{found}");
    assert!(found["fields"]["seq"].as_u64().unwrap() > 0, "{found}");
    assert_eq!(found["span"]["route"], "/api/v1/lots", "{found}");

    let missed = api.send("GET", "/lots/lot_none", &[("X-Request-Id", "gone-1")], &[]).unwrap();
    assert_eq!(missed.json().unwrap()["request_id"], "gone-1");
    let log = appliance.log();
    assert!(!log.contains("lot_none"), "an address stands in the log");
}

#[test]
fn a_message_is_followed_by_its_id_and_told_once() {
    let setting =
        Setting::new().unwrap().with("LOG_FORMAT", "json").with("LOG_FILTER", "info,tianyin=debug");
    let appliance = Appliance::start_with(setting).unwrap();
    let device = "json-ysh-01";
    let (mqtt, token) = (appliance.setting.mqtt.to_string(), appliance.demo.token(device));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(async {
        let client = DeviceClient::connect(&mqtt, device, token, Options::default()).await.unwrap();
        client.publish_acked(UpKind::Result, b"{\"no\": \"result\"}".to_vec(), WAIT).await.unwrap();
        client
    });
    let dead = |line: &Value| line["fields"]["message"] == "dead letter";
    let found = until("the dead letter", WAIT, || Ok(lines(&appliance).into_iter().find(dead)));
    let found = found.unwrap();
    assert_eq!(found["span"]["device"], device, "{found}");
    let message = found["span"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("msg_"), "{found}");
    let told = lines(&appliance).into_iter().filter(dead).count();
    assert_eq!(told, 1);
    let stored = lines(&appliance).into_iter().find(|line| {
        line["fields"]["command"] == "receive_message" && line["fields"]["id"] == message
    });
    assert_eq!(stored.unwrap()["span"]["name"], "mqtt");

    // Work is counted when it has ended, which is a moment after it is told.
    let metrics = until("the work to be counted", WAIT, || {
        let metrics = appliance.get("/metrics")?.text();
        let counted = value_of(&metrics, "tianyin_pipeline_work_seconds_count") >= 1.0;
        Ok(counted.then_some(metrics))
    });
    let metrics = metrics.unwrap();
    let mut families: Vec<&str> = metrics.lines().filter(|l| l.starts_with("# TYPE ")).collect();
    families.sort_unstable();
    assert!(families.windows(2).all(|two| two[0] != two[1]), "told twice: {families:#?}");
    assert!(value_of(&metrics, "tianyin_mqtt_stored_seconds_count") >= 1.0);
    assert!(value_of(&metrics, "tianyin_mqtt_devices_online") >= 1.0);
    let groups = value_of(&metrics, "tianyin_journal_groups_total");
    assert_eq!(value_of(&metrics, "tianyin_journal_sync_seconds_count"), groups);
    assert_eq!(
        value_of(&metrics, "tianyin_journal_group_lines_sum"),
        value_of(&metrics, "tianyin_journal_lines_total")
    );
    // Nothing that names somebody.
    for name in ["花石", device, "合作社"] {
        assert!(!metrics.contains(name), "{name}");
    }

    let ready = appliance.get("/readyz").unwrap().expect(200).unwrap().json().unwrap();
    assert_eq!(ready["health"]["parts"]["data"], "good", "{ready}");
    // The dead letter is worth a look.
    until("a word about the dead letter", WAIT, || {
        let ready = appliance.get("/readyz")?.json()?;
        Ok((ready["health"]["parts"]["devices"] == "attention").then_some(()))
    })
    .unwrap();
    let status = appliance.run(&["status"]).unwrap();
    assert!(status.contains("可以正常使用") && status.contains("没能识别"), "{status}");
    runtime.block_on(client.disconnect());
}
