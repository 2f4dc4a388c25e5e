//! Cells of grid supervision (网格, R-090).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::routing::{get, post, put};
use serde::Deserialize;
use tianyin_domain::cell::{self, Cell, CellData, ChangeCell, EndCell};
use tianyin_domain::command::Command;
use tianyin_domain::operator::Operator;

use super::Answer;
use super::list::{self, Listing};
use super::request::{Body, Caller, IfMatch, Key, RawParameters};
use super::route::{Good, Route, Shown, made, one, show, shown_version};
use super::schema::Kind::{Boolean, List, Text, Time};
use super::schema::{Described, Schema, opt, req};
use super::shapes::shape;
use crate::app::App;
use crate::http::Problem;

const CELL: Schema = shape!(
    "Cell",
    "A cell of grid supervision (网格).",
    [
        req("id", Text, "Id, `cel_…`."),
        req("name", Text, "Name."),
        req("area", Text, "Township, or village."),
        req("whole", Boolean, "It has every operator of the township that no other cell names."),
        req("operators", List(&Text), "Operators it names."),
        opt("user", Text, "Who answers for it, with an account."),
        opt("person", Text, "The same by name, without an account."),
        opt("phone", Text, "Office phone that is posted for the cell."),
        opt("agency", Text, "Supervising agency; absent for the county's supervision."),
        req("since", Time, "When it was made."),
        opt("ended", Text, "Why it ended; absent while it is in force."),
    ]
);

impl Shown for Cell {
    const SCHEMA: &'static Schema = &CELL;
    const PATH: &'static str = "/cells";
}

const LISTING: Listing = Listing {
    all: Some((cell::BY_STATUS, "")),
    filters: &[],
    switches: &[],
    search: &["/name", "/person"],
    newest_first: false,
    county_wide: false,
};

/// The fields of a cell.
macro_rules! fields {
    ($name:literal, $about:literal $(, $more:expr)*) => {
        shape!(
            $name,
            $about,
            [
                req("name", Text, "Name, unique, at most 32 characters."),
                req("area", Text, "Township (9 digits) or village (12 digits)."),
                opt("whole", Boolean, "Every operator of the township that no other cell names."),
                opt("operators", List(&Text), "Operators it names; of no other cell."),
                opt("user", Text, "Who answers for it, with an account."),
                opt("person", Text, "The same by name, without an account."),
                opt("phone", Text, "Office phone, needed with `person`."),
                opt("agency", Text, "Supervising agency; the county's supervision when absent."),
                $($more,)*
            ]
        )
    };
}

impl Described for CellData {
    const SCHEMA: Schema = fields!("AddCell", "A cell to add.");
}

/// A cell as it is to be.
#[derive(Deserialize)]
struct Change {
    name: String,
    area: String,
    #[serde(default)]
    whole: bool,
    #[serde(default)]
    operators: BTreeSet<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    person: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    agency: Option<String>,
    reason: String,
}

impl Described for Change {
    const SCHEMA: Schema =
        fields!("ChangeCell", "A cell as it is to be.", req("reason", Text, "Reason."));
}

/// Why a cell ends.
#[derive(Deserialize)]
struct End {
    reason: String,
}

impl Described for End {
    const SCHEMA: Schema = shape!("EndCell", "Why a cell ends.", [req("reason", Text, "Reason.")]);
}

pub(super) fn routes() -> Vec<Route> {
    let schema = Cell::SCHEMA;
    vec![
        Route::get("/cells", "Lists cells in force.", Good::Page(schema), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/cells", "Adds a cell.", Good::Made(schema), post(add)).body::<CellData>(),
        Route::get("/cells/{id}", "Shows a cell.", Good::Object(schema), get(show_one)).versioned(),
        Route::put("/cells/{id}", "Changes a cell.", Good::Made(schema), put(change))
            .body::<Change>()
            .versioned(),
        Route::post("/cells/{id}/end", "Ends a cell.", Good::Made(schema), post(end)).body::<End>(),
        Route::get(
            "/operators/{id}/cell",
            "Shows the cell that an operator is in.",
            Good::Object(schema),
            get(of_operator),
        ),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    caller.staff_only()?;
    list::page::<Cell>(&app, &caller, &LISTING, query)
}

async fn show_one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.staff_only()?;
    shown_version::<Cell>(&app, &caller, &id)
}

/// An operator may know who answers for it, also when the cell is of others' sight.
async fn of_operator(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    let operator: Operator = one(&app, &caller, &id)?;
    let found = cell::of_operator(&app.store, &operator)?.ok_or_else(Problem::not_found)?;
    Ok(Json(show(&found)?).into_response())
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(data): Body<CellData>,
) -> Answer {
    let outcome = app.submit_keyed(caller.actor(), Command::AddCell(data), key).await?;
    made::<Cell>(&app, &caller, &outcome)
}

async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(cell): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(body): Body<Change>,
) -> Answer {
    let seen = version.of(format!("cell/{cell}"));
    let Change { name, area, whole, operators, user, person, phone, agency, reason } = body;
    let data = CellData { name, area, whole, operators, user, person, phone, agency };
    let command = Command::ChangeCell(ChangeCell { cell, data, reason });
    let outcome = app.submit_based(caller.actor(), command, key, &seen).await?;
    made::<Cell>(&app, &caller, &outcome)
}

async fn end(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(cell): Path<String>,
    Key(key): Key,
    Body(body): Body<End>,
) -> Answer {
    let command = Command::EndCell(EndCell { cell, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Cell>(&app, &caller, &outcome)
}
