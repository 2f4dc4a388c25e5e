//! Production operators (生产经营主体).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use tianyin_domain::application::WithdrawOperator;
use tianyin_domain::command::Command;
use tianyin_domain::operator::{
    self, ChangeOperator, Operator, OperatorStatus, RegisterOperator, ReviewOperator,
};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, IfMatch, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown_version};
use super::schema::Kind::{Choice, Text};
use super::schema::{AREA, Described, Schema, filled, line, opt, req};
use super::shapes::{OPERATOR_KIND, OPERATOR_STATUS, shape};
use crate::app::App;
use crate::http::ClientAddr;

const LISTING: Listing = Listing {
    all: Some((operator::BY_STATUS, "")),
    filters: &[
        Filter {
            parameter: parameter("uscc", Text, "The operator with this credit code."),
            field: "/uscc",
            index: Some(operator::BY_USCC),
        },
        Filter {
            parameter: parameter(
                "national_code",
                Text,
                "The operator with this subject code of the national platform.",
            ),
            field: "/national_code",
            index: Some(operator::BY_NATIONAL),
        },
        Filter {
            parameter: parameter("status", OPERATOR_STATUS, "Only this status."),
            field: "/status",
            index: Some(operator::BY_STATUS),
        },
        Filter {
            parameter: parameter("kind", OPERATOR_KIND, "Only this kind."),
            field: "/kind",
            index: None,
        },
    ],
    switches: &[],
    search: &["/name", "/uscc", "/area_name", "/contact_name"],
    newest_first: true,
    county_wide: false,
};

impl Described for RegisterOperator {
    const SCHEMA: Schema = shape!(
        "RegisterOperator",
        "An operator to register; it waits for review.",
        [
            req("name", filled(64), "Registered name."),
            req("kind", OPERATOR_KIND, "Kind."),
            opt("uscc", line(64), "Unified social credit code; farmers have none."),
            opt("uscc_override", line(128), "Reason to accept a wrong check character."),
            opt(
                "same_name_override",
                line(128),
                "Reason why it is another one than that of the same name in the township."
            ),
            req("area", AREA, "Region code of the township."),
            req("area_name", filled(64), "Region in words, as printed for the origin."),
            opt("address", line(128), "Address below the township."),
            opt("contact_name", line(32), "Contact person."),
            req(
                "contact_phone",
                filled(32),
                "Contact phone in full; a natural person's is kept in the vault."
            ),
        ]
    );
}

/// The county's review.
#[derive(Deserialize)]
struct Review {
    status: OperatorStatus,
    #[serde(default)]
    reason: String,
}

impl Described for Review {
    const SCHEMA: Schema = shape!(
        "ReviewOperator",
        "The county's review.",
        [
            req("status", Choice(&["approved", "returned", "suspended", "exited"]), "New status."),
            opt("reason", line(256), "Reason; required unless approved."),
        ]
    );
}

/// Why somebody wants to see a phone in full.
#[derive(Deserialize)]
struct Reveal {
    reason: String,
}

impl Described for Reveal {
    const SCHEMA: Schema = shape!(
        "RevealContact",
        "Why a phone is to be seen in full.",
        [req("reason", Text, "What for, 2 to 128 characters.")]
    );
}

const CONTACT: Schema = shape!(
    "Contact",
    "A natural person's contact in full.",
    [req("contact_phone", Text, "Phone in full.")]
);

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(Operator::SCHEMA);
    vec![
        Route::get("/operators", "Lists operators.", Good::Page(Operator::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/operators", "Registers an operator.", good, post(register))
            .body::<RegisterOperator>(),
        Route::get(
            "/operators/{id}",
            "Shows an operator.",
            Good::Object(Operator::SCHEMA),
            get(one),
        )
        .versioned(),
        Route::post("/operators/{id}/change", "Corrects what is registered.", good, post(change))
            .body::<RegisterOperator>()
            .versioned(),
        Route::post(
            "/operators/{id}/withdraw",
            "Takes back an application of one's own that is not decided.",
            good,
            post(withdraw),
        ),
        Route::post(
            "/operators/{id}/contact",
            "Shows a natural person's phone in full. Who looked, when and what for is on record.",
            Good::Object(&CONTACT),
            post(contact),
        )
        .body::<Reveal>(),
        Route::post("/operators/{id}/review", "Reviews an operator.", good, post(review))
            .body::<Review>()
            .versioned(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Operator>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown_version::<Operator>(&app, &caller, &id)
}

async fn register(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<RegisterOperator>,
) -> Answer {
    let outcome = app.register_operator(caller.actor(), command, key).await?;
    // What a service point registers is delegated to it with that.
    made::<Operator>(&app, &caller.renewed(&app), &outcome)
}

async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(operator): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(data): Body<RegisterOperator>,
) -> Answer {
    let seen = version.of(format!("operator/{operator}"));
    let command = ChangeOperator { operator, data };
    let outcome = app.change_operator(caller.actor(), command, key, &seen).await?;
    made::<Operator>(&app, &caller, &outcome)
}

async fn withdraw(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(operator): Path<String>,
    Key(key): Key,
) -> Answer {
    let command = Command::WithdrawOperator(WithdrawOperator { operator });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Operator>(&app, &caller, &outcome)
}

async fn contact(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(operator): Path<String>,
    client: ClientAddr,
    Body(body): Body<Reveal>,
) -> Answer {
    let phone = app.reveal_contact(caller.actor(), &operator, body.reason, client.0).await?;
    Ok(Json(CONTACT.show(&json!({ "contact_phone": phone }))).into_response())
}

async fn review(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(operator): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(body): Body<Review>,
) -> Answer {
    let seen = version.of(format!("operator/{operator}"));
    let command = ReviewOperator { operator, status: body.status, reason: body.reason };
    let command = Command::ReviewOperator(command);
    let outcome = app.submit_based(caller.actor(), command, key, &seen).await?;
    made::<Operator>(&app, &caller, &outcome)
}
