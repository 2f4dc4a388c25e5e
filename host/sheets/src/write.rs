//! Tables that go out.

use encoding_rs::GB18030;
use rust_xlsxwriter::{Format, Workbook, XlsxError};

/// A text that begins so is taken for a formula by spreadsheets (OWASP, CSV injection).
pub(crate) const STARTS_A_FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// Column width of a spreadsheet, in characters.
const WIDTH_RANGE: std::ops::RangeInclusive<usize> = 8..=40;

/// A CSV file: UTF-8 with a mark that spreadsheets know it by, or GB18030 for programs that want it.
pub fn csv(header: &[&str], rows: &[Vec<String>], gb18030: bool) -> Vec<u8> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let guarded = |text: &str| match text.starts_with(STARTS_A_FORMULA) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    // Writing to memory does not fail, and records may differ in length.
    let _ = writer.write_record(header);
    for row in rows {
        let _ = writer.write_record(row.iter().map(|cell| guarded(cell)));
    }
    let bytes = writer.into_inner().unwrap_or_default();
    match (gb18030, std::str::from_utf8(&bytes)) {
        (true, Ok(text)) => GB18030.encode(text).0.into_owned(),
        _ => [b"\xef\xbb\xbf", bytes.as_slice()].concat(),
    }
}

/// An XLSX file; every cell is a text, so that a spreadsheet spoils no code or phone number.
///
/// # Errors
/// When the library cannot write it: a title that is no sheet name, more rows than a sheet has.
pub fn xlsx(title: &str, header: &[&str], rows: &[Vec<String>]) -> Result<Vec<u8>, String> {
    let write = || -> Result<Vec<u8>, XlsxError> {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet().set_name(title)?;
        let text = Format::new().set_num_format("@");
        let bold = Format::new().set_bold();
        for (column, name) in (0..).zip(header) {
            let cells = rows.iter().filter_map(|row| row.get(usize::from(column)));
            let widths = cells.map(|cell| width(cell)).chain([width(name)]);
            let widest = widths.max().unwrap_or(0).clamp(*WIDTH_RANGE.start(), *WIDTH_RANGE.end());
            sheet.set_column_width(column, widest as f64 + 2.0)?;
            sheet.write_string_with_format(0, column, *name, &bold)?;
        }
        for (line, row) in (1..).zip(rows) {
            for (column, cell) in (0..).zip(row) {
                sheet.write_string_with_format(line, column, cell, &text)?;
            }
        }
        sheet.set_freeze_panes(1, 0)?;
        book.save_to_buffer()
    };
    write().map_err(|e| e.to_string())
}

/// A Chinese character is as wide as two others.
fn width(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}
