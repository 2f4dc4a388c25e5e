//! Tests (检测): taken in once, matched, judged, and what follows from a bad one.

use tianyin_domain::device::DeviceKind;
use tianyin_domain::lot::{Lot, LotStatus};
use tianyin_domain::measurement::Measurement;
use tianyin_domain::message::{Message, MessageKind};
use tianyin_domain::test::{
    AssignTest, BY_LOT, ConductedBy, MatchedBy, Origin, RecordTest, Test, TestVerdict, UNMATCHED,
};
use tianyin_domain::{Command, Event, State as _, Verdict};

use crate::farm::{
    Farm, admin, approve, clerk, device, judgement, measured, measurement, message, record, system,
    typed,
};

/// A farm, the station's analyzer `station` and the co-operative's own analyzer `own`.
fn bench() -> Farm {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("station", DeviceKind::Analyzer, None));
    let operator = farm.operator.clone();
    farm.world.ok(&admin(), approve("own", DeviceKind::Analyzer, Some(&operator)));
    farm
}

fn assign(test: &str, lot: &str, verdict: Verdict) -> Command {
    Command::AssignTest(AssignTest {
        test: test.into(),
        lot: lot.into(),
        judgement: judgement(verdict),
        sampling: None,
    })
}

#[test]
fn the_same_result_counts_once() {
    let mut farm = bench();
    let lot = Some(farm.lot.clone());
    let one = measured("station", measurement("SN-1", "12.3"), lot.as_deref(), Verdict::Pass);
    let id = farm.world.ok(&system(), record(one.clone()));

    let again = farm.world.give(&system(), record(one.clone())).unwrap();
    assert_eq!((again.written, again.note, &again.id), (false, "duplicate", &id));
    // Same number, other content: the first stands, the second is a conflict.
    let other = RecordTest { measurement: measurement("SN-1", "12.4"), ..one.clone() };
    let conflict = farm.world.give(&system(), record(other)).unwrap();
    assert_eq!((conflict.written, conflict.note, &conflict.id), (false, "conflict", &id));
    assert_eq!(farm.world.get::<Test>(&id).measurement.value.num, "12.3");
    // Another device may count its records alike.
    let elsewhere = RecordTest { device: "own".into(), ..one };
    assert_ne!(farm.world.ok(&system(), record(elsewhere)), id);
}

#[test]
fn the_same_result_twice_in_one_group() {
    let mut farm = bench();
    let one = measured("station", measurement("SN-1", "12.3"), None, Verdict::Pass);
    let envelope = farm.world.envelope(&system(), record(one));
    let answers = farm.world.group(&[envelope.clone(), envelope]);
    let notes: Vec<_> = answers.into_iter().map(|a| a.unwrap().note).collect();
    assert_eq!(notes, ["", "duplicate"]);
}

#[test]
fn clocks_are_flagged_never_dropped() {
    let cases = [
        (None, Some("clock_none")),
        (Some("1970-01-01T00:00:10Z"), Some("clock_none")),
        (Some("2000-01-01T03:00:00Z"), Some("clock_none")),
        // Already 2001 in China.
        (Some("2000-12-31T16:00:00Z"), Some("clock_off")),
        (Some("2026-11-20T08:10:00Z"), None),
        (Some("2026-11-20T08:10:01Z"), Some("clock_off")),
        (Some("2026-10-21T08:00:00Z"), None),
        (Some("2026-10-21T07:59:59Z"), Some("clock_off")),
    ];
    for (n, (tested_at, flag)) in cases.into_iter().enumerate() {
        let mut farm = bench();
        let tested_at = tested_at.map(|t| t.parse().unwrap());
        let m = Measurement { tested_at, ..measurement(&n.to_string(), "12.3") };
        let id = farm.world.ok(&system(), record(measured("station", m, None, Verdict::Pass)));
        let test: Test = farm.world.get(&id);
        assert_eq!(test.flags, Vec::from_iter(flag), "{tested_at:?}");
        assert_eq!(test.measurement.tested_at, tested_at, "kept as the device said");
    }
}

#[test]
fn a_blank_is_nobodys_sample() {
    let mut farm = bench();
    let blank = Measurement { blank: true, ..measurement("SN-1", "99") };
    let lot = farm.lot.clone();
    for command in [
        measured("station", blank.clone(), Some(&lot), Verdict::Deny),
        typed(blank.clone(), &lot, Verdict::Deny),
    ] {
        assert_eq!(farm.world.no(&system(), record(command)), "test_is_blank");
    }
    let id = farm.world.ok(&system(), record(measured("station", blank, None, Verdict::Deny)));
    assert_eq!(farm.world.state.ids(UNMATCHED, "", 9).unwrap(), [""; 0], "it waits for no lot");
    assert_eq!(farm.world.no(&clerk(), assign(&id, &lot, Verdict::Pass)), "test_is_blank");
    assert_eq!(farm.world.get::<Lot>(&lot).status, LotStatus::Open);
}

#[test]
fn who_tested_for_whom() {
    // a basis 自行检测 or 委托检测 stands on this.
    let mut farm = bench();
    let lot = farm.lot.clone();
    let by_device = |id: &str| measured(id, measurement("SN-1", "1"), Some(&lot), Verdict::Pass);
    let by_hand = typed(measurement("", "1"), &lot, Verdict::Pass);
    let by_hand = RecordTest {
        measurement: Measurement { msg_id: "t".into(), ..by_hand.measurement },
        ..by_hand
    };
    let producer = farm.producer();
    let cases = [
        (system(), by_device("own"), ConductedBy::Own),
        (system(), by_device("station"), ConductedBy::Commissioned),
        (producer, by_hand.clone(), ConductedBy::Own),
        (clerk(), by_hand, ConductedBy::Commissioned),
    ];
    for (actor, command, expected) in cases {
        let id = farm.world.ok(&actor, record(command));
        let test: Test = farm.world.get(&id);
        assert_eq!(test.conducted_by, Some(expected), "{actor:?}");
        assert_eq!((test.operator, test.lot.as_deref()), (farm.operator.clone(), Some(&*lot)));
    }
    for (n, (analyzer, expected)) in
        [("own", ConductedBy::Own), ("station", ConductedBy::Commissioned)].into_iter().enumerate()
    {
        let m = measurement(&format!("late-{n}"), "1");
        let id = farm.world.ok(&system(), record(measured(analyzer, m, None, Verdict::Hold)));
        farm.world.ok(&clerk(), assign(&id, &lot, Verdict::Pass));
        let test: Test = farm.world.get(&id);
        assert_eq!(test.conducted_by, Some(expected));
        assert_eq!(test.matched_by, Some(MatchedBy::Person));
        assert_eq!(test.verdict, TestVerdict::Pass, "judged again, with the product known");
    }
}

#[test]
fn a_failing_test_holds_its_lot() {
    for (verdict, held) in [(Verdict::Pass, false), (Verdict::Hold, false), (Verdict::Deny, true)] {
        let mut farm = bench();
        let lot = farm.lot.clone();
        let test = measured("station", measurement("SN-1", "55"), Some(&lot), verdict);
        farm.world.ok(&system(), record(test));
        let expected = if held { LotStatus::Held } else { LotStatus::Open };
        assert_eq!(farm.world.get::<Lot>(&lot).status, expected, "recorded with {verdict:?}");
        // Test and hold are one line.
        assert_eq!(farm.world.last_events().len(), if held { 2 } else { 1 });

        let mut farm = bench();
        let test = measured("station", measurement("SN-1", "55"), None, Verdict::Hold);
        let id = farm.world.ok(&system(), record(test));
        let before = farm.world.version(&format!("lot/{}", farm.lot));
        let lot = farm.lot.clone();
        farm.world.ok(&clerk(), assign(&id, &lot, verdict));
        assert_eq!(farm.world.get::<Lot>(&lot).status, expected, "assigned with {verdict:?}");
        assert!(farm.world.version(&format!("lot/{lot}")) > before);
    }
}

#[test]
fn every_failing_test_is_a_reason_of_its_own() {
    let mut farm = bench();
    let lot = farm.lot.clone();
    for n in ["SN-1", "SN-2"] {
        let test = measured("station", measurement(n, "55"), Some(&lot), Verdict::Deny);
        farm.world.ok(&system(), record(test));
    }
    let last = farm.world.last_events();
    assert!(matches!(last[..], [Event::TestRecorded(_), Event::LotHeld(_)]), "{last:?}");
    assert_eq!(farm.world.get::<Lot>(&lot).holds.len(), 2);
}

#[test]
fn a_test_gets_one_lot_for_good() {
    let mut farm = bench();
    let lot = farm.lot.clone();
    let unmatched = measured("station", measurement("SN-1", "1"), None, Verdict::Hold);
    let id = farm.world.ok(&system(), record(unmatched));
    assert_eq!(farm.world.state.ids(UNMATCHED, "", 9).unwrap(), [id.as_str()]);
    assert_eq!(farm.world.no(&clerk(), assign(&id, "lot_no", Verdict::Pass)), "no lot");
    assert_eq!(farm.world.no(&clerk(), assign("tst_no", &lot, Verdict::Pass)), "no test");
    farm.world.ok(&clerk(), assign(&id, &lot, Verdict::Pass));
    assert_eq!(farm.world.state.ids(UNMATCHED, "", 9).unwrap(), [""; 0]);
    assert_eq!(farm.world.state.ids(BY_LOT, &lot, 9).unwrap(), [id.as_str()]);
    assert_eq!(farm.world.no(&clerk(), assign(&id, &lot, Verdict::Pass)), "test_has_lot");
}

#[test]
fn a_message_knows_the_tests_made_of_it() {
    let mut farm = bench();
    let sent = farm.world.ok(&device("station"), message("station", MessageKind::Raw, b"7E"));
    let ids: Vec<_> = ["SN-1", "SN-2"]
        .map(|n| {
            let test = measured("station", measurement(n, "1"), None, Verdict::Pass);
            farm.world.ok(&system(), record(RecordTest { message: sent.clone(), ..test }))
        })
        .into();
    assert_eq!(farm.world.get::<Message>(&sent).tests, ids);
    let test = measured("station", measurement("SN-3", "1"), None, Verdict::Pass);
    let lost = RecordTest { message: "msg_no".into(), ..test };
    assert_eq!(farm.world.no(&system(), record(lost)), "no message");
}

#[test]
fn refused_results() {
    let mut farm = bench();
    let good = measurement("SN-1", "1");
    let cases = [
        (Measurement { v: 2, ..good.clone() }, "v:bad_version"),
        (Measurement { msg_id: " ".into(), ..good.clone() }, "msg_id:required"),
        (Measurement { msg_id: "x".repeat(129), ..good.clone() }, "msg_id:too_long"),
    ];
    for (m, expected) in cases {
        let test = measured("station", m, None, Verdict::Pass);
        assert_eq!(farm.world.no(&system(), record(test)), expected);
    }
    let nobody = measured("a9", good.clone(), None, Verdict::Pass);
    assert_eq!(farm.world.no(&system(), record(nobody)), "no device");
    // A typed result without a lot could not tell later who typed it.
    let loose =
        RecordTest { origin: Origin::Typed, ..measured("", good.clone(), None, Verdict::Pass) };
    assert_eq!(farm.world.no(&clerk(), record(loose)), "lot:required");
    // Nobody types in the name of a device.
    let lot = farm.lot.clone();
    let forged = measured("station", good, Some(&lot), Verdict::Pass);
    for actor in [admin(), clerk(), farm.producer()] {
        assert_eq!(farm.world.no(&actor, record(forged.clone())), "forbidden");
    }
}
