//! Lists: `?limit=&cursor=&q=&area=` and the filters of each noun, cut to the caller's sight.

use std::collections::BTreeMap;

use axum::Json;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use tianyin_domain::Scope;
use tianyin_domain::state::Index;
use tianyin_store::{PAGE_ITEMS_MAX, PageQuery};

use super::Answer;
use super::request::{Caller, Parameter, RawParameters, bad_query, parameter};
use super::route::{Shown, show};
use super::schema::Kind::{Text, Whole};
use crate::app::App;
use crate::http::Problem;
use crate::http::problem::FieldProblem;

/// Parameters of every list.
pub const PAGING: &[Parameter] = &[
    parameter("limit", Whole(1, 200), "Items per page, 1 to 200; 50 when absent."),
    parameter("cursor", Text, "`next` of the page before."),
    parameter("q", Text, "Only items in which a name, number or code contains this."),
    parameter("area", Text, "Only items of this region code or below it."),
];

/// Items on a page when the client does not say.
const LIMIT: usize = 50;
/// Records looked at for one page when `q`, `area` or filters leave most of them out.
const EXAMINED_MAX: usize = 4000;

/// A filter: a parameter that must equal a field, and the index that finds it at once.
pub struct Filter {
    /// The parameter.
    pub parameter: Parameter,
    /// The field, as a JSON pointer; empty where only the index tells, and then it is the first filter.
    pub field: &'static str,
    /// Its index.
    pub index: Option<Index>,
}

/// How a noun is listed.
pub struct Listing {
    /// Index and part that hold every record; `None` when a filter must be given.
    pub all: Option<(Index, &'static str)>,
    /// Filters, the most telling first.
    pub filters: &'static [Filter],
    /// Switches: when `true`, only the records in part `""` of this index.
    pub switches: &'static [(Parameter, Index)],
    /// Fields that `q` looks at, as JSON pointers.
    pub search: &'static [&'static str],
    /// From the largest sort key down.
    pub newest_first: bool,
    /// Seen by everybody who is signed in, whatever their area.
    pub county_wide: bool,
}

impl Listing {
    /// Every parameter.
    pub fn parameters(&self) -> Vec<Parameter> {
        let filters = self.filters.iter().map(|f| f.parameter);
        PAGING.iter().copied().chain(filters).chain(self.switches.iter().map(|s| s.0)).collect()
    }
}

/// A page of a list.
pub fn page<E: Shown>(
    app: &App,
    caller: &Caller,
    listing: &Listing,
    query: RawParameters,
) -> Answer {
    page_of::<E>(app, caller, listing, query, None)
}

/// The same of a list that is cut to one part of an index, whatever the filters say.
pub fn page_of<E: Shown>(
    app: &App,
    caller: &Caller,
    listing: &Listing,
    query: RawParameters,
    only: Option<(Index, &str)>,
) -> Answer {
    let mut values = query.read(&[&listing.parameters()])?;
    let by_operator = listing.filters.iter().any(|f| f.parameter.name == "operator");
    if let (true, Some(own)) = (by_operator, caller.own_operator()) {
        values.entry("operator".into()).or_insert_with(|| own.to_owned());
    }
    let part = only.map_or_else(|| choose(listing, &values), Ok)?;
    let scope = if listing.county_wide { Scope::everything() } else { caller.scope() };
    walk::<E>(app, listing, &values, part, &scope, Some)
}

/// A page of a part of an index: what `seen` makes of each record, if anything, where that fits the values.
pub fn walk<E: Shown>(
    app: &App,
    listing: &Listing,
    values: &BTreeMap<String, String>,
    (index, part): (Index, &str),
    scope: &Scope,
    seen: impl Fn(E) -> Option<E>,
) -> Answer {
    let limit = limit_of(values)?;
    let mut items = Vec::new();
    let mut next = values.get("cursor").cloned();
    let mut examined = 0;
    loop {
        let query = PageQuery {
            after: next.as_deref(),
            limit: limit - items.len(),
            newest_first: listing.newest_first,
            ..PageQuery::new(index, part)
        };
        let page = app.store.page::<E>(&query, scope)?;
        examined += page.items.len().max(1);
        for record in page.items.into_iter().filter_map(&seen) {
            let value = serde_json::to_value(&record).map_err(Problem::internal)?;
            if fits(record.area(), &value, listing, values) {
                items.push(show(&record)?);
            }
        }
        next = page.next;
        if next.is_none() || items.len() >= limit || examined >= EXAMINED_MAX {
            break;
        }
    }
    Ok(Json(json!({ "items": items, "next": next })).into_response())
}

/// Items on a page, as the query says.
pub fn limit_of(values: &BTreeMap<String, String>) -> Result<usize, Problem> {
    let Some(text) = values.get("limit") else { return Ok(LIMIT) };
    match text.parse() {
        Ok(limit) if (1..=PAGE_ITEMS_MAX).contains(&limit) => Ok(limit),
        _ => Err(bad_query(vec![FieldProblem::new("limit", "bad_limit", &[])], "")),
    }
}

/// The index to walk: that of the first filter given, else the one that holds all.
fn choose<'a>(
    listing: &Listing,
    values: &'a BTreeMap<String, String>,
) -> Result<(Index, &'a str), Problem> {
    let is_on = |name: &str| values.get(name).is_some_and(|v| v == "true");
    if let Some((_, index)) = listing.switches.iter().find(|(p, _)| is_on(p.name)) {
        return Ok((*index, ""));
    }
    let mut with_index = listing.filters.iter().filter_map(|f| Some((f.index?, f.parameter.name)));
    let mut needed = with_index.clone();
    with_index
        .find_map(|(index, name)| Some((index, values.get(name)?.as_str())))
        .or(listing.all)
        .ok_or_else(|| {
            let name = needed.next().map_or("", |(_, name)| name);
            bad_query(vec![FieldProblem::new(name, "required", &[])], "")
        })
}

fn fits(area: &str, value: &Value, listing: &Listing, values: &BTreeMap<String, String>) -> bool {
    let text = |pointer: &str| match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let in_area = values.get("area").is_none_or(|wanted| area.starts_with(wanted.as_str()));
    let filtered = listing
        .filters
        .iter()
        .filter(|f| !f.field.is_empty())
        .all(|f| values.get(f.parameter.name).is_none_or(|wanted| text(f.field) == *wanted));
    let found = values.get("q").is_none_or(|q| {
        let q = q.trim().to_lowercase();
        listing.search.iter().any(|field| text(field).to_lowercase().contains(&q))
    });
    in_area && filtered && found
}
