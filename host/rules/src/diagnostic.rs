//! Where a pack is wrong, so that an editor can mark the place.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The pack cannot be used.
    Error,
    /// The pack works, but a person should look.
    Warning,
}

/// One remark on one place of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// File inside the pack, such as `testing/judge.rhai`; empty for the pack itself.
    pub file: String,
    /// Line from 1; 0 when unknown.
    pub line: u32,
    /// Column from 1, in characters; 0 when unknown.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

impl Diagnostic {
    pub(crate) fn error(file: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            line: 0,
            column: 0,
            message: message.into(),
        }
    }

    pub(crate) fn warning(file: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(file, message) }
    }

    pub(crate) fn at(mut self, position: rhai::Position) -> Self {
        self.line = position.line().map_or(0, narrow);
        self.column = position.position().map_or(0, narrow);
        self
    }

    /// A TOML error, with line and column worked out from its byte span.
    pub(crate) fn toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let mut diagnostic = Self::error(file, error.message());
        if let Some(before) = error.span().and_then(|span| text.get(..span.start)) {
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            diagnostic.line = narrow(before.matches('\n').count() + 1);
            diagnostic.column = narrow(before[line_start..].chars().count() + 1);
        }
        diagnostic
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{}:{}: {word}: {}", self.file, self.line, self.column, self.message)
    }
}
