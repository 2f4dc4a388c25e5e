//! The sample name: six bytes of GBK, so three Chinese characters, cut where the device cuts them.

use encoding_rs::{DecoderResult, GBK};

/// A name as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Whole characters.
    pub text: String,
    /// What could not be read: its position in the field and why.
    pub flaw: Option<(usize, Flaw)>,
}

/// Why a name is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The field ends inside a character.
    Cut,
    /// Bytes that are no GBK text.
    NotText,
}

/// Longest name field there is.
pub const FIELD_LEN: usize = 6;

/// Reads a name field, padded with NUL or spaces.
pub fn read(field: &[u8; FIELD_LEN]) -> Name {
    let padding = field.iter().rev().take_while(|&&byte| matches!(byte, 0 | b' ')).count();
    let used = &field[..FIELD_LEN - padding];
    // No GBK character contains a control byte: what follows one is left-over memory, not a name.
    match used.iter().position(u8::is_ascii_control) {
        None => decode(used),
        Some(at) => {
            let name = decode(&used[..at]);
            Name { flaw: name.flaw.or(Some((at, Flaw::NotText))), ..name }
        }
    }
}

fn decode(gbk: &[u8]) -> Name {
    let mut decoder = GBK.new_decoder_without_bom_handling();
    // One byte of GBK never becomes more than three of UTF-8.
    let mut utf8 = [0; FIELD_LEN * 3 + 8];
    let (result, read, written) = decoder.decode_to_utf8_without_replacement(gbk, &mut utf8, false);
    let flaw = match result {
        DecoderResult::Malformed(bad, after) => {
            Some((read.saturating_sub(usize::from(bad) + usize::from(after)), Flaw::NotText))
        }
        DecoderResult::InputEmpty | DecoderResult::OutputFull => {
            match decoder.decode_to_utf8_without_replacement(&[], &mut [0; 16], true).0 {
                DecoderResult::Malformed(bad, _) => {
                    Some((gbk.len().saturating_sub(usize::from(bad)), Flaw::Cut))
                }
                DecoderResult::InputEmpty | DecoderResult::OutputFull => None,
            }
        }
    };
    Name { text: String::from_utf8_lossy(&utf8[..written]).into_owned(), flaw }
}
