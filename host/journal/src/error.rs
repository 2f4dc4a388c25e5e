use std::io;
use std::path::PathBuf;

/// Where a journal is damaged and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file.
    pub segment: PathBuf,
    /// Line in the file, from 1; 0 when it is not about one line.
    pub line: u64,
    /// Byte at which that line begins, counted in the plain lines; in a seal the byte that differs.
    pub offset: u64,
    /// What is wrong.
    pub reason: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { segment, line, offset, reason } = self;
        write!(f, "{} line {line} (byte {offset}): {reason}", segment.display())
    }
}

/// What can go wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process has this journal open for writing.
    #[error("journal {} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// Something that was acknowledged is changed or missing; nothing was touched.
    #[error("journal is damaged: {0}")]
    Damaged(Damage),
    /// An earlier write or sync failed. What is on disk is unknown until the journal is opened again.
    #[error("journal takes no more lines since a write failed: {0}")]
    Poisoned(String),
    /// A line of the group cannot be written in the journal's format; nothing was written.
    #[error("line {index} of the group: {reason}")]
    BadLine {
        /// Position in the group, from 0.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The group is empty or larger than is allowed; nothing was written.
    #[error(
        "group of {lines} lines, {bytes} bytes: must hold 1 line or more and at most {max} bytes"
    )]
    BadGroup {
        /// Lines in the group.
        lines: usize,
        /// Bytes as encoded.
        bytes: usize,
        /// The limit, [`Options::group_bytes_max`](crate::Options::group_bytes_max).
        max: u64,
    },
    /// The folder of the second copy holds something else; nothing was touched.
    #[error("{} is not used for the copy of the journal: {reason}", target.display())]
    Refused {
        /// The folder.
        target: PathBuf,
        /// Why not.
        reason: String,
    },
    /// An option is out of its range.
    #[error("journal option {0}")]
    BadOption(String),
}

impl JournalError {
    /// Whether a person has to repair or restore the journal.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_))
    }

    /// Whether the disk, or what this user may have of it, is full.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source))
    }
}

/// Adds to an I/O error what was tried, on which file.
pub(crate) fn io_error(
    action: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.into();
    move |source| JournalError::Io { action, path, source }
}

/// Whether the disk, or what this user may have of it, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
