//! Correcting what is registered of an operator.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use tianyin_domain::command::CommandKind;
use tianyin_domain::operator::{ChangeOperator, Operator, OperatorKind};

use super::clash::{Clash, Side, clashed, seen};
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::operators::{UsccNote, area_name, not_registered, read_operator, township_choices};
use super::page::{Page, html, refused};
use super::read;
use super::session::{Posted, Signed, done};
use crate::app::{App, AppError, Conflict};

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/operators/{id}/edit", get(show).post(change))
}

#[derive(Template)]
#[template(path = "operators/edit.html")]
struct EditPage {
    page: Page,
    operator: Operator,
    form: Form,
    kinds: Vec<Choice>,
    townships: Vec<Choice>,
    uscc: UsccNote,
    uscc_check: String,
    clash: Option<Clash>,
}

async fn show(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    allowed(&signed)?;
    // Read before the record: a change in between makes the version too old, never too new.
    let version = app.store.version(&format!("operator/{id}"))?;
    let operator: Operator = read::one(&app, &signed, "operator", &id)?;
    let form = Form::with(
        "",
        &[
            ("version", &version.to_string()),
            ("kind", &operator.kind.api_word()),
            ("name", &operator.name),
            ("uscc", &operator.uscc),
            ("uscc_override", operator.uscc_override.as_deref().unwrap_or_default()),
            ("same_name_override", operator.same_name_override.as_deref().unwrap_or_default()),
            ("area", &operator.area),
            ("address", &operator.address),
            ("contact_name", &operator.contact_name),
            ("contact_phone", &operator.contact_phone),
        ],
    );
    html(&edit_page(&app, &signed, operator, form)?)
}

fn allowed(signed: &Signed) -> Result<(), ConsoleError> {
    if signed.may(CommandKind::ChangeOperator) { Ok(()) } else { Err(ConsoleError::forbidden()) }
}

fn edit_page(
    app: &App,
    signed: &Signed,
    operator: Operator,
    mut form: Form,
) -> Result<EditPage, ConsoleError> {
    form.set("operator", &operator.id);
    let form = form.of("operator");
    // A person stays a person, a company a company.
    let mut kinds = OperatorKind::ALL.to_vec();
    kinds.retain(|kind| kind.is_natural_person() == operator.kind.is_natural_person());
    Ok(EditPage {
        page: Page::new(app, signed, "/operators", "operators.edit"),
        uscc: UsccNote::of(app, &form)?,
        uscc_check: format!("/operators/uscc?operator={}", operator.id),
        kinds: Choice::words(&kinds),
        townships: township_choices(app)?,
        clash: None,
        operator,
        form,
    })
}

async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    allowed(&signed)?;
    let operator: Operator = read::one(&app, &signed, "operator", &id)?;
    form.set("operator", &id);
    if let Some(data) = read_operator(&app, &mut form)?
        && form.is_good()
    {
        let command = ChangeOperator { operator: id.clone(), data };
        let seen = seen(&form, format!("operator/{id}"));
        match app.change_operator(signed.actor(), command, form.once(), &seen).await {
            Ok(_) => return Ok(done(&format!("/operators/{id}"), "operators.changed")),
            Err(AppError::Conflict(conflict)) => {
                return both(&app, &signed, operator, form, &conflict);
            }
            Err(error) => not_registered(&mut form, error)?,
        }
    }
    form.summarise();
    refused(&edit_page(&app, &signed, operator, form)?)
}

/// What is on record now beside what was about to be.
fn both(
    app: &App,
    signed: &Signed,
    now: Operator,
    form: Form,
    conflict: &Conflict,
) -> Result<Response, ConsoleError> {
    let area = area_name(app, form.get("area"))?.unwrap_or_default();
    let mut sides = vec![
        Side::new("label.name", &now.name, form.get("name")),
        Side::new("label.uscc", &now.uscc, form.get("uscc")),
        Side::new("label.area", &now.area_name, area),
        Side::new("label.address", &now.address, form.get("address")),
        Side::new("label.contact_name", &now.contact_name, form.get("contact_name")),
        Side::new("label.contact_phone", &now.contact_phone, form.get("contact_phone")),
        Side::new("label.status", now.status.word(), now.status.word()),
    ];
    sides.retain(|side| side.theirs != side.yours);
    let (keep, action) = (format!("/operators/{}", now.id), format!("/operators/{}/edit", now.id));
    let clash = Clash::new(conflict, &form, &keep, &action, sides);
    clashed(&EditPage { clash: Some(clash), ..edit_page(app, signed, now, form)? })
}
