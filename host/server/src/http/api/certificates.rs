//! Commitment certificates (承诺达标合格证): issue, void, papers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_documents::{SHEET_LABELS_MAX, bitmap_to_png};
use tianyin_domain::certificate::{self, Certificate, CertificateRequest, VoidCertificate};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::lot::Lot;
use tianyin_domain::token::TokenGroup;

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, IfMatch, Key, Parameter, RawParameters, bad_query, parameter};
use super::route::{Good, Route, Shown, made, one, shown};
use super::schema::Kind::{Choice, Date, Few, Object, Quantity, Text, Whole};
use super::schema::{Described, Schema, filled, opt, req};
use super::shapes::{BASIS, CERTIFICATE_STATUS, JUDGEMENT, PAPER_ENTRY, shape};
use crate::app::App;
use crate::app::certificates::{dpi_of, paper_size};
use crate::http::Problem;
use crate::http::problem::FieldProblem;

const LISTING: Listing = Listing {
    all: Some((certificate::BY_OPERATOR, "")),
    filters: &[
        Filter {
            parameter: parameter("lot", Text, "Only of this lot."),
            field: "/lot",
            index: Some(certificate::BY_LOT),
        },
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(certificate::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("issued_on", Date, "Only of this day."),
            field: "/content/issued_on",
            index: Some(certificate::BY_DAY),
        },
        Filter {
            parameter: parameter("status", CERTIFICATE_STATUS, "Only this status."),
            field: "/status",
            index: Some(certificate::BY_STATUS),
        },
    ],
    switches: &[],
    search: &["/content/code", "/content/product", "/content/producer", "/content/lot_no"],
    newest_first: true,
    county_wide: false,
};

/// Size of a sheet.
const SHEET_SIZE: &[Parameter] = &[parameter("size", Choice(&["a4", "a5"]), "`a4` when absent.")];
/// Resolution of a sheet, dots per inch.
const SHEET_DPI: &[Parameter] = &[parameter("dpi", Whole(72, 300), "150 when absent.")];
/// Resolution of a label printer.
const LABEL_DPI: &[Parameter] =
    &[parameter("dpi", Choice(&["203", "300"]), "203 or 300; 203 when absent.")];
/// Most labels in one file.
const LABELS_MAX: i64 = SHEET_LABELS_MAX as i64;
/// Labels on sheets.
const LABELS: &[Parameter] = &[
    parameter("count", Whole(1, LABELS_MAX), "How many labels; 1 when absent."),
    parameter("skip", Whole(0, 100), "Places of the first sheet that are used up; 0 when absent."),
    parameter("template", Text, "Label template; when absent the usual one."),
];

impl Described for CertificateRequest {
    const SCHEMA: Schema = shape!(
        "IssueCertificate",
        "What is to be certified.",
        [
            req("lot", Text, "Lot."),
            req("quantity", Quantity, "Quantity, at most what the lot still has."),
            req(
                "basis",
                Few(&BASIS, 0, 4),
                "Basis (承诺依据), at least one where the form has any."
            ),
            opt("replaces", Text, "Void certificate of the same lot that this one replaces."),
            opt("packages", Whole(1, 1_000_000), "Packages of one content (一包一证)."),
            opt("vehicle", filled(12), "Number plate of the vehicle (一车一证)."),
            opt("paper", Object(&PAPER_ENTRY), "The form that was filled in by hand before."),
        ]
    );
}

/// Why it is voided.
#[derive(Deserialize)]
struct Void {
    reason: String,
}

impl Described for Void {
    const SCHEMA: Schema = shape!(
        "VoidCertificate",
        "Why a certificate is voided.",
        [req("reason", filled(128), "Reason; shown to everybody.")]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let schema = Certificate::SCHEMA;
    vec![
        Route::get("/certificates", "Lists certificates.", Good::Page(schema), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/certificates", "Issues a certificate.", Good::Made(schema), post(issue))
            .body::<CertificateRequest>()
            .versioned(),
        Route::post(
            "/certificates/preview",
            "Says what the rule would say now; issues nothing.",
            Good::Object(&JUDGEMENT),
            post(preview),
        )
        .body::<CertificateRequest>(),
        Route::get(
            "/certificates/{code}",
            "Shows a certificate.",
            Good::Object(schema),
            get(one_certificate),
        ),
        Route::post(
            "/certificates/{code}/void",
            "Voids a certificate.",
            Good::Made(schema),
            post(void),
        )
        .body::<Void>(),
        Route::get(
            "/certificates/{code}/paper.pdf",
            "The paper, A4 or A5.",
            Good::File("application/pdf"),
            get(paper_pdf),
        )
        .query(&[SHEET_SIZE]),
        Route::get(
            "/certificates/{code}/paper.png",
            "A4 paper as a picture.",
            Good::File("image/png"),
            get(paper_png),
        )
        .query(&[SHEET_DPI]),
        Route::get(
            "/certificates/{code}/label.png",
            "The very dots of the label.",
            Good::File("image/png"),
            get(label_png),
        )
        .query(&[LABEL_DPI]),
        Route::get(
            "/certificates/{code}/labels.pdf",
            "Labels on A4 sheets of label stock, for office printers; none of a void certificate.",
            Good::File("application/pdf"),
            get(labels_pdf),
        )
        .query(&[LABELS])
        .refuses_values(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Certificate>(&app, &caller, &LISTING, query)
}

async fn one_certificate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(code): Path<String>,
) -> Answer {
    shown::<Certificate>(&app, &caller, &code)
}

async fn issue(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    version: IfMatch,
    Body(request): Body<CertificateRequest>,
) -> Answer {
    // The rule reads the lot before the command is authorised: out of sight must stay out of sight.
    one::<Lot>(&app, &caller, &request.lot)?;
    let seen = version.of(format!("lot/{}", request.lot));
    let outcome = app.issue(caller.actor(), request, key, &seen).await?;
    made::<Certificate>(&app, &caller, &outcome)
}

async fn preview(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(request): Body<CertificateRequest>,
) -> Answer {
    one::<Lot>(&app, &caller, &request.lot)?;
    let judgement = app.preview_issue(&request)?;
    let value = serde_json::to_value(judgement).map_err(Problem::internal)?;
    Ok(Json(JUDGEMENT.show(&value)).into_response())
}

async fn void(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(code): Path<String>,
    Key(key): Key,
    Body(body): Body<Void>,
) -> Answer {
    let command = Command::VoidCertificate(VoidCertificate { code, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Certificate>(&app, &caller, &outcome)
}

async fn paper_pdf(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(code): Path<String>,
    query: RawParameters,
) -> Answer {
    let values = query.read(&[SHEET_SIZE])?;
    let size = paper_size(values.get("size").map(String::as_str));
    let certificate: Certificate = one(&app, &caller, &code)?;
    let name = format!("inline; filename=\"{}.pdf\"", certificate.content.code);
    let pdf = drawn(move || Ok(app.paper_pdf(&certificate, size)?)).await?;
    let headers =
        [(header::CONTENT_TYPE, "application/pdf".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, pdf).into_response())
}

async fn paper_png(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(code): Path<String>,
    query: RawParameters,
) -> Answer {
    let values = query.read(&[SHEET_DPI])?;
    let dpi = match values.get("dpi").map(|dpi| dpi.parse()) {
        None => 150,
        Some(Ok(dpi @ 72..=300)) => dpi,
        Some(_) => return Err(bad_query(vec![FieldProblem::new("dpi", "bad_sheet_dpi", &[])], "")),
    };
    let certificate: Certificate = one(&app, &caller, &code)?;
    let png = drawn(move || Ok(app.paper_png(&certificate, dpi)?)).await?;
    Ok(([(header::CONTENT_TYPE, "image/png")], png).into_response())
}

async fn label_png(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(code): Path<String>,
    query: RawParameters,
) -> Answer {
    let values = query.read(&[LABEL_DPI])?;
    let dpi = dpi_of(values.get("dpi").and_then(|dpi| dpi.parse().ok()).unwrap_or(203));
    let certificate: Certificate = one(&app, &caller, &code)?;
    let png = drawn(move || {
        let design = app.design_for(&certificate, None)?;
        let bitmap = app.label_bitmap(&certificate, &design, dpi)?;
        bitmap_to_png(&bitmap).map_err(Problem::internal)
    });
    Ok(([(header::CONTENT_TYPE, "image/png")], png.await?).into_response())
}

async fn labels_pdf(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(code): Path<String>,
    query: RawParameters,
) -> Answer {
    let values = query.read(&[LABELS])?;
    caller.allowed(CommandKind::QueuePrint)?;
    caller.any_group(&[TokenGroup::Certificates])?;
    let certificate: Certificate = one(&app, &caller, &code)?;
    let name = format!("inline; filename=\"{}-labels.pdf\"", certificate.content.code);
    // A number beyond what a number can be is none that a sheet has.
    let count = values.get("count").map_or(1, |text| text.parse().unwrap_or(0));
    let skip = values.get("skip").map_or(0, |text| text.parse().unwrap_or(u32::MAX));
    let template = values.get("template").filter(|id| !id.is_empty()).cloned();
    let draw = move |app: &App| app.label_sheet(&certificate, template.as_deref(), count, skip);
    let pdf = app.drawn(draw).await?;
    let headers =
        [(header::CONTENT_TYPE, "application/pdf".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, pdf).into_response())
}

/// Drawing takes tens of milliseconds: not on a thread that serves others.
async fn drawn(
    draw: impl FnOnce() -> Result<Vec<u8>, Problem> + Send + 'static,
) -> Result<Vec<u8>, Problem> {
    tokio::task::spawn_blocking(draw).await.map_err(Problem::internal)?
}
