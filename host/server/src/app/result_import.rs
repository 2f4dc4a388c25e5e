//! Results of a laboratory from a sheet: a row is a result of one item of one sample. The sheet is checked
//! as a whole first, by the rules of the domain and with our own judgement of every row, and nothing is
//! written; what a person then accepts is written row by row. A row is known again by its content, so that
//! the same sheet may come twice, and a sheet that was cut short may come once more.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::lot::Lot;
use tianyin_domain::measurement::ValueKind;
use tianyin_domain::sampling::{self, Sampling};
use tianyin_domain::test::{self, Test, TestVerdict};
use tianyin_domain::time::china_date;
use tianyin_domain::{Actor, Decimal, Judgement, Overlay, Scope, State, Verdict};
use tianyin_sheets::{Row, Sheet};

use super::App;
use super::error::AppError;
use super::result_rows::{Reader, ResultRow};
use super::result_subject::{SHEET_MARK, Subject, digest};
use super::result_value::Fault;
use super::sheet::{Columns, Layout, Waiting, at_once, tried};
use super::testing::Entry;
use crate::edge::now;
use crate::texts::t;

/// A sheet of results.
pub const LAYOUT: Layout = Layout {
    columns: &[
        "sample_no",
        "lot_no",
        "item",
        "method",
        "qualifier",
        "value",
        "unit",
        "lod",
        "loq",
        "standard",
        "tested_on",
        "tester",
        "laboratory",
        "device_model",
        "report_no",
    ],
    required: &["item", "method", "tested_on"],
    table: "result_sheet",
};

/// Sheets are accepted one after the other: two people may have brought the same one, and the later of them
/// finds what the earlier wrote.
static ACCEPTING: Mutex<()> = Mutex::new(());

/// Sheets that were checked.
pub type ResultImports = Waiting<StagedResults>;

/// A checked sheet.
#[derive(Debug)]
pub struct StagedResults {
    /// User who brought it.
    pub user: String,
    /// Name of the file.
    pub file: String,
    /// Columns that are not known and were left out.
    pub ignored: Vec<String>,
    /// Results that are new, in the order of the sheet.
    pub rows: Vec<StagedResult>,
    /// How many rows are on record already.
    pub known: usize,
    /// Rows that say the same as one before them: their lines, and the line of that one.
    pub twice: Vec<(usize, usize)>,
    /// Rows that cannot be taken in, by line.
    pub bad: Vec<BadResult>,
}

/// A result that is new.
#[derive(Debug)]
pub struct StagedResult {
    /// What the row says.
    pub row: ResultRow,
    /// Whose result it is.
    pub subject: Arc<Subject>,
    /// What it would be judged now.
    pub verdict: TestVerdict,
    /// Why it would not pass; empty where it would.
    pub why: String,
    /// Digest of what it says.
    digest: String,
}

/// A row that cannot be taken in.
#[derive(Debug)]
pub struct BadResult {
    /// Line in the sheet.
    pub line: usize,
    /// Number of its sample or lot, as it stands there.
    pub sample: String,
    /// Its item.
    pub item: String,
    /// Why, in words.
    pub why: Vec<String>,
}

/// What an accepted sheet came to.
#[derive(Debug, Default)]
pub struct ImportedResults {
    /// Results written.
    pub added: usize,
    /// Results that were on record after all.
    pub known: usize,
    /// Of those written, how many pass, fail, and are invalid.
    pub verdicts: [usize; 3],
    /// Of those written, how many wait for a second person.
    pub waiting: usize,
    /// Rows that were refused after all, each with its line and why.
    pub failed: Vec<(usize, String)>,
}

/// What is to become of a row that can be taken in.
enum Fate {
    New(Box<StagedResult>),
    Known,
    Twice(usize),
}

impl StagedResults {
    /// How many of the new results would pass, fail, and be invalid.
    pub fn verdicts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        self.rows.iter().for_each(|one| add(&mut counts, one.verdict));
        counts
    }

    /// New results of one verdict.
    pub fn judged(&self, verdict: TestVerdict) -> impl Iterator<Item = &StagedResult> {
        self.rows.iter().filter(move |one| one.verdict == verdict)
    }

    /// Whether all inhibition rates are 1 % or less: a spreadsheet that shows 12.3 % keeps 0.123, and that
    /// is what the file says.
    pub fn doubtful_rates(&self) -> bool {
        let rates = self.rows.iter().map(|one| &one.row.value);
        let rates: Vec<Decimal> = rates
            .filter(|value| value.kind == ValueKind::InhibitionRate)
            .filter_map(|value| value.decimal())
            .filter(|rate| !rate.is_zero())
            .collect();
        !rates.is_empty() && rates.iter().all(|rate| rate.abs() <= Decimal::ONE)
    }
}

impl StagedResult {
    fn entry(&self) -> Entry {
        self.subject.entry(&self.row, &self.digest)
    }
}

impl ImportedResults {
    fn note(&mut self, one: &StagedResult, entered: Result<Outcome, AppError>, test: Option<Test>) {
        match entered {
            Ok(outcome) if !outcome.written => self.known += 1,
            Ok(_) => {
                self.added += 1;
                add(&mut self.verdicts, test.as_ref().map_or(one.verdict, |test| test.verdict));
                self.waiting += usize::from(test.is_some_and(|test| test.waits_for_verification()));
            }
            Err(error) => self.failed.push((one.row.line, LAYOUT.told(&error).join(" "))),
        }
    }
}

/// Counts a verdict: pass, fail, invalid.
fn add([pass, fail, invalid]: &mut [usize; 3], verdict: TestVerdict) {
    *match verdict {
        TestVerdict::Pass => pass,
        TestVerdict::Fail => fail,
        TestVerdict::Invalid => invalid,
    } += 1;
}

impl App {
    /// Checks a sheet of results and keeps it for [`App::accept_results`]; gives its id. Blocks.
    ///
    /// # Errors
    /// `import_columns` when a column is missing; a single bad row is no error.
    pub fn stage_results(
        &self,
        actor: &Actor,
        user: &str,
        file: &str,
        sheet: &Sheet,
    ) -> Result<String, AppError> {
        let columns = LAYOUT.find(sheet)?;
        let reader = Reader::new(&columns, china_date(now()));
        let mut check = Check::new(self, actor);
        let (mut rows, mut known, mut twice, mut bad) = (Vec::new(), 0, Vec::new(), Vec::new());
        for row in &sheet.rows {
            let fate = match reader.read(row) {
                Ok(read) => check.fate(read)?,
                Err(why) => Err(why),
            };
            match fate {
                Ok(Fate::New(one)) => rows.push(*one),
                Ok(Fate::Known) => known += 1,
                Ok(Fate::Twice(before)) => twice.push((row.line, before)),
                Err(why) => bad.push(BadResult::of(&columns, row, why)),
            }
        }
        let (user, file, ignored) = (user.into(), file.into(), columns.ignored);
        let staged = StagedResults { user, file, ignored, rows, known, twice, bad };
        Ok(self.result_imports.keep(staged))
    }

    /// A checked sheet of results, for whoever brought it.
    pub fn staged_results(&self, user: &str, id: &str) -> Option<Arc<StagedResults>> {
        self.result_imports.get(id).filter(|staged| staged.user == user)
    }

    /// Writes what is new in a checked sheet, and still is; each row is judged once more. The sheet is used up.
    /// Blocks.
    ///
    /// # Errors
    /// `import_gone` when it does not wait any more. What is refused for a row is no error.
    pub fn accept_results(
        &self,
        actor: &Actor,
        user: &str,
        id: &str,
    ) -> Result<ImportedResults, AppError> {
        let gone = || AppError::refused("import_gone");
        self.staged_results(user, id).ok_or_else(gone)?;
        let staged = self.result_imports.take(id).ok_or_else(gone)?;
        let runtime = tokio::runtime::Handle::current();
        let _alone = ACCEPTING.lock();
        let (rows, done) = self.still_new(actor, &staged)?;
        let done = Mutex::new(done);
        at_once(&rows, |one| {
            let key = format!("{SHEET_MARK}{}", one.digest);
            let entered = runtime.block_on(self.enter_test(actor, one.entry(), Some(key)));
            let state: &dyn State = &self.store;
            let id = entered.as_ref().ok().map(|outcome| outcome.id.as_str());
            let test: Option<Test> = id.and_then(|id| state.get(id).ok().flatten());
            done.lock().note(one, entered, test);
        });
        let mut done = done.into_inner();
        done.failed.sort();
        Ok(done)
    }

    /// What is new in a checked sheet after all, and what became of the rest since it was checked. A key does not
    /// tell: keys are each person's own.
    fn still_new<'a>(
        &self,
        actor: &Actor,
        staged: &'a StagedResults,
    ) -> Result<(Vec<&'a StagedResult>, ImportedResults), AppError> {
        let mut check = Check::new(self, actor);
        let (mut rows, mut done) = (Vec::new(), ImportedResults::default());
        for one in &staged.rows {
            match check.known(&one.subject, &one.entry().measurement.msg_id)? {
                None => rows.push(one),
                Some(false) => done.known += 1,
                Some(true) => done.failed.push((one.row.line, t("result_sheet.struck").to_owned())),
            }
        }
        Ok((rows, done))
    }
}

impl BadResult {
    fn of(columns: &Columns, row: &Row, why: Vec<String>) -> Self {
        let text = |column: &str| columns.text(row, column).unwrap_or_default();
        let (sample, lot) = (text("sample_no"), text("lot_no"));
        Self {
            line: row.line,
            sample: if sample.is_empty() { lot } else { sample }.to_owned(),
            item: text("item").to_owned(),
            why,
        }
    }
}

/// The checking of one sheet. What one row needs of the store the next one of the same sample has at hand.
struct Check<'a> {
    app: &'a App,
    actor: &'a Actor,
    scope: Scope,
    /// The store, with what was read of it so far. No row depends on one before it: nothing is stacked.
    seen: Overlay<'a>,
    /// By what the rows say: number of the sample, number of the lot.
    subjects: HashMap<(String, String), Result<Arc<Subject>, Fault>>,
    /// By sample or lot: message ids of its results that came from sheets, and whether all such are struck out.
    on_record: HashMap<String, HashMap<String, bool>>,
    /// Lines by digest.
    lines: HashMap<String, usize>,
}

impl<'a> Check<'a> {
    fn new(app: &'a App, actor: &'a Actor) -> Self {
        Self {
            app,
            actor,
            scope: actor.scope(),
            seen: Overlay::new(&app.store),
            subjects: HashMap::new(),
            on_record: HashMap::new(),
            lines: HashMap::new(),
        }
    }

    fn fate(&mut self, row: ResultRow) -> Result<Result<Fate, Vec<String>>, AppError> {
        let subject = match self.subject(&row)? {
            Ok(subject) => subject,
            Err((column, code)) => return Ok(Err(vec![LAYOUT.fault(column, code)])),
        };
        if subject.sampled_on.is_some_and(|day| row.tested_on < day) {
            return Ok(Err(vec![LAYOUT.fault("tested_on", "before_sampling")]));
        }
        let digest = digest(&row, &subject);
        if let Some(line) = self.lines.get(&digest) {
            return Ok(Ok(Fate::Twice(*line)));
        }
        let entry = subject.entry(&row, &digest);
        match self.known(&subject, &entry.measurement.msg_id)? {
            Some(true) => return Ok(Err(vec![t("result_sheet.struck").to_owned()])),
            Some(false) => return Ok(Ok(Fate::Known)),
            None => {}
        }
        let (verdict, why) = match self.tried(entry)? {
            Ok(judged) => judged,
            Err(why) => return Ok(Err(why)),
        };
        self.lines.insert(digest.clone(), row.line);
        Ok(Ok(Fate::New(Box::new(StagedResult { row, subject, verdict, why, digest }))))
    }

    /// What a result is judged, and why it does not pass, if the domain has nothing against it.
    fn tried(
        &mut self,
        entry: Entry,
    ) -> Result<Result<(TestVerdict, String), Vec<String>>, AppError> {
        let record = match self.app.entered(entry) {
            Ok(record) => record,
            Err(error @ (AppError::Domain(_) | AppError::Refused { .. })) => {
                return Ok(Err(LAYOUT.told(&error)));
            }
            Err(error) => return Err(error),
        };
        let judged = (record.judgement.verdict.into(), reasons(&record.judgement));
        let command = Command::RecordTest(Box::new(record));
        let tried = tried(self.actor, command, &LAYOUT, &mut self.seen, false)?;
        Ok(tried.map(|()| judged))
    }

    /// Whose result a row is.
    fn subject(&mut self, row: &ResultRow) -> Result<Result<Arc<Subject>, Fault>, AppError> {
        let key = (row.sample_no.clone(), row.lot_no.clone());
        if let Some(known) = self.subjects.get(&key) {
            return Ok(known.clone());
        }
        let found = self.looked_up(row)?.map(Arc::new);
        self.subjects.insert(key, found.clone());
        Ok(found)
    }

    fn looked_up(&self, row: &ResultRow) -> Result<Result<Subject, Fault>, AppError> {
        let lot: Option<Lot> = self.app.lot_of_text(&row.lot_no, &self.scope)?;
        if lot.is_none() && !row.lot_no.is_empty() {
            return Ok(Err(("lot_no", "unknown_lot")));
        }
        if row.sample_no.is_empty() {
            return Ok(lot.map(Subject::of_lot).ok_or(("sample_no", "sample_or_lot")));
        }
        let state: &dyn State = &self.app.store;
        let found: Option<Sampling> = state.find(sampling::BY_NO, &row.sample_no)?;
        let found = found.filter(|one| self.scope.covers(&one.area, &one.operator));
        Ok(match found {
            Some(found) => {
                Subject::of_sample(found, lot.as_ref()).ok_or(("lot_no", "not_of_sample"))
            }
            None => Err(("sample_no", "unknown_sample")),
        })
    }

    /// Whether a result is on record, and if so, whether it was struck out.
    fn known(&mut self, subject: &Subject, msg_id: &str) -> Result<Option<bool>, AppError> {
        let (whose, of_sample) = subject.whose();
        if !self.on_record.contains_key(whose) {
            let index = if of_sample { test::BY_SAMPLING } else { test::BY_LOT };
            let mut found: HashMap<String, bool> = HashMap::new();
            let read = self.app.store.each((index, whose), |one: Test| {
                let struck = one.struck.is_some();
                if one.measurement.msg_id.starts_with(SHEET_MARK) {
                    let known = found.entry(one.measurement.msg_id).or_insert(struck);
                    *known = *known && struck;
                }
            });
            read.map_err(AppError::internal)?;
            self.on_record.insert(whose.to_owned(), found);
        }
        Ok(self.on_record.get(whose).and_then(|found| found.get(msg_id)).copied())
    }
}

/// Why a result does not pass.
fn reasons(judgement: &Judgement) -> String {
    let against = judgement.findings.iter().filter(|one| one.verdict != Verdict::Pass);
    against.map(|one| one.text.as_str()).collect::<Vec<_>>().join(" ")
}
