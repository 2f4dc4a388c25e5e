//! Blank numbered forms, to be filled in by hand and entered later.

use serde::Serialize;

use crate::paper::{check_boxes, check_count, check_field, check_optional, check_wording};
use crate::qr::{QrModules, qr};
use crate::renderer::Renderer;
use crate::world::Template;
use crate::{DocumentError, PaperSize};

/// Most blanks of one job.
pub const BLANKS_MAX: usize = 500;

/// What all blanks of a job share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlankForm {
    /// Heading, e.g. `承诺达标合格证`.
    pub title: String,
    /// Name of the form in small print, e.g. `2026 样式一`.
    pub form: String,
    /// Wording of the commitment.
    pub commitment: String,
    /// Lines of the commitment to be ticked; none on the forms of 2026.
    pub commitment_items: Vec<String>,
    /// Bases to be ticked; none on the form of 2019.
    pub basis_options: Vec<String>,
    /// `生产者` or `收购者`.
    pub producer_label: String,
    /// Name of the county, in small print above the heading.
    pub county: String,
    /// Who will fill them in, printed on the line; empty leaves the line blank.
    pub producer: String,
}

/// One blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlankNo {
    /// Its number, e.g. `P0001-000123`.
    pub number: String,
    /// Its code in groups joined by `-`.
    pub code_grouped: String,
    /// Content of the QR code.
    pub qr_text: String,
}

impl Renderer {
    /// Blank forms as a PDF: one a page of A5 (lying), or two on an A4 sheet with a line to cut
    /// along. Number and QR code are printed, the rest are lines and boxes for a pen.
    ///
    /// # Errors
    /// What is wrong with the texts, see [`DocumentError`]; `Empty` or `TooLong` of `blanks`.
    pub fn blank_forms_pdf(
        &self,
        form: &BlankForm,
        blanks: &[BlankNo],
        paper: PaperSize,
    ) -> Result<Vec<u8>, DocumentError> {
        form.check()?;
        let Some(first) = blanks.first() else {
            return Err(DocumentError::Empty { field: "blanks" });
        };
        check_count("blanks", blanks.len(), BLANKS_MAX)?;
        for blank in blanks {
            check_field("number", &blank.number)?;
            check_field("code_grouped", &blank.code_grouped)?;
        }
        let qrs = blanks.iter().map(|blank| qr(&blank.qr_text)).collect::<Result<Vec<_>, _>>()?;
        let made: Vec<_> = blanks.iter().zip(&qrs).collect();
        let a4 = paper == PaperSize::A4;
        let pages = made.chunks(if a4 { 2 } else { 1 }).map(|page| BlankPage {
            form,
            a4,
            items: page.iter().map(|(blank, qr)| BlankData::new(blank, qr)).collect(),
        });
        let numbers = blanks.iter().flat_map(|b| [b.number.as_str(), b.code_grouped.as_str()]);
        let texts = form.texts().map(|(_, text)| text).chain(numbers);
        let ident = format!("blanks {} {}", first.number, blanks.len());
        self.compile_pages(Template::Blanks, pages, texts, ident)
    }
}

impl BlankForm {
    fn check(&self) -> Result<(), DocumentError> {
        for (field, text) in self.texts() {
            match field {
                "commitment" => check_wording(field, text)?,
                "producer" => check_optional(field, text)?,
                _ => check_field(field, text)?,
            }
        }
        check_boxes("commitment_items", &self.commitment_items)?;
        check_boxes("basis_options", &self.basis_options)
    }

    fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("title", &self.title),
            ("form", &self.form),
            ("commitment", &self.commitment),
            ("producer_label", &self.producer_label),
            ("county", &self.county),
            ("producer", &self.producer),
        ]
        .into_iter()
        .chain(self.commitment_items.iter().map(|text| ("commitment_items", text)))
        .chain(self.basis_options.iter().map(|text| ("basis_options", text)))
        .map(|(field, text)| (field, text.as_str()))
    }
}

/// What `paper.json` holds for `blanks.typ`.
#[derive(Serialize)]
struct BlankPage<'a> {
    form: &'a BlankForm,
    a4: bool,
    items: Vec<BlankData<'a>>,
}

#[derive(Serialize)]
struct BlankData<'a> {
    number: &'a str,
    code_grouped: &'a str,
    qr: String,
}

impl<'a> BlankData<'a> {
    fn new(blank: &'a BlankNo, qr: &QrModules) -> Self {
        Self { number: &blank.number, code_grouped: &blank.code_grouped, qr: qr.to_svg() }
    }
}
