//! The catalogue of inputs, with the interval of each registered use.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use tianyin_domain::Scope;
use tianyin_domain::command::Command;
use tianyin_domain::input::{self, AddInput, Input, InputKind, RegisteredUse};

use super::error::Answer;
use super::filters;
use super::form::{Choice, Form};
use super::order::{self, Order};
use super::page::{Page, Pager, html, refused};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done};
use crate::app::App;

/// Lines for registered uses on the form.
const USE_LINES: usize = 4;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/inputs", get(list).post(add)).route("/inputs/new", get(new))
}

#[derive(Template)]
#[template(path = "inputs/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Input>,
    pager: Pager,
    order: Order,
}

#[derive(Template)]
#[template(path = "inputs/new.html")]
struct NewPage {
    page: Page,
    form: Form,
    kinds: Vec<Choice>,
    lines: Vec<String>,
}

/// The catalogue belongs to the county: everybody reads all of it.
async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let scope = Scope::everything();
    let part = (input::ALL, "");
    let order = Order::of(order::BY_NAME, &query.sort, "/inputs");
    let found = read::rows::<Input>(&app, &scope, part, &order, query.after.as_deref())?;
    let page = Page::new(&app, &signed, "/inputs", "inputs.title");
    html(&ListPage { page, rows: found.items, pager: found.pager, order })
}

async fn new(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    signed.staff_only()?;
    html(&new_page(&app, &signed, Form::default()))
}

fn new_page(app: &App, signed: &Signed, form: Form) -> NewPage {
    NewPage {
        page: Page::new(app, signed, "/inputs", "inputs.new"),
        form: form.of("input"),
        kinds: Choice::words(&InputKind::ALL),
        lines: (0..USE_LINES).map(|n| n.to_string()).collect(),
    }
}

async fn add(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    signed.staff_only()?;
    let name = form.text_of("name");
    let kind: Option<InputKind> = form.choice_of("kind");
    let uses = uses_of(&mut form);
    if let (Some(kind), true) = (kind, form.is_good()) {
        // People part names with ASCII and with full-width commas alike.
        let parts = |c: char| matches!(c, ',' | ';' | '\u{3001}' | '\u{FF0C}' | '\u{FF1B}' | '\n');
        let substances = form
            .get("substances")
            .split(parts)
            .map(str::trim)
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect();
        let registration_no = form.get("registration_no").to_owned();
        let command = AddInput { name, kind, registration_no, substances, uses };
        match app.submit_keyed(signed.actor(), Command::AddInput(command), form.once()).await {
            Ok(_) => return Ok(done("/inputs", "inputs.added")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&new_page(&app, &signed, form))
}

/// Registered uses from the lines of the form; a line without an interval is not used.
fn uses_of(form: &mut Form) -> Vec<RegisteredUse> {
    let mut uses = Vec::new();
    for n in 0..USE_LINES {
        let days = form.get(&format!("interval_{n}")).to_owned();
        let crop = form.get(&format!("crop_{n}")).to_owned();
        let dose = form.get(&format!("dose_{n}")).to_owned();
        if days.is_empty() {
            if !crop.is_empty() || !dose.is_empty() {
                form.bad("uses", "bad_interval");
            }
            continue;
        }
        match days.parse() {
            Ok(interval_days) => uses.push(RegisteredUse { crop, interval_days, dose }),
            Err(_) => form.bad("uses", "bad_interval"),
        }
    }
    uses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_uses_and_a_line_without_interval_is_a_fault() {
        let line = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let mut form = Form::sent(vec![
            line("crop_0", "lotus"),
            line("interval_0", "14"),
            line("interval_2", "7"),
        ]);
        let uses = uses_of(&mut form);
        assert_eq!(uses.len(), 2);
        assert_eq!((uses[0].crop.as_str(), uses[0].interval_days), ("lotus", 14));
        assert!(uses[1].crop.is_empty() && form.is_good());
        let mut form = Form::sent(vec![line("crop_1", "rice")]);
        assert!(uses_of(&mut form).is_empty() && !form.is_good());
    }
}
