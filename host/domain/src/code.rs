//! Trace codes: 15 random Crockford characters (75 bits) and a check character.
//!
//! The check makes Σ αⁱ·xᵢ = 0 in GF(2⁵), position 0 being the check itself and α a primitive
//! element. Weights are non-zero, so every single wrong character shows; neighbouring weights
//! differ, so every adjacent swap of two different characters shows.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::DomainError;
use crate::id::{CROCKFORD, Random};
use crate::state::{Entity, Entry, Index, Overlay, State, StateError, Table};
use crate::time::Time;

/// Characters of a code, check included.
pub const CODE_LENGTH: usize = 16;
/// Characters of an operator code, check included: short, for it is typed and said, and keeps no secret.
pub const OPERATOR_CODE_LENGTH: usize = 8;

/// Draws a new code.
pub fn draw(random: &mut dyn Random) -> String {
    draw_of::<CODE_LENGTH>(random)
}

/// The code of an operator, which follows from its id: 35 bits of a digest and a check character.
pub fn operator_code(id: &str) -> String {
    draw_of::<OPERATOR_CODE_LENGTH>(&mut OfDigest(Sha256::digest(id).into()))
}

/// Bytes that follow from a digest.
struct OfDigest([u8; 32]);

impl Random for OfDigest {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.iter_mut().zip(self.0.iter().cycle()).for_each(|(to, from)| *to = *from);
    }
}

fn draw_of<const LENGTH: usize>(random: &mut dyn Random) -> String {
    let mut bytes = [0u8; 10];
    random.fill(&mut bytes);
    // Of the longest, 15 characters of 5 bits, 75 of the 80 bits.
    let mut bits = u128::from_be_bytes({
        let mut wide = [0u8; 16];
        wide[6..].copy_from_slice(&bytes);
        wide
    });
    let mut values = [0u8; LENGTH];
    for value in &mut values[..LENGTH - 1] {
        *value = (bits & 31) as u8;
        bits >>= 5;
    }
    values[LENGTH - 1] = check_value(&values[..LENGTH - 1]);
    values.iter().map(|v| CROCKFORD[*v as usize] as char).collect()
}

/// What a text given as a code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeText {
    /// Well formed: the canonical upper-case code.
    Valid(String),
    /// Has a code's length and alphabet, but the check character says one was mistyped.
    Mistyped,
    /// Is not a code at all.
    NotACode,
}

/// Reads a code as people type it: any case, grouped with spaces or dashes, O for 0, I or L for 1.
pub fn parse(text: &str) -> CodeText {
    parse_of::<CODE_LENGTH>(text)
}

/// The same for an operator code.
pub fn parse_operator_code(text: &str) -> CodeText {
    parse_of::<OPERATOR_CODE_LENGTH>(text)
}

fn parse_of<const LENGTH: usize>(text: &str) -> CodeText {
    let mut values = [0u8; LENGTH];
    let mut n = 0;
    for c in text.chars().filter(|c| !matches!(c, '-' | ' ' | '\u{2010}'..='\u{2014}')) {
        let c = match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        };
        let Some(value) = CROCKFORD.iter().position(|k| *k as char == c) else {
            return CodeText::NotACode;
        };
        if n == LENGTH {
            return CodeText::NotACode;
        }
        values[n] = value as u8;
        n += 1;
    }
    if n != LENGTH {
        return CodeText::NotACode;
    }
    if check_value(&values[..LENGTH - 1]) != values[LENGTH - 1] {
        return CodeText::Mistyped;
    }
    CodeText::Valid(values.iter().map(|v| CROCKFORD[*v as usize] as char).collect())
}

/// `8K2M-7Q4D-…`: how a code is printed for people.
pub fn grouped(code: &str) -> String {
    let mut out = String::with_capacity(code.len() + 3);
    for (i, c) in code.chars().enumerate() {
        if i > 0 && i % 4 == 0 {
            out.push('-');
        }
        out.push(c);
    }
    out
}

/// `HTTPS://HOST/T/CODE`, upper case so that a QR uses its alphanumeric mode.
pub fn qr_text(public_url: &str, code: &str) -> String {
    format!("{}/T/{code}", public_url.trim_end_matches('/')).to_uppercase()
}

fn check_value(values: &[u8]) -> u8 {
    let mut sum = 0;
    let mut weight = 1;
    for value in values.iter().rev() {
        weight = times(weight, 2);
        sum ^= times(weight, *value);
    }
    sum
}

/// Product in GF(2⁵) with x⁵ + x² + 1; 2 (that is, x) is primitive.
fn times(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 != 0 {
            product ^= a;
        }
        a <<= 1;
        if a & 0b10_0000 != 0 {
            a ^= 0b10_0101;
        }
        b >>= 1;
    }
    product
}

/// What a code stands for. A code binds once and never shows another lot's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// The code.
    pub code: String,
    /// Certificate it was printed on.
    pub certificate: String,
    /// Lot it was bound to.
    pub lot: String,
    /// Operator.
    pub operator: String,
    /// Region code.
    pub area: String,
    /// When it was bound.
    pub bound_at: Time,
    /// Scans counted so far, from flushed aggregates.
    #[serde(default)]
    pub scans: u64,
    /// First scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_scan_at: Option<Time>,
    /// Market checks (查验) by scanners on record.
    #[serde(default)]
    pub checks: u64,
    /// Last market check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_check_at: Option<Time>,
}

/// Codes by lot.
pub const BY_LOT: Index = Index("code.lot");

impl Entity for Code {
    const TABLE: Table = Table("code");
    fn id(&self) -> &str {
        &self.code
    }
    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(BY_LOT, &self.lot, self.bound_at.to_string())]
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Scans of one code since the last flush.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanCount {
    /// The code.
    pub code: String,
    /// How many.
    pub count: u64,
    /// Time of the first of them.
    pub first_at: Time,
}

/// Event payload: scan counts of a short span; scans are never one event each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScansCounted {
    /// Per code.
    pub counts: Vec<ScanCount>,
}

/// Event payload: a scanner on record read a code at a market or shop (查验).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeChecked {
    /// The code.
    pub code: String,
    /// The scanner.
    pub device: String,
    /// Message that carried it.
    pub message: String,
}

/// Counts only codes that exist.
pub fn decide_scans(
    state: &dyn State,
    counts: Vec<ScanCount>,
) -> Result<Option<ScansCounted>, DomainError> {
    let mut known = Vec::new();
    for count in counts {
        if state.get::<Code>(&count.code)?.is_some() && count.count > 0 {
            known.push(count);
        }
    }
    Ok((!known.is_empty()).then_some(ScansCounted { counts: known }))
}

pub(crate) fn apply_scans(o: &mut Overlay<'_>, event: &ScansCounted) -> Result<(), StateError> {
    for c in &event.counts {
        o.update::<Code>(&c.code, |code| {
            code.scans = code.scans.saturating_add(c.count);
            code.first_scan_at.get_or_insert(c.first_at);
        })?;
    }
    Ok(())
}

pub(crate) fn apply_check(
    o: &mut Overlay<'_>,
    event: &CodeChecked,
    time: Time,
) -> Result<(), StateError> {
    o.update::<Code>(&event.code, |code| {
        code.checks += 1;
        code.last_check_at = Some(time);
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::id::SeededRandom;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_single_substitution_shows(seed: u64, at in 0usize..16, by in 1u8..32) {
            let code = draw(&mut SeededRandom(seed));
            let mut bytes = code.clone().into_bytes();
            let value = CROCKFORD.iter().position(|k| *k == bytes[at]).unwrap() as u8;
            bytes[at] = CROCKFORD[(value ^ by) as usize];
            prop_assert_eq!(parse(std::str::from_utf8(&bytes).unwrap()), CodeText::Mistyped);
        }

        #[test]
        fn every_adjacent_swap_shows(seed: u64, at in 0usize..15) {
            let code = draw(&mut SeededRandom(seed));
            let mut bytes = code.clone().into_bytes();
            prop_assume!(bytes[at] != bytes[at + 1]);
            bytes.swap(at, at + 1);
            prop_assert_eq!(parse(std::str::from_utf8(&bytes).unwrap()), CodeText::Mistyped);
        }

        #[test]
        fn typed_forms_read_back(seed: u64) {
            let code = draw(&mut SeededRandom(seed));
            let typed = grouped(&code).to_lowercase().replace('0', "o").replace('1', "l");
            prop_assert_eq!(parse(&typed), CodeText::Valid(code));
        }
    }

    #[test]
    fn other_texts_are_not_codes() {
        for text in ["", "ABC", "UUUU-UUUU-UUUU-UUUU", "00000000000000000", "中文"] {
            assert_eq!(parse(text), CodeText::NotACode, "{text}");
        }
    }

    #[test]
    fn qr_text_is_upper_case() {
        assert_eq!(qr_text("http://10.0.0.8:8080/", "8K2M"), "HTTP://10.0.0.8:8080/T/8K2M");
    }
}
