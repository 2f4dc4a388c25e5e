//! From data and a template to pages.

use serde::Serialize;
use typst::diag::SourceDiagnostic;
use typst::foundations::{Bytes, Smart};
use typst::model::DocumentInfo;
use typst_layout::{Page, PagedDocument};
use typst_pdf::PdfOptions;
use typst_render::RenderOptions;

use crate::fonts::{FontSet, Shelf};
use crate::world::{PaperWorld, Template, Templates};
use crate::{DocumentError, FontOptions};

/// How many papers an unused entry of the compiler's cache lives. What all papers share (templates,
/// shaped wordings) is used by each and stays; the data of old papers goes.
const CACHE_AGE_MAX: usize = 3;

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

    /// Lays out a template with its data on one page. `texts` are all that will be set in type.
    pub(crate) fn compile<'a>(
        &self,
        template: Template,
        data: &impl Serialize,
        texts: impl Iterator<Item = &'a str>,
    ) -> Result<PagedDocument, DocumentError> {
        self.lay_out(template, data, self.shelf.fonts_for(texts)?)
    }

    fn lay_out(
        &self,
        template: Template,
        data: &impl Serialize,
        fonts: FontSet,
    ) -> Result<PagedDocument, DocumentError> {
        let has_fallback = fonts.has_fallback;
        let json = serde_json::to_vec(data).map_err(|e| DocumentError::Template {
            template: template.name(),
            reason: e.to_string(),
        })?;
        let world = PaperWorld {
            templates: &self.templates,
            main: self.templates.source(template),
            paper: Bytes::new(json),
            fonts,
        };
        let compiled = typst::compile::<PagedDocument>(&world).output;
        finished(has_fallback);
        let document = compiled.map_err(|errors| overflow_or_broken(template, &errors))?;
        if document.pages().len() == 1 { Ok(document) } else { Err(overflow("page", template)) }
    }

    /// Lays out a template and writes it as a PDF of one page, with embedded fonts and selectable
    /// text. The same data always give the same bytes. `ident` is what tells this file from others.
    pub(crate) fn compile_pdf<'a>(
        &self,
        template: Template,
        data: &impl Serialize,
        texts: impl Iterator<Item = &'a str>,
        ident: String,
    ) -> Result<Vec<u8>, DocumentError> {
        write_pdf(template, &self.compile(template, data, texts)?, ident, true)
    }

    /// The same for many pages. Each is laid out by itself, so that memory does not grow with what
    /// the compiler remembers of all the others.
    pub(crate) fn compile_pages<'a>(
        &self,
        template: Template,
        pages: impl Iterator<Item = impl Serialize>,
        texts: impl Iterator<Item = &'a str>,
        ident: String,
    ) -> Result<Vec<u8>, DocumentError> {
        let fonts = self.shelf.fonts_for(texts)?;
        let mut made = Vec::new();
        let mut info = DocumentInfo::default();
        for page in pages {
            let mut document = self.lay_out(template, &page, fonts.clone())?;
            info = std::mem::take(document.info_mut());
            made.extend_from_slice(document.pages());
        }
        let document = PagedDocument::new(made.into_iter().collect(), info);
        // A structure for screen readers would need the pages laid out at once.
        write_pdf(template, &document, ident, false)
    }
}

fn write_pdf(
    template: Template,
    document: &PagedDocument,
    ident: String,
    tagged: bool,
) -> Result<Vec<u8>, DocumentError> {
    let options = PdfOptions {
        ident: Smart::Custom(ident),
        creator: Smart::Custom(Some("Tianyin".to_owned())),
        tagged,
        ..PdfOptions::default()
    };
    let pdf = typst_pdf::pdf(document, &options).map_err(|errors| broken(template, &errors));
    finished(false);
    pdf
}

/// Keeps the compiler's cache small: the appliance idles for days between papers.
fn finished(has_fallback: bool) {
    // A fallback font is tens of MB: nothing that holds it may stay.
    typst::comemo::evict(if has_fallback { 0 } else { CACHE_AGE_MAX });
}

/// The only page of a document.
pub(crate) fn first_page(
    document: &PagedDocument,
    template: Template,
) -> Result<&Page, DocumentError> {
    let none =
        || DocumentError::Template { template: template.name(), reason: "no page".to_owned() };
    document.pages().first().ok_or_else(none)
}

/// Draws a page: width, height and 8-bit RGB.
pub(crate) fn pixels(page: &Page, pixels_per_pt: f64) -> (u32, u32, Vec<u8>) {
    let options = RenderOptions { pixel_per_pt: pixels_per_pt.into(), ..RenderOptions::default() };
    let pixmap = typst_render::render(page, &options);
    // The page is filled with white, so the premultiplied colours are the colours.
    let rgb = pixmap.data().chunks_exact(4).flat_map(|rgba| [rgba[0], rgba[1], rgba[2]]).collect();
    (pixmap.width(), pixmap.height(), rgb)
}

pub(crate) fn overflow(field: &str, template: Template) -> DocumentError {
    DocumentError::Overflow { field: field.to_owned(), template: template.name() }
}

/// A template stops with `overflow:FIELD` when a field does not fit.
fn overflow_or_broken(template: Template, errors: &[SourceDiagnostic]) -> DocumentError {
    let field = errors.iter().find_map(|error| {
        let (_, field) = error.message.split_once("overflow:")?;
        Some(field.trim_end_matches('"'))
    });
    match field {
        Some(field) => overflow(field, template),
        None => broken(template, errors),
    }
}

fn broken(template: Template, errors: &[SourceDiagnostic]) -> DocumentError {
    let reason = errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ");
    DocumentError::Template { template: template.name(), reason }
}
