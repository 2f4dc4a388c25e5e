//! Who asks: the session cookie, the form token of every change, and the message shown once after it.

use std::sync::Arc;

use axum::Form as AxumForm;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tianyin_domain::authorise::may;
use tianyin_domain::command::CommandKind;
use tianyin_domain::{Actor, FieldError, Role, Scope};

use super::error::{Answer, Asker, ConsoleError};
use super::form::Form;
use crate::app::accounts::Session;
use crate::app::{App, AppError, field_text};
use crate::texts::{has, t};

/// Name of the session cookie.
pub const SESSION_COOKIE: &str = "tianyin";
const FLASH_COOKIE: &str = "tianyin_flash";
/// Longest message kept in a cookie, in characters.
const FLASH_CHARS_MAX: usize = 300;
/// Fields of one form.
const FIELDS_MAX: usize = 512;

/// A signed-in person. Without a session the browser is sent to sign in, before set-up to the page
/// that says how to set up.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The session.
    pub session: Session,
    /// What the last change had to say.
    pub flash: Option<Flash>,
}

/// A message shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    /// Whether it tells of success.
    pub good: bool,
    /// What it says.
    pub text: String,
}

impl Signed {
    /// The signed-in person behind a request's cookie.
    pub fn of(app: &App, headers: &HeaderMap) -> Option<Self> {
        let jar = CookieJar::from_headers(headers);
        let session = app.session(jar.get(SESSION_COOKIE)?.value())?;
        Some(Self { session, flash: flash_of(&jar) })
    }

    /// The person as actor.
    pub fn actor(&self) -> &Actor {
        &self.session.actor
    }

    /// What the person may see.
    pub fn scope(&self) -> Scope {
        self.session.actor.scope()
    }

    /// Whether the person is the county's administrator: settings, devices, every account.
    pub fn is_administrator(&self) -> bool {
        self.session.user.is_county_administrator()
    }

    /// Whether the person allocates accounts, be it of one agency.
    pub fn allocates_accounts(&self) -> bool {
        self.session.user.role == Role::Administrator
    }

    /// Whether people like this one give such a command.
    pub fn may(&self, command: CommandKind) -> bool {
        let user = &self.session.user;
        may(user.role, user.office, command)
    }

    /// Whether the person works for an agency.
    pub fn is_staff(&self) -> bool {
        self.session.user.role != Role::Producer
    }

    /// The operator a producer acts for.
    pub fn operator(&self) -> Option<&str> {
        self.session.user.operator.as_deref().filter(|_| !self.is_staff())
    }

    /// Refuses everybody but the county's administrator.
    pub fn administrator_only(&self) -> Result<(), ConsoleError> {
        if self.is_administrator() { Ok(()) } else { Err(ConsoleError::forbidden()) }
    }

    /// Refuses everybody who allocates no accounts.
    pub fn allocators_only(&self) -> Result<(), ConsoleError> {
        if self.allocates_accounts() { Ok(()) } else { Err(ConsoleError::forbidden()) }
    }

    /// Refuses producers.
    pub fn staff_only(&self) -> Result<(), ConsoleError> {
        if self.is_staff() { Ok(()) } else { Err(ConsoleError::forbidden()) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Signed
where
    Arc<App>: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let app = Arc::<App>::from_ref(state);
        match Self::of(&app, &parts.headers) {
            Some(signed) => {
                if let Some(asker) = parts.extensions.get::<Asker>() {
                    asker.note(&app, &signed);
                }
                Ok(signed)
            }
            None => Err(send_to_sign_in(&app, parts)),
        }
    }
}

fn send_to_sign_in(app: &App, parts: &Parts) -> Response {
    let to = match app.is_set_up() {
        Ok(true) if parts.method == axum::http::Method::GET && !is_fragment(&parts.headers) => {
            match parts.uri.path_and_query().map(|p| p.as_str()) {
                None | Some("/") => "/sign-in".to_owned(),
                Some(next) => format!("/sign-in?next={}", encode(next)),
            }
        }
        Ok(true) => "/sign-in".to_owned(),
        Ok(false) => "/setup".to_owned(),
        Err(error) => return ConsoleError::from(error).into_response(),
    };
    if is_fragment(&parts.headers) {
        let header = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/"));
        return (StatusCode::OK, [("hx-redirect", header)]).into_response();
    }
    Redirect::to(&to).into_response()
}

/// Percent-encodes everything but letters and digits.
pub fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Whether htmx asks for a part of a page.
pub fn is_fragment(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

/// A form sent by a signed-in person from one of our pages.
pub struct Posted {
    /// Who.
    pub signed: Signed,
    /// The values.
    pub form: Form,
}

impl<S: Send + Sync> FromRequest<S> for Posted
where
    Arc<App>: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let signed = Signed::from_request_parts(&mut parts, state).await?;
        let header_token =
            parts.headers.get("x-form-token").and_then(|v| v.to_str().ok()).map(str::to_owned);
        let form = fields_of(Request::from_parts(parts, body), state).await?;
        let token = header_token.as_deref().unwrap_or_else(|| form.get("form_token"));
        if token != signed.session.form_token {
            return Err(ConsoleError::from(AppError::refused("cross_site")).into_response());
        }
        Ok(Self { signed, form })
    }
}

/// A form sent by anybody: set-up and sign-in.
pub struct Open(pub Form);

impl<S: Send + Sync> FromRequest<S> for Open {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        fields_of(request, state).await.map(Self)
    }
}

async fn fields_of<S: Send + Sync>(request: Request, state: &S) -> Result<Form, Response> {
    let AxumForm(mut fields) = AxumForm::<Vec<(String, String)>>::from_request(request, state)
        .await
        .map_err(IntoResponse::into_response)?;
    fields.truncate(FIELDS_MAX);
    Ok(Form::sent(fields))
}

/// The cookie of a new session.
pub fn session_cookie(token: String) -> Cookie<'static> {
    Cookie::build((SESSION_COOKIE, token))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .build()
}

/// Goes to a page that will show the catalogue's text of `key` once.
pub fn done(to: &str, key: &str) -> Response {
    told(to, true, t(key))
}

/// Goes to a page that will say once why something was not done.
pub fn not_done(to: &str, error: &AppError) -> Response {
    told(to, false, &refusal(error))
}

/// Why something was not done; of bad fields each one, for there is no form that would show them.
fn refusal(error: &AppError) -> String {
    let text = |f: &FieldError| {
        let label = format!("label.{}", f.field);
        let label = if has(&label) { t(&label) } else { &f.field };
        format!("{label}:{}", field_text(f))
    };
    let fields: Vec<String> = error.fields().iter().map(text).collect();
    if fields.is_empty() { error.detail() } else { fields.join(" ") }
}

/// After an act whose refusal is told on the page it leads to: `good` is a key of the catalogue.
pub fn done_or_not<T>(to: &str, answer: Result<T, AppError>, good: &str) -> Answer {
    match answer {
        Ok(_) => Ok(done(to, good)),
        Err(error @ (AppError::Domain(_) | AppError::Conflict(_))) => Ok(not_done(to, &error)),
        Err(error) => Err(error.into()),
    }
}

/// Goes to a page that will show a message once.
pub fn told(to: &str, good: bool, text: &str) -> Response {
    let text: String = text.chars().take(FLASH_CHARS_MAX).collect();
    let value = format!("{}{}", if good { '+' } else { '-' }, text);
    let cookie = Cookie::build((FLASH_COOKIE, URL_SAFE_NO_PAD.encode(value)))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .build();
    (CookieJar::new().add(cookie), Redirect::to(to)).into_response()
}

/// The message in a request's cookie.
pub fn flash_in(headers: &HeaderMap) -> Option<Flash> {
    flash_of(&CookieJar::from_headers(headers))
}

fn flash_of(jar: &CookieJar) -> Option<Flash> {
    let bytes = URL_SAFE_NO_PAD.decode(jar.get(FLASH_COOKIE)?.value()).ok()?;
    let value = String::from_utf8(bytes).ok()?;
    let text = value.get(1..)?.to_owned();
    Some(Flash { good: value.starts_with('+'), text })
}

/// Forgets the message once a whole page has shown it, and keeps answers out of shared caches.
pub fn settle(request: &HeaderMap, response: &mut Response) {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    let is_page =
        headers.get(header::CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"text/html"));
    let has_flash = CookieJar::from_headers(request).get(FLASH_COOKIE).is_some();
    if is_page && has_flash && !is_fragment(request) {
        let gone = HeaderValue::from_static("tianyin_flash=; Path=/; Max-Age=0; SameSite=Lax");
        headers.append(header::SET_COOKIE, gone);
    }
}

/// Where to go after sign-in: a path of ours, never another site.
pub fn safe_path(next: &str) -> &str {
    let ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.chars().any(char::is_control);
    if ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_our_own_paths_are_followed() {
        for bad in ["", "https://x.test/", "//x.test", "/\\x.test", "javascript:1", "/a\nb"] {
            assert_eq!(safe_path(bad), "/", "{bad}");
        }
        assert_eq!(safe_path("/lots?x=1"), "/lots?x=1");
    }

    #[test]
    fn a_message_travels_and_is_forgotten() {
        let response = told("/lots", false, "不行 <b>");
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        let mut request = HeaderMap::new();
        let pair = cookie.split(';').next().unwrap();
        request.insert(header::COOKIE, HeaderValue::from_str(pair).unwrap());
        let flash = flash_of(&CookieJar::from_headers(&request)).unwrap();
        assert_eq!(flash, Flash { good: false, text: "不行 <b>".into() });
        let mut page = axum::response::Html("x").into_response();
        settle(&request, &mut page);
        assert!(page.headers()[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    }
}
