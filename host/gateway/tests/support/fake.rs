//! A broker that misbehaves on demand: just enough MQTT 5 to talk to one client at a time.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What one connection does.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// Never answers CONNECT.
    pub no_connack: bool,
    /// Never answers SUBSCRIBE.
    pub no_suback: bool,
    /// Answers SUBSCRIBE with this code instead of 1 (QoS 1 granted).
    pub suback: Option<u8>,
    /// Hangs up right after CONNACK.
    pub hang_up: bool,
    /// Sends no PUBACK for these packet ids; `0` stands for all.
    pub no_puback: Vec<u16>,
    /// After SUBACK publishes these to the client: topic and payload, packet ids from 1.
    pub publish: Vec<(String, Vec<u8>)>,
    /// Publishes them before SUBACK instead, with this pause after each.
    pub publish_first: Option<Duration>,
    /// Receive maximum told in CONNACK.
    pub receive_max: Option<u16>,
}

/// What it has seen on one connection.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Payloads published by the client, with their packet ids.
    pub published: Vec<(u16, Vec<u8>)>,
    /// Packet ids the client acknowledged, in order.
    pub acknowledged: Vec<u16>,
}

/// Listens; connection n behaves as the n-th of the list, further ones as the default.
pub struct FakeBroker {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl FakeBroker {
    pub async fn start(behaviours: Vec<Behaviour>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = seen.clone();
        let task = tokio::spawn(async move {
            let mut behaviours = behaviours.into_iter();
            while let Ok((stream, _)) = listener.accept().await {
                let number = all.lock().len();
                all.lock().push(Seen::default());
                let behaviour = behaviours.next().unwrap_or_default();
                tokio::spawn(serve(stream, behaviour, all.clone(), number));
            }
        });
        Self { address, seen, task }
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().len()
    }

    pub fn seen(&self, connection: usize) -> Seen {
        self.seen.lock().get(connection).cloned().unwrap_or_default()
    }

    /// Everything published on any connection.
    pub fn published(&self) -> Vec<String> {
        let seen = self.seen.lock();
        let all = seen.iter().flat_map(|seen| &seen.published);
        all.map(|(_, payload)| String::from_utf8_lossy(payload).into_owned()).collect()
    }
}

impl Drop for FakeBroker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    behaviour: Behaviour,
    seen: Arc<Mutex<Vec<Seen>>>,
    number: usize,
) {
    while let Some((kind, body)) = packet(&mut stream).await {
        let answer = match kind >> 4 {
            1 if !behaviour.no_connack => {
                if behaviour.hang_up {
                    return;
                }
                match behaviour.receive_max {
                    Some(max) => {
                        let [high, low] = max.to_be_bytes();
                        vec![0x20, 6, 0, 0, 3, 0x21, high, low]
                    }
                    None => vec![0x20, 3, 0, 0, 0],
                }
            }
            8 if !behaviour.no_suback => {
                let code = behaviour.suback.unwrap_or(1);
                let suback = vec![0x90, 4, body[0], body[1], 0, code];
                let kept = behaviour.publish.iter().enumerate();
                let mut kept = kept.map(|(place, (topic, payload))| {
                    publish(u16::try_from(place + 1).unwrap(), topic, payload)
                });
                match behaviour.publish_first {
                    None => [suback].into_iter().chain(kept).flatten().collect(),
                    Some(pause) => {
                        if !one_by_one(&mut stream, &mut kept, pause).await {
                            return;
                        }
                        suback
                    }
                }
            }
            3 => {
                let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
                let id = [body[2 + topic], body[3 + topic]];
                let packet_id = u16::from_be_bytes(id);
                // One byte of properties length, 0: the client sets none.
                seen.lock()[number].published.push((packet_id, body[5 + topic..].to_vec()));
                let silent = behaviour.no_puback.iter().any(|no| [0, packet_id].contains(no));
                if silent { Vec::new() } else { vec![0x40, 2, id[0], id[1]] }
            }
            4 => {
                seen.lock()[number].acknowledged.push(u16::from_be_bytes([body[0], body[1]]));
                Vec::new()
            }
            12 => vec![0xd0, 0],
            _ => Vec::new(),
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn one_by_one(
    stream: &mut TcpStream,
    packets: &mut (dyn Iterator<Item = Vec<u8>> + Send),
    pause: Duration,
) -> bool {
    for packet in packets {
        if stream.write_all(&packet).await.is_err() {
            return false;
        }
        tokio::time::sleep(pause).await;
    }
    true
}

fn publish(packet_id: u16, topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
    body.extend(topic.as_bytes());
    body.extend(packet_id.to_be_bytes());
    body.push(0);
    body.extend(payload);
    super::raw::packet(0x32, body)
}

async fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await.ok()?;
    let (mut length, mut shift) = (0usize, 0);
    loop {
        let byte = stream.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((kind, body))
}
