//! What a failed rule leaves behind: a finding for people and a failure for alerts.

use rhai::EvalAltResult;
use serde::{Deserialize, Serialize};
use tianyin_domain::{Finding, Verdict};

use crate::diagnostic::Diagnostic;

/// Item of the finding that stands for a failed rule.
const ERROR_ITEM: &str = "rule_error";

/// What kind of thing made a rule fail; stable words for alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The pack has no such rule.
    UnknownRule,
    /// The input lacks a key or cannot be converted.
    Input,
    /// The script used too much of something.
    Limit,
    /// The script or a function it called failed.
    Script,
    /// The script ended without a finding.
    NoFinding,
}

/// Why a rule failed: material for an alert, in English.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFailure {
    /// Kind.
    pub kind: FailureKind,
    /// What went wrong.
    pub message: String,
    /// Line of the script, 0 when unknown.
    pub line: u32,
    /// Column, 0 when unknown.
    pub column: u32,
}

/// What stands in the judgement for a failed rule.
pub(crate) fn error_finding(title: &str, failure: &RuleFailure) -> Finding {
    let reason = match failure.kind {
        FailureKind::UnknownRule => "系统里没有这条规则",
        FailureKind::Input => "输入的数据不完整或写法不对",
        FailureKind::Limit => "运算超出限额,已被中止",
        FailureKind::Script => "脚本运行出错",
        FailureKind::NoFinding => "脚本没有给出任何结论",
    };
    let place = match failure.line {
        0 => String::new(),
        line => format!("(第 {line} 行)"),
    };
    Finding {
        item: ERROR_ITEM.into(),
        verdict: Verdict::Hold,
        text: format!("规则“{title}”{reason}{place},不能据此放行,请管理员处理后重新判定。"),
        evidence: Vec::new(),
        points_tenths: 0,
        line: failure.line,
    }
}

/// The engine's error with kind and place.
pub(crate) fn failure(error: &EvalAltResult) -> RuleFailure {
    let inner = error.unwrap_inner();
    let kind = match inner {
        EvalAltResult::ErrorTooManyOperations(..)
        | EvalAltResult::ErrorTooManyVariables(..)
        | EvalAltResult::ErrorTooManyModules(..)
        | EvalAltResult::ErrorStackOverflow(..)
        | EvalAltResult::ErrorDataTooLarge(..)
        | EvalAltResult::ErrorTerminated(..) => FailureKind::Limit,
        _ => FailureKind::Script,
    };
    let position = inner.position();
    let mut diagnostic = Diagnostic::error("", inner.to_string()).at(position);
    if diagnostic.line == 0 {
        diagnostic = diagnostic.at(error.position());
    }
    // The text may hold a whole input value; an alert needs its beginning only.
    let message = diagnostic.message.chars().take(500).collect();
    RuleFailure { kind, message, line: diagnostic.line, column: diagnostic.column }
}
