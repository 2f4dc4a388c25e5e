//! A natural person's phone in full: for a reason, and on record before it is shown.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tianyin_domain::command::CommandKind;
use tianyin_domain::operator::Operator;

use super::account_totp::never_kept;
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::read;
use super::session::{Posted, Signed};
use crate::app::App;
use crate::http::ClientAddr;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/operators/{id}/contact", get(ask).post(reveal))
}

#[derive(Template)]
#[template(path = "operators/contact.html")]
struct ContactPage {
    page: Page,
    operator: Operator,
    form: Form,
    /// The phone, once it is on record that it is seen.
    phone: Option<String>,
}

fn contact(
    app: &App,
    signed: &Signed,
    id: &str,
    form: Form,
    phone: Option<String>,
) -> Result<ContactPage, ConsoleError> {
    if !signed.may(CommandKind::RevealContact) {
        return Err(ConsoleError::forbidden());
    }
    let operator: Operator = read::one(app, signed, "operator", id)?;
    let page = Page::new(app, signed, "/operators", "operators.contact_title");
    Ok(ContactPage { page, operator, form: form.of("contact"), phone })
}

async fn ask(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    html(&contact(&app, &signed, &id, Form::default(), None)?)
}

async fn reveal(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    ClientAddr(address): ClientAddr,
    Posted { signed, mut form }: Posted,
) -> Answer {
    // Whose business it is not learns nothing from the form.
    contact(&app, &signed, &id, Form::default(), None)?;
    let reason = form.text_of("reason");
    if form.is_good() {
        match app.reveal_contact(signed.actor(), &id, reason, address).await {
            Ok(phone) => {
                let page = contact(&app, &signed, &id, Form::default(), Some(phone))?;
                return never_kept(html(&page));
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&contact(&app, &signed, &id, form, None)?)
}
