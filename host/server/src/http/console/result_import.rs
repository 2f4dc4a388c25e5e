//! Results of a laboratory from a sheet: check first, then accept.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::get;
use tianyin_domain::command::CommandKind;
use tianyin_domain::test::TestVerdict;
use tianyin_sheets::FILE_BYTES_MAX;

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::session::{Posted, Signed, done};
use super::sheet::{Format, listed, uploaded};
use crate::app::result_import::{BadResult, ImportedResults, LAYOUT, StagedResult, StagedResults};
use crate::app::{App, AppError, sheet};
use crate::texts::t;

/// Rows of a kind shown on the page; all bad ones are in the file.
const SHOWN: usize = 100;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/tests/import", get(form).post(check))
        .layer(DefaultBodyLimit::max(FILE_BYTES_MAX + (64 << 10)))
        .route("/tests/import/blank.xlsx", get(blank))
        .route("/tests/import/{id}", get(staged).post(accept))
        .route("/tests/import/{id}/bad.csv", get(bad))
}

#[derive(Template)]
#[template(path = "tests/import.html")]
struct ImportPage {
    page: Page,
    form: Form,
}

#[derive(Template)]
#[template(path = "tests/staged.html")]
struct StagedPage {
    page: Page,
    id: String,
    staged: Arc<StagedResults>,
    pass: usize,
    fail: usize,
    invalid: usize,
}

/// What a group of rows has in common, how many there are, and those shown.
struct Judged<'a> {
    title: &'static str,
    count: usize,
    rows: Vec<&'a StagedResult>,
}

impl StagedPage {
    /// Rows that would not pass, for whoever would rather mend them first.
    fn judged(&self) -> Vec<Judged<'_>> {
        let groups = [
            (TestVerdict::Fail, "result_import.fails", self.fail),
            (TestVerdict::Invalid, "result_import.unclear", self.invalid),
        ];
        let shown = |(verdict, title, count): (TestVerdict, &'static str, usize)| Judged {
            title,
            count,
            rows: self.staged.judged(verdict).take(SHOWN).collect(),
        };
        groups.into_iter().filter(|group| group.2 > 0).map(shown).collect()
    }

    /// Bad rows shown.
    fn bad_rows(&self) -> Vec<&BadResult> {
        self.staged.bad.iter().take(SHOWN).collect()
    }

    /// Lines of rows that the sheet has twice.
    fn twice(&self) -> String {
        let lines = self.staged.twice.iter().take(SHOWN).map(|(line, _)| line.to_string());
        lines.collect::<Vec<_>>().join(t("lists.and"))
    }
}

#[derive(Template)]
#[template(path = "tests/imported.html")]
struct ImportedPage {
    page: Page,
    imported: ImportedResults,
    pass: usize,
    fail: usize,
    invalid: usize,
}

fn allowed(signed: &Signed) -> Result<(), ConsoleError> {
    match signed.is_staff() && signed.may(CommandKind::RecordTest) {
        true => Ok(()),
        false => Err(ConsoleError::forbidden()),
    }
}

async fn form(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    allowed(&signed)?;
    html(&import_page(&app, &signed, Form::default()))
}

fn import_page(app: &App, signed: &Signed, form: Form) -> ImportPage {
    ImportPage { page: Page::new(app, signed, "/tests", "result_import.title"), form }
}

async fn check(State(app): State<Arc<App>>, signed: Signed, body: Multipart) -> Answer {
    allowed(&signed)?;
    let (mut form, file) = uploaded(&signed, body).await?;
    let Some((name, bytes)) = file else {
        form.summarise();
        return refused(&import_page(&app, &signed, form));
    };
    let (checking, by) = (app.clone(), signed.clone());
    let id = tokio::task::spawn_blocking(move || -> Result<String, AppError> {
        let sheet = sheet::read(&bytes)?;
        checking.stage_results(by.actor(), &by.session.user.id, &name, &sheet)
    });
    match id.await.map_err(AppError::internal)? {
        Ok(id) => Ok(Redirect::to(&format!("/tests/import/{id}")).into_response()),
        Err(error @ AppError::Refused { .. }) => {
            form.bad_text("file", error.detail());
            form.summarise();
            refused(&import_page(&app, &signed, form))
        }
        Err(error) => Err(error.into()),
    }
}

/// The checked sheet, for whoever brought it.
fn waiting(app: &App, signed: &Signed, id: &str) -> Result<Arc<StagedResults>, ConsoleError> {
    allowed(signed)?;
    let staged = app.staged_results(&signed.session.user.id, id);
    staged.ok_or_else(|| AppError::refused("import_gone").into())
}

async fn staged(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let staged = waiting(&app, &signed, &id)?;
    let page = Page::new(&app, &signed, "/tests", "result_import.checked");
    let [pass, fail, invalid] = staged.verdicts();
    html(&StagedPage { page, id, staged, pass, fail, invalid })
}

async fn accept(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, .. }: Posted,
) -> Answer {
    allowed(&signed)?;
    let (working, by) = (app.clone(), signed.clone());
    // Goes on when the browser does not wait.
    let imported = tokio::task::spawn_blocking(move || {
        working.accept_results(by.actor(), &by.session.user.id, &id)
    });
    let imported = imported.await.map_err(AppError::internal)??;
    if imported.failed.is_empty() && imported.added == 0 {
        let taken = imported.known > 0;
        let told = if taken { "result_import.taken" } else { "result_import.nothing" };
        return Ok(done("/tests", told));
    }
    let page = Page::new(&app, &signed, "/tests", "result_import.done");
    let [pass, fail, invalid] = imported.verdicts;
    html(&ImportedPage { page, imported, pass, fail, invalid })
}

async fn bad(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let staged = waiting(&app, &signed, &id)?;
    let cells = |row: &BadResult| {
        vec![row.line.to_string(), row.sample.clone(), row.item.clone(), row.why.join(" ")]
    };
    let rows: Vec<Vec<String>> = staged.bad.iter().map(cells).collect();
    let header = [t("imports.line"), t("th.sample"), t("label.item"), t("imports.why")];
    listed(Format::Csv, "result-faults", "", &header, &rows)
}

async fn blank(signed: Signed) -> Answer {
    allowed(&signed)?;
    listed(Format::Xlsx, "result-list", t("result_import.sheet"), &LAYOUT.headings(), &[])
}
