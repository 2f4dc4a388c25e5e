//! From the server to the device.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::{A_WHILE, SOON, connect, connect_with, eventually, mosquitto, start, text};
use tianyin_gateway::client::{ClientError, Options};
use tianyin_gateway::{DownKind, GatewayError, RefusalKind, UpKind};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_reaches_its_device_only() {
    let (gateway, _) = start().await;
    let (one, two) = (connect(&gateway, "dev-1").await, connect(&gateway, "dev-2").await);
    for kind in DownKind::ALL {
        assert_eq!(gateway.send("dev-1", kind, format!("a {kind}")).await.unwrap(), 1);
        let down = one.next_down(SOON).await.unwrap();
        assert_eq!((down.kind, down.payload), (kind, format!("a {kind}").into()));
    }
    assert!(matches!(two.next_down(A_WHILE).await, Err(ClientError::Timeout { .. })));
    assert!(matches!(
        gateway.send("#", DownKind::Cmd, "x").await,
        Err(GatewayError::DeviceId { .. })
    ));
    let large = gateway.send("dev-1", DownKind::Print, vec![0; 64 * 1024 + 1]).await;
    assert!(matches!(large, Err(GatewayError::TooLarge { max: 65_536, .. })));
    gateway.send("dev-1", DownKind::Print, vec![0; 64 * 1024]).await.unwrap();
    assert_eq!(one.next_down(SOON).await.unwrap().payload.len(), 64 * 1024);
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_waits_only_in_a_persistent_session() {
    let (gateway, _) = start().await;
    assert_eq!(gateway.send("dev-1", DownKind::Receipt, "nobody").await.unwrap(), 0);
    let device = connect(&gateway, "dev-1").await;
    device.disconnect().await;
    eventually("gone", || !gateway.is_online("dev-1")).await;
    assert_eq!(gateway.send("dev-1", DownKind::Receipt, "dropped").await.unwrap(), 0);

    let persistent = Options { clean_session: false, ..Options::default() };
    let device = connect_with(&gateway, "dev-1", persistent.clone()).await.unwrap();
    assert!(!device.session_present());
    device.disconnect().await;
    eventually("gone", || !gateway.is_online("dev-1")).await;
    for text in ["first", "second"] {
        assert_eq!(gateway.send("dev-1", DownKind::Receipt, text).await.unwrap(), 1);
    }
    let device = connect_with(&gateway, "dev-1", persistent).await.unwrap();
    assert!(device.session_present());
    assert_eq!(device.next_down(SOON).await.unwrap().payload, "first");
    assert_eq!(device.next_down(SOON).await.unwrap().payload, "second");
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_keep_up_with_a_burst() {
    let (gateway, recorder) = start().await;
    let device = connect(&gateway, "dev-1").await;
    for number in 0..500 {
        let (acked, receipt) =
            tokio::join!(device.publish_acked(UpKind::Result, format!("{number}"), SOON), async {
                eventually("stored", || recorder.stored.lock().len() == number + 1).await;
                gateway.send("dev-1", DownKind::Receipt, format!("{number}")).await
            });
        acked.unwrap();
        assert_eq!(receipt.unwrap(), 1);
    }
    for number in 0..500 {
        assert_eq!(device.next_down(SOON).await.unwrap().payload, format!("{number}"));
    }
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_are_limited_to_own_down_topics() {
    let (gateway, recorder) = start().await;
    let _victim = connect(&gateway, "dev-2").await;
    let foreign = [
        "#",
        "$SYS/#",
        "+/+/+/+/+",
        "tianyin/v1/+/down/#",
        "tianyin/v1/dev-2/down/#",
        "tianyin/v1/dev-1/up/#",
        "$share/g/tianyin/v1/dev-1/down/#",
        "$share/g/tianyin/v1/dev-2/down/#",
    ];
    for version in ["mqttv311", "mqttv5"] {
        for filter in foreign {
            let spy = async {
                let arguments = ["-t", filter, "-V", version, "-W", "1", "-q", "1", "-d"];
                text(&mosquitto(&gateway, "mosquitto_sub", "dev-1", &arguments).await)
            };
            let send = async {
                tokio::time::sleep(A_WHILE).await;
                gateway.send("dev-2", DownKind::Receipt, "secret").await.unwrap();
            };
            let (said, ()) = tokio::join!(spy, send);
            assert!(!said.contains("secret"), "{version} {filter}: {said}");
            let granted = said
                .lines()
                .any(|line| line == "Subscribed (mid: 1): 0" || line == "Subscribed (mid: 1): 1");
            assert!(!granted, "{version} {filter}: {said}");
        }
        for filter in ["tianyin/v1/dev-1/down/#", "tianyin/v1/dev-1/down/receipt"] {
            let listen = async {
                let arguments = ["-t", filter, "-V", version, "-W", "5", "-C", "1", "-q", "1"];
                text(&mosquitto(&gateway, "mosquitto_sub", "dev-1", &arguments).await)
            };
            // Until it has arrived: an earlier session may still be ending and take one.
            let send = async {
                loop {
                    gateway.send("dev-1", DownKind::Receipt, "for you").await.unwrap();
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            };
            let said = tokio::select! { said = listen => said, () = send => unreachable!() };
            assert_eq!(said.trim(), "for you", "{version} {filter}");
        }
    }
    let refused = recorder
        .refusals
        .lock()
        .iter()
        .filter(|refusal| refusal.kind == RefusalKind::Subscribe)
        .count();
    assert!(refused >= foreign.len(), "{refused}");
    gateway.shutdown().await;
}
