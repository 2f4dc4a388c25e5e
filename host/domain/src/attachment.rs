//! Attachments: photos and documents of a record. The bytes are a blob, a file named by its content;
//! the record holds the digest. The host makes sure that the blob is durable before a command that
//! refers to it is decided, and that kind and size are those of the file.

use serde::{Deserialize, Serialize};

use crate::check::Check;

/// Attachments of one record.
pub const ATTACHMENTS_MAX: usize = 9;
/// Bytes of one blob.
pub const BLOB_BYTES_MAX: u64 = 8 << 20;
const NAME_CHARS_MAX: usize = 128;
const HASH_CHARS: usize = 64;

/// What a blob holds, as its first bytes say; nothing else is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlobKind {
    /// JPEG picture.
    Jpeg,
    /// PNG picture.
    Png,
    /// WebP picture.
    Webp,
    /// PDF document.
    Pdf,
}

impl BlobKind {
    /// Bytes that [`BlobKind::of`] needs.
    pub const HEAD_BYTES: usize = 12;

    /// The kind by the first bytes of the content; `None` for anything else.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            _ => None,
        }
    }

    /// Media type (IANA).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
        }
    }

    /// Whether a page can show it as a picture.
    pub fn is_picture(self) -> bool {
        self != Self::Pdf
    }
}

/// One attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// SM3 of the content (GB/T 32905-2016), 64 lower-case hex digits; also the blob's name.
    pub hash: String,
    /// What it is.
    pub kind: BlobKind,
    /// Size, 1 to [`BLOB_BYTES_MAX`].
    pub bytes: u64,
    /// Name of the file as its owner knows it.
    #[serde(default)]
    pub name: String,
}

/// Whether a text is a blob's digest: nothing else may become part of a path.
pub fn is_blob_hash(text: &str) -> bool {
    text.len() == HASH_CHARS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Checks the attachments of a command; faults are named `attachments[0].name`.
pub fn check(check: &mut Check, attachments: &[Attachment]) {
    if attachments.len() > ATTACHMENTS_MAX {
        check.bad_with("attachments", "too_many_files", &[("max", &ATTACHMENTS_MAX.to_string())]);
    }
    for (i, one) in attachments.iter().take(ATTACHMENTS_MAX).enumerate() {
        let size = (1..=BLOB_BYTES_MAX).contains(&one.bytes);
        let repeated = attachments[..i].iter().any(|other| other.hash == one.hash);
        check
            .ensure(is_blob_hash(&one.hash), &format!("attachments[{i}].hash"), "bad_hash")
            .ensure(!repeated, &format!("attachments[{i}].hash"), "repeated_file")
            .ensure(size, &format!("attachments[{i}].bytes"), "bad_file_size")
            .optional_text(&format!("attachments[{i}].name"), &one.name, NAME_CHARS_MAX);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_kind() {
        let kinds = [
            (&b"\xff\xd8\xff\xe0\0\x10JFIF"[..], Some(BlobKind::Jpeg)),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Some(BlobKind::Png)),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some(BlobKind::Webp)),
            (b"%PDF-1.7\n", Some(BlobKind::Pdf)),
            (b"RIFF\x24\0\0\0WAVEfmt ", None),
            (b"<svg xmlns=", None),
            (b"GIF89a", None),
            (b"PK\x03\x04", None),
            (b"\xff\xd8", None),
            (b"", None),
        ];
        for (head, kind) in kinds {
            assert_eq!(BlobKind::of(head), kind, "{head:?}");
            let enough = &head[..head.len().min(BlobKind::HEAD_BYTES)];
            assert_eq!(BlobKind::of(enough), kind, "{head:?}");
        }
    }

    #[test]
    fn a_digest_has_one_spelling() {
        assert!(is_blob_hash(&"0a".repeat(32)));
        for bad in ["", "0A", &"0A".repeat(32), &"0a".repeat(31), &"../".repeat(22)[..64]] {
            assert!(!is_blob_hash(bad), "{bad}");
        }
    }

    #[test]
    fn every_fault_is_named() {
        let good = Attachment {
            hash: "a".repeat(64),
            kind: BlobKind::Jpeg,
            bytes: 1,
            name: "莲田.jpg".into(),
        };
        let faults = |list: &[Attachment]| {
            let mut found = Check::new();
            check(&mut found, list);
            found.done().map_err(|e| e.to_string())
        };
        assert_eq!(faults(std::slice::from_ref(&good)), Ok(()));
        let bad = [
            good.clone(),
            good.clone(),
            Attachment { hash: "x".into(), bytes: 0, name: "a\0b".into(), ..good.clone() },
            Attachment { hash: "b".repeat(64), bytes: BLOB_BYTES_MAX + 1, ..good.clone() },
        ];
        let told = faults(&bad).unwrap_err();
        for part in [
            "attachments[1].hash",
            "repeated_file",
            "attachments[2].hash",
            "bad_hash",
            "attachments[2].bytes",
            "attachments[2].name",
            "attachments[3].bytes",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let many: Vec<_> =
            (0..10).map(|i| Attachment { hash: format!("{i:064}"), ..good.clone() }).collect();
        assert!(faults(&many).unwrap_err().contains("too_many_files"));
    }
}
