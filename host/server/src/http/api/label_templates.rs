//! Label templates: what labels of a product, a brand or the whole county look like.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::command::Command;
use tianyin_domain::label_template::{self, CloseLabelTemplate, LabelTemplate, SaveLabelTemplate};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, IfMatch, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown_version};
use super::schema::Kind::{self, Boolean, Choice, Few, Object, Text};
use super::schema::{Described, Schema, filled, line, opt, req};
use super::shapes::shape;
use crate::app::App;

pub(super) const SIZE: Kind =
    Choice(&["30x20", "40x30", "50x30", "60x40", "70x50", "100x70", "a5", "a4"]);
pub(super) const FIELD: Kind =
    Choice(&["product", "quantity", "origin", "producer", "contact", "issued_on", "lot_no"]);
pub(super) const BARCODE_KIND: Kind = Choice(&["code", "lot_no", "gtin"]);

const BARCODE: Schema = shape!(
    "LabelBarcode",
    "A bar code beside the QR code.",
    [
        req("kind", BARCODE_KIND, "The trace code or lot number (Code 128), or a GTIN (EAN)."),
        opt("gtin", Text, "GTIN-13 or GTIN-8 with its check digit; for `gtin` only."),
    ]
);

const DESIGN: Schema = shape!(
    "LabelDesign",
    "What a label looks like.",
    [
        opt("size", SIZE, "Width by height in mm, or office paper; `60x40` when absent."),
        req("fields", Few(&FIELD, 0, 7), "Lines, in order; each at most once."),
        opt("heading", line(24), "A line above everything."),
        opt("note", line(80), "A line at the foot."),
        opt("commitment", Boolean, "Whether the commitment and its basis are printed."),
        opt("qr_left", Boolean, "Whether the QR code stands at the left."),
        opt("barcode", Object(&BARCODE), "Bar code beside the QR code."),
    ]
);

const LABEL_TEMPLATE: Schema = shape!(
    "LabelTemplate",
    "What labels of a product, a brand or, without either, the whole county look like.",
    [
        req("id", Text, "Id, `tpl_…`."),
        req("name", Text, "Name."),
        opt("product", Text, "The one product it is for."),
        opt("brand", Text, "The one brand it is for."),
        req("operator", Text, "Operator of the product or owner of the brand; may be empty."),
        req("area", Text, "Region code."),
        req("design", Object(&DESIGN), "What it looks like."),
        opt("closed", Text, "Why it is not used any more."),
    ]
);

impl Shown for LabelTemplate {
    const SCHEMA: &'static Schema = &LABEL_TEMPLATE;
    const PATH: &'static str = "/label_templates";
}

const LISTING: Listing = Listing {
    all: Some((label_template::ALL, "")),
    filters: &[
        Filter {
            parameter: parameter("product", Text, "Only this product's."),
            field: "/product",
            index: None,
        },
        Filter {
            parameter: parameter("brand", Text, "Only this brand's."),
            field: "/brand",
            index: None,
        },
    ],
    switches: &[],
    search: &["/name", "/design/heading"],
    newest_first: true,
    county_wide: false,
};

impl Described for SaveLabelTemplate {
    const SCHEMA: Schema = shape!(
        "SaveLabelTemplate",
        "A label template; it is drawn before it is taken in, so that it is known to fit.",
        [
            req("name", filled(32), "Name."),
            opt("product", Text, "The one product it is for."),
            opt("brand", Text, "The one brand it is for."),
            req("design", Object(&DESIGN), "What it looks like."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(&LABEL_TEMPLATE);
    let (page, object) = (Good::Page(&LABEL_TEMPLATE), Good::Object(&LABEL_TEMPLATE));
    vec![
        Route::get("/label_templates", "Lists label templates.", page, get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/label_templates", "Adds a label template.", good, post(add))
            .body::<SaveLabelTemplate>(),
        Route::get("/label_templates/{id}", "Shows a label template.", object, get(one))
            .versioned(),
        Route::post(
            "/label_templates/{id}/change",
            "Changes a label template; what it is for stays.",
            good,
            post(change),
        )
        .body::<SaveLabelTemplate>()
        .versioned(),
        Route::post(
            "/label_templates/{id}/close",
            "A label template is not used any more.",
            good,
            post(close),
        )
        .body::<Reason>()
        .versioned(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<LabelTemplate>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown_version::<LabelTemplate>(&app, &caller, &id)
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<SaveLabelTemplate>,
) -> Answer {
    let outcome = app.save_label_template(caller.actor(), command, key, &[]).await?;
    made::<LabelTemplate>(&app, &caller, &outcome)
}

async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(data): Body<SaveLabelTemplate>,
) -> Answer {
    let seen = version.of(format!("label_template/{id}"));
    let command = SaveLabelTemplate { label_template: Some(id), ..data };
    let outcome = app.save_label_template(caller.actor(), command, key, &seen).await?;
    made::<LabelTemplate>(&app, &caller, &outcome)
}

async fn close(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(label_template): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(body): Body<Reason>,
) -> Answer {
    let seen = version.of(format!("label_template/{label_template}"));
    let command = CloseLabelTemplate { label_template, reason: body.reason };
    let command = Command::CloseLabelTemplate(command);
    let outcome = app.submit_based(caller.actor(), command, key, &seen).await?;
    made::<LabelTemplate>(&app, &caller, &outcome)
}
