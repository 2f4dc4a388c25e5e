//! Objections (异议) and the retests (复检) that decide them, with their clocks (law art 51).

use tianyin_domain::attachment::{Attachment, BlobKind};
use tianyin_domain::calendar::end_of;
use tianyin_domain::device::DeviceKind;
use tianyin_domain::hold::HoldKind;
use tianyin_domain::lot::{Lot, LotStatus};
use tianyin_domain::measurement::{Measurement, Method};
use tianyin_domain::objection::{
    BY_STATUS, BY_TEST, ConcludeObjection, Ending, FileObjection, LABORATORY_DAYS, Objection,
    ObjectionStatus, OrderRetest, RAPID_HOURS, REPORT_DAYS, ReceiveRetestSample,
};
use tianyin_domain::positive::{DeliverResult, Outcome, SettlePositive};
use tianyin_domain::sampling::{Level, Purpose};
use tianyin_domain::test::{BY_OBJECTION, Origin, POSITIVE, RecordTest, Test};
use tianyin_domain::time::china_date;
use tianyin_domain::{Actor, Command, Event, Role, Scope, Time, Verdict};

use crate::calendar::autumn;
use crate::farm::{
    Farm, admin, approve, clerk, day, measured, measurement, producer, record, system, typed, user,
};
use crate::recalls::release;
use crate::samplings::{cancel, of_sample, receive, sample, take};
use crate::verification::{quantitative, strike, verify};

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

pub fn analyst() -> Actor {
    user("usr_lab", Role::Officer, Scope::everything())
}

/// Told at an instant, with the clock as the appliance fills it in.
fn deliver(test: &str, method: Method, delivered_at: Time) -> Command {
    let until = if method.is_rapid() {
        delivered_at + jiff::SignedDuration::from_hours(RAPID_HOURS)
    } else {
        end_of(autumn().after(china_date(delivered_at), LABORATORY_DAYS).day)
    };
    let to = "张三".into();
    Command::DeliverResult(DeliverResult {
        test: test.into(),
        delivered_at,
        to,
        until,
        guessed: false,
    })
}

fn file(test: &str, filed_at: Time) -> Command {
    Command::FileObjection(FileObjection {
        test: test.into(),
        reason: "对检测结果有异议".into(),
        filed_at,
        attachments: vec![],
    })
}

fn order(objection: &str, laboratory: &str, method: Method) -> Command {
    Command::OrderRetest(OrderRetest {
        objection: objection.into(),
        laboratory: laboratory.into(),
        method,
    })
}

fn received(objection: &str, on: &str) -> Command {
    let received_on = day(on);
    let due_on = autumn().after(received_on, REPORT_DAYS).day;
    let objection = objection.into();
    Command::ReceiveRetestSample(ReceiveRetestSample { objection, received_on, due_on })
}

pub fn conclude(objection: &str, ending: Ending) -> Command {
    Command::ConcludeObjection(ConcludeObjection {
        objection: objection.into(),
        ending,
        note: "按复检结论".into(),
    })
}

pub fn settle(test: &str, outcome: Outcome, attachments: Vec<Attachment>) -> Command {
    Command::SettlePositive(SettlePositive {
        test: test.into(),
        outcome,
        note: "已处置".into(),
        attachments,
    })
}

pub fn photo() -> Vec<Attachment> {
    let hash = "c".repeat(64);
    vec![Attachment { hash, kind: BlobKind::Jpeg, bytes: 9, name: "销毁.jpg".into() }]
}

/// A result of the retest that an objection asked for.
fn retest(objection: &str, msg: &str, laboratory: &str, verdict: Verdict) -> RecordTest {
    RecordTest {
        origin: Origin::Typed,
        laboratory: laboratory.into(),
        objection: Some(objection.into()),
        ..measured("", quantitative(msg, "0.01"), None, verdict)
    }
}

/// A positive result of a supervision sample.
pub fn positive(farm: &mut Farm, of: Measurement) -> String {
    let sampling = sample(farm, &clerk(), Purpose::Supervision, Level::County);
    farm.world.ok(&clerk(), record(of_sample(of, &sampling, Verdict::Deny)))
}

/// A laboratory's positive result, delivered at once and objected to; both ids.
fn objected(farm: &mut Farm) -> (String, String) {
    let test = positive(farm, quantitative("t1", "0.9"));
    let now = farm.world.time;
    farm.world.ok(&clerk(), deliver(&test, Method::Chromatography, now));
    let objection = farm.world.ok(&farm.producer(), file(&test, now));
    (test, objection)
}

/// An objection whose retest was ordered of 省检测院.
pub fn ordered(farm: &mut Farm) -> (String, String) {
    let (test, objection) = objected(farm);
    farm.world.ok(&clerk(), order(&objection, "省检测院", Method::Chromatography));
    (test, objection)
}

/// One of each new command, about the farm's own rows.
pub fn samples(farm: &mut Farm) -> Vec<Command> {
    let (test, objection) = objected(farm);
    let sampling = sample(farm, &clerk(), Purpose::Own, Level::Township);
    vec![
        Command::TakeSample(take(Purpose::Own, Level::Township, &farm.lot)),
        receive(&sampling),
        cancel(&sampling),
        verify(&test),
        strike(&test),
        deliver(&test, Method::Chromatography, farm.world.time),
        settle(&test, Outcome::Delayed, vec![]),
        file(&test, farm.world.time),
        order(&objection, "省检测院", Method::Chromatography),
        received(&objection, "2026-11-20"),
        conclude(&objection, Ending::Withdrawn),
    ]
}

pub fn ids(farm: &Farm, index: tianyin_domain::state::Index, part: &str) -> Vec<String> {
    farm.world.state().ids(index, part, 99).unwrap()
}

#[test]
fn the_clocks_of_an_objection() {
    // Delivered, last moment, first moment too late; all but the second in UTC.
    let rapid = measurement("t1", "80");
    let laboratory = quantitative("t1", "0.9");
    let cases = [
        // Four hours across midnight in China.
        (&rapid, "2026-11-20T14:30:00Z", "2026-11-20T18:30:00Z", "2026-11-20T18:30:01Z"),
        (&rapid, "2026-11-20T08:00:00Z", "2026-11-20T12:00:00Z", "2026-11-20T12:00:01Z"),
        // On a Friday evening: working days do not stop the hours.
        (&rapid, "2026-11-20T15:59:59Z", "2026-11-20T19:59:59Z", "2026-11-20T20:00:00Z"),
        // Five working days over a weekend, to the end of the last.
        (&laboratory, "2026-11-20T08:30:00Z", "2026-11-27T15:59:59Z", "2026-11-27T16:00:00Z"),
        (&laboratory, "2026-11-22T01:00:00Z", "2026-11-27T15:59:59Z", "2026-11-27T16:00:00Z"),
        // Already Monday in China.
        (&laboratory, "2026-11-22T16:00:00Z", "2026-11-30T15:59:59Z", "2026-11-30T16:00:00Z"),
    ];
    for (measured, delivered, last, late) in cases {
        let mut farm = Farm::new();
        let test = positive(&mut farm, measured.clone());
        // Handed in on paper, entered weeks later: what counts is when it was handed in.
        farm.world.time = at("2026-12-20T00:00:00Z");
        farm.world.ok(&clerk(), deliver(&test, measured.method, at(delivered)));
        assert_eq!(farm.world.no(&clerk(), file(&test, at(late))), "objection_late", "{late}");
        let id = farm.world.ok(&clerk(), file(&test, at(last)));
        let objection: Objection = farm.world.get(&id);
        assert_eq!((objection.filed_at, objection.status), (at(last), ObjectionStatus::Filed));
        assert_eq!((&objection.operator, objection.lot), (&farm.operator, Some(farm.lot.clone())));
    }
}

#[test]
fn refused_objections() {
    let mut farm = Farm::new();
    let test = positive(&mut farm, measurement("t1", "80"));
    let own = farm.producer();
    let now = farm.world.time;
    assert_eq!(farm.world.no(&own, file(&test, now)), "result_not_delivered");
    assert_eq!(farm.world.no(&own, file("tst_no", now)), "no test");
    assert_eq!(farm.world.no(&producer("opr_other"), file(&test, now)), "no test");
    let passed = typed(measurement("t2", "1"), &farm.lot, Verdict::Pass);
    let passed = farm.world.ok(&clerk(), record(passed));
    assert_eq!(farm.world.no(&own, file(&passed, now)), "objection_to_nothing");

    farm.world.time = now + jiff::SignedDuration::from_hours(2);
    let delivered = now + jiff::SignedDuration::from_hours(1);
    farm.world.ok(&clerk(), deliver(&test, Method::EnzymeInhibition, delivered));
    let second = jiff::SignedDuration::from_secs(1);
    let cases = [
        (file(&test, delivered - second), "filed_at:before_delivery"),
        (file(&test, farm.world.time + second), "filed_at:in_future"),
    ];
    for (command, expected) in cases {
        assert_eq!(farm.world.no(&own, command), expected);
    }
    let Command::FileObjection(silent) = file(&test, delivered) else { unreachable!() };
    let silent = FileObjection { reason: " ".into(), ..silent };
    assert_eq!(farm.world.no(&own, Command::FileObjection(silent)), "reason:required");

    // One objection, and another only when the first was taken back in time.
    let first = farm.world.ok(&own, file(&test, delivered));
    assert_eq!(farm.world.no(&own, file(&test, delivered)), "objection_known");
    assert_eq!(farm.world.no(&own, conclude(&first, Ending::Withdrawn)), "forbidden");
    farm.world.ok(&clerk(), conclude(&first, Ending::Withdrawn));
    let closed: Objection = farm.world.get(&first);
    assert_eq!(closed.status, ObjectionStatus::Withdrawn);
    assert_eq!(
        (closed.conclusion.as_str(), closed.concluded_at),
        ("按复检结论", Some(farm.world.time))
    );
    assert_eq!(farm.world.get::<Lot>(&farm.lot).status, LotStatus::Held, "it changes nothing");
    assert_eq!(farm.world.no(&clerk(), conclude(&first, Ending::Withdrawn)), "objection_closed");
    let again = farm.world.ok(&own, file(&test, farm.world.time));
    assert_eq!(ids(&farm, BY_TEST, &test), [first, again.clone()]);
    assert_eq!(ids(&farm, BY_STATUS, "filed"), [again]);
}

#[test]
fn refused_deliveries() {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let test = positive(&mut farm, measurement("t1", "80"));
    let now = farm.world.time;
    let second = jiff::SignedDuration::from_secs(1);
    let told = |test: &str, when: Time| deliver(test, Method::EnzymeInhibition, when);
    assert_eq!(farm.world.no(&clerk(), told(&test, now + second)), "delivered_at:in_future");
    assert_eq!(farm.world.no(&clerk(), told(&test, now - second)), "delivered_at:before_result");
    let Command::DeliverResult(nobody) = told(&test, now) else { unreachable!() };
    let nobody = Command::DeliverResult(DeliverResult { to: " ".into(), ..nobody });
    assert_eq!(farm.world.no(&clerk(), nobody), "to:required");
    let unmatched = measured("a1", measurement("SN-1", "80"), None, Verdict::Deny);
    let unmatched = farm.world.ok(&system(), record(unmatched));
    assert_eq!(farm.world.no(&clerk(), told(&unmatched, now)), "result_of_nobody");
    let passed = typed(measurement("t2", "1"), &farm.lot, Verdict::Pass);
    let passed = farm.world.ok(&clerk(), record(passed));
    assert_eq!(farm.world.no(&clerk(), told(&passed, now)), "test_not_positive");
    farm.world.ok(&clerk(), told(&test, now));
    assert_eq!(farm.world.no(&clerk(), told(&test, now)), "result_delivered", "one clock");
    let kept = farm.world.get::<Test>(&test).delivered.unwrap();
    assert_eq!((kept.at, kept.to.as_str()), (now, "张三"));
    assert_eq!(kept.until, now + jiff::SignedDuration::from_hours(4));
}

#[test]
fn another_laboratory_tests_again_and_not_rapidly() {
    let mut farm = Farm::new();
    let (_, objection) = objected(&mut farm);
    for method in [Method::EnzymeInhibition, Method::ColloidalGold, Method::Elisa] {
        let told = farm.world.no(&clerk(), order(&objection, "省检测院", method));
        assert_eq!(told, "retest_rapid");
    }
    for same in ["县农检中心", " 县农检中心 ", "县 农检 中心", "县农检\u{3000}中心"]
    {
        let told = farm.world.no(&clerk(), order(&objection, same, Method::Other));
        assert_eq!(told, "retest_same_laboratory", "{same:?}");
    }
    let told = farm.world.no(&clerk(), order(&objection, " ", Method::Other));
    assert_eq!(told, "laboratory:required");
    assert_eq!(farm.world.no(&clerk(), received(&objection, "2026-11-20")), "retest_not_ordered");
    let result = record(retest(&objection, "t2", "省检测院", Verdict::Pass));
    assert_eq!(farm.world.no(&clerk(), result), "retest_not_ordered");
    farm.world.ok(&clerk(), order(&objection, " SGS 长沙 ", Method::Chromatography));
    let known: Objection = farm.world.get(&objection);
    assert_eq!(
        (known.laboratory.as_str(), known.method),
        ("SGS 长沙", Some(Method::Chromatography))
    );
    assert_eq!(known.status, ObjectionStatus::Ordered);

    // Until the sample is there, another may be named.
    farm.world.ok(&clerk(), order(&objection, "省检测院", Method::Chromatography));
    assert_eq!(
        farm.world.no(&clerk(), received(&objection, "2026-11-19")),
        "received_on:before_objection"
    );
    assert_eq!(
        farm.world.no(&clerk(), received(&objection, "2026-11-21")),
        "received_on:in_future"
    );
    farm.world.time += jiff::SignedDuration::from_hours(24);
    farm.world.ok(&clerk(), received(&objection, "2026-11-21"));
    let known: Objection = farm.world.get(&objection);
    assert_eq!(
        (known.received_on, known.due_on),
        (Some(day("2026-11-21")), Some(day("2026-12-01")))
    );
    let late = order(&objection, "另一院", Method::Chromatography);
    assert_eq!(farm.world.no(&clerk(), late), "retest_under_way");
}

#[test]
fn names_of_laboratories_have_no_case() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let test = RecordTest {
        laboratory: "SGS Changsha".into(),
        ..typed(quantitative("t1", "0.9"), &lot, Verdict::Deny)
    };
    let test = farm.world.ok(&clerk(), record(test));
    let now = farm.world.time;
    farm.world.ok(&clerk(), deliver(&test, Method::Chromatography, now));
    let objection = farm.world.ok(&clerk(), file(&test, now));
    let told = farm.world.no(&clerk(), order(&objection, "sgschangsha", Method::Other));
    assert_eq!(told, "retest_same_laboratory");
}

#[test]
fn refused_retests() {
    let mut farm = Farm::new();
    let (test, objection) = ordered(&mut farm);
    let good = retest(&objection, "t2", "省检测院", Verdict::Pass);
    let rapid = RecordTest { measurement: measurement("t2", "1"), ..good.clone() };
    let blank = Measurement { blank: true, ..good.measurement.clone() };
    let cases = [
        (RecordTest { laboratory: "另一院".into(), ..good.clone() }, "retest_other_laboratory"),
        (rapid, "retest_rapid"),
        (RecordTest { measurement: blank, ..good.clone() }, "test_is_blank"),
        (RecordTest { objection: Some("obj_no".into()), ..good.clone() }, "no objection"),
    ];
    for (command, expected) in cases {
        assert_eq!(farm.world.no(&analyst(), record(command)), expected);
    }
    assert_eq!(farm.world.no(&farm.producer(), record(good.clone())), "forbidden");
    // Of the same sample, whatever was said; by the laboratory that was named.
    let (product, site) = (farm.product.clone(), farm.site.clone());
    let other = crate::farm::open_lot(&product, &site, "1", "2026-11-20");
    let other = farm.world.ok(&clerk(), other);
    let elsewhere = (other, tianyin_domain::test::MatchedBy::Person);
    let silent = RecordTest { laboratory: String::new(), lot: Some(elsewhere), ..good };
    let id = farm.world.ok(&analyst(), record(silent));
    let (first, second) = (farm.world.get::<Test>(&test), farm.world.get::<Test>(&id));
    assert_eq!((second.lot, second.sampling), (first.lot, first.sampling));
    assert_eq!(
        (second.laboratory.as_str(), second.objection),
        ("省检测院", Some(objection.clone()))
    );
    assert_eq!(ids(&farm, BY_OBJECTION, &objection), [id]);
}

#[test]
fn a_retest_that_does_not_agree_frees_the_lot() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let (test, objection) = ordered(&mut farm);
    let decide = || conclude(&objection, Ending::Decided);
    assert_eq!(farm.world.no(&clerk(), decide()), "retest_open", "no result yet");
    let one =
        farm.world.ok(&analyst(), record(retest(&objection, "t2", "省检测院", Verdict::Pass)));
    assert_eq!(farm.world.no(&clerk(), decide()), "retest_open", "nobody verified it");
    farm.world.ok(&clerk(), verify(&one));
    let unclear = retest(&objection, "t3", "省检测院", Verdict::Hold);
    let unclear = farm.world.ok(&analyst(), record(unclear));
    farm.world.ok(&clerk(), verify(&unclear));
    assert_eq!(farm.world.no(&clerk(), decide()), "retest_open", "one says nothing");
    farm.world.ok(&analyst(), strike(&unclear));
    farm.world.time += jiff::SignedDuration::from_secs(1);
    let two =
        farm.world.ok(&analyst(), record(retest(&objection, "t4", "省检测院", Verdict::Pass)));
    farm.world.ok(&clerk(), verify(&two));
    assert_eq!(ids(&farm, POSITIVE, ""), [test.as_str()]);

    farm.world.ok(&clerk(), decide());
    let last = farm.world.last_events();
    let [Event::ObjectionConcluded(_), Event::LotReleased(released), Event::PositiveSettled(_)] =
        &last[..]
    else {
        panic!("one decision: {last:?}")
    };
    assert_eq!((&released.reference, released.test.as_ref()), (&test, Some(&two)));
    let free: Lot = farm.world.get(&lot);
    assert_eq!((free.status, free.holds.len()), (LotStatus::Open, 0));
    let settled = farm.world.get::<Test>(&test).settled.unwrap();
    assert_eq!((settled.outcome, settled.by.as_str()), (Outcome::Released, "user/usr_clerk"));
    assert_eq!(farm.world.get::<Objection>(&objection).status, ObjectionStatus::Overturned);
    assert_eq!(ids(&farm, POSITIVE, ""), [""; 0]);
    assert_eq!(farm.world.no(&clerk(), decide()), "objection_closed");
    assert_eq!(
        farm.world.no(&clerk(), settle(&test, Outcome::Delayed, vec![])),
        "positive_settled"
    );
    for test in [&one, &two] {
        assert_eq!(farm.world.no(&analyst(), strike(test)), "test_in_use", "it decided");
    }
    let more = retest(&objection, "t5", "省检测院", Verdict::Deny);
    assert_eq!(farm.world.no(&analyst(), record(more)), "retest_not_ordered");
}

#[test]
fn a_retest_frees_of_its_own_reason_only() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let (_, objection) = ordered(&mut farm);
    let other = typed(measurement("t9", "80"), &lot, Verdict::Deny);
    let other = farm.world.ok(&clerk(), record(other));
    let one =
        farm.world.ok(&analyst(), record(retest(&objection, "t2", "省检测院", Verdict::Pass)));
    farm.world.ok(&clerk(), verify(&one));
    farm.world.ok(&clerk(), conclude(&objection, Ending::Decided));
    let held: Lot = farm.world.get(&lot);
    assert_eq!((held.status, held.holds.len()), (LotStatus::Held, 1));
    assert_eq!(held.holds[0].reference, other);
    assert_eq!(ids(&farm, POSITIVE, ""), [other]);
}

#[test]
fn a_lot_that_was_released_meanwhile_is_not_released_twice() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let (test, objection) = ordered(&mut farm);
    // Another reason stands all along.
    let other = typed(measurement("t9", "80"), &lot, Verdict::Deny);
    farm.world.ok(&clerk(), record(other));
    farm.world.time += jiff::SignedDuration::from_hours(1);
    let now = farm.world.time;
    let one = retest(&objection, "t2", "省检测院", Verdict::Pass);
    let one = farm.world.ok(&analyst(), record(RecordTest { received_at: now, ..one }));
    farm.world.ok(&clerk(), verify(&one));
    farm.world.ok(&clerk(), release(&lot, HoldKind::PositiveTest, &test, Some(&one)));
    farm.world.ok(&clerk(), conclude(&objection, Ending::Decided));
    let last = farm.world.last_events();
    assert!(
        matches!(last[..], [Event::ObjectionConcluded(_), Event::PositiveSettled(_)]),
        "{last:?}"
    );
}

#[test]
fn what_was_settled_before_the_objection_stays_as_it_was_told() {
    let mut farm = Farm::new();
    let test = positive(&mut farm, quantitative("t1", "0.9"));
    let now = farm.world.time;
    farm.world.ok(&clerk(), deliver(&test, Method::Chromatography, now));
    farm.world.ok(&clerk(), settle(&test, Outcome::Destroyed, photo()));
    let objection = farm.world.ok(&farm.producer(), file(&test, now));
    farm.world.ok(&clerk(), order(&objection, "省检测院", Method::Chromatography));
    let one = retest(&objection, "t2", "省检测院", Verdict::Pass);
    let one = farm.world.ok(&analyst(), record(one));
    farm.world.ok(&clerk(), verify(&one));
    farm.world.ok(&clerk(), conclude(&objection, Ending::Decided));
    assert_eq!(farm.world.get::<Test>(&test).settled.unwrap().outcome, Outcome::Destroyed);
}

#[test]
fn a_retest_that_agrees_is_the_last_word() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let (test, objection) = ordered(&mut farm);
    let passed = retest(&objection, "t2", "省检测院", Verdict::Pass);
    let passed = farm.world.ok(&analyst(), record(passed));
    let failed = retest(&objection, "t3", "省检测院", Verdict::Deny);
    let failed = farm.world.ok(&analyst(), record(failed));
    for one in [&passed, &failed] {
        farm.world.ok(&clerk(), verify(one));
    }
    farm.world.ok(&clerk(), conclude(&objection, Ending::Decided));
    assert_eq!(farm.world.last_events().len(), 1);
    assert_eq!(farm.world.get::<Objection>(&objection).status, ObjectionStatus::Upheld);
    let held: Lot = farm.world.get(&lot);
    assert_eq!((held.status, held.holds.len()), (LotStatus::Held, 2));
    assert_eq!(ids(&farm, POSITIVE, ""), [test.as_str()], "what is to be settled is the first");
    assert_eq!(farm.world.no(&clerk(), strike(&failed)), "test_in_use");
    // No objection to a retest, nor a second one to the first result.
    let now = farm.world.time;
    farm.world.ok(&clerk(), deliver(&failed, Method::Chromatography, now));
    let own = farm.producer();
    assert_eq!(farm.world.no(&own, file(&failed, now)), "retest_is_final");
    assert_eq!(farm.world.no(&own, file(&test, now)), "objection_known");
    farm.world.ok(&clerk(), settle(&test, Outcome::Destroyed, photo()));
    assert_eq!(ids(&farm, POSITIVE, ""), [""; 0]);
}

#[test]
fn a_struck_result_is_nothing_to_object_to() {
    let mut farm = Farm::new();
    let test = positive(&mut farm, measurement("t1", "80"));
    let now = farm.world.time;
    farm.world.ok(&clerk(), deliver(&test, Method::EnzymeInhibition, now));
    farm.world.ok(&admin(), strike(&test));
    assert_eq!(farm.world.no(&farm.producer(), file(&test, now)), "objection_to_nothing");
    let told = farm.world.no(&clerk(), settle(&test, Outcome::Delayed, vec![]));
    assert_eq!(told, "test_not_positive");
}
