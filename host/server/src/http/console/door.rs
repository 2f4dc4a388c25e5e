//! What is due between the password and the pages: the code of the phone, another password, a second
//! factor that the county wants. A session at the door opens these pages only.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{FromRequest, FromRequestParts, Query, Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use axum_extra::extract::cookie::CookieJar;
use serde::Deserialize;

use super::account_totp::{Shown, never_kept, shown};
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::session::{Open, SESSION_COOKIE, encode, safe_path, session_cookie};
use crate::app::accounts::{Due, Session};
use crate::app::{App, AppError};

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/sign-in/code", get(code_page).post(give_code))
        .route("/sign-in/password", get(password_page).post(change_password))
        .route("/sign-in/totp", get(totp_page).post(enrol))
}

/// Where a person goes who has signed in: to the door's page for what is due, else on.
pub fn way_in(token: String, session: &Session, next: &str) -> Response {
    let to = match session.due {
        None => safe_path(next).to_owned(),
        Some(due) => page_for(due, next),
    };
    with_cookie(token, &to)
}

fn page_for(due: Due, next: &str) -> String {
    let page = match due {
        Due::Code => "code",
        Due::Password => "password",
        Due::Enrolment => "totp",
    };
    format!("/sign-in/{page}?next={}", encode(safe_path(next)))
}

fn with_cookie(token: String, to: &str) -> Response {
    (CookieJar::new().add(session_cookie(token)), Redirect::to(to)).into_response()
}

/// The session at the door behind a request's cookie; without one the browser is sent to sign in.
struct AtDoor {
    token: String,
    session: Session,
}

impl AtDoor {
    /// Something else is due than the page asked for.
    fn elsewhere(&self, due: Due, next: &Next) -> Option<Response> {
        let other = self.session.due.filter(|other| *other != due)?;
        Some(Redirect::to(&page_for(other, &next.next)).into_response())
    }
}

impl FromRequestParts<Arc<App>> for AtDoor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let jar = CookieJar::from_headers(&parts.headers);
        let token = jar.get(SESSION_COOKIE).map(|cookie| cookie.value().to_owned());
        let found = token.and_then(|token| Some((app.at_door(&token)?, token)));
        let (session, token) = found.ok_or_else(|| Redirect::to("/sign-in").into_response())?;
        Ok(Self { token, session })
    }
}

/// A form sent from one of the door's pages.
struct Sent {
    door: AtDoor,
    form: Form,
}

impl FromRequest<Arc<App>> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let door = AtDoor::from_request_parts(&mut parts, app).await?;
        let Open(form) = Open::from_request(Request::from_parts(parts, body), app).await?;
        if form.get("form_token") != door.session.form_token {
            return Err(ConsoleError::from(AppError::refused("cross_site")).into_response());
        }
        Ok(Self { door, form })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Next {
    next: String,
}

impl Next {
    fn form(&self) -> Form {
        Form::with("", &[("next", safe_path(&self.next))])
    }
}

#[derive(Template)]
#[template(path = "door/code.html")]
struct CodePage {
    page: Page,
    form: Form,
    form_token: String,
}

fn code(app: &App, door: &AtDoor, form: Form) -> CodePage {
    let form_token = door.session.form_token.clone();
    CodePage { page: Page::bare(app, "door.code"), form, form_token }
}

async fn code_page(State(app): State<Arc<App>>, door: AtDoor, Query(next): Query<Next>) -> Answer {
    if let Some(elsewhere) = door.elsewhere(Due::Code, &next) {
        return Ok(elsewhere);
    }
    html(&code(&app, &door, next.form()))
}

async fn give_code(State(app): State<Arc<App>>, Sent { door, mut form }: Sent) -> Answer {
    let typed = form.text_of("code");
    if form.is_good() {
        match app.give_code(&door.token, &typed).await {
            Ok((token, session)) => return Ok(way_in(token, &session, form.get("next"))),
            Err(error) => form.refused(error)?,
        }
    }
    form.set("code", "");
    refused(&code(&app, &door, form))
}

#[derive(Template)]
#[template(path = "door/password.html")]
struct PasswordPage {
    page: Page,
    form: Form,
    form_token: String,
    /// Somebody else gave the password so far.
    is_initial: bool,
    hint: String,
}

fn password(app: &App, door: &AtDoor, form: Form) -> Result<PasswordPage, ConsoleError> {
    Ok(PasswordPage {
        page: Page::bare(app, "door.password"),
        form,
        form_token: door.session.form_token.clone(),
        is_initial: door.session.user.login.initial_until.is_some(),
        hint: super::users::password_hint(app)?,
    })
}

async fn password_page(
    State(app): State<Arc<App>>,
    door: AtDoor,
    Query(next): Query<Next>,
) -> Answer {
    if let Some(elsewhere) = door.elsewhere(Due::Password, &next) {
        return Ok(elsewhere);
    }
    html(&password(&app, &door, next.form())?)
}

async fn change_password(State(app): State<Arc<App>>, Sent { door, mut form }: Sent) -> Answer {
    let new = form.raw("password").to_owned();
    form.text_of("password");
    if new != form.raw("password_again") {
        form.bad("password_again", "passwords_differ");
    }
    if form.is_good() {
        match app.change_due_password(&door.token, new).await {
            Ok((token, session)) => return Ok(way_in(token, &session, form.get("next"))),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&password(&app, &door, form)?)
}

#[derive(Template)]
#[template(path = "door/totp.html")]
struct TotpPage {
    page: Page,
    form: Form,
    form_token: String,
    shown: Shown,
}

fn totp(app: &App, door: &AtDoor, form: Form) -> Result<TotpPage, ConsoleError> {
    Ok(TotpPage {
        page: Page::bare(app, "door.totp"),
        form,
        form_token: door.session.form_token.clone(),
        shown: shown(app, &door.session.user)?,
    })
}

async fn totp_page(State(app): State<Arc<App>>, door: AtDoor, Query(next): Query<Next>) -> Answer {
    if let Some(elsewhere) = door.elsewhere(Due::Enrolment, &next) {
        return Ok(elsewhere);
    }
    never_kept(html(&totp(&app, &door, next.form())?))
}

#[derive(Template)]
#[template(path = "door/recovery.html")]
struct RecoveryPage {
    page: Page,
    codes: Vec<String>,
    next: String,
}

async fn enrol(State(app): State<Arc<App>>, Sent { door, mut form }: Sent) -> Answer {
    let typed = form.text_of("code");
    if form.is_good() {
        match app.enrol_at_door(&door.token, &typed).await {
            Ok((codes, token, _)) => {
                let next = safe_path(form.get("next")).to_owned();
                let page = Page::bare(&app, "account.recovery");
                let told = never_kept(html(&RecoveryPage { page, codes, next }))?;
                return Ok((CookieJar::new().add(session_cookie(token)), told).into_response());
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    never_kept(refused(&totp(&app, &door, form)?))
}
