//! A store against its rebuild: what differs is named, a writer beside does not disturb.

use std::sync::atomic::{AtomicBool, Ordering};

use tianyin_domain::Put;
use tianyin_store::{Store, StoreError};

use crate::{lot, open, put};

/// What line `seq` leads to: ten lots, written again and again.
fn line(seq: u64) -> Vec<Put> {
    let status = if seq.is_multiple_of(3) { "held" } else { "open" };
    let lot = lot(&format!("l{}", seq % 10), "43", "op", status, &seq.to_string());
    vec![put(&lot), Put::Version { root: format!("lot/l{}", seq % 10), seq }]
}

fn fill(store: &Store, seq: u64) -> Result<(), StoreError> {
    for seq in store.applied_seq() + 1..=seq {
        store.commit(line(seq), seq)?;
    }
    Ok(())
}

#[test]
fn what_differs_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (own, _) = open(&dir.path().join("own"));
    let (fresh, _) = open(&dir.path().join("fresh"));
    fill(&own, 99).unwrap();
    let mut catch_up = |seq| fill(&fresh, seq);
    let same = own.compare(&fresh, 10, &mut catch_up).unwrap();
    assert_eq!(same.differences, []);
    assert!(!same.more && same.keys >= 30, "{same:?}");
    assert_eq!(own.record_counts().unwrap()["lot"], 10);

    // A line that another one was in the journal's place of: record, index entries, count, version.
    let strange = vec![
        put(&lot("l1", "43", "op", "lost", "100")),
        put(&lot("l11", "43", "op", "open", "100")),
        Put::Version { root: "lot/l11".into(), seq: 100 },
    ];
    own.commit(strange, 100).unwrap();
    let found = own.compare(&fresh, 100, &mut catch_up).unwrap();
    let told: Vec<String> =
        found.differences.iter().map(|d| format!("{} {} {}", d.fault, d.kind, d.key)).collect();
    for expected in [
        "other record lot/l1",
        "extra record lot/l11",
        "other record lot/l0",
        "extra version lot/l11",
    ] {
        assert!(told.iter().any(|t| t == expected), "{expected}: {told:?}");
    }
    assert!(told.iter().any(|t| t.starts_with("missing index lot.status/open/")), "{told:?}");
    assert!(told.iter().any(|t| t.contains("count lot.status/open")), "{told:?}");
    let first = own.compare(&fresh, 2, &mut catch_up).unwrap();
    assert_eq!(first.differences, found.differences[..2]);
    assert!(first.more);
}

#[test]
fn a_writer_beside_does_not_disturb() {
    let dir = tempfile::tempdir().unwrap();
    let (own, _) = open(&dir.path().join("own"));
    let (fresh, _) = open(&dir.path().join("fresh"));
    fill(&own, 50).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut seq = 50;
            while !stop.load(Ordering::Relaxed) {
                seq += 1;
                own.commit(line(seq), seq).unwrap();
                // The comparison has to keep up: it replays what was written meanwhile.
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        while own.applied_seq() == 50 {
            std::thread::yield_now();
        }
        for _ in 0..20 {
            let found = own.compare(&fresh, 10, &mut |seq| fill(&fresh, seq)).unwrap();
            assert_eq!(found.differences, []);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(own.applied_seq() > 50, "the writer did not write");
}
