//! Connecting, presence, kicking, shutting down.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use support::{
    A_WHILE, Recorder, SOON, config, connect, connect_with, eventually, mosquitto, raw, start, text,
};
use tianyin_gateway::client::{ClientError, ConnectRefused, DeviceClient, Options};
use tianyin_gateway::{DownKind, Embedded, GatewayError, Offline, RefusalKind, UpKind};

async fn refused(
    gateway: &Embedded,
    device: &str,
    token: &str,
    options: Options,
) -> Option<ConnectRefused> {
    match DeviceClient::connect(&gateway.local_addr().to_string(), device, token, options).await {
        Err(ClientError::Refused(code)) => Some(code),
        Err(other) => panic!("{other}"),
        Ok(_) => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn return_codes() {
    let (gateway, recorder) = start().await;
    let default = Options::default;
    assert_eq!(refused(&gateway, "dev-1", "token of dev-1", default()).await, None);
    for (device, token) in
        [("dev-1", "wrong"), ("dev-1", ""), ("unknown", "x"), ("no device id", "x"), ("#", "x")]
    {
        let code = refused(&gateway, device, token, default()).await;
        assert_eq!(code, Some(ConnectRefused::BadCredentials), "{device} {token}");
    }
    let code = refused(&gateway, "disabled", "x", default()).await;
    assert_eq!(code, Some(ConnectRefused::NotAuthorized));
    let long = Options { keep_alive: Duration::from_secs(3601), ..default() };
    let code = refused(&gateway, "dev-1", "token of dev-1", long).await;
    assert_eq!(code, Some(ConnectRefused::Unavailable));
    let connects = recorder
        .refusals
        .lock()
        .iter()
        .filter(|refusal| refusal.kind == RefusalKind::Connect)
        .count();
    assert_eq!(
        connects,
        3,
        "two bad device ids and one keep alive: {:?}",
        recorder.refusals.lock()
    );

    // A foreign client: anonymous, wrong password, MQTT 5.
    let port = gateway.local_addr().port().to_string();
    for (extra, code) in [
        (vec![], "not authori"),
        (vec!["-u", "dev-1", "-P", "wrong"], "bad user name or password"),
        (vec!["-u", "dev-1", "-P", "wrong", "-V", "mqttv5"], "bad user name or password"),
    ] {
        let mut command = std::process::Command::new("mosquitto_pub");
        command.args(["-h", "127.0.0.1", "-p", &port, "-t", "t", "-m", "x"]).args(&extra);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = text(&output).to_lowercase();
        let anonymous = extra.is_empty() && said.contains("bad user name or password");
        assert!(
            !output.status.success() && (anonymous || said.contains(code)),
            "{extra:?}: {said}"
        );
    }
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_use_is_an_error_of_start() {
    let (gateway, _) = start().await;
    let mut config = config();
    config.listen = gateway.local_addr();
    let error = Embedded::start(config.clone(), Recorder::new()).await.err().unwrap();
    let GatewayError::Bind { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&gateway.local_addr().to_string()), "{error}");
    config.connections_max = 0;
    let error = Embedded::start(config, Recorder::new()).await.err().unwrap();
    assert!(matches!(error, GatewayError::Config { key: "connections_max" }));
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_on_the_same_port_works_at_once() {
    let (gateway, recorder) = start().await;
    let mut config = config();
    config.listen = gateway.local_addr();
    let device = connect(&gateway, "dev-1").await;
    device.publish_acked(UpKind::Result, "x", SOON).await.unwrap();
    assert_eq!(recorder.payloads(), ["x"]);
    gateway.shutdown().await;
    for _ in 0..3 {
        let recorder = Recorder::new();
        let gateway = Embedded::start(config.clone(), recorder.clone()).await.unwrap();
        let mut device = connect(&gateway, "dev-1").await;
        device.publish_acked(UpKind::Result, "x", SOON).await.unwrap();
        assert_eq!(recorder.payloads(), ["x"]);
        gateway.shutdown().await;
        device.closed().await;
        assert_eq!(recorder.offline("dev-1"), [Offline::Kicked]);
        assert_eq!(std::sync::Arc::strong_count(&recorder), 1, "shutdown lets go of the ingest");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_lets_a_message_being_stored_finish() {
    let (gateway, recorder) = start().await;
    let device = connect(&gateway, "dev-1").await;
    recorder.gate.forget_permits(usize::MAX);
    let (acked, ()) = tokio::join!(device.publish_acked(UpKind::Result, "x", SOON), async {
        eventually("the message", || !recorder.entered.lock().is_empty()).await;
        let stopping = tokio::spawn(gateway.shutdown());
        tokio::time::sleep(A_WHILE).await;
        assert!(!stopping.is_finished());
        recorder.gate.add_permits(1);
        stopping.await.unwrap();
    });
    acked.unwrap();
    assert_eq!(recorder.payloads(), ["x"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_in_one_process_do_not_mix() {
    let ((one, recorder_one), (two, recorder_two)) = (start().await, start().await);
    let (first, second) = (connect(&one, "dev-1").await, connect(&two, "dev-1").await);
    first.publish_acked(UpKind::Result, "one", SOON).await.unwrap();
    second.publish_acked(UpKind::Result, "two", SOON).await.unwrap();
    assert_eq!(
        (recorder_one.payloads(), recorder_two.payloads()),
        (vec!["one".into()], vec!["two".into()])
    );
    assert_eq!(one.send("dev-1", DownKind::Cmd, "to one").await.unwrap(), 1);
    assert_eq!(first.next_down(SOON).await.unwrap().payload, "to one");
    assert!(second.next_down(A_WHILE).await.is_err());
    one.shutdown().await;
    second.publish_acked(UpKind::Result, "still", SOON).await.unwrap();
    two.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kick_ends_every_session_and_voids_what_is_under_way() {
    let (gateway, recorder) = start().await;
    let other = connect(&gateway, "dev-2").await;
    let will = Options { last_will: Some("gone".into()), ..Options::default() };
    let mut one = connect_with(&gateway, "dev-1", will.clone()).await.unwrap();
    let second = Options { client_id: Some("second".into()), clean_session: false, ..will };
    let mut two = connect_with(&gateway, "dev-1", second.clone()).await.unwrap();
    assert!(gateway.is_online("dev-1"));

    recorder.tokens.lock().insert("dev-1".into(), "a new token".into());
    assert_eq!(gateway.kick("dev-1").await, 2);
    one.closed().await;
    two.closed().await;
    eventually("offline", || !gateway.is_online("dev-1")).await;
    assert_eq!(recorder.offline("dev-1"), [Offline::Kicked]);
    assert!(
        recorder.stored.lock().is_empty(),
        "no last will of a kicked device: {:?}",
        recorder.payloads()
    );
    let code = refused(&gateway, "dev-1", "token of dev-1", Options::default()).await;
    assert_eq!(code, Some(ConnectRefused::BadCredentials));

    let url = gateway.local_addr().to_string();
    let back = DeviceClient::connect(&url, "dev-1", "a new token", second).await.unwrap();
    assert!(!back.session_present(), "the persistent session is gone too");
    back.publish_acked(UpKind::Result, "back", SOON).await.unwrap();
    other.publish_acked(UpKind::Result, "untouched", SOON).await.unwrap();
    assert_eq!(gateway.kick("nobody").await, 0);
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_survives_a_quick_reconnect() {
    let (gateway, recorder) = start().await;
    let mut old = connect(&gateway, "dev-1").await;
    let new = connect(&gateway, "dev-1").await;
    old.closed().await;
    tokio::time::sleep(A_WHILE).await;
    assert!(gateway.is_online("dev-1"));
    let last = recorder.presence.lock().last().cloned();
    let order = recorder.presence.lock().clone();
    assert_eq!(
        last,
        Some(("dev-1".to_owned(), None)),
        "the last word is that it is here: {order:?}"
    );
    new.publish_acked(UpKind::Status, "{}", SOON).await.unwrap();
    new.disconnect().await;
    eventually("offline", || recorder.offline("dev-1").last() == Some(&Offline::Closed)).await;
    assert_eq!(gateway.devices_online(), 0);
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_beyond_the_keep_alive_is_noticed() {
    let (gateway, recorder) = start().await;
    let _socket = raw::open(&gateway, "c", 1).await;
    eventually("the silent device is dropped", || {
        recorder.offline("dev-1") == [Offline::KeepAlive]
    })
    .await;
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_packets_end_the_connection_only() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (gateway, recorder) = start().await;
    let device = connect(&gateway, "dev-2").await;
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0x10, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0x30, 2, 0, 0],
        &[0; 64],
    ] {
        let mut socket = tokio::net::TcpStream::connect(gateway.local_addr()).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        let read = tokio::time::timeout(SOON, socket.read_to_end(&mut rest)).await;
        assert!(read.is_ok(), "not closed after {bytes:?}");
    }
    // A publish whose topic is no UTF-8.
    let mut socket = tokio::net::TcpStream::connect(gateway.local_addr()).await.unwrap();
    let mut packet = raw::connect("", 60);
    packet.extend([0x30, 5, 0, 2, 0xc3, 0x28, b'x']);
    socket.write_all(&packet).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(SOON, socket.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, [0x20, 2, 0, 0], "accepted, then closed");
    assert!(recorder.entered.lock().is_empty());
    device.publish_acked(UpKind::Result, "still here", SOON).await.unwrap();
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_limited() {
    let recorder = Recorder::new();
    let mut config = config();
    (config.connections_per_device_max, config.connections_max) = (2, 3);
    let gateway = Embedded::start(config, recorder.clone()).await.unwrap();
    let named = |name: &str| Options { client_id: Some(name.to_owned()), ..Options::default() };
    let one = connect_with(&gateway, "dev-1", named("a")).await.unwrap();
    let _two = connect_with(&gateway, "dev-1", named("b")).await.unwrap();
    let code = refused(&gateway, "dev-1", "token of dev-1", named("c")).await;
    assert_eq!(code, Some(ConnectRefused::NotAuthorized));
    assert_eq!(
        refused(&gateway, "dev-1", "token of dev-1", named("a")).await,
        None,
        "taking over is no new session"
    );
    let _three = connect_with(&gateway, "dev-2", named("d")).await.unwrap();
    drop(one);
    let output = mosquitto(
        &gateway,
        "mosquitto_pub",
        "dev-3",
        &["-t", "tianyin/v1/dev-3/up/raw", "-m", "x"],
    )
    .await;
    // The session "a" ended when its client was dropped above, unless that has not been noticed
    // yet.
    assert!(
        output.status.success() || text(&output).to_lowercase().contains("unavailable"),
        "{}",
        text(&output)
    );
    gateway.shutdown().await;
}

/// With a client id in use a device would take over the other's session, its subscriptions and
/// waiting messages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_id_in_use_by_another_device_is_refused() {
    let (gateway, recorder) = start().await;
    let persistent = |name: &str| Options {
        client_id: Some(name.to_owned()),
        clean_session: false,
        ..Options::default()
    };
    let victim = connect_with(&gateway, "dev-1", persistent("x")).await.unwrap();
    let code = refused(&gateway, "dev-2", "token of dev-2", persistent("x")).await;
    assert_eq!(code, Some(ConnectRefused::NotAuthorized));
    assert!(
        recorder
            .refusals
            .lock()
            .iter()
            .any(|refusal| refusal.detail.contains("in use by another device"))
    );
    victim.publish_acked(UpKind::Result, "still connected", SOON).await.unwrap();

    // Squatting on a device's own name does not lock it out, and hands nothing over.
    let squatter = connect_with(&gateway, "dev-2", persistent("dev-3")).await.unwrap();
    let owner = connect_with(&gateway, "dev-3", persistent("dev-3")).await.unwrap();
    gateway.send("dev-2", DownKind::Cmd, "for dev-2 only").await.unwrap();
    gateway.send("dev-3", DownKind::Cmd, "for dev-3").await.unwrap();
    assert_eq!(owner.next_down(SOON).await.unwrap().payload, "for dev-3");
    assert!(owner.next_down(A_WHILE).await.is_err());
    drop(squatter);
    gateway.shutdown().await;
}

/// The broker leaves a session behind when the client is gone before its CONNACK can be sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_vanish_while_they_log_in_leave_nothing_behind() {
    use tokio::io::AsyncWriteExt;
    let recorder = Recorder::new();
    let mut config = config();
    (config.connections_per_device_max, config.sweep_interval) = (5, Duration::from_millis(200));
    let gateway = Embedded::start(config, recorder.clone()).await.unwrap();
    recorder.login_gate.forget_permits(usize::MAX);
    for number in 0..5 {
        let mut socket = tokio::net::TcpStream::connect(gateway.local_addr()).await.unwrap();
        socket.write_all(&raw::connect(&format!("ghost-{number}"), 60)).await.unwrap();
        eventually("the login", || recorder.logins.lock().len() == number + 1).await;
        socket.set_zero_linger().unwrap();
        drop(socket);
    }
    recorder.login_gate.add_permits(1000);
    let logged_in = || recorder.presence.lock().iter().filter(|(_, why)| why.is_none()).count();
    eventually("the logins go on without their clients", || logged_in() == 5).await;
    eventually("nobody is there", || gateway.devices_online() == 0).await;
    // Five sessions are allowed: the ghosts must not count.
    let mut alive = Vec::new();
    for number in 0..5 {
        let options = Options { client_id: Some(format!("alive-{number}")), ..Options::default() };
        alive.push(connect_with(&gateway, "dev-1", options).await.unwrap());
    }
    gateway.shutdown().await;
}
