//! What the page of a code warns of: scans that look as if its label had been copied. Then the certificate may
//! stand as it does, but what carries the code may not be what it certifies, so the verdict says that first.

use serde::Serialize;
use tianyin_domain::code::Code;
use tianyin_domain::scan::{SuspicionCause, SuspicionStatus};
use tianyin_domain::scan_policy::ScanPolicy;

use super::view::Standing;
use crate::texts::{Lang, t_in, tf_in};

/// How sure it is that a label was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Warned {
    /// It was scanned in too many cities or too often, and nobody looked at it yet: fairs, live streams and
    /// wholesale do that, too.
    Suspected,
    /// The county found that it was.
    Copied,
}

impl Warned {
    /// What is to be said of a code; `None` when there is nothing to warn of, or the county does not want it
    /// yet.
    pub(super) fn of(policy: &ScanPolicy, code: &Code) -> Option<Self> {
        match code.suspicion.as_ref()?.status {
            SuspicionStatus::Copied => Some(Self::Copied),
            SuspicionStatus::Open => policy.warn.then_some(Self::Suspected),
            SuspicionStatus::Cleared => None,
        }
    }
}

/// A warning above everything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WarningView {
    /// How sure it is.
    pub code: Warned,
    /// In words.
    pub text: String,
}

impl WarningView {
    /// The warning of a code, if there is one.
    pub fn of(policy: &ScanPolicy, code: &Code, lang: Lang) -> Option<Self> {
        let warned = Warned::of(policy, code)?;
        let text = match (warned, code.suspicion.as_ref()?.cause) {
            (Warned::Copied, _) => t_in(lang, "public.copied").to_owned(),
            (Warned::Suspected, cause) => {
                let why = match cause {
                    // Cities only become more: what was true when the page was made stays so.
                    SuspicionCause::Cities => {
                        let count = code.areas.len().to_string();
                        tf_in(lang, "public.suspected_cities", [("count", count.as_str())])
                    }
                    SuspicionCause::Rate => t_in(lang, "public.suspected_rate").to_owned(),
                };
                tf_in(lang, "public.suspected", [("why", why.as_str())])
            }
        };
        Some(Self { code: warned, text })
    }
}

/// What is said of a code before everything else, in big letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The certificate stands, and nothing speaks against the label.
    Valid,
    /// The certificate stands; the label may be a copy.
    Suspected,
    /// The lot must not be sold.
    Held,
    /// The label was copied.
    Copied,
    /// The certificate was voided.
    Void,
}

impl Verdict {
    /// What is certain goes before what is suspected, and what nobody may trust before what some may.
    pub(super) fn of(standing: Standing, warned: Option<Warned>) -> Self {
        match (standing, warned) {
            (Standing::Void, _) => Self::Void,
            (_, Some(Warned::Copied)) => Self::Copied,
            (Standing::Held, _) => Self::Held,
            (Standing::Valid, Some(Warned::Suspected)) => Self::Suspected,
            (Standing::Valid, None) => Self::Valid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_goes_before_what_is_suspected() {
        let (suspected, copied) = (Some(Warned::Suspected), Some(Warned::Copied));
        for (standing, warned, verdict) in [
            (Standing::Valid, None, Verdict::Valid),
            (Standing::Valid, suspected, Verdict::Suspected),
            (Standing::Valid, copied, Verdict::Copied),
            (Standing::Held, None, Verdict::Held),
            (Standing::Held, suspected, Verdict::Held),
            (Standing::Held, copied, Verdict::Copied),
            (Standing::Void, None, Verdict::Void),
            (Standing::Void, suspected, Verdict::Void),
            (Standing::Void, copied, Verdict::Void),
        ] {
            assert_eq!(Verdict::of(standing, warned), verdict, "{standing:?} {warned:?}");
        }
    }
}
