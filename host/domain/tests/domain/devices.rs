//! Devices: pairing, approval, what was in quarantine, disabling.

use tianyin_domain::decide::QUARANTINE_MESSAGES_MAX;
use tianyin_domain::device::{
    ApproveDevice, Bench, Device, DeviceKind, DeviceStatus, DisableDevice, PairDevice, ScanLot,
};
use tianyin_domain::message::{Message, MessageKind, MessageStatus, ReplayMessage};
use tianyin_domain::{Command, Event};

use crate::farm::{Farm, admin, approve, device, message, system};
use crate::world::World;

fn pair(id: &str) -> Command {
    Command::PairDevice(PairDevice { id: id.into() })
}

fn disable(id: &str) -> Command {
    Command::DisableDevice(DisableDevice { id: id.into() })
}

#[test]
fn pairing_then_approval_frees_what_was_sent() {
    let mut world = World::new();
    let a1 = device("a1");
    world.ok(&a1, pair("a1"));
    assert_eq!(world.get::<Device>("a1").status, DeviceStatus::Pending);
    let again = world.give(&a1, pair("a1")).unwrap();
    assert_eq!((again.written, again.note), (false, "known"));

    let sent: Vec<_> =
        [b"one", b"two"].map(|bytes| world.ok(&a1, message("a1", MessageKind::Raw, bytes))).into();
    for id in &sent {
        assert_eq!(world.get::<Message>(id).status, MessageStatus::Quarantined);
    }
    // Nothing goes round the approval.
    let replay = Command::ReplayMessage(ReplayMessage { message: sent[0].clone() });
    assert_eq!(world.no(&admin(), replay), "device:device_not_approved");

    world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    assert_eq!(world.get::<Device>("a1").status, DeviceStatus::Approved);
    for id in &sent {
        assert_eq!(world.get::<Message>(id).status, MessageStatus::Received);
    }
    // One line: approved and freed, or neither.
    let freed = world.last_events().into_iter().filter(|e| matches!(e, Event::MessageReplayed(_)));
    assert_eq!(freed.count(), 2);
    assert_eq!(world.no(&a1, pair("a1")), "device_known");

    let later = world.ok(&a1, message("a1", MessageKind::Raw, b"three"));
    assert_eq!(world.get::<Message>(&later).status, MessageStatus::Received);
}

#[test]
fn approval_in_the_group_of_the_messages() {
    let mut world = World::new();
    let a1 = device("a1");
    let group = [
        world.envelope(&a1, pair("a1")),
        world.envelope(&a1, message("a1", MessageKind::Raw, b"one")),
        world.envelope(&admin(), approve("a1", DeviceKind::Analyzer, None)),
        world.envelope(&a1, message("a1", MessageKind::Raw, b"one")),
    ];
    let answers: Vec<_> = world.group(&group).into_iter().map(Result::unwrap).collect();
    assert_eq!(world.get::<Message>(&answers[1].id).status, MessageStatus::Received);
    assert_eq!((answers[3].written, &answers[3].id), (false, &answers[1].id));
}

#[test]
fn quarantine_is_bounded_and_freed_whole() {
    let mut world = World::new();
    let a1 = device("a1");
    world.ok(&a1, pair("a1"));
    for n in 0..QUARANTINE_MESSAGES_MAX {
        world.ok(&a1, message("a1", MessageKind::Scan, n.to_string().as_bytes()));
    }
    assert_eq!(world.no(&a1, message("a1", MessageKind::Raw, b"more")), "quarantine_full");
    world.ok(&admin(), approve("a1", DeviceKind::Scanner, None));
    let left = world.state.all::<Message>();
    assert_eq!(left.len(), QUARANTINE_MESSAGES_MAX);
    assert!(left.iter().all(|m| m.status == MessageStatus::Received));
    world.ok(&a1, message("a1", MessageKind::Raw, b"more"));
}

#[test]
fn a_disabled_device_is_refused_until_approved_again() {
    let mut world = World::new();
    world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let added_at = world.get::<Device>("a1").added_at;
    world.ok(&admin(), disable("a1"));
    assert_eq!(world.no(&device("a1"), message("a1", MessageKind::Raw, b"x")), "device_disabled");
    assert_eq!(world.no(&device("a1"), pair("a1")), "device_known");
    assert_eq!(world.no(&admin(), disable("a2")), "no device");

    // Approved without a new token it keeps the old one, and the day it was first known.
    world.time += jiff::SignedDuration::from_hours(1);
    let Command::ApproveDevice(command) = approve("a1", DeviceKind::Analyzer, None) else {
        unreachable!("built above")
    };
    let command = ApproveDevice { token_sha256: String::new(), ..command };
    world.ok(&admin(), Command::ApproveDevice(command));
    let again: Device = world.get("a1");
    assert_eq!((again.token_sha256.as_str(), again.added_at), ("aa", added_at));
    world.ok(&device("a1"), message("a1", MessageKind::Raw, b"x"));
}

#[test]
fn refused_descriptions() {
    let mut farm = Farm::new();
    let change = |kind, change: fn(&mut ApproveDevice)| {
        let Command::ApproveDevice(mut command) = approve("d1", kind, None) else {
            unreachable!("built above")
        };
        change(&mut command);
        Command::ApproveDevice(command)
    };
    let cases = [
        (change(DeviceKind::Analyzer, |c| c.id = "a/b".into()), "id:bad_device_id"),
        (change(DeviceKind::Analyzer, |c| c.id = "#".into()), "id:bad_device_id"),
        (change(DeviceKind::Analyzer, |c| c.id = "x".repeat(65)), "id:bad_device_id"),
        (change(DeviceKind::Analyzer, |c| c.name.clear()), "name:required"),
        (change(DeviceKind::Analyzer, |c| c.area = "花石".into()), "area:bad_region_code"),
        (change(DeviceKind::Analyzer, |c| c.operator = Some("opr_no".into())), "no operator"),
        (change(DeviceKind::Printer, |c| c.dpi = 600), "dpi:bad_dpi"),
        (change(DeviceKind::Printer, |c| c.address.clear()), "address:required"),
    ];
    for (command, expected) in cases {
        let case = format!("{command:?}");
        assert_eq!(farm.world.no(&admin(), command), expected, "{case}");
    }
    for id in ["", "a b", "设备", "tianyin/v1"] {
        assert_eq!(farm.world.no(&device(id), pair(id)), "id:bad_device_id", "{id}");
    }
}

#[test]
fn a_bench_remembers_the_lot_scanned_last() {
    let mut farm = Farm::new();
    let scan = |bench: &str, lot: &str| {
        Command::ScanLot(ScanLot {
            device: "s1".into(),
            bench: bench.into(),
            lot: lot.into(),
            sampling: None,
        })
    };
    let lot = farm.lot.clone();
    farm.world.ok(&system(), scan("台1", &lot));
    let bench: Bench = farm.world.get("台1");
    assert_eq!((bench.lot, bench.scanned_at), (lot.clone(), farm.world.time));
    // A scanner that stands alone has no bench to remember for.
    farm.world.ok(&system(), scan("", &lot));
    assert_eq!(farm.world.state.all::<Bench>().len(), 1);
    assert_eq!(farm.world.no(&system(), scan("台1", "lot_no")), "no lot");
}
