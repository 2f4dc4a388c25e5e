//! JSON API, version 1. Each noun's file tells its routes in one table, from which the router, the
//! OpenAPI document and the documentation page are made: what is not described is not served.

mod activities;
mod agencies;
mod authorisations;
mod blobs;
mod brands;
mod cells;
mod certificates;
mod certifications;
mod codes;
mod collections;
mod county;
mod delegations;
mod devices;
mod docs;
mod documents;
mod feedback;
mod id_cards;
mod input_import;
mod inputs;
mod label_templates;
mod list;
mod lots;
mod messages;
mod national_codes;
mod objections;
mod openapi;
mod operators;
mod packs;
mod policy;
mod print_jobs;
mod products;
mod reason;
mod recalls;
mod register_import;
mod request;
mod result_import;
mod route;
mod samplings;
mod schema;
mod session;
mod shapes;
mod shop_links;
mod sites;
mod steps;
mod test_shapes;
mod tests;
mod tokens;
mod users;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::app::App;
use crate::http::Problem;
use route::Route;

pub use openapi::document;

/// Where the API is.
pub const BASE: &str = "/api/v1";

/// Every route, in the order of the documentation.
fn routes() -> Vec<Route> {
    [
        session::routes(),
        operators::routes(),
        sites::routes(),
        products::routes(),
        brands::routes(),
        certifications::routes(),
        shop_links::routes(),
        id_cards::routes(),
        inputs::routes(),
        input_import::routes(),
        register_import::routes(),
        lots::routes(),
        activities::routes(),
        documents::routes(),
        blobs::routes(),
        devices::routes(),
        messages::routes(),
        tests::routes(),
        result_import::routes(),
        authorisations::routes(),
        certificates::routes(),
        print_jobs::routes(),
        codes::routes(),
        agencies::routes(),
        delegations::routes(),
        cells::routes(),
        users::routes(),
        county::routes(),
        policy::routes(),
        tokens::routes(),
        steps::routes(),
        recalls::routes(),
        samplings::routes(),
        objections::routes(),
        feedback::routes(),
        collections::routes(),
        packs::routes(),
        label_templates::routes(),
        national_codes::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Routes below [`BASE`].
pub fn router() -> Router<Arc<App>> {
    let mut router =
        Router::new().route("/openapi.json", get(openapi_json)).route("/docs", get(docs::page));
    for route in routes() {
        router = router.route(route.path, route.handler);
    }
    // Answers hold what one client may see: no cache keeps them.
    let no_store = axum::middleware::map_response(async |response: axum::response::Response| {
        let mut response = response;
        let value = HeaderValue::from_static("private, no-store");
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(value);
        response
    });
    Router::new().nest(BASE, router.layer(no_store))
}

static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| serde_json::to_string(&document()).unwrap_or_default());

async fn openapi_json() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, DOCUMENT.as_str())
}

/// What a handler answers.
type Answer = Result<axum::response::Response, Problem>;

#[cfg(test)]
mod keeps_step {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use serde::Serialize;
    use serde_json::{Map, Value, json};
    use tianyin_domain::activity::RecordActivity;
    use tianyin_domain::agency::AddAgency;
    use tianyin_domain::authorisation::GrantAuthorisation;
    use tianyin_domain::brand::{AddBrand, LicenseBrand};
    use tianyin_domain::cell::CellData;
    use tianyin_domain::certificate::CertificateRequest;
    use tianyin_domain::certification::AddCertification;
    use tianyin_domain::collection::CollectProof;
    use tianyin_domain::delegation::DelegateOperators;
    use tianyin_domain::document::FileDocument;
    use tianyin_domain::input::AddInput;
    use tianyin_domain::label_template::SaveLabelTemplate;
    use tianyin_domain::lot::LotRequest;
    use tianyin_domain::operator::RegisterOperator;
    use tianyin_domain::pack::OrderPack;
    use tianyin_domain::policy::SetPolicy;
    use tianyin_domain::print_job::QueuePrint;
    use tianyin_domain::product::AddProduct;
    use tianyin_domain::shop_link::AddShopLink;
    use tianyin_domain::site::AddSite;

    use super::schema::{Described, Kind, Schema};

    fn example(kind: Kind) -> Value {
        match kind {
            Kind::Text | Kind::Chars(..) | Kind::Formed(_) => json!("x"),
            Kind::Position => json!("112.941234,27.829123"),
            Kind::Integer => json!(1),
            Kind::Whole(min, _) => json!(min),
            Kind::Boolean => json!(true),
            Kind::Decimal | Kind::Quantity => json!("1.5"),
            Kind::Date => json!("2026-11-20"),
            Kind::Time => json!("2026-11-20T08:41:00Z"),
            Kind::Choice(words) => json!(words[0]),
            Kind::List(inner) | Kind::Few(inner, ..) => json!([example(*inner)]),
            Kind::Object(schema) => example_of(schema),
            Kind::Any => Value::Null,
        }
    }

    fn example_of(schema: &Schema) -> Value {
        let fields = schema.fields.iter().map(|f| (f.name.to_owned(), example(f.kind)));
        Value::Object(fields.collect::<Map<_, _>>())
    }

    /// A command takes every field of its shape, and has no other but the hidden ones.
    fn fits<T: Described + Serialize>(hidden: &[&str]) {
        let example = example_of(&T::SCHEMA);
        let mut faults = Vec::new();
        T::SCHEMA.check(&example, &mut faults);
        assert!(faults.is_empty(), "{faults:?}");
        let command: T = serde_json::from_value(example.clone()).unwrap();
        let written = serde_json::to_value(command).unwrap();
        let keys =
            |v: &Value| -> BTreeSet<String> { v.as_object().unwrap().keys().cloned().collect() };
        let shape: BTreeSet<String> =
            keys(&example).into_iter().chain(hidden.iter().map(|h| (*h).to_owned())).collect();
        assert_eq!(keys(&written), shape, "{}", T::SCHEMA.name);
    }

    #[test]
    fn shapes_keep_step_with_commands() {
        fits::<RegisterOperator>(&["contact_secret"]);
        fits::<AddSite>(&[]);
        fits::<AddBrand>(&[]);
        fits::<LicenseBrand>(&[]);
        fits::<AddCertification>(&[]);
        fits::<AddShopLink>(&[]);
        fits::<AddAgency>(&[]);
        fits::<SetPolicy>(&[]);
        fits::<DelegateOperators>(&[]);
        fits::<CellData>(&[]);
        fits::<AddProduct>(&[]);
        fits::<AddInput>(&[]);
        fits::<LotRequest>(&[]);
        fits::<RecordActivity>(&[]);
        fits::<FileDocument>(&[]);
        fits::<GrantAuthorisation>(&[]);
        fits::<CertificateRequest>(&[]);
        fits::<CollectProof>(&[]);
        fits::<QueuePrint>(&[]);
        fits::<OrderPack>(&["key_check"]);
        fits::<SaveLabelTemplate>(&[]);
    }

    #[test]
    fn every_word_of_a_shape_is_a_word_of_its_type() {
        use super::shapes as s;
        fn words<T: serde::de::DeserializeOwned>(kind: Kind) {
            let Kind::Choice(words) = kind else { return };
            for word in words {
                assert!(serde_json::from_value::<T>(json!(word)).is_ok(), "{word}");
            }
        }
        words::<tianyin_domain::operator::OperatorKind>(s::OPERATOR_KIND);
        words::<tianyin_domain::operator::OperatorStatus>(s::OPERATOR_STATUS);
        words::<tianyin_domain::product::ProductClass>(s::PRODUCT_CLASS);
        words::<tianyin_domain::input::InputKind>(s::INPUT_KIND);
        words::<tianyin_domain::lot::LotStatus>(s::LOT_STATUS);
        words::<tianyin_domain::activity::ActivityKind>(s::ACTIVITY_KIND);
        words::<tianyin_domain::document::DocumentKind>(s::DOCUMENT_KIND);
        words::<tianyin_domain::attachment::BlobKind>(s::BLOB_KIND);
        words::<tianyin_domain::device::DeviceKind>(s::DEVICE_KIND);
        words::<tianyin_domain::device::DeviceStatus>(s::DEVICE_STATUS);
        words::<tianyin_domain::message::MessageStatus>(s::MESSAGE_STATUS);
        words::<tianyin_domain::Verdict>(s::VERDICT);
        words::<tianyin_domain::test::TestVerdict>(s::TEST_VERDICT);
        words::<tianyin_domain::measurement::Method>(s::METHOD);
        words::<tianyin_domain::measurement::ValueKind>(s::VALUE_KIND);
        words::<tianyin_domain::measurement::Qualifier>(s::QUALIFIER);
        words::<tianyin_domain::certificate::Basis>(s::BASIS);
        words::<tianyin_domain::certificate::CertificateStatus>(s::CERTIFICATE_STATUS);
        words::<tianyin_domain::print_job::PrintStatus>(s::PRINT_STATUS);
        words::<tianyin_domain::pack::PackKind>(super::packs::PACK_KIND);
        words::<tianyin_domain::span::SpanState>(super::packs::SPAN_STATE);
        words::<tianyin_domain::Role>(s::ROLE);
        words::<tianyin_domain::agency::AgencyKind>(s::AGENCY_KIND);
        use super::label_templates as l;
        words::<tianyin_domain::label_template::LabelSize>(l::SIZE);
        words::<tianyin_domain::label_template::LabelField>(l::FIELD);
        words::<tianyin_domain::label_template::BarcodeKind>(l::BARCODE_KIND);
        use super::{policy::PASSWORD_PRESET, tokens::TOKEN_GROUP};
        words::<tianyin_domain::policy::PasswordPreset>(PASSWORD_PRESET);
        words::<tianyin_domain::token::TokenGroup>(TOKEN_GROUP);
    }
}
