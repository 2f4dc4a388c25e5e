//! Bar codes in whole dots: Code 128 and EAN.

use barcoders::sym::code128::Code128;
use barcoders::sym::ean8::EAN8;
use barcoders::sym::ean13::EAN13;
use serde::Serialize;
use tianyin_domain::bitmap::Bitmap;
use tianyin_domain::label_template::{Barcode, BarcodeKind};

use crate::{CertificatePaper, DocumentError};

/// Blank modules at both sides of Code 128 (ISO/IEC 15417).
const QUIET_CODE_128: (usize, usize) = (10, 10);
/// Of EAN-13 and EAN-8 (GS1 general specifications, 5.2.3.4).
const QUIET_EAN_13: (usize, usize) = (11, 7);
const QUIET_EAN_8: (usize, usize) = (7, 7);

/// What the switches to the character sets B and C are called in `barcoders`.
const SET_B: char = '\u{0181}';
const SET_C: char = '\u{0106}';

/// Digits in a row for which changing to set C and back saves room: inside, and at an end.
const RUN_INSIDE: usize = 6;
const RUN_AT_END: usize = 4;

/// The bars and spaces of a bar code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bars {
    dark: Vec<bool>,
    quiet: (usize, usize),
    /// Modules whose bars reach down between the digits.
    guards: Vec<std::ops::Range<usize>>,
    /// What people read beneath.
    pub digits: Vec<Reading>,
}

/// A text beneath the bars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Reading {
    pub text: String,
    /// Its middle in half modules from the left end of the quiet zone.
    pub middle: usize,
}

/// Where bars are drawn, in dots; `left` is the end of the left quiet zone.
#[derive(Debug)]
pub(crate) struct BarDots {
    pub left: u32,
    pub top: u32,
    pub module: u32,
    pub height: u32,
    /// How far guard bars reach below the others.
    pub guard: u32,
}

/// The bar code that a design wants on a certificate; none if it has no number for it.
pub(crate) fn bars_of(
    barcode: Option<&Barcode>,
    certificate: &CertificatePaper,
) -> Result<Option<Bars>, DocumentError> {
    match barcode {
        Some(Barcode { kind: BarcodeKind::Code, .. }) => code_128(&certificate.code).map(Some),
        Some(Barcode { kind: BarcodeKind::LotNo, .. }) if certificate.lot_no.is_empty() => Ok(None),
        Some(Barcode { kind: BarcodeKind::LotNo, .. }) => code_128(&certificate.lot_no).map(Some),
        Some(Barcode { kind: BarcodeKind::Gtin, gtin }) => ean(gtin).map(Some),
        None => Ok(None),
    }
}

/// Encodes printable ASCII as Code 128: set C for runs of digits, set B for the rest.
fn code_128(text: &str) -> Result<Bars, DocumentError> {
    let failed = || DocumentError::BarcodeText { text: text.to_owned(), kind: "Code 128" };
    if text.is_empty() || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(failed());
    }
    let dark = Code128::new(with_sets(text)).map_err(|_| failed())?.encode();
    let quiet = QUIET_CODE_128;
    let middle = quiet.0 * 2 + dark.len();
    Ok(Bars {
        dark: dark.iter().map(|&module| module == 1).collect(),
        quiet,
        guards: Vec::new(),
        digits: vec![Reading { text: text.to_owned(), middle }],
    })
}

/// Puts the switches between character sets into a text.
fn with_sets(text: &str) -> String {
    let mut out = String::new();
    let mut set = None;
    let mut switch = |out: &mut String, to: char| {
        if set.replace(to) != Some(to) {
            out.push(to);
        }
    };
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = rest.bytes().take_while(u8::is_ascii_digit).count();
        let at_end = run == rest.len() || out.is_empty();
        let paired =
            run >= RUN_INSIDE || (at_end && run >= RUN_AT_END) || (run == 2 && run == text.len());
        let (set, taken) = match (paired, run % 2) {
            // An odd run: its first digit stays in set B, but at the start of all its last one.
            (true, 1) if !out.is_empty() => (SET_B, 1),
            (true, odd) => (SET_C, run - odd),
            (false, _) => (SET_B, run.max(first.len_utf8())),
        };
        switch(&mut out, set);
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out
}

/// Encodes a GTIN-13 or GTIN-8.
fn ean(digits: &str) -> Result<Bars, DocumentError> {
    let failed = || DocumentError::BarcodeText { text: digits.to_owned(), kind: "EAN" };
    if !tianyin_domain::label_template::is_gtin(digits) {
        return Err(failed());
    }
    let (dark, quiet, lead, half) = match digits.len() {
        13 => (EAN13::new(digits).map_err(|_| failed())?.encode(), QUIET_EAN_13, 1, 6),
        _ => (EAN8::new(digits).map_err(|_| failed())?.encode(), QUIET_EAN_8, 0, 4),
    };
    // Three modules of guard, half the digits of seven, five of guard, the other half, three.
    let second = 3 + half * 7 + 5;
    let middles = (0..lead)
        .map(|_| 2 * quiet.0 - 11)
        .chain((0..half).map(|at| 2 * (quiet.0 + 3 + at * 7) + 7))
        .chain((0..half).map(|at| 2 * (quiet.0 + second + at * 7) + 7));
    let digits = digits.chars().zip(middles);
    Ok(Bars {
        guards: vec![0..3, second - 5..second, dark.len() - 3..dark.len()],
        dark: dark.iter().map(|&module| module == 1).collect(),
        quiet,
        digits: digits.map(|(digit, middle)| Reading { text: digit.into(), middle }).collect(),
    })
}

impl Bars {
    /// Modules from end to end, quiet zones included.
    pub fn modules(&self) -> u32 {
        (self.quiet.0 + self.dark.len() + self.quiet.1) as u32
    }

    /// Modules without the quiet zones.
    pub fn modules_drawn(&self) -> u32 {
        self.dark.len() as u32
    }

    /// Modules of the left quiet zone.
    pub fn quiet_left(&self) -> u32 {
        self.quiet.0 as u32
    }

    fn is_guard(&self, at: usize) -> bool {
        self.guards.iter().any(|guard| guard.contains(&at))
    }

    /// Draws the bars, whole dots a module.
    pub fn blit(&self, bitmap: &mut Bitmap, at: &BarDots) {
        for (index, _) in self.dark.iter().enumerate().filter(|(_, dark)| **dark) {
            let height = at.height + if self.is_guard(index) { at.guard } else { 0 };
            let left = at.left + index as u32 * at.module;
            for y in at.top..at.top + height {
                (left..left + at.module).for_each(|x| bitmap.blacken(x, y));
            }
        }
    }

    /// The bars without quiet zones as one SVG path, as wide as they have modules.
    pub fn to_svg(&self, height: f64, guard: f64) -> String {
        let width = self.dark.len();
        let mut path = String::new();
        let mut at = 0;
        while at < width {
            let run = self.dark[at..].iter().take_while(|dark| **dark).count();
            if run > 0 {
                let down = height + if self.is_guard(at) { guard } else { 0.0 };
                path += &format!("M{at} 0h{run}v{down}h-{run}z");
            }
            at += run.max(1);
        }
        let whole = height + guard;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{whole}\" \
             viewBox=\"0 0 {width} {whole}\" preserveAspectRatio=\"none\" \
             shape-rendering=\"crispEdges\"><path d=\"{path}\"/></svg>"
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn runs_of_digits_are_packed_in_pairs() {
        for (text, sets) in [
            ("8K2M7Q4D9XPR3TWA", "Ɓ8K2M7Q4D9XPR3TWA"),
            ("12", "Ć12"),
            ("12345", "Ć1234Ɓ5"),
            ("LOT20261120", "ƁLOTĆ20261120"),
            ("LOT202611205", "ƁLOT2Ć02611205"),
            ("A1234B", "ƁA1234B"),
            ("A123456B", "ƁAĆ123456ƁB"),
            ("1234567-8", "Ć123456Ɓ7-8"),
        ] {
            assert_eq!(with_sets(text), sets);
        }
        // Start, four pairs, check, stop: 11 modules each, and 2 to end.
        assert_eq!(code_128("20261120").unwrap().dark.len(), 11 * 7 + 2);
    }

    #[test]
    fn only_what_a_bar_code_can_say_is_encoded() {
        for bad in ["", "批次1", "A\u{7f}"] {
            assert!(matches!(code_128(bad), Err(DocumentError::BarcodeText { .. })), "{bad}");
        }
        for bad in ["", "6901234567893", "690123456789", "96385075"] {
            assert!(matches!(ean(bad), Err(DocumentError::BarcodeText { .. })), "{bad}");
        }
    }

    #[test]
    fn trade_numbers_have_the_widths_of_the_standard() {
        let long = ean("6901234567892").unwrap();
        assert_eq!((long.modules(), long.digits.len()), (113, 13));
        // The last digit stands beneath the last seven modules before the guard.
        assert_eq!(long.digits[12].middle, 2 * (11 + 95 - 3 - 7) + 7);
        let short = ean("96385074").unwrap();
        assert_eq!((short.modules(), short.digits.len()), (81, 8));
        assert_eq!(short.digits[0].middle, 2 * (7 + 3) + 7);
    }

    #[test]
    fn bars_become_whole_dots() {
        let bars = code_128("A1").unwrap();
        let mut bitmap = Bitmap::white(300, 20);
        bars.blit(&mut bitmap, &BarDots { left: 21, top: 4, module: 3, height: 10, guard: 0 });
        for x in 0..300_u32 {
            let dark = x.checked_sub(21).and_then(|x| bars.dark.get(x as usize / 3)) == Some(&true);
            for y in 0..20 {
                assert_eq!(bitmap.is_black(x, y), dark && (4..14).contains(&y), "{x},{y}");
            }
        }
    }
}
