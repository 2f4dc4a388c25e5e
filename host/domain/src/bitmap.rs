//! One-bit pictures: what a label printer burns.

/// A black-and-white picture, rows top to bottom, 8 dots a byte, most significant bit left,
/// **bit 1 = black**; each row is padded with white to whole bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmap {
    /// Dots per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `height * row_bytes()` bytes.
    pub data: Vec<u8>,
}

impl Bitmap {
    /// An all-white picture.
    pub fn white(width: u32, height: u32) -> Self {
        Self { width, height, data: vec![0; (width.div_ceil(8) * height) as usize] }
    }

    /// Bytes of one row.
    pub fn row_bytes(&self) -> usize {
        self.width.div_ceil(8) as usize
    }

    /// Whether the dot is black; outside the picture it is white.
    pub fn is_black(&self, x: u32, y: u32) -> bool {
        x < self.width
            && y < self.height
            && self.data[y as usize * self.row_bytes() + x as usize / 8] & (0x80 >> (x % 8)) != 0
    }

    /// Makes a dot black; outside the picture nothing happens.
    pub fn blacken(&mut self, x: u32, y: u32) {
        if x < self.width && y < self.height {
            let at = y as usize * self.row_bytes() + x as usize / 8;
            self.data[at] |= 0x80 >> (x % 8);
        }
    }
}
