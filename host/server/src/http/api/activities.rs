//! Production records (生产记录): added, corrected by another, struck out; never removed.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::activity::{self, Activity, CorrectActivity, RecordActivity, StrikeActivity};
use tianyin_domain::command::Command;

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Date, Few, Object, Text, Whole};
use super::schema::{Described, Schema, filled, line, opt, req};
use super::shapes::{ACTIVITY_KIND, ATTACHMENT, shape};
use crate::app::App;

const LISTING: Listing = Listing {
    all: Some((activity::BY_OPERATOR, "")),
    filters: &[
        Filter {
            parameter: parameter("site", Text, "Only on this site."),
            field: "/site",
            index: Some(activity::BY_SITE),
        },
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(activity::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("kind", ACTIVITY_KIND, "Only this kind."),
            field: "/kind",
            index: None,
        },
    ],
    switches: &[],
    search: &["/note", "/input/name"],
    newest_first: true,
    county_wide: false,
};

/// What a record should have been.
#[derive(Deserialize)]
struct Corrected {
    data: RecordActivity,
    reason: String,
}

impl Described for Corrected {
    const SCHEMA: Schema = shape!(
        "CorrectActivity",
        "What a record should have been, and why it was wrong.",
        [
            req("data", Object(&RecordActivity::SCHEMA), "All of it, as it should have been."),
            req("reason", filled(128), "Why it was wrong."),
        ]
    );
}

impl Described for RecordActivity {
    const SCHEMA: Schema = shape!(
        "RecordActivity",
        "A production record.",
        [
            req("site", Text, "Site."),
            req("product", Text, "Product; its crop picks the interval."),
            opt("lot", Text, "Lot, when it concerns one lot only."),
            req("kind", ACTIVITY_KIND, "Kind."),
            req("date", Date, "First day; not in the future."),
            opt("stopped_on", Date, "Last day."),
            opt("input", Text, "Input of the catalogue; must be given for a treatment."),
            opt("dose", line(64), "Dose as applied."),
            opt("note", line(256), "Remarks."),
            opt(
                "water_tenths",
                Whole(-20, 450),
                "Water temperature in tenths of a degree Celsius; with `water_quality` only."
            ),
            opt(
                "attachments",
                Few(&Object(&ATTACHMENT), 0, 9),
                "Files uploaded before, at most 9."
            ),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/activities",
            "Lists production records.",
            Good::Page(Activity::SCHEMA),
            get(list),
        )
        .query(&[&LISTING.parameters()]),
        Route::post(
            "/activities",
            "Adds a production record.",
            Good::Made(Activity::SCHEMA),
            post(add),
        )
        .body::<RecordActivity>(),
        Route::post(
            "/activities/{id}/correct",
            "Puts another record in the place of a wrong one, which stays to be read.",
            Good::Made(Activity::SCHEMA),
            post(correct),
        )
        .body::<Corrected>(),
        Route::post(
            "/activities/{id}/strike",
            "Strikes a record out, which stays to be read.",
            Good::Made(Activity::SCHEMA),
            post(strike),
        )
        .body::<Reason>(),
        Route::get(
            "/activities/{id}",
            "Shows a production record.",
            Good::Object(Activity::SCHEMA),
            get(one),
        ),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Activity>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<Activity>(&app, &caller, &id)
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<RecordActivity>,
) -> Answer {
    let outcome = app.record_activity(caller.actor(), command, key).await?;
    made::<Activity>(&app, &caller, &outcome)
}

async fn correct(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(activity): Path<String>,
    Key(key): Key,
    Body(body): Body<Corrected>,
) -> Answer {
    let command = CorrectActivity { activity, data: body.data, reason: body.reason };
    let outcome = app.correct_activity(caller.actor(), command, key).await?;
    made::<Activity>(&app, &caller, &outcome)
}

async fn strike(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(activity): Path<String>,
    Key(key): Key,
    Body(body): Body<Reason>,
) -> Answer {
    let command = Command::StrikeActivity(StrikeActivity { activity, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Activity>(&app, &caller, &outcome)
}
