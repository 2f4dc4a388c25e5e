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

impl Drawn {
    /// The same as an address of a picture: telephones read a code that is pressed for long only from those.
    pub fn data_uri(&self) -> String {
        let (side, path) = (self.side, &self.path);
        format!(
            "data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%20viewBox='0%200%20{side}%20{side}'\
             %20shape-rendering='crispEdges'%3E%3Cpath%20fill='%23fff'%20d='M0,0h{side}v{side}H0z'/%3E\
             %3Cpath%20d='{path}'/%3E%3C/svg%3E"
        )
    }
}

/// Draws a text; `None` when it is too long for a QR code.
pub fn drawn(text: &str) -> Option<Drawn> {
    let qr = tianyin_documents::qr(text).ok()?;
    let mut path = String::new();
    for y in 0..qr.side() {
        let mut x = 0;
        while x < qr.side() {
            // Dark squares that touch are one.
            let run = (x..qr.side()).take_while(|x| qr.is_dark(*x, y)).count() as u32;
            if run > 0 {
                let _ = write!(path, "M{},{}h{run}v1h-{run}z", x + QUIET, y + QUIET);
            }
            x += run.max(1);
        }
    }
    Some(Drawn { side: qr.side() + 2 * QUIET, path })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_drawn_is_the_code() {
        let text = "HTTPS://TY.EXAMPLE.TEST/T/0123456789ABCDEF";
        let (qr, drawn) = (tianyin_documents::qr(text).unwrap(), drawn(text).unwrap());
        let side = qr.side();
        let mut dark = vec![false; (side * side) as usize];
        for run in drawn.path.split('M').skip(1) {
            let (at, rest) = run.split_once('h').unwrap();
            let (x, y) = at.split_once(',').unwrap();
            let length: u32 = rest.split_once('v').unwrap().0.parse().unwrap();
            let (x, y): (u32, u32) = (x.parse().unwrap(), y.parse().unwrap());
            for x in x..x + length {
                dark[((y - QUIET) * side + x - QUIET) as usize] = true;
            }
        }
        for y in 0..side {
            for x in 0..side {
                assert_eq!(dark[(y * side + x) as usize], qr.is_dark(x, y), "{x}, {y}");
            }
        }
        let address = drawn.data_uri();
        assert!(!address.contains(['"', '<', '>', '#', ' ']), "{address}");
    }
}
