//! What a hand scanner (or a person) types: strips what scanners put around it and tells a trace code
//! from other text. Only the shape is looked at; check characters and whether a code exists are
//! somebody else's business.

use thiserror::Error;

/// Longest text accepted, in characters; a two-dimensional code may hold thousands.
pub const MAX_CHARS: usize = 1024;
/// Characters of a trace code.
pub const CODE_CHARS: usize = 16;

/// One scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// What was scanned, trimmed, as it came. Where a bare [`Content::Code`] turns out unknown, look this
    /// up as a lot number: 16 digits can be either.
    pub text: String,
    /// AIM symbology identifier such as `Q3`, when the scanner sends it (`]Q3…`).
    pub symbology: Option<String>,
    /// What it looks like.
    pub content: Content,
}

/// What a scan looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A trace code, upper case, without separators. From a URL it may have any length up to 64, so that
    /// a misread one is shown as mistyped and not as some unknown text.
    Code {
        /// The code.
        code: String,
        /// Host of the URL it came in, lower case, with its port; `None` when it was bare.
        host: Option<String>,
    },
    /// Anything else, such as a lot number.
    Text,
}

/// Why a scan is of no use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScanError {
    /// Nothing but white space.
    #[error("the scan is empty")]
    Empty,
    /// More than [`MAX_CHARS`].
    #[error("the scan has {chars} characters, at most {MAX_CHARS} are read")]
    TooLong {
        /// Characters sent.
        chars: usize,
    },
    /// A control character inside: two scans run together, or a binary code.
    #[error("control character {code:#04x} at character {at} of the scan")]
    ControlCharacter {
        /// Which.
        code: u32,
        /// Where, from 0, after trimming.
        at: usize,
    },
}

/// Reads one scan.
///
/// ```
/// # use tianyin_devices::scan::{parse, Content};
/// let scan = parse("]Q1HTTPS://TY.EXAMPLE/T/0123456789ABCDEF\r\n")?;
/// assert!(matches!(scan.content, Content::Code { code, .. } if code == "0123456789ABCDEF"));
/// # Ok::<(), tianyin_devices::scan::ScanError>(())
/// ```
pub fn parse(raw: &str) -> Result<Scan, ScanError> {
    // STX and ETX frame a scan on some scanners, the byte order mark comes from files.
    let trimmed = raw
        .trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{2}' | '\u{3}' | '\u{feff}'));
    let chars = trimmed.chars().count();
    if chars > MAX_CHARS {
        return Err(ScanError::TooLong { chars });
    }
    let (symbology, text) = split_symbology(trimmed);
    if text.is_empty() {
        return Err(ScanError::Empty);
    }
    // GS separates the fields of GS1 codes and is part of their text.
    if let Some((at, c)) = text.chars().enumerate().find(|(_, c)| c.is_control() && *c != '\u{1d}')
    {
        return Err(ScanError::ControlCharacter { code: u32::from(c), at });
    }
    let half = half_width(text);
    let content = code_in_url(&half).or_else(|| bare_code(&half)).unwrap_or(Content::Text);
    Ok(Scan { text: text.to_owned(), symbology, content })
}

/// `]` + letter + modifier (ISO/IEC 15424) in front of the data.
fn split_symbology(text: &str) -> (Option<String>, &str) {
    if let [b']', letter, modifier, ..] = text.as_bytes()
        && letter.is_ascii_alphabetic()
        && modifier.is_ascii_alphanumeric()
    {
        return (Some(text[1..3].to_owned()), text[3..].trim());
    }
    (None, text)
}

/// A Chinese input method left on turns what a keyboard scanner types into full-width characters.
fn half_width(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            '\u{3000}' => ' ',
            '。' => '.',
            _ => c,
        })
        .collect()
}

/// `http(s)://host/…/T/CODE`, any case; query, fragment and a last slash are ignored.
fn code_in_url(text: &str) -> Option<Content> {
    let (scheme, rest) = text.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let mut segments = rest[..end].trim_end_matches('/').split('/');
    let host = segments.next().filter(|host| !host.is_empty())?;
    let mut from_end = segments.rev();
    let (code, t) = (from_end.next()?, from_end.next()?);
    if !t.eq_ignore_ascii_case("t") {
        return None;
    }
    let code: String = code.chars().filter(|c| *c != '-').collect();
    let is_code = (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
    is_code.then(|| Content::Code {
        code: code.to_ascii_uppercase(),
        host: Some(host.to_ascii_lowercase()),
    })
}

/// 16 characters, alone or in equal groups; other groupings are lot numbers.
fn bare_code(text: &str) -> Option<Content> {
    let groups: Vec<&str> = text.split(['-', ' ']).collect();
    let code = groups.concat();
    let is_code = code.len() == CODE_CHARS
        && groups.iter().all(|group| group.len() == groups[0].len())
        // U is no character of the code; I, L and O are what people read for 1 and 0.
        && code.bytes().all(|b| b.is_ascii_alphanumeric() && !b.eq_ignore_ascii_case(&b'U'));
    is_code.then(|| Content::Code { code: code.to_ascii_uppercase(), host: None })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn code_of(raw: &str) -> Option<(String, Option<String>)> {
        match parse(raw).unwrap().content {
            Content::Code { code, host } => Some((code, host)),
            Content::Text => None,
        }
    }

    #[test]
    fn codes_in_urls() {
        let table = [
            ("HTTPS://TY.EXAMPLE/T/0123456789ABCDEF", "0123456789ABCDEF", "ty.example"),
            ("https://ty.example/t/0123456789abcdef\r\n", "0123456789ABCDEF", "ty.example"),
            ("http://10.0.0.5:8080/T/0123456789ABCDEF/", "0123456789ABCDEF", "10.0.0.5:8080"),
            (
                "https://hub.example/xiangtan/T/0123456789ABCDEF?s=1#x",
                "0123456789ABCDEF",
                "hub.example",
            ),
            ("https://ty.example/t/0123-4567-89ab-cdef", "0123456789ABCDEF", "ty.example"),
            ("]Q3HTTPS://TY.EXAMPLE/T/0123456789ABCDEF\t", "0123456789ABCDEF", "ty.example"),
            (
                "ＨＴＴＰＳ：／／ＴＹ。ＥＸＡＭＰＬＥ／Ｔ／０１２３４５６７８９ＡＢＣＤＥＦ",
                "0123456789ABCDEF",
                "ty.example",
            ),
            ("https://ty.example/t/SHORT", "SHORT", "ty.example"),
        ];
        for (raw, code, host) in table {
            assert_eq!(code_of(raw), Some((code.into(), Some(host.into()))), "{raw}");
        }
    }

    #[test]
    fn bare_codes() {
        for raw in [
            "0123456789ABCDEF",
            " 0123456789abcdef\r",
            "0123-4567-89AB-CDEF",
            "0123 4567 89ab cdef\n",
            "01234567-89ABCDEF",
            "]C10123456789ABCDEF",
            "\u{2}0123456789ABCDEF\u{3}",
            "０１２３４５６７８９ＡＢＣＤＥＦ",
        ] {
            assert_eq!(code_of(raw), Some(("0123456789ABCDEF".into(), None)), "{raw}");
        }
    }

    #[test]
    fn other_text() {
        for raw in [
            "LOT-2026-1120-0001",
            "XT20261120-00001",
            "0123456789ABCDE",
            "0123456789ABCDEFG",
            "0123456789ABCDEU",
            "0123--456789ABCDEF",
            "湘潭湘莲批次零一二三四五六七八九",
            "https://ty.example/",
            "https://ty.example/T/",
            "https://ty.example/X/0123456789ABCDEF",
            "https:///T/0123456789ABCDEF",
            "ftp://ty.example/T/0123456789ABCDEF",
            "https://ty.example/T/0123%20",
            "TY1.eyJhIjoxfQ.c2ln",
            "]",
            "]Q",
        ] {
            let scan = parse(raw).unwrap();
            assert_eq!((scan.content, scan.text.as_str()), (Content::Text, raw), "{raw}");
        }
    }

    #[test]
    fn the_symbology_is_kept_apart() {
        let scan = parse("]d2LOT 7\r\n").unwrap();
        assert_eq!((scan.symbology.as_deref(), scan.text.as_str()), (Some("d2"), "LOT 7"));
        let gs1 = parse("]C10106901234567892\u{1d}10LOT7").unwrap();
        assert_eq!(gs1.content, Content::Text);
        assert_eq!(parse("LOT 7").unwrap().symbology, None);
    }

    #[test]
    fn useless_scans_are_named() {
        assert_eq!(parse(""), Err(ScanError::Empty));
        assert_eq!(parse(" \t\r\n"), Err(ScanError::Empty));
        assert_eq!(parse("]Q3\r"), Err(ScanError::Empty));
        assert_eq!(parse("A\rB"), Err(ScanError::ControlCharacter { code: 13, at: 1 }));
        assert_eq!(parse("A\0"), Err(ScanError::ControlCharacter { code: 0, at: 1 }));
        assert_eq!(parse(&"莲".repeat(1025)), Err(ScanError::TooLong { chars: 1025 }));
        assert!(parse(&"莲".repeat(1024)).is_ok());
    }

    proptest! {
        #[test]
        fn any_text_is_survived(raw in "\\PC{0,60}|[\\]a-zA-Z0-9:/ T\\-]{0,60}") {
            if let Ok(scan) = parse(&raw) {
                prop_assert!(!scan.text.is_empty());
            }
        }

        #[test]
        fn a_code_is_found_in_every_dress(code in "[0-9A-HJKMNP-TV-Z]{16}", lower: bool, group in 0usize..3) {
            let cut = [16, 4, 8][group];
            let mut dressed = code.as_bytes().chunks(cut).map(|c| std::str::from_utf8(c).unwrap()).collect::<Vec<_>>().join("-");
            if lower {
                dressed.make_ascii_lowercase();
            }
            prop_assert_eq!(code_of(&format!("{dressed}\r\n")), Some((code.clone(), None)));
            prop_assert_eq!(code_of(&format!("http://a.b/t/{dressed}")), Some((code, Some("a.b".into()))));
        }
    }
}
