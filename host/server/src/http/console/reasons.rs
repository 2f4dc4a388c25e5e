//! What a rule said, for people: each finding with links to what proves it.

use askama::Template;
use tianyin_domain::{Finding, Judgement, Verdict};

use super::filters::{self, Word as _};
use crate::texts::t;

/// Findings as a page lists them.
#[derive(Debug, Clone, Template)]
#[template(path = "_findings.html")]
pub struct Findings {
    rows: Vec<Row>,
    /// The rule and the start of its revision; empty when not told.
    source: String,
}

impl askama::filters::HtmlSafe for Findings {}

#[derive(Debug, Clone)]
struct Row {
    verdict: Verdict,
    text: String,
    links: Vec<Link>,
    line: u32,
}

/// A link to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Address.
    pub href: String,
    /// Text.
    pub text: String,
}

impl Row {
    fn tone(&self) -> &'static str {
        self.verdict.tone()
    }
}

impl Findings {
    /// Every finding of a judgement, with the rule that made it.
    pub fn of(judgement: &Judgement) -> Self {
        let revision: String = judgement.revision.chars().take(12).collect();
        let source = format!("{} @ {revision}", judgement.rule);
        Self { source, ..Self::from(judgement.findings.as_slice()) }
    }
}

impl From<&[Finding]> for Findings {
    fn from(findings: &[Finding]) -> Self {
        let row = |f: &Finding| Row {
            verdict: f.verdict,
            text: f.text.clone(),
            links: f.evidence.iter().filter_map(|e| link_of(e)).collect(),
            line: f.line,
        };
        Self { rows: findings.iter().map(row).collect(), source: String::new() }
    }
}

/// The page of a reference such as `activity/act_…`.
pub fn link_of(reference: &str) -> Option<Link> {
    let (noun, id) = reference.split_once('/')?;
    let folder = match noun {
        "operator" => "operators",
        "lot" => "lots",
        "activity" => "activities",
        "test" => "tests",
        "certificate" => "certificates",
        "message" => "messages",
        "device" => "devices",
        _ => return None,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let good = !id.is_empty() && id.chars().all(plain);
    good.then(|| Link {
        href: format!("/{folder}/{id}"),
        text: t(&format!("evidence.{noun}")).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_to_pages_of_ours_only() {
        let href = |reference| link_of(reference).map(|l| l.href);
        assert_eq!(href("test/tst_01A").as_deref(), Some("/tests/tst_01A"));
        for bad in ["test", "test/", "test/../users", "rule/x", "lot/a?b", "//x"] {
            assert_eq!(href(bad), None, "{bad}");
        }
    }
}
