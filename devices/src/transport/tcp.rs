//! Raw printing over TCP, port 9100: connect, send the job, close. There is no protocol above the
//! stream, so success can only mean that the printer's end took every byte and did not reset.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::tspl::status::{Problem, STATUS_QUERY, Status};

/// Port of raw printing.
pub const RAW_PRINT_PORT: u16 = 9100;

/// Bytes handed to the system at once, so that the time of the whole job is watched.
const PIECE_BYTES: usize = 16 * 1024;

/// How long each phase may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To reach the printer, for each of its addresses.
    pub connect_ms: u64,
    /// For the printer to take any more bytes.
    pub write_ms: u64,
    /// For the whole job to be taken.
    pub job_ms: u64,
    /// For an answer to the status query. Many network printers never answer.
    pub status_ms: u64,
    /// For the printer to close its end after the job. Many keep it open.
    pub settle_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_ms: 3_000, write_ms: 10_000, job_ms: 60_000, status_ms: 120, settle_ms: 500 }
    }
}

/// A printer on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpPrinter {
    /// `host`, `host:port`, an IPv4 or IPv6 address; port 9100 where none is given.
    pub addr: String,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Ask for the status first and send nothing when the printer names a problem. Silence is no problem.
    pub ask_status: bool,
}

/// A job the printer took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Bytes of the job.
    pub bytes: usize,
    /// Its status before the job; `None` when it was not asked or did not answer.
    pub status: Option<Status>,
    /// Whether the printer closed its end in order after the last byte. `false` is usual: it only means
    /// that the printer keeps connections open.
    pub closed_by_printer: bool,
}

/// A printer that was reached and names no problem; nothing of a job was sent yet.
#[derive(Debug)]
pub struct OpenPrinter<'a> {
    printer: &'a TcpPrinter,
    stream: TcpStream,
    status: Option<Status>,
}

/// Why a job was not sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PrintError {
    /// The address cannot be read, or the name is not known on this network.
    #[error("printer address {addr:?} is not known: {source}")]
    BadAddress {
        /// As configured.
        addr: String,
        /// The resolver's answer.
        source: io::Error,
    },
    /// Nothing answers there: switched off, unplugged, or another address.
    #[error("printer {addr} cannot be reached: {source}")]
    Unreachable {
        /// As configured.
        addr: String,
        /// The last attempt's error.
        source: io::Error,
    },
    /// The printer took no more bytes in time: paused, stuck, or busy.
    #[error("printer {addr} took {sent} of {total} bytes and then no more in time")]
    TimedOut {
        /// As configured.
        addr: String,
        /// Bytes handed over.
        sent: usize,
        /// Bytes of the job.
        total: usize,
    },
    /// The connection broke; part of the job may have been printed.
    #[error("printer {addr} broke the connection after {sent} of {total} bytes: {source}")]
    Interrupted {
        /// As configured.
        addr: String,
        /// Bytes handed over, not all of them necessarily received.
        sent: usize,
        /// Bytes of the job.
        total: usize,
        /// The system's error.
        source: io::Error,
    },
    /// The printer says that it cannot print; nothing was sent.
    #[error("printer {addr} cannot print: {problem}")]
    Status {
        /// As configured.
        addr: String,
        /// What is wrong.
        problem: Problem,
    },
}

impl TcpPrinter {
    /// A printer with the default time limits, asked for its status before each job.
    pub fn new(addr: impl Into<String>) -> Self {
        Self { addr: addr.into(), timeouts: Timeouts::default(), ask_status: true }
    }

    /// Sends one job and returns when the printer's end has taken all of it.
    pub fn send(&self, job: &[u8]) -> Result<Delivery, PrintError> {
        self.open()?.send(job)
    }

    /// Reaches the printer and asks for its status. Whatever goes wrong here, nothing was printed.
    pub fn open(&self) -> Result<OpenPrinter<'_>, PrintError> {
        let mut stream = self.connect()?;
        let mut status = None;
        if self.ask_status {
            status = self.ask(&mut stream)?;
            if let Some(problem) = status.and_then(Status::problem) {
                return Err(PrintError::Status { addr: self.addr.clone(), problem });
            }
        }
        Ok(OpenPrinter { printer: self, stream, status })
    }

    /// Asks for the status only; `None` when the printer does not answer.
    pub fn status(&self) -> Result<Option<Status>, PrintError> {
        let mut stream = self.connect()?;
        self.ask(&mut stream)
    }

    fn connect(&self) -> Result<TcpStream, PrintError> {
        let bad = |source| PrintError::BadAddress { addr: self.addr.clone(), source };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for addr in resolve(&self.addr).map_err(bad)? {
            match TcpStream::connect_timeout(&addr, ms(self.timeouts.connect_ms)) {
                Ok(stream) => {
                    // A job is written in large pieces; waiting to fill packets only delays its end.
                    stream.set_nodelay(true).map_err(|source| self.interrupted(0, 0, source))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(PrintError::Unreachable { addr: self.addr.clone(), source: last })
    }

    fn ask(&self, stream: &mut TcpStream) -> Result<Option<Status>, PrintError> {
        self.write(stream, STATUS_QUERY)?;
        let broken = |source| self.interrupted(STATUS_QUERY.len(), STATUS_QUERY.len(), source);
        stream.set_read_timeout(Some(ms(self.timeouts.status_ms))).map_err(broken)?;
        let mut answer = [0];
        loop {
            match stream.read(&mut answer) {
                Ok(0) => return Err(broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => return Ok(Some(Status(answer[0]))),
                Err(error) if is_timeout(&error) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(error)),
            }
        }
    }

    fn write(&self, stream: &mut TcpStream, job: &[u8]) -> Result<(), PrintError> {
        let deadline = Instant::now() + ms(self.timeouts.job_ms);
        let mut sent = 0;
        while sent < job.len() {
            let late = || PrintError::TimedOut { addr: self.addr.clone(), sent, total: job.len() };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(late());
            }
            let wait = left.min(ms(self.timeouts.write_ms));
            let broken = |source| self.interrupted(sent, job.len(), source);
            stream.set_write_timeout(Some(wait)).map_err(broken)?;
            let piece = &job[sent..job.len().min(sent + PIECE_BYTES)];
            match stream.write(piece) {
                Ok(0) => return Err(broken(io::ErrorKind::WriteZero.into())),
                Ok(n) => sent += n,
                Err(error) if is_timeout(&error) => return Err(late()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(error)),
            }
        }
        stream.flush().map_err(|source| self.interrupted(sent, job.len(), source))
    }

    /// Says that the job is over and waits shortly for the printer's close, so that a reset is seen:
    /// the system takes bytes long before the printer does. True when the printer closed in order.
    fn settle(&self, stream: &mut TcpStream, total: usize) -> Result<bool, PrintError> {
        let broken = |source| self.interrupted(total, total, source);
        stream.shutdown(Shutdown::Write).map_err(broken)?;
        let deadline = Instant::now() + ms(self.timeouts.settle_ms);
        let mut unsolicited = [0; 256];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            stream.set_read_timeout(Some(left)).map_err(broken)?;
            match stream.read(&mut unsolicited) {
                Ok(0) => return Ok(true),
                Ok(_) => {}
                Err(error) if is_timeout(&error) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(error)),
            }
        }
    }

    fn interrupted(&self, sent: usize, total: usize, source: io::Error) -> PrintError {
        PrintError::Interrupted { addr: self.addr.clone(), sent, total, source }
    }
}

impl OpenPrinter<'_> {
    /// Sends one job and returns when the printer's end has taken all of it. After an error nobody knows
    /// whether it came out.
    pub fn send(mut self, job: &[u8]) -> Result<Delivery, PrintError> {
        self.printer.write(&mut self.stream, job)?;
        let closed_by_printer = self.printer.settle(&mut self.stream, job.len())?;
        Ok(Delivery { bytes: job.len(), status: self.status, closed_by_printer })
    }
}

/// A zero limit would mean "none" to the system; the least is one millisecond.
fn ms(limit: u64) -> Duration {
    Duration::from_millis(limit.max(1))
}

/// Unix says `WouldBlock` when a socket's time is up, Windows `TimedOut`.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Every address behind what a person configured.
fn resolve(addr: &str) -> io::Result<Vec<SocketAddr>> {
    let addr = addr.trim();
    if let Ok(ip) = addr.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, RAW_PRINT_PORT)]);
    }
    if addr.contains(':') {
        return Ok(addr.to_socket_addrs()?.collect());
    }
    Ok((addr, RAW_PRINT_PORT).to_socket_addrs()?.collect())
}

#[cfg(test)]
mod tests;
