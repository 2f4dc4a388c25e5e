#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use tianyin_domain::bitmap::Bitmap;

use super::*;
use crate::picture::tests::read_png;
use crate::transport::tcp::{PrintError, TcpPrinter, Timeouts};
use crate::tspl::interpreter::Reason;
use crate::tspl::{LabelJob, encode};

const SOON: Duration = Duration::from_secs(5);

fn start(folder: Option<&Path>, fault: Fault) -> (PrinterSim, TcpPrinter, Receiver<Report>) {
    let (tx, rx) = channel();
    let options = Options {
        addr: "127.0.0.1:0".parse().unwrap(),
        dpi: 203,
        folder: folder.map(Path::to_owned),
        fault,
    };
    let sim = PrinterSim::start(options, move |report| tx.send(report).unwrap_or(())).unwrap();
    let timeouts = Timeouts {
        connect_ms: 1_000,
        write_ms: 1_000,
        job_ms: 5_000,
        status_ms: 2_000,
        settle_ms: 300,
    };
    let printer = TcpPrinter { addr: sim.addr().to_string(), timeouts, ask_status: true };
    (sim, printer, rx)
}

fn label(seed: u32) -> Bitmap {
    let mut bitmap = Bitmap::white(480, 320);
    for y in 0..320 {
        for x in 0..480 {
            if (x * 7 + y * 13 + seed) % 11 < 3 {
                bitmap.blacken(x, y);
            }
        }
    }
    bitmap
}

fn job(bitmap: &Bitmap, copies: u32) -> Vec<u8> {
    encode(&LabelJob {
        bitmap,
        dpi: 203,
        width_mm: 60.0,
        height_mm: 40.0,
        gap_mm: 2.0,
        copies,
        density: Some(8),
        speed: Some(4),
        offset: (0, 0),
    })
    .unwrap()
}

#[test]
fn labels_come_out_as_pictures_in_order() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("label-0007.png"), b"of an earlier run").unwrap();
    let (sim, printer, reports) = start(Some(folder.path()), Fault::None);
    for (n, copies) in [(8, 1), (9, 3)] {
        let bitmap = label(n);
        let delivery = printer.send(&job(&bitmap, copies)).unwrap();
        assert_eq!(delivery.status, Some(Status::READY));
        assert!(delivery.closed_by_printer);
        let Report::Printed { path: Some(path), label } = reports.recv_timeout(SOON).unwrap()
        else {
            panic!("no picture");
        };
        assert_eq!(path.file_name().unwrap().to_str().unwrap(), format!("label-{n:04}.png"));
        assert_eq!((label.copies, &label.bitmap), (copies, &bitmap));
        assert_eq!(read_png(&fs::read(&path).unwrap()), bitmap);
    }
    sim.stop();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "no half-written file is left");
}

#[test]
fn off_and_on_again_on_the_same_port() {
    let (sim, printer, reports) = start(None, Fault::Off);
    let bytes = job(&label(1), 1);
    assert!(matches!(printer.send(&bytes), Err(PrintError::Unreachable { .. })));
    sim.set_fault(Fault::None).unwrap();
    printer.send(&bytes).unwrap();
    assert!(matches!(reports.recv_timeout(SOON), Ok(Report::Printed { path: None, .. })));
    sim.set_fault(Fault::Off).unwrap();
    assert!(matches!(printer.send(&bytes), Err(PrintError::Unreachable { .. })));
    assert_eq!(reports.recv_timeout(Duration::from_millis(50)), Err(RecvTimeoutError::Timeout));
}

#[test]
fn a_port_taken_meanwhile_is_an_error() {
    let (sim, _, _) = start(None, Fault::Off);
    let _other = TcpListener::bind(sim.addr()).unwrap();
    assert_eq!(sim.set_fault(Fault::None).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    let addr = sim.addr();
    let options = Options { addr, dpi: 203, folder: None, fault: Fault::None };
    assert!(PrinterSim::start(options, |_| ()).is_err());
}

#[test]
fn without_paper_the_status_says_so_and_labels_wait() {
    let (sim, printer, reports) = start(None, Fault::Status(Problem::PaperOut));
    let bytes = job(&label(1), 1);
    match printer.send(&bytes) {
        Err(PrintError::Status { problem, .. }) => assert_eq!(problem, Problem::PaperOut),
        other => panic!("{other:?}"),
    }
    let blind = TcpPrinter { ask_status: false, ..printer.clone() };
    assert!(!blind.send(&bytes).unwrap().closed_by_printer);
    assert_eq!(reports.recv_timeout(Duration::from_millis(50)), Err(RecvTimeoutError::Timeout));
    sim.set_fault(Fault::None).unwrap();
    assert!(matches!(reports.recv_timeout(SOON), Ok(Report::Printed { .. })));
    assert_eq!(printer.status().unwrap(), Some(Status::READY));
}

#[test]
fn a_reset_in_the_middle_is_reported_on_both_sides() {
    let (sim, printer, reports) = start(None, Fault::ResetAfter { bytes: 1_000 });
    let bytes = job(&label(1), 1);
    let printer =
        TcpPrinter { timeouts: Timeouts { settle_ms: 3_000, ..printer.timeouts }, ..printer };
    match printer.send(&bytes) {
        Err(PrintError::Interrupted { total, .. }) => assert_eq!(total, bytes.len()),
        other => panic!("{other:?}"),
    }
    match reports.recv_timeout(SOON).unwrap() {
        Report::Refused(refusal) => assert_eq!(refusal.reason, Reason::CutShort),
        other => panic!("{other:?}"),
    }
    sim.set_fault(Fault::None).unwrap();
    printer.send(&bytes).unwrap();
    assert!(
        matches!(reports.recv_timeout(SOON), Ok(Report::Printed { .. })),
        "the next job is whole again"
    );
}

#[test]
fn a_slow_printer_is_slow_but_complete() {
    let (_sim, printer, reports) = start(None, Fault::Slow { bytes_per_s: 100_000 });
    let bitmap = label(3);
    let started = Instant::now();
    printer.send(&job(&bitmap, 1)).unwrap();
    let Report::Printed { label, .. } = reports.recv_timeout(SOON).unwrap() else {
        panic!("not printed")
    };
    assert_eq!(label.bitmap, bitmap);
    assert!(started.elapsed() > Duration::from_millis(180), "{:?}", started.elapsed());
}

#[test]
fn a_foreign_language_is_refused_and_a_lost_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (_sim, printer, reports) = start(Some(folder.path()), Fault::None);
    printer.send(b"^XA^FO0,0^FS^XZ\r\n").unwrap();
    match reports.recv_timeout(SOON).unwrap() {
        Report::Refused(refusal) => assert_eq!(refusal.reason, Reason::Unknown),
        other => panic!("{other:?}"),
    }
    fs::remove_dir_all(folder.path()).unwrap();
    printer.send(&job(&label(1), 1)).unwrap();
    assert!(matches!(reports.recv_timeout(SOON), Ok(Report::NotWritten { .. })));
}

#[test]
fn dropping_it_frees_the_port_even_with_a_connection_open() {
    let (sim, _, _) = start(None, Fault::None);
    let addr = sim.addr();
    let _open = TcpStream::connect(addr).unwrap();
    let started = Instant::now();
    drop(sim);
    assert!(started.elapsed() < Duration::from_secs(1));
    assert!(TcpStream::connect(addr).is_err());
}
