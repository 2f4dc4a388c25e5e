//! Messages: kept raw first, known content once, dead ones again.

use tianyin_domain::device::DeviceKind;
use tianyin_domain::message::{
    Message, MessageKind, MessageStatus, PAYLOAD_BYTES_MAX, Payload, ReplayMessage, SettleMessage,
};
use tianyin_domain::{Command, Outcome};

use crate::farm::{admin, approve, device, message, system};
use crate::world::{Answer, World};

fn world() -> World {
    let mut world = World::new();
    for id in ["a1", "a2"] {
        world.ok(&admin(), approve(id, DeviceKind::Analyzer, None));
    }
    world
}

fn send(world: &mut World, id: &str, kind: MessageKind, bytes: &[u8]) -> Outcome {
    world.give(&device(id), message(id, kind, bytes)).unwrap()
}

fn settle(world: &mut World, message: &str, status: MessageStatus) {
    world.ok(
        &system(),
        Command::SettleMessage(SettleMessage {
            message: message.into(),
            status,
            reason: "decoder_failed".into(),
            detail: "bad crc".into(),
            problems: vec!["garbage before a frame".into()],
        }),
    );
}

fn replay(message: &str) -> Command {
    Command::ReplayMessage(ReplayMessage { message: message.into() })
}

#[test]
fn known_content_writes_nothing() {
    use MessageKind::{Raw, Result};
    let mut world = world();
    let first = send(&mut world, "a1", Raw, b"7E11");
    for status in [MessageStatus::Received, MessageStatus::Accepted, MessageStatus::Conflict] {
        settle(&mut world, &first.id, status);
        let lines = world.lines.len();
        let again = send(&mut world, "a1", Raw, b"7E11");
        assert_eq!((again.written, again.note, &again.id), (false, "known", &first.id));
        assert_eq!(world.lines.len(), lines);
    }
    // Other bytes, another device, another topic: other messages.
    for (id, kind, bytes) in
        [("a1", Raw, &b"7E12"[..]), ("a2", Raw, b"7E11"), ("a1", Result, b"7E11")]
    {
        let other = send(&mut world, id, kind, bytes);
        assert!(other.written);
        assert_ne!(other.id, first.id);
    }
}

#[test]
fn known_content_in_one_group() {
    let mut world = world();
    let envelope = world.envelope(&device("a1"), message("a1", MessageKind::Raw, b"7E11"));
    let answers = world.group(&[envelope.clone(), envelope]);
    let answers: [Answer; 2] = answers.try_into().unwrap();
    let [first, second] = answers.map(Result::unwrap);
    assert!(first.written && !second.written);
    assert_eq!((first.id, first.seq), (second.id, second.seq));
}

#[test]
fn a_dead_message_is_decoded_again_when_it_comes_again() {
    let mut world = world();
    let first = send(&mut world, "a1", MessageKind::Raw, b"7E11");
    settle(&mut world, &first.id, MessageStatus::Dead);
    let dead: Message = world.get(&first.id);
    assert_eq!((dead.status, dead.reason.as_str()), (MessageStatus::Dead, "decoder_failed"));
    assert_eq!(dead.payload.to_bytes(), b"7E11", "raw bytes stay");

    let again = send(&mut world, "a1", MessageKind::Raw, b"7E11");
    assert_eq!((again.written, &again.id), (true, &first.id));
    assert_eq!(world.get::<Message>(&first.id).status, MessageStatus::Received);
}

#[test]
fn replay_by_hand_is_for_dead_ones() {
    use MessageStatus::{Accepted, Conflict, Dead, Duplicate, Received};
    for (status, expected) in [
        (Received, Some("message_not_dead")),
        (Accepted, Some("message_not_dead")),
        (Duplicate, Some("message_not_dead")),
        (Conflict, Some("message_not_dead")),
        (Dead, None),
    ] {
        let mut world = world();
        let id = send(&mut world, "a1", MessageKind::Raw, b"7E11").id;
        settle(&mut world, &id, status);
        match expected {
            Some(code) => assert_eq!(world.no(&admin(), replay(&id)), code, "{status:?}"),
            None => {
                world.ok(&admin(), replay(&id));
                assert_eq!(world.get::<Message>(&id).status, Received);
            }
        }
    }
    assert_eq!(world().no(&admin(), replay("msg_no")), "no message");
}

#[test]
fn the_same_scan_counts_each_time() {
    let mut world = world();
    let first = send(&mut world, "a1", MessageKind::Scan, b"L20261119-0001");
    let second = send(&mut world, "a1", MessageKind::Scan, b"L20261119-0001");
    assert!(first.written && second.written);
    assert_ne!(first.id, second.id);
}

#[test]
fn refused_messages() {
    let mut world = world();
    let large = vec![b'x'; PAYLOAD_BYTES_MAX + 1];
    let a1 = device("a1");
    assert_eq!(world.no(&a1, message("a1", MessageKind::Raw, &large)), "payload:too_long");
    send(&mut world, "a1", MessageKind::Raw, &large[1..]);
    assert_eq!(world.no(&device("a9"), message("a9", MessageKind::Raw, b"x")), "no device");
    // A device speaks for itself only.
    assert_eq!(world.no(&a1, message("a2", MessageKind::Raw, b"x")), "forbidden");
}

#[test]
fn bytes_are_kept_as_they_came() {
    for bytes in [&b""[..], b"{\"v\":1}", b"\x7e\x11\x00\xff\xc1\xab", "莲".as_bytes(), b"\0\n"] {
        let payload = Payload::from_bytes(bytes);
        let json = serde_json::to_string(&payload).unwrap();
        let read: Payload = serde_json::from_str(&json).unwrap();
        assert_eq!(read.to_bytes(), bytes);
        assert_eq!(matches!(read, Payload::Text(_)), std::str::from_utf8(bytes).is_ok());
    }
}
