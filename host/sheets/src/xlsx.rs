//! XLSX files: the first sheet, cell by cell.

use std::io::{Cursor, Read as _};

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};

use crate::{Cell, Gathering, ROWS_MAX, Sheet, SheetError, UNPACKED_BYTES_MAX};

/// Parts of a file: one with more is no table that people made.
const PARTS_MAX: usize = 1000;
/// Digits that a spreadsheet keeps of a number.
const EXACT_BELOW: f64 = 1e15;

pub(crate) fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    check_unpacked(bytes)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(not_a_sheet)?;
    let name = book.sheet_names().first().cloned().ok_or(SheetError::Empty)?;
    let mut cells = book.worksheet_cells_reader(&name).map_err(not_a_sheet)?;
    let mut gathering = Gathering::default();
    let (mut line, mut row) = (0, Vec::new());
    // Cells come in the order of rows; a file that has them otherwise was not made by a spreadsheet.
    while let Some(cell) = cells.next_cell().map_err(not_a_sheet)? {
        let (at, column) = cell.get_position();
        let (at, column) = (at as usize + 1, column as usize);
        if at != line {
            gathering.take(line, std::mem::take(&mut row))?;
            if at < line {
                return Err(SheetError::NotASheet("rows out of order".into()));
            }
            line = at;
        }
        if line > 2 * ROWS_MAX {
            return Err(SheetError::TooManyRows);
        }
        let value = cell_of(cell.get_value());
        if value.text() == Some("") {
            continue;
        }
        if column >= 4 * crate::COLUMNS_MAX {
            return Err(SheetError::TooManyColumns);
        }
        if row.len() <= column {
            row.resize(column + 1, Cell::Text(String::new()));
        }
        if let Some(place) = row.get_mut(column) {
            *place = value;
        }
    }
    gathering.take(line, row)?;
    Ok(gathering.done())
}

/// What is packed is unpacked once, a bit at a time, before anything is read: sizes in the file may lie.
fn check_unpacked(bytes: &[u8]) -> Result<(), SheetError> {
    let broken = |e: zip::result::ZipError| SheetError::NotASheet(e.to_string());
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    if archive.len() > PARTS_MAX {
        return Err(SheetError::UnpacksTooLarge);
    }
    let mut left = UNPACKED_BYTES_MAX;
    let mut buffer = vec![0; 64 << 10];
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).map_err(broken)?;
        loop {
            let read =
                part.read(&mut buffer).map_err(|e| SheetError::NotASheet(e.to_string()))? as u64;
            if read == 0 {
                break;
            }
            left = left.checked_sub(read).ok_or(SheetError::UnpacksTooLarge)?;
        }
    }
    Ok(())
}

fn cell_of(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::Empty => Cell::Text(String::new()),
        DataRef::String(text) => Cell::of(text),
        DataRef::SharedString(text) => Cell::of(text),
        DataRef::Int(number) => Cell::Text(number.to_string()),
        DataRef::Float(number) if number.abs() >= EXACT_BELOW => Cell::SpoiltNumber,
        // The shortest text that means the number: 12.5, not 12.500000.
        DataRef::Float(number) => Cell::Text(number.to_string()),
        DataRef::Bool(yes) => Cell::Text(yes.to_string()),
        DataRef::DateTime(time) => Cell::of(&day_of(time)),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::of(text),
        DataRef::Error(_) => Cell::Error,
    }
}

/// A day as people here write it in tables.
fn day_of(time: &calamine::ExcelDateTime) -> String {
    let (year, month, day, ..) = time.to_ymd_hms_milli();
    format!("{year:04}-{month:02}-{day:02}")
}

fn not_a_sheet(error: XlsxError) -> SheetError {
    match error {
        XlsxError::Password => SheetError::OldOrLocked,
        other => SheetError::NotASheet(other.to_string()),
    }
}
