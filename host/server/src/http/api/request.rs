//! What a request brings: who asks, the checked body, the checked query, the idempotency key.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use tianyin_domain::authorise::may;
use tianyin_domain::command::CommandKind;
use tianyin_domain::token::TokenGroup;
use tianyin_domain::{Actor, Role, Scope};

use super::schema::{Described, Kind};
use crate::app::accounts::Session;
use crate::app::{App, Versions, tokens};
use crate::http::problem::FieldProblem;
use crate::http::{ClientAddr, Problem};

/// Parameters in one query.
const PARAMETERS_MAX: usize = 32;

/// A signed-in client, or a program with an API token, by `Authorization: Bearer`. Cookies do not count here, so that no other site
/// can use a browser's session.
pub struct Caller {
    /// The session.
    pub session: Session,
    /// Its token.
    pub token: String,
}

impl Caller {
    /// The same with the sight as it is after a write of its own.
    pub fn renewed(mut self, app: &App) -> Self {
        if let Some(session) = app.session(&self.token) {
            self.session = session;
        }
        self
    }

    /// Who acts.
    pub fn actor(&self) -> &Actor {
        &self.session.actor
    }

    /// What may be seen.
    pub fn scope(&self) -> Scope {
        self.session.actor.scope()
    }

    /// Whether people like this one give such a command.
    pub fn may(&self, command: CommandKind) -> bool {
        let user = &self.session.user;
        may(user.role, user.office, command)
    }

    /// Refuses whoever does not give such a command.
    pub fn allowed(&self, command: CommandKind) -> Result<(), Problem> {
        if self.may(command) { Ok(()) } else { Err(Problem::forbidden()) }
    }

    /// The operator a producer acts for.
    pub fn own_operator(&self) -> Option<&str> {
        let user = &self.session.user;
        user.operator.as_deref().filter(|_| user.role == Role::Producer)
    }

    /// Refuses everybody but the county's administrator.
    pub fn administrator_only(&self) -> Result<(), Problem> {
        match self.session.user.is_county_administrator() {
            true => Ok(()),
            false => Err(Problem::forbidden()),
        }
    }

    /// Refuses everybody who allocates no accounts.
    pub fn allocators_only(&self) -> Result<(), Problem> {
        match self.session.user.role {
            Role::Administrator => Ok(()),
            Role::Clerk | Role::Officer | Role::Producer => Err(Problem::forbidden()),
        }
    }

    /// Refuses producers.
    pub fn staff_only(&self) -> Result<(), Problem> {
        match self.session.user.role {
            Role::Administrator | Role::Clerk | Role::Officer => Ok(()),
            Role::Producer => Err(Problem::forbidden()),
        }
    }
}

/// API tokens: what they may do, the domain decides for every command; here it is decided for the rest.
impl Caller {
    async fn of_token(parts: &mut Parts, app: &Arc<App>, token: String) -> Result<Self, Problem> {
        let Ok(address) = ClientAddr::from_request_parts(parts, app).await;
        let ended = || Problem::new(StatusCode::UNAUTHORIZED, "token_ended");
        let session = app.token_session(&token, address.0)?.ok_or_else(ended)?;
        let caller = Self { session, token };
        if !parts.method.is_safe() {
            caller.any_group(&TokenGroup::ALL)?;
        }
        Ok(caller)
    }

    /// Refuses a token that has none of these groups.
    pub fn any_group(&self, groups: &[TokenGroup]) -> Result<(), Problem> {
        match self.actor() {
            Actor::User { token: Some(via), .. }
                if !groups.iter().any(|group| via.groups.contains(group)) =>
            {
                Err(Problem::new(StatusCode::FORBIDDEN, "outside_token_scope"))
            }
            _ => Ok(()),
        }
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or_else(Problem::unauthenticated)?.to_owned();
        if token.starts_with(tokens::PREFIX) {
            return Self::of_token(parts, app, token).await;
        }
        let session = app
            .session(&token)
            .ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "session_expired"))?;
        Ok(Self { session, token })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// A JSON body, checked against the type's shape.
pub struct Body<T>(pub T);

impl<T: Described> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media"));
        }
        let bytes = Bytes::from_request(request, app).await.map_err(unread)?;
        read_json(&bytes).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn unread(rejection: BytesRejection) -> Problem {
    use axum::response::IntoResponse as _;
    let status = rejection.into_response().status();
    Problem::of_status(status)
        .unwrap_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "bad_request"))
}

fn read_json<T: Described>(bytes: &[u8]) -> Result<T, Problem> {
    let mut value: Value = serde_json::from_slice(bytes).map_err(|e| {
        Problem::with(StatusCode::BAD_REQUEST, "bad_json", &[("detail", &e.to_string())])
    })?;
    T::SCHEMA.without_nulls(&mut value);
    let mut faults = Vec::new();
    T::SCHEMA.check(&value, &mut faults);
    if !faults.is_empty() {
        return Err(Problem::fields(faults));
    }
    // What the shape cannot say, such as a number out of range.
    serde_json::from_value(value).map_err(|e| {
        Problem::fields(vec![FieldProblem::new("body", "bad_value", &[("detail", &e.to_string())])])
    })
}

/// The `Idempotency-Key` of a write, if one was sent.
pub struct Key(pub Option<String>);

impl FromRequestParts<Arc<App>> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let good =
            (1..=64).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
        match value.to_str() {
            Ok(key) if good => Ok(Self(Some(key.to_owned()))),
            _ => Err(Problem::new(StatusCode::BAD_REQUEST, "bad_idempotency_key")),
        }
    }
}

/// The version of a record that a write is based on: the `ETag` its reading answered.
pub struct IfMatch(Option<u64>);

impl IfMatch {
    /// The version as one of `root`, such as `operator/op_…`.
    pub fn of(&self, root: String) -> Versions {
        self.0.map(|version| (root, version)).into_iter().collect()
    }
}

impl FromRequestParts<Arc<App>> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let tag = value.to_str().unwrap_or_default().trim().trim_start_matches("W/");
        let version = tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(tag);
        match version.parse() {
            Ok(version) => Ok(Self(Some(version))),
            Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "bad_if_match")),
        }
    }
}

/// A parameter of a query.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it means.
    pub about: &'static str,
}

/// A parameter.
pub const fn parameter(name: &'static str, kind: Kind, about: &'static str) -> Parameter {
    Parameter { name, kind, about }
}

/// The raw query; a handler reads it by the parameters it knows.
pub struct RawParameters(Result<Vec<(String, String)>, String>);

impl FromRequestParts<Arc<App>> for RawParameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Infallible> {
        let read = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        Ok(Self(read.map(|q| q.0).map_err(|e| e.body_text())))
    }
}

impl RawParameters {
    /// The values by name. Unknown, repeated and ill-formed parameters are errors that name them.
    pub fn read(self, known: &[&[Parameter]]) -> Result<BTreeMap<String, String>, Problem> {
        let pairs = self.0.map_err(|detail| bad_query(vec![], &detail))?;
        let names = || known.iter().flat_map(|group| group.iter());
        let mut values = BTreeMap::new();
        let mut faults = Vec::new();
        for (name, value) in pairs.into_iter().take(PARAMETERS_MAX) {
            let shown: String = name.chars().take(64).collect();
            let Some(parameter) = names().find(|p| p.name == name) else {
                let known: Vec<_> = names().map(|p| p.name).collect();
                let known = known.join(" ");
                faults.push(FieldProblem::new(&shown, "unknown_parameter", &[("known", &known)]));
                continue;
            };
            parameter.kind.check_text(&shown, &value, &mut faults);
            if values.insert(name, value).is_some() {
                faults.push(FieldProblem::new(&shown, "bad_value", &[("detail", "repeated")]));
            }
        }
        if faults.is_empty() { Ok(values) } else { Err(bad_query(faults, "")) }
    }
}

/// A query that is not understood: status 400, with every bad parameter.
pub fn bad_query(errors: Vec<FieldProblem>, detail: &str) -> Problem {
    let all: Vec<String> = errors.iter().map(|e| format!("{} {}", e.field, e.detail)).collect();
    let detail = if errors.is_empty() { detail.to_owned() } else { all.join(" ") };
    let problem = Problem::with(StatusCode::BAD_REQUEST, "bad_query", &[("detail", &detail)]);
    Problem { errors, ..problem }
}

impl Kind {
    /// Checks a value given as text.
    fn check_text(&self, name: &str, text: &str, faults: &mut Vec<FieldProblem>) {
        let value = match self {
            Self::Integer | Self::Whole(..) => {
                text.parse::<i64>().map_or_else(|_| Value::String(text.into()), Value::from)
            }
            Self::Boolean => {
                text.parse::<bool>().map_or_else(|_| Value::String(text.into()), Value::from)
            }
            _ => Value::String(text.into()),
        };
        self.check_value(name, &value, faults);
    }
}
