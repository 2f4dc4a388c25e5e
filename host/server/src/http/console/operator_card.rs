//! The printed card of an operator, and the way in that its QR code opens on a phone.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use axum_extra::extract::cookie::CookieJar;
use tianyin_domain::command::CommandKind;
use tianyin_domain::operator::Operator;

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::read;
use super::session::{Open, Posted, not_done, session_cookie};
use crate::app::cards::NewCard;
use crate::app::{App, AppError};
use crate::http::ClientAddr;
use crate::http::qr::{Drawn, drawn};

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/operators/{id}/card", post(issue))
        .route("/o/{code}/{key}", get(door).post(sign_in))
        // QR codes are in upper case, which takes less room.
        .route("/O/{code}/{key}", get(door).post(sign_in))
}

#[derive(Template)]
#[template(path = "operators/card.html")]
struct CardPage {
    page: Page,
    operator: Operator,
    card: NewCard,
    address: String,
    qr: Drawn,
}

async fn issue(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    if !signed.may(CommandKind::IssueCard) {
        return Err(ConsoleError::forbidden());
    }
    let operator: Operator = read::one(&app, &signed, "operator", &id)?;
    let card = match app.issue_card(signed.actor(), &id, form.once()).await {
        Ok(card) => card,
        Err(error @ (AppError::Domain(_) | AppError::Refused { .. })) => {
            return Ok(not_done(&format!("/operators/{id}"), &error));
        }
        Err(error) => return Err(error.into()),
    };
    let county = app.county()?.ok_or_else(|| AppError::refused("not_set_up"))?;
    let public_url = county.public_url.trim_end_matches('/');
    let address = format!("{public_url}/O/{}/{}", operator.code, card.key).to_uppercase();
    let qr = drawn(&address).ok_or_else(|| AppError::refused("address_too_long"))?;
    let page = Page::new(&app, &signed, "/operators", "cards.title");
    html(&CardPage { page, operator, card, address, qr })
}

#[derive(Template)]
#[template(path = "operators/door.html")]
struct DoorPage {
    page: Page,
    form: Form,
    /// Who the card is of; `None` when it does not work any more.
    operator: Option<Operator>,
    action: String,
}

async fn door(State(app): State<Arc<App>>, Path((code, key)): Path<(String, String)>) -> Answer {
    html(&door_page(&app, &code, &key, Form::default())?)
}

fn door_page(app: &App, code: &str, key: &str, form: Form) -> Result<DoorPage, ConsoleError> {
    Ok(DoorPage {
        page: Page::bare(app, "cards.door"),
        form,
        operator: app.working_card(code, key)?.map(|(operator, _)| operator),
        action: format!("/o/{code}/{key}"),
    })
}

async fn sign_in(
    State(app): State<Arc<App>>,
    Path((code, key)): Path<(String, String)>,
    ClientAddr(address): ClientAddr,
    Open(mut form): Open,
) -> Answer {
    let pin = form.text_of("pin");
    if form.is_good() {
        match app.sign_in_by_card(&code, &key, &pin, address).await {
            Ok((token, session)) => {
                let jar = CookieJar::new().add(session_cookie(token));
                let own = session.user.operator.unwrap_or_default();
                return Ok((jar, Redirect::to(&format!("/operators/{own}"))).into_response());
            }
            Err(error @ AppError::Refused { .. }) => form.summary = Some(error.detail()),
            Err(error) => return Err(error.into()),
        }
    }
    refused(&door_page(&app, &code, &key, form)?)
}
