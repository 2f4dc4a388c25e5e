//! The catalogue of inputs from a sheet: a row is a registration number on a crop. It is checked as a
//! whole first, by the rules of the domain, and nothing is written; what a person then accepts becomes
//! new inputs, and revisions of those that are on record with something else. A crop that the sheet does
//! not name stays as it is: a sheet may hold a part of the catalogue.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tianyin_domain::command::Command;
use tianyin_domain::input::{self, AddInput, Input, InputKind, RegisteredUse, ReviseInput};
use tianyin_domain::time::china_date;
use tianyin_domain::{Actor, Overlay, State};
use tianyin_sheets::Sheet;

use super::App;
use super::catalogue_rows::{self, Product};
use super::error::AppError;
use super::input_words::{crop_text, kind_text, use_text};
use super::sheet::{Layout, Waiting, at_once, tried};
use crate::edge::now;
use crate::texts::{t, tf};

/// A sheet of inputs.
pub const LAYOUT: Layout = Layout {
    columns: &[
        "registration_no",
        "name",
        "kind",
        "substances",
        "crop",
        "dose",
        "max_uses",
        "interval_days",
        "interval_degree_days",
        "valid_from",
        "source",
        "source_on",
    ],
    required: &["registration_no", "name", "kind", "substances", "crop", "interval_days"],
    table: "input_sheet",
};
/// Characters of a source and of a reason (see `domain::input`).
const SOURCE_MAX: usize = 64;
const REASON_MAX: usize = 128;

/// Sheets that were checked.
pub type InputImports = Waiting<StagedInputs>;

/// A checked sheet.
#[derive(Debug)]
pub struct StagedInputs {
    /// User who brought it.
    pub user: String,
    /// Name of the file.
    pub file: String,
    /// Columns that are not known and were left out.
    pub ignored: Vec<String>,
    /// Products, in the order of the sheet.
    pub products: Vec<StagedProduct>,
    /// Rows that cannot be taken in, by line; with them goes the whole product.
    pub bad: Vec<BadRow>,
}

/// A product of the sheet and what is to become of it.
#[derive(Debug)]
pub struct StagedProduct {
    /// Its first line in the sheet.
    pub line: usize,
    /// Trade name.
    pub name: String,
    /// Registration number.
    pub number: String,
    /// What is to become of it.
    pub fate: Fate,
}

/// What is to become of a product.
#[derive(Debug)]
pub enum Fate {
    /// Is to be added.
    New(AddInput),
    /// Is on record as it stands here.
    Same,
    /// Is on record with something else.
    Revised(Revision),
}

/// A revision that the sheet asks for.
#[derive(Debug)]
pub struct Revision {
    /// Input.
    pub input: String,
    /// Version of its root that the sheet was compared with.
    pub seen: u64,
    /// What it becomes.
    pub data: AddInput,
    /// What changes, in words.
    pub changes: Vec<String>,
}

/// A row that cannot be taken in.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BadRow {
    /// Line in the sheet.
    pub line: usize,
    /// Name of the product.
    pub name: String,
    /// Why, in words.
    pub why: Vec<String>,
}

/// What an accepted sheet came to.
#[derive(Debug, Default)]
pub struct ImportedInputs {
    /// Added.
    pub added: usize,
    /// Revised.
    pub revised: usize,
    /// Products that were refused after all, each with its first line and why.
    pub failed: Vec<(usize, String)>,
}

impl StagedInputs {
    /// How many products are new, the same, revised; how many rows are bad.
    pub fn counts(&self) -> [usize; 4] {
        let mut counts = [0, 0, 0, self.bad.len()];
        for product in &self.products {
            counts[match product.fate {
                Fate::New(_) => 0,
                Fate::Same => 1,
                Fate::Revised(_) => 2,
            }] += 1;
        }
        counts
    }

    /// Products that become a new version, with what changes.
    pub fn revised(&self) -> impl Iterator<Item = (&StagedProduct, &Revision)> {
        self.products.iter().filter_map(|product| match &product.fate {
            Fate::Revised(revision) => Some((product, revision)),
            _ => None,
        })
    }
}

impl App {
    /// Checks a sheet of inputs and keeps it for [`App::accept_inputs`]; gives its id. Blocks.
    ///
    /// # Errors
    /// `import_columns` when a column is missing; a single bad row is no error.
    pub fn stage_inputs(
        &self,
        actor: &Actor,
        user: &str,
        file: &str,
        sheet: &Sheet,
    ) -> Result<String, AppError> {
        let columns = LAYOUT.find(sheet)?;
        let (read, mut bad) = catalogue_rows::products(&columns, sheet);
        let mut check = Check {
            app: self,
            actor,
            file,
            seen: Overlay::new(&self.store),
            unnumbered: self.unnumbered()?,
        };
        let mut products = Vec::with_capacity(read.len());
        for product in read {
            match check.fate(&product)? {
                Ok(fate) => products.push(StagedProduct {
                    line: product.line(),
                    name: product.name.clone(),
                    number: product.number.clone(),
                    fate,
                }),
                Err(why) => bad.extend(product.all_bad(&why)),
            }
        }
        bad.sort();
        let (user, file) = (user.into(), file.into());
        let ignored = columns.ignored;
        Ok(self.input_imports.keep(StagedInputs { user, file, ignored, products, bad }))
    }

    /// A checked sheet, for whoever brought it.
    pub fn staged_inputs(&self, user: &str, id: &str) -> Option<Arc<StagedInputs>> {
        self.input_imports.get(id).filter(|staged| staged.user == user)
    }

    /// Writes what is new in a checked sheet and, if wanted, the revisions. The sheet is used up. Blocks.
    ///
    /// # Errors
    /// `import_gone` when it does not wait any more. What is refused for a product is no error.
    pub fn accept_inputs(
        self: &Arc<Self>,
        actor: &Actor,
        user: &str,
        id: &str,
        with_revisions: bool,
    ) -> Result<ImportedInputs, AppError> {
        let staged = self.input_imports.take(id).filter(|staged| staged.user == user);
        let staged = staged.ok_or_else(|| AppError::refused("import_gone"))?;
        let runtime = tokio::runtime::Handle::current();
        let done = Mutex::new(ImportedInputs::default());
        at_once(&staged.products, |product| {
            let (command, seen) = match &product.fate {
                Fate::New(data) => (Command::AddInput(data.clone()), Vec::new()),
                Fate::Revised(revision) if with_revisions => {
                    let root = format!("input/{}", revision.input);
                    (revision.command(&staged.file), vec![(root, revision.seen)])
                }
                _ => return,
            };
            let result = runtime.block_on(self.submit_input(actor, command, None, &seen));
            let mut done = done.lock();
            match (result, &product.fate) {
                (Ok(_), Fate::New(_)) => done.added += 1,
                (Ok(_), _) => done.revised += 1,
                (Err(error), _) => done.failed.push((product.line, LAYOUT.told(&error).join(" "))),
            }
        });
        let mut done = done.into_inner();
        done.failed.sort();
        Ok(done)
    }

    /// Inputs without a registration number, by kind and name: all that they can be told by.
    fn unnumbered(&self) -> Result<HashMap<(InputKind, String), String>, AppError> {
        let mut found = HashMap::new();
        let read = self.store.each((input::ALL, ""), |one: Input| {
            if one.registration_no.is_empty() {
                found.insert((one.kind, one.name), one.id);
            }
        });
        read.map_err(AppError::internal)?;
        Ok(found)
    }
}

impl Revision {
    fn command(&self, file: &str) -> Command {
        let (input, data) = (self.input.clone(), self.data.clone());
        let reason = cut(&tf("input_sheet.reason", [("file", file)]), REASON_MAX);
        Command::ReviseInput(ReviseInput { input, data, reason })
    }
}

fn cut(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}

/// The checking of one sheet.
struct Check<'a> {
    app: &'a App,
    actor: &'a Actor,
    file: &'a str,
    /// The store, with the products before taken as done.
    seen: Overlay<'a>,
    unnumbered: HashMap<(InputKind, String), String>,
}

impl Check<'_> {
    fn fate(&mut self, product: &Product) -> Result<Result<Fate, Vec<String>>, AppError> {
        let source = if product.source.is_empty() {
            cut(&tf("input_sheet.from_file", [("file", self.file)]), SOURCE_MAX)
        } else {
            product.source.clone()
        };
        let data = AddInput {
            name: product.name.clone(),
            kind: product.kind,
            registration_no: product.number.clone(),
            substances: product.substances.clone(),
            uses: product.uses().cloned().collect(),
            valid_from: product.valid_from,
            source,
            source_on: product.source_on,
        };
        let Some(known) = self.on_record(product)? else {
            let command = Command::AddInput(data.clone());
            return Ok(self.decided(command)?.map(|()| Fate::New(data)));
        };
        let data = merged(&known, data);
        let ended = known.ended;
        let known = Input { ended: false, ..known };
        if known.says_the_same(&data) {
            return Ok(Ok(Fate::Same));
        }
        if ended {
            return Ok(Err(vec![t("input_sheet.ended").to_owned()]));
        }
        // A label that changed holds from a day on; the file's own, or today.
        let valid_from = data.valid_from.or_else(|| Some(china_date(now())));
        let state: &dyn State = &self.app.store;
        let seen = state.version(&format!("input/{}", known.id))?;
        let revision = Revision {
            seen,
            changes: changes(&known, &data),
            data: AddInput { valid_from, ..data },
            input: known.id,
        };
        let command = revision.command(self.file);
        Ok(self.decided(command)?.map(|()| Fate::Revised(revision)))
    }

    /// What the domain would say, with the products before taken as done.
    fn decided(&mut self, command: Command) -> Result<Result<(), Vec<String>>, AppError> {
        tried(self.actor, command, &LAYOUT, &mut self.seen, true)
    }

    fn on_record(&self, product: &Product) -> Result<Option<Input>, AppError> {
        let state: &dyn State = &self.app.store;
        if !product.number.is_empty() {
            return Ok(state.find(input::BY_REGISTRATION, &product.number)?);
        }
        match self.unnumbered.get(&(product.kind, product.name.clone())) {
            Some(id) => Ok(state.get(id)?),
            None => Ok(None),
        }
    }
}

/// What is on record, with what the sheet says of it: substances and crops it leaves out stay.
fn merged(known: &Input, sheet: AddInput) -> AddInput {
    let mut uses = known.uses.clone();
    for one in &sheet.uses {
        match uses.iter_mut().find(|known| known.crop == one.crop) {
            Some(known) => known.clone_from(one),
            None => uses.push(one.clone()),
        }
    }
    let substances = match sheet.substances.is_empty() {
        true => known.substances.clone(),
        false => sheet.substances.clone(),
    };
    AddInput { substances, uses, ..sheet }
}

/// What a revision changes, in words.
fn changes(known: &Input, data: &AddInput) -> Vec<String> {
    let mut told = Vec::new();
    let mut differs = |what: &str, from: &str, to: &str| {
        if from != to {
            let none = t("input_sheet.nothing");
            let shown =
                |text: &str| if text.is_empty() { none.to_owned() } else { text.to_owned() };
            let (from, to) = (shown(from), shown(to));
            let params = [("what", what), ("from", from.as_str()), ("to", to.as_str())];
            told.push(tf("input_sheet.change", params));
        }
    };
    differs(LAYOUT.heading("name"), &known.name, &data.name);
    differs(LAYOUT.heading("kind"), kind_text(known.kind), kind_text(data.kind));
    let list = |all: &[String]| all.join("、");
    differs(LAYOUT.heading("substances"), &list(&known.substances), &list(&data.substances));
    let before: BTreeMap<&str, &RegisteredUse> =
        known.uses.iter().map(|one| (one.crop.as_str(), one)).collect();
    for one in &data.uses {
        let from = before.get(one.crop.as_str()).map(|one| use_text(one)).unwrap_or_default();
        differs(crop_text(one), &from, &use_text(one));
    }
    told
}
