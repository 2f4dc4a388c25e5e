//! The catalogue of inputs: what was used is judged by the label of its day.

use proptest::prelude::*;
use tianyin_domain::activity::{Activity, InputUse, RecordActivity};
use tianyin_domain::input::{
    self, AddInput, CloseInput, Input, RegisteredUse, ReviseInput, VERSIONS_MAX,
};
use tianyin_domain::{Command, Date, Event};

use crate::farm::{
    Farm, add_input, admin, clerk, close_input, day, input_data, revise_input, system,
};
use crate::world::World;

fn on(crop: &str, days: u32) -> RegisteredUse {
    RegisteredUse { crop: crop.into(), interval_days: Some(days), ..RegisteredUse::default() }
}

/// A revision of the farm's input, good from a day.
fn revision(farm: &Farm, days: u32, from: Option<&str>) -> Command {
    let Command::ReviseInput(mut c) = revise_input(&farm.input, vec![on("莲", days)]) else {
        unreachable!("built so")
    };
    c.data.valid_from = from.map(day);
    Command::ReviseInput(c)
}

/// What a treatment of the farm's lotus from a day to a day was on record.
fn used(farm: &mut Farm, from: &str, to: &str) -> InputUse {
    let (date, stopped_on) = (day(from), Some(day(to)));
    let command = RecordActivity { date, stopped_on, ..farm.treatment() };
    let id = farm.world.ok(&farm.producer(), Command::RecordActivity(command));
    farm.world.get::<Activity>(&id).input.unwrap()
}

#[test]
fn the_label_of_the_last_day_of_use_counts() {
    let mut farm = Farm::new();
    farm.world.ok(&clerk(), revision(&farm, 20, Some("2026-06-01")));
    farm.world.ok(&clerk(), close_input(&farm.input, "2026-10-01"));
    let cases = [
        ("2026-05-31", "2026-05-31", Some(14), 1, false),
        ("2026-06-01", "2026-06-01", Some(20), 2, false),
        // Day 0 is the last use (rules-of-law, section 8).
        ("2026-05-30", "2026-06-01", Some(20), 2, false),
        ("2026-09-30", "2026-09-30", Some(20), 2, false),
        ("2026-10-01", "2026-10-01", Some(20), 3, true),
    ];
    for (from, to, days, version, ended) in cases {
        let used = used(&mut farm, from, to);
        let told = (used.interval_days, used.version, used.ended);
        assert_eq!(told, (days, version, ended), "{from} to {to}");
    }
    // Registered anew, it is as good as any from that day; the time without registration stays.
    farm.world.ok(&clerk(), revision(&farm, 25, Some("2026-11-01")));
    let told = |used: InputUse| (used.interval_days, used.ended);
    assert_eq!(told(used(&mut farm, "2026-10-31", "2026-10-31")), (Some(20), true));
    assert_eq!(told(used(&mut farm, "2026-11-01", "2026-11-01")), (Some(25), false));
    // What was always wrong is mended from ever; what is on record stays as it was judged.
    farm.world.ok(&clerk(), revision(&farm, 7, None));
    assert_eq!(used(&mut farm, "2026-05-31", "2026-05-31").interval_days, Some(7));
}

#[test]
fn before_its_first_day_the_substances_are_known_and_no_interval() {
    let mut farm = Farm::new();
    let data = AddInput {
        valid_from: Some(day("2026-06-01")),
        ..input_data("新药", vec![on("莲", 3)])
    };
    farm.input = farm.world.ok(&clerk(), Command::AddInput(data));
    let early = used(&mut farm, "2026-05-31", "2026-05-31");
    assert_eq!((early.interval_days, early.version), (None, 0));
    assert_eq!(early.substances, ["示例成分"]);
    assert_eq!(used(&mut farm, "2026-06-01", "2026-06-01").interval_days, Some(3));
}

#[test]
fn degree_days_are_no_days() {
    let mut farm = Farm::new();
    let fish =
        RegisteredUse { crop: "莲".into(), interval_degree_days: Some(500), ..Default::default() };
    farm.input = farm.world.ok(&clerk(), add_input("鱼药", vec![fish]));
    let used = used(&mut farm, "2026-06-01", "2026-06-01");
    assert_eq!((used.interval_days, used.interval_degree_days), (None, Some(500)));
}

#[test]
fn a_version_says_who_why_and_whence() {
    let mut farm = Farm::new();
    let before = farm.world.version(&format!("input/{}", farm.input));
    farm.world.ok(&clerk(), revision(&farm, 20, Some("2027-01-01")));
    let now: Input = farm.world.get(&farm.input);
    assert_eq!((now.version, now.valid_from), (2, Some(day("2027-01-01"))));
    assert_eq!((now.source.as_str(), now.reason.as_str()), ("标签", "标签变更"));
    assert_eq!(now.reviewed_by, clerk().name());
    assert!(farm.world.version(&format!("input/{}", farm.input)) > before);
    let all = input::versions(farm.world.state(), &farm.input).unwrap();
    assert_eq!(all.iter().map(|one| one.version).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(all[0], now);
    assert_eq!(input::on_day(&all, day("2026-12-31")).unwrap().version, 1);
}

#[test]
fn one_registration_number_is_one_input() {
    let mut farm = Farm::new();
    let taken: Input = farm.world.get(&farm.input);
    let spelt = |no: &str| {
        Command::AddInput(AddInput {
            registration_no: no.into(), ..input_data("别的药", vec![])
        })
    };
    for no in [
        taken.registration_no.clone(),
        format!(" {} ", taken.registration_no.to_lowercase()),
        taken.registration_no.replace("PD", "PD "),
    ] {
        assert_eq!(farm.world.no(&clerk(), spelt(&no)), "registration_taken", "{no}");
    }
    let other = farm.world.ok(&clerk(), spelt("pd 1"));
    assert_eq!(farm.world.get::<Input>(&other).registration_no, "PD1");
    assert_eq!(farm.world.no(&clerk(), revise_input(&other, vec![])), "registration_taken");
    // Inputs without a number stand in nobody's way.
    farm.world.ok(&clerk(), spelt(""));
    farm.world.ok(&clerk(), spelt("  "));
}

#[test]
fn refused_inputs() {
    let mut farm = Farm::new();
    let good = || input_data("别的药", vec![on("莲", 7)]);
    let with = |one: RegisteredUse| AddInput { uses: vec![one], ..good() };
    let season = |n| RegisteredUse { max_uses: Some(n), ..on("莲", 7) };
    let cases = [
        (AddInput { name: " ".into(), ..good() }, "name:required"),
        (with(on("莲", 731)), "uses:bad_interval"),
        (with(RegisteredUse::default()), "uses:bad_interval"),
        (
            with(RegisteredUse { interval_degree_days: Some(10_001), ..on("莲", 7) }),
            "uses:bad_degree_days",
        ),
        (with(season(0)), "uses:bad_max_uses"),
        (with(season(100)), "uses:bad_max_uses"),
        (AddInput { uses: vec![on("莲", 7), on(" 莲 ", 9)], ..good() }, "uses:repeated_crop"),
        (AddInput { uses: vec![on("", 7), on("", 9)], ..good() }, "uses:repeated_crop"),
        (AddInput { valid_from: Some(day("1999-12-31")), ..good() }, "valid_from:bad_begin"),
        (AddInput { valid_from: Some(day("2029-01-01")), ..good() }, "valid_from:bad_begin"),
        (AddInput { source_on: Some(day("2026-11-21")), ..good() }, "source_on:in_future"),
        (AddInput { substances: vec!["甲".into(); 9], ..good() }, "substances:too_many"),
    ];
    for (data, expected) in cases {
        let case = format!("{data:?}");
        let told = farm.world.no(&clerk(), Command::AddInput(data.clone()));
        assert_eq!(told, expected, "{case}");
        let (input, data) = (farm.input.clone(), AddInput { source: "标签".into(), ..data });
        let revise = Command::ReviseInput(ReviseInput { input, data, reason: "改".into() });
        assert_eq!(farm.world.no(&clerk(), revise), expected, "{case}");
    }
    let (input, data) = (farm.input.clone(), good());
    let bare = Command::ReviseInput(ReviseInput { input, data, reason: String::new() });
    assert_eq!(farm.world.no(&clerk(), bare), "reason:required source:required");
    assert_eq!(farm.world.no(&clerk(), revise_input("inp_no", vec![])), "no input");
    assert_eq!(farm.world.no(&clerk(), close_input("inp_no", "2026-01-01")), "no input");
    let (input, ended_on) = (farm.input.clone(), day("1990-01-01"));
    let close = Command::CloseInput(CloseInput { input, ended_on, reason: " ".into() });
    assert_eq!(farm.world.no(&clerk(), close), "reason:required ended_on:bad_begin");
}

#[test]
fn a_version_that_says_nothing_new_is_refused_and_so_is_one_too_many() {
    let mut farm = Farm::new();
    farm.world.ok(&clerk(), revision(&farm, 20, None));
    assert_eq!(farm.world.no(&clerk(), revision(&farm, 20, None)), "input_unchanged");
    farm.world.ok(&clerk(), close_input(&farm.input, "2026-10-01"));
    assert_eq!(farm.world.no(&clerk(), close_input(&farm.input, "2026-10-01")), "input_unchanged");
    for n in 3..VERSIONS_MAX {
        farm.world.ok(&clerk(), revision(&farm, n, None));
    }
    assert_eq!(farm.world.no(&clerk(), revision(&farm, 700, None)), "too_many_versions");
    assert_eq!(
        farm.world.no(&clerk(), close_input(&farm.input, "2026-10-02")),
        "too_many_versions"
    );
    assert_eq!(farm.world.replayed(7), farm.world.state);
}

/// Lines as they were written before there were versions, two of them with one number. Never to be
/// changed: journals hold them.
const OLD: [&str; 2] = [
    r#"{"input.added":{"id":"inp_1","name":"甲药","kind":"pesticide","registration_no":"pd 1","substances":["甲"],"uses":[{"crop":"莲","interval_days":14,"dose":"30 毫升/亩"}]}}"#,
    r#"{"input.added":{"id":"inp_2","name":"乙药","kind":"pesticide","registration_no":"PD1","substances":[],"uses":[]}}"#,
];

#[test]
fn old_lines_read_as_a_first_version_and_doubles_can_be_mended() {
    let mut world = World::new();
    for (seq, line) in (1..).zip(OLD) {
        let event: Event = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
        let (time, events) = (world.time.to_string(), format!("[{line}]"));
        world.lines.push(crate::world::Line { seq, time, events });
    }
    world.state = world.replayed(1);
    let first: Input = world.get("inp_1");
    assert_eq!((first.version, first.valid_from, first.ended), (1, None, false));
    assert_eq!(input::versions(world.state(), "inp_1").unwrap(), std::slice::from_ref(&first));
    // Each keeps the number that both have, until one gets its right one.
    let data = |no: &str| AddInput {
        source: "标签".into(),
        registration_no: no.into(),
        ..input_data("甲药", vec![on("莲", 21)])
    };
    let revise = |input: &str, no: &str| {
        let (input, data) = (input.to_owned(), data(no));
        Command::ReviseInput(ReviseInput { input, data, reason: "核对".into() })
    };
    world.ok(&clerk(), revise("inp_1", "PD1"));
    world.ok(&clerk(), revise("inp_2", "PD2"));
    assert_eq!(world.no(&clerk(), revise("inp_2", "PD1")), "registration_taken");
}

/// As written in 2026. Never to be changed: journals hold them.
const WRITTEN: [&str; 2] = [
    r#"{"input.revised":{"id":"inp_1","name":"甲药","kind":"pesticide","registration_no":"PD1","substances":["甲"],"uses":[{"crop":"莲","interval_days":14,"dose":"","max_uses":2},{"crop":"鲤","dose":"","interval_degree_days":500}],"version":2,"valid_from":"2026-06-01","source":"标签","source_on":"2026-05-30","reason":"标签变更","reviewed_by":"user/usr_clerk","reviewed_at":"2026-05-31T08:00:00Z"}}"#,
    r#"{"input.closed":{"id":"inp_1","name":"甲药","kind":"pesticide","registration_no":"PD1","substances":["甲"],"uses":[],"version":3,"valid_from":"2026-10-01","reason":"到期","reviewed_by":"user/usr_clerk","reviewed_at":"2026-09-30T08:00:00Z","ended":true}}"#,
];

#[test]
fn the_events_of_a_version_are_written_so() {
    for line in WRITTEN {
        let event: Event = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
    }
}

#[test]
fn whoever_keeps_the_catalogue_may_revise_it() {
    let mut farm = Farm::new();
    for (n, actor) in [admin(), clerk(), system()].iter().enumerate() {
        farm.world.ok(actor, revision(&farm, 20 + n as u32, None));
    }
    let producer = farm.producer();
    assert_eq!(farm.world.no(&producer, revision(&farm, 1, None)), "forbidden");
    assert_eq!(farm.world.no(&producer, close_input(&farm.input, "2026-01-01")), "forbidden");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    /// Whatever was revised in whatever order, a day has the last version made that had begun by then.
    #[test]
    fn a_day_has_the_last_version_that_had_begun(
        begins in proptest::collection::vec(proptest::option::of(1i8..=28), 0..8),
        asked in 1i8..=28,
    ) {
        let mut farm = Farm::new();
        let date = |d: i8| Date::new(2026, 10, d).unwrap();
        let mut expected = Some(14);
        for (n, begin) in begins.iter().enumerate() {
            let from = begin.map(|d| date(d).to_string());
            // Each interval tells its version.
            let days = 100 + u32::try_from(n).unwrap();
            farm.world.ok(&clerk(), revision(&farm, days, from.as_deref()));
            if begin.is_none_or(|d| d <= asked) {
                expected = Some(days);
            }
        }
        let text = date(asked).to_string();
        prop_assert_eq!(used(&mut farm, &text, &text).interval_days, expected);
        prop_assert!(farm.world.replayed(3) == farm.world.state);
    }
}
