//! Certificates: the list, and one with its paper, label, proof, judgement, scans and prints.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::certificate::{self, Certificate, CertificateStatus, VoidCertificate};
use tianyin_domain::certificate_form::CertificateForm;
use tianyin_domain::code::{self, Code};
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::county::County;
use tianyin_domain::label_template::LabelTemplate;
use tianyin_domain::print_job::{self, PrintJob, QueuePrint};
use tianyin_domain::scan::SuspicionStatus;
use tianyin_domain::time::china_date;

use super::devices::printer_choices;
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html, refused};
use super::print_jobs;
use super::read::{self, ListQuery, Rows};
use super::reasons::{Findings, Link, link_of};
use super::session::{Posted, Signed, done};
use super::suspicions::{Seen, seen_in};
use crate::app::App;
use crate::app::certificates::{dpi_of, paper_size};
use crate::app::scans::ScanNumbers;
use crate::edge::now;
use crate::texts::t;

/// Resolution of the preview of the paper.
const PREVIEW_DPI: u32 = 96;
/// Labels to begin with on a sheet.
const SHEET_LABELS: &str = "10";

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/certificates", get(list))
        .route("/certificates/{code}", get(detail))
        .route("/certificates/{code}/paper.png", get(paper_png))
        .route("/certificates/{code}/paper.pdf", get(paper_pdf))
        .route("/certificates/{code}/label.png", get(label_png))
        .route("/certificates/{code}/labels.pdf", get(labels_pdf))
        .route("/certificates/{code}/proof.txt", get(proof))
        .route("/certificates/{code}/print", post(print))
        .route("/certificates/{code}/void", post(void))
}

#[derive(Template)]
#[template(path = "certificates/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Certificate>,
    pager: Pager,
    chips: Vec<Chip>,
    order: Order,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let after = query.after.as_deref();
    let scope = signed.scope();
    let own = signed.operator().unwrap_or(&query.operator);
    let (part, address) = match (query.status.as_str(), query.day.as_str()) {
        (_, day) if !day.is_empty() => {
            let address = format!("/certificates?day={}", super::session::encode(day));
            ((certificate::BY_DAY, day), address)
        }
        (status @ ("valid" | "void"), _) => {
            ((certificate::BY_STATUS, status), format!("/certificates?status={status}"))
        }
        _ => {
            let address = match query.operator.as_str() {
                "" => "/certificates".to_owned(),
                one => format!("/certificates?operator={}", super::session::encode(one)),
            };
            ((certificate::BY_OPERATOR, own), address)
        }
    };
    let order = Order::of(order::BY_TIME, &query.sort, address);
    let found: Rows<Certificate> = read::rows(&app, &scope, part, &order, after)?;
    let mut chips = chips(&app, &signed, &query)?;
    order.keep(&mut chips);
    html(&ListPage {
        page: Page::new(&app, &signed, "/certificates", "certificates.title"),
        chips,
        rows: found.items,
        pager: found.pager,
        order,
    })
}

fn chips(app: &App, signed: &Signed, query: &ListQuery) -> Result<Vec<Chip>, ConsoleError> {
    let today = china_date(now());
    let staff = signed.is_staff();
    let count = |index, part: &str| match staff {
        true => read::count(app, signed, index, part),
        false => Ok(None),
    };
    let chip = |href: String, text: String, count, on| Chip { href, text, count, on };
    let any_filter = !query.status.is_empty() || !query.day.is_empty();
    let mut out = vec![chip("/certificates".into(), t("lists.all").to_owned(), None, !any_filter)];
    out.push(chip(
        format!("/certificates?day={today}"),
        t("certificates.today").to_owned(),
        count(certificate::BY_DAY, &today.to_string())?,
        query.day == today.to_string(),
    ));
    for status in [CertificateStatus::Valid, CertificateStatus::Void] {
        let word = status.api_word();
        let href = format!("/certificates?status={word}");
        let count = count(certificate::BY_STATUS, &word)?;
        out.push(chip(href, status.word(), count, query.status == word));
    }
    Ok(out)
}

#[derive(Template)]
#[template(path = "certificates/detail.html")]
struct DetailPage {
    page: Page,
    certificate: Certificate,
    /// The form it was issued on.
    certificate_form: CertificateForm,
    findings: Findings,
    tests: Vec<Link>,
    scans: Option<ScanNumbers>,
    seen: Vec<Seen>,
    /// How it stands when its label may have been copied.
    suspicion: Option<SuspicionStatus>,
    checks: u64,
    jobs: Vec<print_jobs::Row>,
    /// What speaks against printing another label without a reason.
    before: Option<print_jobs::Before>,
    printers: Vec<Choice>,
    /// What labels may look like.
    templates: Vec<Choice>,
    public_url: String,
    public_path: String,
    /// Where everybody finds its page, for what shops put on theirs.
    shown_at: String,
    print_form: Form,
    sheet_form: Form,
    void_form: Form,
}

impl DetailPage {
    fn is_void(&self) -> bool {
        self.certificate.status == CertificateStatus::Void
    }
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(code): Path<String>) -> Answer {
    let print_form = Form::with("print", &[("copies", "1")]);
    html(&shown(&app, &signed, &code, print_form, Form::named("void"))?)
}

fn shown(
    app: &App,
    signed: &Signed,
    code: &str,
    print_form: Form,
    void_form: Form,
) -> Result<DetailPage, ConsoleError> {
    let certificate: Certificate = read::one(app, signed, "certificate", code)?;
    let bound: Option<Code> = app.store.get(code)?;
    let county: Option<County> = app.county()?;
    let base = county.map(|c| c.public_url).unwrap_or_default();
    let part = (print_job::BY_CERTIFICATE, code);
    let jobs: Vec<PrintJob> = read::newest(app, signed, part, read::ROWS)?;
    let jobs: Result<Vec<_>, _> = jobs.into_iter().map(|j| print_jobs::row(app, j)).collect();
    let jobs = jobs?;
    let tests = certificate.tests.iter().filter_map(|id| link_of(&format!("test/{id}")));
    let page = Page::new(app, signed, "/certificates", "certificates.title");
    Ok(DetailPage {
        page: page.titled(code::grouped(code)),
        certificate_form: certificate.form(),
        findings: Findings::of(&certificate.judgement),
        tests: tests.collect(),
        scans: bound.as_ref().map(|c| app.scan_numbers(c)),
        seen: bound.as_ref().map(seen_in).unwrap_or_default(),
        suspicion: bound.as_ref().and_then(|c| Some(c.suspicion.as_ref()?.status)),
        checks: bound.as_ref().map_or(0, |c| c.checks),
        before: print_jobs::before(&jobs),
        jobs,
        printers: printer_choices(app, signed)?,
        templates: template_choices(app, &certificate)?,
        public_url: code::qr_text(&base, code),
        public_path: format!("/t/{code}"),
        shown_at: format!("{}/t/{code}", base.trim_end_matches('/')),
        certificate,
        print_form,
        sheet_form: Form::with("sheet", &[("count", SHEET_LABELS)]),
        void_form,
    })
}

/// The usual design, and the templates there are.
fn template_choices(app: &App, certificate: &Certificate) -> Result<Vec<Choice>, ConsoleError> {
    let mut choices = vec![Choice::new("", t("certificates.usual_template"))];
    let templates = app.templates_for(certificate)?;
    let label = |one: &LabelTemplate| format!("{} {}", one.name, one.design.size.word());
    choices.extend(templates.iter().map(|one| Choice::new(&one.id, label(one))));
    Ok(choices)
}

async fn print(
    State(app): State<Arc<App>>,
    Path(code): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let printer = form.text_of("printer");
    if let (Some(copies), true) = (form.whole_of("copies"), form.is_good()) {
        let (certificate, reason) = (code.clone(), form.get("reason").to_owned());
        let template = form.optional("template");
        let queue = QueuePrint { certificate, printer, copies, reason, template };
        let command = Command::QueuePrint(queue);
        match app.submit_keyed(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done(&format!("/certificates/{code}#prints"), "print_jobs.queued")),
            Err(error) => print_jobs::refused_print(&mut form, error)?,
        }
    }
    form.summarise();
    let void_form = Form::named("void");
    refused(&shown(&app, &signed, &code, form.called("print"), void_form)?)
}

async fn void(
    State(app): State<Arc<App>>,
    Path(code): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let reason = form.text_of("reason");
    if form.is_good() {
        let command = Command::VoidCertificate(VoidCertificate { code: code.clone(), reason });
        match app.submit_keyed(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done(&format!("/certificates/{code}"), "certificates.voided")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    let print_form = Form::with("print", &[("copies", "1")]);
    refused(&shown(&app, &signed, &code, print_form, form.called("void"))?)
}

/// Draws away from the threads that answer requests.
async fn drawn(
    app: Arc<App>,
    certificate: Certificate,
    draw: impl FnOnce(&App, &Certificate) -> Result<Vec<u8>, crate::app::AppError> + Send + 'static,
) -> Result<Vec<u8>, ConsoleError> {
    Ok(app.drawn(move |app| draw(app, &certificate)).await?)
}

fn file(kind: &'static str, disposition: String, bytes: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, "private, max-age=60".to_owned()),
    ];
    (headers, bytes).into_response()
}

async fn paper_png(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(code): Path<String>,
) -> Answer {
    let certificate: Certificate = read::one(&app, &signed, "certificate", &code)?;
    let draw = |app: &App, c: &Certificate| app.paper_png(c, PREVIEW_DPI);
    Ok(file("image/png", "inline".into(), drawn(app, certificate, draw).await?))
}

/// What the address of a paper says.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Sheet {
    /// `a5`, or A4.
    size: String,
}

async fn paper_pdf(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(code): Path<String>,
    Query(sheet): Query<Sheet>,
) -> Answer {
    let size = paper_size(Some(&sheet.size));
    let certificate: Certificate = read::one(&app, &signed, "certificate", &code)?;
    let name = format!("attachment; filename=\"{}.pdf\"", certificate.content.code);
    let draw = move |app: &App, c: &Certificate| app.paper_pdf(c, size);
    Ok(file("application/pdf", name, drawn(app, certificate, draw).await?))
}

/// The label as the printer gets it, dot for dot.
async fn label_png(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(code): Path<String>,
) -> Answer {
    let certificate: Certificate = read::one(&app, &signed, "certificate", &code)?;
    let draw = |app: &App, c: &Certificate| {
        let design = app.design_for(c, None)?;
        let bitmap = app.label_bitmap(c, &design, dpi_of(203))?;
        tianyin_documents::bitmap_to_png(&bitmap).map_err(crate::app::AppError::internal)
    };
    Ok(file("image/png", "inline".into(), drawn(app, certificate, draw).await?))
}

/// What the address of a sheet of labels says.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Labels {
    template: String,
    count: String,
    skip: String,
}

/// Labels on A4 sheets, for office printers.
async fn labels_pdf(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(code): Path<String>,
    Query(labels): Query<Labels>,
) -> Answer {
    if !signed.may(CommandKind::QueuePrint) {
        return Err(ConsoleError::forbidden());
    }
    let certificate: Certificate = read::one(&app, &signed, "certificate", &code)?;
    let name = format!("attachment; filename=\"{}-labels.pdf\"", certificate.content.code);
    // What is no number is none that a sheet has.
    let count = labels.count.trim().parse().unwrap_or(0);
    let skip = match labels.skip.trim() {
        "" => 0,
        text => text.parse().unwrap_or(u32::MAX),
    };
    let template = Some(labels.template).filter(|id| !id.is_empty());
    let draw =
        move |app: &App, c: &Certificate| app.label_sheet(c, template.as_deref(), count, skip);
    Ok(file("application/pdf", name, drawn(app, certificate, draw).await?))
}

async fn proof(State(app): State<Arc<App>>, signed: Signed, Path(code): Path<String>) -> Answer {
    let certificate: Certificate = read::one(&app, &signed, "certificate", &code)?;
    let name = format!("attachment; filename=\"{}.txt\"", certificate.content.code);
    Ok(file("text/plain; charset=utf-8", name, certificate.proof.into_bytes()))
}
