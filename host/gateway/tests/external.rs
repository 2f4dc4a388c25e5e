//! The link to an external broker, against brokers that misbehave: it must recover by itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use support::fake::{Behaviour, FakeBroker};
use support::{Recorder, eventually};
use tianyin_gateway::{
    DownKind, External, ExternalConfig, GatewayError, NotStored, Offline, UpKind,
};

const STALL: Duration = Duration::from_millis(300);

fn config(broker: &FakeBroker) -> ExternalConfig {
    let url = format!("mqtt://{}", broker.address).parse().unwrap();
    let mut config = ExternalConfig::new(url, "appliance");
    config.connect_timeout = STALL;
    config.ack_timeout = STALL;
    config.retry_pause = Duration::from_millis(10);
    config.reconnect_pause = Duration::from_millis(10);
    config.reconnect_pause_max = Duration::from_millis(50);
    config
}

async fn start(behaviours: Vec<Behaviour>) -> (FakeBroker, External, Arc<Recorder>) {
    let broker = FakeBroker::start(behaviours).await;
    let recorder = Recorder::new();
    let gateway = External::start(config(&broker), recorder.clone()).unwrap();
    (broker, gateway, recorder)
}

fn up(device: &str, kind: UpKind, payload: &str) -> (String, Vec<u8>) {
    (tianyin_gateway::topic::up(device, kind), payload.as_bytes().to_vec())
}

fn publishing(messages: Vec<(String, Vec<u8>)>) -> Behaviour {
    Behaviour { publish: messages, ..Behaviour::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_never_answers_connect_subscribe_or_at_all_is_left() {
    let silent = [
        Behaviour { no_connack: true, ..Behaviour::default() },
        Behaviour { no_suback: true, ..Behaviour::default() },
        Behaviour { suback: Some(0x87), ..Behaviour::default() },
        Behaviour { hang_up: true, ..Behaviour::default() },
    ];
    let (broker, gateway, _) = start(silent.to_vec()).await;
    eventually("connected at last", || gateway.status().connected_since.is_some()).await;
    assert_eq!(broker.connections(), 5);
    let status = gateway.status();
    assert_eq!((status.connections, status.failures), (1, 4));
    // Two by the watchdog; rumqttc's own deadline for CONNACK is in whole seconds.
    assert_eq!(status.stalls, 2, "{status:?}");
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_without_its_acknowledgement_goes_out_again_on_a_new_connection() {
    let deaf = Behaviour { no_puback: vec![0], ..Behaviour::default() };
    let (broker, gateway, _) = start(vec![deaf.clone(), deaf]).await;
    for text in ["one", "two"] {
        gateway.send("dev-1", DownKind::Receipt, text).unwrap();
    }
    eventually("the outbox to be empty", || gateway.status().outbox_messages == 0).await;
    let status = gateway.status();
    assert_eq!((status.sent, status.stalls, status.connections), (2, 2, 3), "{status:?}");
    assert_eq!(broker.published(), ["one", "two", "one", "two", "one", "two"]);
    gateway.shutdown().await;
}

/// The case that stops rumqttc for good: an id is missing while all others are acknowledged, so that
/// the ids come round to the missing one (bytebeamio/rumqtt#1056).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_acknowledgement_among_many_does_not_stop_the_flow() {
    // 1 is the subscription.
    let forgets = Behaviour { no_puback: vec![3], receive_max: Some(10), ..Behaviour::default() };
    let (broker, gateway, recorder) = start(vec![
        Behaviour { publish: vec![up("dev-1", UpKind::Raw, "a")], ..forgets.clone() },
        Behaviour { publish: vec![up("dev-1", UpKind::Raw, "b")], ..forgets },
    ])
    .await;
    let texts: Vec<String> = (0..200).map(|n| format!("receipt {n}")).collect();
    for text in &texts {
        gateway.send("dev-1", DownKind::Receipt, text.clone()).unwrap();
    }
    eventually("the outbox to be empty", || gateway.status().outbox_messages == 0).await;
    let mut arrived = broker.published();
    arrived.sort_by_key(|text| texts.iter().position(|t| t == text));
    arrived.dedup();
    assert_eq!(arrived, texts);
    // The window ends at the missing one, nothing overtakes it by more than the broker allows.
    assert!(broker.seen(0).published.len() <= 11, "{:?}", broker.seen(0).published.len());
    // Our own acknowledgements never waited behind it.
    assert_eq!(recorder.payloads(), ["a", "b"]);
    assert_eq!((broker.seen(0).acknowledged, broker.seen(1).acknowledged), (vec![1], vec![1]));
    assert!(gateway.status().stalls >= 2);
    gateway.shutdown().await;
}

/// As mosquitto does after many broken connections: everything again, and only then SUBACK.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_gives_what_it_kept_before_it_answers_is_heard_out() {
    let messages: Vec<_> = (0..20).map(|n| up("dev-1", UpKind::Result, &n.to_string())).collect();
    let mut patient = publishing(messages);
    patient.publish_first = Some(Duration::from_millis(30));
    let (broker, gateway, recorder) = start(vec![patient]).await;
    gateway.send("dev-1", DownKind::Receipt, "after all").unwrap();
    eventually("the receipt", || broker.published() == ["after all"]).await;
    assert_eq!(broker.seen(0).acknowledged, (1..=20).collect::<Vec<_>>());
    assert_eq!(recorder.payloads(), (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!((broker.connections(), gateway.status().stalls), (1, 0));
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_in_order_and_only_when_stored() {
    let messages = ["dev-1", "dev-2", "dev-3"].map(|device| up(device, UpKind::Result, device));
    let recorder = Recorder::new();
    *recorder.fail.lock() = Some(NotStored::ReadOnly);
    let broker = FakeBroker::start(vec![publishing(messages.to_vec())]).await;
    let gateway = External::start(config(&broker), recorder.clone()).unwrap();
    eventually("tries", || gateway.status().withheld >= 6).await;
    let status = gateway.status();
    assert_eq!((status.received, status.unacknowledged, status.acknowledged), (3, 3, 0));
    assert!(broker.seen(0).acknowledged.is_empty());

    // Stored again, but nothing comes through the gate yet.
    recorder.gate.forget_permits(1_000_000);
    *recorder.fail.lock() = None;
    tokio::time::sleep(support::A_WHILE).await;
    assert!(broker.seen(0).acknowledged.is_empty());
    recorder.gate.add_permits(100);
    eventually("acknowledged", || broker.seen(0).acknowledged.len() == 3).await;
    assert_eq!(broker.seen(0).acknowledged, [1, 2, 3]);
    assert_eq!(gateway.status().unacknowledged, 0);
    assert_eq!(broker.connections(), 1, "waiting for the disk is no reason to reconnect");
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_withheld_is_acknowledged_on_the_next_connection_not_with_an_old_id() {
    // The first connection stalls on a receipt while a message waits for the disk.
    let mut first = publishing(vec![up("dev-1", UpKind::Result, "held")]);
    first.no_puback = vec![0];
    let again = vec![up("dev-2", UpKind::Raw, "other"), up("dev-1", UpKind::Result, "held")];
    let recorder = Recorder::new();
    recorder.gate.forget_permits(1_000_000);
    let broker = FakeBroker::start(vec![first, publishing(again)]).await;
    let gateway = External::start(config(&broker), recorder.clone()).unwrap();
    gateway.send("dev-1", DownKind::Cmd, "x").unwrap();
    eventually("a second connection", || gateway.status().received == 3).await;
    recorder.gate.add_permits(100);
    eventually("acknowledged", || broker.seen(1).acknowledged.len() == 2).await;
    assert_eq!(broker.seen(1).acknowledged, [1, 2]);
    assert!(broker.seen(0).acknowledged.is_empty());
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_never_be_taken_in_does_not_block_the_rest() {
    let large = "x".repeat(70 * 1024);
    let messages = vec![
        ("tianyin/v1/dev-1/up/unknown".to_owned(), b"kind".to_vec()),
        ("tianyin/v1/设备/up/raw".to_owned(), b"id".to_vec()),
        up("dev-1", UpKind::Raw, &large),
        up("refused", UpKind::Raw, "nobody knows it"),
        up("dev-1", UpKind::Raw, "good"),
    ];
    let recorder = Recorder::new();
    recorder.refused_devices.lock().push("refused".to_owned());
    let broker = FakeBroker::start(vec![publishing(messages)]).await;
    let gateway = External::start(config(&broker), recorder.clone()).unwrap();
    eventually("acknowledged", || broker.seen(0).acknowledged.len() == 5).await;
    let status = gateway.status();
    assert_eq!((status.received, status.acknowledged, status.unacknowledged), (5, 5, 0));
    assert_eq!(recorder.payloads().last().unwrap(), "good");
    assert_eq!(recorder.refusals.lock().len(), 3);
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_is_what_the_status_says() {
    let messages = vec![
        up("dev-1", UpKind::Status, r#"{"online":true}"#),
        up("dev-2", UpKind::Raw, "heard"),
        up("dev-3", UpKind::Status, r#"{"online":false}"#),
        up("dev-1", UpKind::Status, r#"{"online":false}"#),
    ];
    let (broker, gateway, recorder) = start(vec![publishing(messages)]).await;
    eventually("acknowledged", || broker.seen(0).acknowledged.len() == 4).await;
    assert_eq!((gateway.is_online("dev-1"), gateway.is_online("dev-2")), (false, true));
    assert_eq!(gateway.devices_online(), 1);
    assert_eq!(recorder.offline("dev-1"), [Offline::Closed]);
    assert!(recorder.offline("dev-3").is_empty());
    assert_eq!(gateway.kick("dev-2").await, 1);
    assert_eq!(recorder.offline("dev-2"), [Offline::Kicked]);
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outbox_is_bounded_and_needs_no_broker() {
    let broker = FakeBroker::start(Vec::new()).await;
    let mut config = config(&broker);
    config.outbox_messages_max = 5;
    // Nobody listens there.
    config.url = "mqtt://127.0.0.1:1".parse().unwrap();
    let gateway = External::start(config, Recorder::new()).unwrap();
    for n in 0..20 {
        gateway.send("dev-1", DownKind::Receipt, format!("{n}")).unwrap();
    }
    for n in 0..5 {
        gateway.send("dev-1", DownKind::Cmd, format!("{n}")).unwrap();
    }
    let full = gateway.send("dev-1", DownKind::Cmd, "6");
    assert!(matches!(full, Err(GatewayError::OutboxFull { waiting: 5 })));
    assert!(matches!(gateway.send("a/b", DownKind::Cmd, ""), Err(GatewayError::DeviceId { .. })));
    eventually("an error told", || gateway.status().last_error.contains("refused")).await;
    let status = gateway.status();
    assert_eq!((status.outbox_messages, status.outbox_dropped), (5, 20));
    assert_eq!(status.connected_since, None);
    let started = Instant::now();
    gateway.shutdown().await;
    assert!(started.elapsed() < support::SOON);
}
