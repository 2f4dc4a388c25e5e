//! A route with its description.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use serde_json::Value;
use tianyin_domain::Entity;
use tianyin_domain::command::Outcome;

use super::request::{Caller, Parameter};
use super::schema::{Described, Schema};
use super::{Answer, BASE};
use crate::app::App;
use crate::http::Problem;

/// A method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Makes or does.
    Post,
    /// Sets.
    Put,
    /// Ends.
    Delete,
}

/// What a route answers when all is well.
#[derive(Debug, Clone, Copy)]
pub enum Good {
    /// 200 with one object.
    Object(&'static Schema),
    /// 201 with what was made, or 200 with it when the request was a repeated one.
    Made(&'static Schema),
    /// 200 with a page of a list.
    Page(&'static Schema),
    /// 200 with a file of this media type.
    File(&'static str),
    /// 204.
    Nothing,
}

/// A route of the API.
pub struct Route {
    /// Method.
    pub verb: Verb,
    /// Path below `/api/v1`.
    pub path: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// Answer when all is well.
    pub good: Good,
    /// Parameters of the query.
    pub query: Vec<Parameter>,
    /// Body.
    pub body: Option<Schema>,
    /// Media types of a raw body.
    pub raw: &'static [&'static str],
    /// Whether it answers or takes the version of a record.
    pub versioned: bool,
    /// Whether it refuses what it is asked for, though that is well formed and no body.
    pub judged: bool,
    /// Whether it is for everybody.
    pub open: bool,
    /// What serves it.
    pub handler: MethodRouter<Arc<App>>,
}

impl Route {
    fn new(
        verb: Verb,
        path: &'static str,
        summary: &'static str,
        good: Good,
        handler: MethodRouter<Arc<App>>,
    ) -> Self {
        let (query, body, raw) = (Vec::new(), None, &[][..]);
        let (versioned, judged, open) = (false, false, false);
        Self { verb, path, summary, good, query, body, raw, versioned, judged, open, handler }
    }

    /// A `GET`; `handler` must be made with `axum::routing::get`.
    pub fn get(
        path: &'static str,
        summary: &'static str,
        good: Good,
        handler: MethodRouter<Arc<App>>,
    ) -> Self {
        Self::new(Verb::Get, path, summary, good, handler)
    }

    /// A `POST`.
    pub fn post(
        path: &'static str,
        summary: &'static str,
        good: Good,
        handler: MethodRouter<Arc<App>>,
    ) -> Self {
        Self::new(Verb::Post, path, summary, good, handler)
    }

    /// A `PUT`.
    pub fn put(
        path: &'static str,
        summary: &'static str,
        good: Good,
        handler: MethodRouter<Arc<App>>,
    ) -> Self {
        Self::new(Verb::Put, path, summary, good, handler)
    }

    /// A `DELETE`.
    pub fn delete(
        path: &'static str,
        summary: &'static str,
        good: Good,
        handler: MethodRouter<Arc<App>>,
    ) -> Self {
        Self::new(Verb::Delete, path, summary, good, handler)
    }

    /// Takes a body of the type's shape.
    pub fn body<T: Described>(mut self) -> Self {
        self.body = Some(T::SCHEMA);
        self
    }

    /// Takes a raw body of one of these media types.
    pub fn raw(mut self, media: &'static [&'static str]) -> Self {
        self.raw = media;
        self
    }

    /// Takes parameters.
    pub fn query(mut self, groups: &[&[Parameter]]) -> Self {
        self.query = groups.iter().flat_map(|group| group.iter().copied()).collect();
        self
    }

    /// Answers the record's version as `ETag`, or takes it as `If-Match`.
    pub fn versioned(mut self) -> Self {
        self.versioned = true;
        self
    }

    /// Refuses parameters that are well formed, with 422 and the reason, or 409 for how the record stands.
    pub fn refuses_values(mut self) -> Self {
        self.judged = true;
        self
    }

    /// Needs no token.
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Names of the parameters in the path.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

/// A record as the API shows it.
pub trait Shown: Entity {
    /// Its shape.
    const SCHEMA: &'static Schema;
    /// Where its list is, such as `/lots`; empty when single records have no address.
    const PATH: &'static str;
}

/// The part of a record that goes out.
pub fn show<E: Shown>(record: &E) -> Result<Value, Problem> {
    Ok(E::SCHEMA.show(&serde_json::to_value(record).map_err(Problem::internal)?))
}

/// One record in the caller's sight.
pub fn one<E: Shown>(app: &App, caller: &Caller, id: &str) -> Result<E, Problem> {
    app.store.get_scoped(id, &caller.scope())?.ok_or_else(Problem::not_found)
}

/// One record as an answer.
pub fn shown<E: Shown>(app: &App, caller: &Caller, id: &str) -> Answer {
    Ok(Json(show(&one::<E>(app, caller, id)?)?).into_response())
}

/// The same with the version of its root as `ETag`, for a later `If-Match`.
pub fn shown_version<E: Shown>(app: &App, caller: &Caller, id: &str) -> Answer {
    let root = format!("{}/{id}", E::TABLE.0);
    versioned_value(app, &root, || show(&one::<E>(app, caller, id)?))
}

/// What `read` finds, with the version of a root as `ETag`.
pub fn versioned_value(
    app: &App,
    root: &str,
    read: impl FnOnce() -> Result<Value, Problem>,
) -> Answer {
    // Read before the record: a change in between makes the version too old, never too new.
    let version = app.store.version(root)?;
    let mut response = Json(read()?).into_response();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// The record that a command made: 201, or 200 when the same request was made before.
pub fn made<E: Shown>(app: &App, caller: &Caller, outcome: &Outcome) -> Answer {
    let record = one::<E>(app, caller, &outcome.id).and_then(|record| show(&record));
    let record = record.map_err(|problem| problem.after(outcome))?;
    Ok(made_value::<E>(outcome, record))
}

/// The same with a value composed by the caller.
pub fn made_value<E: Shown>(outcome: &Outcome, record: Value) -> Response {
    let status = if outcome.written { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, Json(record)).into_response();
    let address = format!("{BASE}{}/{}", E::PATH, outcome.id);
    if let Ok(address) = HeaderValue::try_from(address) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    response
}
