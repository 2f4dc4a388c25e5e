//! A second person's word on a result, and results that are struck out (R-096).

use tianyin_domain::certificate::VoidCertificate;
use tianyin_domain::device::DeviceKind;
use tianyin_domain::hold::HoldKind;
use tianyin_domain::lot::{Lot, LotStatus};
use tianyin_domain::measurement::{Measurement, Method, Qualifier, Value, ValueKind};
use tianyin_domain::positive::{StrikeTest, VerifyTest};
use tianyin_domain::test::{
    AssignTest, ConductedBy, POSITIVE, RecordTest, Test, TestAssigned, TestVerdict, UNVERIFIED,
};
use tianyin_domain::trace_policy::{SetTracePolicy, TracePolicy};
use tianyin_domain::{Actor, Command, Event, Role, Scope, Verdict, code};

use crate::farm::{
    Farm, admin, approve, clerk, judgement, measured, measurement, prepare_issue, producer, record,
    request, system, typed, user,
};
use crate::recalls::release;

/// The county's rules, as far as they say who looks a second time.
pub fn verifying(verify_institution: bool, verify_own: bool) -> SetTracePolicy {
    SetTracePolicy { balance_tolerance_permille: 5, verify_institution, verify_own }
}

/// An amount found by chromatography.
pub fn quantitative(msg_id: &str, num: &str) -> Measurement {
    by(Method::Chromatography, ValueKind::Concentration, measurement(msg_id, num))
}

pub fn verify(test: &str) -> Command {
    Command::VerifyTest(VerifyTest { test: test.into() })
}

pub fn strike(test: &str) -> Command {
    Command::StrikeTest(StrikeTest { test: test.into(), reason: "录入错误".into() })
}

fn by(method: Method, kind: ValueKind, of: Measurement) -> Measurement {
    let unit = if kind == ValueKind::Concentration { "mg/kg" } else { "" };
    Measurement { method, value: Value { kind, unit: unit.into(), ..of.value.clone() }, ..of }
}

/// Somebody else of the county.
fn colleague() -> Actor {
    user("usr_second", Role::Officer, Scope::everything())
}

fn entered(farm: &mut Farm, by: &Actor, of: Measurement, verdict: Verdict) -> String {
    let lot = farm.lot.clone();
    farm.world.ok(by, record(typed(of, &lot, verdict)))
}

fn waiting(farm: &Farm) -> Vec<String> {
    farm.world.state().ids(UNVERIFIED, "", 99).unwrap()
}

fn counts(farm: &Farm, test: &str) -> bool {
    farm.world.get::<Test>(test).counts()
}

#[test]
fn who_waits_for_a_second_person() {
    use Method::{Chromatography, ColloidalGold, Elisa, EnzymeInhibition, Other};
    use ValueKind::{Concentration, InhibitionRate, Qualitative};
    let measured = [
        (Chromatography, Concentration, true),
        (Chromatography, Qualitative, true),
        (Other, Concentration, true),
        // An amount is an amount, however it was found.
        (Elisa, Concentration, true),
        (Elisa, Qualitative, false),
        (ColloidalGold, Qualitative, false),
        (EnzymeInhibition, InhibitionRate, false),
    ];
    for (institution, own) in [(true, false), (false, false), (false, true), (true, true)] {
        let mut farm = Farm::new();
        let set = Command::SetTracePolicy(verifying(institution, own));
        farm.world.ok(&admin(), set);
        for (n, (method, kind, quantitative)) in measured.into_iter().enumerate() {
            for (actor, asked) in [(clerk(), institution), (farm.producer(), own)] {
                let m = by(method, kind, measurement(&format!("t{n}"), "0.01"));
                let id = entered(&mut farm, &actor, m, Verdict::Pass);
                let test: Test = farm.world.get(&id);
                let waits = quantitative && asked;
                assert_eq!(test.needs_verification, waits, "{method:?} {kind:?} {actor:?}");
                assert_eq!(test.counts(), !waits);
                assert_eq!(waiting(&farm).contains(&id), waits);
            }
        }
    }
    assert!(TracePolicy::of(Farm::new().world.state()).unwrap().verify_institution);
}

#[test]
fn the_rules_of_the_day_count() {
    let mut farm = Farm::new();
    let before = entered(&mut farm, &clerk(), quantitative("t1", "0.01"), Verdict::Pass);
    farm.world.ok(&admin(), Command::SetTracePolicy(verifying(false, false)));
    let after = entered(&mut farm, &clerk(), quantitative("t2", "0.01"), Verdict::Pass);
    assert_eq!(waiting(&farm), [before.as_str()]);
    assert!(!counts(&farm, &before) && counts(&farm, &after));
    assert_eq!(farm.world.no(&colleague(), verify(&after)), "test_is_verified", "nobody asked");
}

#[test]
fn nobody_verifies_what_they_typed() {
    let mut farm = Farm::new();
    let id = entered(&mut farm, &clerk(), quantitative("t1", "0.01"), Verdict::Pass);
    assert_eq!(farm.world.get::<Test>(&id).entered_by, "user/usr_clerk");
    assert_eq!(farm.world.no(&clerk(), verify(&id)), "verify_own_entry");
    assert_eq!(farm.world.no(&farm.producer(), verify(&id)), "test_of_others");
    assert_eq!(farm.world.no(&colleague(), verify("tst_no")), "no test");
    farm.world.time += jiff::SignedDuration::from_hours(1);
    let root = format!("lot/{}", farm.lot);
    let version = farm.world.version(&root);
    farm.world.ok(&colleague(), verify(&id));
    let verified = farm.world.get::<Test>(&id).verified.unwrap();
    assert_eq!((verified.by.as_str(), verified.at), ("user/usr_second", farm.world.time));
    assert!(counts(&farm, &id) && waiting(&farm).is_empty());
    assert!(farm.world.version(&root) > version, "what rests on the lot's tests changed");
    assert_eq!(farm.world.no(&admin(), verify(&id)), "test_is_verified");
}

#[test]
fn an_own_test_is_verified_by_another_of_the_same_operator() {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), Command::SetTracePolicy(verifying(true, true)));
    let own = farm.producer();
    let id = entered(&mut farm, &own, quantitative("t1", "0.01"), Verdict::Pass);
    assert_eq!(farm.world.no(&own, verify(&id)), "verify_own_entry");
    assert_eq!(farm.world.no(&producer("opr_other"), verify(&id)), "no test");
    let second = user("usr_son", Role::Producer, Scope::operator(&farm.operator));
    farm.world.ok(&second, verify(&id));
    assert!(counts(&farm, &id));
}

#[test]
fn what_a_device_measured_waits_too() {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let lot = farm.lot.clone();
    let result = |msg: &str, lot: Option<&str>| {
        record(measured("a1", quantitative(msg, "0.01"), lot, Verdict::Pass))
    };
    let id = farm.world.ok(&system(), result("SN-1", Some(&lot)));
    assert_eq!(farm.world.get::<Test>(&id).entered_by, "");
    // Of nobody's sample nobody asks yet; once it has its lot, they do.
    let loose = farm.world.ok(&system(), result("SN-2", None));
    assert_eq!(waiting(&farm), [id.as_str()]);
    farm.world.ok(
        &clerk(),
        Command::AssignTest(AssignTest {
            test: loose.clone(),
            lot: lot.clone(),
            judgement: judgement(Verdict::Pass),
            sampling: None,
        }),
    );
    assert_eq!(waiting(&farm), [id.as_str(), loose.as_str()]);
    farm.world.ok(&clerk(), verify(&id));
    // A control run is no result.
    let blank = Measurement { blank: true, ..quantitative("SN-3", "0.01") };
    let blank = measured("a1", blank, None, Verdict::Pass);
    farm.world.ok(&system(), record(blank));
    assert_eq!(waiting(&farm), [loose.as_str()]);
}

#[test]
fn a_bad_result_counts_at_once_and_a_good_one_when_it_is_verified() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let bad = entered(&mut farm, &clerk(), quantitative("t1", "0.9"), Verdict::Deny);
    assert_eq!(farm.world.get::<Lot>(&lot).status, LotStatus::Held);
    assert!(counts(&farm, &bad) && waiting(&farm) == [bad.as_str()]);
    farm.world.time += jiff::SignedDuration::from_hours(1);
    let mut good = typed(quantitative("t2", "0.01"), &lot, Verdict::Pass);
    good.received_at = farm.world.time;
    let good = farm.world.ok(&clerk(), record(good));
    let free = release(&lot, HoldKind::PositiveTest, &bad, Some(&good));
    assert_eq!(farm.world.no(&clerk(), free.clone()), "release_needs_pass");
    farm.world.ok(&colleague(), verify(&good));
    farm.world.ok(&clerk(), free);
    assert_eq!(farm.world.get::<Lot>(&lot).status, LotStatus::Open);
}

#[test]
fn a_wrong_result_is_struck_out_and_stays_visible() {
    let mut farm = Farm::new();
    let id = entered(&mut farm, &clerk(), quantitative("t1", "0.01"), Verdict::Pass);
    let silent = Command::StrikeTest(StrikeTest { test: id.clone(), reason: " ".into() });
    assert_eq!(farm.world.no(&clerk(), silent), "reason:required");
    assert_eq!(farm.world.no(&farm.producer(), strike(&id)), "test_of_others");
    farm.world.ok(&clerk(), strike(&id));
    let test: Test = farm.world.get(&id);
    assert_eq!((test.struck.as_deref(), test.counts()), (Some("录入错误"), false));
    assert_eq!(waiting(&farm), [""; 0]);
    assert_eq!(farm.world.no(&clerk(), strike(&id)), "test_is_struck");
    assert_eq!(farm.world.no(&colleague(), verify(&id)), "test_is_struck");
    // Its own tests are for the producer to strike.
    let own = farm.producer();
    let mine = entered(&mut farm, &own, measurement("t2", "10"), Verdict::Pass);
    farm.world.ok(&own, strike(&mine));
}

#[test]
fn a_device_is_not_contradicted_with_a_pen() {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let lot = farm.lot.clone();
    for (n, verdict) in [Verdict::Pass, Verdict::Deny, Verdict::Hold].into_iter().enumerate() {
        let test = measured("a1", measurement(&format!("SN-{n}"), "1"), Some(&lot), verdict);
        let test = farm.world.ok(&system(), record(test));
        for actor in [admin(), clerk(), system()] {
            assert_eq!(farm.world.no(&actor, strike(&test)), "test_of_device");
        }
    }
}

#[test]
fn nobody_strikes_the_positive_result_they_typed() {
    for actor in [clerk(), Farm::new().producer()] {
        let mut farm = Farm::new();
        let lot = farm.lot.clone();
        let bad = entered(&mut farm, &actor, measurement("t1", "80"), Verdict::Deny);
        assert_eq!(farm.world.no(&actor, strike(&bad)), "strike_own_positive");
        farm.world.ok(&colleague(), strike(&bad));
        assert_eq!(farm.world.state().ids(POSITIVE, "", 9).unwrap(), [""; 0]);
        // Striking frees nothing by itself; somebody says that the lot may move.
        assert_eq!(farm.world.get::<Lot>(&lot).status, LotStatus::Held);
        let other = release(&lot, HoldKind::PositiveTest, "tst_no", None);
        assert_eq!(farm.world.no(&clerk(), other), "hold_is_gone");
        farm.world.ok(&clerk(), release(&lot, HoldKind::PositiveTest, &bad, None));
        assert_eq!(farm.world.get::<Lot>(&lot).status, LotStatus::Open);
    }
}

#[test]
fn only_the_struck_one_frees_without_a_pass() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let wrong = entered(&mut farm, &clerk(), measurement("t1", "80"), Verdict::Deny);
    let right = entered(&mut farm, &clerk(), measurement("t2", "81"), Verdict::Deny);
    farm.world.ok(&colleague(), strike(&wrong));
    let free = |test: &str| release(&lot, HoldKind::PositiveTest, test, None);
    assert_eq!(farm.world.no(&clerk(), free(&right)), "release_needs_pass");
    farm.world.ok(&clerk(), free(&wrong));
    let held: Lot = farm.world.get(&lot);
    assert_eq!((held.status, held.holds.len()), (LotStatus::Held, 1));
}

#[test]
fn a_struck_pass_frees_nothing() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let bad = entered(&mut farm, &clerk(), measurement("t1", "80"), Verdict::Deny);
    farm.world.time += jiff::SignedDuration::from_hours(1);
    let mut good = typed(measurement("t2", "10"), &lot, Verdict::Pass);
    good.received_at = farm.world.time;
    let good = farm.world.ok(&clerk(), record(good));
    farm.world.ok(&clerk(), strike(&good));
    let free = release(&lot, HoldKind::PositiveTest, &bad, Some(&good));
    assert_eq!(farm.world.no(&clerk(), free), "release_needs_pass");
}

#[test]
fn what_a_certificate_rests_on_is_not_struck() {
    let mut farm = Farm::new();
    let id = entered(&mut farm, &clerk(), measurement("t1", "10"), Verdict::Pass);
    let spare = entered(&mut farm, &clerk(), measurement("t2", "10"), Verdict::Pass);
    let code = code::draw(&mut farm.world.random);
    let mut issue = prepare_issue(&farm.world, request(&farm.lot, "10"), &code).unwrap();
    issue.tests = vec![id.clone()];
    let own = farm.producer();
    farm.world.ok(&own, Command::IssueCertificate(Box::new(issue)));
    assert_eq!(farm.world.no(&clerk(), strike(&id)), "test_in_use");
    farm.world.ok(&clerk(), strike(&spare));
    let void = VoidCertificate { code, reason: "错".into() };
    farm.world.ok(&clerk(), Command::VoidCertificate(void));
    farm.world.ok(&clerk(), strike(&id));
}

/// A result as it was written before there were samples. Never to be changed: journals hold it.
const RECORDED_BEFORE: &str = concat!(
    r#"{"test.recorded":{"id":"tst_1","device":"a1","device_name":"花石站 LZ-4000T","message":"","#,
    r#""origin":"device","measurement":{"v":1,"msg_id":"SN-1","device":{"sn":"","model":"","#,
    r#""vendor":"","fw":""},"record_no":null,"channel":null,"kind":"initial","retest_of":null,"#,
    r#""sample":{"no":"","name":"","batch_code":"","unit_under_test":"","stall":""},"#,
    r#""method":"elisa","item":{"code":"","name":"克百威"},"value":{"num":"0.01","#,
    r#""unit":"mg/kg","kind":"concentration","op":"="},"raw":{"absorbance":"","delta_a":"","#,
    r#""control_delta_a":"","ct_ratio":""},"limit":{"num":"","unit":"","basis":""},"#,
    r#""device_verdict":null,"tested_at":null,"clock":{"synced":false,"uptime_ms":0},"#,
    r#""operator":{"id":"","name":""},"blank":false,"geo":null},"content_sha256":"ab","#,
    r#""lot":"lot_1","lot_no":"L20261119-0001","product_name":"湘潭湘莲","operator":"opr_1","#,
    r#""matched_by":"number","conducted_by":"commissioned","verdict":"pass","judgement":{"#,
    r#""rule":"testing/judge","revision":"r1","verdict":"pass","findings":[],"input":{}},"#,
    r#""flags":["clock_none"],"received_at":"2026-11-20T08:00:00Z","area":"430321106"}}"#,
);

/// The same of a lot that was given later, and of the county's rules.
const OF_BEFORE: [&str; 2] = [
    concat!(
        r#"{"test.assigned":{"test":"tst_1","lot":"lot_1","lot_no":"L1","product_name":"湘莲","#,
        r#""operator":"opr_1","area":"430321106","conducted_by":"own","judgement":{"rule":"r","#,
        r#""revision":"1","verdict":"pass","findings":[],"input":{}}}}"#,
    ),
    r#"{"lot.held":{"lot":"lot_1","reason":"positive_test"}}"#,
];

#[test]
fn lines_of_the_time_before_read_and_count() {
    for line in [RECORDED_BEFORE].iter().chain(&OF_BEFORE) {
        let event: Event = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(serde_json::to_string(&event).unwrap(), **line);
    }
    let Event::TestRecorded(test) = serde_json::from_str(RECORDED_BEFORE).unwrap() else {
        panic!("another event")
    };
    assert!(test.counts() && !test.waits_for_verification() && !test.is_open_positive());
    let bad = Test { verdict: TestVerdict::Fail, ..*test };
    assert!(
        bad.counts() && bad.is_open_positive(),
        "a positive one of then is still to be settled"
    );
    let Event::TestAssigned(TestAssigned { needs_verification, conducted_by, sampling, .. }) =
        serde_json::from_str(OF_BEFORE[0]).unwrap()
    else {
        panic!("another event")
    };
    assert_eq!((needs_verification, conducted_by, sampling), (false, ConductedBy::Own, None));
    let policy = r#"{"balance_tolerance_permille":5}"#;
    let policy: TracePolicy = serde_json::from_str(policy).unwrap();
    assert_eq!((policy.verify_institution, policy.verify_own), (true, false));
    let set: SetTracePolicy = serde_json::from_str(r#"{"balance_tolerance_permille":5}"#).unwrap();
    assert_eq!(set, verifying(true, false));
}

#[test]
fn measurements_say_more_and_read_as_before() {
    let rapid = [Method::EnzymeInhibition, Method::ColloidalGold, Method::Elisa];
    for method in Method::ALL {
        assert_eq!(method.is_rapid(), rapid.contains(&method), "{method:?}");
    }
    for op in Qualifier::ALL {
        let json = serde_json::to_string(&op).unwrap();
        assert_eq!(json, format!("\"{}\"", op.as_str()));
        assert_eq!(serde_json::from_str::<Qualifier>(&json).unwrap(), op);
        let alone = matches!(op, Qualifier::NotDetected | Qualifier::BelowQuantification);
        assert_eq!(op.stands_alone(), alone);
    }
    let plain = quantitative("t1", "0.01");
    let json = serde_json::to_value(&plain).unwrap();
    assert!(json.get("lod").is_none() && json.get("loq").is_none(), "digests of before stand");
    let value = Value { op: Qualifier::NotDetected, num: String::new(), ..plain.value.clone() };
    let full = Measurement { lod: "0.003".into(), loq: "0.01".into(), value, ..plain };
    let json = serde_json::to_string(&full).unwrap();
    assert!(json.contains(r#""method":"chromatography""#) && json.contains(r#""op":"ND""#));
    assert_eq!(serde_json::from_str::<Measurement>(&json).unwrap(), full);

    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let long = RecordTest {
        laboratory: "长".repeat(65),
        measurement: Measurement { lod: "1".repeat(33), loq: "1".repeat(33), ..full.clone() },
        ..typed(full.clone(), &lot, Verdict::Pass)
    };
    let told = farm.world.no(&clerk(), record(long));
    assert_eq!(told, "lod:too_long loq:too_long laboratory:too_long");
    let id = entered(&mut farm, &clerk(), full, Verdict::Pass);
    assert_eq!(farm.world.get::<Test>(&id).measurement.lod, "0.003");
}
