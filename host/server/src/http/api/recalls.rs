//! Recalls (召回), and the reasons a lot is held for.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use tianyin_domain::attachment::Attachment;
use tianyin_domain::command::Command;
use tianyin_domain::hold::{HoldKind, HoldLot, ReleaseLot};
use tianyin_domain::lot::Lot;
use tianyin_domain::recall::{
    self, CloseRecall, Disposal, NoteRecall, Recall, RecallNote, RecallRequest,
};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Boolean, Choice, Date, Decimal, Few, Integer, List, Object, Text, Time};
use super::schema::{Described, Kind, Schema, filled, line, opt, req};
use super::shapes::{ATTACHMENT, LOT_STATUS, shape};
use crate::app::App;
use crate::http::Problem;

/// Lots of a recall that are told.
const LOTS_MAX: usize = 5_000;

const CAUSE: Kind = Choice(&["lot", "test", "site", "input"]);
pub(super) const HOLD_KIND: Kind = Choice(&["positive_test", "early_harvest", "recall", "order"]);
const RECALL_STATUS: Kind = Choice(&["running", "closed"]);
const DISPOSAL: Kind =
    Choice(&["waiting", "notified", "sealed", "recovered", "destroyed", "cleared"]);

const REQUEST: Schema = shape!(
    "RecallRequest",
    "What a recall is about.",
    [
        req("reason", filled(128), "Why."),
        req("cause", CAUSE, "What it begins with."),
        req("of", Text, "Id of that lot, test, site or input."),
        opt("from", Date, "First day of use or harvest that counts, for an input or a site."),
        opt("to", Date, "Last day that counts."),
        opt("drill", Boolean, "A drill: nothing is held."),
    ]
);

impl Described for RecallRequest {
    const SCHEMA: Schema = REQUEST;
}

const RECALL: Schema = shape!(
    "Recall",
    "A recall.",
    [
        req("id", Text, "Id, `rcl_…`."),
        req("request", Object(&REQUEST), "What it is about."),
        req("title", Text, "What it begins with, in words."),
        req("roots", List(&Text), "Lots that it begins with."),
        req("reached", Integer, "Lots that it reached when it began."),
        req("area", Text, "Region code of whoever began it."),
        req("started_by", Text, "Who began it."),
        req("started_at", Time, "When."),
        req("status", RECALL_STATUS, "Status."),
        opt("summary", Text, "What came of it."),
        opt("closed_at", Time, "When it was closed."),
    ]
);

impl Shown for Recall {
    const SCHEMA: &'static Schema = &RECALL;
    const PATH: &'static str = "/recalls";
}

const NOTE: Schema = shape!(
    "RecallNote",
    "How far a recall is with one lot.",
    [
        req("id", Text, "Recall and lot."),
        req("recall", Text, "Recall."),
        req("lot", Text, "Lot."),
        req("disposal", DISPOSAL, "What became of it."),
        opt("recovered", Decimal, "Quantity that was got back."),
        opt("note", Text, "In words."),
        opt("attachments", List(&Object(&ATTACHMENT)), "Photos and papers."),
        req("noted_by", Text, "Who noted it."),
        req("noted_at", Time, "When."),
        req("area", Text, "Region code of the lot."),
        req("operator", Text, "Operator of the lot."),
    ]
);

impl Shown for RecallNote {
    const SCHEMA: &'static Schema = &NOTE;
    const PATH: &'static str = "/recall_notes";
}

/// What became of a lot.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Noted {
    lot: String,
    disposal: Disposal,
    #[serde(default)]
    recovered: Option<tianyin_domain::Decimal>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

impl Described for Noted {
    const SCHEMA: Schema = shape!(
        "NoteRecall",
        "What became of a lot.",
        [
            req("lot", Text, "Lot."),
            req("disposal", DISPOSAL, "What became of it."),
            opt("recovered", Decimal, "Quantity that was got back, in the lot's unit."),
            opt("note", line(256), "In words; must be given, or a photo, when it is done with."),
            opt("attachments", Few(&Object(&ATTACHMENT), 0, 9), "Files uploaded before."),
        ]
    );
}

/// What came of a recall.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Summary {
    summary: String,
}

impl Described for Summary {
    const SCHEMA: Schema = shape!(
        "CloseRecall",
        "What came of a recall.",
        [req("summary", filled(256), "What came of it.")]
    );
}

/// Which reason of a lot is taken away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Released {
    kind: HoldKind,
    #[serde(default)]
    reference: String,
    reason: String,
    #[serde(default)]
    test: Option<String>,
}

impl Described for Released {
    const SCHEMA: Schema = shape!(
        "ReleaseLot",
        "Which reason of a lot is taken away, and why.",
        [
            req("kind", HOLD_KIND, "Kind of the reason."),
            opt("reference", Text, "What that goes back to, such as a test or a recall."),
            req("reason", filled(128), "Why the lot may move again."),
            opt(
                "test",
                Text,
                "Passing test of the lot, later than the hold; for a positive test and for a harvest too early."
            ),
        ]
    );
}

const REACHED_LOT: Schema = shape!(
    "ReachedLot",
    "A lot that a recall reaches.",
    [
        req("id", Text, "Lot."),
        req("no", Text, "Number."),
        req("product_name", Text, "Product."),
        req("operator", Text, "Operator."),
        req("quantity", Decimal, "Quantity."),
        req("unit", Text, "Unit."),
        req("certified", Decimal, "Quantity on valid certificates."),
        req("shipped", Decimal, "Quantity that left the operator."),
        req("status", LOT_STATUS, "Status."),
        req("depth", Integer, "Fewest steps from a lot that the recall begins with."),
    ]
);

const REACHED: Schema = shape!(
    "ReachedLots",
    "Lots that a recall reaches, in the caller's sight.",
    [
        req("count", Integer, "How many there are in all, in sight or not."),
        req("lots", List(&Object(&REACHED_LOT)), "Those in sight, at most 5000."),
    ]
);

const LISTING: Listing = Listing {
    all: Some((recall::ALL, "")),
    filters: &[Filter {
        parameter: parameter("status", RECALL_STATUS, "Only this status."),
        field: "/status",
        index: Some(recall::BY_STATUS),
    }],
    switches: &[],
    search: &["/title", "/request/reason"],
    newest_first: true,
    county_wide: false,
};

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(Recall::SCHEMA);
    let lot = Good::Made(Lot::SCHEMA);
    vec![
        Route::get("/recalls", "Lists recalls.", Good::Page(Recall::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post(
            "/recalls",
            "Begins a recall; unless it is a drill, everything it reaches is held.",
            good,
            post(start),
        )
        .body::<RecallRequest>(),
        Route::get("/recalls/{id}", "Shows a recall.", Good::Object(Recall::SCHEMA), get(one)),
        Route::get(
            "/recalls/{id}/lots",
            "Shows what a recall reaches now.",
            Good::Object(&REACHED),
            get(lots),
        ),
        Route::post(
            "/recalls/{id}/notes",
            "Notes how far a recall is with a lot.",
            Good::Made(RecallNote::SCHEMA),
            post(note),
        )
        .body::<Noted>(),
        Route::post("/recalls/{id}/close", "Closes a recall.", good, post(close)).body::<Summary>(),
        Route::post("/lots/{id}/hold", "Holds a lot by order.", lot, post(hold)).body::<Reason>(),
        Route::post(
            "/lots/{id}/release",
            "Takes one reason away that a lot is held for.",
            lot,
            post(release),
        )
        .body::<Released>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    caller.staff_only()?;
    list::page::<Recall>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.staff_only()?;
    shown::<Recall>(&app, &caller, &id)
}

async fn start(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(request): Body<RecallRequest>,
) -> Answer {
    caller.allowed(tianyin_domain::command::CommandKind::StartRecall)?;
    let outcome = app.start_recall(caller.actor(), &request, key).await?;
    made::<Recall>(&app, &caller, &outcome)
}

async fn lots(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.staff_only()?;
    let scope = caller.scope();
    let found: Option<Recall> = app.store.get_scoped(&id, &scope).map_err(Problem::internal)?;
    let Some(recall) = found else { return shown::<Recall>(&app, &caller, &id) };
    let (count, seen) = app.relatives(&recall.roots, |found| {
        let seen = found.iter().filter(|one| one.is_in(&scope)).take(LOTS_MAX);
        (found.len(), seen.map(|one| (one.id.clone(), one.depth)).collect::<Vec<_>>())
    })?;
    let mut lots = Vec::with_capacity(seen.len());
    for (id, depth) in seen {
        let Some(lot) = app.store.get::<Lot>(&id).map_err(Problem::internal)? else { continue };
        lots.push(json!({
            "id": lot.id, "no": lot.no, "product_name": lot.product_name,
            "operator": lot.operator, "quantity": lot.quantity, "unit": lot.unit,
            "certified": lot.certified, "shipped": lot.shipped, "status": lot.status,
            "depth": depth,
        }));
    }
    Ok(Json(json!({ "count": count, "lots": lots })).into_response())
}

async fn note(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(recall): Path<String>,
    Key(key): Key,
    Body(body): Body<Noted>,
) -> Answer {
    let command = NoteRecall {
        recall,
        lot: body.lot,
        disposal: body.disposal,
        recovered: body.recovered,
        note: body.note,
        attachments: body.attachments,
    };
    let outcome = app.note_recall(caller.actor(), command, key).await?;
    made::<RecallNote>(&app, &caller, &outcome)
}

async fn close(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(recall): Path<String>,
    Key(key): Key,
    Body(body): Body<Summary>,
) -> Answer {
    let command = Command::CloseRecall(CloseRecall { recall, summary: body.summary });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Recall>(&app, &caller, &outcome)
}

async fn hold(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(lot): Path<String>,
    Key(key): Key,
    Body(body): Body<Reason>,
) -> Answer {
    let command = Command::HoldLot(HoldLot { lot, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Lot>(&app, &caller, &outcome)
}

async fn release(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(lot): Path<String>,
    Key(key): Key,
    Body(body): Body<Released>,
) -> Answer {
    let Released { kind, reference, reason, test } = body;
    let command = Command::ReleaseLot(ReleaseLot { lot, kind, reference, reason, test });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Lot>(&app, &caller, &outcome)
}
