//! Print jobs.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::command::Command;
use tianyin_domain::print_job::{
    self, CancelPrint, PrintJob, QueuePrint, REASON_CHARS_MAX, RetryPrint,
};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Text, Whole};
use super::schema::{Described, Schema, line, opt, req};
use super::shapes::{PRINT_STATUS, shape};
use crate::app::App;

const LISTING: Listing = Listing {
    all: Some((print_job::BY_STATUS, "")),
    filters: &[
        Filter {
            parameter: parameter("certificate", Text, "Only of this certificate."),
            field: "/certificate",
            index: Some(print_job::BY_CERTIFICATE),
        },
        Filter {
            parameter: parameter("status", PRINT_STATUS, "Only this status."),
            field: "/status",
            index: Some(print_job::BY_STATUS),
        },
        Filter {
            parameter: parameter("printer", Text, "Only on this printer."),
            field: "/printer",
            index: None,
        },
    ],
    switches: &[],
    search: &["/certificate", "/printer"],
    newest_first: true,
    county_wide: false,
};

impl Described for QueuePrint {
    const SCHEMA: Schema = shape!(
        "QueuePrint",
        "A label to print.",
        [
            req("certificate", Text, "Certificate."),
            req("printer", Text, "Printer."),
            req("copies", Whole(1, 1000), "Copies."),
            opt(
                "reason",
                line(REASON_CHARS_MAX),
                "Why it is printed again; must be given when it was, or may have been, printed before, or waits."
            ),
            opt(
                "template",
                Text,
                "Template of the label; absent is the one usual for the product."
            ),
        ]
    );
}

/// Why a job is tried again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    #[serde(default)]
    reason: String,
}

impl Described for Again {
    const SCHEMA: Schema = shape!(
        "RetryPrint",
        "Why a job is tried again.",
        [opt(
            "reason",
            line(REASON_CHARS_MAX),
            "Must be given when a label of it, or of the certificate since, may have come out."
        )]
    );
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/print_jobs", "Lists print jobs.", Good::Page(PrintJob::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/print_jobs", "Adds a print job.", Good::Made(PrintJob::SCHEMA), post(add))
            .body::<QueuePrint>(),
        Route::get(
            "/print_jobs/{id}",
            "Shows a print job.",
            Good::Object(PrintJob::SCHEMA),
            get(one),
        ),
        Route::post(
            "/print_jobs/{id}/cancel",
            "Takes back a print job that waits.",
            Good::Made(PrintJob::SCHEMA),
            post(cancel),
        ),
        Route::post(
            "/print_jobs/{id}/retry",
            "Has a failed print job tried again.",
            Good::Made(PrintJob::SCHEMA),
            post(retry),
        )
        .body::<Again>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<PrintJob>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<PrintJob>(&app, &caller, &id)
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<QueuePrint>,
) -> Answer {
    let outcome = app.submit_keyed(caller.actor(), Command::QueuePrint(command), key).await?;
    made::<PrintJob>(&app, &caller, &outcome)
}

async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(job): Path<String>,
    Key(key): Key,
) -> Answer {
    let command = Command::CancelPrint(CancelPrint { job });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<PrintJob>(&app, &caller, &outcome)
}

async fn retry(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(job): Path<String>,
    Key(key): Key,
    Body(body): Body<Again>,
) -> Answer {
    let command = Command::RetryPrint(RetryPrint { job, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<PrintJob>(&app, &caller, &outcome)
}
