//! QR codes in whole dots.

use qrcode::{Color, EcLevel, QrCode};
use tianyin_domain::bitmap::Bitmap;

use crate::DocumentError;

/// Light modules around the symbol, on each side (ISO/IEC 18004).
pub(crate) const QUIET: u32 = 4;

/// The dark and light squares of a QR code, without quiet zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QrModules {
    side: u32,
    dark: Vec<bool>,
}

/// Encodes a text with error correction M (15 %). Upper-case text of the alphanumeric set
/// (`0-9 A-Z $%*+-./:` and blank) is packed 5.5 bits a character.
///
/// # Errors
/// [`DocumentError::QrEncode`] if the text is empty or too long for the largest symbol.
pub fn qr(text: &str) -> Result<QrModules, DocumentError> {
    let failed = |reason: String| DocumentError::QrEncode { bytes: text.len(), reason };
    if text.is_empty() {
        return Err(failed("the text is empty".to_owned()));
    }
    let code =
        QrCode::with_error_correction_level(text, EcLevel::M).map_err(|e| failed(e.to_string()))?;
    let side = code.width() as u32; // at most 177
    Ok(QrModules { side, dark: code.into_colors().into_iter().map(|c| c == Color::Dark).collect() })
}

impl QrModules {
    /// Modules per side, without quiet zone: 21 (version 1) to 177 (version 40).
    pub fn side(&self) -> u32 {
        self.side
    }

    /// Whether the module is dark; outside the symbol it is light.
    pub fn is_dark(&self, x: u32, y: u32) -> bool {
        x < self.side && y < self.side && self.dark[(y * self.side + x) as usize]
    }

    /// Draws the symbol with its quiet zone into the middle of a square of `room` dots, whole dots
    /// per module, as large as fits.
    ///
    /// # Errors
    /// [`DocumentError::QrTooLarge`] if a module would be smaller than `module_min` dots.
    pub(crate) fn blit(
        &self,
        bitmap: &mut Bitmap,
        (left, top): (u32, u32),
        room: u32,
        module_min: u32,
    ) -> Result<(), DocumentError> {
        let modules = self.side + 2 * QUIET;
        let module = room / modules;
        if module < module_min {
            return Err(DocumentError::QrTooLarge { modules, room, module_min });
        }
        let margin = (room - module * self.side) / 2;
        for y in 0..self.side * module {
            for x in 0..self.side * module {
                if self.is_dark(x / module, y / module) {
                    bitmap.blacken(left + margin + x, top + margin + y);
                }
            }
        }
        Ok(())
    }

    /// The symbol with its quiet zone as one SVG path in module units.
    pub(crate) fn to_svg(&self) -> String {
        let modules = self.side + 2 * QUIET;
        let mut path = String::new();
        for y in 0..self.side {
            let mut x = 0;
            while x < self.side {
                let run = (x..self.side).take_while(|&x| self.is_dark(x, y)).count() as u32;
                if run > 0 {
                    // One rectangle for neighbours: no hairlines between them on screens.
                    path += &format!("M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET);
                }
                x += run.max(1);
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{modules}\" height=\"{modules}\" \
             viewBox=\"0 0 {modules} {modules}\" shape-rendering=\"crispEdges\"><path d=\"{path}\"/></svg>"
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn upper_case_addresses_use_the_compact_mode() {
        // ISO/IEC 18004 table 7, level M: version 3 holds 61 alphanumeric characters but 42 bytes.
        assert_eq!(qr(&format!("HTTPS://A.CN/T/{}", "Z".repeat(46))).unwrap().side(), 29);
        assert_eq!(qr(&format!("https://a.cn/t/{}", "z".repeat(46))).unwrap().side(), 33);
        assert!(qr("").is_err());
    }

    #[test]
    fn modules_become_squares_of_whole_dots() {
        let code = qr("HTTPS://A.CN/T/8K2M7Q4D9XPR3TWA").unwrap();
        let modules = code.side() + 2 * QUIET; // 25 + 8
        let mut bitmap = Bitmap::white(120, 130);
        code.blit(&mut bitmap, (5, 7), 110, 3).unwrap();
        let (module, margin) = (3, (110 - 3 * 25) / 2);
        assert_eq!(modules * 3 + 11, 110);
        for y in 0..130_u32 {
            for x in 0..120_u32 {
                let at = |v: u32, start: u32| v.checked_sub(start + margin).map(|v| v / module);
                let dark = at(x, 5).zip(at(y, 7)).is_some_and(|(x, y)| code.is_dark(x, y));
                assert_eq!(bitmap.is_black(x, y), dark, "{x},{y}");
            }
        }
        assert!(code.blit(&mut bitmap, (0, 0), 98, 3).is_err());
    }

    #[test]
    fn the_vector_path_covers_exactly_the_dark_modules() {
        let code = qr("HTTPS://A.CN/T/1").unwrap();
        let svg = code.to_svg();
        let path = svg.split("d=\"").nth(1).unwrap().split('"').next().unwrap();
        let mut area = 0;
        for run in path.split('M').skip(1) {
            let (start, rest) = run.split_once('h').unwrap();
            let (x, y) = start.split_once(' ').unwrap();
            let (x, y): (u32, u32) = (x.parse().unwrap(), y.parse().unwrap());
            let length: u32 = rest.split('v').next().unwrap().parse().unwrap();
            assert!((x..x + length).all(|x| code.is_dark(x - QUIET, y - QUIET)));
            area += length;
        }
        let all = (0..code.side()).flat_map(|y| (0..code.side()).map(move |x| (x, y)));
        assert_eq!(area as usize, all.filter(|&(x, y)| code.is_dark(x, y)).count());
    }
}
