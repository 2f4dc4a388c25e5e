//! What can be wrong with a command. Codes are stable and snake_case; the zh-CN catalogue of the
//! server turns code and parameters into a sentence that says what to do.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::finding::Judgement;
use crate::state::StateError;

/// Values named in a message's placeholders, such as `{name}`.
pub type Params = BTreeMap<String, String>;

/// One bad field of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field as the API names it.
    pub field: String,
    /// Stable code, such as `required` or `too_long`.
    pub code: String,
    /// Values for the message.
    pub params: Params,
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DomainError {
    /// Fields are missing or wrong; every bad field is listed.
    #[error("invalid fields: {0:?}")]
    Invalid(Vec<FieldError>),
    /// The record a command speaks of does not exist, or is out of the actor's sight.
    #[error("{noun} {id} not found")]
    NotFound {
        /// Which noun.
        noun: &'static str,
        /// The id asked for.
        id: String,
    },
    /// The actor may not do this.
    #[error("{action} is not allowed for this actor")]
    Forbidden {
        /// The command's name.
        action: &'static str,
    },
    /// The record's state does not allow it.
    #[error("refused: {code}")]
    Refused {
        /// Stable code.
        code: &'static str,
        /// Values for the message.
        params: Params,
    },
    /// Rules said hold or deny; the findings say why.
    #[error("refused by rule {}", .0.rule)]
    RuleRefused(Box<Judgement>),
    /// A record the command was based on has changed meanwhile.
    #[error("{root} changed: based on {expected}, now {actual}")]
    Conflict {
        /// The root, such as `lot/lot_…`.
        root: String,
        /// The version the command was based on.
        expected: u64,
        /// The version now.
        actual: u64,
    },
    /// The same idempotency key came with another request.
    #[error("idempotency key reused with another request")]
    KeyReused,
    /// The store could not be read.
    #[error(transparent)]
    State(#[from] StateError),
}

impl DomainError {
    /// A refusal with code and parameters.
    pub fn refused(code: &'static str, params: &[(&str, &str)]) -> Self {
        let params = params.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Self::Refused { code, params }
    }

    /// A single bad field.
    pub fn field(field: &str, code: &str) -> Self {
        Self::Invalid(vec![FieldError {
            field: field.into(),
            code: code.into(),
            params: Params::new(),
        }])
    }

    /// The stable code that API clients see.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_fields",
            Self::NotFound { .. } => "not_found",
            Self::Forbidden { .. } => "forbidden",
            Self::Refused { code, .. } => code,
            Self::RuleRefused(_) => "rule_refused",
            Self::Conflict { .. } => "version_conflict",
            Self::KeyReused => "idempotency_key_reused",
            Self::State(_) => "store_unreadable",
        }
    }
}
