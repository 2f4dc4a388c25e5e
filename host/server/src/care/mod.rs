//! Care for a data folder: is it whole (`verify`), what is wrong with it and what cures it (`doctor`),
//! a copy for the day it is lost (`backup`, `restore`).
//!
//! Nothing here trusts the store: what is on record is read from the journal. Nothing is destroyed:
//! what is replaced is set aside.

pub mod archive;
pub mod backup;
pub mod checks;
pub mod cure;
pub mod doctor;
pub mod finding;
pub mod lines;
pub mod mend;
pub mod on_record;
pub mod restore;
pub mod scratch;
pub mod second_copy;
pub mod signing;
pub mod store_check;
pub mod verify;

use std::path::{Path, PathBuf};

use tianyin_store::Store;

use crate::config::Config;

/// The folder that is looked at: by the service itself while it runs, else by the command line.
pub struct Folder {
    /// Settings, with the data folder.
    pub config: Config,
    /// The last acknowledged line of a service that runs on it; `None` when none does.
    pub live: Option<Live>,
}

/// A running service.
pub struct Live {
    /// Sequence number of the last acknowledged line.
    pub head: u64,
    /// Its store.
    pub store: Store,
}

impl Folder {
    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.config.data
    }

    /// The journal's folder.
    pub fn journal(&self) -> PathBuf {
        self.data().join("journal")
    }

    /// Up to which line a running service is to be read.
    pub fn until(&self) -> Option<u64> {
        self.live.as_ref().map(|live| live.head)
    }
}

/// A key that is not there although there are records: the service must not make a new one, or what
/// was signed could not be checked any more and nobody could sign in.
pub fn missing_key(data: &Path, head: u64) -> Option<&'static str> {
    KEY_FILES.into_iter().find(|file| head > 0 && !data.join(file).exists())
}

/// Parts of a data folder that nobody else can give back.
pub const KEY_FILES: [&str; 2] = ["keys/county.key.pem", "keys/vault.key"];
/// The same, from the first pack of codes on: before it, a lost one is made anew.
pub const CODE_KEY_FILE: &str = "keys/codes.key";
