//! What stands on a paper, and on which paper.

use serde::Serialize;

use crate::DocumentError;

/// Longest text of a name-like field, in characters.
const FIELD_CHARS_MAX: usize = 120;
/// Longest commitment wording, in characters.
const COMMITMENT_CHARS_MAX: usize = 400;
/// Most tick boxes of a form.
const BASIS_OPTIONS_MAX: usize = 8;

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
    /// Tick boxes of the basis (承诺依据), in the order of the form.
    pub basis_options: Vec<BasisOption>,
    /// Name of the produce.
    pub product: String,
    /// Quantity with unit, e.g. `500 公斤`.
    pub quantity: String,
    /// Origin, e.g. `湖南省湘潭县花石镇`.
    pub origin: String,
    /// Who makes the commitment.
    pub producer: String,
    /// How to reach them.
    pub contact: String,
    /// Date of issue, e.g. `2026-11-20`.
    pub issued_on: String,
    /// Code without separators.
    pub code: String,
    /// Code in groups joined by `-`, e.g. `8K2M-7Q4D-9XPR-3TWA`.
    pub code_grouped: String,
    /// Content of the QR code; upper case, so that the compact alphanumeric mode applies.
    pub qr_text: String,
    /// Content of the second QR code on A4 (offline proof `TY1.…`), if there is one.
    pub proof_qr_text: Option<String>,
    /// Name of the county, in small print above the heading.
    pub county: String,
    /// Printed large across the paper, e.g. `作废`.
    pub status_note: Option<String>,
}

/// One tick box of the basis of a commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BasisOption {
    /// Its text.
    pub text: String,
    /// Whether it is ticked.
    pub ticked: bool,
}

/// A sheet that a certificate can be put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// Office paper, 210 x 297 mm.
    A4,
    /// A label.
    Label(LabelSize),
}

/// Size of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelSize {
    /// 60 mm wide, 40 mm high.
    W60H40,
}

impl LabelSize {
    /// Width and height in mm.
    pub fn size_mm(self) -> (u32, u32) {
        match self {
            Self::W60H40 => (60, 40),
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
}

impl CertificatePaper {
    /// Checks lengths and characters of all fields.
    ///
    /// # Errors
    /// `Empty`, `TooLong` or `Unprintable` with the name of the first field at fault.
    pub(crate) fn check(&self) -> Result<(), DocumentError> {
        for (field, text) in self.texts() {
            let limit = if field == "commitment" { COMMITMENT_CHARS_MAX } else { FIELD_CHARS_MAX };
            check_text(field, text, limit)?;
        }
        if self.basis_options.len() > BASIS_OPTIONS_MAX {
            let length = self.basis_options.len();
            return Err(DocumentError::TooLong {
                field: "basis_options",
                length,
                limit: BASIS_OPTIONS_MAX,
            });
        }
        Ok(())
    }

    /// All texts that are set in type, with the names of their fields.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("title", &self.title),
            ("form", &self.form),
            ("commitment", &self.commitment),
            ("product", &self.product),
            ("quantity", &self.quantity),
            ("origin", &self.origin),
            ("producer", &self.producer),
            ("contact", &self.contact),
            ("issued_on", &self.issued_on),
            ("code", &self.code),
            ("code_grouped", &self.code_grouped),
            ("county", &self.county),
        ]
        .into_iter()
        .map(|(field, text)| (field, text.as_str()))
        .chain(self.basis_options.iter().map(|option| ("basis_options", option.text.as_str())))
        .chain(self.status_note.iter().map(|note| ("status_note", note.as_str())))
    }
}

fn check_text(field: &'static str, text: &str, limit: usize) -> Result<(), DocumentError> {
    if text.trim().is_empty() {
        return Err(DocumentError::Empty { field });
    }
    let length = text.chars().count();
    if length > limit {
        return Err(DocumentError::TooLong { field, length, limit });
    }
    match text.chars().find(|&char| unprintable(char)) {
        Some(char) => Err(DocumentError::Unprintable { field, char }),
        None => Ok(()),
    }
}

/// Characters that would break lines, hide, or reorder text on a document that people trust.
fn unprintable(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFD}'
            | '\u{E0000}'..='\u{E0FFF}')
}
