//! Cases beside rules: examples with expected findings, run by tests, the CLI and the editor.
//!
//! `NAME.cases.toml` (and `NAME.more.cases.toml`) belong to the rule `NAME`:
//!
//! ```toml
//! input = '''{"product": null, "value": "1.0"}'''   # JSON all cases start from
//! [[case]]
//! name = "positive at the threshold"
//! set = { "value" = "50.0" }      # dotted paths; a number picks an item, "+" appends
//! null = ["product"]              # paths set to null
//! verdict = "deny"
//! findings = [{ item = "result", verdict = "deny", text = "50.0" }]
//! absent = ["device_verdict_differs"]   # items that must not be there
//! ```
//!
//! Listed findings must be there (same item and verdict, text contained), and every hold or deny
//! must be listed: a new reason never slips in unseen. `fixtures` replaces files of the pack for
//! one case file, such as `data/limits.toml`, by a file from a `fixtures/` folder.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tianyin_domain::{Finding, Judgement, Verdict};

use crate::diagnostic::Diagnostic;
use crate::files::Files;
use crate::set::RuleSet;

/// One file of cases.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseFile {
    #[serde(skip)]
    path: String,
    #[serde(deserialize_with = "json_text")]
    input: Value,
    #[serde(default)]
    fixtures: BTreeMap<String, String>,
    #[serde(rename = "case")]
    cases: Vec<Case>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    set: BTreeMap<String, Value>,
    #[serde(default)]
    null: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
    verdict: Verdict,
    #[serde(default)]
    findings: Vec<Expected>,
    #[serde(default)]
    absent: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    item: String,
    verdict: Verdict,
    #[serde(default)]
    text: String,
}

/// Outcome of a run of cases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CasesReport {
    /// Cases that came out as expected.
    pub passed: usize,
    /// Those that did not, and faults that kept cases from running.
    pub failed: Vec<CaseFailure>,
}

/// A case that did not come out as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseFailure {
    /// Rule.
    pub rule: String,
    /// File of the case; empty when the rule has none.
    pub file: String,
    /// Name of the case; empty when the whole file failed.
    pub case: String,
    /// What differs, one remark each.
    pub diffs: Vec<String>,
    /// What the rule said, when it ran.
    pub judgement: Option<Judgement>,
}

impl CasesReport {
    /// Whether every case passed and there was at least one.
    pub fn ok(&self) -> bool {
        self.failed.is_empty() && self.passed > 0
    }
}

impl CaseFile {
    pub(crate) fn read_all(
        id: &str,
        files: &Files,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<Self> {
        let mut found = Vec::new();
        let prefix = format!("{id}.");
        let of_rule = |path: &str| path.starts_with(&prefix) && path.ends_with(".cases.toml");
        for (path, text) in files.iter().filter(|(path, _)| of_rule(path)) {
            match toml::from_str::<Self>(text) {
                Ok(file) => {
                    let missing = file.fixtures.values().filter(|f| !files.contains_key(*f));
                    diagnostics.extend(
                        missing.map(|f| Diagnostic::error(path, format!("no fixture file {f}"))),
                    );
                    found.push(Self { path: path.clone(), ..file });
                }
                Err(error) => diagnostics.push(Diagnostic::toml(path, text, &error)),
            }
        }
        found
    }
}

fn json_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(serde::de::Error::custom)
}

impl RuleSet {
    /// Runs the cases of the rules whose id contains `filter` (`""` = all). A rule without cases,
    /// and a filter that fits no rule, are failures.
    pub fn run_cases(&self, filter: &str) -> CasesReport {
        let mut report = CasesReport::default();
        let mut matched = false;
        for (rule, files) in self.case_files().filter(|(id, _)| id.contains(filter)) {
            matched = true;
            if files.iter().all(|file| file.cases.is_empty()) {
                report.failed.push(broken(rule, "", vec!["the rule has no cases".into()]));
            }
            for file in files {
                self.run_file(rule, file, &mut report);
            }
        }
        if !matched {
            report.failed.push(broken(filter, "", vec!["no rule fits the filter".into()]));
        }
        report
    }

    fn run_file(&self, rule: &str, file: &CaseFile, report: &mut CasesReport) {
        let replaced;
        let set = if file.fixtures.is_empty() {
            self
        } else {
            match self.with_fixtures(file) {
                Ok(set) => {
                    replaced = set;
                    &replaced
                }
                Err(diagnostics) => {
                    let diffs = diagnostics.iter().map(ToString::to_string).collect();
                    report.failed.push(broken(rule, &file.path, diffs));
                    return;
                }
            }
        };
        for case in &file.cases {
            let (diffs, judgement) = run_case(set, rule, &file.input, case);
            if diffs.is_empty() {
                report.passed += 1;
            } else {
                let failure = broken(rule, &file.path, diffs);
                report.failed.push(CaseFailure { case: case.name.clone(), judgement, ..failure });
            }
        }
    }

    fn with_fixtures(&self, file: &CaseFile) -> Result<Self, Vec<Diagnostic>> {
        let mut files = self.files.clone();
        for (target, source) in &file.fixtures {
            let text = files.get(source).cloned().unwrap_or_default();
            files.insert(target.clone(), text);
        }
        Self::from_files(files, self.limits())
    }
}

fn broken(rule: &str, file: &str, diffs: Vec<String>) -> CaseFailure {
    CaseFailure {
        rule: rule.into(),
        file: file.into(),
        case: String::new(),
        diffs,
        judgement: None,
    }
}

fn run_case(
    set: &RuleSet,
    rule: &str,
    base: &Value,
    case: &Case,
) -> (Vec<String>, Option<Judgement>) {
    let mut input = base.clone();
    let sets = case.set.iter().map(|(path, value)| (path, Some(value.clone())));
    let nulls = case.null.iter().map(|path| (path, Some(Value::Null)));
    let removes = case.remove.iter().map(|path| (path, None));
    for (path, value) in sets.chain(nulls).chain(removes) {
        if !change(&mut input, path, value) {
            return (vec![format!("the input has no place {path:?}")], None);
        }
    }
    let judgement = set.evaluate(rule, input).judgement;
    (differences(case, &judgement), Some(judgement))
}

fn differences(case: &Case, judgement: &Judgement) -> Vec<String> {
    let mut diffs = Vec::new();
    if case.verdict != judgement.verdict {
        diffs.push(format!("verdict: expected {:?}, was {:?}", case.verdict, judgement.verdict));
    }
    let fits = |e: &Expected, f: &Finding| {
        e.item == f.item && e.verdict == f.verdict && f.text.contains(&e.text)
    };
    for wanted in &case.findings {
        if !judgement.findings.iter().any(|found| fits(wanted, found)) {
            diffs.push(format!("missing: {} {:?} {:?}", wanted.item, wanted.verdict, wanted.text));
        }
    }
    for found in &judgement.findings {
        let listed = case.findings.iter().any(|wanted| fits(wanted, found));
        let silent = found.verdict != Verdict::Pass && !listed;
        if silent || case.absent.contains(&found.item) {
            diffs.push(format!("unexpected: {} {:?} {:?}", found.item, found.verdict, found.text));
        }
    }
    diffs
}

/// Sets, appends (`+`) or removes the value at a dotted path; false when there is no such place.
fn change(root: &mut Value, path: &str, value: Option<Value>) -> bool {
    let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = root;
    for step in parents.split('.').filter(|step| !step.is_empty()) {
        let next = match place {
            Value::Object(map) => map.get_mut(step),
            Value::Array(items) => step.parse::<usize>().ok().and_then(|at| items.get_mut(at)),
            _ => None,
        };
        match next {
            Some(next) => place = next,
            None => return false,
        }
    }
    match place {
        Value::Object(map) => change_key(map, last, value),
        Value::Array(items) => change_item(items, last, value),
        _ => false,
    }
}

fn change_key(map: &mut Map<String, Value>, key: &str, value: Option<Value>) -> bool {
    match value {
        Some(value) => {
            map.insert(key.into(), value);
            true
        }
        None => map.remove(key).is_some(),
    }
}

fn change_item(items: &mut Vec<Value>, step: &str, value: Option<Value>) -> bool {
    let at = step.parse::<usize>().ok().filter(|at| *at < items.len());
    match (at, value) {
        (Some(at), Some(value)) => items[at] = value,
        (Some(at), None) => drop(items.remove(at)),
        (None, Some(value)) if step == "+" => items.push(value),
        _ => return false,
    }
    true
}
