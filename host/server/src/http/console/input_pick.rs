//! The input of a production record: offered are those that the operator used last, then the catalogue;
//! of a large catalogue, what a search finds.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use tianyin_domain::activity::{self, Activity};
use tianyin_domain::input::Input;
use tianyin_domain::time::china_date;

use super::error::{Answer, ConsoleError};
use super::filters::Word as _;
use super::form::{Choice, Field, Form};
use super::page::html;
use super::read;
use super::session::Signed;
use crate::app::App;
use crate::app::catalogue::{InputState, Wanted};
use crate::edge::now;
use crate::texts::t;

/// Records of the operator looked at for what it used last.
const RECENT: usize = 50;
/// Inputs offered.
const OFFERED: usize = 200;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/inputs/choices", get(search))
}

#[derive(Template)]
#[template(source = "{{ field }}", ext = "html")]
struct Found {
    field: Field,
}

/// The list to choose from, anew for what is typed.
async fn search(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(fields): Query<Vec<(String, String)>>,
) -> Answer {
    let form = Form::sent(fields).of("activity");
    html(&Found { field: field(&app, &signed, form.get("operator"), &form)? })
}

/// The field of the form, for an operator.
pub(super) fn field(
    app: &App,
    signed: &Signed,
    operator: &str,
    form: &Form,
) -> Result<Field, ConsoleError> {
    let (text, today) = (form.get("input_q"), china_date(now()));
    let mut ids = Vec::new();
    if text.is_empty() {
        let part = (activity::BY_OPERATOR, operator);
        let recent: Vec<Activity> = read::newest(app, signed, part, RECENT)?;
        ids.extend(recent.into_iter().filter_map(|one| Some(one.input?.input)));
    }
    // Whoever searches may mean one that was registered when it was used.
    let state = text.is_empty().then_some(InputState::Current);
    ids.extend(app.find_inputs(&Wanted { text, state, ..Wanted::default() }, today)?);
    ids.extend(form.optional("input"));
    let mut choices = vec![Choice::new("", t("forms.none"))];
    for id in ids {
        let chosen = form.get("input") == id;
        let known = choices.iter().any(|choice| choice.value == id);
        if known || (choices.len() > OFFERED && !chosen) {
            continue;
        }
        if let Some(input) = app.store.get::<Input>(&id)? {
            let ended = input.ended && input.has_begun(today);
            let word = if ended { t("inputs.ended").to_owned() } else { input.kind.word() };
            choices.push(Choice::new(&input.id, format!("{} ({word})", input.name)));
        }
    }
    // The first that a search finds is what was meant, more often than not.
    let mut form = form.clone();
    if let (false, "", Some(first)) = (text.is_empty(), form.get("input"), choices.get(1)) {
        form.set("input", first.value.clone());
    }
    Ok(form.select("input", &choices).hint("activities.input_hint"))
}
