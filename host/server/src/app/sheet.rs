//! What every sheet that is brought in has in common: columns found by their headings, faults of a cell
//! in words, what was checked waiting for a person to accept it, and rows written several at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tianyin_domain::apply::apply;
use tianyin_domain::command::{Command, Envelope};
use tianyin_domain::decide::decide;
use tianyin_domain::{Actor, FieldError, Overlay};
use tianyin_sheets::{Cell, Row, Sheet, SheetError};

use super::error::{AppError, field_text};
use crate::edge::{OsRandom, new_token, now};
use crate::texts::{t, t_static, tf};

/// A checked sheet waits this long.
const WAITS: Duration = Duration::from_secs(1800);
/// Checked sheets that wait; the oldest gives way.
const WAITING_MAX: usize = 8;
/// Rows written at once: that many share a sync of the journal.
const AT_ONCE: usize = 16;

/// Reads a file as a sheet.
///
/// # Errors
/// Why it is none, with a code of the catalogue.
pub fn read(bytes: &[u8]) -> Result<Sheet, AppError> {
    tianyin_sheets::read(bytes).map_err(|error| {
        AppError::refused(match error {
            SheetError::FileTooLarge | SheetError::UnpacksTooLarge => "sheet_too_large",
            SheetError::OldOrLocked => "sheet_old",
            SheetError::NotASheet(_) => "sheet_kind",
            SheetError::TooManyRows | SheetError::TooManyColumns => "sheet_too_long",
            SheetError::Empty => "sheet_empty",
        })
    })
}

/// What a sheet looks like.
pub struct Layout {
    /// Columns: their names in the API, which are also the keys of their headings in words.
    pub columns: &'static [&'static str],
    /// Columns without which there is nothing to take in.
    pub required: &'static [&'static str],
    /// Table of the catalogue that holds the headings.
    pub table: &'static str,
}

impl Layout {
    /// What a column is called in the sheet.
    pub fn heading(&self, column: &str) -> &'static str {
        t_static(&format!("{}.{column}", self.table)).unwrap_or_default()
    }

    /// What all columns are called.
    pub fn headings(&self) -> Vec<&'static str> {
        self.columns.iter().map(|column| self.heading(column)).collect()
    }

    /// Where each column stands in a sheet.
    ///
    /// # Errors
    /// `import_columns` when a required one is missing.
    pub fn find(&self, sheet: &Sheet) -> Result<Columns, AppError> {
        let (mut places, mut ignored) = (HashMap::new(), Vec::new());
        for (place, heading) in sheet.header.iter().enumerate() {
            let known = self.columns.iter().find(|c| **c == heading || self.heading(c) == heading);
            match known {
                Some(column) => {
                    places.entry(*column).or_insert(place);
                }
                None if heading.is_empty() => {}
                None => ignored.push(heading.clone()),
            }
        }
        let missing = self.required.iter().filter(|c| !places.contains_key(*c));
        let missing: Vec<&str> = missing.map(|c| self.heading(c)).collect();
        if missing.is_empty() {
            return Ok(Columns { places, ignored });
        }
        Err(AppError::refused_with("import_columns", vec![("columns", missing.join("、"))]))
    }

    /// What cannot be read in a row, whatever it should mean.
    pub fn unreadable(&self, columns: &Columns, row: &Row) -> Vec<String> {
        let code = |column: &&str| match columns.cell(row, column)? {
            Cell::SpoiltNumber => Some("spoilt_number"),
            Cell::TooLong => Some("cell_too_long"),
            Cell::Error => Some("cell_error"),
            Cell::Text(_) => None,
        };
        let faults = self.columns.iter().filter_map(|c| Some(self.fault(c, code(c)?)));
        faults.collect()
    }

    /// A fault of a column in words.
    pub fn fault(&self, column: &str, code: &str) -> String {
        format!("{} {}", self.heading(column), t(&format!("sheet_fault.{code}")))
    }

    /// Every reason of a refusal in words.
    pub fn told(&self, error: &AppError) -> Vec<String> {
        let fields = error.fields();
        if fields.is_empty() {
            return vec![error.detail()];
        }
        let text = |f: &FieldError| {
            let heading = Some(self.heading(&f.field)).filter(|heading| !heading.is_empty());
            let heading = heading.unwrap_or(f.field.as_str());
            tf("sheet_fault.field", [("column", heading), ("text", field_text(f).as_str())])
        };
        fields.iter().map(text).collect()
    }
}

/// Where each column stands.
pub struct Columns {
    places: HashMap<&'static str, usize>,
    /// Headings that are not known and were left out.
    pub ignored: Vec<String>,
}

impl Columns {
    /// The cell of a column.
    pub fn cell<'a>(&self, row: &'a Row, column: &str) -> Option<&'a Cell> {
        row.cells.get(*self.places.get(column)?)
    }

    /// Its text; `None` when the sheet has no such column, or the cell cannot be read.
    pub fn text<'a>(&self, row: &'a Row, column: &str) -> Option<&'a str> {
        self.cell(row, column)?.text()
    }
}

/// Checked sheets of one kind.
pub struct Waiting<T>(Mutex<HashMap<String, (Instant, Arc<T>)>>);

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Waiting<T> {
    /// Keeps a checked sheet; its id.
    pub fn keep(&self, staged: T) -> String {
        let mut all = self.0.lock();
        all.retain(|_, (since, _)| since.elapsed() < WAITS);
        if all.len() >= WAITING_MAX {
            let oldest = all.iter().min_by_key(|(_, (since, _))| *since).map(|(id, _)| id.clone());
            oldest.map(|id| all.remove(&id));
        }
        let id = new_token();
        all.insert(id.clone(), (Instant::now(), Arc::new(staged)));
        id
    }

    /// A checked sheet.
    pub fn get(&self, id: &str) -> Option<Arc<T>> {
        let all = self.0.lock();
        all.get(id).filter(|(since, _)| since.elapsed() < WAITS).map(|(_, one)| one.clone())
    }

    /// A checked sheet, which is used up: of two who ask at once one gets it.
    pub fn take(&self, id: &str) -> Option<Arc<T>> {
        let staged = self.0.lock().remove(id);
        staged.filter(|(since, _)| since.elapsed() < WAITS).map(|(_, one)| one)
    }
}

/// What the domain has against a command, with `seen` as the state; where it has nothing and `done` is
/// wanted, what the command does counts as done for those after it.
pub fn tried(
    actor: &Actor,
    command: Command,
    layout: &Layout,
    seen: &mut Overlay<'_>,
    done: bool,
) -> Result<Result<(), Vec<String>>, AppError> {
    let envelope = Envelope {
        actor: actor.clone(),
        command,
        time: now(),
        idempotency_key: None,
        based_on: Vec::new(),
    };
    let decision = match decide(seen, &envelope, &mut OsRandom) {
        Ok(decision) => decision,
        Err(error) => return Ok(Err(layout.told(&error.into()))),
    };
    for event in decision.events.iter().filter(|_| done) {
        apply(seen, event, envelope.time)?;
    }
    Ok(Ok(()))
}

/// Works through rows, several at once. Blocks; `work` may wait for the runtime.
pub fn at_once<T: Sync>(rows: &[T], work: impl Fn(&T) + Sync) {
    let left = Mutex::new(rows.iter());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(rows.len()) {
            scope.spawn(|| {
                loop {
                    let Some(row) = left.lock().next() else { return };
                    work(row);
                }
            });
        }
    });
}
