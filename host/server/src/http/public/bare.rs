//! Pictures without what cameras and people wrote beside them: a photo of a product often tells where and
//! when it was taken, which may be somebody's home. The picture itself is not touched.

/// The picture alone; `None` for what cannot be taken apart, because nobody knows what else is in it.
pub(super) fn bare(bytes: &[u8]) -> Option<Vec<u8>> {
    match bytes {
        [0xff, 0xd8, rest @ ..] => jpeg(rest),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, rest @ ..] => png(&bytes[..8], rest),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', rest @ ..] => webp(rest),
        _ => None,
    }
}

/// Segments up to the start of scan: APP0 (JFIF), APP2 (colour profile) and APP14 (Adobe) stay, other APPn and
/// comments go (ITU-T T.81, annex B).
fn jpeg(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![0xff, 0xd8];
    loop {
        let (0xff, marker) = (*rest.first()?, *rest.get(1)?) else { return None };
        let length = usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
        let segment = rest.get(..length.checked_add(2)?)?;
        if length < 2 {
            return None;
        }
        let goes = matches!(marker, 0xe1 | 0xe3..=0xed | 0xef | 0xfe);
        if !goes {
            out.extend_from_slice(segment);
        }
        rest = &rest[segment.len()..];
        if marker == 0xda {
            out.extend_from_slice(rest);
            return Some(out);
        }
    }
}

/// Chunks but for texts, times and Exif (PNG, third edition, section 11.3).
fn png(head: &[u8], mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut out = head.to_vec();
    loop {
        let length = usize::try_from(u32::from_be_bytes(rest.get(..4)?.try_into().ok()?)).ok()?;
        let kind: [u8; 4] = rest.get(4..8)?.try_into().ok()?;
        // Length, kind and check sum take 12 bytes.
        let chunk = rest.get(..length.checked_add(12)?)?;
        if !matches!(&kind, b"tEXt" | b"zTXt" | b"iTXt" | b"tIME" | b"eXIf") {
            out.extend_from_slice(chunk);
        }
        rest = &rest[chunk.len()..];
        if &kind == b"IEND" {
            return Some(out);
        }
    }
}

/// Chunks but for Exif and XMP, with the flags that tell of them (RFC 9649).
fn webp(mut rest: &[u8]) -> Option<Vec<u8>> {
    const EXIF_AND_XMP: u8 = 0b0000_1100;
    let mut body = b"WEBP".to_vec();
    while !rest.is_empty() {
        let kind: [u8; 4] = rest.get(..4)?.try_into().ok()?;
        let length = usize::try_from(u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?)).ok()?;
        // Chunks begin at even places.
        let end = length.checked_add(8)?.checked_add(length % 2)?;
        let chunk = rest.get(..end)?;
        let at = body.len();
        if !matches!(&kind, b"EXIF" | b"XMP ") {
            body.extend_from_slice(chunk);
        }
        if &kind == b"VP8X" {
            *body.get_mut(at + 8)? &= !EXIF_AND_XMP;
        }
        rest = &rest[end..];
    }
    let length = u32::try_from(body.len()).ok()?;
    Some([b"RIFF".as_slice(), &length.to_le_bytes(), &body].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn jpeg_of(segments: &[(u8, &[u8])]) -> Vec<u8> {
        let mut out = vec![0xff, 0xd8];
        for (marker, content) in segments {
            out.extend([0xff, *marker]);
            out.extend(u16::try_from(content.len() + 2).unwrap().to_be_bytes());
            out.extend_from_slice(content);
        }
        out.extend([0xff, 0xda, 0, 2, 1, 2, 3, 0xff, 0xd9]);
        out
    }

    fn png_of(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, content) in chunks {
            out.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
            out.extend_from_slice(*kind);
            out.extend_from_slice(content);
            out.extend([0; 4]);
        }
        out
    }

    fn webp_of(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut body = b"WEBP".to_vec();
        for (kind, content) in chunks {
            body.extend_from_slice(*kind);
            body.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
            body.extend_from_slice(content);
            body.extend(vec![0; content.len() % 2]);
        }
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        [b"RIFF".as_slice(), &length, &body].concat()
    }

    #[test]
    fn where_a_picture_was_taken_does_not_go_out() {
        let taken = jpeg_of(&[
            (0xe0, b"JFIF"),
            (0xe1, b"Exif GPS 112.94"),
            (0xe1, b"http://ns.adobe.com/xap/1.0/"),
            (0xed, b"Photoshop 3.0"),
            (0xdb, b"table"),
            (0xfe, b"home"),
        ]);
        assert_eq!(bare(&taken).unwrap(), jpeg_of(&[(0xe0, b"JFIF"), (0xdb, b"table")]));
        let taken =
            png_of(&[(b"IHDR", b"x"), (b"eXIf", b"GPS"), (b"iTXt", b"xmp"), (b"IEND", b"")]);
        assert_eq!(bare(&taken).unwrap(), png_of(&[(b"IHDR", b"x"), (b"IEND", b"")]));
        let taken = webp_of(&[
            (b"VP8X", &[0b0001_1100, 0, 0, 0]),
            (b"VP8 ", b"abc"),
            (b"EXIF", b"GPS"),
            (b"XMP ", b"gps!"),
        ]);
        let left = webp_of(&[(b"VP8X", &[0b0001_0000, 0, 0, 0]), (b"VP8 ", b"abc")]);
        assert_eq!(bare(&taken).unwrap(), left);
    }

    #[test]
    fn what_cannot_be_taken_apart_is_not_shown() {
        for odd in
            [b"GIF89a".as_slice(), b"", &[0xff, 0xd8], &[0xff, 0xd8, 0, 0, 0, 2], b"%PDF-1.7"]
        {
            assert_eq!(bare(odd), None);
        }
        let cut = jpeg_of(&[(0xe0, b"JFIF")]);
        assert_eq!(bare(&cut[..8]), None);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_fail(kind in 0..3_usize, tail in prop::collection::vec(any::<u8>(), 0..64)) {
            let head: &[u8] = [b"\xff\xd8".as_slice(), b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"][kind];
            let bytes = [head, &tail].concat();
            if let Some(out) = bare(&bytes) {
                prop_assert!(out.len() <= bytes.len());
            }
        }
    }
}
