//! One's own account: who one is here, and a new password.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use tianyin_domain::Time;
use tianyin_domain::user::User;

use super::account_tokens::{self, Row};
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::read;
use super::session::{Posted, Signed, done};
use super::users;
use crate::app::App;
use crate::app::accounts::Session;
use crate::http::ClientAddr;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/account", get(show).post(change))
        .route("/account/sessions/end", post(end_others))
}

#[derive(Template)]
#[template(path = "account/page.html")]
struct AccountPage {
    page: Page,
    form: Form,
    signed: Signed,
    place: String,
    sessions: Vec<Open>,
    tokens: Vec<Row>,
    user: User,
    password_hint: String,
}

/// An open session.
struct Open {
    session: Session,
    began: Time,
    last_seen: Time,
    /// The one of this page.
    own: bool,
}

async fn show(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    html(&account_page(&app, signed, Form::default())?)
}

fn account_page(app: &App, signed: Signed, form: Form) -> Result<AccountPage, ConsoleError> {
    let user = &signed.session.user;
    let place = read::place_of(app, user)?;
    let sessions = app.sessions_of(&user.id).into_iter().map(|session| Open {
        began: session.started_at(),
        last_seen: session.last_seen_at(),
        own: session.id == signed.session.id,
        session,
    });
    let sessions = sessions.collect();
    let page = Page::new(app, &signed, "/account", "account.title");
    // As it is now: the session may be older than the last change.
    let user = app.named_user(&signed.session.user.username)?;
    let (tokens, password_hint) = (account_tokens::rows(app, &user)?, users::password_hint(app)?);
    Ok(AccountPage { page, form, place, sessions, signed, tokens, user, password_hint })
}

async fn end_others(State(app): State<Arc<App>>, Posted { signed, .. }: Posted) -> Answer {
    app.end_other_sessions(&signed.session);
    Ok(done("/account", "account.others_ended"))
}

async fn change(
    State(app): State<Arc<App>>,
    ClientAddr(address): ClientAddr,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let [old, new] = ["password_now", "password"].map(|field| form.raw(field).to_owned());
    form.text_of("password_now");
    form.text_of("password");
    if new != form.raw("password_again") {
        form.bad("password_again", "passwords_differ");
    }
    if form.is_good() {
        match app.change_own_password(&signed.session.user, old, new, address).await {
            Ok(()) => return Ok(done("/sign-in", "account.changed")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&account_page(&app, signed, form)?)
}
