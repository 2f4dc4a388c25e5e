#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::TcpListener;
use std::thread;

use super::*;

fn printer(listener: &TcpListener) -> TcpPrinter {
    TcpPrinter {
        addr: listener.local_addr().unwrap().to_string(),
        timeouts: Timeouts {
            connect_ms: 500,
            write_ms: 200,
            job_ms: 1_000,
            status_ms: 100,
            settle_ms: 100,
        },
        ask_status: false,
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn addresses_as_people_write_them() {
    let table = [
        ("192.0.2.7", "192.0.2.7:9100"),
        (" 192.0.2.7 ", "192.0.2.7:9100"),
        ("192.0.2.7:9101", "192.0.2.7:9101"),
        ("2001:db8::7", "[2001:db8::7]:9100"),
        ("[2001:db8::7]", "[2001:db8::7]:9100"),
        ("[2001:db8::7]:9101", "[2001:db8::7]:9101"),
    ];
    for (written, meant) in table {
        assert_eq!(resolve(written).unwrap(), [meant.parse().unwrap()], "{written}");
    }
    for bad in ["", "192.0.2.7:", "192.0.2.7:99999", "a b"] {
        let error = TcpPrinter::new(bad).send(b"x").unwrap_err();
        assert!(matches!(error, PrintError::BadAddress { .. }), "{bad}: {error}");
    }
}

#[test]
fn a_printer_that_is_off_is_unreachable() {
    let gone = listener();
    let printer = printer(&gone);
    drop(gone);
    let error = printer.send(b"x").unwrap_err();
    assert!(matches!(error, PrintError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&printer.addr));
}

#[test]
fn every_byte_arrives_and_an_orderly_close_is_seen() {
    let listener = listener();
    let printer = printer(&listener);
    let job: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let reader = thread::spawn(move || {
        let mut got = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut got).unwrap();
        got
    });
    let delivery = printer.send(&job).unwrap();
    assert_eq!(delivery, Delivery { bytes: job.len(), status: None, closed_by_printer: true });
    assert_eq!(reader.join().unwrap(), job);
}

#[test]
fn reaching_a_printer_sends_nothing_of_a_job() {
    let listener = listener();
    let printer = printer(&listener);
    let reader = thread::spawn(move || {
        let mut got = [Vec::new(), Vec::new()];
        for got in &mut got {
            listener.accept().unwrap().0.read_to_end(got).unwrap();
        }
        got
    });
    drop(printer.open().unwrap());
    printer.open().unwrap().send(b"CLS\r\n").unwrap();
    assert_eq!(reader.join().unwrap(), [b"".to_vec(), b"CLS\r\n".to_vec()]);
}

#[test]
fn a_silent_printer_that_keeps_the_line_open_is_fine() {
    let listener = listener();
    let printer = TcpPrinter { ask_status: true, ..printer(&listener) };
    let delivery = printer.send(b"CLS\r\n").unwrap();
    assert_eq!(delivery, Delivery { bytes: 5, status: None, closed_by_printer: false });
    assert_eq!(printer.status().unwrap(), None);
}

#[test]
fn a_printer_that_takes_nothing_times_out() {
    let listener = listener();
    let printer = printer(&listener);
    let job = vec![0; 32 << 20];
    let start = Instant::now();
    match printer.send(&job).unwrap_err() {
        PrintError::TimedOut { sent, total, .. } => assert!(sent < total && total == job.len()),
        other => panic!("{other}"),
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_reset_after_the_last_byte_was_written_is_not_success() {
    let listener = listener();
    let printer = TcpPrinter {
        timeouts: Timeouts { settle_ms: 3_000, ..Timeouts::default() },
        ..printer(&listener)
    };
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 2]).unwrap();
        // Closing with bytes unread makes the system send a reset.
        stream.peek(&mut [0; 1]).unwrap();
    });
    let error = printer.send(b"CLS\r\nPRINT 1\r\n").unwrap_err();
    assert!(matches!(error, PrintError::Interrupted { .. }), "{error}");
    peer.join().unwrap();
}

#[test]
fn a_problem_stops_the_job_before_it_is_sent() {
    let listener = listener();
    let printer = TcpPrinter { ask_status: true, ..printer(&listener) };
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut query = [0; 3];
        stream.read_exact(&mut query).unwrap();
        stream.write_all(&[0x04]).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        (query, rest)
    });
    match printer.send(b"CLS\r\n").unwrap_err() {
        PrintError::Status { problem, .. } => assert_eq!(problem, Problem::PaperOut),
        other => panic!("{other}"),
    }
    assert_eq!(peer.join().unwrap(), (*STATUS_QUERY, vec![]));
}
