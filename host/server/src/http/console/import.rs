//! Operators from a sheet: check first, then accept; and to a sheet.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Multipart, Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use tianyin_domain::access::AccessKind;
use tianyin_domain::code::grouped;
use tianyin_domain::command::CommandKind;
use tianyin_domain::operator::{self, Operator};
use tianyin_domain::time::china_minute;
use tianyin_sheets::FILE_BYTES_MAX;

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::Form;
use super::page::{Page, html, refused};
use super::read;
use super::session::{Posted, Signed, done};
use crate::app::import::{Fate, Imported, LAYOUT, Staged};
use crate::app::{App, AppError, sheet};
use crate::http::ClientAddr;
use crate::texts::{t, t_static};

/// Bad rows shown on the page; all of them are in the file.
const BAD_SHOWN: usize = 100;
/// Rows of one export.
const EXPORT_ROWS_MAX: usize = 100_000;
/// Media types of what goes out.
pub(super) const CSV: &str = "text/csv; charset=utf-8";
pub(super) const CSV_GB18030: &str = "text/csv; charset=gb18030";
pub(super) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/operators/import", get(form).post(check))
        .layer(DefaultBodyLimit::max(FILE_BYTES_MAX + (64 << 10)))
        .route("/operators/import/blank.xlsx", get(blank))
        .route("/operators/import/{id}", get(staged).post(accept))
        .route("/operators/import/{id}/bad.csv", get(bad))
        .route("/operators/export.csv", get(export_csv))
        .route("/operators/export.xlsx", get(export_xlsx))
}

#[derive(Template)]
#[template(path = "operators/import.html")]
struct ImportPage {
    page: Page,
    form: Form,
}

#[derive(Template)]
#[template(path = "operators/staged.html")]
struct StagedPage {
    page: Page,
    id: String,
    staged: Arc<Staged>,
    new: usize,
    same: usize,
    differ: usize,
    bad: usize,
}

impl StagedPage {
    /// The first rows that cannot be registered, and why.
    fn faults(&self) -> Vec<(usize, &str, &[String])> {
        let faults = self.staged.rows.iter().filter_map(|row| match &row.fate {
            Fate::Bad(why) => Some((row.line, row.name.as_str(), why.as_slice())),
            _ => None,
        });
        faults.take(BAD_SHOWN).collect()
    }
}

#[derive(Template)]
#[template(path = "operators/imported.html")]
struct ImportedPage {
    page: Page,
    imported: Imported,
}

fn allowed(signed: &Signed) -> Result<(), ConsoleError> {
    match signed.may(CommandKind::RegisterOperator) {
        true => Ok(()),
        false => Err(ConsoleError::forbidden()),
    }
}

async fn form(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    allowed(&signed)?;
    html(&import_page(&app, &signed, Form::default()))
}

fn import_page(app: &App, signed: &Signed, form: Form) -> ImportPage {
    ImportPage { page: Page::new(app, signed, "/operators", "imports.title"), form }
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
        checking.stage_import(by.actor(), &by.session.user.id, &name, &sheet)
    });
    match id.await.map_err(AppError::internal)? {
        Ok(id) => Ok(Redirect::to(&format!("/operators/import/{id}")).into_response()),
        Err(error @ AppError::Refused { .. }) => {
            form.bad_text("file", error.detail());
            form.summarise();
            refused(&import_page(&app, &signed, form))
        }
        Err(error) => Err(error.into()),
    }
}

/// Fields and file, by name and bytes, of a form that proves to come from our page. A form without a file
/// has that fault.
pub(super) async fn uploaded(
    signed: &Signed,
    mut body: Multipart,
) -> Result<(Form, Option<(String, Bytes)>), ConsoleError> {
    let (mut values, mut file) = (Vec::new(), None);
    while let Some(field) = body.next_field().await.map_err(cut)? {
        match field.name().map(str::to_owned) {
            Some(name) if name == "file" => {
                let name: String =
                    field.file_name().unwrap_or_default().chars().take(128).collect();
                file = Some((name, field.bytes().await.map_err(cut)?));
            }
            Some(name) => values.push((name, field.text().await.map_err(cut)?)),
            None => {}
        }
    }
    let mut form = Form::sent(values);
    if form.get("form_token") != signed.session.form_token {
        return Err(AppError::refused("cross_site").into());
    }
    let file = file.filter(|(_, bytes)| !bytes.is_empty());
    if file.is_none() {
        form.bad("file", "required");
    }
    Ok((form, file))
}

/// The sender is gone, or sent more than is taken.
fn cut(_: axum::extract::multipart::MultipartError) -> ConsoleError {
    AppError::refused("sheet_too_large").into()
}

fn waiting(app: &App, signed: &Signed, id: &str) -> Result<Arc<Staged>, ConsoleError> {
    let staged = app.staged_import(&signed.session.user.id, id);
    staged.ok_or_else(|| AppError::refused("import_gone").into())
}

async fn staged(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    allowed(&signed)?;
    let staged = waiting(&app, &signed, &id)?;
    let [new, same, differ, bad] = staged.counts();
    let page = Page::new(&app, &signed, "/operators", "imports.checked");
    html(&StagedPage { page, id, staged, new, same, differ, bad })
}

async fn accept(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    allowed(&signed)?;
    let approve = form.ticked("approve") && signed.may(CommandKind::ReviewOperator);
    let how = (form.ticked("changes"), approve);
    let (working, by) = (app.clone(), signed.clone());
    // Goes on when the browser does not wait.
    let imported = tokio::task::spawn_blocking(move || {
        working.accept_import(by.actor(), &by.session.user.id, &id, how)
    });
    let imported = imported.await.map_err(AppError::internal)??;
    if imported.failed.is_empty() && imported.added + imported.changed == 0 {
        return Ok(done("/operators", "imports.nothing"));
    }
    let page = Page::new(&app, &signed, "/operators", "imports.done");
    html(&ImportedPage { page, imported })
}

async fn bad(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    allowed(&signed)?;
    let staged = waiting(&app, &signed, &id)?;
    let rows: Vec<Vec<String>> = staged
        .rows
        .iter()
        .filter_map(|row| match &row.fate {
            Fate::Bad(why) => Some(vec![row.line.to_string(), row.name.clone(), why.join(" ")]),
            _ => None,
        })
        .collect();
    let header = [t("imports.line"), LAYOUT.heading("name"), t("imports.why")];
    Ok(file(tianyin_sheets::csv(&header, &rows, false), CSV, "import-faults.csv"))
}

async fn blank(signed: Signed) -> Answer {
    allowed(&signed)?;
    let bytes = tianyin_sheets::xlsx(t("operators.title"), &LAYOUT.headings(), &[])
        .map_err(|e| AppError::internal(anyhow::anyhow!(e)))?;
    Ok(file(bytes, XLSX, "operator-list.xlsx"))
}

async fn export_csv(
    State(app): State<Arc<App>>,
    signed: Signed,
    ClientAddr(address): ClientAddr,
    Query(query): Query<Filter>,
) -> Answer {
    let rows = exported(&app, &signed, &query, "operator-list.csv", address).await?;
    // Some programs of agencies read nothing else.
    let gb18030 = query.encoding == "gb18030";
    let bytes = tianyin_sheets::csv(&headings(), &rows, gb18030);
    Ok(file(bytes, if gb18030 { CSV_GB18030 } else { CSV }, "operator-list.csv"))
}

async fn export_xlsx(
    State(app): State<Arc<App>>,
    signed: Signed,
    ClientAddr(address): ClientAddr,
    Query(query): Query<Filter>,
) -> Answer {
    let rows = exported(&app, &signed, &query, "operator-list.xlsx", address).await?;
    let written = tokio::task::spawn_blocking(move || {
        tianyin_sheets::xlsx(t("operators.title"), &headings(), &rows)
    });
    let bytes = written.await.map_err(AppError::internal)?;
    let bytes = bytes.map_err(|e| AppError::internal(anyhow::anyhow!(e)))?;
    Ok(file(bytes, XLSX, "operator-list.xlsx"))
}

/// What of the list is to go out, and how.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Filter {
    status: String,
    area: String,
    /// `gb18030`, else UTF-8.
    encoding: String,
}

/// The columns of an import, so that a sheet that went out can come back, and three more.
fn headings() -> Vec<&'static str> {
    let more = ["sheet.code", "sheet.status", "sheet.registered_at"];
    let more = more.map(|k| t_static(k).unwrap_or_default());
    LAYOUT.headings().into_iter().chain(more).collect()
}

/// Everything of the list as it is filtered, as far as the person sees it. It goes on record first.
async fn exported(
    app: &Arc<App>,
    signed: &Signed,
    query: &Filter,
    name: &str,
    address: std::net::IpAddr,
) -> Result<Vec<Vec<String>>, ConsoleError> {
    signed.staff_only()?;
    let scope = read::narrowed(&signed.scope(), &query.area);
    let (reading, status) = (app.clone(), query.status.clone());
    let found = tokio::task::spawn_blocking(move || {
        let part = (operator::BY_STATUS, status.as_str());
        read::all::<Operator>(&reading, &scope, part, EXPORT_ROWS_MAX)
    });
    let found = found.await.map_err(AppError::internal)??;
    let what = format!("{name}?status={}&area={}", query.status, query.area);
    app.note_access(&signed.session.user, AccessKind::Export, what, found.len(), address).await?;
    Ok(found.iter().map(cells).collect())
}

fn cells(one: &Operator) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        one.name.clone(),
        one.kind.word(),
        one.uscc.clone(),
        one.area_name.clone(),
        one.address.clone(),
        one.contact_name.clone(),
        one.contact_phone.clone(),
        text(&one.uscc_override),
        text(&one.same_name_override),
        grouped(&one.code),
        one.status.word(),
        china_minute(one.registered_at),
    ]
}

/// A file as an answer, not kept by caches.
pub(super) fn file(bytes: Vec<u8>, media: &'static str, name: &str) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}
