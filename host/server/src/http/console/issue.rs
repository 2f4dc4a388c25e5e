//! Issuing a certificate for a lot, with what the rule would say shown before the button is pressed.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use tianyin_domain::certificate::{Basis, CertificateRequest, PaperEntry};
use tianyin_domain::certificate_form::CertificateForm;
use tianyin_domain::lot::Lot;
use tianyin_domain::operator::Operator;
use tianyin_domain::test::{self, ConductedBy, Test, TestVerdict};
use tianyin_domain::time::china_date;
use tianyin_domain::{Decimal, Verdict};

use super::blobs::{self, Waiting};
use super::clash::{Clash, Side, clashed, seen};
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::page::{Page, html, refused};
use super::read;
use super::reasons::Findings;
use super::session::{Posted, Signed, done};
use crate::app::{App, AppError, Conflict};
use crate::edge::now;
use crate::texts::tf;
use serde::Deserialize;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/lots/{id}/issue", get(page).post(issue))
        .route("/lots/{id}/issue/preview", get(preview))
}

#[derive(Template)]
#[template(path = "lots/issue.html")]
struct IssuePage {
    page: Page,
    lot: Lot,
    /// The version of the lot this page is made from.
    version: u64,
    clash: Option<Clash>,
    operator: Operator,
    form: Form,
    oath: Oath,
    /// Photos of a paper that were chosen already.
    waiting: Vec<Waiting>,
    preview: Preview,
    /// Whose act this is: the producer's own, or under which authorisation.
    authorised: Authorised,
}

impl IssuePage {
    /// Whether the lines for special cases are open to begin with.
    fn is_special(&self) -> bool {
        let fields = ["packages", "vehicle", "code", "issued_on"];
        fields.iter().any(|one| !self.form.get(one).is_empty())
            || self.form.error("attachments").is_some()
    }
}

/// The commitment and the boxes to tick, of the form of the day that is on the paper, or of today.
#[derive(Template)]
#[template(path = "lots/_oath.html")]
struct Oath {
    form: Form,
    certificate_form: CertificateForm,
    basis: Vec<Choice>,
    /// Whether it takes the place of the one that is shown.
    swapped: bool,
}

impl askama::filters::HtmlSafe for Oath {}

impl Oath {
    fn of(certificate_form: CertificateForm, form: &Form) -> Self {
        let boxes = certificate_form.bases.iter();
        let basis = boxes.map(|one| Choice::new(one.basis.as_str(), &one.text)).collect();
        Self { form: form.clone(), certificate_form, basis, swapped: false }
    }
}

/// Whether the person saw another one: nobody commits to words that were not shown.
fn is_other_than_shown(form: &Form, certificate_form: &CertificateForm) -> bool {
    let shown = form.get("certificate_form");
    !shown.is_empty() && shown != certificate_form.id
}

/// Whether the person may issue in the operator's name.
enum Authorised {
    /// The producer itself.
    Own,
    /// A standing authorisation, with the person who granted it.
    Standing(String),
    /// Nobody authorised it.
    Missing,
}

#[derive(Template)]
#[template(path = "lots/_preview.html")]
struct Preview {
    verdict: Option<Verdict>,
    findings: Findings,
    /// When the day asks for another form than the one that is shown.
    oath: Option<Oath>,
}

impl askama::filters::HtmlSafe for Preview {}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Replaces {
    replaces: String,
}

async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<Replaces>,
) -> Answer {
    let lot: Lot = read::one(&app, &signed, "lot", &id)?;
    let left = lot.left().normalize().to_string();
    let mut values = vec![("quantity".to_owned(), left), ("replaces".to_owned(), query.replaces)];
    for basis in proved(&app, &lot)? {
        values.push(("basis".to_owned(), basis.as_str().to_owned()));
    }
    html(&shown(&app, &signed, &id, Form::sent(values))?)
}

/// The bases that a passing test of the lot proves: ticked to begin with.
fn proved(app: &App, lot: &Lot) -> Result<Vec<Basis>, ConsoleError> {
    let state: &dyn tianyin_domain::State = &app.store;
    let tests: Vec<Test> = state.list(test::BY_LOT, &lot.id, read::ROWS_WITHIN)?;
    let passed = |by: ConductedBy| {
        tests
            .iter()
            .any(|t| t.verdict == TestVerdict::Pass && t.counts() && t.conducted_by == Some(by))
    };
    let own = passed(ConductedBy::Own).then_some(Basis::SelfTest);
    let commissioned = passed(ConductedBy::Commissioned).then_some(Basis::CommissionedTest);
    Ok(own.into_iter().chain(commissioned).collect())
}

fn shown(app: &App, signed: &Signed, id: &str, form: Form) -> Result<IssuePage, ConsoleError> {
    // Read before the record: a change in between makes the version too old, never too new.
    let version = app.store.version(&format!("lot/{id}"))?;
    let lot: Lot = read::one(app, signed, "lot", id)?;
    let operator: Operator = read::one(app, signed, "operator", &lot.operator)?;
    let (preview, certificate_form) = preview_of(app, &lot, &form)?;
    let authorised = authorised(app, signed, &lot)?;
    Ok(IssuePage {
        page: Page::new(app, signed, "/lots", "issue.title"),
        oath: Oath::of(certificate_form, &form),
        waiting: blobs::waiting(&form),
        lot,
        version,
        clash: None,
        operator,
        form,
        preview,
        authorised,
    })
}

fn authorised(app: &App, signed: &Signed, lot: &Lot) -> Result<Authorised, ConsoleError> {
    if !signed.is_staff() {
        return Ok(Authorised::Own);
    }
    let (state, today): (&dyn tianyin_domain::State, _) = (&app.store, china_date(now()));
    let found = tianyin_domain::authorisation::covering(state, &lot.operator, &lot.product, today)?;
    Ok(found.map_or(Authorised::Missing, |a| Authorised::Standing(a.granted_by)))
}

fn basis_of(form: &Form) -> Vec<Basis> {
    Basis::ALL.into_iter().filter(|b| form.all("basis").any(|v| v == b.as_str())).collect()
}

/// What the rule would say now of what is filled in, with the form of the day.
fn preview_of(
    app: &App,
    lot: &Lot,
    form: &Form,
) -> Result<(Preview, CertificateForm), ConsoleError> {
    let quantity = form.get("quantity").parse().unwrap_or(lot.quantity);
    let mut request = CertificateRequest::new(lot.id.clone(), quantity, basis_of(form));
    request.paper = form.get("issued_on").parse().ok().map(|issued_on| PaperEntry {
        code: form.get("code").to_owned(),
        issued_on,
        attachments: Vec::new(),
    });
    let dossier = app.dossier(&request, now())?;
    // The form of 2019 has no basis to tick.
    if request.basis.is_empty() && !dossier.form.bases.is_empty() {
        let preview = Preview { verdict: None, findings: Findings::from(&[][..]), oath: None };
        return Ok((preview, dossier.form));
    }
    let judgement = app.judge_issue(&dossier, &request)?;
    let findings = Findings::of(&judgement);
    Ok((Preview { verdict: Some(judgement.verdict), findings, oath: None }, dossier.form))
}

async fn preview(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    Query(fields): Query<Vec<(String, String)>>,
) -> Answer {
    let lot: Lot = read::one(&app, &signed, "lot", &id)?;
    let form = Form::sent(fields);
    let (mut preview, certificate_form) = preview_of(&app, &lot, &form)?;
    if is_other_than_shown(&form, &certificate_form) {
        preview.oath = Some(Oath { swapped: true, ..Oath::of(certificate_form, &form) });
    }
    html(&preview)
}

async fn issue(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let lot: Lot = read::one(&app, &signed, "lot", &id)?;
    let request = read(&app, &lot, &mut form)?;
    // Midnight, or another day on the paper, may have brought another form since the page was shown.
    if let Some(request) = &request
        && is_other_than_shown(&form, &app.dossier(request, now())?.form)
    {
        form.bad("certificate_form", "form_changed");
    }
    if let (Some(request), true) = (request, form.is_good()) {
        let quantity = request.quantity;
        let seen = seen(&form, format!("lot/{}", lot.id));
        match app.issue(signed.actor(), request, form.once(), &seen).await {
            Err(AppError::Conflict(conflict)) => {
                let mut page = shown(&app, &signed, &id, form)?;
                page.clash = Some(clash(&conflict, &page, quantity));
                return clashed(&page);
            }
            Ok(outcome) => {
                return Ok(done(&format!("/certificates/{}", outcome.id), "issue.done"));
            }
            Err(error) => form.refused(blobs::gather_faults(error))?,
        }
    }
    form.summarise();
    refused(&shown(&app, &signed, &id, form)?)
}

/// What the form asks for; faults are recorded in it.
fn read(app: &App, lot: &Lot, form: &mut Form) -> Result<Option<CertificateRequest>, ConsoleError> {
    let basis = basis_of(form);
    let Some(quantity) = form.decimal_of("quantity") else { return Ok(None) };
    let mut request = CertificateRequest::new(lot.id.clone(), quantity, basis);
    request.replaces = form.optional("replaces");
    request.vehicle = form.optional("vehicle");
    if form.optional("packages").is_some() {
        request.packages = form.whole_of("packages");
    }
    let attachments = blobs::attachments_of(form);
    let by_hand = [form.optional("code"), form.optional("issued_on")].iter().any(Option::is_some);
    if by_hand || !attachments.is_empty() {
        let code = app.code_meant(&form.text_of("code"))?;
        if code.is_none() {
            form.bad("code", "not_a_code");
        }
        let issued_on = form.date_of("issued_on");
        request.paper = code.zip(issued_on).map(|(code, issued_on)| PaperEntry {
            code,
            issued_on,
            attachments,
        });
    }
    Ok(Some(request))
}

/// What is left of the lot beside what was about to be issued.
fn clash(conflict: &Conflict, page: &IssuePage, quantity: Decimal) -> Clash {
    let lot = &page.lot;
    let left = lot.left().normalize().to_string();
    let certified = lot.certified.normalize().to_string();
    let params = [("left", &*left), ("certified", &*certified), ("unit", &*lot.unit)];
    let now = tf("conflict.quantity_now", params);
    let yours = quantity.normalize().to_string();
    let yours = tf("conflict.quantity_yours", [("quantity", &*yours), ("unit", &*lot.unit)]);
    let sides = vec![Side::new("conflict.quantity", now, yours)];
    let (keep, action) = (format!("/lots/{}", lot.id), format!("/lots/{}/issue", lot.id));
    Clash::new(conflict, &page.form, &keep, &action, sides)
}
