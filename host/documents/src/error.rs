//! What can go wrong with a paper.

/// Why a paper could not be rendered. Every variant names the field or character at fault, so that
/// the caller can tell the clerk what to shorten or to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// A required field is empty.
    #[error("field {field} is empty")]
    Empty {
        /// Name of the field in [`CertificatePaper`](crate::CertificatePaper).
        field: &'static str,
    },
    /// A field is longer than any template could set, or a list has more than a job may hold.
    #[error("field {field} has {length} characters or entries, at most {limit} are allowed")]
    TooLong {
        /// Name of the field.
        field: &'static str,
        /// Its length in characters, or the number of its entries.
        length: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A field holds a control or invisible formatting character (line feed, direction override).
    #[error("field {field} holds the unprintable character U+{:04X}", u32::from(*char))]
    Unprintable {
        /// Name of the field.
        field: &'static str,
        /// The character.
        char: char,
    },
    /// Neither the embedded fonts nor the system's have a glyph for these characters.
    #[error("no font has a glyph for: {}", chars.iter().collect::<String>())]
    MissingGlyphs {
        /// The characters, each once, in order of code point.
        chars: Vec<char>,
    },
    /// A field does not fit into its place even at the smallest legible size.
    #[error("field {field} does not fit on {template}")]
    Overflow {
        /// Name of the field, or "page" if the whole ran over one page.
        field: String,
        /// File name of the template.
        template: &'static str,
    },
    /// Office paper was asked for as a label.
    #[error("{size} is office paper and no label")]
    NotALabel {
        /// What was asked for.
        size: &'static str,
    },
    /// Not a single label fits on the sheet, or fewer than are to be skipped.
    #[error(
        "an A4 sheet has {places} places for labels of {size} with these margins, {skip} are to be skipped"
    )]
    Sheet {
        /// Size of the label.
        size: &'static str,
        /// Labels that fit on one sheet.
        places: u32,
        /// Places to be skipped.
        skip: u32,
    },
    /// The text cannot be a bar code of this kind.
    #[error("{text} cannot be a bar code {kind}")]
    BarcodeText {
        /// The text.
        text: String,
        /// Kind of the bar code.
        kind: &'static str,
    },
    /// The text is too long for any QR code.
    #[error("text of {bytes} bytes cannot be a QR code: {reason}")]
    QrEncode {
        /// Length of the text.
        bytes: usize,
        /// What the encoder says.
        reason: String,
    },
    /// The QR code would need modules too small to be scanned from a label.
    #[error(
        "QR code of {modules} modules (quiet zone included) does not fit into {room} dots with \
         {module_min} dots per module"
    )]
    QrTooLarge {
        /// Modules per side, with the quiet zone.
        modules: u32,
        /// Dots available per side.
        room: u32,
        /// Smallest module that scans reliably, in dots.
        module_min: u32,
    },
    /// The resolution is outside 36 to 600 dpi.
    #[error("resolution of {dpi} dpi is outside 36..=600")]
    Resolution {
        /// What was asked for.
        dpi: u32,
    },
    /// An embedded font or template is broken: a defect of the program, not of the paper.
    #[error("template {template} is broken: {reason}")]
    Template {
        /// File name of the template or font.
        template: &'static str,
        /// What the compiler says.
        reason: String,
    },
    /// The picture could not be encoded.
    #[error("picture cannot be encoded as PNG")]
    Png(#[from] png::EncodingError),
}
