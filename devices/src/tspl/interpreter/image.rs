//! The image buffer: what the next `PRINT` burns.

use tianyin_domain::bitmap::Bitmap;

use super::command::{BitmapHeader, DrawMode};

#[derive(Debug)]
pub(super) struct Image {
    dpi: u32,
    bitmap: Bitmap,
    origin: (i64, i64),
}

impl Image {
    /// A 60 x 40 mm label.
    pub(super) fn new(dpi: u32) -> Self {
        let mut image = Self { dpi, bitmap: Bitmap::white(0, 0), origin: (0, 0) };
        image.resize(60.0, Some(40.0));
        image
    }

    pub(super) fn dpi(&self) -> u32 {
        self.dpi
    }

    pub(super) fn bitmap(&self) -> &Bitmap {
        &self.bitmap
    }

    pub(super) fn clear(&mut self) {
        self.bitmap = Bitmap::white(self.bitmap.width, self.bitmap.height);
    }

    /// Changes the label; what was drawn is gone, as its place is no longer certain.
    pub(super) fn resize(&mut self, width_mm: f64, height_mm: Option<f64>) {
        let per_mm = dots_per_mm(self.dpi);
        let to_dots = |mm: f64| (mm * per_mm - 1e-6).ceil().max(1.0) as u32;
        let height = height_mm.map_or(self.bitmap.height, to_dots);
        self.bitmap = Bitmap::white(to_dots(width_mm), height);
    }

    pub(super) fn set_origin(&mut self, x: i64, y: i64) {
        self.origin = (x, y);
    }

    /// Puts a picture down; dots beyond the label are lost. A bit of 0 is a black dot.
    pub(super) fn draw(&mut self, header: &BitmapHeader, data: &[u8]) {
        if header.width_bytes == 0 {
            return;
        }
        for (row, bytes) in data.chunks(header.width_bytes).enumerate() {
            let y = self.origin.1 + header.y + row as i64;
            for (column, byte) in bytes.iter().enumerate() {
                for bit in 0..8 {
                    let x = self.origin.0 + header.x + (column * 8 + bit) as i64;
                    self.dot(x, y, byte >> (7 - bit) & 1 == 0, header.mode);
                }
            }
        }
    }

    fn dot(&mut self, x: i64, y: i64, black: bool, mode: DrawMode) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
            return;
        };
        if x >= self.bitmap.width || y >= self.bitmap.height {
            return;
        }
        let at = y as usize * self.bitmap.row_bytes() + x as usize / 8;
        let bit = 0x80 >> (x % 8);
        match (mode, black) {
            (DrawMode::Overwrite | DrawMode::Or, true) => self.bitmap.data[at] |= bit,
            (DrawMode::Overwrite, false) => self.bitmap.data[at] &= !bit,
            (DrawMode::Xor, true) => self.bitmap.data[at] ^= bit,
            (DrawMode::Or | DrawMode::Xor, false) => {}
        }
    }
}

/// Dots a millimetre as TSPL manuals count them. Written here a second time, so that a wrong count of
/// the encoder shows.
pub(super) fn dots_per_mm(dpi: u32) -> f64 {
    match dpi {
        203 => 8.0,
        300 => 12.0,
        dpi => f64::from(dpi) / 25.4,
    }
}
