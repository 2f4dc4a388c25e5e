//! The text files of a pack, read into memory under limits.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

/// The files of a pack: path with `/` inside the pack, and text.
pub type Files = BTreeMap<String, String>;

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../rules");

/// Most files in a pack.
pub const MAX_FILES: usize = 512;
/// Most bytes in one file; an imported limit table of a county is the largest.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
const MAX_DEPTH: usize = 4;

/// Why a folder cannot be read as a pack.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The file system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Too many files, too large a file, or folders too deep.
    #[error("{path}: {what}")]
    Limit {
        /// File or folder.
        path: PathBuf,
        /// Which limit.
        what: &'static str,
    },
}

/// The pack embedded in this build.
pub(crate) fn shipped() -> Files {
    fn walk(dir: &Dir<'_>, files: &mut Files) {
        for file in dir.files() {
            let path = file.path().to_str().filter(|path| is_pack_file(path));
            if let (Some(path), Some(text)) = (path, file.contents_utf8()) {
                files.insert(path.replace('\\', "/"), text.into());
            }
        }
        for inner in dir.dirs() {
            walk(inner, files);
        }
    }
    let mut files = Files::new();
    walk(&SHIPPED, &mut files);
    files
}

fn is_pack_file(path: &str) -> bool {
    path.ends_with(".rhai") || path.ends_with(".toml")
}

/// Reads the `.rhai` and `.toml` files below a folder; links and hidden files are not followed.
pub(crate) fn read(root: &Path) -> Result<Files, FilesError> {
    let mut files = Files::new();
    walk(root, "", 0, &mut files)?;
    Ok(files)
}

fn walk(dir: &Path, prefix: &str, depth: usize, files: &mut Files) -> Result<(), FilesError> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| FilesError::Io { path, source }
    };
    let limit = |path: &Path, what| FilesError::Limit { path: path.into(), what };
    if depth > MAX_DEPTH {
        return Err(limit(dir, "folders are nested too deep"));
    }
    for entry in fs::read_dir(dir).map_err(io(dir))? {
        let entry = entry.map_err(io(dir))?;
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().map_err(io(&path))?;
        if name.starts_with('.') || kind.is_symlink() {
            continue;
        }
        let inner = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        if kind.is_dir() {
            walk(&path, &inner, depth + 1, files)?;
        } else if is_pack_file(&name) {
            if files.len() >= MAX_FILES {
                return Err(limit(&path, "the pack has too many files"));
            }
            let mut text = String::new();
            let file = fs::File::open(&path).map_err(io(&path))?;
            file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(io(&path))?;
            if text.len() as u64 > MAX_FILE_BYTES {
                return Err(limit(&path, "the file is too large"));
            }
            files.insert(inner, text);
        }
    }
    Ok(())
}
