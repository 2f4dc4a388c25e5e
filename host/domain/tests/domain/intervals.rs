//! The guard on intervals, doses and what is wrong with a use (law art 29, R-092).

use proptest::prelude::*;
use tianyin_domain::activity::{Activity, ActivityKind, RecordActivity};
use tianyin_domain::dose::Dose;
use tianyin_domain::input::RegisteredUse;
use tianyin_domain::interval::{self, Hindrance, Warmth};
use tianyin_domain::lot::{Lot, LotRequest, LotStatus, OpenLot};
use tianyin_domain::use_warning::{self, UseWarning};
use tianyin_domain::{Command, Date};

use crate::farm::{Farm, add_input, clerk, day, decimal};

fn recorded(farm: &mut Farm, command: RecordActivity) -> Activity {
    let id = farm.world.ok(&farm.producer(), Command::RecordActivity(command));
    farm.world.get(&id)
}

fn hindered(records: &[Activity], harvest: &str) -> Vec<Hindrance> {
    let all: Vec<&Activity> = records.iter().collect();
    interval::hindrances(&all, &Warmth::of(records), day(harvest))
}

/// Day 0 is the last use; the first lawful day is the last use and the interval.
#[test]
fn the_earliest_lawful_day_is_named() {
    let mut farm = Farm::new();
    let until = |stop: &str| RecordActivity { stopped_on: Some(day(stop)), ..farm.treatment() };
    let command = until("2026-11-03");
    let one = recorded(&mut farm, command);
    assert_eq!(interval::earliest_harvest(&one, &Warmth::default()), Some(day("2026-11-17")));
    assert_eq!(hindered(std::slice::from_ref(&one), "2026-11-17"), []);
    let told = hindered(std::slice::from_ref(&one), "2026-11-16");
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].last_use, told[0].earliest), (day("2026-11-03"), Some(day("2026-11-17"))));
    // Still in use on the day of harvest: used on that day.
    let told = hindered(std::slice::from_ref(&one), "2026-11-02");
    assert_eq!((told[0].last_use, told[0].earliest), (day("2026-11-02"), Some(day("2026-11-16"))));
    let struck = Activity { struck: Some("记错".into()), ..one };
    assert_eq!(hindered(std::slice::from_ref(&struck), "2026-11-16"), [], "it counts no more");
    assert_eq!(interval::earliest_harvest(&struck, &Warmth::default()), None);
}

/// 度·日: a day without a measurement counts nothing.
#[test]
fn degree_days_are_the_sum_of_measured_days() {
    let mut farm = Farm::new();
    let label =
        RegisteredUse { crop: "莲".into(), interval_degree_days: Some(100), ..Default::default() };
    let input = farm.world.ok(&clerk(), add_input("示例渔药", vec![label]));
    let used = RecordActivity { input: Some(input), ..farm.treatment() };
    let mut records = vec![recorded(&mut farm, used)];
    let water = |farm: &mut Farm, date: &str, tenths: i32| {
        let command = RecordActivity {
            kind: ActivityKind::WaterQuality,
            date: day(date),
            input: None,
            water_tenths: Some(tenths),
            ..farm.treatment()
        };
        recorded(farm, command)
    };
    // The day of the use itself does not count; two readings of a day are its mean.
    for (date, tenths) in [("2026-11-01", 300), ("2026-11-02", 240), ("2026-11-02", 260)] {
        records.push(water(&mut farm, date, tenths));
    }
    let told = hindered(&records, "2026-11-04");
    let sum = told[0].degree_days.unwrap();
    assert_eq!((sum.needed, sum.reached_tenths, sum.unmeasured_days), (100, 250, 2));
    assert_eq!((told[0].earliest, sum.is_reached()), (None, false));
    for date in ["2026-11-03", "2026-11-05", "2026-11-06"] {
        records.push(water(&mut farm, date, 250));
    }
    let told = hindered(&records, "2026-11-04");
    assert_eq!(told[0].earliest, Some(day("2026-11-06")), "25.0 on four measured days");
    assert_eq!(hindered(&records, "2026-11-06"), []);
    let sum = interval::degree_days(&records[0], &Warmth::of(&records), day("2026-11-06")).unwrap();
    assert_eq!((sum.reached_tenths, sum.unmeasured_days), (1000, 1));

    let wrong = RecordActivity { water_tenths: Some(200), ..farm.treatment() };
    let told = farm.world.no(&farm.producer(), Command::RecordActivity(wrong.clone()));
    assert_eq!(told, "water_tenths:not_for_kind");
    let hot = RecordActivity { kind: ActivityKind::WaterQuality, water_tenths: Some(451), ..wrong };
    let told = farm.world.no(&farm.producer(), Command::RecordActivity(hot));
    assert_eq!(told, "water_tenths:bad_water");
}

/// It is refused with the day; with a reason it is on record as what it is, and held.
#[test]
fn a_harvest_too_early_is_refused_or_held() {
    let mut farm = Farm::new();
    let command = RecordActivity { date: day("2026-11-10"), ..farm.treatment() };
    let one = recorded(&mut farm, command);
    let open = |farm: &Farm, early_reason: Option<&str>| OpenLot {
        request: LotRequest {
            product: farm.product.clone(),
            site: farm.site.clone(),
            quantity: decimal("10"),
            harvested_on: day("2026-11-19"),
            early_reason: early_reason.map(Into::into),
        },
        hindrances: hindered(std::slice::from_ref(&one), "2026-11-19"),
    };
    for reason in [None, Some(" ")] {
        let told = farm.world.no(&farm.producer(), Command::OpenLot(open(&farm, reason)));
        assert!(told.contains("interval_not_over"), "{told}");
    }
    let id = farm.world.ok(&farm.producer(), Command::OpenLot(open(&farm, Some(" 台风前抢收 "))));
    let lot = farm.world.get::<Lot>(&id);
    assert_eq!((lot.status, lot.status_reason.as_str()), (LotStatus::Held, "early_harvest"));
    let early = lot.early.unwrap();
    assert_eq!(early.reason, "台风前抢收");
    assert_eq!(early.hindrances[0].earliest, Some(day("2026-11-24")));
    // A reason where nothing stands against it says nothing.
    let free = OpenLot { hindrances: vec![], ..open(&farm, Some("无")) };
    let id = farm.world.ok(&farm.producer(), Command::OpenLot(free));
    let lot = farm.world.get::<Lot>(&id);
    assert_eq!((lot.status, lot.early), (LotStatus::Open, None));
}

#[test]
fn what_is_wrong_with_a_use_is_told() {
    let mut farm = Farm::new();
    let label = RegisteredUse {
        crop: "莲".into(),
        interval_days: Some(7),
        dose: "30-40毫升/亩".into(),
        max_uses: Some(2),
        ..Default::default()
    };
    let rice = RegisteredUse { crop: "水稻".into(), ..label.clone() };
    let input = farm.world.ok(&clerk(), add_input("示例药", vec![label]));
    let other = farm.world.ok(&clerk(), add_input("稻田药", vec![rice]));
    let used = |farm: &Farm, input: &str, date: &str, dose: &str| RecordActivity {
        input: Some(input.into()),
        date: day(date),
        dose: dose.into(),
        ..farm.treatment()
    };
    let mut records = Vec::new();
    // Of the season before: planting begins a new one.
    for (date, dose) in [("2025-12-01", "40毫升/亩"), ("2026-03-01", "40毫升/亩")] {
        let command = used(&farm, &input, date, dose);
        records.push(recorded(&mut farm, command));
    }
    let planting = RecordActivity {
        kind: ActivityKind::Planting,
        input: None,
        ..used(&farm, "", "2026-04-01", "")
    };
    records.push(recorded(&mut farm, planting));
    let cases = [
        (&input, "2026-05-01", "每亩 40 毫升", vec![]),
        (&input, "2026-05-11", "0.05升/亩", vec![UseWarning::OverDose]),
        (&input, "2026-05-21", "三瓶盖", vec![UseWarning::OverUse { times: 3, max: 2 }]),
        (&other, "2026-05-22", "40毫升/亩", vec![UseWarning::NotRegistered]),
    ];
    for (input, date, dose, expected) in cases {
        let command = used(&farm, input, date, dose);
        let one = recorded(&mut farm, command);
        records.push(one.clone());
        assert_eq!(use_warning::warnings(&one, &records), expected, "{date} {dose}");
    }
    // The same records in any order say the same.
    records.reverse();
    let third = records.iter().find(|one| one.date == day("2026-05-21")).unwrap();
    let told = use_warning::warnings(third, &records);
    assert_eq!(told, [UseWarning::OverUse { times: 3, max: 2 }]);
}

#[test]
fn doses_are_compared_in_one_measure() {
    let cases = [
        ("30-40毫升/亩", "40ml/亩", Some(false)),
        ("30-40毫升/亩", "41 毫升/亩", Some(true)),
        ("30～40 毫升／亩", "每亩 50 毫升", Some(true)),
        ("450-600毫升/公顷", "40毫升/亩", Some(false)),
        ("450-600毫升/公顷", "41毫升/亩", Some(true)),
        ("1000-1500倍液", "800倍液", Some(true)),
        ("1000-1500倍液", "1000倍", Some(false)),
        ("10毫克/千克", "每千克体重12毫克", Some(true)),
        ("0.5千克/亩", "600克/亩", Some(true)),
        ("制剂用量:30克/亩", "30克/亩", Some(false)),
        // Told in different measures, or not as a number.
        ("30毫升/亩", "30克/亩", None),
        ("30毫升/亩", "1000倍液", None),
        ("30毫升/亩", "两瓶盖", None),
        ("30毫升/亩,喷雾2次", "50毫升/亩", None),
        ("按标签", "50毫升/亩", None),
        ("0克/亩", "1克/亩", None),
    ];
    for (label, done, expected) in cases {
        let told = Dose::parse(label)
            .zip(Dose::parse(done))
            .and_then(|(label, done)| done.exceeds(&label));
        assert_eq!(told, expected, "{done} against {label}");
    }
}

proptest! {
    #[test]
    fn a_dose_within_the_label_is_no_overdose(low in 1_u32..500, more in 0_u32..500, at in 0_u32..500) {
        let label = Dose::parse(&format!("{low}-{}克/亩", low + more)).unwrap();
        let within = Dose::parse(&format!("每亩{}克", low + at.min(more))).unwrap();
        prop_assert_eq!(within.exceeds(&label), Some(false));
        let above = Dose::parse(&format!("{}.5克/亩", low + more)).unwrap();
        prop_assert_eq!(above.exceeds(&label), Some(true));
    }

    #[test]
    fn no_text_of_a_dose_breaks_the_reader(text in "\\PC{0,40}") {
        let _ = Dose::parse(&text);
    }

    /// Harvest on the named day is lawful, on the day before it is not.
    #[test]
    fn the_named_day_is_the_first(days in 0_u32..400, used in 0_i32..300) {
        let mut farm = Farm::new();
        let label = RegisteredUse {
            crop: "莲".into(), interval_days: Some(days), ..Default::default()
        };
        let input = farm.world.ok(&clerk(), add_input("药", vec![label]));
        let date: Date = day("2026-01-01").checked_add(jiff::Span::new().days(used)).unwrap();
        let command = RecordActivity { input: Some(input), date, ..farm.treatment() };
        let one = recorded(&mut farm, command);
        let first = interval::earliest_harvest(&one, &Warmth::default()).unwrap();
        let records = [one];
        prop_assert_eq!(hindered(&records, &first.to_string()).len(), 0);
        if days > 0 {
            let before = first.yesterday().unwrap();
            prop_assert_eq!(hindered(&records, &before.to_string())[0].earliest, Some(first));
        }
    }
}
