//! Power cuts: what the real binary wrote and synced is recorded, and the disk is rebuilt as it may be
//! found after the power went at any moment of the record.

mod disk;
#[allow(dead_code)]
#[path = "../../preload/src/format.rs"]
mod format;
mod random;
mod recording;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use disk::{Disk, Model};
pub use random::Random;
pub use recording::{Action, Mark, Recorded, Recording};

use crate::appliance::Setting;
use crate::place;

/// The log of a recorder, which the test writes its own marks into.
#[derive(Debug, Clone)]
pub struct Recorder {
    /// The log.
    pub log: PathBuf,
    root: PathBuf,
    with_data: bool,
    faults: String,
}

impl Recorder {
    /// Records what happens below the data folder of a setting, with the bytes that are written.
    pub fn of(setting: &mut Setting) -> Result<Self> {
        Self::with(setting, true, "")
    }

    /// The same, and injects faults; what they look like is told by the preloaded library.
    pub fn with_faults(setting: &mut Setting, faults: &str) -> Result<Self> {
        Self::with(setting, true, faults)
    }

    /// Records that there were writes and syncs, without the bytes.
    pub fn counting(setting: &mut Setting) -> Result<Self> {
        Self::with(setting, false, "")
    }

    fn with(setting: &mut Setting, with_data: bool, faults: &str) -> Result<Self> {
        std::fs::create_dir_all(&setting.data)?;
        let root = setting.data.canonicalize()?;
        setting.data = root.clone();
        let recorder =
            Self { log: root.with_extension("record"), root, with_data, faults: faults.into() };
        setting.environment.extend(recorder.environment()?);
        Ok(recorder)
    }

    /// The variables under which a program is recorded.
    fn environment(&self) -> Result<Vec<(String, String)>> {
        let library = place::beside_binary("libtianyin_preload.so")?;
        let text = |path: &Path| path.to_str().map(str::to_owned).context("path");
        let data = if self.with_data { "1" } else { "0" };
        Ok([
            ("LD_PRELOAD", text(&library)?),
            ("RECORDER_ROOT", text(&self.root)?),
            ("RECORDER_LOG", text(&self.log)?),
            ("RECORDER_DATA", data.to_owned()),
            ("RECORDER_FAULTS", self.faults.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec())
    }

    /// Notes in the log that something is known to the outside now: all that is needed for it must
    /// have been written and synced before.
    pub fn mark(&self, what: &serde_json::Value) -> Result<()> {
        recording::append_mark(&self.log, what.to_string().as_bytes())
    }

    /// Reads the log.
    pub fn read(&self) -> Result<Recording> {
        Recording::read(&self.log, &self.root)
    }
}
