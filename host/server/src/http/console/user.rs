//! One account: who it is, where it is signed in just now, what it was used for, what became of it.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::access::{self, Access};
use tianyin_domain::user::User;
use tianyin_domain::{Scope, Time};

use super::account_tokens::{self, Row};
use super::error::Answer;
use super::filters;
use super::page::{Page, html};
use super::read;
use super::session::{Posted, Signed, done, done_or_not};
use super::users::{account, own_account};
use crate::app::conflict::Change;
use crate::app::{App, AppError};

/// Accesses and changes on the page; the rest is behind links.
const RECENT: usize = 20;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/users/{id}", get(show))
        .route("/users/{id}/sessions/end", post(end_sessions))
        .route("/users/{id}/totp/remove", post(remove_totp))
}

/// A session as the page lists it.
struct Open {
    address: String,
    began: Time,
    last_seen: Time,
}

#[derive(Template)]
#[template(path = "users/detail.html")]
struct DetailPage {
    page: Page,
    user: User,
    place: String,
    sessions: Vec<Open>,
    accesses: Vec<Access>,
    changes: Vec<Change>,
    tokens: Vec<Row>,
}

impl DetailPage {
    fn tokens_path(&self) -> String {
        format!("/users/{}/tokens", self.user.id)
    }
}

async fn show(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    signed.allocators_only()?;
    let user = account(&app, &signed, &id)?;
    let sessions = app.sessions_of(&id).into_iter().map(|session| Open {
        address: session.address.to_string(),
        began: session.started_at(),
        last_seen: session.last_seen_at(),
    });
    let part = (access::BY_USER, id.as_str());
    let accesses = read::newest_in(&app, &Scope::everything(), part, RECENT)?;
    let (reading, root) = (app.clone(), format!("user/{id}"));
    let changes = tokio::task::spawn_blocking(move || reading.history(&root, RECENT));
    let page = Page::new(&app, &signed, "/users", "users.one").titled(&user.name);
    html(&DetailPage {
        page,
        place: read::place_of(&app, &user)?,
        sessions: sessions.collect(),
        accesses,
        tokens: account_tokens::rows(&app, &user)?,
        changes: changes.await.map_err(AppError::internal)??,
        user,
    })
}

async fn end_sessions(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, .. }: Posted,
) -> Answer {
    signed.allocators_only()?;
    let user = account(&app, &signed, &id)?;
    // One's own are ended on one's own page, where this one is kept.
    if user.id == signed.session.user.id {
        app.end_other_sessions(&signed.session);
    } else {
        app.end_sessions_of(&user.id);
    }
    Ok(done(&format!("/users/{id}"), "users.sessions_ended"))
}

async fn remove_totp(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, .. }: Posted,
) -> Answer {
    signed.allocators_only()?;
    let user = account(&app, &signed, &id)?;
    let to = format!("/users/{id}");
    // One's own asks for the password, on one's own page.
    if user.id == signed.session.user.id {
        return Ok(own_account());
    }
    done_or_not(&to, app.remove_totp(signed.actor(), &user).await, "users.totp_removed")
}
