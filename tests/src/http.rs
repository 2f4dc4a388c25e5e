//! A small HTTP/1.1 client: one connection for one request, nothing followed, nothing hidden.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of a name, which is written in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("status {}, not JSON: {}", self.status, self.text()))
    }

    /// The same answer, or an error that shows it, when the status is another one.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(
            self.status == status,
            "expected status {status}, got {}: {}",
            self.status,
            self.text().chars().take(2_000).collect::<String>()
        );
        Ok(self)
    }
}

/// Sends one request and reads the whole answer.
pub fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer> {
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    exchange(address, &bytes).with_context(|| format!("{method} http://{address}{path}"))
}

/// `GET` without further headers.
pub fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    send(address, "GET", path, &[], &[])
}

/// `GET` of a whole URL such as `http://127.0.0.1:8080/T/…`; the scheme may be upper case.
pub fn get_url(url: &str) -> Result<Answer> {
    let scheme = url.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
    scheme.with_context(|| format!("{url} is not an http:// address"))?;
    let (host, path) = url[7..].split_once('/').unwrap_or((&url[7..], ""));
    let address = host.parse().with_context(|| format!("{url}: address of {host}"))?;
    get(address, &format!("/{path}"))
}

/// Sends bytes as they are, and reads the answer to one request.
pub fn exchange(address: SocketAddr, request: &[u8]) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).context("connect")?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    stream.set_nodelay(true)?;
    // A server may answer and close before it has read a body that is too large.
    let sent = stream.write_all(request);
    let mut bytes = Vec::new();
    let read = receive(&mut stream, &mut bytes);
    if bytes.is_empty() {
        sent.context("send")?;
        read.context("receive")?;
    }
    parse(&bytes)
}

/// Reads until the connection or the announced body ends: not every server closes when asked to.
fn receive(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    let mut chunk = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut chunk)?;
        bytes.extend_from_slice(&chunk[..read]);
        if read == 0 || bytes.len() > ANSWER_BYTES_MAX || is_whole(bytes) {
            return Ok(());
        }
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = find(&bytes[..bytes.len().min(64 * 1024)], b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok());
    length.is_some_and(|length| bytes.len() >= end + 4 + length)
}

fn parse(bytes: &[u8]) -> Result<Answer> {
    let end = find(bytes, b"\r\n\r\n").context("the answer has no end of headers")?;
    let head = std::str::from_utf8(&bytes[..end]).context("headers are not UTF-8")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?;
    let status = status.parse().context("status")?;
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').with_context(|| format!("header {line:?}"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer { status, headers, body: bytes[end + 4..].to_vec() };
    if answer.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        answer.body = unchunk(&answer.body)?;
    } else if let Some(length) = answer.header("content-length") {
        let length: usize = length.parse().context("content-length")?;
        if answer.body.len() >= length {
            answer.body.truncate(length);
        } else if !answer.body.is_empty() {
            bail!("the answer was cut: {} of {length} bytes", answer.body.len());
        }
    }
    Ok(answer)
}

fn unchunk(mut bytes: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = find(bytes, b"\r\n").context("chunk without size")?;
        let size = std::str::from_utf8(&bytes[..end])?.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).context("size of a chunk")?;
        if size == 0 {
            return Ok(body);
        }
        let chunk = bytes.get(end + 2..end + 2 + size).context("the answer was cut in a chunk")?;
        body.extend_from_slice(chunk);
        bytes = bytes.get(end + 4 + size..).context("the answer was cut after a chunk")?;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Fields as `application/x-www-form-urlencoded`.
pub fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// Percent-encodes everything but unreserved characters.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn answers_are_read() {
        let plain = parse(b"HTTP/1.1 404 Not Found\r\nX-A: b:c\r\ncontent-length: 2\r\n\r\nhello");
        let plain = plain.unwrap();
        assert_eq!((plain.status, plain.text().as_str()), (404, "he"));
        assert_eq!(plain.header("x-a"), Some("b:c"));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(parse(chunked).unwrap().text(), "abc0123456789");
        for cut in
            [&chunked[..60], b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"]
        {
            assert!(parse(cut).is_err(), "{:?}", String::from_utf8_lossy(cut));
        }
    }

    #[test]
    fn forms_are_encoded() {
        assert_eq!(form(&[("a", "x y&z"), ("名", "1")]), "a=x%20y%26z&%E5%90%8D=1");
    }
}
