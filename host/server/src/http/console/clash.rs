//! Two people at one record: what it is now and what was about to be sent, side by side, to choose.
//!
//! A form that changes a record carries the version it was made from in the field `version`; when the
//! record moved meanwhile nothing is written and the page comes back with this.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::error::ConsoleError;
use super::form::Form;
use super::page::html;
use crate::app::{Conflict, Versions};
use crate::texts::t;

/// Name of the field.
const VERSION: &str = "version";

/// Both versions of a record.
pub struct Clash {
    /// Who changed what meanwhile.
    pub text: String,
    /// Values beside each other.
    pub sides: Vec<Side>,
    /// Where the form of the second choice goes.
    pub action: String,
    /// Its fields.
    pub fields: Vec<(String, String)>,
    /// Where the first choice leads: the record as it is.
    pub keep: String,
}

/// One value, as it is and as it was about to become.
pub struct Side {
    /// Label.
    pub label: String,
    /// As it is.
    pub theirs: String,
    /// As it was about to become.
    pub yours: String,
}

impl Side {
    /// `label` is a key of the catalogue; an empty value is said to be none.
    pub fn new(label: &str, theirs: impl Into<String>, yours: impl Into<String>) -> Self {
        let told = |value: String| match value.is_empty() {
            true => t("conflict.none").to_owned(),
            false => value,
        };
        let (theirs, yours) = (told(theirs.into()), told(yours.into()));
        Self { label: t(label).to_owned(), theirs, yours }
    }
}

impl Clash {
    /// The choice: `keep` is the record's page, `form` what was sent to `action`. Sent again it is
    /// based on the version that is shown now.
    pub fn new(
        conflict: &Conflict,
        form: &Form,
        keep: &str,
        action: &str,
        sides: Vec<Side>,
    ) -> Self {
        let ours = |name: &str| !matches!(name, "form_token" | "once" | VERSION);
        let mut fields: Vec<(String, String)> =
            form.values().filter(|(name, _)| ours(name)).cloned().collect();
        fields.push((VERSION.into(), conflict.actual.to_string()));
        let (keep, action) = (keep.to_owned(), action.to_owned());
        Self { text: conflict.detail(), sides, action, fields, keep }
    }
}

/// The versions a form was made from: that of `root`, when it says one.
pub fn seen(form: &Form, root: String) -> Versions {
    form.get(VERSION).parse().ok().map(|version| (root, version)).into_iter().collect()
}

/// A page that holds a [`Clash`], status 409.
pub fn clashed<T: Template>(template: &T) -> Result<Response, ConsoleError> {
    let mut response = html(template)?;
    *response.status_mut() = StatusCode::CONFLICT;
    Ok(response)
}
