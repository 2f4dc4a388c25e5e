//! Test vectors inside a package: `cases/NAME.hex` (or `.bin`) goes in, `cases/NAME.json` comes out.
//!
//! A `.hex` file holds hex digits, blanks and comments from `#` to the end of the line. What the
//! JSON holds is up to the world of the plugin; the host that runs cases reads it.

use std::collections::BTreeMap;

use crate::{CASES, Files, PackageError};

/// One test vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Name without folder and ending.
    pub name: String,
    /// What the plugin gets.
    pub input: Vec<u8>,
    /// What it must answer, as JSON.
    pub expected_json: String,
}

/// Pairs the files under `cases/`. A half pair or an unknown ending is an error, and so is a
/// package without any case: an untested plugin is not installed.
pub(crate) fn collect(files: &Files) -> Result<Vec<Case>, PackageError> {
    let mut inputs = BTreeMap::new();
    let mut expected = BTreeMap::new();
    for (file, content) in files.iter().filter(|(name, _)| name.starts_with(CASES)) {
        let bad = |reason: &str| PackageError::Case { file: file.clone(), reason: reason.into() };
        let (name, ending) =
            file[CASES.len()..].rsplit_once('.').ok_or_else(|| bad("has no ending"))?;
        let second = match ending {
            "bin" => inputs.insert(name, content.clone()).is_some(),
            "hex" => {
                inputs.insert(name, parse_hex(content).map_err(|reason| bad(&reason))?).is_some()
            }
            "json" => {
                let text = String::from_utf8(content.clone()).map_err(|_| bad("is not UTF-8"))?;
                expected.insert(name, text).is_some()
            }
            _ => return Err(bad("ends neither in .hex nor .bin nor .json")),
        };
        if second {
            return Err(bad("has both a .hex and a .bin"));
        }
    }
    pair(inputs, expected)
}

fn pair(
    inputs: BTreeMap<&str, Vec<u8>>,
    mut expected: BTreeMap<&str, String>,
) -> Result<Vec<Case>, PackageError> {
    let missing =
        |name: &str, ending: &str| PackageError::Missing(format!("{CASES}{name}{ending}"));
    let mut cases = Vec::new();
    for (name, input) in inputs {
        let expected_json = expected.remove(name).ok_or_else(|| missing(name, ".json"))?;
        cases.push(Case { name: name.into(), input, expected_json });
    }
    match expected.keys().next() {
        Some(name) => Err(missing(name, ".hex")),
        None if cases.is_empty() => Err(missing("NAME", ".hex with NAME.json (at least one case)")),
        None => Ok(cases),
    }
}

fn parse_hex(content: &[u8]) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(content).map_err(|_| "is not UTF-8".to_owned())?;
    let mut bytes = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let digits: String = line.split('#').next().unwrap_or("").split_whitespace().collect();
        bytes.extend(hex::decode(digits).map_err(|error| format!("line {}: {error}", number + 1))?);
    }
    Ok(bytes)
}
