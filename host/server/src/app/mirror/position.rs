//! How far the mirror is: one small file in the data folder, which may be lost.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::reach::Left;

/// Its name in the data folder.
pub const STATE_FILE: &str = "mirror-state.json";
/// Form of the file; 2 since codes of packs have files.
const FORMAT: u32 = 2;
/// Largest state that is read, in bytes.
const STATE_BYTES_MAX: u64 = 16 << 20;

/// How far a mirror is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    format: u32,
    /// The machine was started then: pages are not synced, so those of an earlier start may be lost.
    boot: String,
    /// [`super::folder::Mark::id`].
    pub folder: String,
    /// Digest of what shapes every page.
    pub made_by: String,
    /// Journal line.
    pub through: u64,
    /// What is left to do up to that line; the last comes first.
    pub left: Vec<Left>,
}

impl Position {
    /// A position of this start of the machine.
    pub(super) fn new(folder: &str, made_by: &str, through: u64, left: &[Left]) -> Self {
        Self {
            format: FORMAT,
            boot: boot(),
            folder: folder.to_owned(),
            made_by: made_by.to_owned(),
            through,
            left: left.to_vec(),
        }
    }

    /// What was written last; `None` when that is not to be believed.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let mut text = String::new();
        fs::File::open(path).ok()?.take(STATE_BYTES_MAX).read_to_string(&mut text).ok()?;
        let known: Self = serde_json::from_str(&text).ok()?;
        (known.format == FORMAT && known.boot == boot()).then_some(known)
    }

    /// Writes it.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        replace(path, self)
    }
}

/// Puts a file of JSON in the place of another one; nobody reads half of it.
pub(super) fn replace(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let part = path.with_extension("json.part");
    let text = serde_json::to_vec(value)?;
    let written = fs::write(&part, text)
        .and_then(|()| fs::set_permissions(&part, fs::Permissions::from_mode(0o600)))
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written.with_context(|| format!("{}", path.display()))
}

/// Drawn by the kernel at each start.
pub(super) fn boot() -> String {
    let drawn = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    drawn.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_position_of_another_start_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(STATE_FILE);
        assert_eq!(Position::read(&path), None);
        let position = Position::new("x", "d", 7, &[Left::new("lot/lot_1")]);
        position.write(&path).unwrap();
        assert_eq!(Position::read(&path), Some(position.clone()));
        Position { boot: "earlier".into(), ..position.clone() }.write(&path).unwrap();
        assert_eq!(Position::read(&path), None);
        Position { format: FORMAT + 1, ..position }.write(&path).unwrap();
        assert_eq!(Position::read(&path), None);
        fs::write(&path, b"{half").unwrap();
        assert_eq!(Position::read(&path), None);
    }
}
