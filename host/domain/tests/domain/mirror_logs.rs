//! Logs of a static mirror: counted once, however often they are imported.

use tianyin_domain::code::Code;
use tianyin_domain::mirror_log::{CODES_MAX, ImportMirrorLog, MirrorLog, Place};
use tianyin_domain::scan::{AreaScans, ScanCount, SuspicionCause};
use tianyin_domain::{Command, Event};

use crate::farm::{Farm, admin, clerk, system};

fn place((at, lines): (&str, u64)) -> Place {
    Place { at: at.parse().unwrap(), lines }
}

pub fn import(after: Option<Place>, through: (&str, u64), counts: Vec<ScanCount>) -> Command {
    let name = "web-1".into();
    Command::ImportMirrorLog(ImportMirrorLog { name, after, through: place(through), counts })
}

fn scans(code: &str, count: u64) -> ScanCount {
    ScanCount::new(code.into(), count, "2026-11-19T01:00:00Z".parse().unwrap())
}

const FIRST: (&str, u64) = ("2026-11-19T02:00:00Z", 2);
const NEXT: (&str, u64) = ("2026-11-19T02:00:00Z", 3);

#[test]
fn the_place_and_the_counts_are_one_line() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    let unknown = scans("0000000000000000", 9);
    let lines = farm.world.lines.len();
    farm.world.ok(&system(), import(None, FIRST, vec![scans(&code, 3), unknown]));
    assert_eq!(farm.world.lines.len(), lines + 1);
    let events = farm.world.last_events();
    assert!(
        matches!(&events[..], [Event::MirrorLogImported(log), Event::ScansCounted(counted)]
            if log.scans == 3 && counted.counts.len() == 1),
        "{events:?}"
    );
    // More lines of the same second.
    farm.world.ok(&admin(), import(Some(place(FIRST)), NEXT, vec![scans(&code, 1)]));
    let log: MirrorLog = farm.world.get("web-1");
    assert_eq!((log.through, log.scans), (place(NEXT), 4));
    assert_eq!(farm.world.get::<Code>(&code).scans, 4);
    // Lines without a scan move the place alone.
    farm.world.ok(&system(), import(Some(place(NEXT)), ("2026-11-20T00:00:00Z", 1), vec![]));
    assert_eq!(farm.world.last_events().len(), 1);
    assert_eq!(farm.world.replayed(3), farm.world.state);
}

#[test]
fn nothing_counts_twice() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    let first = || import(None, FIRST, vec![scans(&code, 3)]);
    farm.world.ok(&system(), first());
    for again in [
        first(),
        import(Some(place(FIRST)), FIRST, vec![scans(&code, 3)]),
        import(Some(place(FIRST)), ("2026-11-18T00:00:00Z", 9), vec![scans(&code, 3)]),
        import(Some(place(NEXT)), ("2026-11-20T00:00:00Z", 1), vec![scans(&code, 3)]),
    ] {
        assert_eq!(farm.world.no(&system(), again), "mirror_log_moved");
    }
    assert_eq!(farm.world.get::<Code>(&code).scans, 3);
}

#[test]
fn the_third_city_of_a_log_is_suspicious() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    let seen_in = |cities: &[&str]| {
        let areas = cities.iter().map(|city| AreaScans { area: (*city).into(), count: 1 });
        ScanCount { areas: areas.collect(), ..scans(&code, 2) }
    };
    farm.world.ok(&system(), import(None, FIRST, vec![seen_in(&["4301", "4403"])]));
    assert_eq!(farm.world.get::<Code>(&code).suspicion, None);
    farm.world.ok(&system(), import(Some(place(FIRST)), NEXT, vec![seen_in(&["3101"])]));
    let known: Code = farm.world.get(&code);
    assert_eq!(known.suspicion.map(|one| one.cause), Some(SuspicionCause::Cities));
    assert_eq!(known.areas.len(), 3);
    assert_eq!(farm.world.replayed(3), farm.world.state);
}

#[test]
fn what_is_no_place_or_too_much_is_refused() {
    let mut farm = Farm::new();
    let named = |name: &str| {
        Command::ImportMirrorLog(ImportMirrorLog {
            name: name.into(),
            after: None,
            through: place(FIRST),
            counts: vec![],
        })
    };
    for name in ["", "a b", "../x", "日志", &"x".repeat(65)] {
        assert_eq!(farm.world.no(&system(), named(name)), "name:bad_log_name", "{name}");
    }
    let many = (0..=CODES_MAX).map(|n| scans(&n.to_string(), 1)).collect();
    assert_eq!(farm.world.no(&system(), import(None, FIRST, many)), "counts:too_many");
    let late = import(None, ("2026-11-21T08:00:01Z", 1), vec![]);
    assert_eq!(farm.world.no(&system(), late), "through:in_future");
    assert_eq!(farm.world.no(&clerk(), import(None, FIRST, vec![])), "forbidden");
}
