//! Pictures as files.

use base64::Engine as _;
use png::{BitDepth, ColorType, PixelDimensions, Unit};
use tianyin_domain::bitmap::Bitmap;

use crate::DocumentError;

/// Encodes a bitmap as a 1-bit greyscale PNG (a few kB for a label).
///
/// # Errors
/// [`DocumentError::Png`] if the picture has no dots.
pub fn bitmap_to_png(bitmap: &Bitmap) -> Result<Vec<u8>, DocumentError> {
    // In a PNG bit 1 is white; the padding bits at the end of a row do not matter.
    let data: Vec<u8> = bitmap.data.iter().map(|byte| !byte).collect();
    encode(bitmap.width, bitmap.height, ColorType::Grayscale, BitDepth::One, None, &data)
}

/// Wraps a bitmap as an SVG of the given size: the very dots of the label, for screens. The
/// picture is inside as a PNG data address (a content security policy must allow `img-src data:`
/// if the file is opened on its own).
///
/// # Errors
/// [`DocumentError::Png`] as in [`bitmap_to_png`].
pub fn bitmap_to_svg(
    bitmap: &Bitmap,
    (width_mm, height_mm): (u32, u32),
) -> Result<String, DocumentError> {
    let png = base64::engine::general_purpose::STANDARD.encode(bitmap_to_png(bitmap)?);
    let (width, height) = (bitmap.width, bitmap.height);
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width_mm}mm\" height=\"{height_mm}mm\" \
         viewBox=\"0 0 {width} {height}\"><image width=\"{width}\" height=\"{height}\" \
         style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{png}\"/></svg>"
    ))
}

/// Encodes 8-bit RGB pixels as PNG with their resolution.
pub(crate) fn rgb_to_png(
    width: u32,
    height: u32,
    dpi: u32,
    rgb: &[u8],
) -> Result<Vec<u8>, DocumentError> {
    let per_metre = (f64::from(dpi) / 0.0254).round() as u32;
    let dimensions = PixelDimensions { xppu: per_metre, yppu: per_metre, unit: Unit::Meter };
    encode(width, height, ColorType::Rgb, BitDepth::Eight, Some(dimensions), rgb)
}

fn encode(
    width: u32,
    height: u32,
    color: ColorType,
    depth: BitDepth,
    dimensions: Option<PixelDimensions>,
    data: &[u8],
) -> Result<Vec<u8>, DocumentError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.set_pixel_dims(dimensions);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(data)?;
    writer.finish()?;
    Ok(file)
}
