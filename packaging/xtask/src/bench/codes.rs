//! A million codes for a printing house: how long their list takes from the request to its last byte, and how
//! much memory the appliance needed at most.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tianyin_tests::Appliance;
use tianyin_tests::appliance::Setting;

use super::{Line, Must};

const CODES: usize = 1_000_000;
/// What every row begins with, and nothing else in it can be: groups of a code have four letters.
const ROW: &[u8] = b"P0001-";
/// The end of an answer in chunks that is whole.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
const TIMEOUT: Duration = Duration::from_secs(120);

pub(super) fn measure() -> Result<Vec<Line>> {
    let appliance = Appliance::start_with(Setting::new()?)?;
    let api = appliance.api("admin")?;
    let order = json!({ "kind": "unit", "size": CODES, "note": "measured" });
    let pack = api.done("/packs", &order)?;
    ensure!(pack["number"] == 1, "another pack was there: {pack}");
    let id = pack["id"].as_str().context("no pack")?;
    let path = format!("/api/v1/packs/{id}/codes.csv");
    let started = Instant::now();
    let bytes = read_list(&appliance, api.token(), &path)?;
    let took_s = started.elapsed().as_secs_f64();
    let peak = "peak memory with a list of 1,000,000 codes";
    Ok(vec![
        Line {
            what: "list of 1,000,000 codes over HTTP",
            value: took_s,
            unit: "s",
            must: Some(Must::Below(60.0)),
        },
        super::memory_of(&appliance, "VmHWM", peak, Some(Must::Below(300.0)))?,
        Line { what: "the list itself", value: bytes as f64 / 1e6, unit: "MB", must: None },
    ])
}

/// Reads the list as it comes, counts its rows, and keeps none of it; how many bytes it was.
fn read_list(appliance: &Appliance, token: &str, path: &str) -> Result<usize> {
    let mut stream = TcpStream::connect(appliance.setting.http).context("connect")?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let host = appliance.setting.http;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let (mut bytes, mut rows) = (0, 0);
    let (mut kept, mut piece) = (Vec::new(), vec![0; 256 * 1024]);
    let mut head = String::new();
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            break;
        }
        bytes += read;
        kept.extend_from_slice(&piece[..read]);
        if head.is_empty() {
            head = String::from_utf8_lossy(&kept).lines().next().unwrap_or_default().to_owned();
        }
        // What a row or the end may begin with stays for the next round; no row is counted twice.
        rows += kept.windows(ROW.len()).filter(|window| *window == ROW).count();
        let keep = kept.len().min(LAST_CHUNK.len().max(ROW.len()));
        kept.drain(..kept.len() - keep);
        rows -= kept.windows(ROW.len()).filter(|window| *window == ROW).count();
    }
    rows += kept.windows(ROW.len()).filter(|window| *window == ROW).count();
    ensure!(head.contains(" 200 "), "the list was refused: {head}");
    ensure!(kept.ends_with(LAST_CHUNK), "the list broke off after {rows} rows");
    // The name of the file in the answer's head begins so, too.
    ensure!(rows == CODES + 1, "{rows} lines");
    Ok(bytes)
}
