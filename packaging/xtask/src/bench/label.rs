//! From the request to issue until the last byte of the label has reached the printer.

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tianyin_tests::api::Api;
use tianyin_tests::appliance::Setting;
use tianyin_tests::{Appliance, place};

use super::{Line, Must, median};

const ROUNDS: usize = 15;
const TIMEOUT: Duration = Duration::from_secs(20);

pub(super) fn measure() -> Result<Vec<Line>> {
    let listener = TcpListener::bind(place::local(0)).context("printer")?;
    let setting = Setting { printer: listener.local_addr()?, ..Setting::new()? };
    let printed = printer(listener);
    let appliance = Appliance::start_with(setting)?;
    let api = appliance.api("clerk")?;
    // A kept record is the only basis that needs no test.
    let lot = &appliance.demo.lot("小白菜")?.id;
    let request = json!({ "lot": lot, "quantity": "1", "basis": ["quality_control"] });
    let (mut all_ms, mut issue_ms) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let certificate = api.done("/certificates", &request)?;
        let issued = started.elapsed();
        let code = certificate["content"]["code"].as_str().context("code")?;
        let job = json!({ "certificate": code, "printer": appliance.demo.printer(), "copies": 1 });
        api.done("/print_jobs", &job)?;
        let arrived = printed.recv_timeout(TIMEOUT).context("no label at the printer")?;
        all_ms.push(arrived.duration_since(started).as_secs_f64() * 1000.0);
        issue_ms.push(issued.as_secs_f64() * 1000.0);
    }
    let must = Some(Must::Below(300.0));
    let worst = all_ms.iter().copied().fold(0.0, f64::max);
    Ok(vec![
        Line {
            what: "issue to label at the printer, p50",
            value: median(all_ms)?,
            unit: "ms",
            must,
        },
        Line { what: "issue to label at the printer, worst", value: worst, unit: "ms", must: None },
        Line { what: "of which issue", value: median(issue_ms)?, unit: "ms", must: None },
        Line {
            what: "decide, sign and draw the label, p50",
            value: median(drawn_ms(&api, &request)?)?,
            unit: "ms",
            must: Some(Must::Below(50.0)),
        },
    ])
}

/// From the request to issue until the dots of the label are there, without a printer.
fn drawn_ms(api: &Api, request: &Value) -> Result<Vec<f64>> {
    let mut all_ms = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let certificate = api.done("/certificates", request)?;
        let code = certificate["content"]["code"].as_str().context("code")?;
        let path = format!("/certificates/{code}/label.png?dpi=203");
        api.send("GET", &path, &[], &[])?.expect(200)?;
        all_ms.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(all_ms)
}

/// Tells when the print command of each label has arrived; answers no status queries.
fn printer(listener: TcpListener) -> Receiver<Instant> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut bytes, mut chunk) = (Vec::new(), [0; 16 * 1024]);
            let mut at = None;
            while let Ok(read @ 1..) = stream.read(&mut chunk) {
                bytes.extend_from_slice(&chunk[..read]);
                at = Some(Instant::now());
            }
            let is_label = bytes.windows(5).any(|window| window == b"PRINT");
            if let (true, Some(at)) = (is_label, at)
                && tell.send(at).is_err()
            {
                return;
            }
        }
    });
    told
}
