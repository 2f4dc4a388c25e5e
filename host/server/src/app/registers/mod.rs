//! Registers that come and go as sheets. A sheet is checked as a whole first, by the rules of the domain
//! and with its own earlier rows taken as done, and nothing is written; what was checked waits for a
//! person to accept it. A row that is on record already is not written again, so that the same sheet may
//! come twice.

pub mod agencies;
pub mod operators;
pub mod products;
mod reading;
pub mod sites;
pub mod users;

use std::sync::Arc;

use parking_lot::Mutex;
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::operator::{OperatorStatus, ReviewOperator};
use tianyin_domain::{Actor, Overlay};
use tianyin_sheets::Sheet;

use self::reading::{Check, Reading};
use super::error::AppError;
use super::passwords::{NewUser, drawn_password};
use super::sheet::{Layout, Waiting, at_once, tried};
use super::{App, conflict::Versions};
use crate::texts::t_static;

/// A register that comes and goes as a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Register {
    /// Agencies.
    Agencies,
    /// Operators.
    Operators,
    /// Products.
    Products,
    /// Sites.
    Sites,
    /// Accounts.
    Users,
}

/// Sheets that were checked.
pub type Imports = Waiting<Staged>;

/// A checked sheet.
#[derive(Debug)]
pub struct Staged {
    /// What it is a sheet of.
    pub register: Register,
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
    /// Is to be added.
    New(Box<Command>),
    /// Is on record as it stands here.
    Same,
    /// Is on record, and not as it stands here: what would correct it, and the versions it was seen in.
    Differs(Box<Command>, Versions),
    /// Cannot be taken in, for these reasons.
    Bad(Vec<String>),
}

/// Which of a checked sheet to write.
#[derive(Debug, Clone, Copy)]
pub struct Acceptance {
    /// What differs, too.
    pub changes: bool,
    /// Approve the operators that it registers.
    pub approve: bool,
}

/// What an accepted sheet came to.
#[derive(Debug, Default)]
pub struct Imported {
    /// Added.
    pub added: usize,
    /// Corrected.
    pub changed: usize,
    /// Rows that were refused after all, each with its line and why.
    pub failed: Vec<(usize, String)>,
    /// Initial passwords of accounts, by line: seen this once.
    pub given: Vec<(usize, Given)>,
}

/// The initial password of an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Given {
    /// Sign-in name.
    pub username: String,
    /// The person's name.
    pub name: String,
    /// The password, in clear.
    pub password: String,
}

impl Register {
    /// Every register.
    pub const ALL: [Self; 5] =
        [Self::Agencies, Self::Operators, Self::Products, Self::Sites, Self::Users];

    /// The word in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agencies => "agencies",
            Self::Operators => "operators",
            Self::Products => "products",
            Self::Sites => "sites",
            Self::Users => "users",
        }
    }

    /// What its sheet looks like.
    pub fn layout(self) -> &'static Layout {
        match self {
            Self::Agencies => &agencies::LAYOUT,
            Self::Operators => &operators::LAYOUT,
            Self::Products => &products::LAYOUT,
            Self::Sites => &sites::LAYOUT,
            Self::Users => &users::LAYOUT,
        }
    }

    /// Headings of a sheet that goes out: those of one that comes in, so that it can come back, and what
    /// only the appliance knows.
    pub fn headings(self) -> Vec<&'static str> {
        let more: &[&str] = match self {
            Self::Agencies => &["sheet.administrator"],
            Self::Operators => &["sheet.code", "sheet.status", "sheet.registered_at"],
            Self::Products | Self::Sites => &["sheet.closed"],
            Self::Users => &["sheet.active"],
        };
        let more = more.iter().map(|key| t_static(key).unwrap_or_default());
        self.layout().headings().into_iter().chain(more).collect()
    }

    /// What adds a row to it.
    pub fn command(self) -> CommandKind {
        match self {
            Self::Agencies => CommandKind::AddAgency,
            Self::Operators => CommandKind::RegisterOperator,
            Self::Products => CommandKind::AddProduct,
            Self::Sites => CommandKind::AddSite,
            Self::Users => CommandKind::AddUser,
        }
    }

    /// Most rows of its sheet, where that is less than a sheet may have.
    fn rows_max(self) -> usize {
        match self {
            // Each gets a password, whose hash takes a tenth of a second.
            Self::Users => 500,
            _ => usize::MAX,
        }
    }

    fn fate(self, check: &Check<'_>, row: Reading<'_>) -> Result<Fate, AppError> {
        match self {
            Self::Agencies => agencies::fate(check, row),
            Self::Operators => operators::fate(check, row),
            Self::Products => products::fate(check, row),
            Self::Sites => sites::fate(check, row),
            Self::Users => users::fate(check, row),
        }
    }
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

    /// Bad rows: line, name, reasons.
    pub fn bad(&self) -> impl Iterator<Item = (usize, &str, &[String])> {
        self.rows.iter().filter_map(|row| match &row.fate {
            Fate::Bad(why) => Some((row.line, row.name.as_str(), why.as_slice())),
            _ => None,
        })
    }
}

impl App {
    /// Checks a sheet and keeps it for [`App::accept_import`]; gives its id. Blocks.
    ///
    /// # Errors
    /// `import_columns` when a column is missing; a single bad row is no error.
    pub fn stage_import(
        &self,
        register: Register,
        (actor, user): (&Actor, &str),
        file: &str,
        sheet: &Sheet,
    ) -> Result<String, AppError> {
        let layout = register.layout();
        let columns = layout.find(sheet)?;
        if sheet.rows.len() > register.rows_max() {
            let max = register.rows_max().to_string();
            return Err(AppError::refused_with("import_rows", vec![("max", max)]));
        }
        let check = Check::new(self, actor)?;
        let mut seen = Overlay::new(&self.store);
        let mut rows = Vec::with_capacity(sheet.rows.len());
        for row in &sheet.rows {
            let name = columns.text(row, "name").unwrap_or_default().to_owned();
            let mut fate = register.fate(&check, Reading::new(&check, layout, &columns, row))?;
            if let Fate::New(command) | Fate::Differs(command, _) = &fate {
                // A correction is taken over only if the person wants it.
                let is_new = matches!(fate, Fate::New(_));
                let command = operators::as_kept(command.as_ref().clone());
                if let Err(faults) = tried(actor, command, layout, &mut seen, is_new)? {
                    fate = Fate::Bad(faults);
                }
            }
            rows.push(StagedRow { line: row.line, name, fate });
        }
        let (user, file, ignored) = (user.into(), file.into(), columns.ignored);
        Ok(self.imports.keep(Staged { register, user, file, ignored, rows }))
    }

    /// A checked sheet of a register, for whoever brought it.
    pub fn staged_import(&self, register: Register, user: &str, id: &str) -> Option<Arc<Staged>> {
        let staged = self.imports.get(id);
        staged.filter(|staged| staged.user == user && staged.register == register)
    }

    /// Writes what is new in a checked sheet and, if wanted, what differs. The sheet is used up. Blocks.
    ///
    /// # Errors
    /// `import_gone` when it does not wait any more. What is refused for a row is no error.
    pub fn accept_import(
        self: &Arc<Self>,
        register: Register,
        (actor, user): (&Actor, &str),
        id: &str,
        how: Acceptance,
    ) -> Result<Imported, AppError> {
        let gone = || AppError::refused("import_gone");
        self.staged_import(register, user, id).ok_or_else(gone)?;
        let staged = self.imports.take(id).ok_or_else(gone)?;
        let runtime = tokio::runtime::Handle::current();
        let done = Mutex::new(Imported::default());
        at_once(&staged.rows, |row| {
            let result = match &row.fate {
                Fate::New(command) => runtime.block_on(self.add_row(actor, command, how.approve)),
                Fate::Differs(command, seen) if how.changes => {
                    runtime.block_on(self.change_row(actor, command, seen)).map(|()| None)
                }
                _ => return,
            };
            let mut done = done.lock();
            match (result, &row.fate) {
                (Ok(given), Fate::New(_)) => {
                    done.added += 1;
                    done.given.extend(given.map(|given| (row.line, given)));
                }
                (Ok(_), _) => done.changed += 1,
                (Err(error), _) => {
                    done.failed.push((row.line, register.layout().told(&error).join(" ")));
                }
            }
        });
        let mut done = done.into_inner();
        done.failed.sort();
        done.given.sort();
        Ok(done)
    }

    async fn add_row(
        &self,
        actor: &Actor,
        command: &Command,
        approve: bool,
    ) -> Result<Option<Given>, AppError> {
        match command.clone() {
            Command::RegisterOperator(data) => {
                let operator = self.register_operator(actor, data, None).await?.id;
                if approve {
                    let (status, reason) = (OperatorStatus::Approved, String::new());
                    let review = ReviewOperator { operator, status, reason };
                    self.submit(actor, Command::ReviewOperator(review)).await?;
                }
                Ok(None)
            }
            Command::AddUser(user) => {
                let password = drawn_password();
                let given = Given {
                    username: user.username.clone(),
                    name: user.name.clone(),
                    password: password.clone(),
                };
                let new = NewUser {
                    username: user.username,
                    name: user.name,
                    role: user.role,
                    operator: user.operator,
                    agency: user.agency,
                    password,
                    initial: true,
                };
                self.add_user(actor, new, None).await?;
                Ok(Some(given))
            }
            command => self.submit(actor, command).await.map(|_| None),
        }
    }

    async fn change_row(
        &self,
        actor: &Actor,
        command: &Command,
        seen: &Versions,
    ) -> Result<(), AppError> {
        match command.clone() {
            Command::ChangeOperator(change) => {
                self.change_operator(actor, change, None, seen).await.map(drop)
            }
            command => self.submit_based(actor, command, None, seen).await.map(drop),
        }
    }
}
