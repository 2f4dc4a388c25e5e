//! Tables that come and go as files: CSV (UTF-8, GB18030, UTF-16 as spreadsheets write it) and XLSX.
//!
//! What comes in is untrusted: every size is limited before memory is taken for it, also that of what
//! is packed in an XLSX file. Cells come as text; what a spreadsheet has already spoilt (a long number
//! kept as a float) is said to be so and never guessed.

mod csv_file;
mod write;
mod xlsx;

pub use write::{csv, xlsx};

/// Bytes of a file.
pub const FILE_BYTES_MAX: usize = 8 << 20;
/// Rows of a sheet, the header not counted.
pub const ROWS_MAX: usize = 20_000;
/// Columns of a sheet.
pub const COLUMNS_MAX: usize = 64;
/// Characters of a cell.
pub const CELL_CHARS_MAX: usize = 1000;
/// Bytes of all that is packed in an XLSX file.
pub const UNPACKED_BYTES_MAX: u64 = 128 << 20;
/// Bytes of the text of all cells.
pub const TEXT_BYTES_MAX: usize = 32 << 20;

/// A table as it was in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// Names of the columns, trimmed.
    pub header: Vec<String>,
    /// Rows with anything in them.
    pub rows: Vec<Row>,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line in the sheet, as a spreadsheet numbers it: the first is 1.
    pub line: usize,
    /// As many cells as the header has, trimmed.
    pub cells: Vec<Cell>,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Its text; empty when there is none.
    Text(String),
    /// A number with more digits than a spreadsheet keeps (15): what was typed is lost.
    SpoiltNumber,
    /// Longer than [`CELL_CHARS_MAX`].
    TooLong,
    /// A formula's error such as `#REF!`.
    Error,
}

impl Cell {
    /// The text; `None` when it cannot be used.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn of(text: &str) -> Self {
        let text = text.trim();
        if text.chars().nth(CELL_CHARS_MAX).is_some() {
            return Self::TooLong;
        }
        Self::Text(text.to_owned())
    }
}

/// Why a file is no table for us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// Longer than [`FILE_BYTES_MAX`].
    #[error("the file is too large")]
    FileTooLarge,
    /// An old XLS file, or one locked with a password.
    #[error("an old or encrypted spreadsheet")]
    OldOrLocked,
    /// Neither text nor XLSX.
    #[error("neither CSV nor XLSX: {0}")]
    NotASheet(String),
    /// What is packed in it is larger than [`UNPACKED_BYTES_MAX`].
    #[error("unpacks to too much")]
    UnpacksTooLarge,
    /// More than [`ROWS_MAX`] rows.
    #[error("too many rows")]
    TooManyRows,
    /// More than [`COLUMNS_MAX`] columns.
    #[error("too many columns")]
    TooManyColumns,
    /// No header, or a header and no rows.
    #[error("empty")]
    Empty,
}

/// Reads a file of either kind, by what it holds and not by its name.
///
/// # Errors
/// [`SheetError`]; a single bad cell is no error, it is in its row.
pub fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(SheetError::FileTooLarge);
    }
    let sheet = match bytes {
        // Compound file: XLS up to 2003, and XLSX with a password.
        [0xd0, 0xcf, 0x11, 0xe0, ..] => Err(SheetError::OldOrLocked),
        [b'P', b'K', ..] => xlsx::read(bytes),
        _ => csv_file::read(bytes),
    }?;
    if sheet.header.iter().all(String::is_empty) || sheet.rows.is_empty() {
        return Err(SheetError::Empty);
    }
    Ok(sheet)
}

/// Puts rows together as they are read, within the limits.
#[derive(Default)]
struct Gathering {
    header: Option<Vec<String>>,
    rows: Vec<Row>,
    text_bytes: usize,
}

impl Gathering {
    /// Takes a line; the first with anything in it is the header.
    fn take(&mut self, line: usize, mut cells: Vec<Cell>) -> Result<(), SheetError> {
        if cells.len() > COLUMNS_MAX {
            // Empty columns at the end are what spreadsheets leave behind.
            let used = cells.iter().rposition(|c| c.text() != Some("")).map_or(0, |at| at + 1);
            if used > COLUMNS_MAX {
                return Err(SheetError::TooManyColumns);
            }
            cells.truncate(used);
        }
        if cells.iter().all(|cell| cell.text() == Some("")) {
            return Ok(());
        }
        self.text_bytes += cells.iter().map(|c| c.text().map_or(0, str::len)).sum::<usize>();
        if self.text_bytes > TEXT_BYTES_MAX {
            return Err(SheetError::UnpacksTooLarge);
        }
        match &self.header {
            None => {
                let name = |cell: &Cell| cell.text().unwrap_or_default().to_owned();
                self.header = Some(cells.iter().map(name).collect());
            }
            Some(header) => {
                if self.rows.len() == ROWS_MAX {
                    return Err(SheetError::TooManyRows);
                }
                cells.resize(header.len(), Cell::Text(String::new()));
                self.rows.push(Row { line, cells });
            }
        }
        Ok(())
    }

    fn done(self) -> Sheet {
        Sheet { header: self.header.unwrap_or_default(), rows: self.rows }
    }
}
