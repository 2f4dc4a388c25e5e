//! The printer's side of TSPL: bytes in, printed labels and answers out. Written from the language,
//! not from the encoder, so that each checks the other.
//!
//! Bytes may arrive in pieces of any size. Only pictures (`BITMAP`) are drawn: text and code commands
//! depend on fonts inside a real printer and are reported as refused rather than guessed.

mod command;
mod image;

use thiserror::Error;
use tianyin_domain::bitmap::Bitmap;

use super::status::Status;
use command::{BitmapHeader, Command};
use image::Image;

/// Longest command line that is read; the rest of a longer one is skipped.
pub const MAX_LINE_BYTES: usize = 4096;
/// Largest picture accepted in one `BITMAP`.
pub const MAX_BITMAP_BYTES: usize = 16 << 20;
/// Refusals reported one by one; garbage beyond that is only counted.
pub const MAX_REFUSALS: u64 = 100;

const ESC: u8 = 0x1B;

/// What came of some bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// `PRINT`: this comes out.
    Label(PrintedLabel),
    /// Bytes to send back to whoever asked.
    Reply(Vec<u8>),
    /// A command that was not carried out.
    Refused(Refusal),
}

/// A label as burnt. The picture stands as it was sent; `direction` says how it leaves the printer.
#[derive(Debug, Clone, PartialEq)]
pub struct PrintedLabel {
    /// The whole label, 1 = black.
    pub bitmap: Bitmap,
    /// How many of it.
    pub copies: u32,
    /// Distance to the next label in millimetres.
    pub gap_mm: f64,
    /// 0 or 1: which edge leaves the printer first.
    pub direction: u8,
    /// Darkness, if it was set.
    pub density: Option<u8>,
    /// Speed in inches a second, if it was set.
    pub speed: Option<f64>,
}

/// A command that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}: {command}")]
pub struct Refusal {
    /// The command, cut to 80 characters, bytes that are no UTF-8 replaced.
    pub command: String,
    /// Why.
    pub reason: Reason,
}

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Reason {
    /// Not a command this printer knows.
    #[error("unknown command")]
    Unknown,
    /// Known, but not drawn by this simulator.
    #[error("not drawn here")]
    NotDrawn,
    /// Wrong number or form of parameters, or outside the limits.
    #[error("bad parameter")]
    BadParameter,
    /// Longer than [`MAX_LINE_BYTES`].
    #[error("line too long")]
    TooLong,
    /// The sender stopped in the middle.
    #[error("cut short")]
    CutShort,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum Expect {
    /// A command line, so far these bytes.
    Line(Vec<u8>),
    /// The rest of a line that is too long.
    LineEnd,
    /// After ESC: two more bytes, so far these.
    Escape(Vec<u8>),
    /// Picture data, so far these bytes.
    Data(BitmapHeader, Vec<u8>),
}

/// A printer's command reader with its image buffer. Starts with 60 x 40 mm labels, as left behind by
/// an earlier job.
#[derive(Debug)]
pub struct Interpreter {
    expect: Expect,
    image: Image,
    status: Status,
    gap_mm: f64,
    direction: u8,
    density: Option<u8>,
    speed: Option<f64>,
    refused: u64,
}

impl Interpreter {
    /// A printer whose head has `dpi` dots per inch (kept within 100 to 600).
    pub fn new(dpi: u32) -> Self {
        Self {
            expect: Expect::Line(Vec::new()),
            image: Image::new(dpi.clamp(100, 600)),
            status: Status::READY,
            gap_mm: 2.0,
            direction: 0,
            density: None,
            speed: None,
            refused: 0,
        }
    }

    /// What a status query is answered with from now on.
    pub fn set_status(&mut self, status: Status) {
        self.status = status;
    }

    /// Commands refused so far.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Reads on; events come in the order of their commands.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            bytes = self.step(bytes, &mut events);
        }
        events
    }

    /// The sender is gone: forgets a half-read command, and reports it if there was one. Settings and
    /// image buffer stay.
    pub fn abort(&mut self) -> Option<Refusal> {
        let half = match std::mem::replace(&mut self.expect, Expect::Line(Vec::new())) {
            Expect::Line(line) | Expect::Escape(line) if line.is_empty() => return None,
            Expect::Line(line) | Expect::Escape(line) => shorten(&line),
            Expect::LineEnd => return None,
            Expect::Data(header, got) => {
                format!("{header} ({} of {} bytes)", got.len(), header.data_bytes())
            }
        };
        self.refused += 1;
        Some(Refusal { command: half, reason: Reason::CutShort })
    }

    /// Takes some bytes off the front and returns the rest.
    fn step<'b>(&mut self, bytes: &'b [u8], events: &mut Vec<Event>) -> &'b [u8] {
        match std::mem::replace(&mut self.expect, Expect::Line(Vec::new())) {
            Expect::Data(header, mut data) => {
                let take = (header.data_bytes() - data.len()).min(bytes.len());
                data.extend_from_slice(&bytes[..take]);
                if data.len() == header.data_bytes() {
                    self.image.draw(&header, &data);
                } else {
                    self.expect = Expect::Data(header, data);
                }
                &bytes[take..]
            }
            Expect::Line(line) => {
                self.line_byte(line, bytes[0], events);
                &bytes[1..]
            }
            Expect::LineEnd => {
                if !is_line_end(bytes[0]) {
                    self.expect = Expect::LineEnd;
                }
                &bytes[1..]
            }
            Expect::Escape(mut sequence) => {
                sequence.push(bytes[0]);
                if sequence.len() < 2 {
                    self.expect = Expect::Escape(sequence);
                } else if sequence == b"!?" {
                    events.push(Event::Reply(vec![self.status.0]));
                } else {
                    self.refuse(&sequence, Reason::Unknown, events);
                }
                &bytes[1..]
            }
        }
    }

    fn line_byte(&mut self, mut line: Vec<u8>, byte: u8, events: &mut Vec<Event>) {
        if byte == ESC && line.is_empty() {
            self.expect = Expect::Escape(Vec::new());
        } else if is_line_end(byte) {
            if !line.trim_ascii().is_empty() {
                self.run(&line, events);
            }
        } else if line.len() >= MAX_LINE_BYTES {
            self.refuse(&line, Reason::TooLong, events);
            self.expect = Expect::LineEnd;
        } else {
            line.push(byte);
            self.expect = match BitmapHeader::at_end_of(&line) {
                None => Expect::Line(line),
                Some(Ok(header)) if header.data_bytes() == 0 => Expect::Line(Vec::new()),
                Some(Ok(header)) => Expect::Data(header, Vec::new()),
                Some(Err(reason)) => {
                    self.refuse(&line, reason, events);
                    Expect::LineEnd
                }
            };
        }
    }

    fn run(&mut self, line: &[u8], events: &mut Vec<Event>) {
        let command = match Command::parse(line, self.image.dpi()) {
            Ok(command) => command,
            Err(reason) => return self.refuse(line, reason, events),
        };
        match command {
            Command::Size { width_mm, height_mm } => self.image.resize(width_mm, height_mm),
            Command::Gap { gap_mm } => self.gap_mm = gap_mm,
            Command::Direction(direction) => self.direction = direction,
            Command::Reference(x, y) => self.image.set_origin(x, y),
            Command::Density(density) => self.density = Some(density),
            Command::Speed(speed) => self.speed = Some(speed),
            Command::Cls => self.image.clear(),
            Command::Print { copies } => events.push(Event::Label(PrintedLabel {
                bitmap: self.image.bitmap().clone(),
                copies,
                gap_mm: self.gap_mm,
                direction: self.direction,
                density: self.density,
                speed: self.speed,
            })),
            Command::NoEffectOnPicture => {}
        }
    }

    fn refuse(&mut self, command: &[u8], reason: Reason, events: &mut Vec<Event>) {
        self.refused += 1;
        if self.refused <= MAX_REFUSALS {
            events.push(Event::Refused(Refusal { command: shorten(command), reason }));
        }
    }
}

fn is_line_end(byte: u8) -> bool {
    byte == b'\r' || byte == b'\n'
}

fn shorten(command: &[u8]) -> String {
    String::from_utf8_lossy(command).chars().take(80).collect()
}

#[cfg(test)]
mod tests;
