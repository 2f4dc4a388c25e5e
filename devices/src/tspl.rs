//! TSPL, the language of TSC printers and of the many that follow it (Gprinter, Xprinter, Deli,
//! HPRT): encodes one label as a picture. Text is never sent as text, since resident Chinese fonts
//! and code pages differ from printer to printer and a picture prints the same everywhere.
//!
//! Two traps are handled here: TSPL prints where a bit is **0**, the opposite of [`Bitmap`]; and
//! what `BITMAP` carries is binary, may hold CR and LF, and must not be broken into lines.

pub mod interpreter;
pub mod status;

use thiserror::Error;
use tianyin_domain::bitmap::Bitmap;

/// Most copies of one job; more is a typing mistake that would waste a roll.
pub const MAX_COPIES: u32 = 999;
/// Widest label in millimetres (industrial printers end at 8.5 inch).
pub const MAX_WIDTH_MM: f64 = 216.0;
/// Longest label in millimetres.
pub const MAX_HEIGHT_MM: f64 = 1000.0;
/// Widest gap between two labels in millimetres (one inch, the limit TSPL sets).
pub const MAX_GAP_MM: f64 = 25.4;
/// Highest print density TSPL knows.
pub const MAX_DENSITY: u8 = 15;
/// Highest print speed TSPL knows, in inches a second.
pub const MAX_SPEED: u8 = 18;

/// One label to print.
#[derive(Debug, Clone, Copy)]
pub struct LabelJob<'a> {
    /// What to burn, in dots of the printer's own resolution; bit 1 = black.
    pub bitmap: &'a Bitmap,
    /// Resolution of the print head in dots per inch, 203 or 300 as a rule.
    pub dpi: u32,
    /// Width of the label stock in millimetres.
    pub width_mm: f64,
    /// Height of the label stock in millimetres.
    pub height_mm: f64,
    /// Distance between two labels in millimetres; 0 for continuous paper.
    pub gap_mm: f64,
    /// How many of it, 1 to [`MAX_COPIES`].
    pub copies: u32,
    /// Darkness 0 to 15; `None` leaves the printer's own setting.
    pub density: Option<u8>,
    /// Speed in inches a second, 1 to 18; `None` leaves the printer's own setting.
    pub speed: Option<u8>,
    /// Upper left corner of the picture on the label: dots from the left and from the top.
    pub offset: (u32, u32),
}

/// Why a label cannot be encoded.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TsplError {
    /// A number is outside what the language or the stock allows.
    #[error("{field} is {value}, allowed is {min} to {max}")]
    OutOfRange {
        /// Field of [`LabelJob`].
        field: &'static str,
        /// What was given.
        value: f64,
        /// Least allowed.
        min: f64,
        /// Most allowed.
        max: f64,
    },
    /// The picture holds nothing, or its bytes do not match its size.
    #[error("the bitmap of {width} x {height} dots holds {bytes} bytes instead of {expected}")]
    BadBitmap {
        /// Dots per row.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes present.
        bytes: usize,
        /// Bytes needed.
        expected: usize,
    },
    /// The picture with its offset is larger than the label: it was rendered for another stock or
    /// another resolution.
    #[error(
        "{width} x {height} dots from {offset:?} do not fit a label of {page:?} dots at {dpi} dpi"
    )]
    DoesNotFit {
        /// Dots per row.
        width: u32,
        /// Rows.
        height: u32,
        /// Its corner.
        offset: (u32, u32),
        /// Dots of the label.
        page: (u32, u32),
        /// Resolution assumed.
        dpi: u32,
    },
}

/// The bytes to send for one job: set-up, picture and print command, ended by CR LF.
///
/// `REFERENCE 0,0` is sent too, because a printer keeps the origin an earlier program left behind.
pub fn encode(job: &LabelJob<'_>) -> Result<Vec<u8>, TsplError> {
    check(job)?;
    let bitmap = job.bitmap;
    let mut head = format!(
        "SIZE {} mm,{} mm\r\nGAP {} mm,0 mm\r\nDIRECTION 1\r\nREFERENCE 0,0\r\n",
        hundredths(job.width_mm),
        hundredths(job.height_mm),
        hundredths(job.gap_mm)
    );
    if let Some(density) = job.density {
        head.push_str(&format!("DENSITY {density}\r\n"));
    }
    if let Some(speed) = job.speed {
        head.push_str(&format!("SPEED {speed}\r\n"));
    }
    let (x, y) = job.offset;
    head.push_str(&format!("CLS\r\nBITMAP {x},{y},{},{},0,", bitmap.row_bytes(), bitmap.height));
    let mut out = head.into_bytes();
    out.reserve(bitmap.data.len() + 32);
    push_inverted(bitmap, &mut out);
    out.extend_from_slice(format!("\r\nPRINT 1,{}\r\n", job.copies).as_bytes());
    Ok(out)
}

/// Dots that `mm` millimetres take at `dpi`, started dots counted whole. TSPL manuals count 8 dots a
/// millimetre at "203 dpi" and 12 at "300 dpi": 60 mm are 480 dots and 720.
pub fn dots(mm: f64, dpi: u32) -> u32 {
    let dots_per_mm = match dpi {
        203 => 8.0,
        300 => 12.0,
        other => f64::from(other) / 25.4,
    };
    // A hair less, so that rounding noise does not add a dot.
    (mm * dots_per_mm - 1e-6).ceil().max(0.0) as u32
}

fn check(job: &LabelJob<'_>) -> Result<(), TsplError> {
    let range = |field, value: f64, min: f64, max: f64| {
        // Written so that NaN fails.
        if value >= min && value <= max {
            Ok(())
        } else {
            Err(TsplError::OutOfRange { field, value, min, max })
        }
    };
    range("dpi", f64::from(job.dpi), 100.0, 1200.0)?;
    range("width_mm", job.width_mm, 5.0, MAX_WIDTH_MM)?;
    range("height_mm", job.height_mm, 5.0, MAX_HEIGHT_MM)?;
    range("gap_mm", job.gap_mm, 0.0, MAX_GAP_MM)?;
    range("copies", f64::from(job.copies), 1.0, f64::from(MAX_COPIES))?;
    range("density", f64::from(job.density.unwrap_or(0)), 0.0, f64::from(MAX_DENSITY))?;
    range("speed", f64::from(job.speed.unwrap_or(1)), 1.0, f64::from(MAX_SPEED))?;
    let Bitmap { width, height, ref data } = *job.bitmap;
    let expected = job.bitmap.row_bytes().saturating_mul(height as usize);
    if expected == 0 || data.len() != expected {
        return Err(TsplError::BadBitmap { width, height, bytes: data.len(), expected });
    }
    let page = (dots(job.width_mm, job.dpi), dots(job.height_mm, job.dpi));
    let fits =
        |offset: u32, size: u32, page: u32| offset.checked_add(size).is_some_and(|end| end <= page);
    if !fits(job.offset.0, width, page.0) || !fits(job.offset.1, height, page.1) {
        return Err(TsplError::DoesNotFit {
            width,
            height,
            offset: job.offset,
            page,
            dpi: job.dpi,
        });
    }
    Ok(())
}

/// Rounded to hundredths: more digits than that confuse some firmware.
fn hundredths(mm: f64) -> f64 {
    (mm * 100.0).round() / 100.0
}

/// Appends the rows with black as 0; the padding of a row is white (1) whatever the picture holds there.
fn push_inverted(bitmap: &Bitmap, out: &mut Vec<u8>) {
    let padding = match bitmap.width % 8 {
        0 => 0,
        used => 0xFF_u8 >> used,
    };
    for row in bitmap.data.chunks_exact(bitmap.row_bytes()) {
        out.extend(row.iter().map(|byte| !byte));
        if let Some(last) = out.last_mut() {
            *last |= padding;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn job(bitmap: &Bitmap) -> LabelJob<'_> {
        LabelJob {
            bitmap,
            dpi: 203,
            width_mm: 60.0,
            height_mm: 40.0,
            gap_mm: 2.0,
            copies: 1,
            density: None,
            speed: None,
            offset: (0, 0),
        }
    }

    #[test]
    fn a_small_label_byte_by_byte() {
        let mut bitmap = Bitmap::white(10, 2);
        bitmap.blacken(0, 0);
        bitmap.blacken(9, 1);
        let bytes = encode(&LabelJob {
            copies: 3,
            density: Some(8),
            speed: Some(4),
            offset: (16, 5),
            ..job(&bitmap)
        });
        let mut expected = b"SIZE 60 mm,40 mm\r\nGAP 2 mm,0 mm\r\nDIRECTION 1\r\nREFERENCE 0,0\r\nDENSITY 8\r\nSPEED 4\r\nCLS\r\nBITMAP 16,5,2,2,0,".to_vec();
        expected.extend([0x7F, 0xFF, 0xFF, 0xBF]);
        expected.extend(b"\r\nPRINT 1,3\r\n");
        assert_eq!(bytes.unwrap(), expected);
    }

    #[test]
    fn padding_is_white_even_if_the_picture_holds_garbage_there() {
        let bitmap = Bitmap { width: 4, height: 1, data: vec![0xFF] };
        let bytes = encode(&job(&bitmap)).unwrap();
        let at = bytes.windows(3).rposition(|w| w == b",0,").unwrap() + 3;
        assert_eq!(bytes[at], 0x0F);
    }

    #[test]
    fn a_full_label_fits_at_both_resolutions() {
        for (dpi, width, height) in [(203, 480, 320), (300, 720, 480)] {
            let bitmap = Bitmap::white(width, height);
            assert!(encode(&LabelJob { dpi, ..job(&bitmap) }).is_ok(), "{dpi}");
            let wide = Bitmap::white(width + 1, height);
            let error = encode(&LabelJob { dpi, ..job(&wide) }).unwrap_err();
            assert!(matches!(error, TsplError::DoesNotFit { .. }), "{error}");
        }
    }

    #[test]
    fn every_limit_is_checked() {
        let bitmap = Bitmap::white(8, 8);
        let base = job(&bitmap);
        let bad: [(&str, LabelJob<'_>); 9] = [
            ("copies", LabelJob { copies: 0, ..base }),
            ("copies", LabelJob { copies: 1000, ..base }),
            ("density", LabelJob { density: Some(16), ..base }),
            ("speed", LabelJob { speed: Some(0), ..base }),
            ("width_mm", LabelJob { width_mm: f64::NAN, ..base }),
            ("width_mm", LabelJob { width_mm: 300.0, ..base }),
            ("height_mm", LabelJob { height_mm: f64::INFINITY, ..base }),
            ("gap_mm", LabelJob { gap_mm: -0.1, ..base }),
            ("dpi", LabelJob { dpi: 8, ..base }),
        ];
        for (name, job) in bad {
            match encode(&job) {
                Err(TsplError::OutOfRange { field, .. }) => assert_eq!(field, name),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert!(matches!(
            encode(&LabelJob { offset: (u32::MAX, 0), ..base }),
            Err(TsplError::DoesNotFit { .. })
        ));
        for broken in [
            Bitmap { width: 8, height: 8, data: vec![0; 7] },
            Bitmap { width: 0, height: 8, data: vec![] },
            Bitmap { width: 8, height: 0, data: vec![] },
        ] {
            assert!(matches!(encode(&job(&broken)), Err(TsplError::BadBitmap { .. })));
        }
    }

    #[test]
    fn dots_of_common_stock() {
        for (mm, dpi, want) in [
            (60.0, 203, 480),
            (40.0, 203, 320),
            (60.0, 300, 720),
            (40.0, 300, 480),
            (25.4, 600, 600),
        ] {
            assert_eq!(dots(mm, dpi), want, "{mm} mm at {dpi}");
        }
    }
}
