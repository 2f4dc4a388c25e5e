//! The list of a million codes on its way to a printing house: the line breaks, again and again, and the pack is
//! cancelled midway.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tianyin_tests::api::Api;
use tianyin_tests::appliance::DemoLot;
use tianyin_tests::http::Answer;
use tianyin_tests::{Appliance, http, journey};

const CODES: usize = 1_000_000;
/// Read of a list before its line breaks, or its pack is cancelled.
const SOME_BYTES: usize = 3 << 20;
/// More than are written at once, so that one that is not given up would hold up the others.
const BROKEN: usize = 9;
/// Most memory the appliance may ever have had, in kB.
const MEMORY_KB_MAX: u64 = 300_000;
const TIMEOUT: Duration = Duration::from_secs(60);
const CANCELLED: &str = "印刷厂丢失了整批标签";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// A list that comes in chunks, as a program reads it.
struct Download {
    stream: BufReader<TcpStream>,
    /// What was read of it and not yet looked at.
    text: Vec<u8>,
    bytes: usize,
}

/// How the reading of a chunk went.
#[derive(Debug, PartialEq, Eq)]
enum Chunk {
    More,
    /// The list is whole.
    End,
    /// The line broke before its end.
    Broken,
}

impl Download {
    fn start(api: &Api, pack: &str) -> Self {
        let mut stream = TcpStream::connect(api.address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let request = format!(
            "GET /api/v1/packs/{pack}/codes.csv HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Connection: close\r\n\r\n",
            api.address,
            api.token()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).unwrap(), 0, "no answer: {head}");
        }
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        assert!(head.contains(&format!("x-rows: {CODES}\r\n")), "{head}");
        Self { stream, text: Vec::new(), bytes: 0 }
    }

    fn chunk(&mut self) -> Chunk {
        match self.read_chunk() {
            Ok(0) => Chunk::End,
            Ok(_) => Chunk::More,
            Err(e) => {
                let stalled = [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&e.kind());
                assert!(!stalled, "nothing comes any more: {e}");
                Chunk::Broken
            }
        }
    }

    /// The size of the chunk, which is zero for the last one.
    fn read_chunk(&mut self) -> std::io::Result<usize> {
        let mut size = String::new();
        if self.stream.read_line(&mut size)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = vec![0_u8; size];
        self.stream.read_exact(&mut chunk)?;
        self.stream.read_exact(&mut [0_u8; 2])?;
        self.text.append(&mut chunk);
        self.bytes += size;
        Ok(size)
    }

    /// Reads on until so much was read of it.
    fn read(&mut self, bytes: usize) {
        while self.bytes < bytes {
            assert_eq!(self.chunk(), Chunk::More, "after {} bytes", self.bytes);
        }
    }

    /// The whole rows that were read since this was last asked.
    fn rows(&mut self) -> Vec<String> {
        let end = self.text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rows: Vec<u8> = self.text.drain(..end).collect();
        String::from_utf8(rows).unwrap().lines().map(str::to_owned).collect()
    }
}

fn order(api: &Api) -> String {
    let order = json!({ "kind": "unit", "size": CODES, "note": "示例印刷厂" });
    let pack = api.done("/packs", &order).unwrap();
    assert_eq!(pack["number"], 1, "{pack}");
    text(&pack["id"])
}

/// The highest memory that the appliance ever had.
fn memory_kb(appliance: &Appliance) -> u64 {
    let file = format!("/proc/{}/status", appliance.service().unwrap().id());
    let status = std::fs::read_to_string(file).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_list_whose_line_breaks_is_given_up_and_the_next_is_whole() {
    let mut appliance = Appliance::start().unwrap();
    let api = appliance.api("admin").unwrap();
    let pack = order(&api);
    for _ in 0..BROKEN {
        let mut download = Download::start(&api, &pack);
        download.read(SOME_BYTES);
        drop(download);
        assert_eq!(appliance.get("/healthz").unwrap().status, 200);
    }

    let mut download = Download::start(&api, &pack);
    let (mut serial, mut more) = (0, true);
    while more {
        more = match download.chunk() {
            Chunk::More => true,
            Chunk::End => false,
            Chunk::Broken => panic!("it broke after {serial} rows"),
        };
        for row in download.rows() {
            // The first line names the columns.
            assert!(serial == 0 || row.starts_with(&format!("P0001-{serial:06},")), "{row}");
            serial += 1;
        }
    }
    assert_eq!(serial, CODES + 1);
    assert!(download.text.is_empty(), "half a row");
    let peak = memory_kb(&appliance);
    assert!(peak < MEMORY_KB_MAX, "{peak} kB");

    // Who took it is on record for each time, also for what broke.
    let cookie = format!("tianyin={}", api.token());
    let page = http::send(api.address, "GET", "/accesses", &[("Cookie", &cookie)], &[]).unwrap();
    let page = page.expect(200).unwrap().text();
    assert_eq!(page.matches("codes-P0001-1-1000000.csv").count(), BROKEN + 1, "{page}");
    let pack = api.get(&format!("/packs/{pack}")).unwrap();
    assert_eq!(pack["counts"]["free"], CODES, "{pack}");
    journey::issued(&appliance, "小白菜", "1").unwrap();
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}

/// A pack of which some codes are in use.
struct Used<'a> {
    appliance: &'a Appliance,
    api: Api,
    pack: String,
    lot: DemoLot,
    /// Codes by their numbers, those of the first rows.
    codes: Vec<String>,
}

impl Used<'_> {
    fn mark(&self, from: u32, to: u32, state: &str, what: (&str, &str)) -> Answer {
        let mut range = json!({ "from": from, "to": to, "state": state });
        range[what.0] = json!(what.1);
        self.api.post(&format!("/packs/{}/ranges", self.pack), &range).unwrap()
    }

    fn marked(&self, from: u32, to: u32, state: &str, what: (&str, &str)) {
        let answer = self.mark(from, to, state, what);
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Refused with a code, and with a sentence that says why.
    fn is_refused(answer: &Answer, code: &str) {
        assert!([409, 422].contains(&answer.status), "{}", answer.text());
        let told = answer.json().unwrap();
        assert_eq!(told["code"], code, "{told}");
        let detail = text(&told["detail"]);
        assert!(detail.contains("取消") && detail.contains(CANCELLED), "{detail}");
    }

    fn code(&self, serial: usize) -> &str {
        &self.codes[serial - 1]
    }

    /// What everybody sees of a code.
    fn page(&self, serial: usize) -> String {
        let path = format!("/t/{}", self.code(serial));
        self.appliance.get(&path).unwrap().expect(200).unwrap().text()
    }

    fn is_valid(&self, serial: usize) {
        let page = self.page(serial);
        for shown in ["真实有效", &self.lot.no, &self.lot.product] {
            assert!(page.contains(shown), "{serial}: {shown} in {page}");
        }
    }

    /// It says that it is void, and why, and nothing of any lot.
    fn is_void(&self, serial: usize, reason: &str) {
        let page = self.page(serial);
        assert!(page.contains("此码已作废") && page.contains(reason), "{serial}: {page}");
        assert!(!page.contains("真实有效") && !page.contains(&self.lot.no), "{serial}: {page}");
        let unit = self.api.get(&format!("/codes/{}", self.code(serial))).unwrap();
        assert_eq!(unit["unit"]["state"], "void", "{unit}");
    }
}

#[test]
fn a_pack_cancelled_midway() {
    let mut appliance = Appliance::start().unwrap();
    journey::issued(&appliance, "小白菜", "50").unwrap();
    let api = appliance.api("admin").unwrap();
    let pack = order(&api);
    let mut download = Download::start(&api, &pack);
    download.read(SOME_BYTES);
    let rows = download.rows();
    let codes = rows.iter().skip(1).map(|row| row.split(',').nth(1).unwrap().to_owned());
    let lot = appliance.demo.lot("小白菜").unwrap().clone();
    let operator = text(&api.get(&format!("/lots/{}", lot.id)).unwrap()["operator"]);
    let used = Used { codes: codes.collect(), appliance: &appliance, api, pack, lot };
    used.marked(1, 600, "bound", ("lot", &used.lot.id));
    used.marked(601, 700, "assigned", ("operator", &operator));
    used.marked(701, 710, "waste", ("reason", "印糊了"));
    used.is_valid(1);
    assert!(used.page(711).contains("此码已印制"));

    // While the list of it is on its way.
    let cancel = json!({ "reason": CANCELLED });
    let path = format!("/packs/{}", used.pack);
    used.api.done(&format!("{path}/cancel"), &cancel).unwrap();
    let end = std::iter::repeat_with(|| download.chunk()).find(|chunk| *chunk != Chunk::More);
    assert_eq!(end, Some(Chunk::Broken), "half a list passes for a whole one");
    let all = rows.len() + download.rows().len();
    assert!(all < CODES, "{all} rows");

    // What is bound stays good, all else is dead: nothing told yet, handed out, and the last of them.
    for serial in [1, 600] {
        used.is_valid(serial);
    }
    for serial in [601, 700, 711, 5_000] {
        used.is_void(serial, CANCELLED);
    }
    assert!(used.page(705).contains("此码已登记为损耗"));

    // Nothing more can be done with it, but to void what is bound.
    Used::is_refused(&used.mark(711, 800, "bound", ("lot", &used.lot.id)), "pack_cancelled");
    Used::is_refused(&used.mark(601, 700, "bound", ("lot", &used.lot.id)), "pack_cancelled");
    let handed_out = used.mark(801, 900, "assigned", ("operator", &operator));
    Used::is_refused(&handed_out, "pack_cancelled");
    Used::is_refused(&used.mark(901, 901, "waste", ("reason", "印糊了")), "pack_cancelled");
    let again = used.api.post(&format!("{path}/cancel"), &cancel).unwrap();
    Used::is_refused(&again, "pack_cancelled");
    let list = used.api.send("GET", &format!("{path}/codes.csv"), &[], &[]).unwrap();
    Used::is_refused(&list, "codes_of_cancelled");
    used.marked(600, 600, "void", ("reason", "标签贴错"));
    used.is_void(600, "标签贴错");
    used.is_valid(599);

    // And so it is after a rebuild.
    let told = used.api.get(&path).unwrap();
    assert_eq!(told["pack"]["cancelled"], CANCELLED, "{told}");
    let codes = [1, 600, 601].map(|serial| used.code(serial).to_owned());
    let lot = used.lot.no.clone();
    appliance.stop().unwrap();
    appliance.run(&["rebuild"]).unwrap();
    appliance.run(&["verify"]).unwrap();
    appliance.serve().unwrap();
    let shown = codes.map(|code| appliance.get(&format!("/t/{code}")).unwrap().text());
    assert!(shown[0].contains("真实有效") && shown[0].contains(&lot), "{}", shown[0]);
    for page in &shown[1..] {
        assert!(page.contains("此码已作废") && !page.contains(&lot), "{page}");
    }
}
