//! Label templates: which one a label has, what it looks like before it is saved, sheets for office printers.

use std::sync::Arc;

use tianyin_documents::{
    BasisOption, CertificatePaper, DocumentError, PaperSize, SHEET_LABELS_MAX, Sheet, bitmap_to_png,
};
use tianyin_domain::brand::Brand;
use tianyin_domain::certificate::{self, Certificate, CertificateStatus};
use tianyin_domain::certificate_form::{Issuer, first_known, form_on};
use tianyin_domain::check::Check;
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::error::{DomainError, FieldError};
use tianyin_domain::label_template::{
    self, LabelDesign, LabelSize, LabelTemplate, SaveLabelTemplate,
};
use tianyin_domain::product::Product;
use tianyin_domain::state::Index;
use tianyin_domain::time::china_date;
use tianyin_domain::{Actor, Scope, State, code};
use tokio::sync::Semaphore;

use super::certificates::{document_error, dpi_of};
use super::{App, AppError};
use crate::edge::now;
use crate::texts::{t, tf};

/// Papers drawn at once for pages: each is a whole page in memory.
static DRAWING: Semaphore = Semaphore::const_new(2);
/// Certificates of an operator among which one of a product is looked for.
const LOOKED_AT_MAX: usize = 200;
/// Resolutions of label printers.
const LABEL_DPI: [u32; 2] = [203, 300];
/// Resolution at which office paper is shown.
const PAPER_DPI: u32 = 72;
/// Blank rim of a sheet of labels, and between them, in mm.
const SHEET_MARGIN_MM: u32 = 8;
const SHEET_GAP_MM: u32 = 2;
/// Code on a sample label.
const SAMPLE_CODE: &str = "0000000000000000";

/// A design as it comes out.
#[derive(Debug)]
pub struct Look {
    /// Resolution.
    pub dpi: u32,
    /// The picture.
    pub png: Vec<u8>,
}

/// What a design looks like.
#[derive(Debug)]
pub struct Looks {
    /// At each resolution of label printers; one of office paper.
    pub all: Vec<Look>,
    /// What has no room when texts are as long as they come.
    pub tight: Option<String>,
}

impl App {
    /// The design of a certificate's label: of the template asked for, be it closed meanwhile; else of the
    /// newest that fits its product, brand or county and goes on a roll; else the usual one.
    ///
    /// # Errors
    /// `NotFound` where the template is another's.
    pub fn design_for(
        &self,
        certificate: &Certificate,
        template: Option<&str>,
    ) -> Result<LabelDesign, AppError> {
        let Some(id) = template else {
            let usual = self.templates_for(certificate)?.into_iter().next();
            return Ok(usual.map_or_else(
                || LabelDesign::of_size(LabelSize::default()),
                |template| template.design,
            ));
        };
        let state: &dyn State = &self.store;
        let template: LabelTemplate = state.require("label_template", id)?;
        // A brand's licence may have ended between the order and the print.
        for day in [china_date(now()), certificate.content.issued_on] {
            if label_template::serves(state, &template, certificate, day)? {
                return Ok(template.design);
            }
        }
        Err(DomainError::NotFound { noun: "label_template", id: template.id }.into())
    }

    /// Templates to choose from for a certificate's labels, the usual one first; office paper is none.
    pub fn templates_for(&self, certificate: &Certificate) -> Result<Vec<LabelTemplate>, AppError> {
        let state: &dyn State = &self.store;
        let mut fitting = label_template::fitting(state, certificate, china_date(now()))?;
        fitting.retain(|template| template.design.size.is_roll());
        Ok(fitting)
    }

    /// Makes or changes a template, once its design is known to fit.
    ///
    /// # Errors
    /// The option at fault, by the names of [`LabelDesign`]'s fields.
    pub async fn save_label_template(
        self: &Arc<Self>,
        actor: &Actor,
        command: SaveLabelTemplate,
        idempotency_key: Option<String>,
        seen: &[(String, u64)],
    ) -> Result<Outcome, AppError> {
        let product = self.labelled_product(&command)?;
        let paper = self.sample_paper(product.as_deref(), &actor.scope())?;
        let design = command.design.clone();
        self.drawn(move |app| app.looks(&design, &paper)).await?;
        let command = Command::SaveLabelTemplate(command);
        self.submit_based(actor, command, idempotency_key, seen).await
    }

    /// The product whose labels look so, where it is one's.
    fn labelled_product(&self, command: &SaveLabelTemplate) -> Result<Option<String>, AppError> {
        let state: &dyn State = &self.store;
        Ok(match &command.label_template {
            Some(id) => state.get::<LabelTemplate>(id)?.and_then(|template| template.product),
            None => command.product.clone(),
        })
    }

    /// A design with the texts of a certificate, as printers of every resolution get it.
    ///
    /// # Errors
    /// The option at fault.
    pub async fn preview_label(
        self: &Arc<Self>,
        design: LabelDesign,
        product: Option<&str>,
        scope: &Scope,
    ) -> Result<Looks, AppError> {
        let paper = self.sample_paper(product, scope)?;
        self.drawn(move |app| {
            let all = app.looks(&design, &paper)?;
            Ok(Looks { tight: app.tight(&design, paper)?, all })
        })
        .await
    }

    /// Draws away from the threads that answer requests, few at a time.
    pub async fn drawn<T: Send + 'static>(
        self: &Arc<Self>,
        draw: impl FnOnce(&App) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        let _permit = DRAWING.acquire().await.map_err(AppError::internal)?;
        let app = self.clone();
        tokio::task::spawn_blocking(move || draw(&app)).await.map_err(AppError::internal)?
    }

    /// Labels of a certificate on A4 sheets of label stock, `skip` places of the first being used up.
    ///
    /// # Errors
    /// Of a void certificate; of no or too many labels; of more places to skip than a sheet has.
    pub fn label_sheet(
        &self,
        certificate: &Certificate,
        template: Option<&str>,
        count: u32,
        skip: u32,
    ) -> Result<Vec<u8>, AppError> {
        if certificate.status == CertificateStatus::Void {
            let code = code::grouped(&certificate.content.code);
            return Err(DomainError::refused("certificate_void", &[("code", &code)]).into());
        }
        if !(1..=SHEET_LABELS_MAX).contains(&(count as usize)) {
            return Err(AppError::refused("sheet_labels"));
        }
        let design = self.design_for(certificate, template)?;
        if !design.size.is_roll() {
            return Err(DomainError::field("template", "not_a_roll").into());
        }
        let sheet = Sheet { margin_mm: SHEET_MARGIN_MM, gap_mm: SHEET_GAP_MM, skip };
        let places = sheet.places(design.size);
        if skip >= places {
            let places = places.to_string();
            return Err(AppError::refused_with("sheet_skip", vec![("places", places)]));
        }
        let papers = vec![self.paper(certificate)?; count as usize];
        self.rendered(|documents| documents.label_sheet_pdf(&papers, &design, &sheet))
    }

    /// What a template is for, in words.
    pub fn label_subject(&self, template: &LabelTemplate) -> Result<String, AppError> {
        let state: &dyn State = &self.store;
        let (key, name) = match (&template.product, &template.brand) {
            (Some(id), _) => ("product", state.get::<Product>(id)?.map(|one| one.name)),
            (None, Some(id)) => ("brand", state.get::<Brand>(id)?.map(|one| one.name)),
            (None, None) => ("county", None),
        };
        let name = name.unwrap_or_default();
        Ok(tf(&format!("label_subject.{key}"), [("name", name.as_str())]))
    }

    /// What a design is drawn with: the newest valid certificate of the product, or any other in sight, or
    /// plain placeholders. Who looks at a design has no reason on record to read a person's phone.
    fn sample_paper(
        &self,
        product: Option<&str>,
        scope: &Scope,
    ) -> Result<CertificatePaper, AppError> {
        match self.sample(product, scope)? {
            Some(certificate) => self.masked_paper(&certificate),
            None => self.placeholder(),
        }
    }

    fn sample(
        &self,
        product: Option<&str>,
        scope: &Scope,
    ) -> Result<Option<Certificate>, AppError> {
        let state: &dyn State = &self.store;
        let newest = |part: (Index, &str), limit: usize| {
            self.store.newest::<Certificate>(part, scope, limit).map_err(AppError::internal)
        };
        if let Some(id) = product
            && let Some(product) = state.get::<Product>(id)?
        {
            let part = (certificate::BY_OPERATOR, product.operator.as_str());
            let valid =
                |one: &Certificate| one.product == id && one.status == CertificateStatus::Valid;
            let found = newest(part, LOOKED_AT_MAX)?.into_iter().find(valid);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(newest((certificate::BY_STATUS, "valid"), 1)?.into_iter().next())
    }

    /// A paper on which every text is plainly a sample.
    fn placeholder(&self) -> Result<CertificatePaper, AppError> {
        let (today, county) = (china_date(now()), self.county()?);
        let forms = self.forms();
        let form = form_on(&forms, today, Issuer::Producer).cloned().unwrap_or_else(first_known);
        let line = |text: &String, ticked| BasisOption { text: text.clone(), ticked };
        let text = |key: &str| t(&format!("sample_paper.{key}")).to_owned();
        let boxes = form.bases.iter().enumerate();
        let public_url = county.as_ref().map(|one| one.public_url.clone()).unwrap_or_default();
        Ok(CertificatePaper {
            commitment_items: form.items.iter().map(|one| line(one, true)).collect(),
            basis_options: boxes.map(|(at, one)| line(&one.text, at == 0)).collect(),
            title: form.title,
            form: form.name,
            commitment: form.commitment,
            product: text("product"),
            quantity: text("quantity"),
            origin: text("origin"),
            producer_label: t("paper_field.producer").to_owned(),
            producer: text("producer"),
            contact: text("contact"),
            issued_on: today.to_string(),
            lot_no: text("lot_no"),
            details: Vec::new(),
            code: SAMPLE_CODE.to_owned(),
            code_grouped: code::grouped(SAMPLE_CODE),
            qr_text: code::qr_text(&public_url, SAMPLE_CODE),
            proof_qr_text: None,
            county: county.map_or_else(|| text("county"), |one| one.name),
            status_note: Some(text("status_note")),
        })
    }

    /// Draws a design at every resolution of label printers, or as office paper.
    fn looks(&self, design: &LabelDesign, paper: &CertificatePaper) -> Result<Vec<Look>, AppError> {
        let mut check = Check::new();
        design.check(&mut check);
        check.done()?;
        let office = match design.size {
            LabelSize::A4 => Some(PaperSize::A4),
            LabelSize::A5 => Some(PaperSize::A5),
            _ => None,
        };
        if let Some(size) = office {
            let png = self.rendered(|documents| documents.png(paper, size, PAPER_DPI))?;
            return Ok(vec![Look { dpi: PAPER_DPI, png }]);
        }
        let look = |dpi: u32| -> Result<Look, AppError> {
            // Of an error, the option at fault is asked before it becomes a sentence.
            let drawn =
                self.rendered(|documents| Ok(documents.label_bitmap(paper, design, dpi_of(dpi))))?;
            let bitmap = drawn.map_err(|error| fault(error, design, dpi))?;
            Ok(Look { dpi, png: bitmap_to_png(&bitmap).map_err(AppError::internal)? })
        };
        LABEL_DPI.into_iter().map(look).collect()
    }

    /// What has no room on a label with long texts, for a warning: most certificates have shorter ones.
    fn tight(
        &self,
        design: &LabelDesign,
        paper: CertificatePaper,
    ) -> Result<Option<String>, AppError> {
        if !design.size.is_roll() {
            return Ok(None);
        }
        let text = |key: &str| t(&format!("sample_paper.{key}_long")).to_owned();
        let long = CertificatePaper {
            product: text("product"),
            quantity: text("quantity"),
            origin: text("origin"),
            producer: text("producer"),
            ..paper
        };
        let [dpi, _] = LABEL_DPI;
        let drawn =
            self.rendered(|documents| Ok(documents.label_bitmap(&long, design, dpi_of(dpi))))?;
        Ok(match drawn {
            Err(DocumentError::Overflow { field, .. }) => Some(part(&field).to_owned()),
            _ => None,
        })
    }
}

/// A part of a label in words.
fn part(field: &str) -> &'static str {
    crate::texts::t_static(&format!("paper_field.{field}")).unwrap_or_else(|| t("paper_field.page"))
}

/// What cannot be drawn, told at the option at fault.
fn fault(error: DocumentError, design: &LabelDesign, dpi: u32) -> AppError {
    let no_room = |field: &str| {
        let option = match field {
            "heading" | "note" | "barcode" => field,
            "commitment" | "commitment_items" | "basis_options" => "commitment",
            "title" | "code_grouped" | "qr_text" | "page" | "status_note" => "size",
            _ => "fields",
        };
        bad(option, "label_no_room", &[("part", part(field)), ("dpi", &dpi.to_string())])
    };
    match &error {
        DocumentError::Overflow { field, .. } => no_room(field),
        DocumentError::QrTooLarge { .. } => no_room("qr_text"),
        DocumentError::BarcodeText { text, .. } => {
            bad("barcode", "not_a_barcode", &[("text", text)])
        }
        DocumentError::Unprintable { field, .. } if matches!(*field, "heading" | "note") => {
            bad(field, "control_characters", &[])
        }
        DocumentError::MissingGlyphs { chars } => {
            let own = [("heading", &design.heading), ("note", &design.note)];
            let found = own.into_iter().find(|(_, text)| text.contains(&chars[..]));
            match found {
                Some((option, _)) => {
                    let chars: String = chars.iter().collect();
                    bad(option, "missing_glyphs", &[("chars", &chars)])
                }
                None => document_error(error),
            }
        }
        _ => document_error(error),
    }
}

fn bad(field: &str, code: &str, params: &[(&str, &str)]) -> AppError {
    let params = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let (field, code) = (field.to_owned(), code.to_owned());
    DomainError::Invalid(vec![FieldError { field, code, params }]).into()
}
