//! First run: the county, the address in its QR codes, and its first administrator.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::routing::get;
use axum_extra::extract::cookie::CookieJar;
use serde::Deserialize;

use super::error::Answer;
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::session::{Open, done, session_cookie};
use crate::app::accounts::SetUp;
use crate::app::{App, AppError};
use crate::http::ClientAddr;
use crate::regions::{Region, search_counties};
use axum::response::IntoResponse as _;

/// Counties shown for one search.
const COUNTIES_MAX: usize = 8;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/setup", get(page).post(set_up)).route("/setup/counties", get(counties))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Link {
    token: String,
    county: String,
}

/// What the link is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nobody came with a link.
    NoLink,
    /// The link is wrong or too old.
    BadLink,
    /// The form.
    Form,
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    page: Page,
    stage: Stage,
    token: String,
    form: Form,
    counties: Vec<Region>,
    chosen: String,
}

#[derive(Template)]
#[template(path = "_counties.html")]
struct Counties {
    counties: Vec<Region>,
    chosen: String,
    asked: bool,
}

async fn page(State(app): State<Arc<App>>, Query(link): Query<Link>, headers: HeaderMap) -> Answer {
    if app.is_set_up()? {
        return Ok(done("/sign-in", "setup.already"));
    }
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let address = format!("http://{host}");
    let form = Form::with("", &[("public_url", address.as_str())]);
    html(&shown(&app, link.token, form))
}

fn shown(app: &App, token: String, form: Form) -> SetupPage {
    let stage = match token.as_str() {
        "" => Stage::NoLink,
        token if app.setup_token_works(token) => Stage::Form,
        _ => Stage::BadLink,
    };
    SetupPage {
        page: Page::bare(app, "setup.title"),
        stage,
        token,
        counties: found(form.get("county")),
        chosen: form.get("area").to_owned(),
        form: form.of("person"),
    }
}

async fn counties(State(app): State<Arc<App>>, Query(link): Query<Link>) -> Answer {
    let asked = !link.county.trim().is_empty();
    let mut counties = Vec::new();
    if asked && app.setup_token_works(&link.token) {
        counties = found(&link.county);
    }
    let chosen = match counties.as_slice() {
        [only] => only.code.to_owned(),
        _ => String::new(),
    };
    html(&Counties { counties, chosen, asked })
}

fn found(text: &str) -> Vec<Region> {
    let text = text.trim();
    if text.is_empty() { Vec::new() } else { search_counties(text, COUNTIES_MAX) }
}

async fn set_up(
    State(app): State<Arc<App>>,
    ClientAddr(address): ClientAddr,
    Open(mut form): Open,
) -> Answer {
    let token = form.get("token").to_owned();
    if !app.setup_token_works(&token) {
        return refused(&shown(&app, token, form));
    }
    let wanted = read(&mut form, &token);
    if form.is_good() {
        let (username, password) = (wanted.username.clone(), wanted.password.clone());
        match app.set_up(wanted).await {
            Ok(_) => {
                if form.ticked("demo") {
                    crate::demo::add_register(&app).await.map_err(AppError::Internal)?;
                }
                let (token, _) = app.sign_in(&username, &password, address).await?;
                let jar = CookieJar::new().add(session_cookie(token));
                return Ok((jar, done("/agencies/start", "setup.done")).into_response());
            }
            Err(AppError::Refused { code: "already_set_up", .. }) => {
                return Ok(done("/sign-in", "setup.already"));
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&shown(&app, token, form))
}

fn read(form: &mut Form, token: &str) -> SetUp {
    let mut area = form.get("area").to_owned();
    // Without script nothing was picked from a list: one county that fits the words is meant.
    if let ("", [only]) = (area.as_str(), found(form.get("county")).as_slice()) {
        area = only.code.to_owned();
        form.set("area", area.as_str());
    }
    if area.is_empty() {
        form.bad_text("county", crate::texts::t("setup.pick_county"));
    }
    // In the order of the page, which is the order of the summary.
    let public_url = form.text_of("public_url");
    let name = form.text_of("name");
    let username = form.text_of("username");
    form.text_of("password");
    let password = form.raw("password").to_owned();
    if password != form.raw("password_again") {
        form.bad("password_again", "passwords_differ");
    }
    SetUp { token: token.to_owned(), area, public_url, username, name, password }
}
