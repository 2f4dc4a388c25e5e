//! The county's rules for what scans of a code tell: from when on they are suspicious, and what everybody
//! reads on the page.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::code::Code;
use crate::decide::Context;
use crate::error::DomainError;
use crate::scan::{AREAS_MAX, SuspicionCause};
use crate::state::{Entity, Entry, State, StateError, Table};

/// The rules in force; one record. It is the payload of its command and its event, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanPolicy {
    /// Scanned in so many cities a code is suspected to be copied; 0 = never.
    pub cities: u32,
    /// Scanned so often in one day; 0 = never.
    pub day_scans: u64,
    /// The page warns while a suspicion is open; of a code that was found to be copied it always does.
    pub warn: bool,
    /// The page tells why a certificate is void; otherwise only that it is.
    pub void_reason: bool,
}

impl Default for ScanPolicy {
    fn default() -> Self {
        Self { cities: 3, day_scans: 200, warn: true, void_reason: true }
    }
}

/// Key of the one record.
pub const SCAN_POLICY_ID: &str = "scan_policy";

impl ScanPolicy {
    /// The rules in force.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of(state: &dyn State) -> Result<Self, StateError> {
        Ok(state.get::<Self>(SCAN_POLICY_ID)?.unwrap_or_default())
    }

    /// Why a code is suspicious by its scans.
    pub fn cause(&self, code: &Code) -> Option<SuspicionCause> {
        let cities = u32::try_from(code.areas.len()).unwrap_or(u32::MAX);
        if self.cities > 0 && cities >= self.cities {
            return Some(SuspicionCause::Cities);
        }
        let today = code.day.as_ref().map_or(0, |day| day.count);
        (self.day_scans > 0 && today >= self.day_scans).then_some(SuspicionCause::Rate)
    }
}

impl Entity for ScanPolicy {
    const TABLE: Table = Table("scan_policy");
    fn id(&self) -> &str {
        SCAN_POLICY_ID
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

pub(crate) fn set(_: &mut Context<'_>, c: ScanPolicy) -> Result<ScanPolicy, DomainError> {
    let most = u32::try_from(AREAS_MAX).unwrap_or(u32::MAX);
    let mut check = Check::new();
    check.ensure(c.cities != 1 && c.cities <= most, "cities", "bad_scan_limit").ensure(
        c.day_scans <= 1_000_000_000,
        "day_scans",
        "bad_scan_limit",
    );
    check.done()?;
    Ok(c)
}
