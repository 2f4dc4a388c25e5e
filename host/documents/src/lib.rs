//! Labels and papers from templates: a certificate as a PDF on A4 or A5, as a picture, as the 1-bit
//! bitmap that a label printer burns; sheets of labels and of codes; blank forms.
//!
//! [`Renderer`] is made once and shared by all threads. Everything it needs is embedded: the
//! templates (`templates/*.typ`) and a subset of a Chinese font (`fonts/`); only characters that
//! the subset lacks are looked up in the system's font folders, when they first occur.
//!
//! Three rules hold for every paper: text is data and never evaluated as markup; what does not fit
//! is an error and never clipped; a character without a glyph is an error and never a box.

mod barcode;
mod blanks;
mod error;
mod fonts;
mod labels;
mod layout;
mod paper;
mod papers;
mod picture;
mod plan;
mod qr;
mod renderer;
mod sheets;
mod world;

pub use blanks::{BLANKS_MAX, BlankForm, BlankNo};
pub use error::DocumentError;
pub use fonts::FontOptions;
pub use paper::{BasisOption, CertificatePaper, Detail, Dpi, PaperSize};
pub use picture::{bitmap_to_png, bitmap_to_svg};
pub use qr::{QrModules, qr};
pub use renderer::Renderer;
pub use sheets::{CODE_LABELS_MAX, CodeLabel, SHEET_LABELS_MAX, Sheet};
pub use tianyin_domain::label_template::{
    Barcode, BarcodeKind, LabelDesign, LabelField, LabelSize,
};
