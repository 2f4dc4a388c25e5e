//! The page of a static mirror for every address that it does not have.

use askama::Template;

use super::page::{filters, style};
use crate::app::App;
use crate::http::Problem;
use crate::texts::{t, tf};

#[derive(Template)]
#[template(path = "public/lost.html")]
struct LostPage {
    style: &'static str,
    heading: String,
    foot: String,
}

/// The page. Nobody knows there what was asked for: a code that was never given out, one that is not there
/// yet, or an address with a fault.
///
/// # Errors
/// When the store cannot be read.
pub fn lost_page(app: &App) -> Result<String, Problem> {
    let county = app.county()?.map(|county| county.name);
    let around = |key: &str| match &county {
        Some(county) => tf(key, [("county", county.as_str())]),
        None => t("public.site").to_owned(),
    };
    let page = LostPage {
        style: style(),
        heading: around("public.one_code"),
        foot: around("public.foot"),
    };
    page.render().map_err(Problem::internal)
}
