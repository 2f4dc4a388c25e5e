//! The seal of a segment: one line of JSON beside it that says what the segment holds.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::sync_dir;
use crate::error::{Damage, JournalError, io_error};
use crate::gz::{SEGMENT_BYTES_CEILING, Start};
use crate::hash::Hash;
use crate::journal::Head;
use crate::scan::Chain;
use crate::segment::{self, Form, Kind, PART, Segment, file_name};

const VERSION: u64 = 1;
const SEAL_BYTES_MAX: u64 = 8 << 20;

/// What a sealed segment holds. There is one spelling: members in this order, no spaces, one `\n`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seal {
    v: u64,
    /// Sequence number of the first line.
    pub first: u64,
    /// Sequence number of the last line.
    pub last: u64,
    /// First line of the group of the last line.
    pub group: u64,
    /// Hash of the line before the first.
    pub prev: Hash,
    /// Hash of the last line.
    pub hash: Hash,
    /// Bytes of all lines, uncompressed.
    pub bytes: u64,
    /// Of the compressed file, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gz: Option<GzSeal>,
}

/// The part of a seal that is about the compressed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GzSeal {
    pub bytes: u64,
    pub sm3: Hash,
    pub members: Vec<Member>,
}

/// A gzip member: number of its first line, byte of the plain lines, byte of the compressed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member(pub u64, pub u64, pub u64);

impl GzSeal {
    /// Where to begin reading for line `seq`.
    pub(crate) fn member_of(&self, seq: u64) -> Option<Start> {
        let after = self.members.partition_point(|member| member.0 <= seq);
        let Member(_, plain, gz) = *self.members.get(after.checked_sub(1)?)?;
        Some(Start { plain, gz })
    }
}

impl Seal {
    /// Of a segment that was read from the chain `before` to the chain `end`.
    pub(crate) fn new(before: &Chain, end: &Chain, bytes: u64, gz: Option<GzSeal>) -> Self {
        let (first, prev) = (before.head.seq + 1, before.head.hash);
        let Head { seq: last, hash } = end.head;
        Self { v: VERSION, first, last, group: end.group(), prev, hash, bytes, gz }
    }

    /// The seal of a segment; `None` when it has none.
    pub(crate) fn load(dir: &Path, first_seq: u64) -> Result<Option<Self>, JournalError> {
        let path = dir.join(file_name(first_seq, Kind::Seal));
        let mut text = Vec::new();
        let read = File::open(&path).and_then(|f| f.take(SEAL_BYTES_MAX).read_to_end(&mut text));
        match read {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io_error("read", path)(e)),
        }
        let seal = Self::parse(&text).and_then(|seal| match seal.first == first_seq {
            true => Ok(seal),
            false => Err((0, format!("the seal is of the segment of line {}", seal.first))),
        });
        seal.map(Some).map_err(|(offset, reason)| damaged(&path, offset, reason))
    }

    fn parse(text: &[u8]) -> Result<Self, (u64, String)> {
        let seal: Self =
            serde_json::from_slice(text).map_err(|e| (0, format!("not a seal: {e}")))?;
        if seal.v != VERSION {
            return Err((0, format!("seal version {} is not known to this program", seal.v)));
        }
        let right = seal.encode();
        if right != text {
            let same = right.iter().zip(text).take_while(|(a, b)| a == b).count();
            return Err((same as u64, "a seal is spelt otherwise".into()));
        }
        let in_order = seal.first <= seal.group && seal.group <= seal.last;
        if !in_order || seal.bytes > SEGMENT_BYTES_CEILING {
            return Err((0, "numbers of the seal are out of range".into()));
        }
        Ok(seal)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        // Numbers and digests only: serialising them into memory cannot fail.
        let mut text = serde_json::to_vec(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// Writes the seal, whole or not at all, and makes it survive a power cut.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), JournalError> {
        let path = dir.join(file_name(self.first, Kind::Seal));
        let part = path.with_added_extension(PART);
        let write = || -> io::Result<()> {
            let mut file = File::create(&part)?;
            file.write_all(&self.encode())?;
            file.sync_all()?;
            std::fs::rename(&part, &path)?;
            sync_dir(dir)
        };
        write().map_err(io_error("write", &path))
    }

    /// The chain after the segment, from the seal alone, which must continue `before`; the segment's
    /// file must be as large as the seal says.
    pub(crate) fn follow(&self, segment: &Segment, before: &Chain) -> Result<Chain, JournalError> {
        if self.prev != before.head.hash {
            let reason = "prev of the seal is not the hash of the line before".into();
            return Err(damaged(&segment.seal_path(), 0, reason));
        }
        let stated = match (segment.form, &self.gz) {
            (Form::Plain, _) => self.bytes,
            (Form::Gz, Some(gz)) => gz.bytes,
            (Form::Gz, None) => {
                let reason = "the seal knows of no compressed file".into();
                return Err(damaged(&segment.seal_path(), 0, reason));
            }
        };
        if segment.bytes != stated {
            let reason = format!("{} bytes long, {stated} by its seal", segment.bytes);
            return Err(damaged(&segment.path, 0, reason));
        }
        Ok(self.end())
    }

    /// The chain after the segment.
    pub(crate) fn end(&self) -> Chain {
        Chain::after(Head { seq: self.last, hash: self.hash }, self.group)
    }

    /// Compares the seal with what the segment was found to hold. `path` is the file that was read.
    pub(crate) fn compare(
        &self,
        found: &Self,
        dir: &Path,
        path: &Path,
    ) -> Result<(), JournalError> {
        if self == found {
            return Ok(());
        }
        let of_file = |seal: &Self| seal.gz.as_ref().map(|gz| (gz.bytes, gz.sm3));
        let mut lines_only = found.clone();
        lines_only.gz.clone_from(&self.gz);
        if *self == lines_only && of_file(self) != of_file(found) {
            let reason = "the compressed file is not the one that was sealed (SM3 differs), though \
                          its lines are whole";
            return Err(damaged(path, 0, reason.into()));
        }
        let (ours, theirs) = (self.encode(), found.encode());
        let same = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
        let reason = "the seal does not agree with the segment, whose chain is whole".into();
        Err(damaged(&dir.join(file_name(self.first, Kind::Seal)), same as u64, reason))
    }
}

fn damaged(path: &Path, offset: u64, reason: String) -> JournalError {
    JournalError::Damaged(Damage { segment: path.into(), line: 0, offset, reason })
}

/// Removes what an interrupted sealing left half-written.
pub(crate) fn clean_parts(dir: &Path) -> Result<(), JournalError> {
    for entry in std::fs::read_dir(dir).map_err(io_error("list", dir))? {
        let entry = entry.map_err(io_error("list", dir))?;
        if segment::is_part_name(&entry.file_name()) {
            let path = entry.path();
            std::fs::remove_file(&path).map_err(io_error("remove", &path))?;
        }
    }
    Ok(())
}
