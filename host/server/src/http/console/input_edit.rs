//! Adding an input to the catalogue, revising it, and noting that its registration ends.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use tianyin_domain::DomainError;
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::input::{
    AddInput, CloseInput, Input, InputKind, RegisteredUse, ReviseInput, USES_MAX,
};
use tianyin_domain::time::china_date;

use super::clash::{Clash, Side, clashed, seen};
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::inputs::{find, shown};
use super::page::{Page, html, refused};
use super::session::{Posted, Signed, done, not_done};
use crate::app::catalogue_rows::substances_of;
use crate::app::input_words::uses_text;
use crate::app::{App, AppError, Conflict};
use crate::edge::now;
use crate::texts::t;

/// Empty lines for registered uses on a form; a script adds more.
const LINES_MORE: usize = 4;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/inputs/new", get(new))
        .route("/inputs/{id}/edit", get(edit).post(revise))
        .route("/inputs/{id}/close", post(close))
}

#[derive(Template)]
#[template(path = "inputs/edit.html")]
struct EditPage {
    page: Page,
    /// What is revised; `None` for a new one.
    input: Option<Input>,
    form: Form,
    kinds: Vec<Choice>,
    lines: Vec<String>,
    clash: Option<Clash>,
}

impl EditPage {
    fn action(&self) -> String {
        self.input.as_ref().map_or("/inputs".into(), |input| format!("/inputs/{}/edit", input.id))
    }

    fn back(&self) -> String {
        self.input.as_ref().map_or("/inputs".into(), |input| format!("/inputs/{}", input.id))
    }

    fn lines_max(&self) -> usize {
        USES_MAX
    }
}

fn allowed(signed: &Signed, command: CommandKind) -> Result<(), ConsoleError> {
    if signed.may(command) { Ok(()) } else { Err(ConsoleError::forbidden()) }
}

async fn new(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    allowed(&signed, CommandKind::AddInput)?;
    html(&edit_page(&app, &signed, None, Form::default()))
}

fn edit_page(app: &App, signed: &Signed, input: Option<Input>, form: Form) -> EditPage {
    let title = if input.is_some() { "inputs.edit" } else { "inputs.new" };
    let used = (0..USES_MAX).rev().find(|n| !line_of(&form, *n).is_empty()).map_or(0, |n| n + 1);
    let lines = (used + LINES_MORE).min(USES_MAX);
    EditPage {
        page: Page::new(app, signed, "/inputs", title),
        form: form.of("input"),
        kinds: Choice::words(&InputKind::ALL),
        lines: (0..lines).map(|n| n.to_string()).collect(),
        clash: None,
        input,
    }
}

pub(super) async fn add(
    State(app): State<Arc<App>>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    allowed(&signed, CommandKind::AddInput)?;
    if let Some(data) = input_of(&mut form) {
        let command = Command::AddInput(data);
        match app.submit_input(signed.actor(), command, form.once(), &[]).await {
            Ok(outcome) => return Ok(done(&format!("/inputs/{}", outcome.id), "inputs.added")),
            Err(error) => not_taken(&mut form, error)?,
        }
    }
    form.summarise();
    refused(&edit_page(&app, &signed, None, form))
}

async fn edit(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    allowed(&signed, CommandKind::ReviseInput)?;
    // Read before the record: a change in between makes the version too old, never too new.
    let version = app.store.version(&format!("input/{id}"))?;
    let input = find(&app, &id)?;
    let form = form_of(&input, version);
    html(&edit_page(&app, &signed, Some(input), form))
}

/// What is on record, to be changed; a new label usually holds from today.
fn form_of(input: &Input, version: u64) -> Form {
    let mut form = Form::default();
    form.set("version", version.to_string());
    form.set("name", &input.name);
    form.set("kind", input.kind.api_word());
    form.set("registration_no", &input.registration_no);
    form.set("substances", input.substances.join(t("lists.and")));
    form.set("valid_from", china_date(now()).to_string());
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    for (n, one) in input.uses.iter().enumerate() {
        form.set(&format!("crop_{n}"), &one.crop);
        form.set(&format!("dose_{n}"), &one.dose);
        form.set(&format!("interval_{n}"), number(one.interval_days));
        form.set(&format!("degree_{n}"), number(one.interval_degree_days));
        form.set(&format!("season_{n}"), number(one.max_uses));
    }
    form
}

async fn revise(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    allowed(&signed, CommandKind::ReviseInput)?;
    let input = find(&app, &id)?;
    let reason = form.text_of("reason");
    form.text_of("source");
    if let Some(data) = input_of(&mut form) {
        let seen = seen(&form, format!("input/{id}"));
        let command = Command::ReviseInput(ReviseInput { input: id.clone(), data, reason });
        match app.submit_input(signed.actor(), command, form.once(), &seen).await {
            Ok(_) => return Ok(done(&format!("/inputs/{id}"), "inputs.revised")),
            Err(AppError::Conflict(conflict)) => {
                return both(&app, &signed, input, form, &conflict);
            }
            Err(error) => not_taken(&mut form, error)?,
        }
    }
    form.summarise();
    refused(&edit_page(&app, &signed, Some(input), form))
}

/// Puts a refusal beside the field that it is about.
fn not_taken(form: &mut Form, error: AppError) -> Result<(), ConsoleError> {
    match error {
        AppError::Domain(e) if e.code() == "registration_taken" => {
            form.bad_text("registration_no", AppError::Domain(e).detail());
            Ok(())
        }
        error => form.refused(error),
    }
}

/// What is on record now beside what was about to be.
fn both(
    app: &App,
    signed: &Signed,
    now: Input,
    mut form: Form,
    conflict: &Conflict,
) -> Result<Response, ConsoleError> {
    let kind: Option<InputKind> = form.choice_of("kind");
    let mine = uses_text(&uses_of(&mut form));
    let mut sides = vec![
        Side::new("label.input_name", &now.name, form.get("name")),
        Side::new("label.kind", now.kind.word(), kind.map(|k| k.word()).unwrap_or_default()),
        Side::new("label.registration_no", &now.registration_no, form.get("registration_no")),
        Side::new("label.substances", now.substances.join(t("lists.and")), form.get("substances")),
        Side::new("label.uses", uses_text(&now.uses), mine),
        Side::new(
            "label.input_valid_from",
            now.valid_from.map(|day| day.to_string()).unwrap_or_default(),
            form.get("valid_from"),
        ),
    ];
    sides.retain(|side| side.theirs != side.yours);
    let (keep, action) = (format!("/inputs/{}", now.id), format!("/inputs/{}/edit", now.id));
    let clash = Clash::new(conflict, &form, &keep, &action, sides);
    clashed(&EditPage { clash: Some(clash), ..edit_page(app, signed, Some(now), form) })
}

async fn close(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    allowed(&signed, CommandKind::CloseInput)?;
    let (reason, ended_on) = (form.text_of("reason"), form.date_of("ended_on"));
    if let (Some(ended_on), true) = (ended_on, form.is_good()) {
        let seen = seen(&form, format!("input/{id}"));
        let told = reason.clone();
        let command = Command::CloseInput(CloseInput { input: id.clone(), ended_on, reason });
        let to = format!("/inputs/{id}");
        match app.submit_input(signed.actor(), command, form.once(), &seen).await {
            Ok(_) => return Ok(done(&to, "inputs.closed")),
            Err(AppError::Conflict(conflict)) => {
                let mut page = shown(&app, &signed, &id, Form::default())?;
                let sides = vec![Side::new("label.reason", "", told)];
                let action = format!("{to}/close");
                page.clash = Some(Clash::new(&conflict, &form, &to, &action, sides));
                return clashed(&page);
            }
            Err(AppError::Domain(refusal @ DomainError::Refused { .. })) => {
                return Ok(not_done(&to, &refusal.into()));
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&shown(&app, &signed, &id, form)?)
}

/// What the form says of an input, unless something is wrong with it.
fn input_of(form: &mut Form) -> Option<AddInput> {
    let name = form.text_of("name");
    let kind: Option<InputKind> = form.choice_of("kind");
    let uses = uses_of(form);
    let (valid_from, source_on) =
        (form.optional_date("valid_from"), form.optional_date("source_on"));
    let kind = kind.filter(|_| form.is_good())?;
    Some(AddInput {
        name,
        kind,
        registration_no: form.get("registration_no").to_owned(),
        substances: substances_of(form.get("substances")),
        uses,
        valid_from,
        source: form.get("source").to_owned(),
        source_on,
    })
}

/// What a line of the form holds.
fn line_of(form: &Form, n: usize) -> String {
    let fields = ["crop", "interval", "degree", "season", "dose"];
    fields.map(|field| form.get(&format!("{field}_{n}"))).concat()
}

/// Registered uses from the lines of the form; an empty line is none.
fn uses_of(form: &mut Form) -> Vec<RegisteredUse> {
    let mut uses = Vec::new();
    for n in 0..USES_MAX {
        if line_of(form, n).is_empty() {
            continue;
        }
        let text = |field: &str| form.get(&format!("{field}_{n}")).to_owned();
        let number = |field: &str| match text(field) {
            empty if empty.is_empty() => Ok(None),
            digits => digits.parse::<u32>().map(Some),
        };
        match (number("interval"), number("degree"), number("season")) {
            (Ok(interval_days), Ok(interval_degree_days), Ok(max_uses))
                if interval_days.is_some() || interval_degree_days.is_some() =>
            {
                let (crop, dose) = (text("crop"), text("dose"));
                uses.push(RegisteredUse {
                    crop,
                    interval_days,
                    dose,
                    interval_degree_days,
                    max_uses,
                });
            }
            (_, _, Err(_)) => form.bad("uses", "bad_max_uses"),
            (_, Err(_), _) => form.bad("uses", "bad_degree_days"),
            _ => form.bad("uses", "bad_interval"),
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
            line("season_0", "2"),
            line("interval_2", "7"),
            line("crop_5", "carp"),
            line("degree_5", "500"),
        ]);
        let uses = uses_of(&mut form);
        assert_eq!(uses.len(), 3);
        assert_eq!((uses[0].crop.as_str(), uses[0].interval_days), ("lotus", Some(14)));
        assert_eq!((uses[0].max_uses, uses[2].interval_degree_days), (Some(2), Some(500)));
        assert!(uses[1].crop.is_empty() && form.is_good());
        for bad in [line("crop_1", "rice"), line("interval_1", "x"), line("degree_1", "-1")] {
            let mut form = Form::sent(vec![bad]);
            assert!(uses_of(&mut form).is_empty() && !form.is_good());
        }
    }
}
