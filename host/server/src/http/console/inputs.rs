//! The catalogue of inputs: the list, one input with its versions, and its history.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use serde::Deserialize;
use tianyin_domain::history::CHANGES_MAX;
use tianyin_domain::input::{self, Input, InputKind};
use tianyin_domain::time::china_date;
use tianyin_domain::user::User;
use tianyin_domain::{Date, Scope, State as Records};

use super::clash::Clash;
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::page::{Chip, Page, Pager, html};
use super::read;
use super::session::{Signed, encode};
use crate::app::bans::Bar;
use crate::app::catalogue::{InputState, Wanted};
use crate::app::conflict::Change;
use crate::app::{App, AppError};
use crate::edge::now;
use crate::texts::{t, tf};

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/inputs", get(list).post(super::input_edit::add))
        .route("/inputs/{id}", get(detail))
        .route("/inputs/{id}/history", get(history))
}

/// What the address of the list may ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CatalogueQuery {
    q: String,
    kind: String,
    state: String,
    /// Rows passed over.
    after: Option<usize>,
}

impl CatalogueQuery {
    fn wanted(&self) -> Wanted<'_> {
        let word = |text: &str| serde_json::Value::String(text.to_owned());
        Wanted {
            text: &self.q,
            kind: serde_json::from_value(word(&self.kind)).ok(),
            state: serde_json::from_value(word(&self.state)).ok(),
            registration_no: "",
        }
    }

    /// Address of the list with this state in place of the query's.
    fn address(&self, state: &str) -> String {
        let fields = [("q", self.q.as_str()), ("kind", self.kind.as_str()), ("state", state)];
        let given = fields.iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = given.map(|(k, v)| format!("{k}={}", encode(v))).collect();
        if pairs.is_empty() { "/inputs".into() } else { format!("/inputs?{}", pairs.join("&")) }
    }
}

/// An input as a list shows it.
struct Row {
    input: Input,
    ended: bool,
    bars: Vec<String>,
}

#[derive(Template)]
#[template(path = "inputs/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    kinds: Vec<Choice>,
    query: CatalogueQuery,
}

impl ListPage {
    fn is_narrowed(&self) -> bool {
        self.query.address(&self.query.state) != "/inputs"
    }
}

/// The catalogue belongs to the county: everybody reads all of it.
async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<CatalogueQuery>,
) -> Answer {
    let today = china_date(now());
    let found = app.find_inputs(&query.wanted(), today)?;
    let after = query.after.unwrap_or(0);
    let mut rows = Vec::with_capacity(read::ROWS);
    for id in found.iter().skip(after).take(read::ROWS) {
        rows.extend(app.store.get::<Input>(id)?.map(|input| row(&app, input, today)));
    }
    let end = after.saturating_add(read::ROWS);
    let next = (end < found.len()).then(|| end.to_string());
    let reached = query.after.map(|n| n.to_string());
    let address = query.address(&query.state);
    let pager = Pager::new(&address, reached.as_deref(), rows.len(), next.as_deref());
    let chips = chips(&app, &query, today)?;
    let mut kinds = Choice::words(&InputKind::ALL);
    kinds.insert(0, Choice::new("", t("inputs.every_kind")));
    let page = Page::new(&app, &signed, "/inputs", "inputs.title");
    html(&ListPage { page, rows, pager, chips, kinds, query })
}

fn row(app: &App, input: Input, today: Date) -> Row {
    let bars = app.bars(&input.substances, today).iter().map(bar_text).collect();
    Row { ended: input.ended && input.has_begun(today), bars, input }
}

fn chips(app: &App, query: &CatalogueQuery, today: Date) -> Result<Vec<Chip>, ConsoleError> {
    let states = InputState::ALL.map(|state| (Some(state), state.api_word(), state.word()));
    let all = [(None, String::new(), t("lists.all").to_owned())];
    let mut chips = Vec::new();
    for (state, word, text) in all.into_iter().chain(states) {
        let count = app.find_inputs(&Wanted { state, ..query.wanted() }, today)?.len() as u64;
        let (href, on) = (query.address(&word), query.state == word);
        chips.push(Chip { href, text, count: Some(count), on });
    }
    Ok(chips)
}

/// A ban of a substance in words.
pub(super) fn bar_text(bar: &Bar) -> String {
    let from = bar.from.map(|day| day.to_string()).unwrap_or_default();
    let everywhere = t("bans.everywhere");
    let scope = if bar.scope.is_empty() { everywhere } else { bar.scope.as_str() };
    let basis = format!("{}{}", bar.basis, bar.mark.remark());
    let key = match (bar.to_come, bar.from) {
        (true, _) => "bans.bar_to_come",
        (false, Some(_)) => "bans.bar_since",
        (false, None) => "bans.bar",
    };
    tf(
        key,
        [
            ("substance", bar.substance.as_str()),
            ("scope", scope),
            ("from", &from),
            ("basis", &basis),
        ],
    )
}

/// A version as the page lists it.
struct Version {
    input: Input,
    /// Whether it holds today.
    holds: bool,
    /// Who answers for it.
    by: String,
}

#[derive(Template)]
#[template(path = "inputs/detail.html")]
pub(super) struct DetailPage {
    page: Page,
    input: Input,
    /// The version that holds today, where one does.
    today: Option<Input>,
    /// Of the record, for the forms of this page.
    version: u64,
    versions: Vec<Version>,
    bars: Vec<String>,
    state: InputState,
    close: Form,
    pub clash: Option<Clash>,
}

impl DetailPage {
    /// What the newest version says that holds later only.
    fn is_to_come(&self) -> bool {
        self.today.as_ref().is_none_or(|today| today.version != self.input.version)
    }
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    html(&shown(&app, &signed, &id, Form::default())?)
}

pub(super) fn shown(
    app: &App,
    signed: &Signed,
    id: &str,
    mut close: Form,
) -> Result<DetailPage, ConsoleError> {
    // Read before the record: a change in between makes the version too old, never too new.
    let version = app.store.version(&format!("input/{id}"))?;
    let input = find(app, id)?;
    let day = china_date(now());
    let state: &dyn Records = &app.store;
    let all = input::versions(state, id)?;
    let today = input::on_day(&all, day).cloned();
    if close.get("ended_on").is_empty() {
        close.set("ended_on", day.to_string());
    }
    let holds = today.as_ref().map(|one| one.version);
    let versions = all.into_iter().map(|one| Version {
        by: reviewer(app, &one),
        holds: Some(one.version) == holds,
        input: one,
    });
    let told = today.as_ref().unwrap_or(&input);
    let bars = app.bars(&told.substances, day).iter().map(bar_text).collect();
    let ended = today.as_ref().is_some_and(|one| one.ended);
    Ok(DetailPage {
        page: Page::new(app, signed, "/inputs", "inputs.title").titled(input.name.clone()),
        versions: versions.collect(),
        state: if ended { InputState::Ended } else { InputState::Current },
        close: close.called("close").of("input"),
        clash: None,
        version,
        bars,
        today,
        input,
    })
}

/// Everybody who is signed in may read the catalogue.
pub(super) fn find(app: &App, id: &str) -> Result<Input, ConsoleError> {
    let found = app.store.get_scoped(id, &Scope::everything())?;
    found.ok_or_else(|| ConsoleError::not_found("input", id))
}

/// The name of who answers for a version; empty where it is not known.
fn reviewer(app: &App, version: &Input) -> String {
    match version.reviewed_by.strip_prefix("user/") {
        Some(id) => app.store.get::<User>(id).ok().flatten().map(|u| u.name).unwrap_or_default(),
        None => String::new(),
    }
}

#[derive(Template)]
#[template(path = "inputs/history.html")]
struct HistoryPage {
    page: Page,
    input: Input,
    changes: Vec<Change>,
}

async fn history(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let input = find(&app, &id)?;
    let reading = app.clone();
    let changes =
        tokio::task::spawn_blocking(move || reading.history(&format!("input/{id}"), CHANGES_MAX));
    let changes = changes.await.map_err(AppError::internal)??;
    let page = Page::new(&app, &signed, "/inputs", "inputs.history");
    html(&HistoryPage { page, input, changes })
}
