//! The OpenAPI 3.1 document, made from the table of routes.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{
    Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, Object, ObjectBuilder, SchemaFormat,
    SchemaType, Type,
};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ComponentsBuilder, ContentBuilder, HttpMethod, InfoBuilder, OneOfBuilder, OpenApi,
    OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
    Schema as Shape,
};

use super::route::{Good, Route, Verb};
use super::schema::{Kind, Schema};
use super::shapes::FINDING;
use super::{BASE, routes};
use crate::http::problem::PROBLEM_JSON;

const JSON: &str = "application/json";
const TOKEN: &str = "token";
const PROBLEM: &str = "Problem";
/// A point within China; the domain refuses others in its own words.
const POSITION: &str =
    r"^(7[4-9]|[89][0-9]|1[0-2][0-9]|13[0-5])\.[0-9]{1,6},([4-9]|[1-4][0-9]|5[0-3])\.[0-9]{1,6}$";

/// No control characters but line feeds.
const VISIBLE: &str = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$";
/// The same, not blank.
const FILLED: &str =
    r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x09\x0b-\x1f\x7f-\x9f]*$";
/// Above zero, below 10^12, at most three places.
const QUANTITY: &str =
    "^([1-9][0-9]{0,11}([.][0-9]{1,3})?|0[.](00[1-9]|0[1-9][0-9]?|[1-9][0-9]{0,2}))$";

/// The whole document.
pub fn document() -> OpenApi {
    let mut components = ComponentsBuilder::new()
        .security_scheme(TOKEN, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let mut known = Vec::new();
    components = components.schema(PROBLEM, problem_schema());
    add(&FINDING, Nulls::No, &mut components, &mut known);
    let mut paths = PathsBuilder::new();
    // Bodies first: a shape that is both read and shown may hold `null`, as the shape of a body.
    for body in routes().iter().filter_map(|route| route.body.as_ref()) {
        add(body, Nulls::Taken, &mut components, &mut known);
    }
    for route in routes() {
        match route.good {
            Good::Object(schema) | Good::Made(schema) | Good::Page(schema) => {
                add(schema, Nulls::No, &mut components, &mut known);
            }
            Good::File(_) | Good::Nothing => {}
        }
        let item = PathItem::new(method(route.verb), operation(&route));
        paths = paths.path(format!("{BASE}{}", route.path), item);
    }
    let info = InfoBuilder::new()
        .title("Tianyin")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .build();
    let components: Components = components.build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build()
}

const ABOUT_VERSION: &str = "Version of the record; it also moves with what belongs to the record. \
    Send it as `If-Match` with a write.";

const ABOUT: &str = "Traceability of a county's agricultural products. Sign in at \
POST /api/v1/session, then send `Authorization: Bearer TOKEN`. Programs send an API token in its place, which a \
person makes on the account page for at most a year: it reads what the person sees and does what its groups name \
(register, records, tests, certificates, devices, contacts), else 403 `outside_token_scope`. Lists answer `{items, next}`: send `next` as \
`cursor` for the following page. Writes take `Idempotency-Key`: the same key with the same request is carried out \
once and answered alike. A record answers its version as `ETag`; a write that sends it as `If-Match` is refused \
when the record changed meanwhile. Decimal numbers are strings. Every error is `application/problem+json` (RFC 9457) with a \
stable `code`, a Chinese `detail` that says what to do, `request_id`, and `errors` with every bad field.";

fn method(verb: Verb) -> HttpMethod {
    match verb {
        Verb::Get => HttpMethod::Get,
        Verb::Post => HttpMethod::Post,
        Verb::Put => HttpMethod::Put,
        Verb::Delete => HttpMethod::Delete,
    }
}

fn operation(route: &Route) -> Operation {
    let tag = route.path.split('/').nth(1).unwrap_or_default();
    let mut operation = OperationBuilder::new()
        .tag(tag)
        .summary(Some(route.summary))
        .operation_id(Some(operation_id(route)));
    for name in route.path_parameters() {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
        operation = operation.parameter(parameter.required(Required::True).schema(Some(text())));
    }
    for p in &route.query {
        operation = operation.parameter(optional(p.name, ParameterIn::Query, p.kind, p.about));
    }
    if matches!(route.good, Good::Made(_)) {
        let about =
            "1 to 64 visible characters. The same request with the same key is carried out once.";
        let kind = Kind::Formed("^[!-~]{1,64}$");
        operation =
            operation.parameter(optional("Idempotency-Key", ParameterIn::Header, kind, about));
    }
    if route.versioned && route.verb != Verb::Get {
        let about = "`ETag` of the record (of the lot, for a certificate) the request is based on; \
            409 `version_conflict` when it changed meanwhile.";
        let kind = Kind::Formed("^(W/)?\"[0-9]{1,18}\"$");
        operation = operation.parameter(optional("If-Match", ParameterIn::Header, kind, about));
    }
    if let Some(body) = &route.body {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(body.name))).build();
        let body = RequestBodyBuilder::new().content(JSON, content).required(Some(Required::True));
        operation = operation.request_body(Some(body.build()));
    }
    if !route.raw.is_empty() {
        let body = RequestBodyBuilder::new().required(Some(Required::True));
        let body = route.raw.iter().fold(body, |body, media| {
            body.content(*media, ContentBuilder::new().schema(Some(binary())).build())
        });
        operation = operation.request_body(Some(body.build()));
    }
    for (status, mut response) in good(&route.good) {
        if route.versioned && route.verb == Verb::Get {
            let tag =
                HeaderBuilder::new().schema(Some(text())).description(Some(ABOUT_VERSION)).build();
            response.headers.insert("ETag".into(), tag.into());
        }
        operation = operation.response(status, response);
    }
    for status in bad(route) {
        operation = operation.response(status, problem(status));
    }
    if !route.open {
        operation = operation.security(SecurityRequirement::new(TOKEN, Vec::<String>::new()));
    }
    operation.build()
}

fn operation_id(route: &Route) -> String {
    let verb = match route.verb {
        Verb::Get => "get",
        Verb::Post => "post",
        Verb::Put => "put",
        Verb::Delete => "delete",
    };
    let words = route.path.split(['/', '.']).filter(|word| !word.is_empty());
    words.fold(verb.to_owned(), |id, word| format!("{id}_{}", word.trim_matches(['{', '}'])))
}

fn optional(name: &str, place: ParameterIn, kind: Kind, about: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(shape_of(kind)))
        .build()
}

fn good(good: &Good) -> Vec<(&'static str, Response)> {
    let json = |about: &str, schema: RefOr<Shape>| {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        ResponseBuilder::new().description(about).content(JSON, content).build()
    };
    let reference = |schema: &Schema| RefOr::from(Ref::from_schema_name(schema.name));
    match good {
        Good::Object(schema) => vec![("200", json(schema.about, reference(schema)))],
        Good::Made(schema) => vec![
            ("200", json("Done before, by the same request.", reference(schema))),
            ("201", json("Done.", reference(schema))),
        ],
        Good::Page(schema) => vec![("200", json("A page.", page_of(reference(schema))))],
        Good::File(media) => {
            let content = ContentBuilder::new().schema(Some(binary())).build();
            let response = ResponseBuilder::new().description("The file.").content(*media, content);
            vec![("200", response.build())]
        }
        Good::Nothing => vec![("204", ResponseBuilder::new().description("Done.").build())],
    }
}

fn binary() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .build()
}

fn page_of(item: RefOr<Shape>) -> RefOr<Shape> {
    let next = ObjectBuilder::new()
        .schema_type([Type::String, Type::Null].into_iter().collect::<SchemaType>())
        .description(Some("Send as `cursor` for the next page; `null` at the end."));
    ObjectBuilder::new()
        .property("items", ArrayBuilder::new().items(item))
        .property("next", next)
        .required("items")
        .required("next")
        .into()
}

/// Statuses of what can go wrong with a route.
fn bad(route: &Route) -> Vec<&'static str> {
    let writes = route.verb != Verb::Get;
    let has_path = route.path_parameters().next().is_some();
    let mut statuses = Vec::new();
    if writes || has_path || !route.query.is_empty() {
        statuses.push("400");
    }
    statuses.extend(["401", "403"]);
    if !route.open && (has_path || route.body.is_some()) {
        statuses.push("404");
    }
    if (writes && !route.open) || route.judged {
        statuses.push("409");
    }
    if route.body.is_some() || !route.raw.is_empty() {
        statuses.extend(["413", "415", "422"]);
    } else if matches!(route.good, Good::Made(_)) || route.judged {
        // The key of another request, or what a file is not made of.
        statuses.push("422");
    }
    if route.open || !route.raw.is_empty() {
        // Sign-in waits after failures, uploads are counted.
        statuses.push("429");
    }
    statuses.extend(["500", "503"]);
    statuses
}

fn problem(status: &str) -> Response {
    let about = match status {
        "400" => "The address, the query, the JSON or a header is malformed.",
        "401" => "No token, a token that ended, or a wrong password.",
        "403" => {
            "The role or the API token does not allow it (`outside_token_scope`), or another site's page sent it."
        }
        "404" => "No such record, or it is out of sight.",
        "409" => {
            "The record's state does not allow it, or it changed meanwhile (`version_conflict`)."
        }
        "413" => "The body is too large.",
        "415" => "The body is of a kind that is not taken in.",
        "422" => {
            "Fields are missing or wrong, a rule refused, or the key is another request's; every reason is listed."
        }
        "429" => "Too many attempts; see `Retry-After`.",
        "503" => "Read-only or overloaded.",
        _ => "A fault of the appliance; it is in the log under `request_id`.",
    };
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(PROBLEM))).build();
    ResponseBuilder::new().description(about).content(PROBLEM_JSON, content).build()
}

fn problem_schema() -> Object {
    let fault = ObjectBuilder::new()
        .property("field", text())
        .property("code", text())
        .property("detail", text())
        .required("field")
        .required("code")
        .required("detail");
    let findings = RefOr::<Shape>::from(Ref::from_schema_name(FINDING.name));
    let change = ObjectBuilder::new()
        .description(Some("Its last change: when, who, which events, and the same in words."))
        .property("at", shape_of(Kind::Time))
        .property("by", text())
        .property("events", ArrayBuilder::new().items(text()))
        .property("what", text())
        .required("at")
        .required("by")
        .required("events")
        .required("what");
    ObjectBuilder::new()
        .description(Some("An error (RFC 9457)."))
        .property("type", text())
        .property("title", text())
        .property("status", shape_of(Kind::Integer))
        .property("code", text())
        .property("detail", text())
        .property("request_id", text())
        .property("errors", ArrayBuilder::new().items(fault))
        .property("findings", ArrayBuilder::new().items(findings))
        .property("root", described(Kind::Text, "`version_conflict`: what changed, `noun/id`."))
        .property("expected", described(Kind::Integer, "Its version the request was based on."))
        .property("actual", described(Kind::Integer, "Its version now."))
        .property("change", change)
        .required("type")
        .required("title")
        .required("status")
        .required("code")
        .required("detail")
        .required("request_id")
        .build()
}

/// Whether optional fields of a shape may be `null`: taken in bodies, never there in answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nulls {
    Taken,
    No,
}

/// Adds a shape and every shape inside.
fn add(
    schema: &Schema,
    nulls: Nulls,
    components: &mut ComponentsBuilder,
    known: &mut Vec<&'static str>,
) {
    if known.contains(&schema.name) {
        return;
    }
    known.push(schema.name);
    let mut object = ObjectBuilder::new()
        .description(Some(schema.about))
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    for field in schema.fields {
        let shape = described(field.kind, field.about);
        if field.required {
            object = object.property(field.name, shape).required(field.name);
        } else if nulls == Nulls::Taken {
            object = object.property(field.name, or_null(shape, field.about));
        } else {
            object = object.property(field.name, shape);
        }
        if let Kind::Object(inner) = field.kind.innermost() {
            add(inner, nulls, components, known);
        }
    }
    *components = std::mem::take(components).schema(schema.name, object.build());
}

/// The shape, or `null`, which is the same as absent.
fn or_null(shape: RefOr<Shape>, about: &str) -> RefOr<Shape> {
    let null = |known: SchemaType| match known {
        SchemaType::Type(known) => [known, Type::Null].into_iter().collect(),
        several => several,
    };
    match shape {
        RefOr::T(Shape::Object(mut object)) => {
            object.schema_type = null(object.schema_type);
            if let Some(words) = &mut object.enum_values {
                words.push(serde_json::Value::Null);
            }
            object.into()
        }
        RefOr::T(Shape::Array(mut array)) => {
            array.schema_type = null(array.schema_type);
            array.into()
        }
        other => {
            let none = ObjectBuilder::new().schema_type(Type::Null);
            let about = (!about.is_empty()).then_some(about);
            OneOfBuilder::new().item(other).item(none).description(about).into()
        }
    }
}

fn text() -> RefOr<Shape> {
    shape_of(Kind::Text)
}

fn shape_of(kind: Kind) -> RefOr<Shape> {
    described(kind, "")
}

fn described(kind: Kind, about: &str) -> RefOr<Shape> {
    let about = (!about.is_empty()).then_some(about);
    let of = |schema_type: Type| ObjectBuilder::new().schema_type(schema_type).description(about);
    let known = |format| Some(SchemaFormat::KnownFormat(format));
    match kind {
        Kind::Text => of(Type::String).into(),
        Kind::Chars(min, max) => {
            let (pattern, least) = if min == 0 { (VISIBLE, None) } else { (FILLED, Some(min)) };
            let text = of(Type::String).min_length(least).max_length(Some(max));
            text.pattern(Some(pattern)).into()
        }
        Kind::Position => of(Type::String).pattern(Some(POSITION)).into(),
        Kind::Formed(pattern) => of(Type::String).pattern(Some(pattern)).into(),
        Kind::Integer => of(Type::Integer).into(),
        Kind::Whole(min, max) => of(Type::Integer).minimum(Some(min)).maximum(Some(max)).into(),
        Kind::Boolean => of(Type::Boolean).into(),
        Kind::Decimal => {
            let decimal = of(Type::String).format(Some(SchemaFormat::Custom("decimal".into())));
            decimal.pattern(Some("^-?[0-9]{1,28}([.][0-9]{1,28})?$")).into()
        }
        Kind::Quantity => {
            let decimal = of(Type::String).format(Some(SchemaFormat::Custom("decimal".into())));
            decimal.pattern(Some(QUANTITY)).into()
        }
        Kind::Date => of(Type::String).format(known(KnownFormat::Date)).into(),
        Kind::Time => of(Type::String).format(known(KnownFormat::DateTime)).into(),
        Kind::Choice(words) => of(Type::String).enum_values(Some(words.iter().copied())).into(),
        Kind::List(inner) => ArrayBuilder::new().items(shape_of(*inner)).description(about).into(),
        Kind::Few(inner, min, max) => {
            let list = ArrayBuilder::new().items(shape_of(*inner)).description(about);
            list.min_items(Some(min)).max_items(Some(max)).into()
        }
        Kind::Object(schema) => {
            Ref::builder().ref_location_from_schema_name(schema.name).description(about).into()
        }
        Kind::Any => {
            ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(about).into()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    /// The document as it was agreed on; set `TIANYIN_TEST_UPDATE=1` to write it anew.
    #[test]
    fn the_document_is_as_agreed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openapi.json");
        let now = serde_json::to_string_pretty(&document()).unwrap() + "\n";
        if std::env::var_os("TIANYIN_TEST_UPDATE").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        let agreed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            now == agreed,
            "tests/openapi.json differs: look at the change, then run with TIANYIN_TEST_UPDATE=1"
        );
    }

    #[test]
    fn references_lead_somewhere_and_names_are_unique() {
        let value = serde_json::to_value(document()).unwrap();
        assert_eq!(value["openapi"], "3.1.0");
        let text = value.to_string();
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(value.pointer(pointer).is_some(), "{pointer}");
        }
        let ids: Vec<String> = routes().iter().map(operation_id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    }

    #[test]
    fn every_route_tells_its_answers() {
        let value = serde_json::to_value(document()).unwrap();
        for route in routes() {
            let verb = format!("{:?}", route.verb).to_lowercase();
            let path = format!("{BASE}{}", route.path);
            let responses = value["paths"][&path][&verb]["responses"].as_object().unwrap();
            assert!(responses.keys().any(|s| s.starts_with('2')), "{verb} {path}");
            assert!(responses.contains_key("401"), "{verb} {path}");
        }
    }
}
