//! What a rule says about itself: `NAME.toml` beside `NAME.rhai`.

use serde::{Deserialize, Serialize};
use tianyin_domain::Date;

/// What happens when a rule fails. There is one answer only: it waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailurePolicy {
    /// Fail closed.
    Hold,
}

/// Metadata of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Id, the path of the script without its ending: `testing/judge`.
    pub id: String,
    /// Title in Chinese.
    pub title: String,
    /// Laws and standards it rests on.
    pub basis: Vec<String>,
    /// First day it may be used.
    pub valid_from: Date,
    /// Last day; absent while it is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
    /// Function of the script that takes the input and makes findings.
    pub entry: String,
    /// Keys the input must have; the value may be null.
    pub inputs: Vec<String>,
    /// Tables it looks up; a missing one is an error when the pack is loaded.
    #[serde(default)]
    pub tables: Vec<String>,
    /// What happens when it fails.
    pub failure: FailurePolicy,
}
