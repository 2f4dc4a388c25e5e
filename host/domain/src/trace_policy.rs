//! The county's rules for the chain of lots.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::state::{Entity, Entry, State, StateError, Table};

/// More than a fifth too much is no tolerance any more.
const TOLERANCE_PERMILLE_MAX: u32 = 200;

/// The rules in force; one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracePolicy {
    /// By how much what comes out of a step may exceed what went in, in thousandths; scales differ.
    pub balance_tolerance_permille: u32,
    /// A second person verifies quantitative results of institutions before they prove anything.
    #[serde(default = "yes")]
    pub verify_institution: bool,
    /// The same for operators' own tests.
    #[serde(default)]
    pub verify_own: bool,
}

fn yes() -> bool {
    true
}

impl Default for TracePolicy {
    fn default() -> Self {
        Self { balance_tolerance_permille: 0, verify_institution: true, verify_own: false }
    }
}

/// Key of the one record.
pub const TRACE_POLICY_ID: &str = "trace_policy";

impl TracePolicy {
    /// The rules in force.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of(state: &dyn State) -> Result<Self, StateError> {
        Ok(state.get::<Self>(TRACE_POLICY_ID)?.unwrap_or_default())
    }
}

impl Entity for TracePolicy {
    const TABLE: Table = Table("trace_policy");
    fn id(&self) -> &str {
        TRACE_POLICY_ID
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

/// Command: sets the rules for the chain of lots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetTracePolicy {
    /// Tolerance of the mass balance in thousandths, 0 to 200.
    pub balance_tolerance_permille: u32,
    /// A second person verifies quantitative results of institutions; yes, when not told.
    #[serde(default = "yes")]
    pub verify_institution: bool,
    /// The same for operators' own tests; no, when not told.
    #[serde(default)]
    pub verify_own: bool,
}

pub(crate) fn set(_: &mut Context<'_>, c: SetTracePolicy) -> Result<TracePolicy, DomainError> {
    let mut check = Check::new();
    let good = c.balance_tolerance_permille <= TOLERANCE_PERMILLE_MAX;
    check.ensure(good, "balance_tolerance_permille", "bad_tolerance");
    check.done()?;
    Ok(TracePolicy {
        balance_tolerance_permille: c.balance_tolerance_permille,
        verify_institution: c.verify_institution,
        verify_own: c.verify_own,
    })
}
