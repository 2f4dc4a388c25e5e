//! The label of a code, for everybody.

use tianyin_documents::{Dpi, bitmap_to_svg};
use tianyin_domain::label_template::{LabelDesign, LabelSize};

use super::view;
use crate::app::App;
use crate::http::Problem;

/// The label as it would be printed now – of the template that is usual for its product, brand or county – but
/// with a natural person's name and phone masked; `None` when the code is no certificate's. Blocks.
///
/// # Errors
/// When the store cannot be read, or the label cannot be drawn.
pub fn masked_label_svg(app: &App, code: &str) -> Result<Option<String>, Problem> {
    let Some(certificate) = view::certificate_of(app, code)? else { return Ok(None) };
    let paper = app.masked_paper(&certificate)?;
    let draw = |design: &LabelDesign| -> Result<String, Problem> {
        let bitmap = app.rendered(|documents| documents.label_bitmap(&paper, design, Dpi::D300))?;
        bitmap_to_svg(&bitmap, design.size.size_mm()).map_err(Problem::internal)
    };
    let design = app.design_for(&certificate, None)?;
    let plain = LabelDesign::of_size(LabelSize::default());
    let svg = match draw(&design) {
        // Texts that have no room on the template are printed without it.
        Err(_) if design != plain => draw(&plain),
        drawn => drawn,
    };
    svg.map(Some)
}
