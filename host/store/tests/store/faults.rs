use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use tianyin_store::{Emptied, Options, Store, StoreError, rebuild};

use crate::{BY_STATUS, Lot, lot, open, put};

const LOTS: u64 = 500;

fn fill(store: &Store) -> Result<(), StoreError> {
    for seq in 1..=LOTS {
        let lot = lot(&format!("l{seq}"), "43", "op", "open", &"x".repeat(500));
        store.commit(vec![put(&lot)], seq)?;
    }
    Ok(())
}

fn filled(dir: &Path) {
    let (store, _) = open(dir);
    fill(&store).unwrap();
    store.flush().unwrap();
    drop(store);
    // sled writes its snapshot when it opens.
    drop(open(dir));
}

fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    files.filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with("snap.")).collect()
}

fn assert_full(store: &Store) {
    assert_eq!(store.applied_seq(), LOTS);
    assert_eq!(store.count(BY_STATUS, "open").unwrap(), LOTS);
    for seq in 1..=LOTS {
        assert!(store.get::<Lot>(&format!("l{seq}")).unwrap().is_some());
    }
}

#[test]
fn opened_again_all_clones_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let clone = store.clone();
    fill(&store).unwrap();
    let opened = store.reopen(&Options::default()).unwrap();
    assert_eq!((opened.applied_seq, opened.emptied), (LOTS, None));
    assert_full(&clone);
    clone.commit(vec![put(&lot("l0", "43", "op", "open", ""))], LOTS + 1).unwrap();
    assert!(store.get::<Lot>("l0").unwrap().is_some());
}

#[test]
fn a_half_written_snapshot_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let torn = dir.path().join("snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&torn, b"torn").unwrap();
    let (store, opened) = open(dir.path());
    assert_eq!((opened.emptied, opened.snapshots_moved), (None, false));
    assert!(!torn.exists());
    assert_full(&store);
}

#[test]
fn a_damaged_snapshot_is_moved_and_the_log_read() {
    for content in [&b""[..], b"short", &[7; 4000]] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        assert!(!snapshots(dir.path()).is_empty());
        for snapshot in snapshots(dir.path()) {
            fs::write(snapshot, content).unwrap();
        }
        let (store, opened) = open(dir.path());
        assert_eq!((opened.emptied, opened.snapshots_moved), (None, true));
        assert_full(&store);
    }
}

/// Whatever became of sled's file: the store opens, it is whole or says that it is not, and it works.
#[test]
fn a_damaged_store_opens_or_is_quarantined() {
    type Spoil = fn(&mut Vec<u8>);
    let spoil: &[(&str, Spoil)] = &[
        ("emptied", Vec::clear),
        ("cut in half", |b| b.truncate(b.len() / 2)),
        ("zeros", |b| b.fill(0)),
        ("noise", |b| {
            let mut x = 1u32;
            b.fill_with(|| {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (x >> 24) as u8
            });
        }),
        ("every 1000th byte changed", |b| b.iter_mut().step_by(1000).for_each(|b| *b ^= 0x55)),
        ("first half zeros", |b| {
            let half = b.len() / 2;
            b[..half].fill(0)
        }),
    ];
    for with_snapshot in [true, false] {
        for (name, spoil) in spoil {
            let parent = tempfile::tempdir().unwrap();
            let dir = parent.path().join("store");
            filled(&dir);
            let mut bytes = fs::read(dir.join("db")).unwrap();
            spoil(&mut bytes);
            fs::write(dir.join("db"), bytes).unwrap();
            if !with_snapshot {
                snapshots(&dir).iter().for_each(|s| fs::remove_file(s).unwrap());
            }
            let (store, opened) = open(&dir);
            assert_ne!(opened.emptied, Some(Emptied::New), "{name}: it was not new");
            if let Some(Emptied::Quarantined { moved_to, reason }) = &opened.emptied {
                assert!(moved_to.join("db").exists() && !reason.is_empty());
                assert_eq!(moved_to, &parent.path().join("store.bad-1"));
            }
            assert_eq!(opened.applied_seq, store.applied_seq());
            // What was applied is there, or reading says that it is damaged.
            for seq in 1..=store.applied_seq() {
                match store.get::<Lot>(&format!("l{seq}")) {
                    Ok(lot) => assert!(lot.is_some(), "{name}: lot {seq} is missing in silence"),
                    Err(error) => assert!(error.is_damage(), "{error}"),
                }
            }
        }
    }
}

#[test]
fn only_the_newest_quarantined_stores_are_kept() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("store");
    for n in 1..=5 {
        fs::create_dir_all(&dir).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        // Not our segment size, so that it cannot be opened.
        drop(sled::open(&dir).unwrap());
        let (store, opened) = open(&dir);
        let Some(Emptied::Quarantined { moved_to, reason }) = opened.emptied else {
            panic!("{opened:?}");
        };
        assert!(reason.contains("buffer size"), "{reason}");
        assert_eq!(moved_to, parent.path().join(format!("store.bad-{n}")));
        store.commit(vec![put(&lot("a", "", "", "", ""))], 1).unwrap();
    }
    assert_eq!(names(parent.path()), ["store", "store.bad-3", "store.bad-4", "store.bad-5"]);
}

#[test]
fn another_schema_means_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let db = sled::Config::new().path(dir.path()).segment_size(4 << 20).open().unwrap();
    db.insert(b"mschema", &u64::MAX.to_be_bytes()).unwrap();
    drop(db);
    let (store, opened) = open(dir.path());
    assert_eq!(opened.emptied, Some(Emptied::Schema { found: Some(u64::MAX) }));
    assert_eq!((opened.applied_seq, store.get::<Lot>("l1").unwrap()), (0, None));
    fill(&store).unwrap();
    drop(store);
    let (store, opened) = open(dir.path());
    assert_eq!(opened.emptied, None);
    assert_full(&store);
}

#[test]
fn a_store_in_use_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("store");
    let (store, _) = open(&dir);
    fill(&store).unwrap();
    let second = Store::open(&dir, &Options::default());
    assert!(matches!(second, Err(StoreError::InUse(_))), "{second:?}");
    let built = rebuild(&dir, &Options::default(), fill);
    assert!(matches!(built, Err(StoreError::InUse(_))), "{built:?}");
    assert_full(&store);
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn rebuild_swaps_or_leaves_the_old_store() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("store");
    let (store, _) = open(&dir);
    store.commit(vec![put(&lot("old", "", "", "open", ""))], 1).unwrap();
    drop(store);

    let failed = rebuild(&dir, &Options::default(), |store| {
        fill(store)?;
        Err(StoreError::BadCursor)
    });
    assert!(matches!(failed, Err(StoreError::BadCursor)));
    assert_eq!(names(parent.path()), ["store"]);
    let (store, _) = open(&dir);
    assert!(store.get::<Lot>("old").unwrap().is_some());
    drop(store);

    rebuild(&dir, &Options::default(), fill).unwrap();
    assert_eq!(names(parent.path()), ["store"]);
    let (store, opened) = open(&dir);
    assert_eq!((opened.applied_seq, opened.emptied), (LOTS, None));
    assert!(store.get::<Lot>("old").unwrap().is_none());
    assert_full(&store);
}

#[test]
fn an_interrupted_swap_is_finished() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("store");
    filled(&parent.path().join("store.new"));
    drop(open(&parent.path().join("store.old")));
    let (store, opened) = open(&dir);
    assert_eq!(opened.emptied, None);
    assert_full(&store);
    assert_eq!(names(parent.path()), ["store"]);
    drop(store);
    fs::rename(&dir, parent.path().join("store.old")).unwrap();
    assert_full(&open(&dir).0);
}

/// One changed byte anywhere in a store whose records were overwritten many times: it is what it was
/// after some line, or it is empty and says so, or reading says that it is damaged.
#[test]
fn a_changed_byte_is_never_a_silent_hole() {
    const IDS: u64 = 200;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("store");
    overwrite(&dir, IDS, 6000);
    drop(open(&dir));
    let db = fs::read(dir.join("db")).unwrap();
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    let snapshots: Vec<_> = snapshots(&dir).into_iter().map(read).collect();
    for n in 0..50usize {
        fs::remove_dir_all(&dir).unwrap();
        fs::create_dir_all(&dir).unwrap();
        let mut bytes = db.clone();
        bytes[(n * 2_654_435_761) % db.len()] ^= 0x10;
        fs::write(dir.join("db"), bytes).unwrap();
        // Every other time sled has to read its whole log.
        for (path, snapshot) in snapshots.iter().filter(|_| n % 2 == 0) {
            fs::write(path, snapshot).unwrap();
        }
        let (store, opened) = open(&dir);
        let applied = store.applied_seq();
        assert_eq!(applied == 0, opened.emptied.is_some());
        for id in 0..IDS {
            let last = (1..=applied).rev().take(IDS as usize).find(|seq| seq % IDS == id);
            match store.get::<Lot>(&format!("l{id}")) {
                Ok(found) => {
                    let found = found.map(|lot| lot.time.parse::<u64>().unwrap());
                    assert_eq!(found, last, "byte {n}: lot {id} at line {applied}");
                }
                Err(error) => assert!(error.is_damage(), "{error}"),
            }
        }
    }
}

fn overwrite(dir: &Path, ids: u64, commits: u64) {
    let (store, _) = open(dir);
    for seq in 1..=commits {
        let record = lot(&format!("l{}", seq % ids), "43", "op", "open", &format!("{seq:0500}"));
        store.commit(vec![put(&record)], seq).unwrap();
    }
}

/// With sled's own segment size this stands still for ever, most often in the first round.
#[test]
fn overwriting_fast_does_not_stop_sled() {
    for _ in 0..5 {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("store");
        let (done, result) = mpsc::channel();
        std::thread::spawn(move || {
            overwrite(&dir, 200, 6000);
            done.send(()).unwrap();
        });
        result.recv_timeout(Duration::from_secs(60)).expect("sled stands still");
    }
}
