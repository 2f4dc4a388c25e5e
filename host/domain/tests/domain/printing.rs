//! Print jobs, scan counts and market checks.

use tianyin_domain::Command;
use tianyin_domain::certificate::VoidCertificate;
use tianyin_domain::code::Code;
use tianyin_domain::device::{DeviceKind, DisableDevice};
use tianyin_domain::print_job::{EndPrint, PrintJob, PrintStatus, QueuePrint};
use tianyin_domain::scan::{CodeChecked, ScanCount};

use crate::farm::{Farm, admin, approve, clerk, system};

fn print(certificate: &str, printer: &str, copies: u32) -> Command {
    Command::QueuePrint(QueuePrint {
        certificate: certificate.into(),
        printer: printer.into(),
        copies,
    })
}

fn end(job: &str, error: &str) -> Command {
    Command::EndPrint(EndPrint { job: job.into(), error: error.into() })
}

fn farm() -> (Farm, String) {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("p1", DeviceKind::Printer, None));
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let code = farm.issued("10");
    (farm, code)
}

#[test]
fn a_job_ends_once() {
    for (error, expected) in
        [("", PrintStatus::Printed), ("printer_unreachable", PrintStatus::Failed)]
    {
        let (mut farm, code) = farm();
        let job = farm.world.ok(&farm.producer(), print(&code, "p1", 2));
        let queued: PrintJob = farm.world.get(&job);
        assert_eq!((queued.status, queued.copies), (PrintStatus::Queued, 2));
        farm.world.ok(&system(), end(&job, error));
        let ended: PrintJob = farm.world.get(&job);
        assert_eq!((ended.status, ended.error.as_str()), (expected, error));
        assert_eq!(ended.ended_at, Some(farm.world.time));
        assert_eq!(farm.world.no(&system(), end(&job, "")), "print_ended");
    }
}

#[test]
fn refused_jobs() {
    let (mut farm, code) = farm();
    let cases = [
        (print("NO", "p1", 1), "no certificate"),
        (print(&code, "p9", 1), "no device"),
        (print(&code, "a1", 1), "printer:not_a_printer"),
        (print(&code, "p1", 0), "copies:bad_copies"),
        (print(&code, "p1", 1001), "copies:bad_copies"),
    ];
    for (command, expected) in cases {
        let case = format!("{command:?}");
        assert_eq!(farm.world.no(&clerk(), command), expected, "{case}");
    }
    let reason = "重量写错".into();
    farm.world
        .ok(&clerk(), Command::VoidCertificate(VoidCertificate { code: code.clone(), reason }));
    assert_eq!(farm.world.no(&clerk(), print(&code, "p1", 1)), "certificate_void");
    let code = farm.issued("10");
    farm.world.ok(&admin(), Command::DisableDevice(DisableDevice { id: "p1".into() }));
    assert_eq!(farm.world.no(&clerk(), print(&code, "p1", 1)), "printer:device_not_approved");
    assert_eq!(farm.world.no(&system(), end("job_no", "")), "no print_job");
}

#[test]
fn scans_add_up_and_the_first_stays() {
    let (mut farm, code) = farm();
    let scans = |code: &str, count, first_at: &str| {
        ScanCount::new(code.into(), count, first_at.parse().unwrap())
    };
    let count = |counts: Vec<ScanCount>| Command::CountScans(counts);
    let first = "2026-11-20T09:00:00Z";
    let unknown = scans("0000000000000000", 5, first);
    farm.world.ok(&system(), count(vec![scans(&code, 3, first), unknown.clone()]));
    farm.world.ok(&system(), count(vec![scans(&code, 4, "2026-11-21T09:00:00Z")]));
    let found: Code = farm.world.get(&code);
    assert_eq!((found.scans, found.first_scan_at), (7, Some(first.parse().unwrap())));
    // Nothing known, nothing written.
    for counts in [vec![], vec![unknown], vec![scans(&code, 0, first)]] {
        assert!(!farm.world.give(&system(), count(counts)).unwrap().written);
    }
    farm.world.ok(&system(), count(vec![scans(&code, u64::MAX, first)]));
    assert_eq!(farm.world.get::<Code>(&code).scans, u64::MAX);
}

#[test]
fn market_checks_are_facts() {
    let (mut farm, code) = farm();
    let check = |code: &str| {
        Command::CheckCode(CodeChecked {
            code: code.into(),
            device: "s1".into(),
            message: String::new(),
            unit: None,
        })
    };
    farm.world.ok(&system(), check(&code));
    let found: Code = farm.world.get(&code);
    assert_eq!((found.checks, found.last_check_at, found.scans), (1, Some(farm.world.time), 0));
    assert_eq!(farm.world.no(&system(), check("0000000000000000")), "no code");
}
