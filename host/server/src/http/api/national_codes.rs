//! Codes of the national platform: set on operators, products and lots, of which they are fields.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::put;
use serde::Deserialize;
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::lot::Lot;
use tianyin_domain::national_code::{Holder, SetNationalCode};
use tianyin_domain::operator::Operator;
use tianyin_domain::product::Product;

use super::Answer;
use super::request::{Body, Caller, Key};
use super::route::{Good, Route, Shown, made};
use super::schema::{Described, Schema, line, opt, req};
use super::shapes::shape;
use crate::app::{App, AppError};

/// What the platform gave; empty takes it away.
#[derive(Deserialize)]
struct Codes {
    national_code: String,
    #[serde(default)]
    national_short_code: String,
}

impl Described for Codes {
    const SCHEMA: Schema = shape!(
        "SetNationalCode",
        "Codes of the national platform; empty ones are taken away.",
        [
            req(
                "national_code",
                line(64),
                "Of an operator the subject code `C.S18.NNNNN`, of a product its class of 8 digits, of a lot the long trace code `T.C.S18.PPPPPPPP.yyyyMMddHHmmss.NNN`."
            ),
            opt("national_short_code", line(64), "Short trace code of a lot, 18 to 22 digits."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::put(
            "/operators/{id}/national_code",
            "Sets the subject code of the national platform.",
            Good::Made(Operator::SCHEMA),
            put(of_operator),
        )
        .body::<Codes>(),
        Route::put(
            "/products/{id}/national_code",
            "Sets the product class of the national platform.",
            Good::Made(Product::SCHEMA),
            put(of_product),
        )
        .body::<Codes>(),
        Route::put(
            "/lots/{id}/national_code",
            "Sets the trace codes of the national platform; each is of one lot.",
            Good::Made(Lot::SCHEMA),
            put(of_lot),
        )
        .body::<Codes>(),
    ]
}

async fn of_operator(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
    Body(codes): Body<Codes>,
) -> Answer {
    let outcome = set(&app, &caller, (Holder::Operator, id), codes, key).await?;
    made::<Operator>(&app, &caller, &outcome)
}

async fn of_product(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
    Body(codes): Body<Codes>,
) -> Answer {
    let outcome = set(&app, &caller, (Holder::Product, id), codes, key).await?;
    made::<Product>(&app, &caller, &outcome)
}

async fn of_lot(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
    Body(codes): Body<Codes>,
) -> Answer {
    let outcome = set(&app, &caller, (Holder::Lot, id), codes, key).await?;
    made::<Lot>(&app, &caller, &outcome)
}

async fn set(
    app: &App,
    caller: &Caller,
    (of, id): (Holder, String),
    codes: Codes,
    key: Option<String>,
) -> Result<Outcome, AppError> {
    let Codes { national_code, national_short_code } = codes;
    let command = SetNationalCode { of, id, national_code, national_short_code };
    app.submit_keyed(caller.actor(), Command::SetNationalCode(command), key).await
}
