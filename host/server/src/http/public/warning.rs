//! What the page of a code warns of: scans that look as if its label had been copied.

use serde::Serialize;
use tianyin_domain::code::Code;
use tianyin_domain::scan::{SuspicionCause, SuspicionStatus};
use tianyin_domain::scan_policy::ScanPolicy;

use crate::texts::{Lang, t_in, tf_in};

/// A warning above everything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WarningView {
    /// `suspected`, while nobody looked at it, or `copied`.
    pub code: &'static str,
    /// In words.
    pub text: String,
}

impl WarningView {
    /// The warning of a code; `None` when there is nothing to warn of, or the county does not want it yet.
    pub fn of(policy: &ScanPolicy, code: &Code, lang: Lang) -> Option<Self> {
        let suspicion = code.suspicion.as_ref()?;
        match (suspicion.status, suspicion.cause) {
            (SuspicionStatus::Copied, _) => {
                Some(Self { code: "copied", text: t_in(lang, "public.copied").to_owned() })
            }
            (SuspicionStatus::Open, cause) if policy.warn => {
                let why = match cause {
                    // Cities only become more: what was true when the page was made stays so.
                    SuspicionCause::Cities => {
                        let count = code.areas.len().to_string();
                        tf_in(lang, "public.suspected_cities", [("count", count.as_str())])
                    }
                    SuspicionCause::Rate => t_in(lang, "public.suspected_rate").to_owned(),
                };
                let text = tf_in(lang, "public.suspected", [("why", why.as_str())]);
                Some(Self { code: "suspected", text })
            }
            (SuspicionStatus::Open | SuspicionStatus::Cleared, _) => None,
        }
    }

    /// Whether it is certain.
    pub fn is_certain(&self) -> bool {
        self.code == "copied"
    }
}
