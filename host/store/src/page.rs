use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tianyin_domain::state::{Index, Table, parse};
use tianyin_domain::{Entity, Scope};

use crate::error::{StoreError, guard};
use crate::key;
use crate::store::{Store, scoped_json};
use crate::value::{Row, damaged};

/// Most records on a page.
pub const PAGE_ITEMS_MAX: usize = 200;
/// Most index entries looked at for one page; sled reads some 300,000 a second.
pub const PAGE_ROWS_MAX: usize = 20_000;
/// Most index entries looked at to count those in sight.
pub const COUNT_ROWS_MAX: u64 = 1000;
const CURSOR_CHARS_MAX: usize = 4096;

/// Which page of which list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery<'a> {
    /// The index.
    pub index: Index,
    /// The part of it.
    pub part: &'a str,
    /// Only entries whose sort key begins with this, such as an area; `""` for all.
    pub prefix: &'a str,
    /// [`Page::next`] of the page before.
    pub after: Option<&'a str>,
    /// Records on the page; brought into 1 to [`PAGE_ITEMS_MAX`].
    pub limit: usize,
    /// From the largest sort key down.
    pub newest_first: bool,
}

impl<'a> PageQuery<'a> {
    /// The first 50 of a part, from the smallest sort key up.
    pub fn new(index: Index, part: &'a str) -> Self {
        Self { index, part, prefix: "", after: None, limit: 50, newest_first: false }
    }
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<E> {
    /// The records, by sort key and, where that is equal, by id.
    pub items: Vec<E>,
    /// Where to go on: a URL-safe text that only the same list understands. `None` at the end. There
    /// may be more although `items` is not full or even empty, when [`PAGE_ROWS_MAX`] was reached.
    pub next: Option<String>,
}

impl Store {
    /// A page of the records that the scope covers. The index entry itself says whose row it is, so
    /// rows out of scope are passed over without being read.
    pub fn page<E: Entity>(
        &self,
        query: &PageQuery<'_>,
        scope: &Scope,
    ) -> Result<Page<E>, StoreError> {
        let (rows, next) = guard(|| self.rows(E::TABLE, query, scope))?;
        let parsed = rows.iter().map(|(id, json)| parse(E::TABLE, id, json));
        Ok(Page { items: parsed.collect::<Result<_, _>>()?, next })
    }

    /// The newest records of a part that the scope covers, the newest first; at most `limit`.
    pub fn newest<E: Entity>(
        &self,
        (index, part): (Index, &str),
        scope: &Scope,
        limit: usize,
    ) -> Result<Vec<E>, StoreError> {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let query = PageQuery {
                after: after.as_deref(),
                limit: limit - found.len(),
                newest_first: true,
                ..PageQuery::new(index, part)
            };
            let page = self.page(&query, scope)?;
            found.extend(page.items);
            after = page.next;
            if after.is_none() || found.len() >= limit {
                return Ok(found);
            }
        }
    }

    /// Gives every record of a part to `what`, in its order, whatever its scope.
    pub fn each<E: Entity>(
        &self,
        (index, part): (Index, &str),
        mut what: impl FnMut(E),
    ) -> Result<(), StoreError> {
        let mut after = None::<String>;
        loop {
            let query = PageQuery {
                after: after.as_deref(),
                limit: PAGE_ITEMS_MAX,
                ..PageQuery::new(index, part)
            };
            let page = self.page::<E>(&query, &Scope::everything())?;
            page.items.into_iter().for_each(&mut what);
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Number of entries of a part that the scope covers; for everything it is the count that is kept.
    /// `None` when more than [`COUNT_ROWS_MAX`] entries would have to be looked at.
    pub fn count_in(
        &self,
        index: Index,
        part: &str,
        scope: &Scope,
    ) -> Result<Option<u64>, StoreError> {
        let all = self.count(index, part)?;
        if scope.area.as_deref() == Some("") || all == 0 {
            return Ok(Some(all));
        }
        if all > COUNT_ROWS_MAX {
            return Ok(None);
        }
        guard(|| {
            let (low, tree) = (key::part(index, part), self.tree()?);
            let mut count = 0;
            for entry in tree.range(&low, &key::after_prefix(&low), false) {
                count += u64::from(Row::decode(&mut entry?.1.as_ref())?.is_in(scope));
            }
            Ok(Some(count))
        })
    }

    fn rows(
        &self,
        table: Table,
        query: &PageQuery<'_>,
        scope: &Scope,
    ) -> Result<(Vec<Found>, Option<String>), StoreError> {
        let list = List::of(query);
        let limit = query.limit.clamp(1, PAGE_ITEMS_MAX);
        let (low, high) = list.range(query)?;
        let mut rows = Vec::new();
        let (mut shown, mut examined) = (None, None);
        // One handle for all of it: a store that is swapped meanwhile does not mix with the new one.
        let tree = self.tree()?;
        for (n, entry) in tree.range(&low, &high, query.newest_first).enumerate() {
            let (key, value) = entry?;
            if n == PAGE_ROWS_MAX {
                return Ok((rows, examined.map(|key| list.cursor(key))));
            }
            if Row::decode(&mut value.as_ref())?.is_in(scope) {
                if rows.len() == limit {
                    return Ok((rows, shown.map(|key| list.cursor(key))));
                }
                let id = key::id_of_suffix(list.suffix(&key)).ok_or_else(damaged)?;
                // A commit may have changed the record since the iterator read its entry.
                if let Some(json) = scoped_json(&tree, table, &id, scope)? {
                    rows.push((id, json));
                    shown = Some(key.clone());
                }
            }
            examined = Some(key);
        }
        Ok((rows, None))
    }
}

/// Id and JSON of a record.
type Found = (String, Arc<[u8]>);

/// A list is an index, a part, a prefix and a direction; a cursor belongs to one.
struct List {
    part: Vec<u8>,
    low: Vec<u8>,
    mark: [u8; 4],
}

impl List {
    fn of(query: &PageQuery<'_>) -> Self {
        let part = key::part(query.index, query.part);
        let low = key::part_prefix(query.index, query.part, query.prefix);
        // FNV-1a: tells lists apart, guards nothing. The scope is checked for every row anyway.
        let bytes = low.iter().copied().chain([u8::from(query.newest_first)]);
        let mark = bytes.fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        Self { part, low, mark: mark.to_be_bytes() }
    }

    /// Keys from the first inclusive to the second exclusive.
    fn range(&self, query: &PageQuery<'_>) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        let (low, high) = (self.low.clone(), key::after_prefix(&self.low));
        let Some(cursor) = query.after else { return Ok((low, high)) };
        let mut at = self.position(cursor).ok_or(StoreError::BadCursor)?;
        if query.newest_first {
            return Ok((low, at));
        }
        // The smallest key that is larger.
        at.push(0);
        Ok((at, high))
    }

    fn cursor(&self, key: sled::IVec) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([&self.mark, self.suffix(&key)].concat())
    }

    fn position(&self, cursor: &str) -> Option<Vec<u8>> {
        (cursor.len() <= CURSOR_CHARS_MAX).then_some(())?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let suffix = bytes.strip_prefix(&self.mark)?;
        key::id_of_suffix(suffix)?;
        let key = [&self.part, suffix].concat();
        key.starts_with(&self.low).then_some(key)
    }

    /// Sort and id of an entry.
    fn suffix<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        key.get(self.part.len()..).unwrap_or_default()
    }
}
