//! Labels on their way to simulated printers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;
use tianyin_devices::sim::printer::{Fault, Options, PrinterSim, Report};
use tianyin_domain::certificate::{Basis, CertificateRequest, VoidCertificate};
use tianyin_domain::device::{ApproveDevice, DeviceKind, DisableDevice};
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::print_job::{CancelPrint, QueuePrint, RetryPrint};

use super::*;
use crate::config::Config;

/// Long enough for two pauses of a printer that is away, on a machine that is busy.
const WAIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// The demo county with its printer and another one.
struct County {
    app: Arc<App>,
    lot: Lot,
    _dir: TempDir,
}

/// A printer and the copies of each label that came out of it.
struct Machine {
    sim: PrinterSim,
    labels: Receiver<u32>,
}

impl Machine {
    fn start(fault: Fault) -> Self {
        let (tell, labels) = channel();
        let addr = "127.0.0.1:0".parse().unwrap();
        let options = Options { addr, dpi: 203, folder: None, fault };
        let sim = PrinterSim::start(options, move |report| {
            if let Report::Printed { label, .. } = report {
                let _ = tell.send(label.copies);
            }
        });
        Self { sim: sim.unwrap(), labels }
    }

    fn address(&self) -> String {
        self.sim.addr().to_string()
    }

    /// What has come out up to the label with so many copies.
    fn printed_up_to(&self, last: u32) -> Vec<u32> {
        let mut printed = Vec::new();
        while printed.last() != Some(&last) {
            printed.push(self.labels.recv_timeout(WAIT).expect("a label"));
        }
        printed
    }
}

impl County {
    async fn open(first: &Machine, second: &Machine) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config { data: dir.path().join("data"), ..Config::default() };
        config.disk.ballast_mib = 0;
        let app = App::open(config).unwrap();
        let (password, url) = ("correct-horse-9", "http://127.0.0.1:8080");
        crate::demo::fill(&app, password, url, &first.address()).await.unwrap();
        let state: &dyn State = &app.store;
        let lots: Vec<Lot> = state.list(lot::BY_OPERATOR, "", 50).unwrap();
        let lot = lots.into_iter().find(|lot| lot.product_name.contains("小白菜")).unwrap();
        let county = Self { app, lot, _dir: dir };
        let approve = ApproveDevice {
            id: "printer-2".into(),
            name: "二号打印机".into(),
            kind: DeviceKind::Printer,
            model: String::new(),
            place: String::new(),
            area: county.lot.area.clone(),
            operator: None,
            bench: String::new(),
            decoder: String::new(),
            address: second.address(),
            dpi: 203,
            token_sha256: "aa".into(),
        };
        county.give(Command::ApproveDevice(approve)).await;
        county
    }

    async fn give(&self, command: Command) -> String {
        self.app.submit(&Actor::system("test"), command).await.unwrap().id
    }

    async fn certificate(&self) -> String {
        let quantity = "1".parse().unwrap();
        let basis = vec![Basis::QualityControl];
        let request = CertificateRequest::new(self.lot.id.clone(), quantity, basis);
        self.app.issue(&Actor::system("test"), request, None, &[]).await.unwrap().id
    }

    /// Labels are told apart by their copies.
    async fn queue(&self, certificate: &str, printer: &str, copies: u32) -> String {
        let (certificate, printer) = (certificate.into(), printer.into());
        let job = QueuePrint { certificate, printer, copies, ..QueuePrint::default() };
        self.give(Command::QueuePrint(job)).await
    }

    fn job(&self, id: &str) -> PrintJob {
        self.app.store.get(id).unwrap().unwrap()
    }

    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < WAIT, "{what} never came");
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn ends(&self, id: &str, status: PrintStatus) -> PrintJob {
        self.until(id, || !self.job(id).is_under_way()).await;
        let job = self.job(id);
        assert_eq!(job.status, status, "{job:?}");
        job
    }
}

const FIRST: &str = "printer-hs-01";
const SECOND: &str = "printer-2";

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_printer_that_is_off_comes_out_once_and_holds_up_no_other() {
    let (off, on) = (Machine::start(Fault::Off), Machine::start(Fault::None));
    let county = County::open(&off, &on).await;
    let waits = county.queue(&county.certificate().await, FIRST, 1).await;
    county.until("the try", || county.app.printing.away() == [FIRST]).await;
    assert_eq!(county.job(&waits).status, PrintStatus::Queued);
    assert_eq!(county.job(&waits).begun_at, None);

    let other = county.queue(&county.certificate().await, SECOND, 2).await;
    county.ends(&other, PrintStatus::Printed).await;
    assert_eq!(county.job(&waits).status, PrintStatus::Queued);

    off.sim.set_fault(Fault::None).unwrap();
    let printed = county.ends(&waits, PrintStatus::Printed).await;
    assert!(printed.begun_at.is_some());
    assert!(county.app.printing.away().is_empty());
    // Once a later one has come out, nothing of this one is still to come.
    let last = county.queue(&county.certificate().await, FIRST, 3).await;
    county.ends(&last, PrintStatus::Printed).await;
    assert_eq!((off.printed_up_to(3), on.printed_up_to(2)), (vec![1, 3], vec![2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_begun_at_a_stop_is_for_a_person_and_what_had_not_goes_on() {
    let (printer, other) = (Machine::start(Fault::Off), Machine::start(Fault::None));
    let county = County::open(&printer, &other).await;
    let begun = county.queue(&county.certificate().await, FIRST, 1).await;
    county.give(Command::BeginPrint(BeginPrint { job: begun.clone() })).await;
    let waits = county.queue(&county.certificate().await, FIRST, 2).await;

    // What the next start does.
    let app = county.app.clone();
    tokio::task::spawn_blocking(move || app.resume_prints()).await.unwrap().unwrap();
    let interrupted = county.ends(&begun, PrintStatus::Failed).await;
    assert_eq!(interrupted.error, "interrupted");
    assert_eq!(county.job(&waits).status, PrintStatus::Queued);

    printer.sim.set_fault(Fault::None).unwrap();
    county.ends(&waits, PrintStatus::Printed).await;
    assert_eq!(county.job(&begun).status, PrintStatus::Failed, "not printed again by itself");
    assert_eq!(printer.printed_up_to(2), [2]);

    let retry = |reason: &str| {
        Command::RetryPrint(RetryPrint { job: begun.clone(), reason: reason.into() })
    };
    let refused = county.app.submit(&Actor::system("test"), retry("")).await.unwrap_err();
    assert_eq!(refused.code(), "reprint_reason");
    county.give(retry("看过打印机,没有出纸")).await;
    county.ends(&begun, PrintStatus::Printed).await;
    assert_eq!(printer.printed_up_to(1), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_or_is_void_does_not_come_out() {
    let (printer, other) = (Machine::start(Fault::Off), Machine::start(Fault::None));
    let county = County::open(&printer, &other).await;
    let [cancelled, void] = [county.certificate().await, county.certificate().await];
    let taken_back = county.queue(&cancelled, FIRST, 1).await;
    let of_void = county.queue(&void, FIRST, 2).await;
    let waits = county.queue(&county.certificate().await, FIRST, 3).await;
    county.give(Command::CancelPrint(CancelPrint { job: taken_back.clone() })).await;
    let reason = "重量写错".into();
    county.give(Command::VoidCertificate(VoidCertificate { code: void, reason })).await;

    // The printer is still off: nobody has to wait for it to see this.
    let ended = county.ends(&of_void, PrintStatus::Failed).await;
    assert_eq!(ended.error, "certificate_void");
    printer.sim.set_fault(Fault::None).unwrap();
    county.ends(&waits, PrintStatus::Printed).await;
    county.ends(&taken_back, PrintStatus::Cancelled).await;
    assert_eq!(printer.printed_up_to(3), [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printer_that_breaks_off_or_is_disabled() {
    let broken = Machine::start(Fault::ResetAfter { bytes: 1_000 });
    let off = Machine::start(Fault::Off);
    let county = County::open(&broken, &off).await;
    let job = county.queue(&county.certificate().await, FIRST, 1).await;
    let failed = county.ends(&job, PrintStatus::Failed).await;
    assert_eq!(failed.error, format!("printer_timeout|{}", broken.address()));
    assert!(failed.may_be_on_paper());

    let job = county.queue(&county.certificate().await, SECOND, 1).await;
    county.until("the try", || county.app.printing.away() == [SECOND]).await;
    county.give(Command::DisableDevice(DisableDevice { id: SECOND.into() })).await;
    let failed = county.ends(&job, PrintStatus::Failed).await;
    assert_eq!(failed.error, "printer_disabled");
    assert!(!failed.may_be_on_paper());
}
