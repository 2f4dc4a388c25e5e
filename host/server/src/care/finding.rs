//! What a check found: what, where, what people notice of it, and what to do, in Chinese and English.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::cure::Remedy;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Works, but not as it should.
    Warning,
    /// Something that was on record is damaged or missing, or the service cannot work.
    Damage,
}

/// A text in two languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} / {}", self.zh, self.en)
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable code, such as `blob_missing`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// Where: a file, a record, an address.
    pub place: String,
    /// What was found.
    pub what: Text,
    /// What people notice of it.
    pub effect: Text,
    /// What to do.
    pub cure: Text,
    /// What `doctor --fix` would do by itself.
    #[serde(skip)]
    pub remedy: Option<Remedy>,
}

impl Finding {
    /// A finding of the catalogue `i18n/care.toml`; `{name}` in its texts stands for a value.
    pub fn new(code: &str, place: impl Into<String>, values: &[(&str, &str)]) -> Self {
        let entry = CATALOGUE.get(code);
        let place = place.into();
        let text = |pick: fn(&Entry) -> &[String; 2]| {
            let [zh, en] = entry.map(pick).cloned().unwrap_or_default();
            let fill = |text: String| {
                let values = values.iter().copied().chain([("place", place.as_str())]);
                values.fold(text, |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
            };
            Text { zh: fill(zh), en: fill(en) }
        };
        Self {
            code: code.to_owned(),
            severity: entry.map_or(Severity::Damage, |e| e.severity),
            what: text(|e| &e.what),
            effect: text(|e| &e.effect),
            cure: text(|e| &e.cure),
            place: place.clone(),
            remedy: None,
        }
    }

    /// The same with something that `doctor --fix` can do.
    pub fn cured_by(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(remedy);
        self
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = match self.severity {
            Severity::Note => "·",
            Severity::Warning => "!",
            Severity::Damage => "✗",
        };
        writeln!(f, "{mark} {}", self.what)?;
        writeln!(f, "    位置 / where:  {}", self.place)?;
        writeln!(f, "    影响 / effect: {}", self.effect)?;
        write!(f, "    处理 / cure:   {}", self.cure)
    }
}

/// The worst of several findings.
pub fn worst(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|f| f.severity).max()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    severity: Severity,
    what: [String; 2],
    effect: [String; 2],
    cure: [String; 2],
}

static CATALOGUE: LazyLock<HashMap<String, Entry>> = LazyLock::new(|| {
    toml::from_str(include_str!("../../i18n/care.toml")).unwrap_or_else(|e| {
        tracing::error!(error = %e, "i18n/care.toml is not readable");
        HashMap::new()
    })
});

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Codes in the sources of this folder: `Finding::new("code", …)`.
    fn used() -> Vec<(String, Vec<String>)> {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/src/care");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            // This file speaks of the call without making one.
            if path.ends_with("finding.rs") {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            for (at, _) in text.match_indices("Finding::new(") {
                let (before, call) = text.split_at(at + "Finding::new(".len());
                let Some(code) = call.trim_start().strip_prefix('"') else { continue };
                let code = code.split('"').next().unwrap().to_owned();
                // Names of the values: the first of each pair in the call's list, or in the one above.
                let arguments = call.split(")").next().unwrap_or_default();
                let list = if arguments.contains("&values") {
                    let above = before.rsplit("let values = [").next().unwrap_or_default();
                    above.split("];").next().unwrap_or_default()
                } else {
                    let list = call.split("&[").nth(1).unwrap_or_default();
                    list.split("])").next().unwrap_or_default()
                };
                let names = list.split("(\"").skip(1).map(|n| n.split('"').next().unwrap());
                found.push((code, names.map(str::to_owned).collect()));
            }
        }
        found
    }

    #[test]
    fn every_finding_has_its_words_and_every_placeholder_its_value() {
        let used = used();
        assert!(used.len() > 20, "only {} were found: the check looks past them", used.len());
        for (code, names) in &used {
            let values: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "值")).collect();
            let finding = Finding::new(code, "place", &values);
            assert!(CATALOGUE.contains_key(code.as_str()), "{code} is not in care.toml");
            for text in [&finding.what, &finding.effect, &finding.cure] {
                for text in [&text.zh, &text.en] {
                    assert!(!text.is_empty() && !text.contains('{'), "{code}: {text}");
                }
            }
        }
        for code in CATALOGUE.keys() {
            assert!(used.iter().any(|(c, _)| c == code), "{code} is used nowhere");
        }
    }
}
