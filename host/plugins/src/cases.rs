//! A package's own test vectors, run when it is installed and by its author.
//!
//! A case of world `decoder` is JSON: `measurements` (canonical result messages; what is left out
//! is unknown), `problems` (`text` may be left out), `announced`; or `error` with a part of the
//! refusal's text. `settings` and `received_at` go in; both may be left out.

use std::collections::BTreeMap;

use serde::Deserialize;
use tianyin_domain::Time;
use tianyin_domain::measurement::Measurement;
use tianyin_package::Case;

use crate::error::{Failure, PluginError};
use crate::host::{DecodeInput, Decoded, Plugin, Problem};

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseOutcome {
    /// Name of the case.
    pub name: String,
    /// Why it failed; `None` when it passed.
    pub failure: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(default)]
    settings: BTreeMap<String, String>,
    #[serde(default)]
    received_at: Time,
    #[serde(default)]
    measurements: Vec<Measurement>,
    #[serde(default)]
    problems: Vec<ExpectedProblem>,
    announced: Option<u32>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedProblem {
    offset: u32,
    length: u32,
    reason: String,
    text: Option<String>,
}

impl Plugin {
    /// Runs test vectors, one outcome each.
    pub fn run_cases(&self, cases: &[Case]) -> Vec<CaseOutcome> {
        cases
            .iter()
            .map(|case| CaseOutcome { name: case.name.clone(), failure: self.run_case(case).err() })
            .collect()
    }

    fn run_case(&self, case: &Case) -> Result<(), String> {
        let expected: Expected = serde_json::from_str(&case.expected_json)
            .map_err(|error| format!("the case cannot be read: {error}"))?;
        let input = DecodeInput {
            bytes: &case.input,
            received_at: expected.received_at,
            settings: &expected.settings,
        };
        match (self.decode(&input), &expected.error) {
            (Err(PluginError { failure: Failure::Refused(reason), .. }), Some(part))
                if reason.contains(part) =>
            {
                Ok(())
            }
            (Err(error), _) => Err(error.to_string()),
            (Ok(_), Some(part)) => Err(format!("should be refused with {part:?}")),
            (Ok(decoded), None) => expected.compare(&decoded),
        }
    }
}

impl Expected {
    fn compare(&self, decoded: &Decoded) -> Result<(), String> {
        if let Some(i) = first_difference(&self.measurements, &decoded.measurements, PartialEq::eq)
        {
            return Err(difference(
                "result",
                i,
                self.measurements.get(i),
                decoded.measurements.get(i),
            ));
        }
        if let Some(i) = first_difference(&self.problems, &decoded.problems, ExpectedProblem::fits)
        {
            return Err(difference("problem", i, self.problems.get(i), decoded.problems.get(i)));
        }
        if self.announced != decoded.announced {
            return Err(difference("announced", 0, self.announced, decoded.announced));
        }
        Ok(())
    }
}

impl ExpectedProblem {
    fn fits(&self, problem: &Problem) -> bool {
        (self.offset, self.length, &self.reason)
            == (problem.offset, problem.length, &problem.reason)
            && self.text.as_ref().is_none_or(|text| *text == problem.text)
    }
}

fn first_difference<A, B>(
    expected: &[A],
    given: &[B],
    same: impl Fn(&A, &B) -> bool,
) -> Option<usize> {
    let differs = |&i: &usize| match (expected.get(i), given.get(i)) {
        (Some(expected), Some(given)) => !same(expected, given),
        _ => true,
    };
    (0..expected.len().max(given.len())).find(differs)
}

fn difference(
    what: &str,
    index: usize,
    expected: impl std::fmt::Debug,
    given: impl std::fmt::Debug,
) -> String {
    format!("{what} {index}: expected {expected:?}, got {given:?}")
}

/// The failed cases in one line, `None` when all passed.
pub(crate) fn report(outcomes: &[CaseOutcome]) -> Option<String> {
    let failures = outcomes
        .iter()
        .filter_map(|outcome| Some(format!("{}: {}", outcome.name, outcome.failure.as_ref()?)));
    let failures: Vec<String> = failures.collect();
    (!failures.is_empty()).then(|| failures.join("; "))
}
