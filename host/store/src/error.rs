use std::io;
use std::path::PathBuf;

use tianyin_domain::StateError;

/// What can go wrong with the store. None of it endangers a fact: those are in the journal.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
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
    /// Another process, or another part of this one, has the store open.
    #[error("store {} is in use", .0.display())]
    InUse(PathBuf),
    /// The store does not hold what it should; it must be rebuilt from the journal.
    #[error("store is damaged and must be rebuilt: {0}")]
    Damaged(String),
    /// A cursor that this list did not give out.
    #[error("cursor does not belong to this list")]
    BadCursor,
    /// A commit must move the applied sequence number forward.
    #[error("commit up to line {given}, but line {applied} is applied already")]
    NotForward {
        /// What the store has.
        applied: u64,
        /// What the commit said.
        given: u64,
    },
    /// A record is not what its type says.
    #[error(transparent)]
    Record(#[from] StateError),
}

impl StoreError {
    /// Whether a rebuild from the journal is the cure.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_))
    }

    /// Whether the disk, or what this user may have of it, is full.
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        match self {
            Self::Io { source, .. } => matches!(source.kind(), StorageFull | QuotaExceeded),
            // sled tells some of its errors only by their words.
            Self::Damaged(text) => text.contains("No space left") || text.contains("StorageFull"),
            _ => false,
        }
    }
}

impl From<StoreError> for StateError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Record(error) => error,
            other => StateError(other.to_string()),
        }
    }
}

/// Adds to an I/O error what was tried, on which file.
pub(crate) fn io_error(
    action: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.into();
    move |source| StoreError::Io { action, path, source }
}

/// Runs code that calls sled. sled has asserts and unwraps on what it reads from disk, so with a
/// damaged file it may panic where it should return an error; that must not take the host down.
pub(crate) fn guard<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or(panic.downcast_ref::<String>().map(String::as_str));
        Err(StoreError::Damaged(format!("sled panicked: {}", text.unwrap_or("without a word"))))
    })
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        match error {
            sled::Error::Io(e) if !matches!(e.kind(), InvalidData | UnexpectedEof) => {
                Self::Io { action: "access", path: "store".into(), source: e }
            }
            other => Self::Damaged(other.to_string()),
        }
    }
}
