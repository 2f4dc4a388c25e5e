//! Certificates on office paper.

use serde::Serialize;

use crate::picture::rgb_to_png;
use crate::qr::qr;
use crate::renderer::{Renderer, first_page, pixels};
use crate::world::Template;
use crate::{CertificatePaper, DocumentError, PaperSize};

const TEMPLATE: Template = Template::Certificate;

impl Renderer {
    /// The certificate as a PDF of one page, with embedded fonts and selectable text. The same
    /// certificate always gives the same bytes.
    ///
    /// # Errors
    /// What is wrong with the certificate, see [`DocumentError`].
    pub fn pdf(
        &self,
        certificate: &CertificatePaper,
        paper: PaperSize,
    ) -> Result<Vec<u8>, DocumentError> {
        let data = PaperData::new(certificate, paper)?;
        let ident = certificate.code.clone();
        self.compile_pdf(TEMPLATE, &data, certificate.texts().map(|(_, text)| text), ident)
    }

    /// The certificate as a colour picture for screens, at 36 to 600 dpi.
    ///
    /// # Errors
    /// As [`pdf`](Self::pdf), and [`DocumentError::Resolution`].
    pub fn png(
        &self,
        certificate: &CertificatePaper,
        paper: PaperSize,
        dpi: u32,
    ) -> Result<Vec<u8>, DocumentError> {
        if !(36..=600).contains(&dpi) {
            return Err(DocumentError::Resolution { dpi });
        }
        let data = PaperData::new(certificate, paper)?;
        let texts = certificate.texts().map(|(_, text)| text);
        let document = self.compile(TEMPLATE, &data, texts)?;
        let page = first_page(&document, TEMPLATE)?;
        let (width, height, rgb) = pixels(page, f64::from(dpi) / 72.0);
        rgb_to_png(width, height, dpi, &rgb)
    }
}

/// What `paper.json` holds for `certificate.typ`.
#[derive(Serialize)]
struct PaperData<'a> {
    c: &'a CertificatePaper,
    a5: bool,
    /// The codes as SVG.
    qr: String,
    proof: Option<String>,
}

impl<'a> PaperData<'a> {
    fn new(c: &'a CertificatePaper, paper: PaperSize) -> Result<Self, DocumentError> {
        c.check()?;
        let proof = c.proof_qr_text.as_deref().map(qr).transpose()?;
        Ok(Self {
            c,
            a5: paper == PaperSize::A5,
            qr: qr(&c.qr_text)?.to_svg(),
            proof: proof.map(|proof| proof.to_svg()),
        })
    }
}
