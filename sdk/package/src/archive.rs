//! The zip around the files, and the hashes inside it.

use std::io::{Cursor, Read, Write};

use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipArchive, ZipWriter};

use crate::{
    CASES, FILES_MAX, Files, HASHES, MANIFEST_TOML, PACKAGE_BYTES_MAX, PackageError, README,
    SIGNATURE, TEXT_BYTES_MAX, UNPACKED_BYTES_MAX, WASM,
};

/// Unpacks into memory; nothing is ever written to a path that a package names.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Files, PackageError> {
    if bytes.len() > PACKAGE_BYTES_MAX {
        return Err(PackageError::TooLarge { what: "the package".into(), max: PACKAGE_BYTES_MAX });
    }
    let mut zip = ZipArchive::new(Cursor::new(bytes))?;
    if zip.len() > FILES_MAX {
        return Err(PackageError::TooManyFiles { count: zip.len() });
    }
    if zip.has_duplicate_names() {
        return Err(PackageError::FileName("(the same name twice)".into()));
    }
    let mut files = Files::new();
    let mut room = UNPACKED_BYTES_MAX;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index)?;
        let name = entry.name()?.into_owned();
        if entry.is_dir() && name == CASES {
            continue;
        }
        if !entry.is_file() {
            return Err(PackageError::FileName(name));
        }
        let max = room.min(size_max(&name)?);
        let content = read_at_most(&mut entry, max, &name)?;
        room -= content.len();
        files.insert(name, content);
    }
    Ok(files)
}

/// Reads what there really is, whatever the header claims.
fn read_at_most(entry: &mut impl Read, max: usize, name: &str) -> Result<Vec<u8>, PackageError> {
    let mut content = Vec::new();
    let io = |source| PackageError::Io { path: name.into(), source };
    entry.take(max as u64 + 1).read_to_end(&mut content).map_err(io)?;
    if content.len() > max {
        return Err(PackageError::TooLarge { what: name.into(), max });
    }
    Ok(content)
}

/// Packs in order of names and without times, so that equal files give equal packages.
pub(crate) fn pack(files: &Files) -> Result<Vec<u8>, PackageError> {
    let options = SimpleFileOptions::default()
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(name.as_str(), options)?;
        zip.write_all(content).map_err(|source| PackageError::Io { path: name.clone(), source })?;
    }
    let bytes = zip.finish()?.into_inner();
    if bytes.len() > PACKAGE_BYTES_MAX {
        return Err(PackageError::TooLarge { what: "the package".into(), max: PACKAGE_BYTES_MAX });
    }
    Ok(bytes)
}

/// Names and sizes of files about to be packed.
pub(crate) fn check_names(files: &Files) -> Result<(), PackageError> {
    if files.len() >= FILES_MAX {
        return Err(PackageError::TooManyFiles { count: files.len() + 1 });
    }
    for (name, content) in files {
        let max = size_max(name)?;
        if content.len() > max {
            return Err(PackageError::TooLarge { what: name.clone(), max });
        }
    }
    Ok(())
}

/// The limit of a file; any name that is not one of a package's is an error.
fn size_max(name: &str) -> Result<usize, PackageError> {
    match name {
        WASM => Ok(UNPACKED_BYTES_MAX),
        MANIFEST_TOML | README | HASHES | SIGNATURE => Ok(TEXT_BYTES_MAX),
        _ if name.strip_prefix(CASES).is_some_and(is_plain_name) => Ok(TEXT_BYTES_MAX),
        _ => Err(PackageError::FileName(name.into())),
    }
}

/// One path segment of ASCII letters, digits, `-`, `_` and `.`, not starting with a dot.
fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=100).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

/// Lines `sha256  name` of every file but MANIFEST and SIGNATURE, as `sha256sum -c` reads them.
pub(crate) fn hashes(files: &Files) -> String {
    let hashed = files.iter().filter(|(name, _)| !matches!(name.as_str(), HASHES | SIGNATURE));
    hashed.map(|(name, content)| format!("{}  {name}\n", sha256(content))).collect()
}

/// MANIFEST must be exactly what the files give: no file more, no file less, no other bytes.
pub(crate) fn check_hashes(files: &Files) -> Result<(), PackageError> {
    let said = files.get(HASHES).ok_or_else(|| PackageError::Missing(HASHES.into()))?;
    let said = String::from_utf8_lossy(said);
    let is = hashes(files);
    if said == is {
        return Ok(());
    }
    let strange = |(said, is): (&str, &str)| {
        (said != is).then(|| if is.is_empty() { said } else { is }.to_owned())
    };
    let lines =
        said.lines().chain(std::iter::repeat("")).zip(is.lines().chain(std::iter::repeat("")));
    let line = lines.take(FILES_MAX + 1).find_map(strange).unwrap_or_default();
    Err(PackageError::Hash(
        line.split_once("  ").map_or(HASHES.into(), |(_, name)| name.to_owned()),
    ))
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
