//! Print jobs, scan counts and market checks.

use tianyin_domain::certificate::VoidCertificate;
use tianyin_domain::code::Code;
use tianyin_domain::device::{DeviceKind, DisableDevice};
use tianyin_domain::label_template::{LabelDesign, LabelSize, LabelTemplate};
use tianyin_domain::print_job::{
    BY_CERTIFICATE, BeginPrint, CancelPrint, EndPrint, PrintJob, PrintStatus, QueuePrint,
    RetryPrint, WAITING,
};
use tianyin_domain::scan::{CodeChecked, ScanCount};
use tianyin_domain::{Command, DomainError, Event, Overlay};

use crate::farm::{Farm, admin, approve, clerk, grant, issue, request, system};

fn job(certificate: &str, printer: &str, copies: u32) -> QueuePrint {
    let (certificate, printer) = (certificate.into(), printer.into());
    QueuePrint { certificate, printer, copies, ..QueuePrint::default() }
}

fn print(certificate: &str, printer: &str, copies: u32) -> Command {
    Command::QueuePrint(job(certificate, printer, copies))
}

/// The same with a reason.
fn again(certificate: &str, reason: &str) -> Command {
    Command::QueuePrint(QueuePrint { reason: reason.into(), ..job(certificate, "p1", 1) })
}

fn begin(job: &str) -> Command {
    Command::BeginPrint(BeginPrint { job: job.into() })
}

fn end(job: &str, error: &str) -> Command {
    Command::EndPrint(EndPrint { job: job.into(), error: error.into() })
}

fn cancel(job: &str) -> Command {
    Command::CancelPrint(CancelPrint { job: job.into() })
}

fn retry(job: &str, reason: &str) -> Command {
    Command::RetryPrint(RetryPrint { job: job.into(), reason: reason.into() })
}

fn void(code: &str) -> Command {
    Command::VoidCertificate(VoidCertificate { code: code.into(), reason: "重量写错".into() })
}

fn farm() -> (Farm, String) {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("p1", DeviceKind::Printer, None));
    farm.world.ok(&admin(), approve("p2", DeviceKind::Printer, None));
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let code = farm.issued("10");
    (farm, code)
}

/// A job of the certificate that ended like this; with `begun`, something was sent.
fn ended(farm: &mut Farm, code: &str, begun: bool, error: &str) -> String {
    let job = farm.world.ok(&clerk(), print(code, "p1", 1));
    if begun {
        farm.world.ok(&system(), begin(&job));
    }
    farm.world.ok(&system(), end(&job, error));
    job
}

fn status(farm: &Farm, job: &str) -> PrintStatus {
    farm.world.get::<PrintJob>(job).status
}

fn waiting(farm: &Farm, printer: &str) -> Vec<String> {
    farm.world.state().ids(WAITING, printer, 10).unwrap()
}

#[test]
fn a_job_begins_and_ends_once() {
    for (error, expected) in
        [("", PrintStatus::Printed), ("printer_timeout|10.0.0.9:9100", PrintStatus::Failed)]
    {
        let (mut farm, code) = farm();
        let job = farm.world.ok(&farm.producer(), print(&code, "p1", 2));
        let queued: PrintJob = farm.world.get(&job);
        assert_eq!((queued.status, queued.copies), (PrintStatus::Queued, 2));
        assert_eq!((queued.queued_by.as_str(), queued.begun_at), ("user/usr_producer", None));
        assert_eq!(waiting(&farm, "p1"), std::slice::from_ref(&job));
        // Nothing is printed that was not noted before.
        assert_eq!(farm.world.no(&system(), end(&job, "")), "print_not_begun");
        farm.world.ok(&system(), begin(&job));
        assert_eq!(status(&farm, &job), PrintStatus::Printing);
        assert!(waiting(&farm, "p1").is_empty());
        assert_eq!(farm.world.no(&system(), begin(&job)), "print_not_queued");
        farm.world.ok(&system(), end(&job, error));
        let ended: PrintJob = farm.world.get(&job);
        assert_eq!((ended.status, ended.error.as_str()), (expected, error));
        assert_eq!(ended.ended_at, Some(farm.world.time));
        assert_eq!(ended.begun_at, Some(farm.world.time));
        assert_eq!(farm.world.no(&system(), end(&job, "")), "print_ended");
        assert_eq!(farm.world.no(&system(), begin(&job)), "print_not_queued");
    }
}

/// Issues for a printer; the code and the jobs of the certificate.
fn issued_for(farm: &mut Farm, printer: &str) -> (String, Vec<PrintJob>) {
    let lot = farm.lot.clone();
    let Command::IssueCertificate(mut c) = issue(&mut farm.world, request(&lot, "1")) else {
        panic!("it issues")
    };
    c.printer = Some(printer.into());
    let code = farm.world.ok(&system(), Command::IssueCertificate(c));
    let jobs = farm.world.state().list(BY_CERTIFICATE, &code, 9).unwrap();
    (code, jobs)
}

/// Whatever stops the appliance: a certificate that is issued by itself has its label, on one line.
#[test]
fn a_label_is_queued_on_the_line_that_issues() {
    let (mut farm, _) = farm();
    farm.world.ok(&admin(), Command::GrantAuthorisation(grant(&farm.operator)));
    let (code, jobs) = issued_for(&mut farm, "p1");
    let events = farm.world.last_events();
    assert!(matches!(events[..], [Event::CertificateIssued(_), Event::PrintQueued(_)]));
    assert_eq!(jobs.len(), 1);
    let job = &jobs[0];
    assert_eq!((job.certificate.as_str(), job.printer.as_str(), job.copies), (&*code, "p1", 1));
    assert_eq!((job.status, job.queued_by.as_str()), (PrintStatus::Queued, "system/test"));
    assert_eq!(waiting(&farm, "p1"), std::slice::from_ref(&job.id));
    // The next label of it is another print.
    assert_eq!(farm.world.no(&clerk(), print(&code, "p2", 1)), "already_queued");

    // No printer keeps a certificate from being issued; one that was disabled fails the job when it is taken up.
    for (printer, expected) in [("p9", 0), ("a1", 0), ("p1", 1)] {
        if printer == "p1" {
            farm.world.ok(&admin(), Command::DisableDevice(DisableDevice { id: "p1".into() }));
        }
        assert_eq!(issued_for(&mut farm, printer).1.len(), expected, "{printer}");
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
        (again(&code, &"长".repeat(129)), "reason:too_long"),
        (again(&code, "\u{7}"), "reason:control_characters"),
    ];
    for (command, expected) in cases {
        let case = format!("{command:?}");
        assert_eq!(farm.world.no(&clerk(), command), expected, "{case}");
    }
    farm.world.ok(&clerk(), void(&code));
    assert_eq!(farm.world.no(&clerk(), print(&code, "p1", 1)), "certificate_void");
    let code = farm.issued("10");
    farm.world.ok(&admin(), Command::DisableDevice(DisableDevice { id: "p1".into() }));
    assert_eq!(farm.world.no(&clerk(), print(&code, "p1", 1)), "printer:device_not_approved");
    for command in [begin("job_no"), end("job_no", ""), cancel("job_no"), retry("job_no", "")] {
        assert_eq!(farm.world.no(&system(), command), "no print_job");
    }
}

#[test]
fn what_may_be_on_paper_is_printed_again_only_with_a_reason() {
    // Begun or not, how it ended, and whether a clerk is asked before there is another one.
    for (begun, error, asked) in [
        (true, "", true),
        (true, "printer_timeout|10.0.0.9:9100", true),
        (true, "interrupted", true),
        (true, "label_failed|x", true),
        // Of an appliance that did not note the beginning.
        (false, "interrupted", true),
        (false, "printer_timeout|10.0.0.9:9100", true),
        (false, "printer_unreachable|10.0.0.9:9100", false),
        (false, "printer_refused|10.0.0.9:9100", false),
        (false, "label_failed|x", false),
        (false, "certificate_void", false),
    ] {
        let case = format!("{begun} {error}");
        let (mut farm, code) = farm();
        let job = ended(&mut farm, &code, begun, error);
        let next = print(&code, "p2", 1);
        if asked {
            assert_eq!(farm.world.no(&clerk(), next), "reprint_reason", "{case}");
            assert_eq!(farm.world.no(&clerk(), again(&code, "  ")), "reprint_reason", "{case}");
            let made = farm.world.ok(&clerk(), again(&code, " 标签破损 "));
            assert_eq!(farm.world.get::<PrintJob>(&made).reason, "标签破损", "{case}");
        } else {
            farm.world.ok(&clerk(), next);
        }
        assert_eq!(farm.world.get::<PrintJob>(&job).may_be_on_paper(), asked, "{case}");
    }
}

#[test]
fn the_refusal_tells_when_and_where_it_was_printed() {
    let (mut farm, code) = farm();
    ended(&mut farm, &code, true, "");
    farm.world.time += jiff::SignedDuration::from_hours(1);
    let refused = farm.world.give(&clerk(), print(&code, "p2", 1)).unwrap_err();
    let expected = [("printer", "检测室设备"), ("at", "2026-11-20 16:00")];
    assert_eq!(refused, DomainError::refused("reprint_reason", &expected));
}

#[test]
fn the_second_of_two_clerks_is_told_of_the_first() {
    let (mut farm, code) = farm();
    let both = [print(&code, "p1", 1), print(&code, "p2", 1)];
    let both = both.map(|command| farm.world.envelope(&clerk(), command));
    let answers = farm.world.group(&both);
    let first = answers[0].as_ref().unwrap().id.clone();
    assert_eq!(answers[1].as_ref().unwrap_err().code(), "already_queued");
    // It is asked as long as the first is under way.
    farm.world.ok(&system(), begin(&first));
    assert_eq!(farm.world.no(&clerk(), print(&code, "p1", 1)), "already_queued");
    farm.world.ok(&clerk(), again(&code, "另一箱也要贴"));
    // Another certificate is another matter.
    let other = farm.issued("10");
    farm.world.ok(&clerk(), print(&other, "p1", 1));
}

#[test]
fn only_what_waits_is_taken_back() {
    let (mut farm, code) = farm();
    let job = farm.world.ok(&clerk(), print(&code, "p1", 1));
    farm.world.ok(&farm.producer(), cancel(&job));
    let cancelled: PrintJob = farm.world.get(&job);
    assert_eq!(cancelled.status, PrintStatus::Cancelled);
    assert_eq!(cancelled.ended_at, Some(farm.world.time));
    assert!(waiting(&farm, "p1").is_empty());
    for command in [begin(&job), cancel(&job)] {
        assert_eq!(farm.world.no(&system(), command), "print_not_queued");
    }
    assert_eq!(farm.world.no(&clerk(), retry(&job, "还是要")), "print_not_failed");
    // Nothing came out: nobody is asked.
    let job = farm.world.ok(&clerk(), print(&code, "p1", 1));
    farm.world.ok(&system(), begin(&job));
    assert_eq!(farm.world.no(&clerk(), cancel(&job)), "print_not_queued");
}

#[test]
fn a_void_certificate_does_not_begin_to_print() {
    let (mut farm, code) = farm();
    let job = farm.world.ok(&clerk(), print(&code, "p1", 1));
    farm.world.ok(&clerk(), void(&code));
    assert_eq!(farm.world.no(&system(), begin(&job)), "certificate_void");
    farm.world.ok(&system(), end(&job, "certificate_void"));
    assert_eq!(status(&farm, &job), PrintStatus::Failed);
    assert_eq!(farm.world.no(&clerk(), retry(&job, "还是要")), "certificate_void");
}

#[test]
fn a_failed_job_waits_again_and_is_asked_for_a_reason_where_it_may_have_come_out() {
    let (mut farm, code) = farm();
    let job = ended(&mut farm, &code, false, "printer_unreachable|10.0.0.9:9100");
    farm.world.ok(&farm.producer(), retry(&job, ""));
    let retried: PrintJob = farm.world.get(&job);
    assert_eq!((retried.status, retried.retries), (PrintStatus::Queued, 1));
    assert_eq!((retried.error.as_str(), retried.ended_at), ("", None));
    assert_eq!(retried.queued_by, "user/usr_producer");
    assert_eq!(waiting(&farm, "p1"), std::slice::from_ref(&job));

    farm.world.ok(&system(), begin(&job));
    assert_eq!(farm.world.no(&clerk(), retry(&job, "x")), "print_not_failed");
    farm.world.ok(&system(), end(&job, "interrupted"));
    assert_eq!(farm.world.no(&clerk(), retry(&job, "")), "reprint_reason");
    farm.world.ok(&clerk(), retry(&job, "看过打印机,没有出纸"));
    // The next try reaches nobody; the one before may still have come out.
    farm.world.ok(&system(), end(&job, "printer_unreachable|10.0.0.9:9100"));
    assert_eq!(farm.world.no(&clerk(), retry(&job, "")), "reprint_reason");
    assert_eq!(farm.world.no(&clerk(), print(&code, "p2", 1)), "reprint_reason");
    farm.world.ok(&clerk(), retry(&job, "标签破损"));
    let retried: PrintJob = farm.world.get(&job);
    assert_eq!((retried.retries, retried.reason.as_str()), (3, "标签破损"));

    let disable = |id: &str| Command::DisableDevice(DisableDevice { id: id.into() });
    farm.world.ok(&system(), end(&job, "printer_unreachable|10.0.0.9:9100"));
    farm.world.ok(&admin(), disable("p1"));
    assert_eq!(farm.world.no(&clerk(), retry(&job, "标签破损")), "printer:device_not_approved");
}

#[test]
fn a_job_of_an_old_appliance_stays_uncertain_when_it_is_tried_again() {
    let (mut farm, code) = farm();
    let job = ended(&mut farm, &code, false, "interrupted");
    farm.world.ok(&clerk(), retry(&job, "没有出纸"));
    assert!(farm.world.get::<PrintJob>(&job).may_be_on_paper());
    farm.world.ok(&clerk(), cancel(&job));
    assert_eq!(farm.world.no(&clerk(), print(&code, "p2", 1)), "reprint_reason");
}

#[test]
fn a_job_is_not_tried_again_beside_one_that_came_out_later() {
    let (mut farm, code) = farm();
    let first = ended(&mut farm, &code, false, "printer_unreachable|10.0.0.9:9100");
    let second = ended(&mut farm, &code, true, "");
    assert_ne!(first, second);
    assert_eq!(farm.world.no(&clerk(), retry(&first, "")), "reprint_reason");
    // What it was asked when it was given spoke of the one before: nobody is asked twice.
    farm.world.time += jiff::SignedDuration::from_secs(1);
    let third = farm.world.ok(&clerk(), again(&code, "另一箱也要贴"));
    farm.world.ok(&system(), end(&third, "printer_unreachable|10.0.0.9:9100"));
    farm.world.ok(&clerk(), retry(&third, ""));
}

/// Puts a template on record as the county's, or as a product's.
fn template(farm: &mut Farm, id: &str, size: LabelSize, product: Option<&str>) {
    let made = LabelTemplate {
        id: id.into(),
        name: "样式".into(),
        product: product.map(Into::into),
        brand: None,
        operator: String::new(),
        area: "430321".into(),
        design: LabelDesign::of_size(size),
        closed: (id == "tpl_closed").then(|| "改版".into()),
    };
    let mut overlay = Overlay::new(&farm.world.state);
    overlay.put(&made).unwrap();
    let puts = overlay.into_puts();
    farm.world.state.commit(puts);
}

#[test]
fn a_template_must_go_on_a_roll_and_be_the_products_own() {
    let (mut farm, code) = farm();
    let product = farm.product.clone();
    template(&mut farm, "tpl_roll", LabelSize::W40H30, None);
    template(&mut farm, "tpl_own", LabelSize::W60H40, Some(&product));
    template(&mut farm, "tpl_paper", LabelSize::A4, None);
    template(&mut farm, "tpl_other", LabelSize::W60H40, Some("prd_other"));
    template(&mut farm, "tpl_closed", LabelSize::W60H40, None);
    let with = |template: &str| {
        let template = Some(template.to_owned());
        let reason = "另一种标签".to_owned();
        Command::QueuePrint(QueuePrint { template, reason, ..job(&code, "p1", 1) })
    };
    for (id, expected) in [
        ("tpl_paper", "template:not_a_roll"),
        ("tpl_other", "no label_template"),
        ("tpl_none", "no label_template"),
        ("tpl_closed", "template_closed"),
    ] {
        assert_eq!(farm.world.no(&clerk(), with(id)), expected, "{id}");
    }
    for id in ["tpl_roll", "tpl_own"] {
        let made = farm.world.ok(&clerk(), with(id));
        assert_eq!(farm.world.get::<PrintJob>(&made).template.as_deref(), Some(id));
    }
}

#[test]
fn lines_of_the_first_format_are_read_and_written_as_ever() {
    let queued = r#"{"print_job.queued":{"id":"job_1","certificate":"C","printer":"p1","copies":1,"status":"queued","error":"","queued_at":"2026-11-22T09:18:30.187Z","operator":"opr_1","area":"430321107"}}"#;
    let event: Event = serde_json::from_str(queued).unwrap();
    assert_eq!(serde_json::to_string(&event).unwrap(), queued);
    let command = r#"{"certificate":"C","printer":"p1","copies":1}"#;
    let asked: QueuePrint = serde_json::from_str(command).unwrap();
    assert_eq!(serde_json::to_string(&asked).unwrap(), command, "an old key means the same");
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
