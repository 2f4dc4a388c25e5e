//! The plugin package `NAME-VERSION.tyx`: a zip of `plugin.toml`, `plugin.wasm` (a component),
//! `README.md`, `cases/`, `MANIFEST` (SHA-256 of every file) and `SIGNATURE`.
//!
//! A package comes from outside: every size and every name is checked before it is believed.
//! Signatures are not checked yet; [`Signature`] says which packages carry one.

mod archive;
mod case;
mod manifest;

use std::collections::BTreeMap;
use std::path::Path;

pub use case::Case;
pub use manifest::{Limits, Manifest, Setting, SettingError, SettingType, Text};

/// Largest package file. A component that brings a JavaScript engine along has 12 MB.
pub const PACKAGE_BYTES_MAX: usize = 32 << 20;
/// Largest sum of the unpacked files.
pub const UNPACKED_BYTES_MAX: usize = 64 << 20;
/// Most files in a package.
pub const FILES_MAX: usize = 512;
/// Largest `plugin.toml`, README, MANIFEST, SIGNATURE or case file.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

const MANIFEST_TOML: &str = "plugin.toml";
const WASM: &str = "plugin.wasm";
const README: &str = "README.md";
const HASHES: &str = "MANIFEST";
const SIGNATURE: &str = "SIGNATURE";
const CASES: &str = "cases/";

/// Files by name, such as `cases/day.hex`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Whether a package carries a signature. None is checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// No `SIGNATURE` in the package.
    Unsigned,
    /// There is one, and nobody has checked it.
    NotChecked,
}

/// Why a package is refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Larger than a limit allows.
    #[error("{what} is larger than {max} bytes")]
    TooLarge {
        /// The file, or the package.
        what: String,
        /// The limit.
        max: usize,
    },
    /// Too many files.
    #[error("the package has {count} files, at most {FILES_MAX} are allowed")]
    TooManyFiles {
        /// How many there are.
        count: usize,
    },
    /// Not a readable zip file.
    #[error("the package is not a readable zip file: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A name that does not belong into a package.
    #[error("file name {0:?} does not belong into a package")]
    FileName(String),
    /// A needed file is missing.
    #[error("{0} is missing from the package")]
    Missing(String),
    /// A file differs from its hash, or one of the two is missing.
    #[error("{0} does not agree with MANIFEST: the package is damaged or was changed")]
    Hash(String),
    /// `plugin.toml` cannot be read; the message names key and line.
    #[error("plugin.toml: {0}")]
    Manifest(String),
    /// `plugin.wasm` is no component.
    #[error("plugin.wasm is not a WebAssembly component{0}")]
    NotAComponent(&'static str),
    /// A case is not well formed.
    #[error("{file}: {reason}")]
    Case {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A package whose form is proved: names, sizes, hashes, manifest and cases are sound.
#[derive(Debug, Clone)]
pub struct Package {
    /// `plugin.toml`.
    pub manifest: Manifest,
    /// Whether it carries a signature.
    pub signature: Signature,
    /// The package's own test vectors, in order of their names.
    pub cases: Vec<Case>,
    /// SHA-256 of `MANIFEST` in hex: names the exact content, whatever the zip looks like.
    pub content_hash: String,
    files: Files,
}

impl Package {
    /// Reads a `.tyx` file.
    pub fn read(bytes: &[u8]) -> Result<Self, PackageError> {
        let files = archive::unpack(bytes)?;
        archive::check_hashes(&files)?;
        Self::from_files(files)
    }

    /// Packs files (without `MANIFEST`) into a `.tyx` file. The same files give the same bytes.
    pub fn build(mut files: Files) -> Result<Vec<u8>, PackageError> {
        files.remove(HASHES);
        archive::check_names(&files)?;
        Self::from_files(files.clone())?;
        files.insert(HASHES.into(), archive::hashes(&files).into_bytes());
        archive::pack(&files)
    }

    /// Gathers the files of a plugin's folder (`plugin.toml`, `README.md`, `cases/`) and its component.
    pub fn collect(folder: &Path, wasm: Vec<u8>) -> Result<Files, PackageError> {
        let mut files = Files::from([(WASM.to_owned(), wasm)]);
        for name in [MANIFEST_TOML, README] {
            files.insert(name.into(), read_file(&folder.join(name))?);
        }
        let cases = folder.join(CASES);
        let io = |source| PackageError::Io { path: cases.display().to_string(), source };
        for entry in std::fs::read_dir(&cases).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            files.insert(format!("{CASES}{name}"), read_file(&path)?);
        }
        Ok(files)
    }

    /// `NAME-VERSION.tyx`.
    pub fn file_name(&self) -> String {
        self.manifest.file_name()
    }

    /// The component.
    pub fn wasm(&self) -> &[u8] {
        self.files.get(WASM).map_or(&[], Vec::as_slice)
    }

    /// `README.md`.
    pub fn readme(&self) -> String {
        self.files
            .get(README)
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .unwrap_or_default()
    }

    fn from_files(files: Files) -> Result<Self, PackageError> {
        let need = |name: &str| files.get(name).ok_or_else(|| PackageError::Missing(name.into()));
        let manifest = Manifest::parse(need(MANIFEST_TOML)?)?;
        need(README)?;
        check_component(need(WASM)?)?;
        let cases = case::collect(&files)?;
        let signature =
            if files.contains_key(SIGNATURE) { Signature::NotChecked } else { Signature::Unsigned };
        let content_hash = archive::sha256(archive::hashes(&files).as_bytes());
        Ok(Self { manifest, signature, cases, content_hash, files })
    }
}

/// A component begins with `\0asm`, version 13, layer 1; a core module with version 1, layer 0.
fn check_component(wasm: &[u8]) -> Result<(), PackageError> {
    match wasm.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => Ok(()),
        Some(b"\0asm\x01\0\0\0") => Err(PackageError::NotAComponent(
            ", but a core module: `cargo xtask plugins` turns it into one",
        )),
        _ => Err(PackageError::NotAComponent("")),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, PackageError> {
    std::fs::read(path)
        .map_err(|source| PackageError::Io { path: path.display().to_string(), source })
}
