//! The handbook within the program: Markdown files, embedded.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use pulldown_cmark::{Event, Options, Parser};
use rust_embed::RustEmbed;

use super::error::{Answer, ConsoleError};
use super::filters;
use super::page::{Page, html};
use super::session::Signed;
use crate::app::App;
use crate::texts::t;

#[derive(RustEmbed)]
#[folder = "../../packaging/handbook"]
#[allow_missing = true]
struct Files;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/help", get(first)).route("/help/{chapter}", get(chapter))
}

/// A chapter in the table of contents.
struct Chapter {
    name: String,
    title: String,
    on: bool,
}

#[derive(Template)]
#[template(path = "handbook.html")]
struct HandbookPage {
    page: Page,
    chapters: Vec<Chapter>,
    body: String,
}

/// Chapters in the order of their file names, such as `10-start.md`.
fn chapters(chosen: &str) -> Vec<Chapter> {
    let mut names: Vec<String> =
        Files::iter().filter_map(|f| f.strip_suffix(".md").map(str::to_owned)).collect();
    names.sort();
    let chapter = |name: String| {
        let text = text_of(&name).unwrap_or_default();
        let heading = text.lines().find_map(|l| l.strip_prefix("# "));
        Chapter { title: heading.unwrap_or(&name).trim().to_owned(), on: name == chosen, name }
    };
    names.into_iter().map(chapter).collect()
}

fn text_of(name: &str) -> Option<String> {
    let file = Files::get(&format!("{name}.md"))?;
    String::from_utf8(file.data.into_owned()).ok()
}

/// HTML of a chapter. Raw HTML in it is shown as text: the handbook needs none.
fn rendered(text: &str) -> String {
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        event => event,
    });
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, parser);
    // Long lines of a command scroll, also by keyboard.
    out.replace("<pre>", "<pre tabindex=\"0\">")
}

async fn first(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    let name = chapters("").into_iter().next().map(|c| c.name).unwrap_or_default();
    shown(&app, &signed, &name)
}

async fn chapter(State(app): State<Arc<App>>, signed: Signed, Path(name): Path<String>) -> Answer {
    if text_of(&name).is_none() {
        return Err(ConsoleError::not_found("chapter", &name));
    }
    shown(&app, &signed, &name)
}

fn shown(app: &App, signed: &Signed, name: &str) -> Answer {
    let body = text_of(name).map(|text| rendered(&text)).unwrap_or_default();
    let chapters = chapters(name);
    let page = Page::new(app, signed, "/help", "help.title");
    let title = chapters.iter().find(|c| c.on).map_or(t("help.title"), |c| &c.title).to_owned();
    html(&HandbookPage { page: page.titled(title), chapters, body })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_chapter_has_a_number_of_its_own_and_its_links_lead_to_chapters() {
        let names: Vec<String> = chapters("").into_iter().map(|c| c.name).collect();
        let numbers: HashSet<&str> =
            names.iter().filter_map(|name| name.split('-').next()).collect();
        assert!(numbers.len() > 20 && numbers.len() == names.len(), "{names:?}");
        for name in &names {
            let text = text_of(name).unwrap_or_default();
            for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                assert!(names.iter().any(|one| one == link), "{name}: {link}");
            }
        }
    }

    #[test]
    fn raw_html_is_shown_and_not_run() {
        let html = rendered("# A\n\n<script>x</script>\n\n|a|b|\n|-|-|\n|1|2|\n");
        assert!(html.contains("<h1>A</h1>") && html.contains("<table>"));
        assert!(!html.contains("<script>"));
    }
}
