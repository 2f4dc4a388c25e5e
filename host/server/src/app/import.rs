//! A register that comes as a sheet. It is checked as a whole first, by the rules of the domain and with
//! its own earlier rows taken as done, and nothing is written; what was checked waits for a person to
//! accept it. A row that is on record already is not written again, so that the same sheet may come
//! twice.

use std::sync::Arc;

use parking_lot::Mutex;
use tianyin_domain::apply::apply;
use tianyin_domain::command::{Command, Envelope};
use tianyin_domain::decide::decide;
use tianyin_domain::identity::{mask_phone, normalise};
use tianyin_domain::operator::{
    self, ChangeOperator, Operator, OperatorKind, OperatorStatus, RegisterOperator, ReviewOperator,
};
use tianyin_domain::{Actor, Overlay, State};
use tianyin_sheets::{Row, Sheet};
use tianyin_store::Store;

use super::App;
use super::error::AppError;
use super::sheet::{Columns, Layout, Waiting, at_once};
use crate::edge::{OsRandom, now};
use crate::regions::Region;
use crate::texts::t;

/// A sheet of operators.
pub const LAYOUT: Layout = Layout {
    columns: &[
        "name",
        "kind",
        "uscc",
        "area",
        "address",
        "contact_name",
        "contact_phone",
        "uscc_override",
        "same_name_override",
    ],
    required: &["name", "kind", "area", "contact_phone"],
    table: "sheet",
};

/// Sheets that were checked.
pub type Imports = Waiting<Staged>;

/// A checked sheet.
#[derive(Debug)]
pub struct Staged {
    /// User who brought it.
    pub user: String,
    /// Name of the file.
    pub file: String,
    /// Columns that are not known and were left out.
    pub ignored: Vec<String>,
    /// The rows.
    pub rows: Vec<StagedRow>,
}

/// A row and what is to become of it.
#[derive(Debug)]
pub struct StagedRow {
    /// Line in the sheet.
    pub line: usize,
    /// Name in it, for whoever looks for the row.
    pub name: String,
    /// What is to become of it.
    pub fate: Fate,
}

/// What is to become of a row.
#[derive(Debug)]
pub enum Fate {
    /// Is to be registered.
    New(RegisterOperator),
    /// Is on record as it stands here.
    Same,
    /// Is on record, and not as it stands here: the operator, and what it would become.
    Differs(String, RegisterOperator),
    /// Cannot be registered, for these reasons.
    Bad(Vec<String>),
}

/// What an accepted sheet came to.
#[derive(Debug, Default)]
pub struct Imported {
    /// Registered.
    pub added: usize,
    /// Corrected.
    pub changed: usize,
    /// Rows that were refused after all, each with its line and why.
    pub failed: Vec<(usize, String)>,
}

impl Staged {
    /// How many rows are new, the same, different, bad.
    pub fn counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for row in &self.rows {
            counts[match row.fate {
                Fate::New(_) => 0,
                Fate::Same => 1,
                Fate::Differs(..) => 2,
                Fate::Bad(_) => 3,
            }] += 1;
        }
        counts
    }
}

impl App {
    /// Checks a sheet of operators and keeps it for [`App::accept_import`]; gives its id. Blocks.
    ///
    /// # Errors
    /// `import_columns` when a column is missing; a single bad row is no error.
    pub fn stage_import(
        &self,
        actor: &Actor,
        user: &str,
        file: &str,
        sheet: &Sheet,
    ) -> Result<String, AppError> {
        let columns = LAYOUT.find(sheet)?;
        let county = self.county()?.ok_or_else(|| AppError::refused("not_set_up"))?;
        let townships = crate::regions::townships(&county.area);
        let mut check = Check {
            actor,
            townships,
            county: county.full_name,
            store: &self.store,
            seen: Overlay::new(&self.store),
        };
        let mut rows = Vec::with_capacity(sheet.rows.len());
        for row in &sheet.rows {
            let name = columns.text(row, "name").unwrap_or_default().to_owned();
            let fate = check.fate(&columns, row)?;
            rows.push(StagedRow { line: row.line, name, fate });
        }
        let staged =
            Staged { user: user.into(), file: file.into(), ignored: columns.ignored, rows };
        Ok(self.imports.keep(staged))
    }

    /// A checked sheet, for whoever brought it.
    pub fn staged_import(&self, user: &str, id: &str) -> Option<Arc<Staged>> {
        self.imports.get(id).filter(|staged| staged.user == user)
    }

    /// Writes what is new in a checked sheet and, if wanted, what differs; approves what it registers, if
    /// wanted. The sheet is used up. Blocks.
    ///
    /// # Errors
    /// `import_gone` when it does not wait any more. What is refused for a row is no error.
    pub fn accept_import(
        self: &Arc<Self>,
        actor: &Actor,
        user: &str,
        id: &str,
        (with_changes, approve): (bool, bool),
    ) -> Result<Imported, AppError> {
        let staged = self.imports.take(id).filter(|staged| staged.user == user);
        let staged = staged.ok_or_else(|| AppError::refused("import_gone"))?;
        let runtime = tokio::runtime::Handle::current();
        let done = Mutex::new(Imported::default());
        at_once(&staged.rows, |row| {
            let result = match &row.fate {
                Fate::New(data) => runtime.block_on(self.import_new(actor, data, approve)),
                Fate::Differs(operator, data) if with_changes => {
                    let command = ChangeOperator { operator: operator.clone(), data: data.clone() };
                    let change = self.change_operator(actor, command, None, &[]);
                    runtime.block_on(change).map(|_| ())
                }
                _ => return,
            };
            let mut done = done.lock();
            match (result, &row.fate) {
                (Ok(()), Fate::New(_)) => done.added += 1,
                (Ok(()), _) => done.changed += 1,
                (Err(error), _) => done.failed.push((row.line, LAYOUT.told(&error).join(" "))),
            }
        });
        let mut done = done.into_inner();
        done.failed.sort();
        Ok(done)
    }

    async fn import_new(
        &self,
        actor: &Actor,
        data: &RegisterOperator,
        approve: bool,
    ) -> Result<(), AppError> {
        let outcome = self.register_operator(actor, data.clone(), None).await?;
        if approve {
            let (operator, status) = (outcome.id, OperatorStatus::Approved);
            let review = ReviewOperator { operator, status, reason: String::new() };
            self.submit(actor, Command::ReviewOperator(review)).await?;
        }
        Ok(())
    }
}

/// The checking of one sheet.
struct Check<'a> {
    actor: &'a Actor,
    townships: Vec<Region>,
    county: String,
    store: &'a Store,
    /// The store, with the rows before taken as done.
    seen: Overlay<'a>,
}

impl Check<'_> {
    fn fate(&mut self, columns: &Columns, row: &Row) -> Result<Fate, AppError> {
        let data = match self.data(columns, row) {
            Ok(data) => data,
            Err(faults) => return Ok(Fate::Bad(faults)),
        };
        // As it is kept: a person's phone is masked.
        let mut kept = data.clone();
        if kept.kind.is_natural_person() {
            kept.contact_phone = mask_phone(kept.contact_phone.trim());
        }
        if let Some(known) = self.on_record(&kept)? {
            let same = is_same(&known, &kept);
            return Ok(if same { Fate::Same } else { Fate::Differs(known.id, data) });
        }
        let envelope = Envelope {
            actor: self.actor.clone(),
            command: Command::RegisterOperator(kept),
            time: now(),
            idempotency_key: None,
            based_on: Vec::new(),
        };
        let decision = match decide(&self.seen, &envelope, &mut OsRandom) {
            Ok(decision) => decision,
            Err(error) => return Ok(Fate::Bad(LAYOUT.told(&error.into()))),
        };
        for event in &decision.events {
            apply(&mut self.seen, event, envelope.time)?;
        }
        Ok(Fate::New(data))
    }

    /// What the row says; or everything that cannot be read in it.
    fn data(&self, columns: &Columns, row: &Row) -> Result<RegisterOperator, Vec<String>> {
        let mut faults = LAYOUT.unreadable(columns, row);
        let text = |column: &str| columns.text(row, column).unwrap_or_default().to_owned();
        let kind = kind_of(&text("kind"));
        if kind.is_none() && columns.text(row, "kind").is_some() {
            faults.push(LAYOUT.fault("kind", "unknown_kind"));
        }
        let township = self.township(&text("area"));
        if township.is_none() && columns.text(row, "area").is_some() {
            faults.push(LAYOUT.fault("area", "unknown_township"));
        }
        let (Some(kind), Some(township), true) = (kind, township, faults.is_empty()) else {
            return Err(faults);
        };
        let some = |column: &str| Some(text(column)).filter(|text| !text.is_empty());
        Ok(RegisterOperator {
            name: text("name"),
            kind,
            uscc: text("uscc"),
            uscc_override: some("uscc_override"),
            same_name_override: some("same_name_override"),
            area: township.code.into(),
            area_name: format!("{}{}", self.county, township.name),
            address: text("address"),
            contact_name: text("contact_name"),
            contact_phone: text("contact_phone"),
            contact_secret: None,
        })
    }

    /// By code or name, also the long one.
    fn township(&self, text: &str) -> Option<&Region> {
        let fits = |one: &&Region| {
            one.code == text || one.name == text || format!("{}{}", self.county, one.name) == text
        };
        self.townships.iter().find(fits)
    }

    /// A company by its credit code; a person by name, township and phone. Of the sheet's own rows, the
    /// second is refused as a duplicate.
    fn on_record(&self, kept: &RegisterOperator) -> Result<Option<Operator>, AppError> {
        let state: &dyn State = self.store;
        if !kept.kind.is_natural_person() {
            return Ok(state.find(operator::BY_USCC, &normalise(&kept.uscc))?);
        }
        let same = operator::of_name(state, &kept.name, &kept.area)?;
        Ok(same.into_iter().find(|one| one.contact_phone == kept.contact_phone))
    }
}

fn kind_of(text: &str) -> Option<OperatorKind> {
    OperatorKind::ALL.into_iter().find(|kind| {
        let word = serde_json::to_value(kind).ok();
        let word = word.as_ref().and_then(|word| word.as_str()).unwrap_or_default();
        word == text || t(&format!("operator_kind.{word}")) == text
    })
}

/// Whether the record is as the row has it. A reason is no difference.
fn is_same(known: &Operator, row: &RegisterOperator) -> bool {
    known.name == row.name
        && known.kind == row.kind
        && known.area == row.area
        && known.address == row.address
        && known.contact_name == row.contact_name
        && known.contact_phone == row.contact_phone
}
