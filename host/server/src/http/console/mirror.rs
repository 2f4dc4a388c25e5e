//! The static mirror: how it stands, how to publish it, and the scans in its host's log.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::http::{HeaderMap, header};
use axum::routing::{get, post};
use tianyin_domain::State as _;
use tianyin_domain::mirror_log::{self, MirrorLog, is_name};
use tokio::sync::Semaphore;

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::session::{Posted, Signed, done, not_done};
use super::sheet::uploaded;
use crate::app::mirror::import::{DEFAULT_NAME, Here, Imported, import};
use crate::app::mirror::log::{BadLine, Source};
use crate::app::mirror::{MirrorState, NGINX_EXAMPLE, UNIT_DISK_BYTES, codes_of_packs};
use crate::app::{App, AppError};
use crate::texts::{t, tf};

/// Largest log that a browser sends; larger ones are imported at the command line.
const FILE_BYTES_MAX: usize = 64 << 20;
/// Room for the other fields of the form.
const FIELDS_BYTES_MAX: usize = 64 << 10;
/// Logs listed.
const LOGS_MAX: usize = 100;

/// One log at a time: it is in memory while it is read.
static PLACES: Semaphore = Semaphore::const_new(1);

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/mirror/import", post(import_log))
        .layer(DefaultBodyLimit::max(FILE_BYTES_MAX + FIELDS_BYTES_MAX))
        .route("/mirror", get(show))
        .route("/mirror/again", post(again))
}

#[derive(Template)]
#[template(path = "mirror/page.html")]
struct MirrorPage {
    page: Page,
    form: Form,
    state: MirrorState,
    /// What there is to tell of codes of packs.
    units: Vec<String>,
    folder: String,
    public_url: String,
    logs: Vec<MirrorLog>,
    nginx: &'static str,
}

#[derive(Template)]
#[template(path = "mirror/imported.html")]
struct ImportedPage {
    page: Page,
    imported: Imported,
    bad: Vec<(u64, &'static str)>,
}

fn mirror_page(app: &App, signed: &Signed, form: Form) -> Result<MirrorPage, ConsoleError> {
    let mut logs = Vec::new();
    for name in app.store.ids(mirror_log::ALL, "", LOGS_MAX)? {
        logs.extend(app.store.get::<MirrorLog>(&name)?);
    }
    let state = app.mirror.state();
    let folder = state.folder.clone().unwrap_or_default();
    Ok(MirrorPage {
        page: Page::new(app, signed, "/settings", "mirror.title"),
        form,
        folder,
        units: units(app, &state)?,
        state,
        public_url: app.county()?.map(|county| county.public_url).unwrap_or_default(),
        logs,
        nginx: NGINX_EXAMPLE,
    })
}

/// How many files codes of packs have, and how far they are; nothing without packs.
fn units(app: &App, state: &MirrorState) -> Result<Vec<String>, ConsoleError> {
    let (packs, codes) = codes_of_packs(app)?;
    if packs == 0 {
        return Ok(Vec::new());
    }
    let mib = (codes * UNIT_DISK_BYTES).div_ceil(1 << 20);
    let [packs, codes, mib] = [packs, codes, mib].map(|n| n.to_string());
    let of = [("packs", packs.as_str()), ("codes", codes.as_str()), ("mib", mib.as_str())];
    let mut lines = vec![tf("mirror.units_all", of)];
    if state.units.packs > 0 {
        let waiting = state.units.packs.to_string();
        lines.push(tf("mirror.units_waiting", [("packs", waiting.as_str())]));
    }
    if let Some(pack) = &state.units.pack {
        let [done, size] = [state.units.done, state.units.size].map(|n| n.to_string());
        let of = [("pack", pack.as_str()), ("done", done.as_str()), ("size", size.as_str())];
        lines.push(tf("mirror.units_under_way", of));
    }
    Ok(lines)
}

async fn show(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    signed.administrator_only()?;
    html(&mirror_page(&app, &signed, Form::with("", &[("log_name", DEFAULT_NAME)]))?)
}

async fn again(State(app): State<Arc<App>>, Posted { signed, .. }: Posted) -> Answer {
    signed.administrator_only()?;
    if app.mirror.look_again() {
        return Ok(done("/mirror", "mirror.again_done"));
    }
    Ok(not_done("/mirror", &AppError::refused("mirror_not_set")))
}

async fn import_log(
    State(app): State<Arc<App>>,
    signed: Signed,
    headers: HeaderMap,
    body: Multipart,
) -> Answer {
    signed.administrator_only()?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: usize| bytes > FILE_BYTES_MAX + FIELDS_BYTES_MAX) {
        let mut form = Form::with("", &[("log_name", DEFAULT_NAME)]);
        form.bad_text("file", t("mirror.too_large"));
        form.summarise();
        return refused(&mirror_page(&app, &signed, form)?);
    }
    let _place = PLACES.try_acquire().map_err(|_| AppError::Overloaded)?;
    let (mut form, file) = uploaded(&signed, body).await?;
    let name = form.text_of("log_name");
    if !name.is_empty() && !is_name(&name) {
        form.bad("log_name", "bad_log_name");
    }
    if let (Some((file, bytes)), true) = (file, form.is_good()) {
        let (working, by) = (app.clone(), signed.clone());
        let imported = tokio::task::spawn_blocking(move || {
            let mut here = Here { app: &working, actor: by.actor() };
            import(&name, vec![Source::Bytes(file, bytes)], &mut here)
        });
        match imported.await.map_err(AppError::internal)? {
            Ok(imported) => {
                let page = Page::new(&app, &signed, "/settings", "mirror.imported");
                let bad = imported.bad_lines.iter().map(|bad| (bad.line, words(bad.why)));
                let bad = bad.collect();
                return html(&ImportedPage { page, imported, bad });
            }
            Err(error @ AppError::Refused { .. }) => form.bad_text("file", error.detail()),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&mirror_page(&app, &signed, form)?)
}

fn words(why: BadLine) -> &'static str {
    t(match why {
        BadLine::TooLong => "log_fault.too_long",
        BadLine::Form => "log_fault.form",
        BadLine::Time => "log_fault.time",
        BadLine::Future => "log_fault.future",
        BadLine::Status => "log_fault.status",
    })
}
