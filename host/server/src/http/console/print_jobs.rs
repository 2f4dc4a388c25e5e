//! Print jobs: what went to which printer, why it did not, taken back or tried again.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::Time;
use tianyin_domain::certificate::Certificate;
use tianyin_domain::command::Command;
use tianyin_domain::device::Device;
use tianyin_domain::print_job::{self, CancelPrint, PrintJob, PrintStatus, RetryPrint};

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::Form;
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html, refused};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not, not_done};
use crate::app::{App, AppError};
use crate::texts::{has, tf};

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/print-jobs", get(list))
        .route("/print-jobs/{id}/cancel", post(cancel))
        .route("/print-jobs/{id}/retry", get(asked).post(retry))
}

/// A job with the names of what it speaks of and the sentence of its error.
pub struct Row {
    /// The job.
    pub job: PrintJob,
    /// What the certificate is for.
    pub product: String,
    /// Name of the printer.
    pub printer: String,
    /// Who gave it last; empty for the appliance itself.
    pub by: String,
    /// Why it failed.
    pub error: String,
}

impl Row {
    /// Whether it may be tried again.
    pub fn failed(&self) -> bool {
        self.job.status == PrintStatus::Failed
    }

    /// Whether it may be taken back.
    pub fn waits(&self) -> bool {
        self.job.status == PrintStatus::Queued
    }

    /// Whether a person has to look at the printer before it is tried again.
    pub fn uncertain(&self) -> bool {
        self.job.may_be_on_paper()
    }
}

/// Whether a job is under way: the page looks again by itself.
pub fn any_under_way(rows: &[Row]) -> bool {
    rows.iter().any(|r| r.job.is_under_way())
}

/// A label that came out, or may have, or is about to: another one needs a reason.
pub struct Before {
    /// Whether it still waits or is on its way.
    pub under_way: bool,
    /// When it came out, or was queued.
    pub at: Time,
    /// Name of the printer.
    pub printer: String,
}

/// The last of the rows that speaks against another label.
pub fn before(rows: &[Row]) -> Option<Before> {
    let under_way = rows.iter().find(|r| r.job.is_under_way());
    let on_paper = || {
        let on_paper = rows.iter().filter(|r| r.job.may_be_on_paper());
        on_paper.max_by_key(|r| r.job.on_paper_at())
    };
    let row = under_way.or_else(on_paper)?;
    let at = if under_way.is_some() { row.job.queued_at } else { row.job.on_paper_at() };
    Some(Before { under_way: under_way.is_some(), at, printer: row.printer.clone() })
}

/// Puts the question for a reason beside its field, where the page has one.
pub fn refused_print(form: &mut Form, error: AppError) -> Result<(), ConsoleError> {
    if matches!(error.code(), "reprint_reason" | "already_queued") {
        form.bad_text("reason", error.detail());
        return Ok(());
    }
    form.refused(error)
}

/// The row of a job.
pub fn row(app: &App, job: PrintJob) -> Result<Row, ConsoleError> {
    let printer: Option<Device> = app.store.get(&job.printer)?;
    let certificate: Option<Certificate> = app.store.get(&job.certificate)?;
    let error = error_text(&job.error);
    Ok(Row {
        product: certificate.map(|c| c.content.product).unwrap_or_default(),
        printer: printer.map_or_else(|| job.printer.clone(), |p| p.name),
        by: read::person(app, &job.queued_by),
        error,
        job,
    })
}

/// The sentence of `code` or `code|detail`.
fn error_text(error: &str) -> String {
    if error.is_empty() {
        return String::new();
    }
    let (code, detail) = error.split_once('|').unwrap_or((error, ""));
    let key = format!("print.{code}");
    if has(&key) { tf(&key, [("detail", detail)]) } else { error.to_owned() }
}

#[derive(Template)]
#[template(path = "print_jobs/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    order: Order,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let chosen = query.status.as_str();
    let address = match chosen {
        "" => "/print-jobs".to_owned(),
        status => format!("/print-jobs?status={}", super::session::encode(status)),
    };
    let part = (print_job::BY_STATUS, chosen);
    let order = Order::of(order::BY_TIME, &query.sort, address);
    let found =
        read::rows::<PrintJob>(&app, &signed.scope(), part, &order, query.after.as_deref())?;
    let mut chips = vec![Chip::every("/print-jobs", None, chosen.is_empty())];
    for status in PrintStatus::ALL {
        let word = status.api_word();
        let count = match signed.is_staff() {
            true => read::count(&app, &signed, print_job::BY_STATUS, &word)?,
            false => None,
        };
        let href = format!("/print-jobs?status={word}");
        chips.push(Chip { href, text: status.word(), count, on: chosen == word });
    }
    order.keep(&mut chips);
    let rows: Result<_, _> = found.items.into_iter().map(|j| row(&app, j)).collect();
    let page = Page::new(&app, &signed, "/print-jobs", "print_jobs.title");
    html(&ListPage { page, rows: rows?, pager: found.pager, chips, order })
}

async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let command = Command::CancelPrint(CancelPrint { job: id });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not("/print-jobs", answer, "print_jobs.cancelled")
}

/// Asks whether the label is really not there, and why it is printed again.
#[derive(Template)]
#[template(path = "print_jobs/retry.html")]
struct RetryPage {
    page: Page,
    row: Row,
    form: Form,
}

fn retry_page(app: &App, signed: &Signed, id: &str, form: Form) -> Result<RetryPage, ConsoleError> {
    let row = row(app, read::one(app, signed, "print_job", id)?)?;
    let page = Page::new(app, signed, "/print-jobs", "print_jobs.retry");
    Ok(RetryPage { page, row, form: form.called("print") })
}

async fn asked(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let page = retry_page(&app, &signed, &id, Form::default())?;
    if !page.row.failed() {
        // Somebody else has seen to it.
        return Ok(not_done("/print-jobs", &AppError::refused("print_not_failed")));
    }
    html(&page)
}

async fn retry(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let reason = form.get("reason").to_owned();
    let command = Command::RetryPrint(RetryPrint { job: id.clone(), reason });
    match app.submit_keyed(signed.actor(), command, form.once()).await {
        Ok(_) => return Ok(done("/print-jobs", "print_jobs.queued")),
        Err(error) => refused_print(&mut form, error)?,
    }
    form.summarise();
    refused(&retry_page(&app, &signed, &id, form)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_becomes_a_sentence_with_its_detail() {
        assert!(error_text("printer_unreachable|10.0.0.9:9100").contains("10.0.0.9:9100"));
        assert!(!error_text("interrupted").contains("interrupted"));
        assert!(!error_text("printer_disabled").contains("printer_disabled"));
        assert_eq!(error_text("unheard_of"), "unheard_of");
        assert_eq!(error_text(""), "");
    }
}
