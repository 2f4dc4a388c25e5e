//! Writes a [`Bitmap`] as a one-bit PNG, for people and for tests.

use png::{BitDepth, ColorType, Encoder, PixelDimensions, Unit};
use tianyin_domain::bitmap::Bitmap;

/// The PNG file of a bitmap: grey scale, one bit a dot, with the resolution noted so that it opens
/// at its printed size. Fails when the picture is empty or its bytes do not match its size.
pub fn png_bytes(bitmap: &Bitmap, dpi: u32) -> Result<Vec<u8>, png::EncodingError> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, bitmap.width, bitmap.height);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    let per_metre = (f64::from(dpi) / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(PixelDimensions {
        xppu: per_metre,
        yppu: per_metre,
        unit: Unit::Meter,
    }));
    let mut writer = encoder.write_header()?;
    // In a grey PNG 1 is white.
    let inverted: Vec<u8> = bitmap.data.iter().map(|byte| !byte).collect();
    writer.write_image_data(&inverted)?;
    writer.finish()?;
    Ok(out)
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// Reads a one-bit grey PNG back.
    pub(crate) fn read_png(bytes: &[u8]) -> Bitmap {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        assert_eq!(reader.info().bit_depth, BitDepth::One);
        let mut data = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut data).unwrap();
        let mut bitmap = Bitmap::white(info.width, info.height);
        for y in 0..info.height {
            for x in 0..info.width {
                if data[y as usize * info.line_size + x as usize / 8] & (0x80 >> (x % 8)) == 0 {
                    bitmap.blacken(x, y);
                }
            }
        }
        bitmap
    }

    #[test]
    fn reads_back_the_same_dots() {
        let mut bitmap = Bitmap::white(13, 3);
        for (x, y) in [(0, 0), (12, 0), (7, 1), (8, 2)] {
            bitmap.blacken(x, y);
        }
        assert_eq!(read_png(&png_bytes(&bitmap, 203).unwrap()), bitmap);
    }

    #[test]
    fn a_picture_that_lies_about_its_size_is_refused() {
        assert!(png_bytes(&Bitmap { width: 8, height: 2, data: vec![0] }, 203).is_err());
        assert!(png_bytes(&Bitmap { width: 0, height: 0, data: vec![] }, 203).is_err());
    }
}
