//! Labels and papers from templates: a certificate as an A4 PDF, as a picture, and as the 1-bit
//! bitmap that a label printer burns.
//!
//! [`Renderer`] is made once and shared by all threads. Everything it needs is embedded: the
//! templates (`templates/*.typ`) and a subset of a Chinese font (`fonts/`); only characters that
//! the subset lacks are looked up in the system's font folders, when they first occur.
//!
//! Three rules hold for every paper: text is data and never evaluated as markup; what does not fit
//! is an error and never clipped; a character without a glyph is an error and never a box.

mod error;
mod fonts;
mod paper;
mod picture;
mod qr;
mod renderer;
mod world;

pub use error::DocumentError;
pub use fonts::FontOptions;
pub use paper::{BasisOption, CertificatePaper, Dpi, LabelSize, Paper};
pub use picture::{bitmap_to_png, bitmap_to_svg};
pub use qr::{QrModules, qr};
pub use renderer::Renderer;
