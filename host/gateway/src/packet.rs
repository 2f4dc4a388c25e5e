//! Just enough of MQTT's packets to take a stream apart and to answer the plainest publishes.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};

/// First byte of a CONNECT packet.
pub(crate) const CONNECT: u8 = 0x10;
/// A whole PINGREQ.
pub(crate) const PINGREQ: [u8; 2] = [0xc0, 0];
/// A whole PINGRESP.
pub(crate) const PINGRESP: [u8; 2] = [0xd0, 0];
/// First byte of a PUBLISH without its flags.
const PUBLISH: u8 = 0x30;
/// Longest "remaining length", in bytes.
const LENGTH_BYTES_MAX: usize = 4;

/// A PUBLISH with QoS 0 or 1 and, with MQTT 5, without properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlainPublish {
    pub(crate) topic: Bytes,
    /// What PUBACK repeats; `None` with QoS 0.
    pub(crate) packet_id: Option<u16>,
    pub(crate) payload: Bytes,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
}

/// Length of the packet at the start of `bytes`, its fixed header included; `None` while it is not
/// known. An error if its length is malformed, or what follows the fixed header is above `bytes_max`.
pub(crate) fn whole_bytes(bytes: &[u8], bytes_max: usize) -> io::Result<Option<usize>> {
    let Some((header, length)) = fixed_header(bytes)? else { return Ok(None) };
    if length > bytes_max { bad("packet too large") } else { Ok(Some(header + length)) }
}

/// Bytes of the fixed header and bytes that follow it.
fn fixed_header(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let mut length = 0usize;
    for (i, byte) in bytes.iter().skip(1).take(LENGTH_BYTES_MAX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((2 + i, length)));
        }
    }
    if bytes.len() > LENGTH_BYTES_MAX { bad("malformed length") } else { Ok(None) }
}

fn bad<T>(what: &'static str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// Takes the first whole packet off `bytes`, if there is one. Errors as [`whole_bytes`].
pub(crate) fn split(bytes: &mut BytesMut, bytes_max: usize) -> io::Result<Option<Bytes>> {
    let whole = whole_bytes(bytes, bytes_max)?.filter(|whole| bytes.len() >= *whole);
    Ok(whole.map(|whole| bytes.split_to(whole).freeze()))
}

/// True for a PUBLISH of any kind.
pub(crate) fn is_publish(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first & 0xf0 == PUBLISH)
}

/// The publish in a whole packet; `None` if it is another packet, not plain, or malformed.
pub(crate) fn plain_publish(packet: &Bytes, mqtt5: bool) -> Option<PlainPublish> {
    let first = *packet.first().filter(|_| is_publish(packet))?;
    let (header, _) = fixed_header(packet).ok()??;
    let mut rest = packet.slice(header..);
    let topic_bytes = usize::from(rest.try_get_u16().ok()?);
    if rest.len() < topic_bytes {
        return None;
    }
    let topic = rest.split_to(topic_bytes);
    let packet_id = match first & 0b110 {
        // A redelivery of what is not acknowledged makes no sense.
        0 if first & 0b1000 == 0 => None,
        0b010 => Some(rest.try_get_u16().ok().filter(|id| *id != 0)?),
        _ => return None,
    };
    if mqtt5 && rest.try_get_u8().ok()? != 0 {
        return None;
    }
    Some(PlainPublish {
        topic,
        packet_id,
        payload: rest,
        retain: first & 1 != 0,
        dup: first & 0b1000 != 0,
    })
}

/// PUBACK, success; the same bytes in every version.
pub(crate) fn puback(packet_id: u16) -> [u8; 4] {
    let [high, low] = packet_id.to_be_bytes();
    [0x40, 2, high, low]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rmqtt::codec::types::{Publish, QoS};
    use rmqtt::codec::v3;
    use rmqtt::codec::v5::{self, PublishProperties};
    use tokio_util::codec::Encoder as _;

    use super::*;

    #[test]
    fn the_length_of_a_packet() {
        assert_eq!(whole_bytes(&[], 99).unwrap(), None);
        assert_eq!(whole_bytes(&[0x10], 99).unwrap(), None);
        assert_eq!(whole_bytes(&[0x10, 12], 99).unwrap(), Some(14));
        assert_eq!(whole_bytes(&[0x10, 0x80], 999).unwrap(), None);
        assert_eq!(whole_bytes(&[0x10, 0x80, 0x01], 999).unwrap(), Some(131));
        for bad in [&[0x10, 100][..], &[0x10, 255, 255, 255, 255]] {
            assert!(whole_bytes(bad, 99).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_stream_falls_into_its_packets() {
        let mut bytes = BytesMut::from(&[0xc0, 0, 0x40, 2, 0, 7, 0xd0][..]);
        assert_eq!(split(&mut bytes, 99).unwrap().unwrap(), &PINGREQ[..]);
        assert_eq!(split(&mut bytes, 99).unwrap().unwrap(), &puback(7)[..]);
        assert_eq!(split(&mut bytes, 99).unwrap(), None);
        bytes.extend([0]);
        assert_eq!(split(&mut bytes, 99).unwrap().unwrap(), &PINGRESP[..]);
        assert!(bytes.is_empty());
    }

    /// As rmqtt's own codec writes it.
    fn encoded(publish: Publish, mqtt5: bool) -> Bytes {
        let mut bytes = BytesMut::new();
        let publish = Box::new(publish);
        if mqtt5 {
            v5::Codec::new(0, 0).encode(v5::Packet::Publish(publish), &mut bytes).unwrap();
        } else {
            v3::Codec::new(0).encode(v3::Packet::Publish(publish), &mut bytes).unwrap();
        }
        bytes.freeze()
    }

    fn publish(qos: QoS, payload: &Bytes) -> Publish {
        Publish {
            dup: qos == QoS::AtLeastOnce,
            retain: payload.len().is_multiple_of(2),
            qos,
            topic: "tianyin/v1/analyzer-1/up/result".into(),
            packet_id: (qos != QoS::AtMostOnce).then(|| 0x1234.try_into().unwrap()),
            payload: payload.clone(),
            properties: None,
        }
    }

    #[test]
    fn publishes_are_read_as_the_broker_reads_them() {
        let payloads = [0, 1, 100, 128, 20_000].map(|length| Bytes::from(vec![b'x'; length]));
        for (payload, mqtt5) in payloads.iter().flat_map(|p| [(p, false), (p, true)]) {
            let properties = mqtt5.then(PublishProperties::default);
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
                let sent = Publish { properties: properties.clone(), ..publish(qos, payload) };
                let read = plain_publish(&encoded(sent.clone(), mqtt5), mqtt5).unwrap();
                assert_eq!(read.topic, sent.topic.as_bytes());
                assert_eq!(read.packet_id, sent.packet_id.map(std::num::NonZero::get));
                assert_eq!((read.retain, read.dup), (sent.retain, sent.dup));
                assert_eq!(&read.payload, payload);
            }
            let twice = Publish { properties, ..publish(QoS::ExactlyOnce, payload) };
            assert_eq!(plain_publish(&encoded(twice, mqtt5), mqtt5), None, "the broker's");
        }
        let properties = PublishProperties { topic_alias: 3.try_into().ok(), ..Default::default() };
        let sent =
            Publish { properties: Some(properties), ..publish(QoS::AtLeastOnce, &payloads[1]) };
        assert_eq!(plain_publish(&encoded(sent, true), true), None, "the broker's");
    }

    #[test]
    fn a_malformed_publish_is_the_brokers() {
        let whole = encoded(publish(QoS::AtLeastOnce, &Bytes::new()), false);
        for length in 0..whole.len() {
            assert_eq!(plain_publish(&whole.slice(..length), false), None, "{length}");
        }
        let zero_id = Bytes::from_static(&[0x32, 5, 0, 1, b'a', 0, 0]);
        let dup_of_nothing = Bytes::from_static(&[0x38, 3, 0, 1, b'a']);
        let both_qos = Bytes::from_static(&[0x36, 5, 0, 1, b'a', 0, 1]);
        for packet in [zero_id, dup_of_nothing, both_qos, Bytes::from_static(&PINGREQ)] {
            assert_eq!(plain_publish(&packet, false), None, "{packet:?}");
        }
    }
}
