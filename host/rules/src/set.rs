//! A compiled pack: load, check, evaluate.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use rhai::{CallFnOptions, Dynamic, Engine, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tianyin_domain::{Finding, Judgement, Verdict};

use crate::cases::CaseFile;
use crate::convert::to_dynamic;
use crate::diagnostic::{Diagnostic, Severity};
use crate::engine::{self, Limits};
use crate::failure::{FailureKind, RuleFailure, error_finding, failure};
use crate::files::{self, Files};
use crate::load::{Loader, Rule, strays};
use crate::metadata::Metadata;
use crate::session::{Clock, Session};
use crate::tables::{TableInfo, Tables};

/// A compiled pack of rules with its tables. Share it by `Arc`; evaluation takes `&self`.
pub struct RuleSet {
    engine: Engine,
    limits: Limits,
    tables: Arc<Tables>,
    rules: BTreeMap<String, Rule>,
    warnings: Vec<Diagnostic>,
    pub(crate) files: Files,
}

/// A judgement and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The rule's answer.
    pub judgement: Judgement,
    /// Set when the rule failed; raise an alert then. The judgement is never a pass in this case.
    pub error: Option<RuleFailure>,
    /// Operations of the script.
    pub ops: u64,
    /// Time in microseconds.
    pub micros: u64,
}

impl RuleSet {
    /// The pack embedded in this build.
    ///
    /// # Errors
    /// Every error found; none in a tested build.
    pub fn shipped() -> Result<Self, Vec<Diagnostic>> {
        Self::from_files(files::shipped(), Limits::default())
    }

    /// The pack embedded in this build, with the files of a county's folder in place of those of the same
    /// path, and beside them; without the folder, the shipped pack as it is.
    ///
    /// # Errors
    /// As [`RuleSet::load`].
    pub fn shipped_under(dir: impl AsRef<Path>) -> Result<Self, Vec<Diagnostic>> {
        let mut all = files::shipped();
        if dir.as_ref().exists() {
            let own = files::read(dir.as_ref());
            all.extend(own.map_err(|error| vec![Diagnostic::error("", error.to_string())])?);
        }
        Self::from_files(all, Limits::default())
    }

    /// The pack in a folder.
    ///
    /// # Errors
    /// Every error found: unreadable files, scripts that do not compile, wrong metadata, cases or
    /// tables.
    pub fn load(dir: impl AsRef<Path>) -> Result<Self, Vec<Diagnostic>> {
        let files = files::read(dir.as_ref())
            .map_err(|error| vec![Diagnostic::error("", error.to_string())])?;
        Self::from_files(files, Limits::default())
    }

    /// A pack from texts in memory, such as an editor's draft over the running files.
    ///
    /// # Errors
    /// As [`RuleSet::load`].
    pub fn from_files(files: Files, limits: Limits) -> Result<Self, Vec<Diagnostic>> {
        let engine = engine::build(&limits);
        let mut diagnostics = Vec::new();
        let tables = Tables::read(&files, &mut diagnostics);
        let mut rules = BTreeMap::new();
        for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rhai")) {
            let loader =
                Loader { engine: &engine, limits: &limits, files: &files, tables: &tables };
            if let Some(rule) = loader.rule(path, text, &mut diagnostics) {
                rules.insert(rule.metadata.id.clone(), rule);
            }
        }
        strays(&files, &mut diagnostics);
        if rules.is_empty() && diagnostics.is_empty() {
            diagnostics.push(Diagnostic::error("", "the pack has no rule"));
        }
        if diagnostics.iter().any(|d| d.severity == Severity::Error) {
            return Err(diagnostics);
        }
        Ok(Self { engine, limits, tables: Arc::new(tables), rules, warnings: diagnostics, files })
    }

    /// The texts the pack was built from.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// What a person should look at although the pack works.
    pub fn check(&self) -> Vec<Diagnostic> {
        self.warnings.clone()
    }

    /// Metadata of every rule, by id.
    pub fn rules(&self) -> impl Iterator<Item = &Metadata> {
        self.rules.values().map(|rule| &rule.metadata)
    }

    /// Digest (SHA-256, hex) over script, metadata and every table of a rule.
    pub fn revision(&self, rule: &str) -> Option<&str> {
        self.rules.get(rule).map(|rule| rule.revision.as_str())
    }

    /// Kinds of certification; `None` when the pack has no such table.
    pub fn certifications(&self) -> Option<&crate::tables::Certifications> {
        self.tables.certifications.as_ref()
    }

    /// Marks that products have to carry.
    pub fn coding(&self) -> Option<&crate::tables::Coding> {
        self.tables.coding.as_ref()
    }

    /// Lines of an ID card.
    pub fn id_card(&self) -> Option<&crate::tables::IdCardFields> {
        self.tables.id_card.as_ref()
    }

    /// The data tables with their sources and versions.
    pub fn tables(&self) -> Vec<TableInfo> {
        self.tables.infos()
    }

    /// Documentation of the host functions as JSON (rhai's own form), for the editor and handbook.
    ///
    /// # Errors
    /// When the metadata cannot be written as JSON.
    pub fn functions(&self) -> serde_json::Result<Value> {
        serde_json::from_str(&self.engine.gen_fn_metadata_to_json(false)?)
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// The table of rapid methods that the rules look up, if the pack has one.
    pub fn methods(&self) -> Option<&crate::tables::Methods> {
        self.tables.methods.as_ref()
    }

    /// Residue limits, if the pack has them.
    pub fn residue_limits(&self) -> Option<&crate::tables::ResidueLimits> {
        self.tables.limits.as_ref()
    }

    /// Technical procedures as templates of records, if the pack has them.
    pub fn procedures(&self) -> Option<&crate::tables::Procedures> {
        self.tables.procedures.as_ref()
    }

    /// Forms of the certificate.
    #[must_use]
    pub fn forms(&self) -> Option<&crate::tables::Forms> {
        self.tables.forms.as_ref()
    }

    /// Product classes of the certificate rule, if the pack has them.
    pub fn classes(&self) -> Option<&crate::tables::Classes> {
        self.tables.classes.as_ref()
    }

    /// Public holidays and make-up days, if the pack has them.
    pub fn holidays(&self) -> Option<&crate::tables::Holidays> {
        self.tables.holidays.as_ref()
    }

    /// The table of banned substances that the rules look up, if the pack has one.
    pub fn banned(&self) -> Option<&crate::tables::Banned> {
        self.tables.banned.as_ref()
    }

    pub(crate) fn case_files(&self) -> impl Iterator<Item = (&str, &[CaseFile])> {
        self.rules.iter().map(|(id, rule)| (id.as_str(), rule.cases.as_slice()))
    }

    /// Evaluates a rule. Never fails: what goes wrong is a `Hold` with a finding `rule_error`
    /// and [`Evaluation::error`].
    pub fn evaluate(&self, rule_id: &str, input: Value) -> Evaluation {
        let Some(rule) = self.rules.get(rule_id) else {
            return failed_before_start(rule_id, input, "no such rule in the pack");
        };
        let session = Session::new(Arc::clone(&self.tables));
        let clock = Clock::start(self.limits.wall());
        let outcome = self.run(rule, &input, &session);
        let (ops, micros) = (clock.operations(), clock.micros());
        drop(clock);

        let mut findings = session.take();
        let error = match outcome {
            Err(failure) => Some(failure),
            Ok(()) if findings.is_empty() => Some(RuleFailure {
                kind: FailureKind::NoFinding,
                message: "the rule ended without a finding".into(),
                line: 0,
                column: 0,
            }),
            Ok(()) => None,
        };
        if let Some(failure) = &error {
            findings.push(error_finding(&rule.metadata.title, failure));
        }
        let judgement = Judgement {
            rule: rule_id.into(),
            revision: rule.revision.clone(),
            verdict: worst(&findings),
            findings,
            input: input.into(),
        };
        Evaluation { judgement, error, ops, micros }
    }

    fn run(&self, rule: &Rule, input: &Value, session: &Session) -> Result<(), RuleFailure> {
        let wrong =
            |message: String| RuleFailure { kind: FailureKind::Input, message, line: 0, column: 0 };
        if let Some(key) = rule.metadata.inputs.iter().find(|key| input.get(key.as_str()).is_none())
        {
            return Err(wrong(format!("the input has no key {key:?}")));
        }
        let argument = to_dynamic(input).map_err(|error| wrong(error.to_string()))?;
        let call = || {
            let options = CallFnOptions::new().with_tag(session.clone()).in_all_namespaces(false);
            let mut scope = Scope::new();
            self.engine.call_fn_with_options::<Dynamic>(
                options,
                &mut scope,
                &rule.ast,
                &rule.metadata.entry,
                (argument,),
            )
        };
        // A panic inside the engine or a host function must not take the server's thread down.
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(RuleFailure {
                kind: FailureKind::Script,
                message: "the engine panicked".into(),
                line: 0,
                column: 0,
            }),
        }
    }
}

fn worst(findings: &[Finding]) -> Verdict {
    let has = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
    if has(Verdict::Deny) {
        Verdict::Deny
    } else if has(Verdict::Hold) || findings.is_empty() {
        Verdict::Hold
    } else {
        Verdict::Pass
    }
}

fn failed_before_start(rule_id: &str, input: Value, message: &str) -> Evaluation {
    let failure =
        RuleFailure { kind: FailureKind::UnknownRule, message: message.into(), line: 0, column: 0 };
    let judgement = Judgement {
        rule: rule_id.into(),
        revision: String::new(),
        verdict: Verdict::Hold,
        findings: vec![error_finding(rule_id, &failure)],
        input: input.into(),
    };
    Evaluation { judgement, error: Some(failure), ops: 0, micros: 0 }
}
