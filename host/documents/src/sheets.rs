//! A4 sheets of labels and of codes.

use serde::Serialize;
use tianyin_domain::label_template::{LabelDesign, LabelSize};

use crate::labels::{Label, LabelPage, check_design, design_texts};
use crate::layout::require_label;
use crate::paper::{check_count, check_field, check_optional};
use crate::qr::{QrModules, qr};
use crate::renderer::Renderer;
use crate::world::Template;
use crate::{CertificatePaper, DocumentError, Dpi, PaperSize};

/// Most labels of one job.
pub const SHEET_LABELS_MAX: usize = 1000;
/// Most codes of one job.
pub const CODE_LABELS_MAX: usize = 2000;
/// Widest margin and gap that make sense, in mm.
const MARGIN_MAX: u32 = 100;

/// How labels lie on A4 sheets. Columns and rows follow from the size of the label; they stand in
/// the middle of the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sheet {
    /// Least blank rim on each side, in mm.
    pub margin_mm: u32,
    /// Between labels, in mm.
    pub gap_mm: u32,
    /// Places of the first sheet that are used up already.
    pub skip: u32,
}

impl Sheet {
    /// Labels on a full sheet; 0 if not one fits.
    pub fn places(&self, size: LabelSize) -> u32 {
        let (columns, rows) = self.grid(size);
        columns * rows
    }

    /// Columns and rows.
    fn grid(&self, size: LabelSize) -> (u32, u32) {
        let (page, label) = (PaperSize::A4.size_mm(), size.size_mm());
        if self.margin_mm > MARGIN_MAX || self.gap_mm > MARGIN_MAX {
            return (0, 0);
        }
        let fit = |page: u32, label: u32| {
            (page.saturating_sub(2 * self.margin_mm) + self.gap_mm) / (label + self.gap_mm)
        };
        (fit(page.0, label.0), fit(page.1, label.1))
    }

    /// Upper left corners of all places, row by row, in mm.
    fn corners(&self, size: LabelSize) -> Result<Vec<(f64, f64)>, DocumentError> {
        require_label(size)?;
        let places = self.places(size);
        if self.skip >= places {
            return Err(DocumentError::Sheet { size: size.as_str(), places, skip: self.skip });
        }
        let (columns, rows) = self.grid(size);
        let (page, label) = (PaperSize::A4.size_mm(), size.size_mm());
        let corner = |page: u32, label: u32, count: u32, at: u32| {
            let all = count * label + (count - 1) * self.gap_mm;
            f64::from(page - all) / 2.0 + f64::from(at * (label + self.gap_mm))
        };
        let row = |y: u32| {
            (0..columns).map(move |x| {
                (corner(page.0, label.0, columns, x), corner(page.1, label.1, rows, y))
            })
        };
        Ok((0..rows).flat_map(row).collect())
    }
}

/// Distributes things over the places of sheets, the first of which begins after `skip` of them.
fn pages<T>(things: &[T], places: usize, skip: usize) -> impl Iterator<Item = (usize, &[T])> {
    let (first, rest) = things.split_at(things.len().min(places - skip));
    std::iter::once((skip, first)).chain(rest.chunks(places).map(|page| (0, page)))
}

/// One code for a printing house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeLabel {
    /// Content of the QR code.
    pub qr_text: String,
    /// Code in groups joined by `-`.
    pub code_grouped: String,
    /// Its number in the pack.
    pub serial: String,
    /// What is printed under the scratch film, if there is one.
    pub pin: Option<String>,
    /// A line of the county's or brand's own above everything; may be empty.
    pub heading: String,
}

impl Renderer {
    /// Labels on A4 sheets of label stock, for office printers: a PDF in vectors.
    ///
    /// # Errors
    /// As [`label_bitmap`](Self::label_bitmap); `Sheet` if they do not fit on the sheet; `Empty` or
    /// `TooLong` of `labels`.
    pub fn label_sheet_pdf(
        &self,
        labels: &[CertificatePaper],
        design: &LabelDesign,
        sheet: &Sheet,
    ) -> Result<Vec<u8>, DocumentError> {
        check_design(design)?;
        let corners = sheet.corners(design.size)?;
        let Some(first) = labels.first() else {
            return Err(DocumentError::Empty { field: "labels" });
        };
        check_count("labels", labels.len(), SHEET_LABELS_MAX)?;
        // Printers of 600 dpi and more set vectors finer than any dot of a label printer.
        let made = labels
            .iter()
            .map(|certificate| Ok((certificate, Label::new(certificate, design, Dpi::D203)?)))
            .collect::<Result<Vec<_>, DocumentError>>()?;
        let (width, height) = PaperSize::A4.size_mm();
        let pages = pages(&made, corners.len(), sheet.skip as usize).map(|(from, page)| {
            let placed = page.iter().zip(&corners[from..]);
            let labels =
                placed.map(|((certificate, label), at)| label.data(certificate, *at, true));
            LabelPage {
                width: f64::from(width),
                height: f64::from(height),
                design: design.into(),
                labels: labels.collect(),
            }
        });
        let texts = labels.iter().flat_map(|label| label.texts().map(|(_, text)| text));
        let texts = design_texts(design).chain(texts);
        let ident = format!("labels {} {}", first.code, labels.len());
        self.compile_pages(Template::Labels, pages, texts, ident)
    }

    /// Codes of a pack on A4 sheets, for a printing house: a PDF in vectors, with marks to cut by
    /// where the margin has room for them.
    ///
    /// # Errors
    /// What is wrong with the texts or does not fit, see [`DocumentError`]; `Sheet` if they do not
    /// fit on the sheet; `Empty` or `TooLong` of `codes`.
    pub fn code_sheet_pdf(
        &self,
        codes: &[CodeLabel],
        size: LabelSize,
        sheet: &Sheet,
    ) -> Result<Vec<u8>, DocumentError> {
        let corners = sheet.corners(size)?;
        let Some(first) = codes.first() else {
            return Err(DocumentError::Empty { field: "codes" });
        };
        check_count("codes", codes.len(), CODE_LABELS_MAX)?;
        codes.iter().try_for_each(CodeLabel::check)?;
        let qrs = codes.iter().map(|code| qr(&code.qr_text)).collect::<Result<Vec<_>, _>>()?;
        let made: Vec<_> = codes.iter().zip(&qrs).collect();
        let (width, height) = size.size_mm();
        let pages = pages(&made, corners.len(), sheet.skip as usize).map(|(from, page)| {
            let placed = page.iter().zip(&corners[from..]);
            let codes = placed.map(|((code, qr), at)| CodeData::new(code, qr, *at)).collect();
            CodePage { width, height, corners: &corners, codes }
        });
        let ident = format!("codes {} {}", first.serial, codes.len());
        let texts = codes.iter().flat_map(CodeLabel::texts);
        self.compile_pages(Template::Codes, pages, texts, ident)
    }
}

impl CodeLabel {
    fn check(&self) -> Result<(), DocumentError> {
        check_field("code_grouped", &self.code_grouped)?;
        check_field("serial", &self.serial)?;
        check_optional("heading", &self.heading)?;
        self.pin.iter().try_for_each(|pin| check_field("pin", pin))
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        [self.code_grouped.as_str(), &self.serial, &self.heading]
            .into_iter()
            .chain(self.pin.as_deref())
    }
}

/// What `paper.json` holds for `codes.typ`.
#[derive(Serialize)]
struct CodePage<'a> {
    /// Of a code, in mm.
    width: u32,
    height: u32,
    /// Upper left corners of all places.
    corners: &'a [(f64, f64)],
    codes: Vec<CodeData<'a>>,
}

#[derive(Serialize)]
struct CodeData<'a> {
    x: f64,
    y: f64,
    code_grouped: &'a str,
    serial: &'a str,
    pin: Option<&'a str>,
    heading: &'a str,
    qr: String,
}

impl<'a> CodeData<'a> {
    fn new(code: &'a CodeLabel, qr: &QrModules, (x, y): (f64, f64)) -> Self {
        Self {
            x,
            y,
            code_grouped: &code.code_grouped,
            serial: &code.serial,
            pin: code.pin.as_deref(),
            heading: &code.heading,
            qr: qr.to_svg(),
        }
    }
}
