//! Codes of the national platform: a small form for an operator, a product or a lot.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::lot::Lot;
use tianyin_domain::national_code::{Holder, SetNationalCode};
use tianyin_domain::operator::Operator;
use tianyin_domain::product::Product;

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::read;
use super::session::{Posted, Signed, done};
use crate::app::App;
use crate::texts::t;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/operators/{id}/national-code", get(show_operator).post(set_operator))
        .route("/products/{id}/national-code", get(show_product).post(set_product))
        .route("/lots/{id}/national-code", get(show_lot).post(set_lot))
}

#[derive(Template)]
#[template(path = "national_codes/form.html")]
struct FormPage {
    page: Page,
    /// Address and name of what the code is of.
    place: String,
    name: String,
    form: Form,
    of_lot: bool,
    hint: String,
    /// The value in the form was put together here.
    suggested: bool,
}

/// What a code is of, and what is on record.
struct Subject {
    of: Holder,
    id: String,
    name: String,
    place: String,
    code: String,
    short: String,
    suggestion: Option<String>,
}

impl Subject {
    fn of(app: &App, signed: &Signed, of: Holder, id: &str) -> Result<Self, ConsoleError> {
        let may = signed.may(CommandKind::SetNationalCode);
        // What is registered of an operator, the county keeps.
        if !may || (of == Holder::Operator && !signed.is_staff()) {
            return Err(ConsoleError::forbidden());
        }
        let id = id.to_owned();
        Ok(match of {
            Holder::Operator => {
                let one: Operator = read::one(app, signed, "operator", &id)?;
                let (place, short) = (format!("/operators/{id}"), String::new());
                let suggestion = app.suggested_subject(&one);
                Self { of, id, name: one.name, place, code: one.national_code, short, suggestion }
            }
            Holder::Product => {
                let one: Product = read::one(app, signed, "product", &id)?;
                let (place, short) = (format!("/products/{id}"), String::new());
                let (name, code) = (one.name, one.national_class);
                Self { of, id, name, place, code, short, suggestion: None }
            }
            Holder::Lot => {
                let one: Lot = read::one(app, signed, "lot", &id)?;
                let suggestion = app.suggested_trace(&one)?;
                let (place, short) = (format!("/lots/{id}"), one.national_short_code);
                Self { of, id, name: one.no, place, code: one.national_code, short, suggestion }
            }
        })
    }

    /// The page with a form of values; nothing is suggested in place of what somebody sent.
    fn page(self, app: &App, signed: &Signed, form: Form, suggested: bool) -> FormPage {
        let (section, title, noun, hint) = match self.of {
            Holder::Operator => (
                "/operators",
                "national_codes.of_operator",
                "operator",
                "national_codes.operator_hint",
            ),
            Holder::Product => {
                ("/products", "national_codes.of_product", "product", "national_codes.product_hint")
            }
            Holder::Lot => ("/lots", "national_codes.of_lot", "lot", "national_codes.lot_hint"),
        };
        FormPage {
            page: Page::new(app, signed, section, title),
            of_lot: self.of == Holder::Lot,
            place: self.place,
            name: self.name,
            form: form.of(noun),
            hint: t(hint).to_owned(),
            suggested,
        }
    }
}

fn show(app: &App, signed: &Signed, of: Holder, id: &str) -> Answer {
    let subject = Subject::of(app, signed, of, id)?;
    let suggestion = subject.suggestion.clone().filter(|_| subject.code.is_empty());
    let code = suggestion.as_ref().unwrap_or(&subject.code);
    let values =
        [("national_code", code.as_str()), ("national_short_code", subject.short.as_str())];
    let form = Form::with("", &values);
    html(&subject.page(app, signed, form, suggestion.is_some()))
}

async fn set(app: &App, posted: Posted, of: Holder, id: &str) -> Answer {
    let Posted { signed, mut form } = posted;
    let subject = Subject::of(app, &signed, of, id)?;
    let command = SetNationalCode {
        of,
        id: subject.id.clone(),
        national_code: form.get("national_code").to_owned(),
        national_short_code: form.get("national_short_code").to_owned(),
    };
    let command = Command::SetNationalCode(command);
    match app.submit_keyed(signed.actor(), command, form.once()).await {
        Ok(_) => Ok(done(&subject.place, "national_codes.saved")),
        Err(error) => {
            form.refused(error)?;
            refused(&subject.page(app, &signed, form, false))
        }
    }
}

async fn show_operator(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Answer {
    show(&app, &signed, Holder::Operator, &id)
}

async fn show_product(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Answer {
    show(&app, &signed, Holder::Product, &id)
}

async fn show_lot(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    show(&app, &signed, Holder::Lot, &id)
}

async fn set_operator(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    set(&app, posted, Holder::Operator, &id).await
}

async fn set_product(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    set(&app, posted, Holder::Product, &id).await
}

async fn set_lot(State(app): State<Arc<App>>, Path(id): Path<String>, posted: Posted) -> Answer {
    set(&app, posted, Holder::Lot, &id).await
}
