//! A register from a sheet: check first, then accept. The same pages serve every register.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::get;
use tianyin_domain::command::CommandKind;
use tianyin_sheets::FILE_BYTES_MAX;

use super::account_totp::never_kept;
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::session::{Posted, Signed, done};
use super::sheet::{Format, listed, uploaded};
use crate::app::registers::{Acceptance, Imported, Register, Staged};
use crate::app::{App, AppError, sheet};
use crate::texts::{t, t_static, tf};

/// Bad rows shown on the page; all of them are in the file.
const BAD_SHOWN: usize = 100;

pub fn router() -> Router<Arc<App>> {
    Register::ALL.into_iter().map(of).fold(Router::new(), Router::merge)
}

fn of(register: Register) -> Router<Arc<App>> {
    let at = register.address();
    Router::new()
        .route(
            &format!("{at}/import"),
            get(move |app, signed| form(register, app, signed))
                .post(move |app, signed, body| check(register, app, signed, body)),
        )
        .layer(DefaultBodyLimit::max(FILE_BYTES_MAX + (64 << 10)))
        .route(&format!("{at}/import/blank.xlsx"), get(move |signed| blank(register, signed)))
        .route(
            &format!("{at}/import/{{id}}"),
            get(move |app, signed, id| staged(register, app, signed, id))
                .post(move |app, id, posted| accept(register, app, id, posted)),
        )
        .route(
            &format!("{at}/import/{{id}}/bad.csv"),
            get(move |app, signed, id| bad(register, app, signed, id)),
        )
}

impl Register {
    /// The address of its list.
    pub fn address(self) -> String {
        format!("/{}", self.as_str())
    }

    /// The title of its list.
    pub fn title(self) -> &'static str {
        t_static(&format!("{}.title", self.as_str())).unwrap_or_default()
    }

    fn noun(self) -> &'static str {
        t_static(&format!("imports_of.{}", self.as_str())).unwrap_or_default()
    }

    /// What is not said of every register.
    fn hint(self) -> &'static str {
        t_static(&format!("imports_hint.{}", self.as_str())).unwrap_or_default()
    }

    fn page(self, app: &App, signed: &Signed, title: &str) -> Page {
        let mut page = Page::new(app, signed, self.section(), title);
        page.title = tf(title, [("what", self.noun())]);
        page
    }

    /// The line of the menu that its pages belong to.
    fn section(self) -> &'static str {
        match self {
            Self::Agencies => "/agencies",
            Self::Operators => "/operators",
            Self::Products => "/products",
            Self::Sites => "/map",
            Self::Users => "/users",
        }
    }
}

#[derive(Template)]
#[template(path = "registers/import.html")]
struct ImportPage {
    page: Page,
    register: Register,
    form: Form,
}

#[derive(Template)]
#[template(path = "registers/staged.html")]
struct StagedPage {
    page: Page,
    register: Register,
    id: String,
    staged: Arc<Staged>,
    new: usize,
    same: usize,
    differ: usize,
    bad: usize,
}

impl StagedPage {
    fn faults(&self) -> Vec<(usize, &str, &[String])> {
        self.staged.bad().take(BAD_SHOWN).collect()
    }

    /// Whether what it registers may be approved at once.
    fn approves(&self) -> bool {
        self.new > 0 && self.register == Register::Operators && self.page.may("review_operator")
    }
}

#[derive(Template)]
#[template(path = "registers/imported.html")]
struct ImportedPage {
    page: Page,
    register: Register,
    imported: Imported,
}

fn allowed(register: Register, signed: &Signed) -> Result<(), ConsoleError> {
    match signed.is_staff() && signed.may(register.command()) {
        true => Ok(()),
        false => Err(ConsoleError::forbidden()),
    }
}

async fn form(register: Register, State(app): State<Arc<App>>, signed: Signed) -> Answer {
    allowed(register, &signed)?;
    html(&import_page(register, &app, &signed, Form::default()))
}

fn import_page(register: Register, app: &App, signed: &Signed, form: Form) -> ImportPage {
    ImportPage { page: register.page(app, signed, "imports.title"), register, form }
}

async fn check(
    register: Register,
    State(app): State<Arc<App>>,
    signed: Signed,
    body: Multipart,
) -> Answer {
    allowed(register, &signed)?;
    let (mut form, file) = uploaded(&signed, body).await?;
    let Some((name, bytes)) = file else {
        form.summarise();
        return refused(&import_page(register, &app, &signed, form));
    };
    let (checking, by) = (app.clone(), signed.clone());
    let id = tokio::task::spawn_blocking(move || -> Result<String, AppError> {
        let sheet = sheet::read(&bytes)?;
        checking.stage_import(register, (by.actor(), &by.session.user.id), &name, &sheet)
    });
    match id.await.map_err(AppError::internal)? {
        Ok(id) => Ok(Redirect::to(&format!("{}/import/{id}", register.address())).into_response()),
        Err(error @ AppError::Refused { .. }) => {
            form.bad_text("file", error.detail());
            form.summarise();
            refused(&import_page(register, &app, &signed, form))
        }
        Err(error) => Err(error.into()),
    }
}

/// The checked sheet, for whoever brought it.
fn waiting(
    register: Register,
    app: &App,
    signed: &Signed,
    id: &str,
) -> Result<Arc<Staged>, ConsoleError> {
    allowed(register, signed)?;
    let staged = app.staged_import(register, &signed.session.user.id, id);
    staged.ok_or_else(|| AppError::refused("import_gone").into())
}

async fn staged(
    register: Register,
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Answer {
    let staged = waiting(register, &app, &signed, &id)?;
    let [new, same, differ, bad] = staged.counts();
    let page = register.page(&app, &signed, "imports.checked");
    html(&StagedPage { page, register, id, staged, new, same, differ, bad })
}

async fn accept(
    register: Register,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    allowed(register, &signed)?;
    let approve = form.ticked("approve") && signed.may(CommandKind::ReviewOperator);
    let how = Acceptance { changes: form.ticked("changes"), approve };
    let (working, by) = (app.clone(), signed.clone());
    // Goes on when the browser does not wait.
    let imported = tokio::task::spawn_blocking(move || {
        working.accept_import(register, (by.actor(), &by.session.user.id), &id, how)
    });
    let imported = imported.await.map_err(AppError::internal)??;
    if imported.failed.is_empty() && imported.added + imported.changed == 0 {
        return Ok(done(&register.address(), "imports.nothing"));
    }
    let page = register.page(&app, &signed, "imports.done");
    never_kept(html(&ImportedPage { page, register, imported }))
}

async fn bad(
    register: Register,
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Answer {
    let staged = waiting(register, &app, &signed, &id)?;
    let cells = |(line, name, why): (usize, &str, &[String])| {
        vec![line.to_string(), name.to_owned(), why.join(" ")]
    };
    let rows: Vec<Vec<String>> = staged.bad().map(cells).collect();
    let header = [t("imports.line"), register.layout().heading("name"), t("imports.why")];
    listed(Format::Csv, "import-faults", "", &header, &rows)
}

async fn blank(register: Register, signed: Signed) -> Answer {
    allowed(register, &signed)?;
    let headings = register.layout().headings();
    listed(Format::Xlsx, register.file_stem(), register.title(), &headings, &[])
}
