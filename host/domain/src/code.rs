//! Trace codes: 15 random Crockford characters (75 bits) and a check character.
//!
//! The check makes Σ αⁱ·xᵢ = 0 in GF(2⁵), position 0 being the check itself and α a primitive
//! element. Weights are non-zero, so every single wrong character shows; neighbouring weights
//! differ, so every adjacent swap of two different characters shows.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::id::{CROCKFORD, Random};
use crate::pack::Unit;
use crate::scan::{AreaCount, DayCount, Suspicion};
use crate::state::{Entity, Entry, Index, Table};
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

/// The code of 15 values of 5 bits, with its check character; `None` for any other count.
pub fn of_values(values: &[u8]) -> Option<String> {
    if values.len() != CODE_LENGTH - 1 || values.iter().any(|value| *value > 31) {
        return None;
    }
    let checked = values.iter().copied().chain([check_value(values)]);
    Some(checked.map(|v| CROCKFORD[v as usize] as char).collect())
}

/// The 15 values of a code in its canonical spelling, without the check.
pub fn values_of(code: &str) -> Option<[u8; CODE_LENGTH - 1]> {
    let mut values = [0u8; CODE_LENGTH - 1];
    let letters = code.bytes().take(CODE_LENGTH - 1);
    for (to, letter) in values.iter_mut().zip(letters) {
        *to = u8::try_from(CROCKFORD.iter().position(|known| *known == letter)?).ok()?;
    }
    (code.len() == CODE_LENGTH).then_some(values)
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
    /// Its place in a pack, which then tells what it stands for; such a record begins with the first scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Where it was scanned, as far as that is known, by city; at most [`crate::scan::AREAS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<AreaCount>,
    /// Scans of the last day on which there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<DayCount>,
    /// Its scans look as if it had been copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspicion: Option<Suspicion>,
    /// When the number under its scratch layer was typed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratched_at: Option<Time>,
}

impl Code {
    /// A code that nothing is known of yet.
    pub fn new(code: &str, bound_at: Time) -> Self {
        Self {
            code: code.into(),
            certificate: String::new(),
            lot: String::new(),
            operator: String::new(),
            area: String::new(),
            bound_at,
            scans: 0,
            first_scan_at: None,
            checks: 0,
            last_check_at: None,
            unit: None,
            areas: Vec::new(),
            day: None,
            suspicion: None,
            scratched_at: None,
        }
    }

    /// Whether it stands for a certificate of its own.
    pub fn is_taken(&self) -> bool {
        !self.certificate.is_empty()
    }
}

/// Codes by lot.
pub const BY_LOT: Index = Index("code.lot");
/// Codes of packs that were scanned, by pack.
pub const BY_PACK: Index = Index("code.pack");
/// Codes whose scans are suspicious, by how that stands.
pub const BY_SUSPICION: Index = Index("code.suspicion");

impl Entity for Code {
    const TABLE: Table = Table("code");
    fn id(&self) -> &str {
        &self.code
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        if !self.lot.is_empty() {
            entries.push(Entry::new(BY_LOT, &self.lot, self.bound_at.to_string()));
        }
        if let Some(unit) = &self.unit {
            entries.push(Entry::new(BY_PACK, &unit.pack, format!("{:07}", unit.serial)));
        }
        if let Some(suspicion) = &self.suspicion {
            let at = format!("{:012x}", suspicion.at.as_millisecond());
            entries.push(Entry::new(BY_SUSPICION, suspicion.status.as_str(), at));
        }
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
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
    fn values_and_code_are_one() {
        let code = draw(&mut SeededRandom(3));
        assert_eq!(of_values(&values_of(&code).unwrap()), Some(code));
        assert_eq!((of_values(&[0; 14]), of_values(&[32; 15])), (None, None));
        assert_eq!(values_of("8K2M"), None);
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
