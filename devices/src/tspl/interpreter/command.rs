//! Reads one command line.

use std::fmt;

use super::{MAX_BITMAP_BYTES, Reason};

/// A command that is not a picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    Size {
        width_mm: f64,
        height_mm: Option<f64>,
    },
    Gap {
        gap_mm: f64,
    },
    Direction(u8),
    Reference(i64, i64),
    Density(u8),
    Speed(f64),
    Cls,
    Print {
        copies: u32,
    },
    /// Sounds, feeds and settings that leave the printed picture as it is.
    NoEffectOnPicture,
}

const NO_EFFECT: [&str; 14] = [
    "SOUND", "BEEP", "HOME", "FEED", "BACKFEED", "FORMFEED", "BACKUP", "CODEPAGE", "COUNTRY",
    "SET", "SHIFT", "OFFSET", "BLINE", "EOP",
];

const NOT_DRAWN: [&str; 15] = [
    "TEXT", "BARCODE", "QRCODE", "BLOCK", "BAR", "BOX", "LINE", "CIRCLE", "ELLIPSE", "DMATRIX",
    "PDF417", "PUTBMP", "PUTPCX", "REVERSE", "ERASE",
];

const MAX_WIDTH_MM: f64 = 216.0;
const MAX_HEIGHT_MM: f64 = 1000.0;

impl Command {
    /// Reads a line without its end; `dpi` turns lengths given in dots into millimetres.
    pub(super) fn parse(line: &[u8], dpi: u32) -> Result<Self, Reason> {
        let line = std::str::from_utf8(line).map_err(|_| Reason::Unknown)?.trim();
        let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let word = word.to_ascii_uppercase();
        let args: Vec<&str> = if rest.trim().is_empty() {
            Vec::new()
        } else {
            rest.split(',').map(str::trim).collect()
        };
        match (word.as_str(), args.as_slice()) {
            ("CLS", []) => Ok(Self::Cls),
            ("SIZE", [width]) => {
                Ok(Self::Size { width_mm: length(width, dpi, MAX_WIDTH_MM)?, height_mm: None })
            }
            ("SIZE", [width, height]) => Ok(Self::Size {
                width_mm: length(width, dpi, MAX_WIDTH_MM)?,
                height_mm: Some(length(height, dpi, MAX_HEIGHT_MM)?),
            }),
            ("GAP", [gap] | [gap, _]) => Ok(Self::Gap { gap_mm: length(gap, dpi, 25.4)? }),
            // The second number of DIRECTION mirrors the picture, which no job of ours asks for.
            ("DIRECTION", [n] | [n, "0"]) => Ok(Self::Direction(number(n, 0, 1)? as u8)),
            ("REFERENCE", [x, y]) => {
                Ok(Self::Reference(number(x, -99_999, 99_999)?, number(y, -99_999, 99_999)?))
            }
            ("DENSITY", [n]) => Ok(Self::Density(number(n, 0, 15)? as u8)),
            ("SPEED", [n]) => Ok(Self::Speed(decimal(n, 0.5, 18.0)?)),
            ("PRINT", [sets]) => Ok(Self::Print { copies: number(sets, 1, 999_999)? as u32 }),
            ("PRINT", [sets, each]) => {
                let copies = number(sets, 1, 999_999)? * number(each, 1, 999_999)?;
                Ok(Self::Print { copies: u32::try_from(copies).map_err(|_| Reason::BadParameter)? })
            }
            (word, _) if NO_EFFECT.contains(&word) => Ok(Self::NoEffectOnPicture),
            (word, _) if NOT_DRAWN.contains(&word) => Err(Reason::NotDrawn),
            (
                "CLS" | "SIZE" | "GAP" | "DIRECTION" | "REFERENCE" | "DENSITY" | "SPEED" | "PRINT"
                | "BITMAP",
                _,
            ) => Err(Reason::BadParameter),
            _ => Err(Reason::Unknown),
        }
    }
}

fn number(text: &str, min: i64, max: i64) -> Result<i64, Reason> {
    text.parse().ok().filter(|n| (min..=max).contains(n)).ok_or(Reason::BadParameter)
}

fn decimal(text: &str, min: f64, max: f64) -> Result<f64, Reason> {
    text.parse().ok().filter(|n| (min..=max).contains(n)).ok_or(Reason::BadParameter)
}

/// Millimetres of `60 mm`, `480 dot` or `2.36` (inches).
fn length(text: &str, dpi: u32, max_mm: f64) -> Result<f64, Reason> {
    let text = text.to_ascii_lowercase();
    let (figure, unit_mm) = if let Some(figure) = text.strip_suffix("mm") {
        (figure, 1.0)
    } else if let Some(figure) = text.strip_suffix("dot") {
        (figure, 1.0 / super::image::dots_per_mm(dpi))
    } else {
        (text.as_str(), 25.4)
    };
    Ok(decimal(figure.trim(), 0.0, 100_000.0)? * unit_mm)
        .and_then(|mm| decimal(&mm.to_string(), 0.0, max_mm))
}

/// How a picture meets what is in the image buffer already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DrawMode {
    Overwrite,
    Or,
    Xor,
}

/// `BITMAP x,y,width_bytes,height,mode,` – the data follow the last comma at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BitmapHeader {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width_bytes: usize,
    pub(super) height: usize,
    pub(super) mode: DrawMode,
}

impl BitmapHeader {
    /// The header, if `line` ends exactly where the data of a `BITMAP` command begin.
    pub(super) fn at_end_of(line: &[u8]) -> Option<Result<Self, Reason>> {
        let line = line.trim_ascii_start();
        if line.last() != Some(&b',')
            || line.len() < 7
            || !line[..6].eq_ignore_ascii_case(b"BITMAP")
        {
            return None;
        }
        if !line[6].is_ascii_whitespace() || line.iter().filter(|byte| **byte == b',').count() != 5
        {
            return None;
        }
        Some(Self::parse(&line[6..line.len() - 1]))
    }

    fn parse(args: &[u8]) -> Result<Self, Reason> {
        let args = std::str::from_utf8(args).map_err(|_| Reason::BadParameter)?;
        let args: Vec<&str> = args.split(',').map(str::trim).collect();
        let [x, y, width_bytes, height, mode] = args.as_slice() else {
            return Err(Reason::BadParameter);
        };
        let header = Self {
            x: number(x, -99_999, 99_999)?,
            y: number(y, -99_999, 99_999)?,
            width_bytes: number(width_bytes, 0, 99_999)? as usize,
            height: number(height, 0, 99_999)? as usize,
            mode: match *mode {
                "0" => DrawMode::Overwrite,
                "1" => DrawMode::Or,
                "2" => DrawMode::Xor,
                _ => return Err(Reason::BadParameter),
            },
        };
        if header.data_bytes() > MAX_BITMAP_BYTES { Err(Reason::BadParameter) } else { Ok(header) }
    }

    pub(super) fn data_bytes(&self) -> usize {
        self.width_bytes * self.height
    }
}

impl fmt::Display for BitmapHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BITMAP {},{},{},{}", self.x, self.y, self.width_bytes, self.height)
    }
}
