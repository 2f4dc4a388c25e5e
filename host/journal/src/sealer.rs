//! Sealing and compressing of full segments, beside the running writer.
//!
//! The order makes every interruption harmless: the compressed file is written under another name,
//! synced and read back line by line; it gets its name; the seal is written whole or not at all; only
//! then the plain file goes. Whatever is interrupted is done again by the next call.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, Weak};

use crate::disk::sync_dir;
use crate::error::{Damage, JournalError, io_error};
use crate::gz::Compressor;
use crate::lines::{LineReader, Piece};
use crate::lock::FolderLock;
use crate::scan::{Chain, scan_each};
use crate::seal::{Seal, clean_parts};
use crate::segment::{self, Form, PART, Segment};

/// Lines between two calls of `pace` while a segment is read back.
const PACE_LINES: u64 = 1024;

/// How far the sealing of a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealStep {
    /// Another piece, of about 1 MiB, is compressed.
    Compressing,
    /// The compressed file is written and synced under a temporary name.
    Compressed,
    /// More lines were read back and checked.
    Checking,
    /// The compressed file has its name.
    Named,
    /// The seal is written.
    Sealed,
    /// The plain file is removed.
    Removed,
}

/// A segment that was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Number of its first line.
    pub first_seq: u64,
    /// Number of its last line.
    pub last_seq: u64,
    /// Bytes of its lines.
    pub plain_bytes: u64,
    /// Bytes of the compressed file, if it was compressed.
    pub gz_bytes: Option<u64>,
}

/// Seals the full segments of a folder. Does nothing once the [`Journal`](crate::Journal) or
/// [`SecondCopy`](crate::SecondCopy) it is of is dropped.
#[derive(Debug, Clone)]
pub struct Sealer {
    dir: PathBuf,
    lock: Weak<FolderLock>,
}

/// Tells the sealing how far it is; it ends where it is when it is answered `Break`, as after a crash.
pub type Pace<'a> = dyn FnMut(SealStep) -> ControlFlow<()> + 'a;

/// Why a sealing ended.
enum Stop {
    Broken(JournalError),
    Paced,
}

impl From<JournalError> for Stop {
    fn from(e: JournalError) -> Self {
        Self::Broken(e)
    }
}

impl Sealer {
    pub(crate) fn new(dir: &Path, lock: &Arc<FolderLock>) -> Self {
        Self { dir: dir.into(), lock: Arc::downgrade(lock) }
    }

    /// Seals the first segment that needs it: any but the last that has no seal or, with `compress`,
    /// is not compressed. `None` when there is nothing to do, or `pace` ended it. Every line is
    /// checked before the plain file goes; damage is an error and changes nothing.
    pub fn seal_next(
        &self,
        compress: bool,
        pace: &mut Pace<'_>,
    ) -> Result<Option<Sealed>, JournalError> {
        let Some(lock) = self.lock.upgrade() else { return Ok(None) };
        let _one_at_a_time = lock.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        let segments = segment::list(&self.dir)?;
        let Some((_, full)) = segments.split_last() else { return Ok(None) };
        for (index, segment) in full.iter().enumerate() {
            let Some(work) = self.work_on(segment, compress)? else { continue };
            let before = match index.checked_sub(1).and_then(|before| full.get(before)) {
                Some(before) => self.end_of(before)?,
                None => Chain::start(),
            };
            let job =
                Job { dir: &self.dir, segment, before, next_seq: segments[index + 1].first_seq };
            return match job.run(work, pace) {
                Ok(sealed) => Ok(Some(sealed)),
                Err(Stop::Paced) => Ok(None),
                Err(Stop::Broken(e)) => {
                    // On a full disk the half-written file must not stay; if it cannot be removed, the
                    // next opening does it.
                    let _ = clean_parts(&self.dir);
                    Err(e)
                }
            };
        }
        Ok(None)
    }

    fn work_on(&self, segment: &Segment, compress: bool) -> Result<Option<Work>, JournalError> {
        Ok(match (segment.form, segment.is_sealed) {
            (Form::Gz, true) => None,
            (Form::Gz, false) => Some(Work::Seal),
            (Form::Plain, _) if compress => Some(Work::Compress),
            (Form::Plain, false) => Some(Work::Seal),
            (Form::Plain, true) if !segment.has_gz => None,
            // Compression was interrupted, and then switched off: it is finished when the seal is
            // about the compressed file already.
            (Form::Plain, true) => {
                let seal = Seal::load(&self.dir, segment.first_seq)?;
                Some(if seal.is_some_and(|s| s.gz.is_some()) { Work::Compress } else { Work::Seal })
            }
        })
    }

    /// The chain after a segment that is sealed.
    fn end_of(&self, segment: &Segment) -> Result<Chain, JournalError> {
        let seal = Seal::load(&self.dir, segment.first_seq)?;
        seal.map(|seal| seal.end()).ok_or_else(|| {
            damaged(&segment.path, "its seal was there and is not there any more".into())
        })
    }
}

enum Work {
    /// Compress, seal, remove the plain file.
    Compress,
    /// Write the seal of the file as it is; a compressed one beside a plain one is a leftover.
    Seal,
}

struct Job<'a> {
    dir: &'a Path,
    segment: &'a Segment,
    before: Chain,
    next_seq: u64,
}

impl Job<'_> {
    fn run(&self, work: Work, pace: &mut Pace<'_>) -> Result<Sealed, Stop> {
        let seal = match work {
            Work::Compress => self.compress(pace)?,
            Work::Seal => self.seal(pace)?,
        };
        Ok(Sealed {
            first_seq: seal.first,
            last_seq: seal.last,
            plain_bytes: seal.bytes,
            gz_bytes: seal.gz.map(|gz| gz.bytes),
        })
    }

    fn seal(&self, pace: &mut Pace<'_>) -> Result<Seal, Stop> {
        if self.segment.form == Form::Plain && self.segment.has_gz {
            self.remove(&self.segment.gz_path())?;
        }
        let seal = self.read(LineReader::open_with(self.segment, true)?, pace)?;
        seal.write(self.dir)?;
        step(pace, SealStep::Sealed)?;
        Ok(seal)
    }

    fn compress(&self, pace: &mut Pace<'_>) -> Result<Seal, Stop> {
        let gz = self.segment.gz_path();
        let part = gz.with_added_extension(PART);
        self.write_gz(&part, pace)?;
        step(pace, SealStep::Compressed)?;
        let seal =
            self.read(LineReader::open_gz(part.clone(), self.segment.first_seq, true)?, pace)?;
        if seal.bytes != self.segment.bytes {
            let reason = format!("of {} bytes {} were compressed", self.segment.bytes, seal.bytes);
            return Err(damaged(&self.segment.path, reason).into());
        }
        let name = || std::fs::rename(&part, &gz).and_then(|()| sync_dir(self.dir));
        name().map_err(io_error("rename", &part))?;
        step(pace, SealStep::Named)?;
        seal.write(self.dir)?;
        step(pace, SealStep::Sealed)?;
        self.remove(&self.segment.plain_path())?;
        // Nothing is left to be ended.
        let _ = pace(SealStep::Removed);
        Ok(seal)
    }

    fn write_gz(&self, part: &Path, pace: &mut Pace<'_>) -> Result<(), Stop> {
        let failed = || io_error("write", part);
        let mut lines = LineReader::open(self.segment)?;
        let mut out = Compressor::new(File::create(part).map_err(failed())?);
        while let Some(piece) = lines.next_piece()? {
            let Piece::Line(text) = piece else {
                return Err(damaged(&self.segment.path, "does not end with a line".into()).into());
            };
            if out.line(text).map_err(failed())? {
                step(pace, SealStep::Compressing)?;
            }
        }
        let file = out.finish().map_err(failed())?;
        Ok(file.sync_all().map_err(failed())?)
    }

    /// Reads the whole file, checks every line and that the next segment follows.
    fn read(&self, mut reader: LineReader, pace: &mut Pace<'_>) -> Result<Seal, Stop> {
        let mut go_on = ControlFlow::Continue(());
        let found = scan_each(&mut reader, self.before, u64::MAX, &mut |line, _| {
            if line.seq.is_multiple_of(PACE_LINES) && go_on.is_continue() {
                go_on = pace(SealStep::Checking);
            }
        })?;
        if go_on.is_break() {
            return Err(Stop::Paced);
        }
        let end = found.into_whole()?;
        if end.head.seq + 1 != self.next_seq {
            let reason =
                format!("ends with line {}, but {} comes next", end.head.seq, self.next_seq);
            return Err(damaged(&reader.path, reason).into());
        }
        let gz = reader.gz_seal().transpose().map_err(|r| damaged(&reader.path, r.into()))?;
        Ok(Seal::new(&self.before, &end, reader.offset, gz))
    }

    fn remove(&self, path: &Path) -> Result<(), JournalError> {
        let remove = || -> io::Result<()> {
            std::fs::remove_file(path)?;
            sync_dir(self.dir)
        };
        remove().map_err(io_error("remove", path))
    }
}

fn step(pace: &mut Pace<'_>, step: SealStep) -> Result<(), Stop> {
    match pace(step) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Stop::Paced),
    }
}

fn damaged(path: &Path, reason: String) -> JournalError {
    JournalError::Damaged(Damage { segment: path.into(), line: 0, offset: 0, reason })
}
