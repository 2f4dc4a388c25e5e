//! Lots (批次).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::lot::{self, Lot, LotRequest};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::recalls::HOLD_KIND;
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, shown_version};
use super::schema::Kind::{Boolean, Date, Decimal, Integer, List, Object, Quantity, Text, Time};
use super::schema::{Described, Schema, line, opt, req};
use super::shapes::{LOT_STATUS, shape};
use crate::app::App;

pub const LOT: Schema = shape!(
    "Lot",
    "A lot (批次).",
    [
        req("id", Text, "Id, `lot_…`."),
        req("no", Text, "Number, `L20261118-0003`."),
        req("operator", Text, "Operator."),
        req("product", Text, "Product."),
        req("product_name", Text, "Product name when the lot was opened."),
        req("site", Text, "Site."),
        req("area", Text, "Region code of the site."),
        req("area_name", Text, "Region in words."),
        req("quantity", Decimal, "Quantity."),
        req("unit", Text, "Unit."),
        opt("unit_kg", Decimal, "Kilograms in one unit, where the unit is none of mass."),
        req("certified", Decimal, "Quantity on valid certificates."),
        opt("used", Decimal, "Quantity that became other lots."),
        opt("shipped", Decimal, "Quantity that left the operator."),
        req("harvested_on", Date, "Day of harvest, slaughter or catch."),
        req("status", LOT_STATUS, "Status."),
        opt("status_reason", Text, "Why it is held."),
        req("opened_at", Time, "When it was opened."),
        opt("holds", List(&Object(&HOLD)), "Every reason that it is held."),
        opt("step", Text, "Step that made it; absent for a lot of a harvest."),
        opt("mixed", Boolean, "It goes back to several harvests."),
        opt("origin", Text, "The one lot of a harvest that it goes back to, where a step made it."),
        opt("sources", List(&Object(&SOURCE)), "What it was made of."),
        opt("into", List(&Text), "Lots that were made of it."),
        opt("national_code", Text, "Long trace code of the national platform."),
        opt("national_short_code", Text, "Short trace code of the national platform."),
        opt(
            "early",
            Object(&EARLY_HARVEST),
            "What stood against its harvest, where it was harvested all the same."
        ),
    ]
);

const HOLD: Schema = shape!(
    "Hold",
    "A reason that a lot is held.",
    [
        req("kind", HOLD_KIND, "Kind."),
        opt("reference", Text, "What it goes back to, such as a test or a recall."),
        opt("note", Text, "In words."),
        req("since", Time, "Since when."),
    ]
);

const SOURCE: Schema = shape!(
    "Source",
    "Part of another lot that a lot was made of.",
    [req("lot", Text, "The lot."), req("quantity", Decimal, "Quantity in its unit.")]
);

const EARLY_HARVEST: Schema = shape!(
    "EarlyHarvest",
    "A harvest before an interval was over.",
    [
        req("reason", Text, "Why it was done."),
        req("hindrances", List(&Object(&HINDRANCE)), "What stood against it."),
    ]
);

const HINDRANCE: Schema = shape!(
    "Hindrance",
    "A use whose interval was not over.",
    [
        req("activity", Text, "The record of it."),
        req("input", Text, "Name of the input."),
        req("last_use", Date, "Last day of use."),
        opt("earliest", Date, "First lawful day, where it is known."),
        opt("degree_days", Object(&DEGREE_DAYS), "How far the warmth of the water had come."),
    ]
);

const DEGREE_DAYS: Schema = shape!(
    "DegreeDays",
    "Warmth that water has given since a use.",
    [
        req("needed", Integer, "Degree-days that the label asks for."),
        req("reached_tenths", Integer, "Degree-days that were reached, in tenths."),
        req("unmeasured_days", Integer, "Days without a measurement, which count nothing."),
    ]
);

impl Shown for Lot {
    const SCHEMA: &'static Schema = &LOT;
    const PATH: &'static str = "/lots";
}

const LISTING: Listing = Listing {
    all: Some((lot::BY_OPERATOR, "")),
    filters: &[
        Filter {
            parameter: parameter(
                "national_code",
                Text,
                "The lot with this long or short trace code of the national platform.",
            ),
            field: "",
            index: Some(lot::BY_NATIONAL),
        },
        Filter {
            parameter: parameter("no", Text, "The lot with this number."),
            field: "/no",
            index: Some(lot::BY_NO),
        },
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(lot::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("status", LOT_STATUS, "Only this status."),
            field: "/status",
            index: Some(lot::BY_STATUS),
        },
    ],
    switches: &[],
    search: &["/no", "/product_name", "/area_name"],
    newest_first: true,
    county_wide: false,
};

impl Described for LotRequest {
    const SCHEMA: Schema = shape!(
        "OpenLot",
        "A lot to open, at harvest.",
        [
            req("product", Text, "Product."),
            req("site", Text, "Site of the same operator."),
            req("quantity", Quantity, "Quantity in the product's unit."),
            req("harvested_on", Date, "Day of harvest, slaughter or catch; not in the future."),
            opt(
                "early_reason",
                line(128),
                "Why it was harvested before an interval was over; the lot is held then. Without it such a lot is refused."
            ),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/lots", "Lists lots.", Good::Page(Lot::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/lots", "Adds a lot.", Good::Made(Lot::SCHEMA), post(add))
            .body::<LotRequest>(),
        Route::get("/lots/{id}", "Shows a lot.", Good::Object(Lot::SCHEMA), get(one)).versioned(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Lot>(&app, &caller, &LISTING, query)
}

async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    shown_version::<Lot>(&app, &caller, &id)
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(request): Body<LotRequest>,
) -> Answer {
    let outcome = app.open_lot(caller.actor(), &request, key).await?;
    made::<Lot>(&app, &caller, &outcome)
}
