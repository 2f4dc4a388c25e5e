//! The agencies to begin with: what a county needs as a rule, to be ticked and named, so
//! that nobody types a form for each township.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use tianyin_domain::agency::{self, AddAgency, AgencyKind};
use tianyin_domain::command::Command;

use super::agencies;
use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::Form;
use super::page::{Page, html, refused};
use super::session::{Posted, Signed, done};
use crate::app::{App, AppError};
use crate::regions;
use crate::texts::tf;

/// The county's own bodies, and the rule by which each is named.
const COUNTY_BODIES: [(AgencyKind, &str); 3] = [
    (AgencyKind::Supervision, "agencies.rule_supervision"),
    (AgencyKind::Testing, "agencies.rule_testing"),
    (AgencyKind::Enforcement, "agencies.rule_enforcement"),
];

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/agencies/start", get(show).post(add))
}

/// An agency that is not there yet.
struct Suggestion {
    /// Names it in the form.
    key: String,
    kind: AgencyKind,
    area: String,
    name: String,
    ticked: bool,
    /// Why it was not added.
    error: Option<String>,
}

impl Suggestion {
    fn new(key: &str, kind: AgencyKind, area: &str, name: String) -> Self {
        let (key, area) = (key.to_owned(), area.to_owned());
        Self { key, kind, area, name, ticked: true, error: None }
    }

    fn field(&self) -> String {
        format!("name_{}", self.key)
    }
}

#[derive(Template)]
#[template(path = "agencies/start.html")]
struct StartPage {
    page: Page,
    rows: Vec<Suggestion>,
    form: Form,
    /// Whether it is the second step of the first run: there is no agency yet.
    first: bool,
}

/// What is missing: bodies of the county that it has none of, stations of townships without one.
fn missing(app: &App) -> Result<Vec<Suggestion>, ConsoleError> {
    let Some(county) = app.county()? else { return Ok(Vec::new()) };
    let known = agencies::every(app)?;
    let has = |kind, area: &str| known.iter().any(|one| one.kind == kind && one.area == area);
    let mut rows = Vec::new();
    for (kind, rule) in COUNTY_BODIES {
        if !has(kind, &county.area) {
            let name = tf(rule, [("place", county.name.as_str())]);
            rows.push(Suggestion::new(&format!("c{}", rows.len()), kind, &county.area, name));
        }
    }
    for town in regions::townships(&county.area) {
        if !has(AgencyKind::Station, town.code) {
            let name = tf("agencies.rule_station", [("place", town.name)]);
            rows.push(Suggestion::new(town.code, AgencyKind::Station, town.code, name));
        }
    }
    Ok(rows)
}

async fn show(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    signed.administrator_only()?;
    html(&start_page(&app, &signed, missing(&app)?, Form::default())?)
}

/// Adds what is ticked; what was added is missing no more, so the page can be sent again.
async fn add(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    signed.administrator_only()?;
    let mut left = Vec::new();
    for mut row in missing(&app)? {
        row.ticked = form.all("agency").any(|key| key == row.key);
        row.name = form.get(&row.field()).to_owned();
        if row.ticked {
            row.error = add_one(&app, &signed, &row).await?;
            if row.error.is_none() {
                continue;
            }
            form.bad_text(&row.field(), row.error.clone().unwrap_or_default());
        }
        left.push(row);
    }
    if form.is_good() {
        return Ok(done("/agencies", "agencies.started"));
    }
    form.summarise();
    refused(&start_page(&app, &signed, left, form)?)
}

fn start_page(
    app: &App,
    signed: &Signed,
    rows: Vec<Suggestion>,
    form: Form,
) -> Result<StartPage, ConsoleError> {
    let page = Page::new(app, signed, "/agencies", "agencies.start");
    let first = app.store.count(agency::ALL, "")? == 0;
    Ok(StartPage { page, rows, form, first })
}

/// Why it was not added, if the person can mend it.
async fn add_one(
    app: &App,
    signed: &Signed,
    row: &Suggestion,
) -> Result<Option<String>, ConsoleError> {
    let (name, kind, area) = (row.name.clone(), row.kind, row.area.clone());
    let command = Command::AddAgency(AddAgency { name, kind, area });
    match app.submit(signed.actor(), command).await {
        Ok(_) => Ok(None),
        Err(error @ AppError::Domain(_)) => {
            let mut told = Form::default();
            told.refused(error)?;
            let faults = told.faults();
            let text = faults.into_iter().next().map(|fault| fault.text).or(told.summary);
            Ok(Some(text.unwrap_or_default()))
        }
        Err(error) => Err(error.into()),
    }
}
