//! Templates of the product's technical procedure on the form of a production record: a tap fills it in.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use tianyin_domain::product::Product;

use super::error::{Answer, ConsoleError};
use super::form::Form;
use super::page::html;
use super::session::{Signed, encode};
use crate::app::App;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/activities/procedures", get(offered))
}

/// The templates of a product; nothing where there is none.
#[derive(Template, Default)]
#[template(path = "activities/_procedures.html")]
pub(super) struct Procedures {
    rows: Vec<Row>,
}

impl askama::filters::HtmlSafe for Procedures {}

/// One procedure.
struct Row {
    title: String,
    basis: String,
    remark: &'static str,
    steps: Vec<Step>,
}

/// A step, and the form that it fills in.
struct Step {
    title: String,
    href: String,
}

async fn offered(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(fields): Query<Vec<(String, String)>>,
) -> Answer {
    html(&of(&app, &signed, &Form::sent(fields))?)
}

/// Templates for the product of a form as it stands.
pub(super) fn of(app: &App, signed: &Signed, form: &Form) -> Result<Procedures, ConsoleError> {
    let product: Option<Product> = app.store.get_scoped(form.get("product"), &signed.scope())?;
    let (Some(product), Some(table)) = (product, app.rules.procedures()) else {
        return Ok(Procedures::default());
    };
    let kept: Vec<String> = ["operator", "product", "site", "lot", "date"]
        .into_iter()
        .filter(|field| !form.get(field).is_empty())
        .map(|field| format!("{field}={}", encode(form.get(field))))
        .collect();
    let kept = kept.join("&");
    let rows = table.of(&product.crop, product.class.as_str()).into_iter().map(|(at, one)| {
        let step = |(n, step): (usize, &tianyin_rules::tables::ProcedureStep)| Step {
            title: step.title.clone(),
            href: format!("/activities/new?{kept}&step={at}.{n}"),
        };
        Row {
            title: one.title.clone(),
            basis: one.basis.clone(),
            remark: one.mark.remark(),
            steps: one.steps.iter().enumerate().map(step).collect(),
        }
    });
    Ok(Procedures { rows: rows.collect() })
}

/// Fills a form in by a step that was tapped; what the form has already of site and product stays.
pub(super) fn fill(app: &App, given: &Form, form: &mut Form) {
    for field in ["product", "site", "lot", "date"] {
        if let Some(value) = given.optional(field) {
            form.set(field, value);
        }
    }
    let Some((at, n)) = given.get("step").split_once('.') else { return };
    let (Ok(at), Ok(n)) = (at.parse::<usize>(), n.parse::<usize>()) else { return };
    let row = app.rules.procedures().and_then(|table| table.rows.get(at));
    if let Some(step) = row.and_then(|row| row.steps.get(n)) {
        form.set("kind", step.kind.as_str());
        form.set("dose", &step.dose);
        form.set("note", &step.note);
    }
}
