//! `plugin.toml`. Unknown keys are errors that name the key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::PackageError;

/// What a plugin says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Lower-case letters, digits and `-`, at most 64, starting with a letter.
    pub id: String,
    /// `major.minor.patch`.
    pub version: String,
    /// Version of the WIT package it was built for, such as `0.1`.
    pub api: String,
    /// World it implements, such as `decoder`.
    pub world: String,
    /// Name shown to people.
    pub title: Text,
    /// Limits it asks for; the host's maxima win.
    #[serde(default)]
    pub limits: Limits,
    /// Settings, in order of their keys.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
}

/// A text in the two languages of the console and its documentation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// Limits of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Memory in MiB.
    pub memory_mib: Option<u32>,
    /// Time in milliseconds.
    pub timeout_ms: Option<u32>,
}

/// A setting, shown as a field of a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: SettingType,
    /// Value when nothing is set.
    pub default: toml::Value,
    /// Label.
    pub title: Text,
    /// Explanation.
    #[serde(default)]
    pub help: Text,
    /// Allowed values of a choice.
    #[serde(default)]
    pub choices: Vec<String>,
}

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingType {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// Text of at most 1000 characters.
    Text,
    /// One of `choices`.
    Choice,
}

/// Why a setting is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// The plugin has no such setting.
    #[error("there is no setting {0:?}")]
    Unknown(String),
    /// The value does not fit.
    #[error("setting {key}: {value:?} is not {expected}")]
    Value {
        /// Key of the setting.
        key: String,
        /// The value refused.
        value: String,
        /// What would do.
        expected: String,
    },
}

impl Manifest {
    /// Reads and checks `plugin.toml`.
    pub fn parse(toml: &[u8]) -> Result<Self, PackageError> {
        let text =
            std::str::from_utf8(toml).map_err(|_| PackageError::Manifest("is not UTF-8".into()))?;
        let manifest: Self =
            toml::from_str(text).map_err(|error| PackageError::Manifest(error.to_string()))?;
        manifest.check().map_err(PackageError::Manifest)?;
        Ok(manifest)
    }

    /// `NAME-VERSION.tyx`.
    pub fn file_name(&self) -> String {
        format!("{}-{}.tyx", self.id, self.version)
    }

    /// Every setting as (key, value): `given` where it is set, else the default.
    pub fn settings_with_defaults(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<Vec<(String, String)>, SettingError> {
        if let Some(key) = given.keys().find(|key| !self.settings.contains_key(*key)) {
            return Err(SettingError::Unknown(key.clone()));
        }
        let value_of = |(key, setting): (&String, &Setting)| {
            let value = given.get(key).cloned().unwrap_or_else(|| setting.default_text());
            setting.check(key, &value).map(|()| (key.clone(), value))
        };
        self.settings.iter().map(value_of).collect()
    }

    fn check(&self) -> Result<(), String> {
        if !is_id(&self.id) {
            return Err(format!(
                "id {:?} must be lower-case letters, digits and '-', at most 64",
                self.id
            ));
        }
        if !is_version(&self.version, 3) {
            return Err(format!("version {:?} must be major.minor.patch", self.version));
        }
        if !is_version(&self.api, 2) {
            return Err(format!("api {:?} must be major.minor", self.api));
        }
        if !is_id(&self.world) {
            return Err(format!("world {:?} must be lower-case letters and '-'", self.world));
        }
        for text in
            [&self.title].into_iter().chain(self.settings.values().map(|setting| &setting.title))
        {
            text.check()?;
        }
        let defaults =
            self.settings.iter().map(|(key, setting)| setting.check(key, &setting.default_text()));
        defaults.collect::<Result<(), _>>().map_err(|error| format!("default of {error}"))
    }
}

impl Text {
    fn check(&self) -> Result<(), String> {
        let fits = |text: &str| {
            (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        if fits(&self.zh) && fits(&self.en) {
            return Ok(());
        }
        Err(format!(
            "title {:?} / {:?} must have 1 to 100 characters in both languages",
            self.zh, self.en
        ))
    }
}

impl Setting {
    fn default_text(&self) -> String {
        match &self.default {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    fn check(&self, key: &str, value: &str) -> Result<(), SettingError> {
        let (fits, expected) = match self.kind {
            SettingType::Boolean => (matches!(value, "true" | "false"), "true or false".to_owned()),
            SettingType::Integer => (value.parse::<i64>().is_ok(), "a whole number".to_owned()),
            SettingType::Text => {
                (value.chars().count() <= 1000, "a text of at most 1000 characters".to_owned())
            }
            SettingType::Choice => (
                self.choices.iter().any(|choice| choice == value),
                format!("one of {}", self.choices.join(", ")),
            ),
        };
        if fits {
            Ok(())
        } else {
            Err(SettingError::Value { key: key.into(), value: value.into(), expected })
        }
    }
}

fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    id.len() <= 64
        && id.starts_with(|first: char| first.is_ascii_lowercase())
        && id.bytes().all(plain)
}

fn is_version(version: &str, parts: usize) -> bool {
    let number = |part: &str| {
        part.len() <= 6
            && part.parse::<u32>().is_ok()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    version.split('.').count() == parts && version.split('.').all(number)
}
