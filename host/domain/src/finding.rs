//! What a rule says: findings with text and evidence, never a bare number.

use serde::{Deserialize, Serialize};

use crate::json::Json;

/// The outcome of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing stands against it.
    Pass,
    /// It waits for a person: something is missing, or the rule itself failed.
    Hold,
    /// It must not go on.
    Deny,
}

/// One reason of a rule's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Item of the rule that speaks, such as `interval`.
    pub item: String,
    /// What this finding alone would lead to.
    pub verdict: Verdict,
    /// A sentence in Chinese for people.
    pub text: String,
    /// References to what proves it, such as `activity/act_…`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// Points in tenths, negative for a deduction; 0 where the rule does not score.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub points_tenths: i64,
    /// Line of the script that made it; 0 when unknown.
    #[serde(default)]
    pub line: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(points: &i64) -> bool {
    *points == 0
}

/// A rule's whole answer, as stored with the decision so that it can be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The rule, such as `certificate/issue`.
    pub rule: String,
    /// SM3 or SHA-256 digest (hex) of script and data it read.
    pub revision: String,
    /// The worst verdict of the findings.
    pub verdict: Verdict,
    /// The reasons, in the order the script gave them.
    pub findings: Vec<Finding>,
    /// What the script read, for replay; personal data never goes in.
    #[serde(default)]
    pub input: Json,
}
