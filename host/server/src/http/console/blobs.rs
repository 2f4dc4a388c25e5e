//! Photos for the console's pages: the form's script uploads them one by one, pages show them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tianyin_domain::attachment::Attachment;

use super::error::Answer;
use super::form::Form;
use super::session::Signed;
use crate::app::{App, AppError};
use crate::http::{ClientAddr, Problem, blobs};

/// Name of the form's hidden fields, one per attachment.
const FIELD: &str = "attachment";

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/blobs", post(upload)).route("/blobs/{hash}", get(file))
}

/// Answers the script: the blob as JSON, or a problem with its sentence.
async fn upload(
    State(app): State<Arc<App>>,
    signed: Signed,
    client: ClientAddr,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let received = if text("x-form-token") == signed.session.form_token {
        blobs::receive(&app, signed.actor(), client.0, &headers, body).await
    } else {
        Err(Problem::from(AppError::refused("cross_site")))
    };
    match received {
        Ok(blob) => Json(json!({ "hash": blob.hash, "kind": blob.kind, "bytes": blob.bytes }))
            .into_response(),
        Err(problem) => {
            if let Some(cause) = &problem.cause {
                tracing::error!(
                    id = text("x-request-id"),
                    code = problem.code,
                    cause,
                    "upload failed"
                );
            }
            problem.to_json(text("x-request-id"))
        }
    }
}

async fn file(State(app): State<Arc<App>>, signed: Signed, Path(hash): Path<String>) -> Answer {
    Ok(blobs::send(&app, signed.actor(), hash).await?)
}

/// What the form's script put into hidden fields. A field that is not understood is an error.
pub fn attachments_of(form: &mut Form) -> Vec<Attachment> {
    let read: Result<Vec<Attachment>, _> = form.all(FIELD).map(serde_json::from_str).collect();
    read.unwrap_or_else(|_| {
        form.bad("attachments", "file_not_uploaded");
        Vec::new()
    })
}

/// Fields of a form that begins with these attachments.
pub fn fields_of(list: &[Attachment]) -> impl Iterator<Item = (String, String)> + '_ {
    let text = |one: &Attachment| serde_json::to_string(one).unwrap_or_default();
    list.iter().map(move |one| (FIELD.to_owned(), text(one)))
}

/// An attachment that waits in a form that came back.
pub struct Waiting {
    /// The attachment.
    pub attachment: Attachment,
    /// The hidden field's value.
    pub value: String,
}

/// The attachments of a form, to be drawn again.
pub fn waiting(form: &Form) -> Vec<Waiting> {
    let read = |value: &str| {
        let attachment = serde_json::from_str(value).ok()?;
        Some(Waiting { attachment, value: value.to_owned() })
    };
    form.all(FIELD).filter_map(read).collect()
}

/// Faults of single attachments belong to the one control that the form has for them.
pub fn gather_faults(error: AppError) -> AppError {
    use tianyin_domain::DomainError;
    match error {
        AppError::Domain(DomainError::Invalid(mut fields)) => {
            for field in &mut fields {
                if field.field.starts_with("attachments[") {
                    field.field = "attachments".into();
                }
            }
            AppError::Domain(DomainError::Invalid(fields))
        }
        other => other,
    }
}
