//! API tokens: made for oneself and shown once, revoked by oneself or by whoever allocates the account.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::Time;
use tianyin_domain::token::TokenGroup;
use tianyin_domain::user::User;

use super::account_totp::never_kept;
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::page::{Page, html, refused};
use super::session::{Posted, Signed, done_or_not};
use super::users::account;
use crate::app::App;
use crate::app::tokens::NewToken;
use crate::http::ClientAddr;
use crate::texts::t;

/// How long tokens may work, in days, as the form offers it.
const DAYS: [&str; 3] = ["30", "90", "366"];

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/account/tokens", get(new).post(make))
        .route("/account/tokens/{id}/revoke", post(revoke))
        .route("/users/{id}/tokens/{token}/revoke", post(revoke_of))
}

/// A token as pages list it.
pub struct Row {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do, in words.
    pub may: String,
    /// When it ends.
    pub expires_at: Time,
    /// When it was used last.
    pub used_at: Option<Time>,
    /// Whether it works.
    pub works: bool,
}

/// A user's tokens.
pub fn rows(app: &App, user: &User) -> Result<Vec<Row>, ConsoleError> {
    let row = |(token, works): (tianyin_domain::token::ApiToken, bool)| {
        let words: Vec<String> = token.groups.iter().map(|group| group.word()).collect();
        let reads = t("account.token_reads").to_owned();
        let may = if words.is_empty() { reads } else { words.join(t("conflict.and")) };
        Row {
            id: token.id,
            name: token.name,
            may,
            expires_at: token.expires_at,
            used_at: token.used_at,
            works,
        }
    };
    Ok(app.tokens_of(user)?.into_iter().map(row).collect())
}

#[derive(Template)]
#[template(path = "account/token_new.html")]
struct NewPage {
    page: Page,
    form: Form,
    groups: Vec<Choice>,
    days: Vec<Choice>,
}

fn new_page(app: &App, signed: &Signed, form: Form) -> NewPage {
    let days = |days: &&str| Choice::new(*days, format!("{days} {}", t("account.days")));
    NewPage {
        page: Page::new(app, signed, "/account", "account.token_new"),
        form: form.of("token"),
        groups: Choice::words(&TokenGroup::ALL),
        days: DAYS.iter().map(days).collect(),
    }
}

async fn new(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    html(&new_page(&app, &signed, Form::with("", &[("days", DAYS[1])])))
}

#[derive(Template)]
#[template(path = "account/token.html")]
struct TokenPage {
    page: Page,
    name: String,
    token: String,
}

async fn make(
    State(app): State<Arc<App>>,
    ClientAddr(address): ClientAddr,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let (name, days) = (form.text_of("name"), form.whole_of("days"));
    let password = form.raw("password_now").to_owned();
    form.text_of("password_now");
    let groups = form.all("groups").map(|word| serde_json::from_value(word.into()));
    let Ok(groups) = groups.collect::<Result<Vec<TokenGroup>, _>>() else {
        form.bad("groups", "bad_choice");
        return refused(&new_page(&app, &signed, form));
    };
    if let (Some(days), true) = (days, form.is_good()) {
        let new = NewToken { name: name.clone(), groups, days };
        match app.make_token(&signed.session.user, password, new, address).await {
            Ok((_, token)) => {
                let page = Page::new(&app, &signed, "/account", "account.token");
                return never_kept(html(&TokenPage { page, name, token }));
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&new_page(&app, &signed, form))
}

async fn revoke(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, .. }: Posted,
) -> Answer {
    let token = app.token_of(&signed.session.user, &id)?;
    end(&app, &signed, &token.id, "/account").await
}

async fn revoke_of(
    State(app): State<Arc<App>>,
    Path((id, token)): Path<(String, String)>,
    Posted { signed, .. }: Posted,
) -> Answer {
    signed.allocators_only()?;
    let user = account(&app, &signed, &id)?;
    let token = app.token_of(&user, &token)?;
    end(&app, &signed, &token.id, &format!("/users/{id}")).await
}

async fn end(app: &App, signed: &Signed, token: &str, to: &str) -> Answer {
    done_or_not(to, app.revoke_token(signed.actor(), token).await, "account.token_revoked")
}
