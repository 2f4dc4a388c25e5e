//! From a certificate's data to bytes.

use serde::Serialize;
use tianyin_domain::bitmap::Bitmap;
use typst::foundations::{Bytes, Smart};
use typst_layout::{Page, PagedDocument};
use typst_pdf::PdfOptions;
use typst_render::RenderOptions;

use crate::fonts::Shelf;
use crate::picture::{bitmap_to_svg, rgb_to_png};
use crate::qr::{QUIET, QrModules, qr};
use crate::world::{PaperFiles, PaperWorld, Templates, template_name};
use crate::{CertificatePaper, DocumentError, Dpi, FontOptions, LabelSize, Paper};

/// Luminance below which a dot is burnt. Mid grey: strokes keep their width on average.
const THRESHOLD: u8 = 128;
/// How many papers an unused entry of the compiler's cache lives. What all papers share (templates,
/// shaped wordings) is used by each and stays; the data of old papers goes.
const CACHE_AGE_MAX: usize = 3;

/// Blank rim of a label, in eighths of a mm: no printer feeds paper more exactly.
const EDGE: u32 = 4;

/// Square for the QR code on a label, quiet zone included: left, top and side in eighths of a mm.
/// The template leaves it blank; the symbol is drawn here, dot by dot.
fn qr_square(size: LabelSize) -> (u32, u32, u32) {
    match size {
        LabelSize::W60H40 => (328, 4, 148), // 41.0, 0.5 and 18.5 mm
    }
}

/// Renders papers. Make one and share it: it is `Send + Sync`, and the templates and fonts are
/// parsed only once.
pub struct Renderer {
    shelf: Shelf,
    templates: Templates,
}

impl Renderer {
    /// Parses the embedded fonts and templates.
    ///
    /// # Errors
    /// [`DocumentError::Template`] if one of them is broken.
    pub fn new(options: FontOptions) -> Result<Self, DocumentError> {
        Ok(Self { shelf: Shelf::new(options)?, templates: Templates::new()? })
    }

    /// The certificate on A4 as a PDF of one page, with embedded fonts and selectable text. The
    /// same certificate always gives the same bytes.
    ///
    /// # Errors
    /// What is wrong with the certificate, see [`DocumentError`].
    pub fn pdf(&self, certificate: &CertificatePaper) -> Result<Vec<u8>, DocumentError> {
        let document = self.compile(certificate, Paper::A4, true)?;
        let options = PdfOptions {
            ident: Smart::Custom(certificate.code.clone()),
            creator: Smart::Custom(Some("Tianyin".to_owned())),
            ..PdfOptions::default()
        };
        let pdf = typst_pdf::pdf(&document, &options).map_err(|errors| broken(Paper::A4, &errors));
        Self::finished(false);
        pdf
    }

    /// The certificate as a colour picture for screens, at 36 to 600 dpi.
    ///
    /// # Errors
    /// As [`pdf`](Self::pdf), and [`DocumentError::Resolution`].
    pub fn png(
        &self,
        certificate: &CertificatePaper,
        paper: Paper,
        dpi: u32,
    ) -> Result<Vec<u8>, DocumentError> {
        if !(36..=600).contains(&dpi) {
            return Err(DocumentError::Resolution { dpi });
        }
        let document = self.compile(certificate, paper, true)?;
        let (width, height, rgb) = pixels(first_page(&document, paper)?, f64::from(dpi) / 72.0);
        rgb_to_png(width, height, dpi, &rgb)
    }

    /// The label as the dots to burn: 480x320 at 203 dpi and 720x480 at 300 dpi for 60x40 mm.
    ///
    /// # Errors
    /// As [`pdf`](Self::pdf), and [`DocumentError::QrTooLarge`].
    pub fn label_bitmap(
        &self,
        certificate: &CertificatePaper,
        size: LabelSize,
        dpi: Dpi,
    ) -> Result<Bitmap, DocumentError> {
        let paper = Paper::Label(size);
        let document = self.compile(certificate, paper, false)?;
        let dots_per_mm = dpi.dots_per_mm();
        let page = first_page(&document, paper)?;
        let (width, height, rgb) = pixels(page, f64::from(dots_per_mm) * 25.4 / 72.0);
        let mut bitmap = threshold(width, height, &rgb);

        let (left, top, side) = qr_square(size);
        let dots = |eighths: u32| eighths * dots_per_mm / 8;
        check_blank(&bitmap, dots(EDGE), (dots(left), dots(top), dots(side)))
            .map_err(|field| DocumentError::Overflow { field, template: template_name(paper) })?;
        qr(&certificate.qr_text)?.blit(
            &mut bitmap,
            (dots(left), dots(top)),
            dots(side),
            dpi.module_dots_min(),
        )?;
        Ok(bitmap)
    }

    /// The label's dots at 203 dpi as an SVG of its real size, for web pages.
    ///
    /// # Errors
    /// As [`label_bitmap`](Self::label_bitmap).
    pub fn label_svg(
        &self,
        certificate: &CertificatePaper,
        size: LabelSize,
    ) -> Result<String, DocumentError> {
        bitmap_to_svg(&self.label_bitmap(certificate, size, Dpi::D203)?, size.size_mm())
    }

    /// Lays out one paper; with `draw_qr` the template draws the QR code, else it leaves it blank.
    fn compile(
        &self,
        certificate: &CertificatePaper,
        paper: Paper,
        draw_qr: bool,
    ) -> Result<PagedDocument, DocumentError> {
        certificate.check()?;
        let fonts = self.shelf.fonts_for(certificate.texts().map(|(_, text)| text))?;
        let has_fallback = fonts.has_fallback;
        let code = qr(&certificate.qr_text)?;
        let proof = match &certificate.proof_qr_text {
            Some(text) if paper == Paper::A4 => Some(qr(text)?),
            _ => None,
        };
        let data = TemplateData::new(certificate, paper, draw_qr, &code, proof.is_some());
        let json = serde_json::to_vec(&data).map_err(|e| DocumentError::Template {
            template: template_name(paper),
            reason: e.to_string(),
        })?;
        let world = PaperWorld {
            templates: &self.templates,
            main: self.templates.source(paper),
            files: PaperFiles {
                paper: Bytes::new(json),
                code: Bytes::from_string(code.to_svg()),
                proof: proof.map(|proof| Bytes::from_string(proof.to_svg())),
            },
            fonts,
        };
        let compiled = typst::compile::<PagedDocument>(&world).output;
        Self::finished(has_fallback);
        let document = compiled.map_err(|errors| overflow_or_broken(paper, &errors))?;
        match document.pages().len() {
            1 => Ok(document),
            _ => Err(DocumentError::Overflow {
                field: "page".to_owned(),
                template: template_name(paper),
            }),
        }
    }

    /// Keeps the compiler's cache small: the appliance idles for days between papers.
    fn finished(has_fallback: bool) {
        // A fallback font is tens of MB: nothing that holds it may stay.
        typst::comemo::evict(if has_fallback { 0 } else { CACHE_AGE_MAX });
    }
}

/// What `paper.json` holds.
#[derive(Serialize)]
struct TemplateData<'a> {
    #[serde(flatten)]
    certificate: &'a CertificatePaper,
    draw_qr: bool,
    has_proof: bool,
    qr_box: Option<QrBox>,
}

/// Where the template draws the label's QR code with its quiet zone, in mm.
#[derive(Serialize)]
struct QrBox {
    x: f64,
    y: f64,
    size: f64,
}

impl<'a> TemplateData<'a> {
    fn new(
        certificate: &'a CertificatePaper,
        paper: Paper,
        draw_qr: bool,
        code: &QrModules,
        has_proof: bool,
    ) -> Self {
        let qr_box = match paper {
            Paper::A4 => None,
            Paper::Label(size) => Some(QrBox::new(size, code.side() + 2 * QUIET)),
        };
        Self { certificate, draw_qr, has_proof, qr_box }
    }
}

impl QrBox {
    /// The place that the symbol takes in the bitmap at 203 dpi.
    fn new(size: LabelSize, modules: u32) -> Self {
        let (left, top, side) = qr_square(size);
        let drawn = (side / modules).max(1) * modules;
        let margin = f64::from(side.saturating_sub(drawn)) / 2.0;
        let mm = |eighths: f64| eighths / 8.0;
        Self {
            x: mm(f64::from(left) + margin),
            y: mm(f64::from(top) + margin),
            size: mm(f64::from(drawn.min(side))),
        }
    }
}

fn first_page(document: &PagedDocument, paper: Paper) -> Result<&Page, DocumentError> {
    let none =
        || DocumentError::Template { template: template_name(paper), reason: "no page".to_owned() };
    document.pages().first().ok_or_else(none)
}

/// Draws a page: width, height and 8-bit RGB.
fn pixels(page: &Page, pixels_per_pt: f64) -> (u32, u32, Vec<u8>) {
    let options = RenderOptions { pixel_per_pt: pixels_per_pt.into(), ..RenderOptions::default() };
    let pixmap = typst_render::render(page, &options);
    // The page is filled with white, so the premultiplied colours are the colours.
    let rgb = pixmap.data().chunks_exact(4).flat_map(|rgba| [rgba[0], rgba[1], rgba[2]]).collect();
    (pixmap.width(), pixmap.height(), rgb)
}

fn threshold(width: u32, height: u32, rgb: &[u8]) -> Bitmap {
    let mut bitmap = Bitmap::white(width, height);
    for (at, pixel) in (0..).zip(rgb.chunks_exact(3)) {
        if pixel[1] < THRESHOLD {
            bitmap.blacken(at % width, at / width);
        }
    }
    bitmap
}

/// Catches what a template failed to measure: ink at the edge, where printers clip, or in the
/// square of the QR code.
fn check_blank(
    bitmap: &Bitmap,
    edge: u32,
    (left, top, side): (u32, u32, u32),
) -> Result<(), String> {
    for y in 0..bitmap.height {
        for x in (0..bitmap.width).filter(|&x| bitmap.is_black(x, y)) {
            let inside = |at: u32, size: u32| (edge..size - edge).contains(&at);
            if !inside(x, bitmap.width) || !inside(y, bitmap.height) {
                return Err("page".to_owned());
            }
            if (left..left + side).contains(&x) && (top..top + side).contains(&y) {
                return Err("qr_text".to_owned());
            }
        }
    }
    Ok(())
}

/// A template stops with `overflow:FIELD` when a field does not fit.
fn overflow_or_broken(paper: Paper, errors: &[typst::diag::SourceDiagnostic]) -> DocumentError {
    let field = errors.iter().find_map(|error| {
        let (_, field) = error.message.split_once("overflow:")?;
        Some(field.trim_end_matches('"').to_owned())
    });
    match field {
        Some(field) => DocumentError::Overflow { field, template: template_name(paper) },
        None => broken(paper, errors),
    }
}

fn broken(paper: Paper, errors: &[typst::diag::SourceDiagnostic]) -> DocumentError {
    let reason = errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ");
    DocumentError::Template { template: template_name(paper), reason }
}
