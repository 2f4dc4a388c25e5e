//! Certifications (认证), and their kinds as the county's table has them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use serde_json::json;
use tianyin_domain::certification::{self, AddCertification, Certification, EndCertification};
use tianyin_domain::command::Command;

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown};
use super::schema::Kind::{Boolean, Date, List, Object, Text, Time};
use super::schema::{Described, Schema, opt, req};
use super::shapes::{ATTACHMENT, shape};
use crate::app::App;

const CERTIFICATION: Schema = shape!(
    "Certification",
    "A certification (认证) of an operator or its products.",
    [
        req("id", Text, "Id, `cfn_…`."),
        req("operator", Text, "Operator."),
        req("products", List(&Text), "Products; the operator as a whole when empty."),
        req("kind", Text, "Code of its kind, such as `green`."),
        req("number", Text, "Number on the certificate."),
        opt("issuer", Text, "Who gave it."),
        req("valid_from", Date, "First day."),
        opt("valid_to", Date, "Last day."),
        opt("attachments", List(&Object(&ATTACHMENT)), "Pictures or scans."),
        opt("renews", Text, "The one that it renews."),
        opt("renewed_by", Text, "The one that renews it."),
        req("area", Text, "Region code of the operator."),
        req("filed_at", Time, "When it was put on record."),
        opt("ended", Text, "Why it ended before its time."),
    ]
);

const KIND: Schema = shape!(
    "CertificationKind",
    "A kind of certification.",
    [
        req("code", Text, "Code that records keep."),
        req("title", Text, "Title in Chinese."),
        opt("from", Date, "Day from which it is given."),
        opt("until", Date, "Last day on which it was given."),
        req("of_operator", Boolean, "It is of an operator, not of products."),
        req("card", Boolean, "Products with it come under ID-card management."),
    ]
);

const KINDS: Schema = shape!(
    "CertificationKinds",
    "Kinds of certification, as the county's table has them.",
    [req("items", List(&Object(&KIND)), "Kinds.")]
);

impl Shown for Certification {
    const SCHEMA: &'static Schema = &CERTIFICATION;
    const PATH: &'static str = "/certifications";
}

const LISTING: Listing = Listing {
    all: Some((certification::BY_OPERATOR, "")),
    filters: &[
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(certification::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("kind", Text, "Only this kind."),
            field: "/kind",
            index: Some(certification::BY_KIND),
        },
    ],
    switches: &[],
    search: &["/number", "/issuer"],
    newest_first: true,
    county_wide: false,
};

impl Described for AddCertification {
    const SCHEMA: Schema = shape!(
        "AddCertification",
        "A certification to be put on record.",
        [
            req("operator", Text, "Operator."),
            opt(
                "products",
                List(&Text),
                "Products, at most 50; the operator as a whole when absent."
            ),
            req("kind", Text, "Code of its kind, see `/certification_kinds`."),
            req("number", Text, "Number on the certificate."),
            opt("issuer", Text, "Who gave it."),
            req("valid_from", Date, "First day."),
            opt("valid_to", Date, "Last day."),
            opt("attachments", List(&Object(&ATTACHMENT)), "Files uploaded before, at most 9."),
            opt("renews", Text, "The one of the same operator and kind that it renews."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(&CERTIFICATION);
    vec![
        Route::get(
            "/certifications",
            "Lists certifications.",
            Good::Page(&CERTIFICATION),
            get(list),
        )
        .query(&[&LISTING.parameters()]),
        Route::post("/certifications", "Puts a certification on record.", good, post(add))
            .body::<AddCertification>(),
        Route::get(
            "/certifications/{id}",
            "Shows a certification.",
            Good::Object(&CERTIFICATION),
            get(one),
        ),
        Route::post(
            "/certifications/{id}/end",
            "A certification ends before its time.",
            good,
            post(end),
        )
        .body::<Reason>(),
        Route::get(
            "/certification_kinds",
            "Lists kinds of certification.",
            Good::Object(&KINDS),
            get(kinds),
        ),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Certification>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown::<Certification>(&app, &caller, &id)
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<AddCertification>,
) -> Answer {
    let outcome = app.add_certification(caller.actor(), command, key).await?;
    made::<Certification>(&app, &caller, &outcome)
}

async fn end(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(certification): Path<String>,
    Key(key): Key,
    Body(body): Body<Reason>,
) -> Answer {
    let command = EndCertification { certification, reason: body.reason };
    let command = Command::EndCertification(command);
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Certification>(&app, &caller, &outcome)
}

async fn kinds(State(app): State<Arc<App>>, _: Caller) -> Answer {
    let kinds = app.rules.certifications().map(|table| table.kinds.as_slice()).unwrap_or_default();
    Ok(Json(KINDS.show(&json!({ "items": kinds }))).into_response())
}
