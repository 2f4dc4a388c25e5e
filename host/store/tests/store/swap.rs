//! A store built beside the one in use takes its place.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tianyin_domain::Scope;
use tianyin_store::{Options, PageQuery, Store, StoreError, folder_in_use};

use crate::{BY_STATUS, Lot, lot, open, put};

fn options() -> Options {
    Options { cache_bytes: 1 << 20, flush_every_ms: 500 }
}

/// Commits lots `l1` to `lN`, each marked with who made it.
fn fill(store: &Store, by: &str, to: u64) {
    for seq in store.applied_seq() + 1..=to {
        store.commit(vec![put(&lot(&format!("l{seq}"), "43", "op", "open", by))], seq).unwrap();
    }
}

fn by(store: &Store, id: &str) -> Option<String> {
    store.get::<Lot>(id).unwrap().map(|lot| lot.time)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("store");
    (parent, dir)
}

#[test]
fn all_clones_see_the_new_store_again_and_again() {
    let (parent, dir) = place();
    let (store, _) = open(&dir);
    let clone = store.clone();
    fill(&store, "0", 50);
    for round in 1..=4 {
        let new = store.build_beside(&options()).unwrap();
        fill(new.store(), &round.to_string(), 50 + round);
        assert_eq!(by(&clone, "l7").unwrap(), (round - 1).to_string());
        new.sync().unwrap();
        let retired = store.replace_with(new).unwrap();
        assert_eq!(by(&clone, "l7").unwrap(), round.to_string());
        assert_eq!(clone.applied_seq(), 50 + round);
        assert_eq!(clone.count(BY_STATUS, "open").unwrap(), 50 + round);
        retired.remove().unwrap();
        assert_eq!(names(parent.path()).len(), 2, "a store and the pointer to it");
        // And it takes commits.
        fill(&clone, "later", 50 + round);
    }
    assert!(store.disk_bytes().unwrap() > 0);
    fill(&store, "last", 60);
    drop((store, clone));
    let (store, opened) = open(&dir);
    assert_eq!((opened.applied_seq, opened.emptied), (60, None));
    assert_eq!(
        (by(&store, "l7").unwrap().as_str(), by(&store, "l60").unwrap().as_str()),
        ("4", "last")
    );
    assert_eq!(names(parent.path()), ["store"], "under its own name after the next opening");
}

#[test]
fn what_is_behind_does_not_take_the_place() {
    let (parent, dir) = place();
    let (store, _) = open(&dir);
    fill(&store, "old", 5);
    let new = store.build_beside(&options()).unwrap();
    fill(new.store(), "new", 4);
    let refused = store.replace_with(new);
    assert!(matches!(refused, Err(StoreError::NotForward { applied: 5, given: 4 })), "{refused:?}");
    assert_eq!(by(&store, "l4").unwrap(), "old");
    fill(&store, "old", 6);

    let new = store.build_beside(&options()).unwrap();
    fill(new.store(), "new", 2);
    new.discard().unwrap();
    assert_eq!(names(parent.path()), ["store"]);
    // One at a time.
    let first = store.build_beside(&options()).unwrap();
    assert!(matches!(store.build_beside(&options()), Err(StoreError::InUse(_))));
    drop(first);
    drop(store);
    assert_eq!(by(&open(&dir).0, "l6").unwrap(), "old");
    assert_eq!(names(parent.path()), ["store"], "what was left is removed");
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten().filter(|e| e.path().is_file()) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Stops the program at each step of a swap: what opens is one of the two stores, whole.
#[test]
fn a_crash_at_any_moment_leaves_a_usable_store() {
    let pointer = |parent: &Path| parent.join("store.current");
    type Step = fn(&Path);
    // Each is what the disk looks like when the power goes; `new` counts from the pointer on.
    let steps: [(&str, &str, Step); 7] = [
        ("building", "old", |p| fs::remove_file(p.join("store.current")).unwrap()),
        ("writing the pointer", "old", |p| {
            fs::rename(p.join("store.current"), p.join("store.current.tmp")).unwrap();
        }),
        ("pointer written", "new", |_| {}),
        ("old removed", "new", |p| fs::remove_dir_all(p.join("store")).unwrap()),
        ("old moved", "new", |p| fs::rename(p.join("store"), p.join("store.old")).unwrap()),
        ("new moved", "new", |p| {
            fs::rename(p.join("store"), p.join("store.old")).unwrap();
            fs::rename(p.join("store.new"), p.join("store")).unwrap();
        }),
        ("pointer torn", "old", |p| fs::write(p.join("store.current"), b"store.n\0").unwrap()),
    ];
    for (name, expected, step) in steps {
        let (parent, dir) = place();
        let (store, _) = open(&dir);
        fill(&store, "old", 20);
        let new = store.build_beside(&options()).unwrap();
        fill(new.store(), "new", 20);
        new.sync().unwrap();
        drop(store.replace_with(new).unwrap());
        store.flush().unwrap();
        drop(store);
        // Everything of sled's is closed before the disk is changed.
        drop(open(&parent.path().join("store.new")));
        assert!(pointer(parent.path()).exists());
        step(parent.path());
        let would_open = folder_in_use(&dir).unwrap();
        if would_open.exists() {
            let copy = parent.path().join("copy");
            copy_files(&would_open, &copy);
            assert_eq!(by(&open(&copy).0, "l20").unwrap(), expected, "{name}");
            fs::remove_dir_all(&copy).unwrap();
        }
        let (store, opened) = open(&dir);
        assert_eq!((opened.applied_seq, opened.emptied), (20, None), "{name}");
        assert_eq!(by(&store, "l20").unwrap(), expected, "{name}");
        assert_eq!(names(parent.path()), ["store"], "{name}");
    }
}

#[test]
fn opened_anew_after_a_swap_it_has_its_name_again() {
    let (parent, dir) = place();
    let (store, _) = open(&dir);
    fill(&store, "old", 20);
    let new = store.build_beside(&options()).unwrap();
    fill(new.store(), "new", 20);
    let retired = store.replace_with(new).unwrap();
    retired.remove().unwrap();
    store.flush().unwrap();
    let opened = store.reopen(&options()).unwrap();
    assert_eq!((opened.applied_seq, opened.emptied), (20, None));
    assert_eq!(by(&store, "l20").unwrap(), "new");
    assert_eq!(names(parent.path()), ["store"]);
}

#[test]
fn reads_never_fail_while_stores_are_swapped() {
    let (_parent, dir) = place();
    let (store, _) = open(&dir);
    fill(&store, "0", 300);
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let readers: Vec<_> = (0..3)
        .map(|n| {
            let (store, stop, reads) = (store.clone(), stop.clone(), reads.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let id = format!("l{}", 1 + (reads.load(Ordering::Relaxed) + n) % 300);
                    assert!(store.get::<Lot>(&id).unwrap().is_some());
                    let mut query = PageQuery::new(BY_STATUS, "open");
                    query.limit = 200;
                    let page = store.page::<Lot>(&query, &Scope::everything()).unwrap();
                    assert_eq!(page.items.len(), 200);
                    // A page comes from one store, not from two.
                    assert!(page.items.iter().all(|lot| lot.time == page.items[0].time));
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 1..=5 {
        let new = store.build_beside(&options()).unwrap();
        fill(new.store(), &round.to_string(), 300);
        let before = reads.load(Ordering::Relaxed);
        store.replace_with(new).unwrap().remove().unwrap();
        while reads.load(Ordering::Relaxed) < before + 6 {
            std::thread::yield_now();
        }
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(by(&store, "l300").unwrap(), "5");
}
