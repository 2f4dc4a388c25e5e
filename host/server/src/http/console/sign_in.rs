//! Sign-in and sign-out.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use axum_extra::extract::cookie::{Cookie, CookieJar};
use serde::Deserialize;

use super::door;
use super::error::Answer;
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::session::{Flash, Open, Posted, SESSION_COOKIE, Signed, done, flash_in, safe_path};
use crate::app::{App, AppError};
use crate::http::ClientAddr;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/sign-in", get(page).post(sign_in)).route("/sign-out", post(sign_out))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Next {
    next: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    page: Page,
    form: Form,
    flash: Option<Flash>,
}

async fn page(
    State(app): State<Arc<App>>,
    Query(query): Query<Next>,
    headers: HeaderMap,
) -> Answer {
    if !app.is_set_up()? {
        return Ok(Redirect::to("/setup").into_response());
    }
    if Signed::of(&app, &headers).is_some() {
        return Ok(Redirect::to(safe_path(&query.next)).into_response());
    }
    let form = Form::with("", &[("next", safe_path(&query.next))]);
    let flash = flash_in(&headers);
    html(&SignInPage { page: Page::bare(&app, "sign_in.title"), form, flash })
}

async fn sign_in(
    State(app): State<Arc<App>>,
    ClientAddr(address): ClientAddr,
    Open(mut form): Open,
) -> Answer {
    let username = form.text_of("username");
    let password = form.raw("password").to_owned();
    if password.is_empty() {
        form.bad("password", "required");
    }
    if form.is_good() {
        match app.sign_in(&username, &password, address).await {
            Ok((token, session)) => return Ok(door::way_in(token, &session, form.get("next"))),
            Err(error @ AppError::Refused { .. }) => form.summary = Some(error.detail()),
            Err(error) => return Err(error.into()),
        }
    }
    refused(&SignInPage { page: Page::bare(&app, "sign_in.title"), form, flash: None })
}

async fn sign_out(State(app): State<Arc<App>>, jar: CookieJar, _: Posted) -> Answer {
    if let Some(cookie) = jar.get(SESSION_COOKIE) {
        app.sign_out(cookie.value());
    }
    let gone = CookieJar::new().remove(Cookie::build(SESSION_COOKIE).path("/").build());
    let expired = gone.add(Cookie::build((SESSION_COOKIE, "")).path("/").removal().build());
    Ok((expired, done("/sign-in", "sign_in.out")).into_response())
}
