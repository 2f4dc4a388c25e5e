//! Logs of web hosts in the combined format of nginx and Apache, plain or gzip'd: which lines are scans.
//! What is in a log is untrusted: whoever visits a page writes a part of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor};
use std::net::IpAddr;
use std::path::PathBuf;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use jiff::fmt::strtime;
use serde::Serialize;
use tianyin_domain::Time;
use tianyin_domain::code::{self, CodeText};

/// Longest line that is read, in bytes.
pub const LINE_BYTES_MAX: usize = 8 << 10;
/// Words in the names of programs that look at pages without anybody scanning a label.
const BOTS: [&str; 11] = [
    "bot",
    "spider",
    "crawl",
    "slurp",
    "curl/",
    "wget/",
    "python-",
    "go-http-client",
    "headless",
    "monitor",
    "uptime",
];

/// A log to read.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// What was sent, with its name.
    Bytes(String, Bytes),
}

impl Source {
    /// Its name for people.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes(name, _) => name.clone(),
        }
    }

    /// Its plain bytes.
    pub fn open(&self) -> io::Result<Box<dyn BufRead>> {
        let mut packed: Box<dyn BufRead> = match self {
            Self::File(path) => Box::new(BufReader::new(File::open(path)?)),
            Self::Bytes(_, bytes) => Box::new(Cursor::new(bytes.clone())),
        };
        // By what is in it: hosts name their old logs as they like.
        let is_gzip = packed.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        Ok(if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(packed))) } else { packed })
    }
}

/// What stands in a log where a line should be.
#[derive(Debug)]
pub enum Piece {
    /// A line without its end.
    Line(String),
    /// A line of more than [`LINE_BYTES_MAX`] bytes, passed over.
    TooLong,
}

/// The next line and the bytes that it took; `None` at the end.
pub fn next(reader: &mut dyn BufRead) -> io::Result<Option<(Piece, u64)>> {
    let mut line = Vec::new();
    let max = LINE_BYTES_MAX as u64 + 1;
    let mut limited = io::Read::take(&mut *reader, max);
    let mut bytes = limited.read_until(b'\n', &mut line)? as u64;
    if bytes == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && bytes == max {
        bytes += skip_line(reader)?;
        return Ok(Some((Piece::TooLong, bytes)));
    }
    // Bytes that are no UTF-8 are in names of browsers and foreign addresses, never in what counts.
    let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
    Ok(Some((Piece::Line(text), bytes)))
}

fn skip_line(reader: &mut dyn BufRead) -> io::Result<u64> {
    let mut bytes = 0;
    loop {
        let there = reader.fill_buf()?;
        let (used, is_end) = match there.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (there.len(), there.is_empty()),
        };
        reader.consume(used);
        bytes += used as u64;
        if is_end {
            return Ok(bytes);
        }
    }
}

/// Why a line does not count for anything. Stable words; the texts are those of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum BadLine {
    /// Longer than a line of a log is.
    #[error("太长 / too long")]
    TooLong,
    /// Not in the combined format.
    #[error("不是 combined 格式 / not in the combined format")]
    Form,
    /// The time cannot be read.
    #[error("时间看不懂 / the time cannot be read")]
    Time,
    /// The time is still to come.
    #[error("时间在将来 / the time is in the future")]
    Future,
    /// The status is no number.
    #[error("状态码不对 / no status")]
    Status,
}

/// What a line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Time,
    /// Who asked, where the host wrote that down. It tells the city and is not kept.
    pub by: Option<IpAddr>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Somebody opened the page of a code.
    Scan(String),
    /// A program did.
    Bot,
    /// Something else: a picture, a page that is not there, the English page of a page that was opened before.
    Other,
}

/// Reads a line: `ADDR - USER [10/Oct/2026:13:55:36 +0800] "GET /T/CODE/ HTTP/1.1" 200 2326 "REFERER" "AGENT"`.
/// Referer and agent may be missing (the common format), something may stand before the address.
///
/// # Errors
/// When it is no such line.
pub fn read(line: &str) -> Result<Told, BadLine> {
    // Names of users may hold brackets, but no quotes: servers escape those.
    let (before, rest) = line.split_once("] \"").ok_or(BadLine::Form)?;
    let (who, time) = before.rsplit_once('[').ok_or(BadLine::Form)?;
    let at = strtime::parse("%d/%b/%Y:%H:%M:%S %z", time).and_then(|time| time.to_timestamp());
    let at = at.map_err(|_| BadLine::Time)?;
    let (request, rest) = quoted(rest).ok_or(BadLine::Form)?;
    let mut fields = rest.trim_start().splitn(3, ' ');
    let status = fields.next().unwrap_or_default();
    let status: u16 = status.parse().map_err(|_| BadLine::Status)?;
    let what = match scanned(request, status) {
        None => What::Other,
        Some(_) if is_bot(agent(fields.nth(1).unwrap_or_default())) => What::Bot,
        Some(code) => What::Scan(code),
    };
    Ok(Told { at, by: address(who), what })
}

/// The first of what stands before the time, or the second where the name of the host is before it. What
/// follows is the name of a user, which the visitor makes up.
fn address(who: &str) -> Option<IpAddr> {
    who.split(' ').take(2).find_map(|word| word.parse().ok())
}

/// What stands up to the next quote that is not escaped, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

/// The second of two quoted texts; empty when it is missing.
fn agent(rest: &str) -> &str {
    let referer = next_quoted(rest);
    referer.and_then(|(_, rest)| next_quoted(rest)).map_or("", |(agent, _)| agent)
}

fn next_quoted(text: &str) -> Option<(&str, &str)> {
    quoted(text.trim_start().strip_prefix('"')?)
}

/// The code whose page a request got. The address without a slash is answered with a redirect, which is no
/// scan; whoever turns to the English page has the other one counted.
fn scanned(request: &str, status: u16) -> Option<String> {
    let mut words = request.split(' ');
    if !matches!(status, 200 | 304) || words.next() != Some("GET") {
        return None;
    }
    let target = words.next()?;
    let path = target.split(['?', '#']).next()?;
    // A host may serve the mirror from a folder of its own.
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    parts.by_ref().find(|part| part.eq_ignore_ascii_case("t"))?;
    let CodeText::Valid(code) = code::parse(parts.next()?) else { return None };
    let file = parts.next();
    (matches!(file, None | Some("index.html")) && parts.next().is_none()).then_some(code)
}

fn is_bot(agent: &str) -> bool {
    // A maker of phones.
    let agent = agent.to_ascii_lowercase().replace("cubot", "");
    BOTS.iter().any(|word| agent.contains(word))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use tianyin_domain::id::SeededRandom;

    use super::*;

    const PHONE: &str = "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.49";

    fn code() -> String {
        code::draw(&mut SeededRandom(5))
    }

    fn line(request: &str, status: &str, agent: &str) -> String {
        format!(
            "203.0.113.9 - - [20/Nov/2026:16:00:05 +0800] \"{request}\" {status} 2326 \"-\" \"{agent}\""
        )
    }

    fn what(request: &str, status: &str, agent: &str) -> What {
        read(&line(request, status, agent)).unwrap().what
    }

    #[test]
    fn lines_of_nginx_and_apache_are_read() {
        let code = code();
        let at: Time = "2026-11-20T08:00:05Z".parse().unwrap();
        let what = What::Scan(code.clone());
        let good = format!("\"GET /T/{code}/ HTTP/1.1\" 200 2326");
        for (form, by) in [
            // Combined, common, Apache's with the host before it, an address of IPv6, a name of a user.
            (
                format!("203.0.113.9 - - [20/Nov/2026:16:00:05 +0800] {good} \"-\" \"{PHONE}\""),
                "203.0.113.9",
            ),
            (format!("203.0.113.9 - - [20/Nov/2026:08:00:05 +0000] {good}"), "203.0.113.9"),
            (format!("trace.cn:80 ::1 - - [20/Nov/2026:03:00:05 -0500] {good} \"-\" \"-\""), "::1"),
            (
                format!(
                    "::1 - a[b] [20/Nov/2026:08:00:05 +0000] {good} \"http://a/?\\\"\" \"{PHONE}\""
                ),
                "::1",
            ),
            // A name in the place of the address, and a user who calls himself like one.
            (format!("phone.lan - 9.9.9.9 [20/Nov/2026:08:00:05 +0000] {good}"), ""),
        ] {
            let told = Told { at, by: by.parse().ok(), what: what.clone() };
            assert_eq!(read(&form), Ok(told), "{form}");
        }
    }

    #[test]
    fn a_scan_is_a_page_that_somebody_got() {
        let code = code();
        let path = format!("/T/{code}");
        for request in [
            format!("GET {path}/ HTTP/1.1"),
            format!("GET {path}/ HTTP/2.0"),
            format!("GET {path}/index.html HTTP/1.1"),
            format!("GET {path}/?from=singlemessage HTTP/1.1"),
            format!("GET /county{path}/ HTTP/1.1"),
            format!("GET http://trace.cn{path} HTTP/1.1"),
            format!("GET {} HTTP/1.1", path.to_lowercase()),
        ] {
            assert_eq!(what(&request, "200", PHONE), What::Scan(code.clone()), "{request}");
            assert_eq!(what(&request, "304", PHONE), What::Scan(code.clone()), "{request}");
            assert_eq!(what(&request, "200", "Googlebot/2.1"), What::Bot, "{request}");
        }
        for request in [
            format!("HEAD {path}/ HTTP/1.1"),
            format!("POST {path}/ HTTP/1.1"),
            format!("GET {path}/en.html HTTP/1.1"),
            format!("GET {path}/label.svg HTTP/1.1"),
            format!("GET {path}/pictures/{} HTTP/1.1", "0a".repeat(32)),
            format!("GET {path}.json HTTP/1.1"),
            format!("GET {path}A/ HTTP/1.1"),
            "GET / HTTP/1.1".into(),
            "GET /T/ HTTP/1.1".into(),
            "GET".into(),
            "\\x16\\x03\\x01".into(),
            String::new(),
        ] {
            assert_eq!(what(&request, "200", PHONE), What::Other, "{request}");
        }
        for status in ["301", "404", "206", "500"] {
            assert_eq!(what(&format!("GET {path}/ HTTP/1.1"), status, PHONE), What::Other);
        }
        for (agent, is_bot) in [
            ("Mozilla/5.0 (compatible; Baiduspider/2.0)", true),
            ("curl/8.5.0", true),
            ("HeadlessChrome/120", true),
            ("Mozilla/5.0 (Linux; Android 10; CUBOT X30)", false),
            ("-", false),
            ("", false),
        ] {
            let found = what(&format!("GET {path}/ HTTP/1.1"), "200", agent);
            assert_eq!(found == What::Bot, is_bot, "{agent}");
        }
    }

    #[test]
    fn bad_lines_have_their_reason() {
        let good = line("GET / HTTP/1.1", "200", PHONE);
        for (bad, why) in [
            (String::new(), BadLine::Form),
            ("half a line".into(), BadLine::Form),
            (good.replace('[', "("), BadLine::Form),
            (good.replace("Nov", "Xov"), BadLine::Time),
            (good.replace("20/Nov", "31/Nov"), BadLine::Time),
            (good.replace(" +0800", ""), BadLine::Time),
            (good.replace("\" 200", "\" -"), BadLine::Status),
            (good.split("/ HTTP").next().unwrap().to_owned(), BadLine::Form),
        ] {
            assert_eq!(read(&bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn plain_and_packed_logs_have_the_same_lines() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let text = format!("one\r\n{long}\n\ntwo \u{fffd}\nend");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let lines = |bytes: &[u8]| {
            let source = Source::Bytes("log".into(), Bytes::copy_from_slice(bytes));
            let mut reader = source.open().unwrap();
            let (mut lines, mut read) = (Vec::new(), 0);
            while let Some((piece, bytes)) = next(&mut *reader).unwrap() {
                lines.push(match piece {
                    Piece::Line(line) => line,
                    Piece::TooLong => "too long".into(),
                });
                read += bytes;
            }
            (lines, read)
        };
        let expected = ["one", "too long", "", "two \u{fffd}", "end"].map(String::from).to_vec();
        assert_eq!(lines(text.as_bytes()), (expected.clone(), text.len() as u64));
        assert_eq!(lines(&packed), (expected, text.len() as u64));
        assert_eq!(lines(b"").0, Vec::<String>::new());
        // The longest line that is read, and a file that ends in the middle of one that is not.
        let whole = "y".repeat(LINE_BYTES_MAX);
        assert_eq!(lines(format!("{whole}\n").as_bytes()).0, vec![whole]);
        assert_eq!(lines(long.as_bytes()).0, vec!["too long".to_owned()]);
    }
}
