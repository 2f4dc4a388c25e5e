//! Values of enumerations as people read them: in pages and in sheets.

use serde::Serialize;
use tianyin_domain::scan::SuspicionStatus;

use crate::texts;

/// A value of an enumeration that people read by a word of the catalogue.
pub trait Word: Serialize {
    /// Table of the catalogue.
    const SPACE: &'static str;

    /// The API word, such as `family_farm`.
    fn api_word(&self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(word)) => word,
            _ => String::new(),
        }
    }

    /// The word people read.
    fn word(&self) -> String {
        texts::t(&format!("{}.{}", Self::SPACE, self.api_word())).to_owned()
    }

    /// CSS class of the tag: `ok`, `bad`, `wait`, `info` or nothing.
    fn tone(&self) -> &'static str {
        match self.api_word().as_str() {
            "approved" | "pass" | "accepted" | "printed" | "valid" | "own" | "published"
            | "current" | "recovered" | "destroyed" | "cleared" | "reported" | "overturned"
            | "released" | "treated" | "shown" => "ok",
            "returned" | "suspended" | "fail" | "deny" | "dead" | "conflict" | "failed"
            | "void" | "held" | "revoked" | "over" | "ended" | "barred" | "upheld" | "fake" => {
                "bad"
            }
            "submitted" | "pending" | "quarantined" | "suspect" | "hold" | "queued"
            | "expiring" | "running" | "waiting" | "notified" | "sealed" | "taken" | "filed"
            | "ordered" | "printing" => "wait",
            "received" | "duplicate" | "invalid" | "commissioned" => "info",
            _ => "",
        }
    }
}

impl<T: Word> Word for &T {
    const SPACE: &'static str = T::SPACE;

    fn tone(&self) -> &'static str {
        (**self).tone()
    }
}

impl Word for SuspicionStatus {
    const SPACE: &'static str = "suspicion_status";

    /// An open lot is as it should be, an open suspicion is not.
    fn tone(&self) -> &'static str {
        match self {
            Self::Open => "wait",
            Self::Copied => "bad",
            Self::Cleared => "ok",
        }
    }
}

macro_rules! words {
    ($($kind:ty => $space:literal),* $(,)?) => {
        $(impl Word for $kind { const SPACE: &'static str = $space; })*
    };
}

words! {
    tianyin_domain::Role => "role",
    tianyin_domain::access::AccessKind => "access_kind",
    tianyin_domain::agency::AgencyKind => "agency_kind",
    tianyin_domain::Verdict => "verdict",
    tianyin_domain::policy::PasswordPreset => "password_preset",
    tianyin_domain::token::TokenGroup => "token_group",
    tianyin_domain::operator::OperatorKind => "operator_kind",
    tianyin_domain::operator::OperatorStatus => "operator_status",
    tianyin_domain::document::DocumentKind => "document_kind",
    tianyin_domain::product::ProductClass => "product_class",
    tianyin_domain::product::Industry => "industry",
    tianyin_domain::site::SiteKind => "site_kind",
    tianyin_domain::brand::BrandKind => "brand_kind",
    tianyin_domain::certification::Standing => "standing",
    tianyin_domain::id_card::IdCardStatus => "id_card_status",
    tianyin_rules::tables::ProductMark => "product_mark",
    tianyin_domain::input::InputKind => "input_kind",
    crate::app::catalogue::InputState => "input_state",
    tianyin_domain::activity::ActivityKind => "activity_kind",
    tianyin_domain::lot::LotStatus => "lot_status",
    tianyin_domain::step::StepKind => "step_kind",
    tianyin_domain::hold::HoldKind => "hold_kind",
    tianyin_domain::sampling::Purpose => "sampling_purpose",
    tianyin_domain::sampling::Level => "sampling_level",
    tianyin_domain::sampling::SamplingStatus => "sampling_status",
    tianyin_domain::objection::ObjectionStatus => "objection_status",
    tianyin_domain::positive::Outcome => "outcome",
    tianyin_domain::recall::RecallStatus => "recall_status",
    tianyin_domain::recall::Disposal => "disposal",
    tianyin_domain::device::DeviceKind => "device_kind",
    tianyin_domain::device::DeviceStatus => "device_status",
    tianyin_domain::message::MessageKind => "message_kind",
    tianyin_domain::message::MessageStatus => "message_status",
    tianyin_domain::test::TestVerdict => "test_verdict",
    tianyin_domain::test::MatchedBy => "matched_by",
    tianyin_domain::test::ConductedBy => "conducted_by",
    tianyin_domain::measurement::Method => "method",
    tianyin_domain::measurement::DeviceVerdict => "device_verdict",
    tianyin_domain::certificate::Basis => "basis",
    tianyin_domain::collection::ProofKind => "proof_kind",
    tianyin_domain::certificate::CertificateStatus => "certificate_status",
    tianyin_domain::print_job::PrintStatus => "print_status",
    tianyin_domain::pack::PackKind => "pack_kind",
    tianyin_domain::span::SpanState => "span_state",
    tianyin_domain::label_template::LabelSize => "label_size",
    tianyin_domain::label_template::LabelField => "label_field",
    tianyin_domain::label_template::BarcodeKind => "barcode_kind",
    tianyin_domain::feedback::FeedbackKind => "feedback_kind",
    tianyin_domain::feedback::FeedbackStatus => "feedback_status",
    tianyin_domain::scan::SuspicionCause => "suspicion_cause",
}
