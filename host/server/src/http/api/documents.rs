//! Documents of operators (电子档案): filed and closed, never removed.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::command::Command;
use tianyin_domain::document::{self, CloseDocument, Document, FileDocument};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Date, Few, Object, Text};
use super::schema::{Described, Schema, filled, line, opt, req};
use super::shapes::{ATTACHMENT, DOCUMENT_KIND, shape};
use crate::app::App;

const LISTING: Listing = Listing {
    all: Some((document::BY_OPERATOR, "")),
    filters: &[
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(document::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("kind", DOCUMENT_KIND, "Only this kind."),
            field: "/kind",
            index: None,
        },
    ],
    switches: &[],
    search: &["/title", "/number", "/issuer"],
    newest_first: true,
    county_wide: false,
};

impl Described for FileDocument {
    const SCHEMA: Schema = shape!(
        "FileDocument",
        "A document to be filed.",
        [
            req("operator", Text, "Operator."),
            opt("site", Text, "Site of the operator."),
            opt("product", Text, "Product of the operator."),
            req("kind", DOCUMENT_KIND, "Kind."),
            req("title", filled(64), "Title."),
            opt("number", line(64), "Number on the paper."),
            opt("issuer", line(64), "Who issued it."),
            opt("valid_to", Date, "Last day it is good for."),
            req("attachments", Few(&Object(&ATTACHMENT), 1, 9), "Files uploaded before, 1 to 9."),
        ]
    );
}

/// Why a document does not count any more.
#[derive(Deserialize)]
struct Close {
    reason: String,
}

impl Described for Close {
    const SCHEMA: Schema = shape!(
        "CloseDocument",
        "Why a document does not count any more.",
        [req("reason", filled(128), "Reason.")]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(Document::SCHEMA);
    vec![
        Route::get("/documents", "Lists documents.", Good::Page(Document::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/documents", "Files a document.", good, post(file)).body::<FileDocument>(),
        Route::get(
            "/documents/{id}",
            "Shows a document.",
            Good::Object(Document::SCHEMA),
            get(one),
        ),
        Route::post("/documents/{id}/close", "Closes a document.", good, post(close))
            .body::<Close>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Document>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<Document>(&app, &caller, &id)
}

async fn file(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<FileDocument>,
) -> Answer {
    let outcome = app.file_document(caller.actor(), command, key).await?;
    made::<Document>(&app, &caller, &outcome)
}

async fn close(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(document): Path<String>,
    Key(key): Key,
    Body(body): Body<Close>,
) -> Answer {
    let command = Command::CloseDocument(CloseDocument { document, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Document>(&app, &caller, &outcome)
}
