//! What stands on a paper, and on which paper.

use serde::Serialize;

use crate::DocumentError;

/// Longest text of a name-like field, in characters.
const FIELD_CHARS_MAX: usize = 120;
/// Longest commitment wording, in characters.
const COMMITMENT_CHARS_MAX: usize = 400;
/// Longest label of a row: as long as `生产经营主体`.
const LABEL_CHARS_MAX: usize = 8;
/// Most tick boxes of a form.
const BOXES_MAX: usize = 8;
/// Most further rows.
const DETAILS_MAX: usize = 6;

/// A certificate with all texts ready for print: dates written out, units attached, contact masked
/// as the law and the county want it. The wordings come from the form's data, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificatePaper {
    /// Heading, e.g. `承诺达标合格证`.
    pub title: String,
    /// Name of the form in small print, e.g. `2026 样式一`.
    pub form: String,
    /// Wording of the commitment.
    pub commitment: String,
    /// Ticked lines of the commitment, as on the forms of 2019 and 2021; none on those of 2026.
    pub commitment_items: Vec<BasisOption>,
    /// Tick boxes of the basis (承诺依据), in the order of the form; none on the form of 2019.
    pub basis_options: Vec<BasisOption>,
    /// Name of the produce.
    pub product: String,
    /// Quantity with unit, e.g. `500 公斤`.
    pub quantity: String,
    /// Origin, e.g. `湖南省湘潭县花石镇`.
    pub origin: String,
    /// What who makes the commitment is called: `生产者` or `收购者`.
    pub producer_label: String,
    /// Who makes the commitment.
    pub producer: String,
    /// How to reach them.
    pub contact: String,
    /// Date of issue, e.g. `2026-11-20`.
    pub issued_on: String,
    /// Number of the lot; may be empty, then the row is left out.
    pub lot_no: String,
    /// Further rows on A4 and A5, after the others; at most 6.
    pub details: Vec<Detail>,
    /// Code without separators.
    pub code: String,
    /// Code in groups joined by `-`, e.g. `8K2M-7Q4D-9XPR-3TWA`.
    pub code_grouped: String,
    /// Content of the QR code; upper case, so that the compact alphanumeric mode applies.
    pub qr_text: String,
    /// Content of the second QR code on A4 and A5 (offline proof `TY1.…`), if there is one.
    pub proof_qr_text: Option<String>,
    /// Name of the county, in small print above the heading.
    pub county: String,
    /// Printed large across the paper, e.g. `作废`.
    pub status_note: Option<String>,
}

/// One tick box of the commitment or of its basis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BasisOption {
    /// Its text.
    pub text: String,
    /// Whether it is ticked.
    pub ticked: bool,
}

/// A further row of a certificate, such as 车牌.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// What it is, at most 8 characters.
    pub label: String,
    /// What it says.
    pub text: String,
}

/// Office paper that a certificate can be put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaperSize {
    /// 210 x 297 mm.
    A4,
    /// 148 x 210 mm.
    A5,
}

impl PaperSize {
    /// Width and height in mm.
    pub fn size_mm(self) -> (u32, u32) {
        match self {
            Self::A4 => (210, 297),
            Self::A5 => (148, 210),
        }
    }
}

/// Resolution of a label printer, by the name on its box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dpi {
    /// "203 dpi": 8 dots/mm.
    D203,
    /// "300 dpi": 12 dots/mm, as TSPL manuals count (304.8 dpi). A head with 11.8 dots/mm prints
    /// 1.6 % larger, 1 mm on a 60 mm label: the margins and the quiet zone absorb it.
    D300,
}

impl Dpi {
    /// Dots per mm of print head and feed.
    pub fn dots_per_mm(self) -> u32 {
        match self {
            Self::D203 => 8,
            Self::D300 => 12,
        }
    }

    /// Smallest QR module that phones read from a worn label, in dots: 0.375 mm at 203 dpi,
    /// 0.333 mm at 300 dpi.
    pub(crate) fn module_dots_min(self) -> u32 {
        match self {
            Self::D203 => 3,
            Self::D300 => 4,
        }
    }

    /// Narrowest bar of a bar code, in dots: 0.25 mm at both, so that a design that fits at one
    /// resolution fits at the other.
    pub(crate) fn bar_dots_min(self) -> u32 {
        self.dots_per_mm() / 4
    }
}

impl CertificatePaper {
    /// Checks lengths and characters of all fields.
    ///
    /// # Errors
    /// `Empty`, `TooLong` or `Unprintable` with the name of the first field at fault.
    pub(crate) fn check(&self) -> Result<(), DocumentError> {
        for (field, text) in self.texts() {
            match field {
                "commitment" => check_text(field, text, COMMITMENT_CHARS_MAX)?,
                "producer_label" => check_text(field, text, LABEL_CHARS_MAX)?,
                "lot_no" => check_optional(field, text)?,
                _ => check_text(field, text, FIELD_CHARS_MAX)?,
            }
        }
        for detail in &self.details {
            check_text("details", &detail.label, LABEL_CHARS_MAX)?;
        }
        check_count("commitment_items", self.commitment_items.len(), BOXES_MAX)?;
        check_count("basis_options", self.basis_options.len(), BOXES_MAX)?;
        check_count("details", self.details.len(), DETAILS_MAX)
    }

    /// All texts that are set in type, with the names of their fields.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let boxes = |field: &'static str, options| {
            let texts = <[BasisOption]>::iter(options).map(|option| option.text.as_str());
            texts.map(move |text| (field, text))
        };
        let details = self.details.iter().flat_map(|d| [d.label.as_str(), d.text.as_str()]);
        [
            ("title", &self.title),
            ("form", &self.form),
            ("commitment", &self.commitment),
            ("product", &self.product),
            ("quantity", &self.quantity),
            ("origin", &self.origin),
            ("producer_label", &self.producer_label),
            ("producer", &self.producer),
            ("contact", &self.contact),
            ("issued_on", &self.issued_on),
            ("lot_no", &self.lot_no),
            ("code", &self.code),
            ("code_grouped", &self.code_grouped),
            ("county", &self.county),
        ]
        .into_iter()
        .map(|(field, text)| (field, text.as_str()))
        .chain(boxes("commitment_items", &self.commitment_items))
        .chain(boxes("basis_options", &self.basis_options))
        .chain(details.map(|text| ("details", text)))
        .chain(self.status_note.iter().map(|note| ("status_note", note.as_str())))
    }
}

/// Checks a text that must be there.
pub(crate) fn check_text(
    field: &'static str,
    text: &str,
    limit: usize,
) -> Result<(), DocumentError> {
    if text.trim().is_empty() {
        return Err(DocumentError::Empty { field });
    }
    check_count(field, text.chars().count(), limit)?;
    match text.chars().find(|&char| unprintable(char)) {
        Some(char) => Err(DocumentError::Unprintable { field, char }),
        None => Ok(()),
    }
}

/// Checks a name-like text.
pub(crate) fn check_field(field: &'static str, text: &str) -> Result<(), DocumentError> {
    check_text(field, text, FIELD_CHARS_MAX)
}

/// Checks a wording.
pub(crate) fn check_wording(field: &'static str, text: &str) -> Result<(), DocumentError> {
    check_text(field, text, COMMITMENT_CHARS_MAX)
}

/// Checks the texts of tick boxes.
pub(crate) fn check_boxes(field: &'static str, texts: &[String]) -> Result<(), DocumentError> {
    check_count(field, texts.len(), BOXES_MAX)?;
    texts.iter().try_for_each(|text| check_field(field, text))
}

/// Checks a text that may be empty.
pub(crate) fn check_optional(field: &'static str, text: &str) -> Result<(), DocumentError> {
    if text.is_empty() { Ok(()) } else { check_text(field, text, FIELD_CHARS_MAX) }
}

/// Checks a number of characters or things.
pub(crate) fn check_count(
    field: &'static str,
    length: usize,
    limit: usize,
) -> Result<(), DocumentError> {
    if length > limit { Err(DocumentError::TooLong { field, length, limit }) } else { Ok(()) }
}

/// Characters that would break lines, hide, or reorder text on a document that people trust.
fn unprintable(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFD}'
            | '\u{E0000}'..='\u{E0FFF}')
}
