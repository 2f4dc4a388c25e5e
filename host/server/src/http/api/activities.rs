//! Production records (生产记录): append-only.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::activity::{self, Activity, RecordActivity};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Date, Few, Object, Text};
use super::schema::{Described, Schema, line, opt, req};
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
