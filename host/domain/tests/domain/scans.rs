//! Scans: where and how often, when that is suspicious, scratch codes (codes §7: anti-copy).

use tianyin_domain::Command;
use tianyin_domain::code::Code;
use tianyin_domain::pack::{OrderPack, PackKind, Unit};
use tianyin_domain::scan::{
    AreaScans, CodeChecked, CodeScratched, ScanCount, SettleSuspicion, SuspicionCause,
    SuspicionStatus,
};
use tianyin_domain::scan_policy::ScanPolicy;

use crate::farm::{Farm, admin, clerk, system};
use crate::packs::order;

fn scans(code: &str, count: u64, cities: &[&str]) -> Command {
    let area = |city: &&str| AreaScans { area: (*city).into(), count: 1 };
    Command::CountScans(vec![ScanCount {
        code: code.into(),
        count,
        first_at: "2026-11-20T07:00:00Z".parse().unwrap(),
        unit: None,
        areas: cities.iter().map(area).collect(),
    }])
}

#[test]
fn the_third_city_is_noticed_once() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    farm.world.ok(&system(), scans(&code, 1, &["430321"]));
    farm.world.ok(&system(), scans(&code, 1, &["430300"]));
    let known: Code = farm.world.get(&code);
    assert_eq!((known.areas.len(), known.suspicion.is_none()), (1, true), "one city, twice");
    farm.world.ok(&system(), scans(&code, 1, &["430100"]));
    assert!(farm.world.get::<Code>(&code).suspicion.is_none());
    farm.world.ok(&system(), scans(&code, 1, &["440300"]));
    let suspicion = farm.world.get::<Code>(&code).suspicion.unwrap();
    assert_eq!(suspicion.cause, SuspicionCause::Cities);
    assert_eq!(suspicion.status, SuspicionStatus::Open);
    let before = farm.world.version(&format!("code/{code}"));
    farm.world.ok(&system(), scans(&code, 1, &["310000"]));
    assert_eq!(farm.world.version(&format!("code/{code}")), before, "said once");
    assert_eq!(farm.world.get::<Code>(&code).areas.len(), 4);
}

#[test]
fn too_often_in_a_day_is_noticed() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    farm.world.ok(&system(), scans(&code, 199, &[]));
    assert!(farm.world.get::<Code>(&code).suspicion.is_none());
    farm.world.ok(&system(), scans(&code, 1, &[]));
    let suspicion = farm.world.get::<Code>(&code).suspicion.unwrap();
    assert_eq!(suspicion.cause, SuspicionCause::Rate);

    let settle = |status, note: &str| {
        let (code, note) = (code.clone(), note.into());
        Command::SettleSuspicion(SettleSuspicion { code, status, note })
    };
    assert_eq!(farm.world.no(&clerk(), settle(SuspicionStatus::Open, "看过")), "status:bad_choice");
    assert_eq!(farm.world.no(&clerk(), settle(SuspicionStatus::Copied, "")), "note:required");
    farm.world.ok(&clerk(), settle(SuspicionStatus::Cleared, "展会现场集中扫码"));
    let settled = farm.world.get::<Code>(&code).suspicion.unwrap();
    assert_eq!(settled.status, SuspicionStatus::Cleared);
    farm.world.ok(&system(), scans(&code, 500, &[]));
    let after = farm.world.get::<Code>(&code).suspicion.unwrap();
    assert_eq!(after.status, SuspicionStatus::Cleared, "what was looked into stays so");
}

#[test]
fn the_county_says_when_it_is_suspicious() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    let policy = ScanPolicy { cities: 0, day_scans: 0, warn: false, void_reason: false };
    farm.world.ok(&admin(), Command::SetScanPolicy(policy.clone()));
    farm.world.ok(&system(), scans(&code, 9_999, &["430100", "440100", "310000", "110000"]));
    assert!(farm.world.get::<Code>(&code).suspicion.is_none());
    let bad = ScanPolicy { cities: 1, ..policy };
    assert_eq!(farm.world.no(&admin(), Command::SetScanPolicy(bad)), "cities:bad_scan_limit");
}

#[test]
fn a_code_of_a_pack_has_a_record_from_its_first_scan() {
    let mut farm = Farm::new();
    let pack = farm.world.ok(&clerk(), order(PackKind::Unit, 1_000, None));
    let count = |serial, pack: &str| {
        let unit = Some(Unit { pack: pack.into(), serial });
        let first_at = "2026-11-20T07:00:00Z".parse().unwrap();
        let code = "00000000000000XX".to_owned();
        Command::CountScans(vec![ScanCount { code, count: 2, first_at, unit, areas: vec![] }])
    };
    let lines = farm.world.lines.len();
    farm.world.ok(&system(), count(1_001, &pack));
    farm.world.ok(&system(), count(1, "pck_none"));
    assert_eq!(farm.world.lines.len(), lines, "there are no such codes");
    farm.world.ok(&system(), count(1_000, &pack));
    let known: Code = farm.world.get("00000000000000XX");
    assert_eq!((known.scans, known.unit.unwrap().serial, known.lot.as_str()), (2, 1_000, ""));
}

#[test]
fn a_scratch_code_counts_the_first_time_only() {
    let mut farm = Farm::new();
    let scratch = OrderPack {
        kind: PackKind::Unit,
        size: 1_000,
        operator: None,
        product: None,
        scratch: true,
        note: String::new(),
        key_check: String::new(),
    };
    let pack = farm.world.ok(&clerk(), Command::OrderPack(scratch));
    let plain = farm.world.ok(&clerk(), order(PackKind::Unit, 1_000, None));
    let typed = |pack: &str| {
        let unit = Unit { pack: pack.into(), serial: 5 };
        Command::ScratchCode(CodeScratched { code: "00000000000000XX".into(), unit })
    };
    assert_eq!(farm.world.no(&system(), typed(&plain)), "no_scratch_code");
    farm.world.ok(&system(), typed(&pack));
    let first = farm.world.get::<Code>("00000000000000XX").scratched_at;
    assert!(first.is_some());
    farm.world.time = "2026-11-21T08:00:00Z".parse().unwrap();
    let outcome = farm.world.give(&system(), typed(&pack)).unwrap();
    assert_eq!(outcome.note, "known");
    assert_eq!(farm.world.get::<Code>("00000000000000XX").scratched_at, first);
}

#[test]
fn a_market_check_knows_codes_of_packs() {
    let mut farm = Farm::new();
    let pack = farm.world.ok(&clerk(), order(PackKind::Unit, 1_000, None));
    let check = |unit| {
        let (code, device) = ("00000000000000XX".into(), "s1".into());
        Command::CheckCode(CodeChecked { code, device, message: String::new(), unit })
    };
    assert_eq!(farm.world.no(&system(), check(None)), "no code");
    farm.world.ok(&system(), check(Some(Unit { pack, serial: 3 })));
    assert_eq!(farm.world.get::<Code>("00000000000000XX").checks, 1);
}
