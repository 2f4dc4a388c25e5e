//! Errors as RFC 9457 `application/problem+json`; the frame turns them into a page for browsers
//! outside the API and fills in the request id.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tianyin_domain::command::Outcome;
use tianyin_domain::{DomainError, Finding, Verdict};
use tianyin_store::StoreError;

use crate::app::{AppError, Conflict, field_text};
use crate::texts::{has, t, tf};

/// Media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What stands for the request id until the frame knows it.
const REQUEST_ID: &str = "{request_id}";

/// One bad field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// The field as the API names it.
    pub field: String,
    /// Stable code.
    pub code: String,
    /// Chinese sentence.
    pub detail: String,
}

impl FieldProblem {
    /// A bad field with a code of the catalogue and the values of its message.
    pub fn new(field: &str, code: &str, params: &[(&str, &str)]) -> Self {
        let detail = tf(&format!("field.{code}"), params.iter().copied());
        Self { field: field.into(), code: code.into(), detail }
    }
}

/// An error as a client sees it.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Status.
    pub status: StatusCode,
    /// Stable code, snake_case.
    pub code: &'static str,
    /// Chinese sentence that says what to do.
    pub detail: String,
    /// Bad fields, every one.
    pub errors: Vec<FieldProblem>,
    /// What the rule said, when a rule refused.
    pub findings: Box<[Finding]>,
    /// Which record changed meanwhile, and how.
    pub conflict: Option<Box<Conflict>>,
    /// Seconds to wait before the next try.
    pub retry_after_s: Option<u32>,
    /// What happened inside; logged once, never shown.
    pub cause: Option<Box<str>>,
}

impl Problem {
    /// A problem whose sentence is `error.{code}` of the catalogue.
    pub fn new(status: StatusCode, code: &'static str) -> Self {
        let detail = t(&format!("error.{code}")).to_owned();
        Self {
            status,
            code,
            detail,
            errors: Vec::new(),
            findings: Box::default(),
            conflict: None,
            retry_after_s: None,
            cause: None,
        }
    }

    /// The same once a command is done: that the store cannot be read to show what it did must not
    /// make its caller do it again.
    pub fn after(self, outcome: &Outcome) -> Self {
        if self.code != "store_unreadable" {
            return self;
        }
        Self { cause: self.cause, ..AppError::Recorded(outcome.clone()).into() }
    }

    /// The same with values for the sentence.
    pub fn with(status: StatusCode, code: &'static str, params: &[(&str, &str)]) -> Self {
        let detail = tf(&format!("error.{code}"), params.iter().copied());
        Self { detail, ..Self::new(status, code) }
    }

    /// Bad fields of a request that was understood as such.
    pub fn fields(errors: Vec<FieldProblem>) -> Self {
        let count = errors.len().to_string();
        let params = [("count", count.as_str())];
        Self { errors, ..Self::with(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", &params) }
    }

    /// One bad field.
    pub fn field(field: &str, code: &str) -> Self {
        Self::fields(vec![FieldProblem::new(field, code, &[])])
    }

    /// The record does not exist or is out of sight.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found")
    }

    /// Nobody is signed in.
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated")
    }

    /// The role does not allow it.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden")
    }

    /// Something that should not happen; `cause` goes to the log.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let cause = Some(cause.to_string().into());
        Self { cause, ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal") }
    }

    /// What a bare status of the framework means; `None` for those that are no error.
    pub fn of_status(status: StatusCode) -> Option<Self> {
        let code = match status.as_u16() {
            404 => "no_such_page",
            405 => "method_not_allowed",
            408 | 504 => "timeout",
            413 => "body_too_large",
            415 => "unsupported_media",
            400..=499 => "bad_request",
            500..=599 => "internal",
            _ => return None,
        };
        let max = format!("{} KiB", super::BODY_BYTES_MAX / 1024);
        Some(Self::with(status, code, &[("max", max.as_str()), ("detail", "")]))
    }

    /// Short title of the kind of problem.
    pub fn title(&self) -> String {
        let key = format!("problem.{}", self.status.as_u16());
        t(if has(&key) { &key } else { "problem.other" }).to_owned()
    }

    /// Sets the request id where the sentence names it.
    pub(super) fn set_request_id(&mut self, id: &str) {
        if self.detail.contains(REQUEST_ID) {
            self.detail = self.detail.replace(REQUEST_ID, id);
        }
    }

    /// The JSON answer.
    pub(super) fn to_json(&self, request_id: &str) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(rename = "type")]
            kind: String,
            title: String,
            status: u16,
            code: &'a str,
            detail: &'a str,
            request_id: &'a str,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'a [FieldProblem],
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            findings: &'a [Finding],
            // `root`, `expected`, `actual`, `change`
            #[serde(flatten)]
            conflict: Option<&'a Conflict>,
        }
        let body = Body {
            kind: format!("urn:tianyin:problem:{}", self.code),
            title: self.title(),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            request_id,
            errors: &self.errors,
            findings: &self.findings,
            conflict: self.conflict.as_deref(),
        };
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status, bytes).into_response();
        let json = HeaderValue::from_static(PROBLEM_JSON);
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        self.set_headers(&mut response);
        response
    }

    /// Headers that belong to the problem, whatever its form.
    pub(super) fn set_headers(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }
}

impl IntoResponse for Problem {
    /// Bare; the frame writes the body, as JSON or as a page.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        let mut problem = Self::new(status_of(&error), error.code());
        problem.detail = error.detail();
        problem.errors = error
            .fields()
            .iter()
            .map(|f| FieldProblem {
                field: f.field.clone(),
                code: f.code.clone(),
                detail: field_text(f),
            })
            .collect();
        match error {
            AppError::Domain(DomainError::RuleRefused(judgement)) => {
                let against = judgement.findings.into_iter().filter(|f| f.verdict != Verdict::Pass);
                problem.findings = against.collect();
            }
            AppError::Domain(DomainError::Conflict { root, expected, actual }) => {
                problem.conflict =
                    Some(Box::new(Conflict { root, expected, actual, change: None }));
            }
            AppError::Conflict(conflict) => problem.conflict = Some(conflict),
            AppError::Domain(DomainError::State(e)) => problem.cause = Some(e.to_string().into()),
            AppError::Internal(e) => problem.cause = Some(format!("{e:#}").into()),
            AppError::Overloaded => problem.retry_after_s = Some(1),
            AppError::Refused { code: "throttled", params } => {
                let seconds = params.iter().find(|(k, _)| *k == "seconds");
                problem.retry_after_s = seconds.and_then(|(_, v)| v.parse().ok());
            }
            _ => {}
        }
        problem
    }
}

fn status_of(error: &AppError) -> StatusCode {
    match error {
        AppError::Domain(e) => match e {
            DomainError::Invalid(_) | DomainError::RuleRefused(_) | DomainError::KeyReused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            DomainError::NotFound { .. } => StatusCode::NOT_FOUND,
            DomainError::Forbidden { .. }
            | DomainError::Refused { code: "outside_token_scope", .. } => StatusCode::FORBIDDEN,
            DomainError::Refused { .. } | DomainError::Conflict { .. } => StatusCode::CONFLICT,
            DomainError::State(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
        AppError::Conflict(_) => StatusCode::CONFLICT,
        AppError::ReadOnly(_) | AppError::Recorded(_) | AppError::Overloaded => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        AppError::Refused { code, .. } => match *code {
            "wrong_password"
            | "wrong_pin"
            | "unauthenticated"
            | "session_expired"
            | "totp_required"
            | "wrong_code"
            | "initial_password_over" => StatusCode::UNAUTHORIZED,
            "bad_setup_token"
            | "cross_site"
            | "password_change_due"
            | "totp_enrolment_due"
            | "outside_token_scope" => StatusCode::FORBIDDEN,
            "throttled" | "rate_limited" => StatusCode::TOO_MANY_REQUESTS,
            "not_set_up" | "no_space" | "secret_damaged" | "clock_before_build"
            | "clock_behind" | "clock_ahead" => StatusCode::SERVICE_UNAVAILABLE,
            "bad_cursor" | "blob_empty" => StatusCode::BAD_REQUEST,
            "blob_kind" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "blob_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            "blob_too_many" => StatusCode::TOO_MANY_REQUESTS,
            "codes_out_of_pack" | "codes_of_cancelled" | "codes_spoilt" | "too_many_codes"
            | "sheet_labels" | "sheet_skip" => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::CONFLICT,
        },
        AppError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<DomainError> for Problem {
    fn from(error: DomainError) -> Self {
        AppError::Domain(error).into()
    }
}

impl From<tianyin_domain::StateError> for Problem {
    fn from(error: tianyin_domain::StateError) -> Self {
        AppError::from(error).into()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::BadCursor => Self::new(StatusCode::BAD_REQUEST, "bad_cursor"),
            other => Self {
                cause: Some(other.to_string().into()),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unreadable")
            },
        }
    }
}

/// The answer to every address that is not served.
pub async fn no_such_page() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_page")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tianyin_domain::FieldError;

    fn of(error: AppError) -> (u16, &'static str) {
        let problem = Problem::from(error);
        (problem.status.as_u16(), problem.code)
    }

    #[test]
    fn every_refusal_has_its_status() {
        let not_found = DomainError::NotFound { noun: "lot", id: "x".into() };
        assert_eq!(of(not_found.into()), (404, "not_found"));
        assert_eq!(of(DomainError::Forbidden { action: "x" }.into()), (403, "forbidden"));
        assert_eq!(of(DomainError::field("name", "required").into()), (422, "invalid_fields"));
        assert_eq!(of(DomainError::refused("lot_held", &[]).into()), (409, "lot_held"));
        assert_eq!(of(DomainError::KeyReused.into()), (422, "idempotency_key_reused"));
        assert_eq!(of(AppError::refused("wrong_password")), (401, "wrong_password"));
        assert_eq!(of(AppError::ReadOnly("disk".into())), (503, "read_only"));
        assert_eq!(of(AppError::Overloaded), (503, "overloaded"));
        assert_eq!(of(AppError::Internal(anyhow::anyhow!("x"))), (500, "internal"));
    }

    #[test]
    fn every_bad_field_has_a_sentence() {
        let params = [("max".to_owned(), "64".to_owned())].into();
        let field = FieldError { field: "name".into(), code: "too_long".into(), params };
        let problem = Problem::from(AppError::from(DomainError::Invalid(vec![field])));
        assert_eq!(problem.errors.len(), 1);
        assert!(problem.errors[0].detail.contains("64"), "{:?}", problem.errors);
        assert!(!problem.detail.contains('{'), "{}", problem.detail);
    }

    #[test]
    fn waiting_is_told() {
        let throttled = AppError::refused_with("throttled", vec![("seconds", "7".into())]);
        let problem = Problem::from(throttled);
        assert_eq!((problem.status.as_u16(), problem.retry_after_s), (429, Some(7)));
    }

    #[test]
    fn a_conflict_names_both_versions() {
        let root = "lot/lot_1".to_owned();
        let moved = DomainError::Conflict { root, expected: 4, actual: 9 };
        let problem = Problem::from(AppError::from(moved));
        assert_eq!((problem.status.as_u16(), problem.code), (409, "version_conflict"));
        let conflict = problem.conflict.as_deref().map(|c| (c.root.as_str(), c.expected, c.actual));
        assert_eq!(conflict, Some(("lot/lot_1", 4, 9)));
    }

    #[test]
    fn causes_stay_inside() {
        let problem = Problem::from(AppError::Internal(anyhow::anyhow!("password of root")));
        assert!(!problem.detail.contains("root"));
        assert_eq!(problem.cause.as_deref(), Some("password of root"));
    }

    #[test]
    fn every_code_used_here_has_a_text() {
        let codes = [
            "no_such_page",
            "method_not_allowed",
            "timeout",
            "body_too_large",
            "unsupported_media",
            "bad_request",
            "internal",
            "bad_cursor",
            "store_unreadable",
            "cross_site",
            "rate_limited",
            "bad_json",
            "bad_query",
            "bad_idempotency_key",
            "bad_if_match",
            "session_expired",
            "not_set_up",
            "unauthenticated",
            "forbidden",
            "not_found",
        ];
        for code in codes {
            assert!(has(&format!("error.{code}")), "{code}");
        }
        let fields = [
            "required",
            "unknown_field",
            "wrong_type",
            "bad_value",
            "unknown_parameter",
            "bad_limit",
            "bad_sheet_dpi",
            "no_such_lot",
        ];
        for code in fields {
            assert!(has(&format!("field.{code}")), "{code}");
        }
    }
}
