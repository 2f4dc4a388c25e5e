//! The walk that reads an index from its end back to a day, and no further.

use tianyin_domain::state::Index;
use tianyin_domain::time::from_china;
use tianyin_domain::{Date, Entity, Scope, Time, id};
use tianyin_store::{PAGE_ITEMS_MAX, PageQuery, Store};

use super::AppError;

/// Gives the records of a part of an index in sight to `what`, the newest first, up to the first that
/// `is_before`; at most `most`. Whether there were more. The index has to be sorted by time of recording.
///
/// # Errors
/// When the store cannot be read, and those of `what`.
pub fn each_since<T: Entity, E: From<AppError>>(
    store: &Store,
    scope: &Scope,
    (index, part): (Index, &str),
    most: usize,
    is_before: impl Fn(&T) -> bool,
    mut what: impl FnMut(T) -> Result<(), E>,
) -> Result<bool, E> {
    let (mut after, mut seen) = (None::<String>, 0);
    loop {
        let query = PageQuery {
            after: after.as_deref(),
            limit: PAGE_ITEMS_MAX,
            newest_first: true,
            ..PageQuery::new(index, part)
        };
        let page = store.page::<T>(&query, scope).map_err(AppError::internal)?;
        for one in page.items {
            if is_before(&one) {
                return Ok(false);
            }
            if seen >= most {
                return Ok(true);
            }
            seen += 1;
            what(one)?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(false);
        }
    }
}

/// The first moment of a day in China; that of the epoch where there is none.
pub fn begin_of(day: Date) -> Time {
    from_china(day.at(0, 0, 0, 0)).unwrap_or(Time::UNIX_EPOCH)
}

/// The smallest id with this prefix that can be given on a day.
pub fn first_id(prefix: &str, day: Date) -> String {
    let ms = u64::try_from(begin_of(day).as_millisecond()).unwrap_or(0);
    id::from_value(prefix, u128::from(ms) << 80)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_of_the_day_are_not_below_its_first() {
        let begin = first_id("tst", "2026-11-01".parse().unwrap());
        let mut random = id::SeededRandom(7);
        let at = |text: &str| text.parse::<Time>().unwrap();
        // Midnight in China.
        assert!(id::new_id("tst", at("2026-10-31T16:00:00Z"), &mut random) >= begin);
        assert!(id::new_id("tst", at("2026-10-31T15:59:59.999Z"), &mut random) < begin);
    }
}
