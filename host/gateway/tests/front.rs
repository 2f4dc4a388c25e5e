//! The front before the broker: deadlines, limits per address, who is behind a connection.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use support::{Recorder, SOON, config, connect, eventually, raw};
use tianyin_gateway::{Embedded, UpKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const DEADLINE: Duration = Duration::from_millis(600);

async fn start(
    change: impl FnOnce(&mut tianyin_gateway::GatewayConfig),
) -> (Embedded, std::sync::Arc<Recorder>) {
    let mut config = config();
    config.handshake_timeout = DEADLINE;
    change(&mut config);
    let recorder = Recorder::new();
    (Embedded::start(config, recorder.clone()).await.unwrap(), recorder)
}

/// How long until the other side closes.
async fn closed_after(stream: &mut TcpStream) -> Duration {
    let started = Instant::now();
    let mut byte = [0];
    match tokio::time::timeout(SOON, stream.read(&mut byte)).await.expect("it stays open") {
        Ok(0) | Err(_) => started.elapsed(),
        Ok(_) => panic!("it was answered"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_nothing_or_speaks_slowly_is_closed_in_time() {
    let (gateway, recorder) = start(|_| {}).await;
    // From before it was connected: the other side's clock begins at some moment after that.
    let started = Instant::now();
    let mut silent = TcpStream::connect(gateway.local_addr()).await.unwrap();
    closed_after(&mut silent).await;
    assert!((DEADLINE..DEADLINE * 4).contains(&started.elapsed()), "{:?}", started.elapsed());

    let started = Instant::now();
    let slow = TcpStream::connect(gateway.local_addr()).await.unwrap();
    let (mut from, mut to) = slow.into_split();
    let drip = tokio::spawn(async move {
        // Never the last byte.
        for byte in raw::connect("dev-1", 30).into_iter().take(20) {
            if to.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(DEADLINE / 8).await;
        }
        std::future::pending().await
    });
    let ended = tokio::time::timeout(SOON, from.read(&mut [0])).await.expect("it stays open");
    assert!(!matches!(ended, Ok(1..)), "{ended:?}");
    assert!((DEADLINE..DEADLINE * 4).contains(&started.elapsed()), "{:?}", started.elapsed());
    drip.abort();

    let mut wrong = TcpStream::connect(gateway.local_addr()).await.unwrap();
    wrong.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(closed_after(&mut wrong).await < DEADLINE);

    let stats = gateway.front_stats();
    assert_eq!(stats.timed_out.load(Ordering::Relaxed), 2);
    assert_eq!(stats.malformed.load(Ordering::Relaxed), 1);
    assert!(recorder.logins.lock().is_empty());
    // Who is in has no deadline but its own keep alive.
    let device = connect(&gateway, "dev-2").await;
    tokio::time::sleep(DEADLINE * 2).await;
    device.publish_acked(UpKind::Result, "later", SOON).await.unwrap();
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_only_its_share_and_gets_it_back() {
    let (gateway, _) = start(|config| {
        config.connections_per_address_max = 3;
        config.handshake_timeout = SOON;
    })
    .await;
    let address = gateway.local_addr();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    eventually("three are in", || gateway.front_stats().accepted.load(Ordering::Relaxed) == 3)
        .await;
    let mut fourth = TcpStream::connect(address).await.unwrap();
    assert!(closed_after(&mut fourth).await < Duration::from_secs(2));
    assert_eq!(gateway.front_stats().refused.load(Ordering::Relaxed), 1);
    drop(held);
    eventually("the places are free", || {
        gateway.front_stats().malformed.load(Ordering::Relaxed) == 3
    })
    .await;
    let device = connect(&gateway, "dev-1").await;
    device.publish_acked(UpKind::Result, "in again", SOON).await.unwrap();
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_sees_the_device_not_the_front() {
    let (gateway, recorder) = start(|_| {}).await;
    let mut device = TcpStream::connect(gateway.local_addr()).await.unwrap();
    let own = device.local_addr().unwrap();
    // A publish (QoS 1, packet 7) right behind the CONNECT, before anybody answered.
    let topic = "tianyin/v1/dev-1/up/result";
    let mut bytes = raw::connect("dev-1", 30);
    bytes.extend(raw::publish(topic, 7, b"hi"));
    device.write_all(&bytes).await.unwrap();
    let mut answer = [0; 8];
    device.read_exact(&mut answer).await.unwrap();
    // The broker answers the two from two tasks: under load the second may come first, which a device that
    // waits for its CONNACK never sees.
    let mut answers: Vec<&[u8]> = answer.chunks(4).collect();
    answers.sort_unstable();
    assert_eq!(answers, [[0x20, 2, 0, 0], [0x40, 2, 0, 7]]);
    assert_eq!(recorder.logins.lock()[0].remote, Some(own));
    assert_eq!(recorder.stored.lock()[0].remote, Some(own));

    // It stops sending but still listens: the broker ends the session, and both sides close.
    device.shutdown().await.unwrap();
    assert!(closed_after(&mut device).await < SOON);
    eventually("offline", || recorder.offline("dev-1").len() == 1).await;
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_does_not_wait_for_who_says_nothing() {
    let (gateway, _) = start(|config| config.handshake_timeout = Duration::from_secs(60)).await;
    let mut silent = TcpStream::connect(gateway.local_addr()).await.unwrap();
    eventually("it is in", || gateway.front_stats().accepted.load(Ordering::Relaxed) == 1).await;
    let started = Instant::now();
    gateway.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(closed_after(&mut silent).await < Duration::from_secs(2));
}
