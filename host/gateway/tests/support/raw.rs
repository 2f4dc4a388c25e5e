//! MQTT 3.1.1 packets by hand.

use tianyin_gateway::Embedded;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection of dev-1 that the broker has taken.
pub async fn open(gateway: &Embedded, client_id: &str, keep_alive_s: u8) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.local_addr()).await.unwrap();
    stream.write_all(&connect(client_id, keep_alive_s)).await.unwrap();
    assert_eq!(read(&mut stream, 4).await, [0x20, 2, 0, 0]);
    stream
}

/// CONNECT of dev-1 with its token, clean session.
pub fn connect(client_id: &str, keep_alive_s: u8) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0b1100_0010, 0, keep_alive_s];
    for field in [client_id, "dev-1", "token of dev-1"] {
        body.extend(u16::try_from(field.len()).unwrap().to_be_bytes());
        body.extend(field.as_bytes());
    }
    packet(0x10, body)
}

/// PUBLISH with QoS 1.
pub fn publish(topic: &str, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
    body.extend(topic.as_bytes());
    body.extend(packet_id.to_be_bytes());
    body.extend(payload);
    packet(0x32, body)
}

/// A packet with this first byte.
pub fn packet(first: u8, body: Vec<u8>) -> Vec<u8> {
    let mut packet = vec![first];
    let mut left = body.len();
    loop {
        let low = u8::try_from(left % 128).unwrap();
        left /= 128;
        packet.push(if left > 0 { low | 0x80 } else { low });
        if left == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// The next so many bytes.
pub async fn read(stream: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut buffer = vec![0; bytes];
    stream.read_exact(&mut buffer).await.unwrap();
    buffer
}
