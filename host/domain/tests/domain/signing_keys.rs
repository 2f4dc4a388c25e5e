//! The county's signing keys: one in force, those before it with their time.

use tianyin_domain::signing_key::{PublicKey, RotateKey, SigningKey, all, in_force};
use tianyin_domain::{Command, Event};

use crate::farm::{admin, clerk, system};
use crate::world::World;

fn key(n: &str) -> PublicKey {
    let pem = format!("-----BEGIN PUBLIC KEY-----\nMFkw{n}\n-----END PUBLIC KEY-----\n");
    PublicKey { fingerprint: n.repeat(16), pem }
}

fn change(old: &str, new: &str) -> RotateKey {
    let since = "2026-03-01T00:00:00Z".parse().unwrap();
    RotateKey { old: key(old), new: key(new), since, reason: "例行".into(), compromised: false }
}

/// One key for another; a name of one digit each.
pub fn rotate(old: &str, new: &str) -> Command {
    Command::RotateKey(change(old, new))
}

#[test]
fn each_key_ends_as_the_next_begins() {
    let mut world = World::new();
    assert!(all(world.state()).unwrap().is_empty(), "nothing is on record before the first change");
    assert_eq!(world.ok(&admin(), rotate("1", "2")), "2".repeat(16));
    let first = world.time;
    world.time = "2027-05-01T00:00:00Z".parse().unwrap();
    let leaked =
        RotateKey { compromised: true, reason: " 硬盘失窃 ".into(), ..change("2", "3") };
    world.ok(&system(), Command::RotateKey(leaked));

    let keys = all(world.state()).unwrap();
    let ids: Vec<&str> = keys.iter().map(|key| &key.id[..1]).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(keys[0].from, change("1", "2").since);
    assert_eq!((keys[0].to, keys[1].from), (Some(first), first));
    assert_eq!((keys[1].to, keys[2].from), (Some(world.time), world.time));
    assert_eq!((keys[1].reason.as_str(), keys[1].compromised), ("硬盘失窃", true));
    assert_eq!((keys[0].compromised, keys[2].compromised), (false, false));
    assert_eq!(in_force(&keys), keys.last());
}

#[test]
fn only_the_key_in_force_is_changed_and_never_back() {
    let mut world = World::new();
    world.ok(&admin(), rotate("1", "2"));
    assert_eq!(world.no(&admin(), rotate("1", "3")), "key_not_in_force");
    assert_eq!(world.no(&admin(), rotate("2", "1")), "key_known");
    assert_eq!(world.no(&admin(), rotate("2", "2")), "key_known");
    let other_text =
        RotateKey { old: PublicKey { pem: key("7").pem, ..key("2") }, ..change("2", "3") };
    assert_eq!(world.no(&admin(), Command::RotateKey(other_text)), "key_not_in_force");
    assert_eq!(all(world.state()).unwrap().len(), 2);
}

#[test]
fn a_key_needs_its_form_and_a_change_its_reason() {
    let mut world = World::new();
    let bad = [
        RotateKey { reason: " ".into(), ..change("1", "2") },
        RotateKey { reason: "因".repeat(129), ..change("1", "2") },
        RotateKey { new: PublicKey { fingerprint: "2".into(), ..key("2") }, ..change("1", "2") },
        RotateKey {
            new: PublicKey { fingerprint: "G".repeat(16), ..key("2") },
            ..change("1", "2")
        },
        RotateKey { old: PublicKey { pem: "钥".into(), ..key("1") }, ..change("1", "2") },
        RotateKey { old: PublicKey { pem: "x".repeat(2000), ..key("1") }, ..change("1", "2") },
    ];
    for bad in bad {
        let told = world.no(&admin(), Command::RotateKey(bad.clone()));
        assert!(!told.is_empty(), "{bad:?}");
    }
    assert_eq!(world.no(&clerk(), rotate("1", "2")), "forbidden");
    assert!(all(world.state()).unwrap().is_empty());
}

#[test]
fn a_key_does_not_begin_after_it_ended() {
    // A clock that was ahead when the first line was written.
    let mut world = World::new();
    let since = "2031-01-01T00:00:00Z".parse().unwrap();
    world.ok(&admin(), Command::RotateKey(RotateKey { since, ..change("1", "2") }));
    let keys = all(world.state()).unwrap();
    assert_eq!(keys.iter().map(|key| &key.id[..1]).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((keys[0].from, keys[0].to), (world.time, Some(world.time)));
}

#[test]
fn keys_do_not_come_without_end() {
    let mut world = World::new();
    let name = |n: usize| format!("{n:016x}");
    let change = |n: usize| {
        let named = |n| PublicKey { fingerprint: name(n), ..key("1") };
        Command::RotateKey(RotateKey { old: named(n), new: named(n + 1), ..change("1", "2") })
    };
    for n in 0..tianyin_domain::signing_key::KEYS_MAX - 1 {
        world.ok(&admin(), change(n));
    }
    let told = world.no(&admin(), change(tianyin_domain::signing_key::KEYS_MAX - 1));
    assert_eq!(told, "too_many_keys");
}

/// Never to be changed: journals hold it.
const ROTATED: &str = concat!(
    r#"{"signing_key.rotated":{"old":{"id":"1111111111111111","pem":"-----BEGIN PUBLIC KEY-----\nMFkw1\n"#,
    r#"-----END PUBLIC KEY-----\n","from":"2026-03-01T00:00:00Z","to":"2026-11-20T08:00:00Z","#,
    r#""reason":"例行"},"new":{"id":"2222222222222222","pem":"-----BEGIN PUBLIC KEY-----\nMFkw2\n"#,
    r#"-----END PUBLIC KEY-----\n","from":"2026-11-20T08:00:00Z"}}}"#,
);

#[test]
fn the_event_is_written_and_read_so() {
    let mut world = World::new();
    world.ok(&admin(), rotate("1", "2"));
    assert_eq!(world.lines.last().unwrap().events, format!("[{ROTATED}]"));
    let event: Event = serde_json::from_str(ROTATED).unwrap();
    let Event::KeyRotated(read) = &event else { panic!("{event:?}") };
    assert_eq!(read.new, world.get::<SigningKey>(&"2".repeat(16)));
    assert_eq!(serde_json::to_string(&event).unwrap(), ROTATED);
}
