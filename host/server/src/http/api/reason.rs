//! A body that says nothing but why.

use serde::Deserialize;

use super::schema::Kind::Text;
use super::schema::{Described, Schema, req};
use super::shapes::shape;

/// Why something is ended, closed or withdrawn.
#[derive(Deserialize)]
pub(super) struct Reason {
    /// Reason, for people.
    pub reason: String,
}

impl Described for Reason {
    const SCHEMA: Schema =
        shape!("Reason", "Why.", [req("reason", Text, "Reason, at most 128 characters.")]);
}
