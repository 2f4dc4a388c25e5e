//! Rules as rhai scripts: the engine with every limit set, the functions scripts may call, dated
//! data tables, cases, and judgements that never pass in silence.
//!
//! A *rule pack* is a folder. `testing/judge.rhai` (script), `testing/judge.toml` (metadata) and
//! `testing/judge.cases.toml` (cases) together are the rule `testing/judge`; `data/*.toml` are
//! tables every rule may look up. The pack shipped with the appliance is the repository's top-level
//! folder `rules/`, embedded in this crate.
//!
//! ```
//! use serde_json::json;
//! let rules = tianyin_rules::RuleSet::shipped().map_err(|d| format!("{d:?}"))?;
//! let answer = rules.evaluate("testing/judge", json!({}));
//! // Input is missing, so the rule holds; it never passes.
//! assert_eq!(answer.judgement.verdict, tianyin_domain::Verdict::Hold);
//! # Ok::<(), String>(())
//! ```
//!
//! No other crate knows rhai.

mod cases;
mod convert;
mod diagnostic;
mod engine;
mod failure;
mod files;
mod host;
mod load;
mod metadata;
mod session;
mod set;
pub mod tables;

pub use cases::{CaseFailure, CasesReport};
pub use diagnostic::{Diagnostic, Severity};
pub use engine::Limits;
pub use failure::{FailureKind, RuleFailure};
pub use files::{Files, FilesError};
pub use metadata::Metadata;
pub use set::{Evaluation, RuleSet};
