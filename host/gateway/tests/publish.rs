//! Publishing: durable before acknowledged, own topics only, limits.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::{Duration, Instant};

use support::{A_WHILE, SOON, connect, connect_with, eventually, mosquitto, raw, start, text};
use tianyin_gateway::client::{ClientError, Options};
use tianyin_gateway::{NotStored, Offline, Qos, RefusalKind, UpKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_topics_reach_the_server_and_are_acknowledged() {
    let (gateway, recorder) = start().await;
    let device = connect(&gateway, "dev-1").await;
    for kind in UpKind::ALL {
        device.publish_acked(kind, format!("a {kind}"), SOON).await.unwrap();
    }
    let stored = recorder.stored.lock().clone();
    assert_eq!(stored.iter().map(|message| message.kind).collect::<Vec<_>>(), UpKind::ALL);
    for message in &stored {
        assert_eq!((message.device.as_str(), message.client_id.as_str()), ("dev-1", "dev-1"));
        assert_eq!(message.payload, format!("a {}", message.kind));
        assert_eq!(message.qos, Qos::AtLeastOnce);
        assert_eq!(message.retain, message.kind == UpKind::Status);
        assert!(!message.dup && !message.last_will && message.remote.is_some());
    }
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn puback_waits_for_durability() {
    let (gateway, recorder) = start().await;
    let device = connect(&gateway, "dev-1").await;
    recorder.gate.forget_permits(usize::MAX);
    let waiting = device.publish_acked(UpKind::Result, "1", A_WHILE).await;
    assert!(
        matches!(waiting, Err(ClientError::Timeout { .. })),
        "acknowledged before it was stored: {waiting:?}"
    );
    assert_eq!(recorder.entered.lock().len(), 1);

    let (second, third, ()) = tokio::join!(
        device.publish_acked(UpKind::Result, "2", SOON),
        device.publish_acked(UpKind::Result, "3", SOON),
        async {
            eventually("the next do not wait", || recorder.entered.lock().len() == 3).await;
            assert!(recorder.stored.lock().is_empty());
            recorder.gate.add_permits(3);
        }
    );
    second.unwrap();
    third.unwrap();
    assert_eq!(recorder.begun(), ["1", "2", "3"]);
    assert_eq!(recorder.stored.lock().len(), 3);
    gateway.shutdown().await;
}

/// Publishes are begun and acknowledged in their order, whatever is stored first; and the broker hears
/// enough of the device not to take it for dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledgements_keep_the_order_and_the_connection_lives() {
    let (gateway, recorder) = start().await;
    let mut stream = raw::open(&gateway, "dev-1", 1).await;

    recorder.gate.forget_permits(usize::MAX);
    for id in 1..=20 {
        let packet = raw::publish("tianyin/v1/dev-1/up/result", id, format!("{id}").as_bytes());
        stream.write_all(&packet).await.unwrap();
    }
    // Twice the time after which a silent device with a keep alive of 1 s is dead.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(gateway.is_online("dev-1"));
    assert_eq!(recorder.entered.lock().len(), 16, "the others wait in their connection");
    stream.write_all(&[0xc0, 0]).await.unwrap();
    recorder.gate.add_permits(20);
    let mut expected: Vec<u8> = (1..=20).flat_map(|id| [0x40, 2, 0, id]).collect();
    expected.extend([0xd0, 0]);
    assert_eq!(raw::read(&mut stream, expected.len()).await, expected, "and one PINGRESP, its own");
    assert_eq!(recorder.begun(), (1..=20).map(|id| id.to_string()).collect::<Vec<_>>());
    assert_eq!(recorder.stored.lock().len(), 20);

    // Also when the device only stops sending.
    stream.write_all(&raw::publish("tianyin/v1/dev-1/up/raw", 21, b"last")).await.unwrap();
    stream.shutdown().await.unwrap();
    recorder.gate.add_permits(1);
    assert_eq!(raw::read(&mut stream, 4).await, [0x40, 2, 0, 21]);
    gateway.shutdown().await;
}

/// What cannot be stored, and all that came after it, is the broker's to refuse.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_behind_what_was_not_stored() {
    let (gateway, recorder) = start().await;
    let mut stream = raw::open(&gateway, "dev-1", 60).await;
    *recorder.fail.lock() = Some(NotStored::Overloaded);
    for id in 1..=3 {
        stream.write_all(&raw::publish("tianyin/v1/dev-1/up/raw", id, b"x")).await.unwrap();
    }
    eventually("it was tried, and once again", || recorder.entered.lock().len() >= 2).await;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, [0u8; 0], "no acknowledgement, the connection is closed");
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_stored_is_not_acknowledged_and_comes_again() {
    let (gateway, recorder) = start().await;
    for why in [NotStored::Overloaded, NotStored::ReadOnly] {
        *recorder.fail.lock() = Some(why);
        let mut device = connect(&gateway, "dev-1").await;
        let failed = device.publish_acked(UpKind::Result, "r", SOON).await;
        assert!(matches!(failed, Err(ClientError::Disconnected(_))), "{failed:?}");
        device.closed().await;
        let dev_1 = || recorder.offline("dev-1");
        eventually(
            "the reason is told",
            || matches!(dev_1().last(), Some(Offline::Failed(text)) if *text == why.to_string()),
        )
        .await;
    }
    assert!(recorder.stored.lock().is_empty());

    *recorder.fail.lock() = None;
    let device = connect(&gateway, "dev-1").await;
    device.publish_acked(UpKind::Result, "r", SOON).await.unwrap();
    assert_eq!(recorder.payloads(), ["r"]);
    gateway.shutdown().await;
}

/// A foreign client with a persistent session redelivers by itself, with the duplicate flag.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_client_redelivers_by_itself() {
    let (gateway, recorder) = start().await;
    *recorder.fail.lock() = Some(NotStored::Overloaded);
    let heal = async {
        eventually("a first try", || !recorder.entered.lock().is_empty()).await;
        *recorder.fail.lock() = None;
    };
    let topic = ["-t", "tianyin/v1/dev-1/up/raw", "-m", "bytes", "-q", "1", "-c", "-i", "foreign"];
    let (output, ()) = tokio::join!(mosquitto(&gateway, "mosquitto_pub", "dev-1", &topic), heal);
    // Whether mosquitto_pub retries by itself depends on its version; what counts: no success
    // without storage.
    if output.status.success() {
        assert_eq!(recorder.payloads(), ["bytes"], "{}", text(&output));
    } else {
        assert!(recorder.stored.lock().is_empty(), "{}", text(&output));
    }
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_topics_are_refused_and_not_ingested() {
    let (gateway, recorder) = start().await;
    for topic in [
        "tianyin/v1/dev-2/up/result",
        "tianyin/v1/dev-1/up/xyz",
        "tianyin/v1/dev-1/down/receipt",
        "other",
    ] {
        for qos in ["1", "2"] {
            let arguments = ["-t", topic, "-m", "x", "-q", qos, "-V", "mqttv5", "-d"];
            let said = text(&mosquitto(&gateway, "mosquitto_pub", "dev-1", &arguments).await);
            let refused = said.contains("Not authorized")
                || said.contains("RC:135")
                || said.contains("rc135");
            assert!(refused, "MQTT 5 {topic} qos {qos}: {said}");
        }
        // An older client cannot be told no: it is disconnected instead of acknowledged.
        let arguments = ["-t", topic, "-m", "x", "-q", "1", "-V", "mqttv311", "-d"];
        let said = text(&mosquitto(&gateway, "mosquitto_pub", "dev-1", &arguments).await);
        assert!(!said.contains("received PUBACK"), "MQTT 3.1.1 {topic}: {said}");
    }
    assert!(recorder.entered.lock().is_empty(), "{:?}", recorder.entered.lock());
    let refusals = recorder.refusals.lock().clone();
    assert!(refusals.len() >= 12, "{refusals:?}");
    assert!(
        refusals
            .iter()
            .all(|refusal| refusal.kind == RefusalKind::Publish && refusal.device == "dev-1")
    );
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_clients_of_both_protocols_deliver() {
    let (gateway, recorder) = start().await;
    let topic = "tianyin/v1/dev-1/up/result";
    let mut expected = 0;
    for version in ["mqttv31", "mqttv311", "mqttv5"] {
        for qos in ["0", "1", "2"] {
            let arguments = ["-t", topic, "-m", "{}", "-q", qos, "-V", version, "-r"];
            let output = mosquitto(&gateway, "mosquitto_pub", "dev-1", &arguments).await;
            assert!(output.status.success(), "{version} qos {qos}: {}", text(&output));
            expected += 1;
            eventually("the message", || recorder.stored.lock().len() == expected).await;
        }
    }
    assert!(recorder.stored.lock().iter().all(|message| message.retain));
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn qos_2_is_received_only_when_durable() {
    let (gateway, recorder) = start().await;
    recorder.gate.forget_permits(usize::MAX);
    let arguments = ["-t", "tianyin/v1/dev-1/up/result", "-m", "x", "-q", "2", "-d"];
    let open_later = async {
        eventually("the message", || !recorder.entered.lock().is_empty()).await;
        tokio::time::sleep(A_WHILE).await;
        recorder.gate.add_permits(1);
        Instant::now()
    };
    let publish =
        async { (mosquitto(&gateway, "mosquitto_pub", "dev-1", &arguments).await, Instant::now()) };
    let ((output, done), opened) = tokio::join!(publish, open_later);
    assert!(output.status.success() && done > opened, "{}", text(&output));
    assert_eq!(recorder.payloads(), ["x"]);
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversize_packets_disconnect() {
    let (gateway, recorder) = start().await;
    let mut device = connect(&gateway, "dev-1").await;
    device.publish_acked(UpKind::Raw, vec![7; 64 * 1024], SOON).await.unwrap();
    let refused = device.publish_acked(UpKind::Raw, vec![7; 66 * 1024], SOON).await;
    assert!(matches!(refused, Err(ClientError::Disconnected(_))), "{refused:?}");
    device.closed().await;
    assert_eq!(recorder.stored.lock().len(), 1);
    eventually("the reason is told", || {
        matches!(recorder.offline("dev-1").last(), Some(Offline::Failed(text)) if text.contains("Max size"))
    })
    .await;
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_will_is_a_status() {
    let (gateway, recorder) = start().await;
    let options = Options { last_will: Some("{\"online\":false}".into()), ..Options::default() };
    let device = connect_with(&gateway, "dev-1", options.clone()).await.unwrap();
    device.disconnect().await;
    eventually("goodbye", || !gateway.is_online("dev-1")).await;
    let device = connect_with(&gateway, "dev-1", options).await.unwrap();
    drop(device);
    eventually("the last will of the connection that was cut", || {
        recorder.payloads() == ["{\"online\":false}"]
    })
    .await;
    let will = recorder.stored.lock()[0].clone();
    assert!(will.last_will && will.retain && will.kind == UpKind::Status && will.device == "dev-1");

    // MQTT 5 with the retain flag (the broker must say that it accepts retained messages).
    let will =
        ["--will-topic", "tianyin/v1/dev-1/up/status", "--will-payload", "gone", "--will-retain"];
    let topic = ["-t", "tianyin/v1/dev-1/down/#", "-V", "mqttv5", "-W", "1"];
    let output =
        mosquitto(&gateway, "mosquitto_sub", "dev-1", &[&topic[..], &will[..]].concat()).await;
    assert!(!text(&output).contains("refused"), "{}", text(&output));

    // A will to anybody else's topic would be routed without any check: such a connection is
    // refused.
    for topic in
        ["tianyin/v1/dev-2/down/cmd", "tianyin/v1/dev-2/up/status", "tianyin/v1/dev-1/up/result"]
    {
        let will = [
            "-t",
            "tianyin/v1/dev-1/up/raw",
            "-m",
            "x",
            "--will-topic",
            topic,
            "--will-payload",
            "evil",
        ];
        let output = mosquitto(&gateway, "mosquitto_pub", "dev-1", &will).await;
        assert!(text(&output).to_lowercase().contains("not authori"), "{topic}: {}", text(&output));
    }
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_clients_lose_nothing() {
    const CLIENTS: usize = 64;
    const MESSAGES: usize = 50;
    let (gateway, recorder) = start().await;
    for client in 0..CLIENTS {
        recorder.tokens.lock().insert(format!("many-{client}"), format!("token of many-{client}"));
    }
    let clients = (0..CLIENTS).map(|client| {
        let gateway = &gateway;
        async move {
            let name = format!("many-{client}");
            let device = connect(gateway, &name).await;
            for message in 0..MESSAGES {
                device
                    .publish_acked(UpKind::Result, format!("{name}/{message}"), SOON)
                    .await
                    .unwrap();
            }
            device.disconnect().await;
        }
    });
    join_all(clients).await;
    let stored = recorder.stored.lock().clone();
    assert_eq!(stored.len(), CLIENTS * MESSAGES);
    for client in 0..CLIENTS {
        let name = format!("many-{client}");
        let own: Vec<_> = stored.iter().filter(|message| message.device == name).collect();
        let in_order =
            own.iter().enumerate().all(|(i, message)| message.payload == format!("{name}/{i}"));
        assert!(own.len() == MESSAGES && in_order, "{name}");
    }
    eventually("everyone is gone", || gateway.devices_online() == 0).await;
    gateway.shutdown().await;
}

async fn join_all(tasks: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut tasks: Vec<_> = tasks.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        if tasks.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
