//! Text files: which encoding, which separator, then the rows.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, UTF_8};

use crate::{Cell, Gathering, Sheet, SheetError};

/// Bytes looked at for the separator.
const HEAD_BYTES: usize = 4096;

pub(crate) fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    let text = decode(bytes)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator(&text))
        .from_reader(text.as_bytes());
    let mut gathering = Gathering::default();
    let mut record = csv::StringRecord::new();
    let mut lines = Lines { bytes: text.as_bytes(), at: 0, line: 1 };
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(gathering.done()),
            Err(error) => return Err(SheetError::NotASheet(error.to_string())),
        }
        let start = record.position().and_then(|at| usize::try_from(at.byte()).ok());
        let line = lines.of(start.unwrap_or(0));
        gathering.take(line, record.iter().map(|text| Cell::of(plain(text))).collect())?;
    }
}

/// Counts lines as a spreadsheet numbers them.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// Of a record that begins at this byte, or after the ends of lines there.
    fn of(&mut self, start: usize) -> usize {
        let is_end = |at: usize| matches!(self.bytes.get(at), Some(b'\r' | b'\n'));
        let first = (start..).find(|at| !is_end(*at)).unwrap_or(start);
        let passed = self.bytes.get(self.at..first).unwrap_or_default();
        self.line += passed.iter().filter(|b| **b == b'\n').count();
        self.at = first;
        self.line
    }
}

/// A leading apostrophe keeps a spreadsheet from taking a text for a formula; it is no part of it.
fn plain(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(crate::write::STARTS_A_FORMULA) => rest,
        _ => text,
    }
}

/// UTF-8 is sure when it decodes; what does not is GB18030, as spreadsheets here write it.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, SheetError> {
    let (encoding, skip) =
        Encoding::for_bom(bytes).unwrap_or(match std::str::from_utf8(bytes).is_ok() {
            true => (UTF_8, 0),
            false => (GB18030, 0),
        });
    let (text, had_errors) = encoding.decode_without_bom_handling(bytes.get(skip..).unwrap_or(&[]));
    // A picture or a program decodes as something now and then; no table holds these.
    let has_controls = text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    if had_errors || has_controls {
        return Err(SheetError::NotASheet("not text".into()));
    }
    Ok(text)
}

/// The one that the first line has most of.
fn separator(text: &str) -> u8 {
    let end = text.floor_char_boundary(HEAD_BYTES.min(text.len()));
    let head = text.get(..end).unwrap_or_default().trim_start();
    let line = head.lines().next().unwrap_or_default();
    let count = |separator: &u8| line.bytes().filter(|b| b == separator).count();
    // Of equals the last wins: a comma.
    [b';', b'\t', b','].into_iter().max_by_key(count).unwrap_or(b',')
}
