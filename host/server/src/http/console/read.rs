//! Reading for pages: one record, a page of a list, names of what a row refers to.

use serde::Deserialize;
use tianyin_domain::Scope;
use tianyin_domain::agency::Agency;
use tianyin_domain::code::{self, CodeText};
use tianyin_domain::operator::{self, Operator, OperatorStatus};
use tianyin_domain::state::{Entity, Index, State};
use tianyin_domain::user::User;
use tianyin_store::PageQuery;

use super::error::ConsoleError;
use super::filters::Word;
use super::order::Order;
use super::page::{Chip, Pager};
use super::session::Signed;
use crate::app::App;
use crate::app::names::Walk;

/// Rows on a page of a list.
pub const ROWS: usize = 50;
/// Rows of a list within a detail page.
pub const ROWS_WITHIN: usize = 200;

/// Operators looked at for the one that is meant.
const NAMED_MAX: usize = 20;

/// What the address of a list may ask for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    /// Where to go on.
    pub after: Option<String>,
    /// A status or verdict.
    pub status: String,
    /// A township.
    pub area: String,
    /// Words to search for.
    pub q: String,
    /// An operator.
    pub operator: String,
    /// An agency.
    pub agency: String,
    /// A role.
    pub role: String,
    /// A day.
    pub day: String,
    /// An order.
    pub sort: String,
}

/// Rows of a list with its foot.
#[derive(Debug)]
pub struct Rows<E> {
    /// The records.
    pub items: Vec<E>,
    /// The foot.
    pub pager: Pager,
}

/// The record, if the person may see it.
pub fn one<E: Entity>(
    app: &App,
    signed: &Signed,
    noun: &'static str,
    id: &str,
) -> Result<E, ConsoleError> {
    app.store.get_scoped(id, &signed.scope())?.ok_or_else(|| ConsoleError::not_found(noun, id))
}

/// A page of a list in its order.
pub fn rows<E: Entity>(
    app: &App,
    scope: &Scope,
    (index, part): (Index, &str),
    order: &Order,
    after: Option<&str>,
) -> Result<Rows<E>, ConsoleError> {
    let mut query = PageQuery::new(index, part);
    query.after = after;
    query.limit = ROWS;
    query.newest_first = order.is_down();
    let page = app.store.page(&query, scope)?;
    let pager = Pager::new(&order.here(), after, page.items.len(), page.next.as_deref());
    Ok(Rows { items: page.items, pager })
}

/// A page of operators by name; it goes on after the operator with the id `after`.
pub fn operators_by_name(
    app: &App,
    scope: &Scope,
    status: Option<OperatorStatus>,
    order: &Order,
    after: Option<&str>,
) -> Result<Rows<Operator>, ConsoleError> {
    let wanted = Walk { status, after, down: order.is_down() };
    let mut ids = app.names.walk(&app.store, scope, &wanted, ROWS + 1)?;
    let has_more = ids.len() > ROWS;
    ids.truncate(ROWS);
    let next = ids.last().filter(|_| has_more).cloned();
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        items.extend(app.store.get_scoped::<Operator>(&id, scope)?);
    }
    // Names are told of a change a moment after the store.
    items.retain(|one| status.is_none_or(|status| one.status == status));
    let pager = Pager::new(&order.here(), after, items.len(), next.as_deref());
    Ok(Rows { items, pager })
}

/// The newest records of a part of an index that the person may see.
pub fn newest<E: Entity>(
    app: &App,
    signed: &Signed,
    (index, part): (Index, &str),
    limit: usize,
) -> Result<Vec<E>, ConsoleError> {
    newest_in(app, &signed.scope(), (index, part), limit)
}

/// The same for a given sight.
pub fn newest_in<E: Entity>(
    app: &App,
    scope: &Scope,
    (index, part): (Index, &str),
    limit: usize,
) -> Result<Vec<E>, ConsoleError> {
    let mut query = PageQuery::new(index, part);
    query.limit = limit;
    query.newest_first = true;
    Ok(app.store.page(&query, scope)?.items)
}

/// The scope cut down to a township, when the whole county is in sight.
pub fn narrowed(scope: &Scope, area: &str) -> Scope {
    match &scope.area {
        Some(prefix) if !area.is_empty() && area.starts_with(prefix.as_str()) => Scope::area(area),
        _ => scope.clone(),
    }
}

/// How many rows of a part the person may see; `None` where counting would take long.
pub fn count(
    app: &App,
    signed: &Signed,
    index: Index,
    part: &str,
) -> Result<Option<u64>, ConsoleError> {
    Ok(app.store.count_in(index, part, &signed.scope())?)
}

/// Switches of a list to each of `values`, which are parts of an index; `address` is that of such a
/// part, without the value.
pub fn switches<T: Word + Copy + PartialEq>(
    app: &App,
    signed: &Signed,
    address: &str,
    index: Index,
    values: &[T],
    chosen: Option<T>,
) -> Result<Vec<Chip>, ConsoleError> {
    let one = |value: &T| -> Result<Chip, ConsoleError> {
        let word = value.api_word();
        Ok(Chip {
            href: format!("{address}{word}"),
            text: value.word(),
            count: count(app, signed, index, &word)?,
            on: chosen == Some(*value),
        })
    };
    values.iter().map(one).collect()
}

/// Switches of a list to the whole index, then to each of `values`, as [`switches`].
pub fn chips<T: Word + Copy + PartialEq>(
    app: &App,
    signed: &Signed,
    address: &str,
    index: Index,
    values: &[T],
    chosen: Option<T>,
) -> Result<Vec<Chip>, ConsoleError> {
    let whole = address.split('?').next().unwrap_or_default();
    let mut chips = vec![Chip::every(whole, count(app, signed, index, "")?, chosen.is_none())];
    chips.extend(switches(app, signed, address, index, values, chosen)?);
    Ok(chips)
}

/// The name of an operator; empty when it is not on record.
pub fn operator_name(app: &App, id: &str) -> Result<String, ConsoleError> {
    Ok(app.store.get::<Operator>(id)?.map(|o| o.name).unwrap_or_default())
}

/// The name of the person behind an actor's name such as `user/usr_…`; empty for anybody else.
pub fn person(app: &App, actor: &str) -> String {
    let user = actor.strip_prefix("user/").and_then(|id| app.store.get::<User>(id).ok().flatten());
    user.map(|user| user.name).unwrap_or_default()
}

/// The operator a user acts for, or the agency it works for, by name; empty for the county's own.
pub fn place_of(app: &App, user: &User) -> Result<String, ConsoleError> {
    match (&user.operator, &user.agency) {
        (Some(id), _) => operator_name(app, id),
        (None, Some(id)) => Ok(app.store.get::<Agency>(id)?.map(|a| a.name).unwrap_or_default()),
        (None, None) => Ok(String::new()),
    }
}

/// The one operator in sight that is meant by its full name, credit code or operator code.
pub fn named_operator(
    app: &App,
    scope: &Scope,
    text: &str,
) -> Result<Option<Operator>, ConsoleError> {
    if let CodeText::Valid(code) = code::parse_operator_code(text) {
        let records: &dyn State = &app.store;
        let found: Option<Operator> = records.find(operator::BY_CODE, &code)?;
        return Ok(found.filter(|one| scope.covers(&one.area, &one.id)));
    }
    let found = search_operators(app, scope, text, NAMED_MAX)?;
    let is_it = |one: &Operator| one.name == text || one.uscc.eq_ignore_ascii_case(text);
    let exact: Vec<Operator> = found.into_iter().filter(is_it).collect();
    Ok(<[Operator; 1]>::try_from(exact).ok().map(|[one]| one))
}

/// Operators that the text may mean, by name, initials or code; at most `limit`.
pub fn search_operators(
    app: &App,
    scope: &Scope,
    text: &str,
    limit: usize,
) -> Result<Vec<Operator>, ConsoleError> {
    let ids = app.names.search(&app.store, scope, text, limit)?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.extend(app.store.get_scoped::<Operator>(&id, scope)?);
    }
    Ok(found)
}
