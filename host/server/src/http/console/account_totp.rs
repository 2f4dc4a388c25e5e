//! One's own second factor: a secret to be scanned, confirmed with a code, and switched off again.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::routing::{get, post};
use tianyin_domain::code::grouped;
use tianyin_domain::user::User;

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::session::{Posted, Signed, done, encode, not_done};
use crate::app::{App, AppError};
use crate::http::ClientAddr;
use crate::http::qr::{Drawn, drawn};
use crate::texts::t;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/account/totp", get(page).post(enrol))
        .route("/account/totp/off", post(switch_off))
}

/// A secret as a phone reads it and as people type it.
pub struct Shown {
    /// The code to scan.
    pub qr: Drawn,
    /// In groups of four.
    pub secret: String,
}

/// The secret that the person is setting up.
pub fn shown(app: &App, user: &User) -> Result<Shown, ConsoleError> {
    let secret = app.totp_draft(user)?;
    let county = app.county()?.map(|county| county.name).unwrap_or_default();
    let issuer = encode(&format!("{}{county}", t("brand.name")));
    let username = encode(&user.username);
    let address = format!("otpauth://totp/{issuer}:{username}?secret={secret}&issuer={issuer}");
    let qr = drawn(&address).ok_or_else(|| AppError::refused("address_too_long"))?;
    Ok(Shown { qr, secret: grouped(&secret).replace('-', " ") })
}

/// What is seen once is kept by no browser.
pub fn never_kept(answer: Answer) -> Answer {
    let mut response = answer?;
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, never);
    Ok(response)
}

#[derive(Template)]
#[template(path = "account/totp.html")]
struct TotpPage {
    page: Page,
    form: Form,
    shown: Shown,
}

fn totp(app: &App, signed: &Signed, form: Form) -> Result<TotpPage, ConsoleError> {
    let page = Page::new(app, signed, "/account", "account.totp");
    Ok(TotpPage { page, form, shown: shown(app, &signed.session.user)? })
}

async fn page(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    never_kept(html(&totp(&app, &signed, Form::default())?))
}

#[derive(Template)]
#[template(path = "account/recovery.html")]
struct RecoveryPage {
    page: Page,
    codes: Vec<String>,
}

async fn enrol(
    State(app): State<Arc<App>>,
    ClientAddr(address): ClientAddr,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let code = form.text_of("code");
    let password = form.raw("password_now").to_owned();
    form.text_of("password_now");
    if form.is_good() {
        match app.enrol(&signed.session.user, password, &code, address).await {
            Ok(codes) => {
                let page = Page::new(&app, &signed, "/account", "account.recovery");
                return never_kept(html(&RecoveryPage { page, codes }));
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    never_kept(refused(&totp(&app, &signed, form)?))
}

async fn switch_off(
    State(app): State<Arc<App>>,
    ClientAddr(address): ClientAddr,
    Posted { signed, form }: Posted,
) -> Answer {
    let password = form.raw("password_now").to_owned();
    match app.leave_totp(&signed.session.user, password, address).await {
        Ok(()) => Ok(done("/account", "account.totp_off")),
        Err(error @ AppError::Refused { .. }) => Ok(not_done("/account", &error)),
        Err(error @ AppError::Domain(_)) => {
            let told = error.fields().first().map(crate::app::field_text);
            let told = told.unwrap_or_else(|| error.detail());
            Ok(super::session::told("/account", false, &told))
        }
        Err(error) => Err(error.into()),
    }
}
