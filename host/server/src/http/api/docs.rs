//! The documentation page: the same table of routes, readable without a network or a script.

use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::extract::State;
use axum::response::{Html, IntoResponse as _};

use super::route::{Good, Route, Verb};
use super::schema::{Field, Kind, Schema};
use super::{Answer, BASE, routes};
use crate::app::App;
use crate::http::Problem;
use crate::http::public::{set_page_headers, style};

struct Group {
    name: &'static str,
    operations: Vec<Operation>,
}

struct Operation {
    verb: &'static str,
    path: String,
    summary: &'static str,
    query: Vec<(&'static str, String, &'static str)>,
    body: Option<&'static str>,
    answer: String,
    answer_model: Option<&'static str>,
}

struct Model {
    name: &'static str,
    about: &'static str,
    fields: Vec<(Field, String)>,
}

#[derive(Template)]
#[template(path = "public/docs.html")]
struct Page {
    style: &'static str,
    base: &'static str,
    groups: Vec<Group>,
    models: Vec<Model>,
}

mod filters {
    #[askama::filter_fn]
    pub fn t(key: &str, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(crate::texts::t(key).to_owned())
    }
}

static PAGE: LazyLock<Result<String, askama::Error>> = LazyLock::new(|| made().render());

/// `GET /api/v1/docs`.
pub(super) async fn page(State(_): State<Arc<App>>) -> Answer {
    let html = PAGE.as_ref().map_err(Problem::internal)?;
    let mut response = Html(html.as_str()).into_response();
    set_page_headers(response.headers_mut());
    Ok(response)
}

fn made() -> Page {
    let mut groups: Vec<Group> = Vec::new();
    let mut models = Vec::new();
    for route in routes() {
        let name = route.path.split('/').nth(1).unwrap_or_default();
        match route.good {
            Good::Object(schema) | Good::Made(schema) | Good::Page(schema) => {
                collect(schema, &mut models);
            }
            Good::File(_) | Good::Nothing => {}
        }
        if let Some(body) = &route.body {
            collect(body, &mut models);
        }
        let operation = operation(&route);
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.operations.push(operation),
            None => groups.push(Group { name, operations: vec![operation] }),
        }
    }
    models.sort_by_key(|model| model.name);
    Page { style: style(), base: BASE, groups, models }
}

fn operation(route: &Route) -> Operation {
    let (answer, answer_model) = match route.good {
        Good::Object(schema) => ("200".to_owned(), Some(schema.name)),
        Good::Made(schema) => ("201".to_owned(), Some(schema.name)),
        Good::Page(schema) => ("200 items[]".to_owned(), Some(schema.name)),
        Good::File(media) => (format!("200 {media}"), None),
        Good::Nothing => ("204".to_owned(), None),
    };
    Operation {
        verb: match route.verb {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
        },
        path: format!("{BASE}{}", route.path),
        summary: route.summary,
        query: route.query.iter().map(|p| (p.name, kind_text(p.kind), p.about)).collect(),
        body: route.body.as_ref().map(|body| body.name),
        answer,
        answer_model,
    }
}

fn collect(schema: &Schema, models: &mut Vec<Model>) {
    if models.iter().any(|model| model.name == schema.name) {
        return;
    }
    let fields = schema.fields.iter().map(|f| (*f, kind_text(f.kind))).collect();
    models.push(Model { name: schema.name, about: schema.about, fields });
    for field in schema.fields {
        if let Kind::Object(inner) = field.kind.innermost() {
            collect(inner, models);
        }
    }
}

fn kind_text(kind: Kind) -> String {
    match kind {
        Kind::Text => "string".into(),
        Kind::Chars(min, max) => format!("string, {min} – {max}"),
        Kind::Position => "longitude,latitude".into(),
        Kind::Formed(pattern) => format!("string, {pattern}"),
        Kind::Integer => "integer".into(),
        Kind::Whole(min, max) => format!("integer, {min} – {max}"),
        Kind::Boolean => "boolean".into(),
        Kind::Decimal | Kind::Quantity => "decimal string".into(),
        Kind::Date => "date".into(),
        Kind::Time => "date-time".into(),
        Kind::Choice(words) => words.join(" | "),
        Kind::List(inner) => format!("{}[]", kind_text(*inner)),
        Kind::Few(inner, min, max) => format!("{}[], {min} – {max}", kind_text(*inner)),
        Kind::Object(schema) => schema.name.into(),
        Kind::Any => "any".into(),
    }
}
