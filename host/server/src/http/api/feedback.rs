//! What the public says of codes: ratings, complaints, reports of fakes. It comes in by the public page
//! alone.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::command::Command;
use tianyin_domain::feedback::{
    self, CloseFeedback, Feedback, FeedbackStatus, ModerateFeedback, OUTCOME_CHARS_MAX,
    REASON_CHARS_MAX, REPLY_CHARS_MAX,
};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Choice, Integer, Text, Time};
use super::schema::{Described, Kind, Schema, filled, line, opt, req};
use super::shapes::shape;
use crate::app::App;

const KIND: Kind = Choice(&["rating", "complaint", "fake"]);
const STATUS: Kind = Choice(&["waiting", "shown", "hidden", "closed"]);

const FEEDBACK: Schema = shape!(
    "Feedback",
    "What somebody said of a code, without a name.",
    [
        req(
            "id",
            Text,
            "Id, `fbk_…`; its last 8 characters are the reference its author was told."
        ),
        req("code", Text, "Code on the label or package."),
        req("kind", KIND, "`fake`: the label seems to be forged."),
        opt("stars", Integer, "Stars of a rating, 1 to 5."),
        opt("text", Text, "In words."),
        opt("place", Text, "Where it was bought or seen."),
        opt("lot", Text, "Lot; none for the code of an ID card."),
        req("product", Text, "Product."),
        req("operator", Text, "Operator."),
        req("area", Text, "Region code."),
        req("at", Time, "When."),
        req("status", STATUS, "`shown` and `hidden` are for ratings, `closed` for the others."),
        opt("reply", Text, "Public reply to a rating."),
        opt("reason", Text, "Why a rating is hidden."),
        opt("outcome", Text, "What came of a complaint or report."),
        opt("handled_by", Text, "Who dealt with it last."),
        opt("handled_at", Time, "When."),
    ]
);

impl Shown for Feedback {
    const SCHEMA: &'static Schema = &FEEDBACK;
    const PATH: &'static str = "/feedback";
}

/// Whether everybody may read a rating.
#[derive(Deserialize)]
struct Moderation {
    status: FeedbackStatus,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    reply: String,
}

impl Described for Moderation {
    const SCHEMA: Schema = shape!(
        "ModerateFeedback",
        "Whether everybody may read a rating.",
        [
            req("status", Choice(&["shown", "hidden"]), "What becomes of it."),
            opt("reason", line(REASON_CHARS_MAX), "Why it is hidden; required for that."),
            opt("reply", line(REPLY_CHARS_MAX), "Public reply."),
        ]
    );
}

/// What came of a complaint or report.
#[derive(Deserialize)]
struct Closing {
    outcome: String,
}

impl Described for Closing {
    const SCHEMA: Schema = shape!(
        "CloseFeedback",
        "What came of a complaint or report.",
        [req("outcome", filled(OUTCOME_CHARS_MAX), "In words; never public.")]
    );
}

const LISTING: Listing = Listing {
    all: Some((feedback::BY_STATUS, "")),
    filters: &[
        Filter {
            parameter: parameter("code", Text, "Only of this code."),
            field: "/code",
            index: Some(feedback::BY_CODE),
        },
        Filter {
            parameter: parameter("operator", Text, "Only of this operator."),
            field: "/operator",
            index: Some(feedback::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("status", STATUS, "Only of this status."),
            field: "/status",
            index: Some(feedback::BY_STATUS),
        },
        Filter {
            parameter: parameter("kind", KIND, "Only of this kind."),
            field: "/kind",
            index: Some(feedback::BY_KIND),
        },
        Filter {
            parameter: parameter("product", Text, "Only of this product."),
            field: "/product",
            index: None,
        },
    ],
    switches: &[],
    search: &["/text", "/place", "/id"],
    newest_first: true,
    county_wide: false,
};

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(Feedback::SCHEMA);
    vec![
        Route::get(
            "/feedback",
            "Lists what the public said.",
            Good::Page(Feedback::SCHEMA),
            get(list),
        )
        .query(&[&LISTING.parameters()]),
        Route::get(
            "/feedback/{id}",
            "Shows what somebody said.",
            Good::Object(Feedback::SCHEMA),
            get(one),
        ),
        Route::post(
            "/feedback/{id}/moderate",
            "Shows a rating to everybody, or hides it.",
            good,
            post(moderate),
        )
        .body::<Moderation>(),
        Route::post("/feedback/{id}/close", "Closes a complaint or report.", good, post(close))
            .body::<Closing>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Feedback>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<Feedback>(&app, &caller, &id)
}

async fn moderate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(feedback): Path<String>,
    Key(key): Key,
    Body(body): Body<Moderation>,
) -> Answer {
    let Moderation { status, reason, reply } = body;
    let command = Command::ModerateFeedback(ModerateFeedback { feedback, status, reason, reply });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Feedback>(&app, &caller, &outcome)
}

async fn close(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(feedback): Path<String>,
    Key(key): Key,
    Body(body): Body<Closing>,
) -> Answer {
    let command = Command::CloseFeedback(CloseFeedback { feedback, outcome: body.outcome });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Feedback>(&app, &caller, &outcome)
}
