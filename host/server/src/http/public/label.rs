//! The label of a code, for everybody.

use tianyin_documents::{Dpi, bitmap_to_svg};
use tianyin_domain::label_template::{LabelDesign, LabelSize};

use super::view;
use crate::app::App;
use crate::http::Problem;

/// The label as it was printed, but with a natural person's name and phone masked; `None` when the code is no
/// certificate's. Blocks.
///
/// # Errors
/// When the store cannot be read, or the label cannot be drawn.
pub fn masked_label_svg(app: &App, code: &str) -> Result<Option<String>, Problem> {
    let Some(certificate) = view::certificate_of(app, code)? else { return Ok(None) };
    let paper = app.masked_paper(&certificate)?;
    let size = LabelSize::W60H40;
    let design = LabelDesign::of_size(size);
    let bitmap = app.rendered(|documents| documents.label_bitmap(&paper, &design, Dpi::D300))?;
    bitmap_to_svg(&bitmap, size.size_mm()).map(Some).map_err(Problem::internal)
}
