//! Brands, and who may use them. Brands are for everybody to know; licences are seen like the operator.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use tianyin_domain::brand::{
    self, AddBrand, Brand, BrandLicence, ChangeBrand, CloseBrand, EndBrandLicence, LicenseBrand,
};
use tianyin_domain::command::{Command, Outcome};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, IfMatch, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, made_value, show};
use super::schema::Kind::{self, Choice, Date, List, Object, Text};
use super::schema::{Described, Schema, opt, req};
use super::shapes::{ATTACHMENT, shape};
use crate::app::App;
use crate::http::Problem;

const KIND: Kind = Choice(&["regional", "speciality", "enterprise", "product"]);

const BRAND: Schema = shape!(
    "Brand",
    "A brand (品牌).",
    [
        req("id", Text, "Id, `brd_…`."),
        req("name", Text, "Name."),
        req("kind", KIND, "Kind."),
        opt("owner", Text, "Operator that owns it."),
        req("owner_name", Text, "Who owns it."),
        req("area", Text, "Region code."),
        opt("goods", Text, "What it is for."),
        opt("trademark_no", Text, "Number of the registered trade mark."),
        opt("about", Text, "What makes it special."),
        opt("since", Date, "Day since when."),
        opt("attachments", List(&Object(&ATTACHMENT)), "Its sign and papers."),
        opt("closed", Text, "Why it does not count any more."),
    ]
);

const LICENCE: Schema = shape!(
    "BrandLicence",
    "Who may use a brand.",
    [
        req("id", Text, "Id, `lic_…`."),
        req("brand", Text, "Brand."),
        req("brand_name", Text, "Its name at the time."),
        req("operator", Text, "Operator."),
        req("products", List(&Text), "Products; all of the operator's when empty."),
        opt("number", Text, "Number on the paper."),
        req("valid_from", Date, "First day."),
        opt("valid_to", Date, "Last day."),
        req("area", Text, "Region code of the operator."),
        opt("ended", Text, "Why it was ended before its time."),
    ]
);

impl Shown for Brand {
    const SCHEMA: &'static Schema = &BRAND;
    const PATH: &'static str = "/brands";
}

impl Shown for BrandLicence {
    const SCHEMA: &'static Schema = &LICENCE;
    const PATH: &'static str = "/brand_licences";
}

const LISTING: Listing = Listing {
    all: Some((brand::ALL, "")),
    filters: &[
        Filter {
            parameter: parameter("owner", Text, "Only those this operator owns."),
            field: "/owner",
            index: Some(brand::BY_OWNER),
        },
        Filter {
            parameter: parameter("kind", KIND, "Only this kind."),
            field: "/kind",
            index: None,
        },
    ],
    switches: &[],
    search: &["/name", "/owner_name", "/goods"],
    newest_first: true,
    county_wide: true,
};

const LICENCES: Listing = Listing {
    all: Some((brand::LICENCES_BY_OPERATOR, "")),
    filters: &[
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(brand::LICENCES_BY_OPERATOR),
        },
        Filter {
            parameter: parameter("brand", Text, "Only of this brand."),
            field: "/brand",
            index: Some(brand::LICENCES_BY_BRAND),
        },
    ],
    switches: &[],
    search: &["/brand_name", "/number"],
    newest_first: true,
    county_wide: false,
};

impl Described for AddBrand {
    const SCHEMA: Schema = shape!(
        "AddBrand",
        "A brand to add.",
        [
            req("name", Text, "Name, at most 32 characters."),
            req("kind", KIND, "Kind."),
            opt("owner", Text, "Operator that owns it."),
            opt("owner_name", Text, "Who owns it, where no operator on record does."),
            opt("area", Text, "Region code, where no operator on record owns it."),
            opt("goods", Text, "What it is for."),
            opt("trademark_no", Text, "Number of the registered trade mark."),
            opt("about", Text, "What makes it special, at most 500 characters."),
            opt("since", Date, "Day since when."),
            opt("attachments", List(&Object(&ATTACHMENT)), "Files uploaded before, at most 9."),
        ]
    );
}

impl Described for LicenseBrand {
    const SCHEMA: Schema = shape!(
        "LicenseBrand",
        "An operator that may use a brand.",
        [
            req("brand", Text, "Brand."),
            req("operator", Text, "Operator."),
            opt("products", List(&Text), "Products, at most 50; all when absent."),
            opt("number", Text, "Number on the paper."),
            req("valid_from", Date, "First day."),
            opt("valid_to", Date, "Last day."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(&BRAND);
    let licence = Good::Made(&LICENCE);
    vec![
        Route::get("/brands", "Lists brands.", Good::Page(&BRAND), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/brands", "Adds a brand.", good, post(add)).body::<AddBrand>(),
        Route::get("/brands/{id}", "Shows a brand.", Good::Object(&BRAND), get(one)).versioned(),
        Route::post(
            "/brands/{id}/change",
            "Corrects a brand; its owner stays.",
            good,
            post(change),
        )
        .body::<AddBrand>()
        .versioned(),
        Route::post("/brands/{id}/close", "A brand does not count any more.", good, post(close))
            .body::<Reason>()
            .versioned(),
        Route::get("/brand_licences", "Lists licences.", Good::Page(&LICENCE), get(licences))
            .query(&[&LICENCES.parameters()]),
        Route::post("/brand_licences", "Lets an operator use a brand.", licence, post(license))
            .body::<LicenseBrand>(),
        Route::post(
            "/brand_licences/{id}/end",
            "An operator may not use a brand any more.",
            licence,
            post(end),
        )
        .body::<Reason>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<Brand>(&app, &caller, &LISTING, query)
}

/// Everybody who is signed in reads it.
fn brand_of(app: &App, id: &str) -> Result<Brand, Problem> {
    app.store.get(id)?.ok_or_else(Problem::not_found)
}

async fn one(State(app): State<Arc<App>>, _: Caller, Path(id): Path<String>) -> Answer {
    super::route::versioned_value(&app, &format!("brand/{id}"), || show(&brand_of(&app, &id)?))
}

fn made_brand(app: &App, outcome: &Outcome) -> Answer {
    let value = brand_of(app, &outcome.id).and_then(|brand| show(&brand));
    Ok(made_value::<Brand>(outcome, value.map_err(|problem| problem.after(outcome))?))
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<AddBrand>,
) -> Answer {
    let command = Command::AddBrand(command);
    let outcome = app.put_brand(caller.actor(), command, key, &Vec::new()).await?;
    made_brand(&app, &outcome)
}

async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(brand): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(data): Body<AddBrand>,
) -> Answer {
    let seen = version.of(format!("brand/{brand}"));
    let command = Command::ChangeBrand(ChangeBrand { brand, data });
    let outcome = app.put_brand(caller.actor(), command, key, &seen).await?;
    made_brand(&app, &outcome)
}

async fn close(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(brand): Path<String>,
    Key(key): Key,
    version: IfMatch,
    Body(body): Body<Reason>,
) -> Answer {
    let seen = version.of(format!("brand/{brand}"));
    let command = Command::CloseBrand(CloseBrand { brand, reason: body.reason });
    let outcome = app.submit_based(caller.actor(), command, key, &seen).await?;
    made_brand(&app, &outcome)
}

async fn licences(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    list::page::<BrandLicence>(&app, &caller, &LICENCES, query)
}

async fn license(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<LicenseBrand>,
) -> Answer {
    let outcome = app.submit_keyed(caller.actor(), Command::LicenseBrand(command), key).await?;
    made::<BrandLicence>(&app, &caller, &outcome)
}

async fn end(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(licence): Path<String>,
    Key(key): Key,
    Body(body): Body<Reason>,
) -> Answer {
    let command = Command::EndBrandLicence(EndBrandLicence { licence, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<BrandLicence>(&app, &caller, &outcome)
}
