//! Issuing: gather, judge, compose, sign, submit; papers of what was issued.

use std::collections::HashSet;

use serde_json::{Value, json};
use tianyin_documents::{
    BasisOption, CertificatePaper, Detail, DocumentError, Dpi, PaperSize, Renderer,
};
use tianyin_domain::activity::Activity;
use tianyin_domain::actor::Actor;
use tianyin_domain::bitmap::Bitmap;
use tianyin_domain::certificate::{
    Basis, Certificate, CertificateRequest, CertificateStatus, IssueCertificate, compose,
};
use tianyin_domain::certificate_form::{CertificateForm, Issuer, form_on};
use tianyin_domain::code;
use tianyin_domain::command::{Command, Envelope, Outcome};
use tianyin_domain::error::DomainError;
use tianyin_domain::finding::Judgement;
use tianyin_domain::hold::HoldKind;
use tianyin_domain::interval::{self, Warmth};
use tianyin_domain::label_template::LabelDesign;
use tianyin_domain::lot::{Lot, LotStatus};
use tianyin_domain::operator::Operator;
use tianyin_domain::product::Product;
use tianyin_domain::test::{self, ConductedBy, Test, TestVerdict};
use tianyin_domain::time::china_date;
use tianyin_domain::use_warning;
use tianyin_domain::{Date, State, Time};

use super::lineage::Ancestry;
use super::packs::issuer_key;
use super::{App, AppError, Versions};
use crate::edge::{OsRandom, now};
use crate::texts::{t, tf};

/// Tests of one lot that a rule looks at.
const TESTS_MAX: usize = 500;

/// Everything the rule and the certificate are made of, with the versions it was read at.
pub struct Dossier {
    /// Form of the day, for whoever commits.
    pub form: CertificateForm,
    /// Who that is; there was a day when both used the same form.
    issuer: Issuer,
    issued_on: Date,
    lot: Lot,
    operator: Operator,
    product: Product,
    ancestry: Ancestry,
    tests: Vec<Test>,
    based_on: Versions,
}

impl App {
    /// Issues a certificate. The answer's id is its code. `seen` are the versions that whoever asks
    /// looked at, if any.
    pub async fn issue(
        &self,
        actor: &Actor,
        request: CertificateRequest,
        idempotency_key: Option<String>,
        seen: &[(String, u64)],
    ) -> Result<Outcome, AppError> {
        let photos = request.paper.as_ref().map(|paper| paper.attachments.as_slice());
        let prepare = || self.prepare_issue(actor, &request, idempotency_key.clone(), None);
        let submitted = self.submit_prepared(seen, prepare);
        self.attached(actor, photos.unwrap_or_default(), submitted).await
    }

    /// Issues one, and queues its label on the same line where there is a printer.
    pub async fn issue_labelled(
        &self,
        actor: &Actor,
        request: CertificateRequest,
        idempotency_key: Option<String>,
        printer: Option<String>,
    ) -> Result<Outcome, AppError> {
        let key = || idempotency_key.clone();
        self.submit_prepared(&[], || self.prepare_issue(actor, &request, key(), printer.clone()))
            .await
    }

    /// What the rule would say now, before anything is issued.
    pub fn preview_issue(&self, request: &CertificateRequest) -> Result<Judgement, AppError> {
        self.judge_issue(&self.dossier(request, now())?, request)
    }

    /// Every form there is.
    pub fn forms(&self) -> Vec<CertificateForm> {
        let table = self.rules.forms();
        table
            .map(|table| table.forms.iter().map(|form| form.to_domain()).collect())
            .unwrap_or_default()
    }

    /// The form that those who commit so use on a day.
    pub(super) fn form_of(&self, issuer: Issuer, day: Date) -> Result<CertificateForm, AppError> {
        let found = form_on(&self.forms(), day, issuer).cloned();
        Ok(found.ok_or_else(|| DomainError::refused("no_form", &[("day", &day.to_string())]))?)
    }

    fn prepare_issue(
        &self,
        actor: &Actor,
        request: &CertificateRequest,
        idempotency_key: Option<String>,
        printer: Option<String>,
    ) -> Result<Envelope, AppError> {
        self.clock.require_right()?;
        let time = self.clock.now();
        let dossier = self.dossier(request, time)?;
        let judgement = self.judge_issue(&dossier, request)?;
        let (code, unit) = match &request.paper {
            None => (code::draw(&mut OsRandom), None),
            Some(paper) => (paper.code.clone(), self.unit_of(&paper.code)?),
        };
        let content = compose(&self.store, request, &code, time, &dossier.form)?;
        let signer = self.signer.current();
        let proof = crate::proof::make(signer.as_ref(), &content).map_err(AppError::internal)?;
        let tests = proving_tests(&dossier.tests, &request.basis);
        let command = IssueCertificate {
            request: request.clone(),
            content,
            proof,
            tests,
            judgement,
            form: dossier.form,
            unit,
            printer,
        };
        Ok(Envelope {
            actor: actor.clone(),
            command: Command::IssueCertificate(Box::new(command)),
            time,
            idempotency_key,
            based_on: dossier.based_on,
        })
    }

    /// What a certificate that is asked for is made of.
    pub fn dossier(&self, request: &CertificateRequest, time: Time) -> Result<Dossier, AppError> {
        let state: &dyn State = &self.store;
        // Versions are read before the records: what changes in between is noticed.
        let lot_root = format!("lot/{}", request.lot);
        let lot_version = state.version(&lot_root)?;
        let lot: Lot = state.require("lot", &request.lot)?;
        let mut based_on = vec![(lot_root, lot_version)];
        for root in [format!("operator/{}", lot.operator), format!("site/{}", lot.site)] {
            based_on.push((root.clone(), state.version(&root)?));
        }
        let operator = state.require("operator", &lot.operator)?;
        let product = state.require("product", &lot.product)?;
        let ancestry = self.ancestry(&lot)?;
        let (issuer, issued_on) = (issuer_of(&lot, &ancestry), request.issued_on(time));
        let form = self.form_of(issuer, issued_on)?;
        let mut known: HashSet<String> = based_on.iter().map(|(root, _)| root.clone()).collect();
        for one in ancestry.sources() {
            for root in [format!("lot/{}", one.id), format!("site/{}", one.site)] {
                if known.insert(root.clone()) {
                    based_on.push((root.clone(), state.version(&root)?));
                }
            }
        }
        let mut tests: Vec<Test> = state.list(test::BY_LOT, &lot.id, TESTS_MAX)?;
        for one in ancestry.sources() {
            let room = TESTS_MAX.saturating_sub(tests.len());
            let inherited: Vec<Test> = state.list(test::BY_LOT, &one.id, room)?;
            // Of a mixture, one part proves nothing; but one positive part is enough.
            let told = |test: &Test| !lot.mixed || test.verdict == TestVerdict::Fail;
            tests.extend(inherited.into_iter().filter(told));
        }
        tests.retain(Test::counts);
        Ok(Dossier { form, issuer, issued_on, lot, operator, product, ancestry, tests, based_on })
    }

    /// What the rule says of it.
    pub fn judge_issue(
        &self,
        d: &Dossier,
        request: &CertificateRequest,
    ) -> Result<Judgement, AppError> {
        let mut activities: Vec<Value> = Vec::new();
        let mut unrecorded: Vec<String> = Vec::new();
        for behind in self.records_behind(&d.ancestry)? {
            let warmth = Warmth::of(&behind.records);
            let told = |(a, lot)| activity_input(a, &behind.records, &warmth, lot);
            activities.extend(behind.leading().map(told));
            if d.lot.mixed {
                let own = behind.harvests_unrecorded().filter(|lot| lot.operator == d.lot.operator);
                unrecorded.extend(own.map(|lot| lot.no.clone()));
            }
        }
        let bought = d.issuer == Issuer::Buyer;
        let held = d.ancestry.sources().iter().filter(|lot| lot.status != LotStatus::Open);
        let held: Vec<&str> = held.map(|lot| lot.no.as_str()).collect();
        let input = json!({
            "form": d.form.id,
            "issued_on": d.issued_on.to_string(),
            "basis": request.basis,
            "operator": {
                "id": d.operator.id, "name": d.operator.name,
                "kind": d.operator.kind, "status": d.operator.status,
            },
            "product": {
                "id": d.product.id, "name": d.product.name,
                "class": d.product.class, "crop": d.product.crop,
            },
            "lot": {
                "id": d.lot.id, "no": d.lot.no, "harvested_on": d.lot.harvested_on.to_string(),
                "quantity": d.lot.quantity.to_string(), "unit": d.lot.unit,
                "status": d.lot.status, "mixed": d.lot.mixed,
                "sources": d.ancestry.sources().len(), "sources_held": held,
                "sources_cut": d.ancestry.cut,
                "bought": bought, "unrecorded": unrecorded,
            },
            "proofs": if bought { self.proofs_of(&d.ancestry)? } else { Vec::new() },
            "activities": activities,
            "tests": d.tests.iter().map(|t| test_input(t, d)).collect::<Vec<_>>(),
        });
        Ok(self.evaluate("certificate/issue", input))
    }

    /// The paper of a certificate, texts ready for print.
    pub fn paper(&self, certificate: &Certificate) -> Result<CertificatePaper, AppError> {
        let c = &certificate.content;
        let state: &dyn State = &self.store;
        let operator: Option<Operator> = state.get(&certificate.operator)?;
        let contact = match &operator {
            Some(operator) => self.contact_phone(operator)?,
            None => c.contact.clone(),
        };
        let public_url = self.county()?.map(|county| county.public_url).unwrap_or_default();
        let form = certificate.form();
        let void = certificate.status == CertificateStatus::Void;
        let boxes = form.bases.iter().map(|one| BasisOption {
            text: one.text.clone(),
            ticked: c.basis.contains(&one.basis),
        });
        let items = form.items.iter().map(|text| BasisOption { text: text.clone(), ticked: true });
        Ok(CertificatePaper {
            title: form.title.clone(),
            form: form.name.clone(),
            commitment: form.commitment.clone(),
            commitment_items: items.collect(),
            basis_options: boxes.collect(),
            product: c.product.clone(),
            quantity: format!("{} {}", c.quantity, c.unit),
            origin: c.origin.clone(),
            producer_label: t(issuer_key(form.issuer)).to_owned(),
            producer: certificate.producer_name.clone(),
            contact,
            issued_on: c.issued_on.to_string(),
            lot_no: c.lot_no.clone(),
            details: details(certificate),
            code: c.code.clone(),
            code_grouped: code::grouped(&c.code),
            qr_text: code::qr_text(&public_url, &c.code),
            proof_qr_text: Some(certificate.proof.clone()),
            county: c.county.clone(),
            status_note: void.then(|| t("certificate_status.void").to_owned()),
        })
    }

    /// The paper as everybody may see it: a natural person's name and phone are masked.
    ///
    /// # Errors
    /// As [`App::paper`].
    pub fn masked_paper(&self, certificate: &Certificate) -> Result<CertificatePaper, AppError> {
        let mut paper = self.paper(certificate)?;
        paper.producer.clone_from(&certificate.content.producer);
        paper.contact.clone_from(&certificate.content.contact);
        Ok(paper)
    }

    /// A certificate by code, in the actor's sight.
    pub fn certificate(
        &self,
        code: &str,
        scope: &tianyin_domain::Scope,
    ) -> Result<Certificate, AppError> {
        let found = self.store.get_scoped(code, scope).map_err(AppError::internal)?;
        let id = code.chars().take(32).collect();
        Ok(found.ok_or(DomainError::NotFound { noun: "certificate", id })?)
    }

    /// The paper as PDF.
    pub fn paper_pdf(
        &self,
        certificate: &Certificate,
        size: PaperSize,
    ) -> Result<Vec<u8>, AppError> {
        let paper = self.paper(certificate)?;
        self.rendered(|documents| documents.pdf(&paper, size))
    }

    /// A4 paper as PNG.
    pub fn paper_png(&self, certificate: &Certificate, dpi: u32) -> Result<Vec<u8>, AppError> {
        let paper = self.paper(certificate)?;
        self.rendered(|documents| documents.png(&paper, PaperSize::A4, dpi))
    }

    /// The very bitmap a label printer gets.
    pub fn label_bitmap(
        &self,
        certificate: &Certificate,
        design: &LabelDesign,
        dpi: Dpi,
    ) -> Result<Bitmap, AppError> {
        let paper = self.paper(certificate)?;
        self.rendered(|documents| documents.label_bitmap(&paper, design, dpi))
    }

    /// Draws, and notes how long it took.
    pub fn rendered<T>(
        &self,
        draw: impl FnOnce(&Renderer) -> Result<T, DocumentError>,
    ) -> Result<T, AppError> {
        let started = std::time::Instant::now();
        let drawn = draw(&self.documents);
        self.stats.render_us.see_since(started);
        drawn.map_err(document_error)
    }
}

/// Further lines of the paper: of what the certificate speaks, where it is not the lot as it is.
fn details(certificate: &Certificate) -> Vec<Detail> {
    let line = |label: &str, text: String| Detail { label: t(label).to_owned(), text };
    let mut lines = Vec::new();
    if let Some(packages) = certificate.content.packages {
        let packages = tf("paper_field.packages_of", [("count", packages.to_string().as_str())]);
        lines.push(line("paper_field.packages", packages));
    }
    if !certificate.vehicle.is_empty() {
        lines.push(line("paper_field.vehicle", certificate.vehicle.clone()));
    }
    let national = [&certificate.content.national_code, &certificate.content.national_short_code];
    let national: Vec<&str> = national.into_iter().flatten().map(String::as_str).collect();
    if !national.is_empty() {
        lines.push(line("paper_field.national", national.join(" ")));
    }
    if let Some(old) = &certificate.replaces {
        lines.push(line("paper_field.replaces", code::grouped(old)));
    }
    lines
}

/// Who commits: the producer, or whoever bought it, or something that it is made of (law art 39).
fn issuer_of(lot: &Lot, ancestry: &Ancestry) -> Issuer {
    let of_others = || ancestry.sources().iter().any(|one| one.operator != lot.operator);
    if lot.bought || of_others() { Issuer::Buyer } else { Issuer::Producer }
}

/// What cannot be set in type is told in a sentence that says what to do.
pub(super) fn document_error(error: DocumentError) -> AppError {
    match &error {
        DocumentError::MissingGlyphs { chars } => {
            let chars = chars.iter().collect();
            AppError::refused_with("label_missing_glyphs", vec![("chars", chars)])
        }
        DocumentError::Overflow { field, .. } => {
            let field = t(&format!("paper_field.{field}")).to_owned();
            AppError::refused_with("label_overflow", vec![("field", field)])
        }
        _ => AppError::refused_with("label_failed", vec![("detail", error.to_string())]),
    }
}

/// Office paper by its name; A4 for anything else.
pub fn paper_size(name: Option<&str>) -> PaperSize {
    if name == Some("a5") { PaperSize::A5 } else { PaperSize::A4 }
}

/// Resolution by the number on the printer's box.
pub fn dpi_of(number: u32) -> Dpi {
    if number >= 300 { Dpi::D300 } else { Dpi::D203 }
}

/// Passing tests of the kind that the basis names.
fn proving_tests(tests: &[Test], basis: &[Basis]) -> Vec<String> {
    tests
        .iter()
        .filter(|t| t.verdict == TestVerdict::Pass && t.counts())
        .filter(|t| match t.conducted_by {
            Some(ConductedBy::Own) => basis.contains(&Basis::SelfTest),
            Some(ConductedBy::Commissioned) => basis.contains(&Basis::CommissionedTest),
            None => false,
        })
        .map(|t| t.id.clone())
        .collect()
}

fn activity_input(a: &Activity, records: &[Activity], warmth: &Warmth, lot: &Lot) -> Value {
    let warnings = use_warning::warnings(a, records);
    let warmth = interval::degree_days(a, warmth, lot.harvested_on);
    let input = a.input.as_ref().map(|i| {
        json!({
            "name": i.name,
            "kind": i.kind,
            "substances": i.substances,
            "interval_days": i.interval_days,
            "interval_degree_days": i.interval_degree_days,
            "degree_days_reached": warmth.map(|sum| sum.reached_tenths / 10),
            "unmeasured_days": warmth.map(|sum| sum.unmeasured_days),
            "dose": i.dose,
            "label_dose": i.label_dose,
            "warnings": warnings.iter().map(|one| one.as_str()).collect::<Vec<_>>(),
            "registration_ended": i.ended,
        })
    });
    json!({
        "id": a.id,
        "kind": a.kind,
        "date": a.date.to_string(),
        "stop": a.stopped_on.map(|d| d.to_string()),
        "harvest": lot.harvested_on.to_string(),
        "input": input,
    })
}

fn test_input(t: &Test, d: &Dossier) -> Value {
    // A positive test holds its lot; where it does not any more, a later one disproved it.
    let of_test = |lot: &&Lot| t.lot.as_ref() == Some(&lot.id);
    let stands = |lot: &Lot| lot.is_held_for(HoldKind::PositiveTest, &t.id);
    let superseded = t.verdict == TestVerdict::Fail
        && d.ancestry.lots.iter().find(of_test).is_some_and(|lot| !stands(lot));
    let conducted_by = match t.conducted_by {
        Some(ConductedBy::Own) if t.operator == d.lot.operator => "self",
        // What a supplier tested itself is neither the buyer's own test nor one that it had made.
        Some(ConductedBy::Own) => "supplier",
        _ => "commissioned",
    };
    json!({
        "id": t.id,
        "verdict": t.verdict,
        "method": t.measurement.method,
        "item_code": t.measurement.item.code,
        "item_name": t.measurement.item.name,
        "substances": [],
        "tested_on": china_date(t.tested_at()).to_string(),
        "conducted_by": conducted_by,
        "superseded": superseded,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use tianyin_domain::Date;
    use tianyin_domain::activity::{ActivityKind, RecordActivity};
    use tianyin_domain::finding::Verdict;
    use tianyin_domain::input::{self, Input};
    use tianyin_domain::lot;

    use super::*;
    use crate::config::Config;

    /// A site of many years has more records than are looked at: the last ones count (law art 29).
    #[tokio::test(flavor = "multi_thread")]
    async fn the_last_treatment_counts_on_a_site_with_many_records() {
        let dir = tempfile::tempdir().unwrap();
        let app: Arc<App> =
            App::open(Config { data: dir.path().join("data"), ..Config::default() }).unwrap();
        let (password, url) = ("correct-horse-9", "http://127.0.0.1:8080");
        crate::demo::fill(&app, password, url, "127.0.0.1:9100").await.unwrap();
        let state: &dyn State = &app.store;
        let lots: Vec<Lot> = state.list(lot::BY_OPERATOR, "", 50).unwrap();
        let lot = lots.into_iter().find(|lot| lot.product_name.contains("鲜莲")).unwrap();
        let inputs: Vec<Input> = state.list(input::ALL, "", 50).unwrap();
        let input = inputs.into_iter().find(|one| one.name.contains("辛硫磷")).unwrap();
        let record = |kind, date: Date, input: Option<String>| RecordActivity {
            site: lot.site.clone(),
            product: lot.product.clone(),
            lot: None,
            kind,
            date,
            stopped_on: None,
            input,
            dose: String::new(),
            note: String::new(),
            water_tenths: None,
            attachments: Vec::new(),
        };
        let actor = Actor::system("test");
        let old = record(ActivityKind::Other, "2024-05-01".parse().unwrap(), None);
        for _ in 0..=crate::app::records::RECORDS_MAX {
            app.submit(&actor, Command::RecordActivity(old.clone())).await.unwrap();
        }
        let quantity = "1".parse().unwrap();
        let request =
            CertificateRequest::new(lot.id.clone(), quantity, vec![Basis::QualityControl]);
        let denied = |judgement: &Judgement| {
            judgement.findings.iter().any(|f| f.item == "interval" && f.verdict == Verdict::Deny)
        };
        assert!(!denied(&app.preview_issue(&request).unwrap()));
        let late = record(ActivityKind::Treatment, lot.harvested_on, Some(input.id));
        app.submit(&actor, Command::RecordActivity(late)).await.unwrap();
        assert!(denied(&app.preview_issue(&request).unwrap()));
    }
}
