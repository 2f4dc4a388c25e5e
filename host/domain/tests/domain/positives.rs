//! What sets a lot free after a positive result, and how that result is settled (law art 51, 59; ).

use tianyin_domain::device::DeviceKind;
use tianyin_domain::hold::HoldKind;
use tianyin_domain::lot::{Lot, LotStatus};
use tianyin_domain::measurement::{Measurement, ResultKind};
use tianyin_domain::objection::Ending;
use tianyin_domain::positive::{Outcome, SettlePositive};
use tianyin_domain::sampling::{Level, Purpose};
use tianyin_domain::test::{BY_ATTACHMENT, BY_FIRST, POSITIVE, RecordTest, Test, device_key};
use tianyin_domain::{Command, Verdict};

use crate::farm::{Farm, admin, approve, clerk, measured, measurement, record, system, typed};
use crate::objections::{analyst, conclude, ids, ordered, photo, positive, settle};
use crate::recalls::release;
use crate::samplings::sample;
use crate::verification::{quantitative, strike, verify};

/// A repeat as the device sends it.
fn repeat(msg_id: &str, of: &str, measurement: Measurement) -> Measurement {
    let (kind, retest_of) = (ResultKind::Retest, Some(of.into()));
    Measurement { msg_id: msg_id.into(), kind, retest_of, ..measurement }
}

#[test]
fn a_repeat_may_arrive_before_what_it_repeats() {
    // Of which sample, by which method, whether that repeat may set the lot free.
    let rapid = measurement("SN-1", "12");
    let cases = [
        (None, rapid.clone(), Ok(())),
        (Some(Purpose::Routine), rapid.clone(), Ok(())),
        (Some(Purpose::Supervision), rapid, Err("retest_rapid")),
        (Some(Purpose::Supervision), quantitative("SN-1", "0.01"), Ok(())),
    ];
    for (purpose, m, expected) in cases {
        let mut farm = Farm::new();
        farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
        farm.world.ok(&admin(), approve("a2", DeviceKind::Analyzer, None));
        let lot = farm.lot.clone();
        let sampling = purpose.map(|one| sample(&mut farm, &clerk(), one, Level::County));
        let sent = |device: &str, m: Measurement, verdict: Verdict| {
            let test = measured(device, m, Some(&lot), verdict);
            record(RecordTest { sampling: sampling.clone(), ..test })
        };
        let second = sent("a1", repeat("SN-2", "SN-1", m.clone()), Verdict::Pass);
        let second = farm.world.ok(&system(), second);
        let elsewhere = sent("a2", repeat("SN-2", "SN-1", m.clone()), Verdict::Pass);
        let elsewhere = farm.world.ok(&system(), elsewhere);
        let unrelated = sent("a1", repeat("SN-3", "SN-0", m.clone()), Verdict::Pass);
        let unrelated = farm.world.ok(&system(), unrelated);
        for id in [&second, &elsewhere, &unrelated] {
            assert!(farm.world.get::<Test>(id).flags.contains(&"retest_first".into()));
            if farm.world.get::<Test>(id).needs_verification {
                farm.world.ok(&clerk(), verify(id));
            }
        }
        assert_eq!(ids(&farm, BY_FIRST, &device_key("a1", "SN-1")), [second.as_str()]);

        farm.world.time += jiff::SignedDuration::from_hours(1);
        let first = sent("a1", Measurement { msg_id: "SN-1".into(), ..m.clone() }, Verdict::Deny);
        let first = farm.world.ok(&system(), first);
        let held: Lot = farm.world.get(&lot);
        assert_eq!((held.holds.len(), &held.holds[0].reference), (1, &first));
        let free = |by: &str| release(&lot, HoldKind::PositiveTest, &first, Some(by));
        for stranger in [&elsewhere, &unrelated] {
            assert_eq!(farm.world.no(&clerk(), free(stranger)), "release_needs_pass");
        }
        match expected {
            Ok(()) => {
                farm.world.ok(&clerk(), free(&second));
            }
            Err(code) => assert_eq!(farm.world.no(&clerk(), free(&second)), code),
        }
        // A repeat whose first is known bears no flag.
        let third = farm.world.ok(&system(), sent("a1", repeat("SN-4", "SN-1", m), Verdict::Pass));
        assert_eq!(farm.world.get::<Test>(&third).flags, [""; 0]);
    }
}

#[test]
fn a_typed_repeat_waits_for_no_device() {
    let mut farm = Farm::new();
    let again = typed(repeat("t2", "t1", measurement("", "1")), &farm.lot, Verdict::Pass);
    let again = farm.world.ok(&clerk(), record(again));
    assert_eq!(farm.world.get::<Test>(&again).flags, [""; 0]);
}

#[test]
fn what_supervision_found_is_not_set_aside_rapidly() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let test = positive(&mut farm, quantitative("t1", "0.9"));
    farm.world.time += jiff::SignedDuration::from_hours(1);
    let now = farm.world.time;
    for (n, (m, expected)) in
        [(measurement("t2", "1"), Some("retest_rapid")), (quantitative("t3", "0.01"), None)]
            .into_iter()
            .enumerate()
    {
        let pass = RecordTest { received_at: now, ..typed(m, &lot, Verdict::Pass) };
        let pass = farm.world.ok(&analyst(), record(pass));
        if n == 1 {
            farm.world.ok(&clerk(), verify(&pass));
        }
        let free = release(&lot, HoldKind::PositiveTest, &test, Some(&pass));
        match expected {
            Some(code) => assert_eq!(farm.world.no(&clerk(), free), code),
            None => {
                farm.world.ok(&clerk(), free);
            }
        }
    }
}

#[test]
fn a_positive_result_is_settled_with_evidence_and_once() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let test = positive(&mut farm, measurement("t1", "80"));
    assert_eq!(ids(&farm, POSITIVE, ""), [test.as_str()]);
    for outcome in [Outcome::Destroyed, Outcome::Treated] {
        let told = farm.world.no(&clerk(), settle(&test, outcome, vec![]));
        assert_eq!(told, "attachments:evidence_missing");
    }
    let told = farm.world.no(&clerk(), settle(&test, Outcome::Released, photo()));
    assert_eq!(told, "lot_not_released");
    let Command::SettlePositive(silent) = settle(&test, Outcome::Recalled, vec![]) else {
        unreachable!()
    };
    let silent = Command::SettlePositive(SettlePositive { note: " ".into(), ..silent });
    assert_eq!(farm.world.no(&clerk(), silent), "note:required");
    let passed =
        farm.world.ok(&clerk(), record(typed(measurement("t2", "1"), &lot, Verdict::Pass)));
    let told = farm.world.no(&clerk(), settle(&passed, Outcome::Delayed, vec![]));
    assert_eq!(told, "test_not_positive");
    farm.world.ok(&clerk(), settle(&test, Outcome::Treated, photo()));
    let settled = farm.world.get::<Test>(&test).settled.unwrap();
    assert_eq!((settled.outcome, settled.attachments), (Outcome::Treated, photo()));
    assert_eq!((settled.by.as_str(), settled.at), ("user/usr_clerk", farm.world.time));
    assert_eq!(ids(&farm, POSITIVE, ""), [""; 0]);
    assert_eq!(ids(&farm, BY_ATTACHMENT, &"c".repeat(64)), [test.as_str()]);
    let told = farm.world.no(&clerk(), settle(&test, Outcome::Treated, photo()));
    assert_eq!(told, "positive_settled");
    assert_eq!(farm.world.no(&admin(), strike(&test)), "test_in_use");
    assert_eq!(farm.world.get::<Lot>(&lot).status, LotStatus::Held, "what is destroyed stays held");
}

#[test]
fn an_open_objection_keeps_the_result_open() {
    let mut farm = Farm::new();
    let (test, objection) = ordered(&mut farm);
    for outcome in [Outcome::Destroyed, Outcome::Recalled, Outcome::Delayed] {
        let told = farm.world.no(&clerk(), settle(&test, outcome, photo()));
        assert_eq!(told, "objection_open");
    }
    farm.world.ok(&clerk(), conclude(&objection, Ending::Withdrawn));
    farm.world.ok(&clerk(), settle(&test, Outcome::Destroyed, photo()));
}

#[test]
fn a_released_lot_settles_as_released() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let first = typed(measurement("t1", "80"), &lot, Verdict::Deny);
    let test = farm.world.ok(&clerk(), record(first));
    farm.world.time += jiff::SignedDuration::from_hours(1);
    let now = farm.world.time;
    let pass = typed(measurement("t2", "1"), &lot, Verdict::Pass);
    let pass = farm.world.ok(&clerk(), record(RecordTest { received_at: now, ..pass }));
    farm.world.ok(&clerk(), release(&lot, HoldKind::PositiveTest, &test, Some(&pass)));
    assert_eq!(ids(&farm, POSITIVE, ""), [test.as_str()], "free, but nobody said what came of it");
    farm.world.ok(&clerk(), settle(&test, Outcome::Released, vec![]));
    assert_eq!(ids(&farm, POSITIVE, ""), [""; 0]);
}
