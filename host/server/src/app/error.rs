//! What a caller of the application learns when something did not work.

use tianyin_domain::command::Outcome;
use tianyin_domain::{DomainError, FieldError, StateError};

use super::conflict::Conflict;
use super::gate::ReadOnly;
use super::space::is_full;
use crate::texts::{t, tf};

/// Why the application did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The domain refused.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// A record changed while somebody worked on it; both versions are told.
    #[error("{} changed: based on {}, now {}", .0.root, .0.expected, .0.actual)]
    Conflict(Box<Conflict>),
    /// Nothing is taken in: for want of space, or until a person mended it.
    #[error("read-only: {0}")]
    ReadOnly(ReadOnly),
    /// It is on record for good, but cannot be shown until the disk has space again: to repeat it
    /// would record it twice.
    #[error("recorded as line {}, to be seen once the disk has space", .0.seq)]
    Recorded(Outcome),
    /// Too much is waiting.
    #[error("overloaded")]
    Overloaded,
    /// A refusal of the application itself, with a code of the catalogue and its values.
    #[error("refused: {code}")]
    Refused {
        /// Stable code.
        code: &'static str,
        /// Values for the message.
        params: Vec<(&'static str, String)>,
    },
    /// Something that should not happen; the chain goes to the log.
    #[error("internal: {0:#}")]
    Internal(anyhow::Error),
}

impl AppError {
    /// A refusal without values.
    pub fn refused(code: &'static str) -> Self {
        Self::Refused { code, params: Vec::new() }
    }

    /// A refusal with values.
    pub fn refused_with(code: &'static str, params: Vec<(&'static str, String)>) -> Self {
        Self::Refused { code, params }
    }

    /// Wraps an unexpected error. A full disk is told as such.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        if is_full(&error) {
            tracing::error!(error = format!("{error:#}"), "the disk is full");
            return Self::refused("no_space");
        }
        if error.downcast_ref::<crate::vault::DamagedSecret>().is_some() {
            tracing::error!(error = format!("{error:#}"), "a secret cannot be read");
            return Self::refused("secret_damaged");
        }
        Self::Internal(error)
    }

    /// Stable code for API clients.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Domain(e) => e.code(),
            Self::Conflict(_) => "version_conflict",
            Self::ReadOnly(ReadOnly::Broken(_)) => "read_only",
            Self::ReadOnly(ReadOnly::DiskFull(_)) => "disk_full",
            Self::Recorded(_) => "recorded_not_shown",
            Self::Overloaded => "overloaded",
            Self::Refused { code, .. } => code,
            Self::Internal(_) => "internal",
        }
    }

    /// The Chinese sentence that says what to do.
    pub fn detail(&self) -> String {
        match self {
            Self::Domain(e) => domain_detail(e),
            Self::Conflict(conflict) => conflict.detail(),
            Self::Refused { code, params } => {
                tf(&format!("error.{code}"), params.iter().map(|(k, v)| (*k, v.as_str())))
            }
            Self::ReadOnly(reason) => read_only_text(reason),
            _ => t(&format!("error.{}", self.code())).to_owned(),
        }
    }

    /// Bad fields, when that is what is wrong.
    pub fn fields(&self) -> &[FieldError] {
        match self {
            Self::Domain(DomainError::Invalid(fields)) => fields,
            _ => &[],
        }
    }
}

impl From<StateError> for AppError {
    fn from(error: StateError) -> Self {
        Self::Domain(error.into())
    }
}

fn domain_detail(error: &DomainError) -> String {
    let key = format!("error.{}", error.code());
    match error {
        DomainError::Invalid(fields) => tf(&key, [("count", fields.len().to_string().as_str())]),
        DomainError::Refused { params, .. } => {
            tf(&key, params.iter().map(|(k, v)| (k.as_str(), v.as_str())))
        }
        DomainError::RuleRefused(judgement) => {
            let reasons: Vec<&str> = judgement
                .findings
                .iter()
                .filter(|f| f.verdict != tianyin_domain::Verdict::Pass)
                .map(|f| f.text.as_str())
                .collect();
            tf(&key, [("reasons", reasons.join(" ").as_str())])
        }
        _ => t(&key).to_owned(),
    }
}

/// The Chinese sentence for why nothing is taken in, and what to do.
pub fn read_only_text(reason: &ReadOnly) -> String {
    match reason {
        ReadOnly::Broken(_) => t("error.read_only").to_owned(),
        ReadOnly::DiskFull(short) => tf(
            "error.disk_full",
            [
                ("folder", short.folder.as_str()),
                ("free", short.free_mib.to_string().as_str()),
                ("need", short.need_mib.to_string().as_str()),
            ],
        ),
    }
}

/// The Chinese sentence for one bad field.
pub fn field_text(field: &FieldError) -> String {
    tf(&format!("field.{}", field.code), field.params.iter().map(|(k, v)| (k.as_str(), v.as_str())))
}
