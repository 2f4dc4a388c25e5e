//! QR codes on pages.

use std::fmt::Write as _;

/// Light squares around a QR code (ISO/IEC 18004).
const QUIET: u32 = 4;

/// The dark squares of a QR code as one path of an SVG.
pub struct Drawn {
    /// Side of the view box, the light edge included.
    pub side: u32,
    /// The path.
    pub path: String,
}

/// Draws a text; `None` when it is too long for a QR code.
pub fn drawn(text: &str) -> Option<Drawn> {
    let qr = tianyin_documents::qr(text).ok()?;
    let mut path = String::new();
    for y in 0..qr.side() {
        for x in (0..qr.side()).filter(|x| qr.is_dark(*x, y)) {
            let _ = write!(path, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    Some(Drawn { side: qr.side() + 2 * QUIET, path })
}
