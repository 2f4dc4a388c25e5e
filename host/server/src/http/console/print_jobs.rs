//! Print jobs: what went to which printer, and why it did not.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::command::Command;
use tianyin_domain::device::Device;
use tianyin_domain::print_job::{self, PrintJob, PrintStatus, QueuePrint};

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done_or_not};
use crate::app::App;
use crate::texts::{has, t, tf};

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/print-jobs", get(list)).route("/print-jobs/{id}/again", post(again))
}

/// A job with the name of its printer and the sentence of its error.
pub struct Row {
    /// The job.
    pub job: PrintJob,
    /// Name of the printer.
    pub printer: String,
    /// Why it failed.
    pub error: String,
}

impl Row {
    /// Whether the job may be given again.
    pub fn failed(&self) -> bool {
        self.job.status == PrintStatus::Failed
    }
}

/// Whether a job still waits for its printer: the page looks again by itself.
pub fn any_queued(rows: &[Row]) -> bool {
    rows.iter().any(|r| r.job.status == PrintStatus::Queued)
}

/// The row of a job.
pub fn row(app: &App, job: PrintJob) -> Result<Row, ConsoleError> {
    let printer: Option<Device> = app.store.get(&job.printer)?;
    let error = error_text(&job.error);
    Ok(Row { printer: printer.map_or_else(|| job.printer.clone(), |p| p.name), error, job })
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
    let every = t("lists.all").to_owned();
    let mut chips =
        vec![Chip { href: "/print-jobs".into(), text: every, count: None, on: chosen.is_empty() }];
    for status in [PrintStatus::Failed, PrintStatus::Queued, PrintStatus::Printed] {
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

/// A failed job is never repeated by itself; this makes a new one with the same wish.
async fn again(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let old: PrintJob = read::one(&app, &signed, "print_job", &id)?;
    let command = Command::QueuePrint(QueuePrint {
        certificate: old.certificate,
        printer: old.printer,
        copies: old.copies,
    });
    done_or_not(
        "/print-jobs",
        app.submit_keyed(signed.actor(), command, form.once()).await,
        "print_jobs.queued",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_becomes_a_sentence_with_its_detail() {
        assert!(error_text("printer_unreachable|10.0.0.9:9100").contains("10.0.0.9:9100"));
        assert!(!error_text("interrupted").contains("interrupted"));
        assert_eq!(error_text("unheard_of"), "unheard_of");
        assert_eq!(error_text(""), "");
    }
}
