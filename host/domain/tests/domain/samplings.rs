//! Samples (抽样): numbers, who may take which, and what a result of one takes over (law art 46 to 48).

use tianyin_domain::device::DeviceKind;
use tianyin_domain::lot::Lot;
use tianyin_domain::measurement::Measurement;
use tianyin_domain::sampling::{
    BY_LOT, BY_NO, BY_OPERATOR, BY_STATUS, CancelSample, Level, Purpose, ReceiveSample, Sampling,
    SamplingStatus, TakeSample,
};
use tianyin_domain::step::{Made, Step, StepKind, StrikeStep, Taken};
use tianyin_domain::test::{
    AssignTest, BY_SAMPLING, ConductedBy, MatchedBy, Origin, RecordTest, Test, UNMATCHED,
};
use tianyin_domain::{Actor, Command, State as _, Verdict};

use crate::chain::split;
use crate::farm::{
    Farm, TOWNSHIP, add_product, admin, approve, approved, clerk, clerk_of, day, decimal,
    judgement, measured, measurement, open_lot, producer, record, register, system,
};

/// A sample of a lot, by two people.
pub fn take(purpose: Purpose, level: Level, lot: &str) -> TakeSample {
    TakeSample {
        purpose,
        level,
        basis: "2026年监督抽查计划".into(),
        lot: Some(lot.into()),
        site: None,
        product: None,
        place: "莲田".into(),
        sampled_on: day("2026-11-20"),
        sampled_by: vec!["李四".into(), "王五".into()],
        quantity: "2 公斤".into(),
        items: vec!["毒死蜱".into(), "克百威".into()],
        laboratory: "县农检中心".into(),
        note: String::new(),
        attachments: vec![],
    }
}

/// A typed result of a sample.
pub fn of_sample(measurement: Measurement, sampling: &str, verdict: Verdict) -> RecordTest {
    RecordTest {
        origin: Origin::Typed,
        sampling: Some(sampling.into()),
        ..measured("", measurement, None, verdict)
    }
}

/// Takes a sample of the farm's lot.
pub fn sample(farm: &mut Farm, actor: &Actor, purpose: Purpose, level: Level) -> String {
    let command = take(purpose, level, &farm.lot);
    farm.world.ok(actor, Command::TakeSample(command))
}

pub fn cancel(sampling: &str) -> Command {
    Command::CancelSample(CancelSample { sampling: sampling.into(), reason: "样品破损".into() })
}

pub fn receive(sampling: &str) -> Command {
    Command::ReceiveSample(ReceiveSample { sampling: sampling.into(), condition: "完好".into() })
}

fn refused(farm: &mut Farm, actor: &Actor, command: TakeSample) -> String {
    farm.world.no(actor, Command::TakeSample(command))
}

fn split_part(farm: &mut Farm, of: &str, quantity: &str) -> String {
    let step = farm.world.ok(&clerk(), split(of, &[quantity]));
    farm.world.get::<Step>(&step).outputs[0].lot.clone()
}

/// Ten of each, put together.
fn mixed(farm: &mut Farm, of: [&String; 2]) -> String {
    let inputs = of.map(|lot| Taken { lot: lot.clone(), quantity: decimal("10") }).to_vec();
    let out = Made { quantity: decimal("20"), ..Made::default() };
    let mix = crate::chain::step(StepKind::Mix, inputs, vec![out]);
    let mix = farm.world.ok(&clerk(), Command::TakeStep(mix));
    farm.world.get::<Step>(&mix).outputs[0].lot.clone()
}

#[test]
fn numbers_rise_by_day() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let no = |farm: &Farm, id: &str| farm.world.get::<Sampling>(id).no;
    let one = sample(&mut farm, &clerk(), Purpose::Monitoring, Level::County);
    assert_eq!(no(&farm, &one), "S20261120-0001");
    // Two clerks under one sync.
    let command = Command::TakeSample(take(Purpose::Monitoring, Level::County, &lot));
    let envelope = farm.world.envelope(&clerk(), command);
    let ids: Vec<String> = farm
        .world
        .group(&[envelope.clone(), envelope])
        .into_iter()
        .map(|answer| answer.unwrap().id)
        .collect();
    let both: Vec<String> = ids.iter().map(|id| no(&farm, id)).collect();
    assert_eq!(both, ["S20261120-0002", "S20261120-0003"]);
    // Entered a day late: the number tells the day of sampling, and a cancelled one is not given again.
    farm.world.ok(&clerk(), cancel(&ids[1]));
    farm.world.time += jiff::SignedDuration::from_hours(24);
    let late = sample(&mut farm, &clerk(), Purpose::Monitoring, Level::County);
    assert_eq!(no(&farm, &late), "S20261120-0004");
    let next = TakeSample {
        sampled_on: day("2026-11-21"),
        ..take(Purpose::Monitoring, Level::County, &lot)
    };
    let next = farm.world.ok(&clerk(), Command::TakeSample(next));
    assert_eq!(no(&farm, &next), "S20261121-0001");
    let found = farm.world.state().ids(BY_NO, "S20261121-0001", 9).unwrap();
    assert_eq!(found, [next.as_str()]);
}

#[test]
fn a_sample_is_of_its_lot() {
    let mut farm = Farm::new();
    let id = sample(&mut farm, &clerk(), Purpose::Supervision, Level::County);
    let taken: Sampling = farm.world.get(&id);
    let lot: Lot = farm.world.get(&farm.lot);
    assert_eq!((taken.lot.as_ref(), &taken.lot_no), (Some(&lot.id), &lot.no));
    assert_eq!((&taken.operator, &taken.product), (&lot.operator, &lot.product));
    assert_eq!((&taken.site, &taken.area), (&lot.site, &lot.area));
    assert_eq!((taken.product_name.as_str(), taken.status), ("湘潭湘莲", SamplingStatus::Taken));
    assert_eq!((taken.taken_by.as_str(), taken.taken_at), ("user/usr_clerk", farm.world.time));
    for (index, part) in
        [(BY_LOT, lot.id.as_str()), (BY_OPERATOR, &lot.operator), (BY_STATUS, "taken")]
    {
        let found = farm.world.state().ids(index, part, 9).unwrap();
        assert_eq!(found, [id.as_str()], "{index:?}");
    }
}

#[test]
fn refused_samples() {
    let mut farm = Farm::new();
    let good = take(Purpose::Supervision, Level::County, &farm.lot);
    let names = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    let by = |all: &[&str]| TakeSample { sampled_by: names(all), ..good.clone() };
    let few = "sampled_by:too_few_samplers";
    let cases = [
        (by(&["李四"]), few),
        (by(&["李四", "  "]), few),
        (by(&["李四", " 李四 "]), few),
        (by(&["一", "二", "三", "四", "五", "六"]), few),
        (TakeSample { sampled_on: day("2026-11-18"), ..good.clone() }, "sampled_on:before_harvest"),
        (TakeSample { sampled_on: day("2026-11-21"), ..good.clone() }, "sampled_on:in_future"),
        (TakeSample { items: names(&[" "]), ..good.clone() }, "items:required"),
        (TakeSample { items: vec!["铅".into(); 61], ..good.clone() }, "items:required"),
        (TakeSample { quantity: " ".into(), ..good.clone() }, "quantity:required"),
        (TakeSample { laboratory: String::new(), ..good.clone() }, "laboratory:required"),
        (TakeSample { lot: Some("lot_no".into()), ..good.clone() }, "no lot"),
        (TakeSample { lot: None, ..good.clone() }, "site:required product:required"),
    ];
    for (command, expected) in cases {
        assert_eq!(refused(&mut farm, &clerk(), command), expected);
    }
    // One person is enough where nobody is punished.
    for purpose in [Purpose::Monitoring, Purpose::Routine, Purpose::Commissioned, Purpose::Own] {
        let one = TakeSample { purpose, ..by(&["李四"]) };
        farm.world.ok(&clerk(), Command::TakeSample(one));
        assert_eq!(refused(&mut farm, &clerk(), TakeSample { purpose, ..by(&[]) }), few);
    }
    farm.world.ok(&clerk(), Command::TakeSample(by(&["李四", "王五", ""])));
    let kept = farm.world.state.all::<Sampling>().pop().unwrap();
    assert_eq!(kept.sampled_by, ["李四", "王五"]);
}

#[test]
fn what_a_superior_sampled_is_not_sampled_again() {
    // Trap 8, law art 47. Every pair of purposes and levels on one lot.
    for first in Purpose::ALL {
        for then in Purpose::ALL {
            for (a, before) in Level::ALL.into_iter().enumerate() {
                for (b, level) in Level::ALL.into_iter().enumerate() {
                    let mut farm = Farm::new();
                    sample(&mut farm, &clerk(), first, before);
                    let command = take(then, level, &farm.lot);
                    let both = first == Purpose::Supervision && then == Purpose::Supervision;
                    if both && b < a {
                        let told = refused(&mut farm, &clerk(), command);
                        assert_eq!(told, "sampled_by_superior", "{before:?} then {level:?}");
                    } else {
                        farm.world.ok(&clerk(), Command::TakeSample(command));
                    }
                }
            }
        }
    }
}

#[test]
fn a_part_is_of_the_batch_it_was_cut_from() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let early = split_part(&mut farm, &lot, "50");
    let by_province = sample(&mut farm, &clerk(), Purpose::Supervision, Level::Province);
    let part = split_part(&mut farm, &lot, "50");
    let part_of_part = split_part(&mut farm, &part, "10");
    for lot in [&lot, &early, &part, &part_of_part] {
        let county = take(Purpose::Supervision, Level::County, lot);
        assert_eq!(refused(&mut farm, &clerk(), county), "sampled_by_superior");
    }
    // Two parts put together again are of the one harvest still.
    let again = mixed(&mut farm, [&early, &part]);
    let county = take(Purpose::Supervision, Level::County, &again);
    assert_eq!(refused(&mut farm, &clerk(), county), "sampled_by_superior");
    // Another harvest is another batch.
    let (product, site) = (farm.product.clone(), farm.site.clone());
    let other = farm.world.ok(&clerk(), open_lot(&product, &site, "100", "2026-11-20"));
    farm.world.ok(&clerk(), Command::TakeSample(take(Purpose::Supervision, Level::County, &other)));
    // A sample that came to nothing bars nothing.
    farm.world.ok(&clerk(), cancel(&by_province));
    let county = take(Purpose::Supervision, Level::County, &part_of_part);
    farm.world.ok(&clerk(), Command::TakeSample(county));
}

#[test]
fn a_sampled_part_bars_what_is_cut_from_it() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let (product, site) = (farm.product.clone(), farm.site.clone());
    let other = farm.world.ok(&clerk(), open_lot(&product, &site, "100", "2026-11-19"));
    let part = split_part(&mut farm, &lot, "60");
    let mixed = mixed(&mut farm, [&lot, &other]);
    for of in [&part, &mixed] {
        let province = take(Purpose::Supervision, Level::Province, of);
        farm.world.ok(&clerk(), Command::TakeSample(province));
        let cut = split_part(&mut farm, of, "10");
        let county = take(Purpose::Supervision, Level::County, &cut);
        assert_eq!(refused(&mut farm, &clerk(), county), "sampled_by_superior");
    }
    // What was mixed is a batch of its own: its parts' samples say nothing of it, nor the other way.
    for of in [&lot, &other] {
        let county = take(Purpose::Supervision, Level::County, of);
        farm.world.ok(&clerk(), Command::TakeSample(county));
    }
}

#[test]
fn what_never_was_is_not_sampled() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let step = farm.world.ok(&clerk(), split(&lot, &["10"]));
    let part = farm.world.get::<Step>(&step).outputs[0].lot.clone();
    farm.world.ok(&clerk(), Command::StrikeStep(StrikeStep { step, reason: "记错".into() }));
    let monitoring = take(Purpose::Monitoring, Level::County, &part);
    assert_eq!(refused(&mut farm, &clerk(), monitoring), "lot_void");
}

#[test]
fn a_producer_takes_samples_of_its_own() {
    let mut farm = Farm::new();
    let own = farm.producer();
    for purpose in [Purpose::Supervision, Purpose::Monitoring, Purpose::Routine] {
        let command = take(purpose, Level::County, &farm.lot);
        assert_eq!(refused(&mut farm, &own, command), "sampling_is_official");
    }
    let command = take(Purpose::Own, Level::Township, &farm.lot);
    assert_eq!(refused(&mut farm, &producer("opr_other"), command.clone()), "no lot");
    assert_eq!(refused(&mut farm, &clerk_of(crate::farm::OTHER_TOWNSHIP), command), "no lot");
    let mine = sample(&mut farm, &own, Purpose::Own, Level::Township);
    let theirs = sample(&mut farm, &clerk_of(TOWNSHIP), Purpose::Supervision, Level::County);
    assert_eq!(farm.world.no(&own, receive(&mine)), "forbidden");
    assert_eq!(farm.world.no(&own, cancel(&theirs)), "sampling_is_official");
    let result = of_sample(measurement("t1", "10"), &theirs, Verdict::Pass);
    assert_eq!(farm.world.no(&own, record(result)), "sampling_is_official");
    let result = of_sample(measurement("t1", "10"), &mine, Verdict::Pass);
    let result = farm.world.ok(&own, record(result));
    assert_eq!(farm.world.get::<Test>(&result).conducted_by, Some(ConductedBy::Own));
    let second = sample(&mut farm, &own, Purpose::Own, Level::Township);
    farm.world.ok(&own, cancel(&second));
    assert_eq!(farm.world.get::<Sampling>(&second).cancelled, "样品破损");
}

#[test]
fn what_still_grows_is_sampled_by_site_and_product() {
    let mut farm = Farm::new();
    let neighbour = approved(&mut farm.world, register("乙社", "91350100M000100Y43"));
    let theirs = farm.world.ok(&clerk(), add_product(&neighbour, "湘莲", "莲"));
    let growing = |product: &str| TakeSample {
        lot: None,
        site: Some(farm.site.clone()),
        product: Some(product.into()),
        ..take(Purpose::Supervision, Level::County, "")
    };
    let (good, bad) = (growing(&farm.product), growing(&theirs));
    let lost = growing("prd_no");
    assert_eq!(refused(&mut farm, &clerk(), bad), "site:other_operator");
    assert_eq!(refused(&mut farm, &clerk(), lost), "no product");
    let id = farm.world.ok(&clerk(), Command::TakeSample(good));
    let taken: Sampling = farm.world.get(&id);
    assert_eq!((taken.lot, taken.lot_no.as_str()), (None, ""));
    assert_eq!((&taken.operator, taken.area.as_str()), (&farm.operator, TOWNSHIP));
    // Its result is of nobody's lot, and waits for none.
    let test = of_sample(measurement("t1", "80"), &id, Verdict::Deny);
    let test = farm.world.ok(&clerk(), record(test));
    let test: Test = farm.world.get(&test);
    assert_eq!((test.lot, &test.operator), (None, &farm.operator));
    assert_eq!(test.product_name, "湘潭湘莲");
    assert_eq!(farm.world.state.ids(UNMATCHED, "", 9).unwrap(), [""; 0]);
    assert_eq!(farm.world.get::<Lot>(&farm.lot).holds, []);
}

#[test]
fn a_sample_is_received_once() {
    let mut farm = Farm::new();
    let id = sample(&mut farm, &clerk(), Purpose::Routine, Level::City);
    farm.world.time += jiff::SignedDuration::from_hours(2);
    farm.world.ok(&clerk(), receive(&id));
    let received: Sampling = farm.world.get(&id);
    assert_eq!(received.status, SamplingStatus::Received);
    assert_eq!(
        (received.received_at, received.condition.as_str()),
        (Some(farm.world.time), "完好")
    );
    assert_eq!(farm.world.no(&clerk(), receive(&id)), "sampling_status");
    assert_eq!(farm.world.no(&clerk(), receive("smp_no")), "no sampling");
    // Spoilt in the laboratory: it still may come to nothing, but once.
    farm.world.ok(&clerk(), cancel(&id));
    for command in [receive(&id), cancel(&id)] {
        assert_eq!(farm.world.no(&clerk(), command), "sampling_status");
    }
    let silent = Command::CancelSample(CancelSample { sampling: id, reason: " ".into() });
    assert_eq!(farm.world.no(&clerk(), silent), "reason:required");
}

#[test]
fn a_result_takes_over_what_the_sample_says() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let cases = [
        // A device's result, by number; a typed one; one of a laboratory that says its own name.
        (
            RecordTest { origin: Origin::Device, device: "a1".into(), ..typed_of("t1") },
            "县农检中心",
        ),
        (typed_of("t2"), "县农检中心"),
        (RecordTest { laboratory: " 省检测院 ".into(), ..typed_of("t3") }, "省检测院"),
    ];
    for (result, laboratory) in cases {
        let id = sample(&mut farm, &clerk(), Purpose::Routine, Level::County);
        let result = RecordTest { sampling: Some(id.clone()), ..result };
        let test = farm.world.ok(&system(), record(result));
        let test: Test = farm.world.get(&test);
        let sampling: Sampling = farm.world.get(&id);
        assert_eq!(sampling.status, SamplingStatus::Reported);
        assert_eq!((test.sampling.as_deref(), &test.sample_no), (Some(&*id), &sampling.no));
        assert_eq!((test.lot.as_ref(), test.laboratory.as_str()), (Some(&lot), laboratory));
        assert_eq!(test.matched_by, Some(MatchedBy::Sample));
        assert_eq!(test.conducted_by, Some(ConductedBy::Commissioned));
        let found = farm.world.state().ids(BY_SAMPLING, &id, 9).unwrap();
        assert_eq!(found, [test.id.as_str()]);
        assert_eq!(farm.world.no(&clerk(), cancel(&id)), "sampling_status", "it has a result");
        // Another item of the same sample follows.
        let more = RecordTest { sampling: Some(id), ..typed_of("more") };
        farm.world.ok(&system(), record(more));
    }
    // The place of the device is the laboratory, where no sample tells one.
    let plain = measured("a1", measurement("SN-9", "1"), Some(&lot), Verdict::Pass);
    let plain = farm.world.ok(&system(), record(plain));
    assert_eq!(farm.world.get::<Test>(&plain).laboratory, "花石站");
    let lost = RecordTest { sampling: Some("smp_no".into()), ..typed_of("t4") };
    assert_eq!(farm.world.no(&clerk(), record(lost)), "no sampling");
}

fn typed_of(msg: &str) -> RecordTest {
    of_sample(measurement(msg, "10"), "", Verdict::Pass)
}

#[test]
fn a_failing_result_of_a_sample_holds_its_lot() {
    let mut farm = Farm::new();
    let id = sample(&mut farm, &clerk(), Purpose::Supervision, Level::County);
    let test = of_sample(measurement("t1", "80"), &id, Verdict::Deny);
    let test = farm.world.ok(&clerk(), record(test));
    let lot: Lot = farm.world.get(&farm.lot);
    assert_eq!((lot.holds.len(), &lot.holds[0].reference), (1, &test));
}

#[test]
fn a_cancelled_sample_has_no_results_but_those_that_were_measured() {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let id = sample(&mut farm, &clerk(), Purpose::Supervision, Level::County);
    farm.world.ok(&clerk(), cancel(&id));
    let typed = of_sample(measurement("t1", "10"), &id, Verdict::Pass);
    assert_eq!(farm.world.no(&clerk(), record(typed.clone())), "sampling_status");
    let by_device = RecordTest { origin: Origin::Device, device: "a1".into(), ..typed };
    let test = farm.world.ok(&system(), record(by_device));
    let test: Test = farm.world.get(&test);
    assert_eq!((test.flags, test.sampling.as_ref()), (vec!["sample_cancelled".into()], Some(&id)));
    assert_eq!(farm.world.get::<Sampling>(&id).status, SamplingStatus::Cancelled, "it stays so");
    // A person does not choose it either.
    let loose = measured("a1", measurement("SN-2", "1"), None, Verdict::Hold);
    let loose = farm.world.ok(&system(), record(loose));
    assert_eq!(farm.world.no(&clerk(), assign(&loose, "", Some(&id))), "sampling_status");
}

fn assign(test: &str, lot: &str, sampling: Option<&str>) -> Command {
    Command::AssignTest(AssignTest {
        test: test.into(),
        lot: lot.into(),
        judgement: judgement(Verdict::Deny),
        sampling: sampling.map(Into::into),
    })
}

#[test]
fn a_test_is_given_its_sample_by_hand() {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let loose = measured("a1", measurement("SN-1", "80"), None, Verdict::Hold);
    let loose = farm.world.ok(&system(), record(loose));
    let id = sample(&mut farm, &clerk(), Purpose::Routine, Level::County);
    assert_eq!(farm.world.no(&clerk(), assign(&loose, "", None)), "lot:required");
    assert_eq!(farm.world.no(&clerk(), assign(&loose, "", Some("smp_no"))), "no sampling");
    farm.world.ok(&clerk(), assign(&loose, "", Some(&id)));
    let test: Test = farm.world.get(&loose);
    let sampling: Sampling = farm.world.get(&id);
    assert_eq!((test.lot.as_ref(), &test.sample_no), (Some(&farm.lot), &sampling.no));
    assert_eq!(
        (test.laboratory.as_str(), sampling.status),
        ("县农检中心", SamplingStatus::Reported)
    );
    assert_eq!(test.matched_by, Some(MatchedBy::Person));
    assert_eq!(farm.world.get::<Lot>(&farm.lot).holds.len(), 1, "a bad one holds at once");
    let lot = farm.lot.clone();
    assert_eq!(farm.world.no(&clerk(), assign(&loose, &lot, None)), "test_has_lot");

    // Of what still grew: no lot, and none later.
    let growing = TakeSample {
        lot: None,
        site: Some(farm.site.clone()),
        product: Some(farm.product.clone()),
        ..take(Purpose::Own, Level::Township, "")
    };
    let growing = farm.world.ok(&clerk(), Command::TakeSample(growing));
    let loose = measured("a1", measurement("SN-2", "80"), None, Verdict::Hold);
    let loose = farm.world.ok(&system(), record(loose));
    farm.world.ok(&clerk(), assign(&loose, "", Some(&growing)));
    let test: Test = farm.world.get(&loose);
    assert_eq!((test.lot, &test.operator), (None, &farm.operator));
    assert_eq!(farm.world.state.ids(UNMATCHED, "", 9).unwrap(), [""; 0]);
    assert_eq!(farm.world.no(&clerk(), assign(&loose, &lot, None)), "test_has_lot");
}
