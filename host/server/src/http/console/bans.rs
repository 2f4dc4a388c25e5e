//! What is banned on a day: to look up, and to hang up at a base.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Deserialize;
use tianyin_domain::Date;
use tianyin_domain::product::ProductClass;
use tianyin_domain::time::china_date;
use tianyin_rules::tables::Ban;

use super::error::Answer;
use super::filters;
use super::form::Choice;
use super::page::{Page, html};
use super::session::Signed;
use crate::app::App;
use crate::app::bans::BanList;
use crate::edge::now;
use crate::texts::{t, tf};

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/inputs/banned", get(show))
}

/// Which day and which crop.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BanQuery {
    on: String,
    crop: String,
    class: String,
}

/// A group of bans.
struct Group {
    title: &'static str,
    rows: Vec<Row>,
}

/// Substances banned alike.
struct Row {
    names: Vec<String>,
    scope: String,
    since: String,
    basis: String,
    mark: &'static str,
}

#[derive(Template)]
#[template(path = "inputs/banned.html")]
struct BansPage {
    page: Page,
    day: Date,
    query: BanQuery,
    classes: Vec<Choice>,
    list: Option<BanList>,
    groups: Vec<Group>,
    /// Whether something in the list is not confirmed.
    doubtful: bool,
}

async fn show(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<BanQuery>,
) -> Answer {
    let day = query.on.parse().unwrap_or_else(|_| china_date(now()));
    let list = app.bans(day, &query.class, query.crop.trim());
    let groups = list.as_ref().map(groups).unwrap_or_default();
    let mut classes = Choice::words(&ProductClass::ALL);
    classes.insert(0, Choice::new("", t("bans.every_class")));
    let doubtful = groups.iter().flat_map(|group| &group.rows).any(|row| !row.mark.is_empty());
    let page = Page::new(&app, &signed, "/inputs", "bans.title");
    html(&BansPage { page, day, query, classes, list, groups, doubtful })
}

fn groups(list: &BanList) -> Vec<Group> {
    let parts = [
        ("bans.total", &list.total),
        ("bans.partial", &list.partial),
        ("bans.to_come", &list.to_come),
    ];
    let group = |(key, bans): (&'static str, &Vec<Ban>)| Group {
        title: key,
        rows: bans.iter().map(row).collect(),
    };
    parts.into_iter().map(group).filter(|group| !group.rows.is_empty()).collect()
}

fn row(ban: &Ban) -> Row {
    let family = |part: &String| tf("bans.family", [("part", part.as_str())]);
    let since = ban.from.map(|day| tf("bans.since", [("from", day.to_string().as_str())]));
    Row {
        names: ban.names.iter().cloned().chain(ban.parts.iter().map(family)).collect(),
        scope: ban.scope.clone(),
        since: since.unwrap_or_default(),
        basis: ban.basis.clone(),
        mark: ban.mark.remark(),
    }
}
