//! ID cards (农产品“身份证”): collected, handed in, reviewed, published, withdrawn.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use tianyin_domain::command::Command;
use tianyin_domain::id_card::{
    self, IdCard, IdCardStatus, ReviewIdCard, SaveIdCard, WithdrawIdCard,
};
use tianyin_domain::product::Product;

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, IfMatch, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, one as one_of, shown_version};
use super::schema::Kind::{self, Any, Boolean, Choice, Integer, List, Object, Text, Time};
use super::schema::{Described, Schema, opt, req};
use super::shapes::{ATTACHMENT, PRODUCT_CLASS, shape};
use crate::app::App;

const STATUS: Kind =
    Choice(&["draft", "submitted", "returned", "approved", "published", "withdrawn"]);

const LINE: Schema = shape!(
    "IdCardLine",
    "One line of a card.",
    [
        req("code", Text, "Code of the field."),
        req("label", Text, "Its label then."),
        req("value", Text, "What it says."),
    ]
);

const CONTENT: Schema = shape!(
    "IdCardContent",
    "What a card says.",
    [
        req("lines", List(&Object(&LINE)), "Lines in order."),
        opt("attachments", List(&Object(&ATTACHMENT)), "Pictures."),
        req("complete_percent", Integer, "Completeness, 0 to 100."),
        opt("missing", List(&Text), "Labels of what is required and missing."),
    ]
);

const EDITION: Schema = shape!(
    "IdCardEdition",
    "What everybody sees.",
    [
        req("number", Integer, "Number, from 1."),
        req("at", Time, "When it was published."),
        req("by", Text, "Who published it."),
        req("content", Object(&CONTENT), "What it says."),
    ]
);

const ID_CARD: Schema = shape!(
    "IdCard",
    "An ID card (农产品“身份证”) of a product.",
    [
        req("id", Text, "Id, `idc_…`."),
        req("product", Text, "Product."),
        req("operator", Text, "Operator."),
        req("area", Text, "Region code of the operator."),
        req("class", PRODUCT_CLASS, "Class of the product."),
        opt("brand", Text, "Brand it is sold under."),
        req("status", STATUS, "Status."),
        opt("status_reason", Text, "The reviewer's reason, or why it was withdrawn."),
        req("fields", Any, "What people filled in, by code of the field."),
        opt("attachments", List(&Object(&ATTACHMENT)), "Pictures."),
        opt("code", Text, "Trace code on the packages, from the first edition on."),
        opt("edition", Object(&EDITION), "What everybody sees now."),
        req("editions", Integer, "Editions there were."),
        req("changed_at", Time, "Last change."),
    ]
);

const DRAFT_LINE: Schema = shape!(
    "IdCardDraftLine",
    "A line of a card as it would be published now.",
    [
        req("code", Text, "Code of the field."),
        req("label", Text, "Its label."),
        req("value", Text, "What it says; empty when nothing is known."),
        req("required", Boolean, "A card without it is not handed in."),
        req("typed", Boolean, "People fill it in; else it is taken from the register."),
    ]
);

const DRAFT: Schema = shape!(
    "IdCardDraft",
    "The card of a product as it would be published now.",
    [
        req("product", Text, "Product."),
        opt("id_card", Text, "The card, once there is one."),
        req("lines", List(&Object(&DRAFT_LINE)), "Lines in order, empty ones among them."),
        req("complete_percent", Integer, "Completeness, 0 to 100."),
        req("missing", List(&Text), "Labels of what is required and missing."),
    ]
);

impl Shown for IdCard {
    const SCHEMA: &'static Schema = &ID_CARD;
    const PATH: &'static str = "/id_cards";
}

const LISTING: Listing = Listing {
    all: Some((id_card::BY_STATUS, "")),
    filters: &[
        Filter {
            parameter: parameter("product", Text, "The card of this product."),
            field: "/product",
            index: Some(id_card::BY_PRODUCT),
        },
        Filter {
            parameter: parameter("status", STATUS, "Only this status."),
            field: "/status",
            index: Some(id_card::BY_STATUS),
        },
        Filter {
            parameter: parameter("brand", Text, "Only published ones of this brand."),
            field: "/brand",
            index: Some(id_card::BY_BRAND),
        },
        Filter {
            parameter: parameter("class", PRODUCT_CLASS, "Only this class."),
            field: "/class",
            index: None,
        },
    ],
    switches: &[],
    search: &["/code"],
    newest_first: true,
    county_wide: false,
};

impl Described for SaveIdCard {
    const SCHEMA: Schema = shape!(
        "SaveIdCard",
        "What a card is to say; review begins anew, what is published stays.",
        [
            req("product", Text, "Product."),
            opt("brand", Text, "Brand it is sold under."),
            opt("fields", Any, "Object: values by code of the fields that people fill in."),
            opt("attachments", List(&Object(&ATTACHMENT)), "Pictures uploaded before, at most 9."),
        ]
    );
}

/// The county's review.
#[derive(Deserialize)]
struct Review {
    status: IdCardStatus,
    #[serde(default)]
    reason: String,
}

impl Described for Review {
    const SCHEMA: Schema = shape!(
        "ReviewIdCard",
        "The county's review.",
        [
            req("status", Choice(&["approved", "returned"]), "New status."),
            opt("reason", Text, "Reason; required unless approved."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(&ID_CARD);
    vec![
        Route::get("/id_cards", "Lists ID cards.", Good::Page(&ID_CARD), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/id_cards", "Collects what a card is to say.", good, post(save))
            .body::<SaveIdCard>(),
        Route::get("/id_cards/{id}", "Shows an ID card.", Good::Object(&ID_CARD), get(one))
            .versioned(),
        Route::get(
            "/products/{id}/id_card",
            "Shows the card of a product as it would be published now.",
            Good::Object(&DRAFT),
            get(draft),
        ),
        Route::post("/id_cards/{id}/submit", "Hands a card in for review.", good, post(submit)),
        Route::post("/id_cards/{id}/review", "Reviews a card.", good, post(review))
            .body::<Review>()
            .versioned(),
        Route::post("/id_cards/{id}/publish", "Publishes a card.", good, post(publish)).versioned(),
        Route::post("/id_cards/{id}/withdraw", "Takes a card from sight.", good, post(withdraw))
            .body::<Reason>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<IdCard>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown_version::<IdCard>(&app, &caller, &id)
}

async fn draft(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let product: Product = one_of(&app, &caller, &id)?;
    let draft = app.id_card_draft(&product.id)?;
    let content = draft.content();
    let line = |one: &crate::app::id_cards::CardLine| {
        json!({
            "code": one.field.code,
            "label": one.field.label,
            "value": one.value,
            "required": one.field.required,
            "typed": one.is_typed(),
        })
    };
    let lines: Vec<_> = draft.lines.iter().map(line).collect();
    let value = json!({
        "product": product.id,
        "id_card": draft.card.as_ref().map(|card| &card.id),
        "lines": lines,
        "complete_percent": content.complete_percent,
        "missing": content.missing,
    });
    Ok(Json(DRAFT.show(&value)).into_response())
}

async fn save(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<SaveIdCard>,
) -> Answer {
    let outcome = app.save_id_card(caller.actor(), command, key, &Vec::new()).await?;
    made::<IdCard>(&app, &caller, &outcome)
}

async fn submit(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
) -> Answer {
    let outcome = app.submit_id_card(caller.actor(), &id, key).await?;
    made::<IdCard>(&app, &caller, &outcome)
}

async fn review(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id_card): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(body): Body<Review>,
) -> Answer {
    let seen = version.of(format!("id_card/{id_card}"));
    let command = ReviewIdCard { id_card, status: body.status, reason: body.reason };
    let command = Command::ReviewIdCard(command);
    let outcome = app.submit_based(caller.actor(), command, key, &seen).await?;
    made::<IdCard>(&app, &caller, &outcome)
}

async fn publish(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
    version: IfMatch,
) -> Answer {
    let seen = version.of(format!("id_card/{id}"));
    let outcome = app.publish_id_card(caller.actor(), &id, key, &seen).await?;
    made::<IdCard>(&app, &caller, &outcome)
}

async fn withdraw(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id_card): Path<String>,
    Key(key): Key,
    Body(body): Body<Reason>,
) -> Answer {
    let command = Command::WithdrawIdCard(WithdrawIdCard { id_card, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<IdCard>(&app, &caller, &outcome)
}
