use std::path::Path;

use proptest::prelude::*;
use tianyin_domain::{Put, State};
use tianyin_store::{Emptied, StoreError};

use crate::model::lot;
use crate::{Lot, open, put};

/// Everything that stands in the tree, the counts of what is gone aside.
fn content(dir: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let config = sled::Config::new().path(dir).segment_size(4 << 20);
    // sled's threads may hold its file for a moment after the last handle is gone.
    let mut tries = (0..100).map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        config.open()
    });
    let db = tries.find_map(Result::ok).unwrap();
    db.iter().map(|pair| pair.unwrap()).map(|(k, v)| (k.to_vec(), v.to_vec())).collect()
}

fn puts(lots: &[Lot], seq: u64) -> Vec<Put> {
    let root = |lot: &Lot| Put::Version { root: format!("lot/{}", lot.id), seq };
    lots.iter().map(put).chain(lots.iter().map(root)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_filled_store_is_what_commits_make(
        batches in prop::collection::vec(prop::collection::vec(lot(), 1..8), 1..12),
    ) {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (committed, filled) = (open(one.path()).0, open(other.path()).0);
        for (n, lots) in (1..).zip(&batches) {
            committed.commit(puts(lots, n), n).unwrap();
        }
        filled.bulk(|bulk| {
            for (n, lots) in (1..).zip(&batches) {
                bulk.commit(puts(lots, n), n)?;
                // What was handed over reads back at once, inserted or not.
                let last = lots.last().unwrap();
                let json = bulk.raw(<Lot as tianyin_domain::Entity>::TABLE, &last.id).unwrap();
                assert_eq!(serde_json::from_slice::<Lot>(&json.unwrap()).unwrap(), *last);
            }
            Ok::<_, StoreError>(())
        }, |_, _| {}).unwrap();
        prop_assert_eq!(filled.applied_seq(), batches.len() as u64);
        drop((committed, filled));
        prop_assert_eq!(content(one.path()), content(other.path()));
    }
}

#[test]
fn a_fill_that_did_not_end_is_started_over() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let lots: Vec<Lot> =
        (0..500).map(|n| crate::lot(&format!("l{n}"), "43", "o", "open", "t")).collect();
    let failed: Result<(), StoreError> = store.bulk(
        |bulk| {
            bulk.commit(puts(&lots, 7), 7)?;
            Err(StoreError::BadCursor)
        },
        |_, _| {},
    );
    assert!(matches!(failed, Err(StoreError::BadCursor)));
    drop(store);
    let (store, opened) = open(dir.path());
    assert_eq!((opened.applied_seq, opened.emptied), (0, Some(Emptied::Unfinished)));
    assert_eq!(store.get::<Lot>("l1").unwrap(), None);
    store.bulk(|bulk| bulk.commit(puts(&lots, 7), 7), |_, _| {}).unwrap();
    assert_eq!(store.get::<Lot>("l1").unwrap().unwrap(), lots[1]);
    drop(store);
    let (store, opened) = open(dir.path());
    assert_eq!((opened.applied_seq, opened.emptied), (7, None));
    assert_eq!(store.count(crate::BY_STATUS, "open").unwrap(), 500);
    // A store in use is not filled.
    let again = store.bulk(|_| Ok::<_, StoreError>(()), |_, _| {});
    assert!(matches!(again, Err(StoreError::NotForward { .. })));
}
