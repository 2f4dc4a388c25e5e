//! Labels: dots for a label printer, and the same in vectors for sheets.

use serde::Serialize;
use tianyin_domain::bitmap::Bitmap;
use tianyin_domain::label_template::{LabelDesign, LabelField};

use crate::barcode::{Bars, Reading, bars_of};
use crate::layout::{EDGE, Layout, Rect, require_label};
use crate::paper::check_optional;
use crate::picture::bitmap_to_svg;
use crate::qr::{QrModules, qr};
use crate::renderer::{Renderer, first_page, overflow, pixels};
use crate::world::Template;
use crate::{CertificatePaper, DocumentError, Dpi};

/// Luminance below which a dot is burnt. Mid grey: strokes keep their width on average.
const THRESHOLD: u8 = 128;
const TEMPLATE: Template = Template::Labels;

impl Renderer {
    /// The label as the dots to burn: 480x320 at 203 dpi and 720x480 at 300 dpi for 60x40 mm.
    ///
    /// # Errors
    /// What is wrong with the certificate or does not fit, see [`DocumentError`]; `NotALabel` for
    /// office paper.
    pub fn label_bitmap(
        &self,
        certificate: &CertificatePaper,
        design: &LabelDesign,
        dpi: Dpi,
    ) -> Result<Bitmap, DocumentError> {
        check_design(design)?;
        let label = Label::new(certificate, design, dpi)?;
        let (width, height) = design.size.size_mm();
        let data = LabelPage {
            width: f64::from(width),
            height: f64::from(height),
            design: design.into(),
            labels: vec![label.data(certificate, (0.0, 0.0), false)],
        };
        let texts = design_texts(design).chain(certificate.texts().map(|(_, text)| text));
        let document = self.compile(TEMPLATE, &data, texts)?;

        let dots_per_mm = dpi.dots_per_mm();
        let page = first_page(&document, TEMPLATE)?;
        let (width, height, rgb) = pixels(page, f64::from(dots_per_mm) * 25.4 / 72.0);
        let mut bitmap = threshold(width, height, &rgb);
        label.draw_codes(&mut bitmap, dpi)?;
        Ok(bitmap)
    }

    /// The label's dots at 203 dpi as an SVG of its real size, for web pages.
    ///
    /// # Errors
    /// As [`label_bitmap`](Self::label_bitmap).
    pub fn label_svg(
        &self,
        certificate: &CertificatePaper,
        design: &LabelDesign,
    ) -> Result<String, DocumentError> {
        bitmap_to_svg(&self.label_bitmap(certificate, design, Dpi::D203)?, design.size.size_mm())
    }
}

/// What `paper.json` holds for `labels.typ`.
#[derive(Serialize)]
pub(crate) struct LabelPage<'a> {
    /// Of a page, in mm.
    pub width: f64,
    pub height: f64,
    pub design: DesignData<'a>,
    pub labels: Vec<LabelData<'a>>,
}

/// What the template needs of a design; all of it is always there.
#[derive(Serialize)]
pub(crate) struct DesignData<'a> {
    fields: &'a [LabelField],
    heading: &'a str,
    note: &'a str,
    commitment: bool,
}

impl<'a> From<&'a LabelDesign> for DesignData<'a> {
    fn from(design: &'a LabelDesign) -> Self {
        let LabelDesign { fields, heading, note, commitment, .. } = design;
        Self { fields, heading, note, commitment: *commitment }
    }
}

/// One label on a page.
#[derive(Serialize)]
pub(crate) struct LabelData<'a> {
    /// Its place on the page, in mm.
    x: f64,
    y: f64,
    c: &'a CertificatePaper,
    g: &'a Layout,
    /// The codes as SVG, where they are not drawn dot by dot.
    qr: Option<String>,
    bars: Option<String>,
    /// What people read beneath the bars.
    digits: &'a [Reading],
}

/// A label with its codes and places.
pub(crate) struct Label {
    layout: Layout,
    code: QrModules,
    bars: Option<Bars>,
}

impl Label {
    /// Checks a certificate and lays out its label.
    pub fn new(
        certificate: &CertificatePaper,
        design: &LabelDesign,
        dpi: Dpi,
    ) -> Result<Self, DocumentError> {
        certificate.check()?;
        require_label(design.size)?;
        let code = qr(&certificate.qr_text)?;
        let bars = bars_of(design.barcode.as_ref(), certificate)?;
        let layout = Layout::new(design, &code, bars.as_ref(), dpi, TEMPLATE.name())?;
        Ok(Self { layout, code, bars })
    }

    /// What the template needs of it; with `vector` it draws the codes too.
    pub fn data<'a>(
        &'a self,
        certificate: &'a CertificatePaper,
        (x, y): (f64, f64),
        vector: bool,
    ) -> LabelData<'a> {
        let bars = self.bars.as_ref().zip(self.layout.bars_in_modules());
        LabelData {
            x,
            y,
            c: certificate,
            g: &self.layout,
            qr: vector.then(|| self.code.to_svg()),
            bars: bars.filter(|_| vector).map(|(bars, (high, guard))| bars.to_svg(high, guard)),
            digits: self.bars.as_ref().map_or(&[], |bars| &bars.digits),
        }
    }

    /// Draws the codes in whole dots, where the template left room.
    fn draw_codes(&self, bitmap: &mut Bitmap, dpi: Dpi) -> Result<(), DocumentError> {
        let dots = |eighths: u32| eighths * dpi.dots_per_mm() / 8;
        let Rect { x, y, width, height } = self.layout.qr;
        let square = [dots(x), dots(y), dots(width), dots(height)];
        if inked(bitmap, square) {
            return Err(overflow("qr_text", TEMPLATE));
        }
        let (edge, right, bottom) = (dots(EDGE), bitmap.width, bitmap.height);
        let rim = [
            [0, 0, right, edge],
            [0, bottom - edge, right, edge],
            [0, 0, edge, bottom],
            [right - edge, 0, edge, bottom],
        ];
        if rim.into_iter().any(|side| inked(bitmap, side)) {
            return Err(overflow("page", TEMPLATE));
        }
        if let Some((bars, at)) = self.bars.as_ref().zip(self.layout.bar_dots()) {
            let left = at.left - bars.quiet_left() * at.module;
            if inked(bitmap, [left, at.top, bars.modules() * at.module, at.height]) {
                return Err(overflow("barcode", TEMPLATE));
            }
            bars.blit(bitmap, at);
        }
        self.code.blit(bitmap, (square[0], square[1]), square[2], dpi.module_dots_min())
    }
}

/// Checks the texts of a design.
pub(crate) fn check_design(design: &LabelDesign) -> Result<(), DocumentError> {
    check_optional("heading", &design.heading)?;
    check_optional("note", &design.note)
}

/// The texts of a design that are set in type.
pub(crate) fn design_texts(design: &LabelDesign) -> impl Iterator<Item = &str> {
    [design.heading.as_str(), design.note.as_str()].into_iter()
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

/// Catches what a template failed to measure: ink at the edge, where printers clip, or where a code
/// is drawn.
fn inked(bitmap: &Bitmap, [x, y, width, height]: [u32; 4]) -> bool {
    (y..y + height).any(|y| (x..x + width).any(|x| bitmap.is_black(x, y)))
}
