//! The catalogue of inputs from a sheet: check first, then accept; and to a sheet.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::get;
use tianyin_domain::Scope;
use tianyin_domain::command::CommandKind;
use tianyin_domain::input::{self, Input, RegisteredUse};
use tianyin_sheets::FILE_BYTES_MAX;

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::Form;
use super::page::{Page, html, refused};
use super::session::{Posted, Signed, done};
use super::sheet::{Format, Outgoing, hand_out, listed, uploaded};
use crate::app::catalogue_import::{
    BadRow, ImportedInputs, LAYOUT, Revision, StagedInputs, StagedProduct,
};
use crate::app::input_words::crop_text;
use crate::app::{App, AppError, sheet};
use crate::http::ClientAddr;
use crate::texts::t;

/// Bad rows and revisions shown on the page.
const SHOWN: usize = 100;
/// Inputs of one export.
const EXPORT_INPUTS_MAX: usize = 50_000;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/inputs/import", get(form).post(check))
        .layer(DefaultBodyLimit::max(FILE_BYTES_MAX + (64 << 10)))
        .route("/inputs/import/blank.xlsx", get(blank))
        .route("/inputs/import/{id}", get(staged).post(accept))
        .route("/inputs/import/{id}/bad.csv", get(bad))
        .route("/inputs/export.csv", get(export))
        .route("/inputs/export.xlsx", get(export))
}

#[derive(Template)]
#[template(path = "inputs/import.html")]
struct ImportPage {
    page: Page,
    form: Form,
}

#[derive(Template)]
#[template(path = "inputs/staged.html")]
struct StagedPage {
    page: Page,
    id: String,
    staged: Arc<StagedInputs>,
    new: usize,
    same: usize,
    differ: usize,
    bad: usize,
}

impl StagedPage {
    /// Revisions shown.
    fn revised(&self) -> Vec<(&StagedProduct, &Revision)> {
        self.staged.revised().take(SHOWN).collect()
    }

    /// Bad rows shown; all of them are in the file.
    fn bad_rows(&self) -> &[BadRow] {
        &self.staged.bad[..self.staged.bad.len().min(SHOWN)]
    }
}

#[derive(Template)]
#[template(path = "inputs/imported.html")]
struct ImportedPage {
    page: Page,
    imported: ImportedInputs,
}

fn allowed(signed: &Signed) -> Result<(), ConsoleError> {
    match signed.may(CommandKind::AddInput) && signed.may(CommandKind::ReviseInput) {
        true => Ok(()),
        false => Err(ConsoleError::forbidden()),
    }
}

async fn form(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    allowed(&signed)?;
    html(&import_page(&app, &signed, Form::default()))
}

fn import_page(app: &App, signed: &Signed, form: Form) -> ImportPage {
    ImportPage { page: Page::new(app, signed, "/inputs", "inputs.import"), form }
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
        checking.stage_inputs(by.actor(), &by.session.user.id, &name, &sheet)
    });
    match id.await.map_err(AppError::internal)? {
        Ok(id) => Ok(Redirect::to(&format!("/inputs/import/{id}")).into_response()),
        Err(error @ AppError::Refused { .. }) => {
            form.bad_text("file", error.detail());
            form.summarise();
            refused(&import_page(&app, &signed, form))
        }
        Err(error) => Err(error.into()),
    }
}

fn waiting(app: &App, signed: &Signed, id: &str) -> Result<Arc<StagedInputs>, ConsoleError> {
    let staged = app.staged_inputs(&signed.session.user.id, id);
    staged.ok_or_else(|| AppError::refused("import_gone").into())
}

async fn staged(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    allowed(&signed)?;
    let staged = waiting(&app, &signed, &id)?;
    let page = Page::new(&app, &signed, "/inputs", "imports.checked");
    let [new, same, differ, bad] = staged.counts();
    html(&StagedPage { page, id, staged, new, same, differ, bad })
}

async fn accept(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    allowed(&signed)?;
    let with_revisions = form.ticked("revisions");
    let (working, by) = (app.clone(), signed.clone());
    // Goes on when the browser does not wait.
    let imported = tokio::task::spawn_blocking(move || {
        working.accept_inputs(by.actor(), &by.session.user.id, &id, with_revisions)
    });
    let imported = imported.await.map_err(AppError::internal)??;
    if imported.failed.is_empty() && imported.added + imported.revised == 0 {
        return Ok(done("/inputs", "imports.nothing"));
    }
    let page = Page::new(&app, &signed, "/inputs", "imports.done");
    html(&ImportedPage { page, imported })
}

async fn bad(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    allowed(&signed)?;
    let staged = waiting(&app, &signed, &id)?;
    let cells = |row: &BadRow| vec![row.line.to_string(), row.name.clone(), row.why.join(" ")];
    let rows: Vec<Vec<String>> = staged.bad.iter().map(cells).collect();
    let header = [t("imports.line"), LAYOUT.heading("name"), t("imports.why")];
    listed(Format::Csv, "input-faults", "", &header, &rows)
}

async fn blank(signed: Signed) -> Answer {
    allowed(&signed)?;
    listed(Format::Xlsx, "input-list", t("inputs.title"), &LAYOUT.headings(), &[])
}

/// The whole catalogue, a row for each registered use.
async fn export(
    State(app): State<Arc<App>>,
    signed: Signed,
    ClientAddr(address): ClientAddr,
    format: Format,
) -> Answer {
    let list = Outgoing {
        stem: "input-list",
        asked: String::new(),
        title: t("inputs.title"),
        headings: headings(),
    };
    let reading = app.clone();
    let rows = move || {
        let part = (input::ALL, "");
        let mut found =
            reading.store.newest::<Input>(part, &Scope::everything(), EXPORT_INPUTS_MAX)?;
        found.reverse();
        Ok::<Vec<_>, ConsoleError>(found.iter().flat_map(rows_of).collect())
    };
    hand_out(&app, &signed, address, format, list, rows).await
}

/// The columns of an import, so that a sheet that went out can come back, and two more.
fn headings() -> Vec<String> {
    let two = [t("inputs.version"), t("th.status")];
    LAYOUT.headings().into_iter().chain(two).map(String::from).collect()
}

fn rows_of(input: &Input) -> Vec<Vec<String>> {
    let none = RegisteredUse::default();
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    let day = |day: Option<tianyin_domain::Date>| day.map(|d| d.to_string()).unwrap_or_default();
    let state = if input.ended { "input_state.ended" } else { "input_state.current" };
    let row = |one: &RegisteredUse, crop: &str| {
        vec![
            input.registration_no.clone(),
            input.name.clone(),
            input.kind.word(),
            input.substances.join(t("lists.and")),
            crop.to_owned(),
            one.dose.clone(),
            number(one.max_uses),
            number(one.interval_days),
            number(one.interval_degree_days),
            day(input.valid_from),
            input.source.clone(),
            day(input.source_on),
            input.version.to_string(),
            t(state).to_owned(),
        ]
    };
    match input.uses.is_empty() {
        true => vec![row(&none, "")],
        false => input.uses.iter().map(|one| row(one, crop_text(one))).collect(),
    }
}
