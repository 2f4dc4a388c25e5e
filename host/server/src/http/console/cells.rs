//! Grid supervision (网格, R-090): every cell, how the townships are covered, and the holes.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use tianyin_domain::Scope;
use tianyin_domain::code::grouped;
use tianyin_domain::command::CommandKind;
use tianyin_domain::operator::Operator;

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::page::{Page, html};
use super::read::ListQuery;
use super::session::Signed;
use super::sheet::{Format, Outgoing, hand_out};
use crate::app::grid::{Grid, InGrid, Township};
use crate::app::{App, AppError};
use crate::http::ClientAddr;
use crate::texts::t;

/// Operators without a cell on the page; all of them are in the file.
const UNCOVERED_SHOWN: usize = 100;
/// Width of a township's bar.
const BAR: u64 = 200;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/cells", get(list)).route("/cells/export.csv", get(export))
}

/// Refuses whoever has no area to look after: producers, people of service points.
pub fn allowed(signed: &Signed) -> Result<(), ConsoleError> {
    signed.staff_only()?;
    if signed.scope().area.is_some() { Ok(()) } else { Err(ConsoleError::forbidden()) }
}

/// A township's operators as a bar: its parts as they follow each other.
struct Bar {
    township: Township,
    named: u64,
    whole: u64,
    none: u64,
}

impl Bar {
    /// `most` operators are as wide as the picture.
    fn new(township: Township, most: u64) -> Self {
        // What is there at all is to be seen.
        let width = |count: u64| match count {
            0 => 0,
            count => (count * BAR / most.max(1)).max(2),
        };
        let (named, whole) = (width(township.named), width(township.whole));
        Self { named, whole, none: width(township.none), township }
    }

    fn count(&self) -> u64 {
        self.township.named + self.township.whole + self.township.none
    }
}

#[derive(Template)]
#[template(path = "cells/list.html")]
struct ListPage {
    page: Page,
    cells: Vec<InGrid>,
    bars: Vec<Bar>,
    /// Operators without a cell: how many, and the first of them.
    uncovered: usize,
    operators: Vec<Operator>,
    without_person: usize,
    gone: usize,
    /// Townships without any cell.
    empty: Vec<String>,
    may_add: bool,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    allowed(&signed)?;
    let grid = read(&app, &signed).await?;
    let mut operators = Vec::new();
    for id in grid.oldest_uncovered(UNCOVERED_SHOWN) {
        operators.extend(app.store.get::<Operator>(id)?);
    }
    let of_area = |one: &&InGrid| one.cell.data.area.starts_with(&query.area);
    let size = |one: &Township| one.named + one.whole + one.none;
    let most = grid.townships.iter().map(size).max().unwrap_or(0);
    let empty = grid.townships.iter().filter(|one| one.cells == 0).map(|one| one.name.clone());
    html(&ListPage {
        page: Page::new(&app, &signed, "/cells", "cells.title"),
        uncovered: grid.uncovered.len(),
        operators,
        without_person: grid.cells.iter().filter(|one| one.person.name.is_empty()).count(),
        gone: grid.cells.iter().filter(|one| one.person.gone).count(),
        empty: empty.collect(),
        cells: grid.cells.iter().filter(of_area).cloned().collect(),
        bars: grid.townships.into_iter().map(|one| Bar::new(one, most)).collect(),
        may_add: signed.may(CommandKind::AddCell),
    })
}

/// Reads on a thread of its own: names are read from the store at the first use.
async fn read(app: &Arc<App>, signed: &Signed) -> Result<Grid, ConsoleError> {
    let (reading, scope) = (app.clone(), signed.scope());
    let grid = tokio::task::spawn_blocking(move || reading.grid(&scope));
    Ok(grid.await.map_err(AppError::internal)??)
}

/// Every operator on the register with its cell and who answers for it, as far as the person sees it.
async fn export(
    State(app): State<Arc<App>>,
    signed: Signed,
    ClientAddr(address): ClientAddr,
) -> Answer {
    allowed(&signed)?;
    let keys = [
        "cells.township",
        "cells.one",
        "cells.agency",
        "cells.person",
        "cells.phone",
        "cells.operator",
        "operators.code",
        "th.kind",
    ];
    let list = Outgoing {
        stem: "grid-list",
        asked: String::new(),
        title: t("cells.title"),
        headings: keys.map(|key| t(key).to_owned()).into(),
    };
    let (reading, scope) = (app.clone(), signed.scope());
    let rows = move || export_rows(&reading, &scope);
    hand_out(&app, &signed, address, Format::Csv, list, rows).await
}

fn export_rows(app: &App, scope: &Scope) -> Result<Vec<Vec<String>>, ConsoleError> {
    let grid = app.grid(scope)?;
    let cell_of: HashMap<&String, usize> =
        grid.covered.iter().map(|(id, place)| (id, *place)).collect();
    let mut ids: Vec<&String> = cell_of.keys().copied().chain(&grid.uncovered).collect();
    ids.sort_unstable();
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(operator) = app.store.get::<Operator>(id)? else { continue };
        rows.push(row(&operator, cell_of.get(id).map(|place| &grid.cells[*place])));
    }
    rows.sort();
    Ok(rows)
}

fn row(operator: &Operator, cell: Option<&InGrid>) -> Vec<String> {
    let of_cell = cell.map(|one| {
        let agency = match one.agency.is_empty() {
            true => t("cells.county_itself").to_owned(),
            false => one.agency.clone(),
        };
        [one.cell.data.name.clone(), agency, one.person.name.clone(), one.cell.data.phone.clone()]
    });
    let mut row = vec![operator.area_name.clone()];
    row.extend(of_cell.unwrap_or_default());
    row.extend([operator.name.clone(), grouped(&operator.code), operator.kind.word()]);
    row
}
