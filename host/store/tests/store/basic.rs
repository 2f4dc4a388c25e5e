use tianyin_domain::{Overlay, Put, Scope, State};
use tianyin_store::{COUNT_ROWS_MAX, Emptied, PAGE_ROWS_MAX, Page, PageQuery, Store, StoreError};

use crate::{BY_STATUS, BY_WORD, Lot, lot, open, put};

fn all(store: &Store, query: PageQuery<'_>, scope: &Scope) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let query = PageQuery { after: cursor.as_deref(), ..query.clone() };
        let page: Page<Lot> = store.page(&query, scope).unwrap();
        assert!(page.items.len() <= query.limit);
        ids.extend(page.items.into_iter().map(|lot| lot.id));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return ids,
        }
    }
}

#[test]
fn writes_reads_and_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("store");
    let (store, opened) = open(&dir);
    assert_eq!((opened.applied_seq, opened.emptied), (0, Some(Emptied::New)));
    let mut first = lot("lot_1", "430321", "op_1", "open", "2026-03-01");
    first.words = vec!["湘莲".into(), "湘莲".into(), "莲子".into()];
    let version = Put::Version { root: "lot/lot_1".into(), seq: 3 };
    store.commit(vec![put(&first), version], 3).unwrap();
    assert_eq!(store.count(BY_WORD, "湘莲").unwrap(), 1);
    first.status = "closed".into();
    first.words.pop();
    store.commit(vec![put(&first)], 5).unwrap();
    drop(store);

    let (store, opened) = open(&dir);
    assert_eq!((opened.applied_seq, opened.emptied, opened.snapshots_moved), (5, None, false));
    assert_eq!((store.applied_seq(), store.version("lot/lot_1").unwrap()), (5, 3));
    assert_eq!(store.version("lot/other").unwrap(), 0);
    assert_eq!(store.get::<Lot>("lot_1").unwrap(), Some(first.clone()));
    assert_eq!(store.get::<Lot>("lot_2").unwrap(), None);
    assert_eq!(store.ids(BY_STATUS, "open", 9).unwrap(), [""; 0]);
    assert_eq!(store.ids(BY_STATUS, "closed", 9).unwrap(), ["lot_1"]);
    assert_eq!(store.count(BY_STATUS, "open").unwrap(), 0);
    assert_eq!(store.count(BY_WORD, "莲子").unwrap(), 0);
    let state: &dyn State = &store;
    assert_eq!(state.find::<Lot>(BY_WORD, "湘莲").unwrap(), Some(first));
}

/// The overlay's puts are what the store is made for.
#[test]
fn takes_what_an_overlay_stacked() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut overlay = Overlay::new(&store);
    overlay.begin_line(1);
    overlay.put(&lot("a", "43", "o", "open", "1")).unwrap();
    overlay.touch("lot/a");
    overlay.begin_line(2);
    overlay.update::<Lot>("a", |lot| lot.status = "closed".into()).unwrap();
    overlay.touch("lot/a");
    let puts = overlay.into_puts();
    store.commit(puts, 2).unwrap();
    assert_eq!(store.get::<Lot>("a").unwrap().unwrap().status, "closed");
    assert_eq!(store.version("lot/a").unwrap(), 2);
    assert_eq!(store.count(BY_STATUS, "open").unwrap(), 0);
}

#[test]
fn of_two_puts_in_a_commit_the_last_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let open_lot = lot("a", "43", "o", "open", "1");
    let closed = Lot { status: "closed".into(), ..open_lot.clone() };
    store.commit(vec![put(&open_lot), put(&closed), put(&open_lot), put(&closed)], 1).unwrap();
    assert_eq!(store.count(BY_STATUS, "open").unwrap(), 0);
    assert_eq!(store.count(BY_STATUS, "closed").unwrap(), 1);
    assert!(store.ids(BY_STATUS, "open", 9).unwrap().is_empty());
}

#[test]
fn a_commit_must_move_forward() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.commit(vec![], 4).unwrap();
    for given in [4, 3, 0] {
        let error = store.commit(vec![put(&lot("a", "", "", "", ""))], given).unwrap_err();
        assert!(matches!(error, StoreError::NotForward { applied: 4, .. }), "{error}");
    }
    assert_eq!(store.get::<Lot>("a").unwrap(), None);
}

#[test]
fn what_would_take_long_to_count_is_not_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let some = |n: u64, area: &str| put(&lot(&format!("l{n}"), area, "", "open", "1"));
    let most: Vec<_> = (0..COUNT_ROWS_MAX).map(|n| some(n, "430321100")).collect();
    store.commit(most, 1).unwrap();
    let town = Scope::area("430321100");
    assert_eq!(store.count_in(BY_STATUS, "open", &town).unwrap(), Some(COUNT_ROWS_MAX));
    store.commit(vec![some(COUNT_ROWS_MAX, "430322100")], 2).unwrap();
    assert_eq!(store.count_in(BY_STATUS, "open", &town).unwrap(), None);
    let all = store.count_in(BY_STATUS, "open", &Scope::everything()).unwrap();
    assert_eq!(all, Some(COUNT_ROWS_MAX + 1));
}

#[test]
fn scope_cuts_lists_and_reads() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let lots = [
        lot("a", "430321100", "op_1", "open", "1"),
        lot("b", "430321101", "op_2", "open", "2"),
        lot("c", "430322100", "op_1", "open", "2"),
        lot("d", "", "", "open", "3"),
    ];
    store.commit(lots.iter().map(put).collect(), 1).unwrap();
    let area = |prefix: &str| Scope::area(prefix);
    let both = Scope { operators: ["op_2".into()].into(), ..Scope::area("430322") };
    let nothing = Scope::default();
    for (scope, ids) in [
        (Scope::everything(), &["a", "b", "c", "d"][..]),
        (area("430321"), &["a", "b"]),
        (area("430321101"), &["b"]),
        (Scope::operator("op_1"), &["a", "c"]),
        (both, &["b", "c"]),
        (nothing, &[]),
    ] {
        let query = PageQuery { limit: 1, ..PageQuery::new(BY_STATUS, "open") };
        assert_eq!(all(&store, query.clone(), &scope), ids);
        let backwards = PageQuery { newest_first: true, ..query };
        let reversed: Vec<_> = ids.iter().rev().copied().collect();
        assert_eq!(all(&store, backwards, &scope), reversed);
        for lot in &lots {
            let read: Option<Lot> = store.get_scoped(&lot.id, &scope).unwrap();
            assert_eq!(read.is_some(), ids.contains(&lot.id.as_str()));
        }
    }
    // The record moves to another owner without its entries changing.
    let moved = Lot { owner: "op_2".into(), ..lots[0].clone() };
    store.commit(vec![put(&moved)], 2).unwrap();
    let query = PageQuery::new(BY_STATUS, "open");
    assert_eq!(all(&store, query.clone(), &Scope::operator("op_1")), ["c"]);
    assert_eq!(all(&store, query, &Scope::operator("op_2")), ["a", "b"]);
    assert_eq!(store.count(BY_STATUS, "open").unwrap(), 4);
}

#[test]
fn a_cursor_is_for_its_own_list() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let lots = ["a", "b", "c"].map(|id| lot(id, "43", "op", "open", "same"));
    store.commit(lots.iter().map(put).collect(), 1).unwrap();
    let query = PageQuery { limit: 1, ..PageQuery::new(BY_STATUS, "open") };
    let scope = Scope::everything();
    let page = |query: &PageQuery<'_>| store.page::<Lot>(query, &scope);
    let cursor = page(&query).unwrap().next.unwrap();
    assert!(cursor.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'));
    let second = PageQuery { after: Some(&cursor), ..query.clone() };
    assert_eq!(page(&second).unwrap().items[0].id, "b");
    for other in [
        PageQuery { newest_first: true, ..second.clone() },
        PageQuery { part: "closed", ..second.clone() },
        PageQuery { index: BY_WORD, ..second.clone() },
        PageQuery { prefix: "sa", ..second.clone() },
    ] {
        assert!(matches!(page(&other), Err(StoreError::BadCursor)));
    }
    let long = "A".repeat(5000);
    for bad in ["", "A", "!!!!", "AAAA", "AAAAAAAAAA", "田印", &cursor[1..], &long] {
        let query = PageQuery { after: Some(bad), ..query.clone() };
        assert!(matches!(page(&query), Err(StoreError::BadCursor)), "{bad}");
    }
}

#[test]
fn a_page_looks_at_a_bounded_number_of_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let rows = PAGE_ROWS_MAX + 10;
    let others = (0..rows).map(|n| put(&lot(&format!("x{n:06}"), "44", "op_2", "open", "1")));
    let mine = [lot("first", "43", "op_1", "open", "0"), lot("last", "43", "op_1", "open", "2")];
    store.commit(others.chain(mine.iter().map(put)).collect(), 1).unwrap();
    for newest_first in [false, true] {
        let query = PageQuery { newest_first, ..PageQuery::new(BY_STATUS, "open") };
        let scope = Scope::operator("op_1");
        let page: Page<Lot> = store.page(&query, &scope).unwrap();
        assert_eq!((page.items.len(), page.next.is_some()), (1, true));
        let query = PageQuery { after: page.next.as_deref(), ..query };
        let page: Page<Lot> = store.page(&query, &scope).unwrap();
        assert_eq!((page.items.len(), page.next), (1, None));
    }
    assert_eq!(store.count(BY_STATUS, "open").unwrap(), rows as u64 + 2);
}

#[test]
fn sort_keys_beyond_the_limit_still_page() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let long = "田".repeat(400);
    let lots: Vec<_> = (0..5).map(|n| lot(&n.to_string(), "", "", "open", &long)).collect();
    store.commit(lots.iter().map(put).collect(), 1).unwrap();
    let query = PageQuery { limit: 2, prefix: &long, ..PageQuery::new(BY_STATUS, "open") };
    assert_eq!(all(&store, query, &Scope::everything()), ["0", "1", "2", "3", "4"]);
}

/// A reader sees a commit whole or not at all.
#[test]
fn readers_beside_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        for _ in 0..3 {
            let store = store.clone();
            let done = &done;
            threads.spawn(move || {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let seq = store.applied_seq();
                    let read: Option<Lot> = store.get("a").unwrap();
                    assert!(read.map_or(0, |lot| lot.time.parse().unwrap()) >= seq);
                    let query = PageQuery::new(BY_STATUS, "open");
                    let page: Page<Lot> = store.page(&query, &Scope::everything()).unwrap();
                    assert!(page.items.iter().all(|lot| lot.id == "a"));
                }
            });
        }
        for seq in 1..2000u64 {
            let lot = lot("a", "43", "op", "open", &seq.to_string());
            store.commit(vec![put(&lot)], seq).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(store.count(BY_STATUS, "open").unwrap(), 1);
}
