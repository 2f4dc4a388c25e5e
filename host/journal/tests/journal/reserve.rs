//! A segment that ends in zeros while it is written.

use std::path::Path;

use proptest::prelude::*;
use tianyin_journal::{Journal, Reader, Recovery, ReservingDisk, SecondCopy, verify};

use crate::{append, folder, python, read_all, segments, small};

fn open(dir: &Path) -> (Journal, Recovery) {
    Journal::open_on(Box::new(ReservingDisk), dir, small()).unwrap()
}

fn zeros(path: &Path) -> usize {
    std::fs::read(path).unwrap().iter().rev().take_while(|byte| **byte == 0).count()
}

/// Leaves the folder as a kill does, the reserved space in it.
fn kill(journal: Journal, dir: &Path) {
    let last = segments(dir).pop().unwrap();
    let bytes = std::fs::read(&last).unwrap();
    drop(journal);
    std::fs::write(&last, bytes).unwrap();
}

#[test]
fn only_the_segment_being_written_ends_in_zeros() {
    let dir = folder();
    let dir = dir.path();
    let (mut journal, _) = open(dir);
    let mut texts = Vec::new();
    let mut follower = Reader::new(dir, 1);
    for n in 0..40 {
        let text = format!("line {n}");
        append(&mut journal, &[&text]).unwrap();
        texts.push(text);
        let head = journal.head().seq;
        // One that reads ahead sees the zeros that the next line takes the place of.
        assert_eq!(follower.read_up_to(head).unwrap().unwrap().seq, head);
        let segments = segments(dir);
        let (last, full) = segments.split_last().unwrap();
        assert!(zeros(last) > 0 && full.iter().all(|path| zeros(path) == 0), "{segments:?}");
    }
    assert!(segments(dir).len() > 2);
    let head = journal.head();
    assert_eq!(read_all(dir, head.seq), texts);
    let report = verify(dir, None, &mut |_| {}).unwrap();
    assert_eq!((report.head, report.torn), (head, None));
    assert!(python::agree(dir, "reserving"));
    let copy = folder();
    let mut second = SecondCopy::new(dir, copy.path());
    while second.step(head.seq).unwrap() != head {}
    assert!(segments(copy.path()).iter().all(|path| zeros(path) == 0));
    kill(journal, dir);
    assert!(python::agree(dir, "killed"));
    let (mut journal, found) = open(dir);
    assert_eq!((journal.head(), found.cut, found.newline_added), (head, None, false));
    append(&mut journal, &["after"]).unwrap();
    texts.push("after".into());
    assert_eq!(read_all(dir, journal.head().seq), texts);
    drop(journal);
    assert!(segments(dir).iter().all(|path| zeros(path) == 0), "a journal that is closed has none");
    // Zeros behind a full segment are nobody's.
    let first = &segments(dir)[0];
    let bytes = std::fs::read(first).unwrap();
    std::fs::write(first, [&bytes[..], b"\0"].concat()).unwrap();
    verify(dir, None, &mut |_| {}).unwrap_err();
    assert!(!python::agree(dir, "zeros behind a full segment"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Of a write into reserved space any part may have reached the disk. What was acknowledged stays;
    /// the group is there as a whole or is cut off.
    #[test]
    fn a_torn_write_into_reserved_space_is_cut(sectors in prop::collection::vec(any::<bool>(), 24)) {
        let dir = folder();
        let dir = dir.path();
        let (mut journal, _) = open(dir);
        append(&mut journal, &["acknowledged"]).unwrap();
        let kept = journal.head();
        let path = segments(dir).pop().unwrap();
        let before = std::fs::read(&path).unwrap();
        append(&mut journal, &["of", "one", "group"]).unwrap();
        let whole = journal.head();
        let after = std::fs::read(&path).unwrap();
        drop(journal);
        let mut torn = before.clone();
        for (n, _) in sectors.iter().enumerate().filter(|(_, written)| **written) {
            let sector = n * 64..((n + 1) * 64).min(after.len());
            torn[sector.clone()].copy_from_slice(&after[sector]);
        }
        std::fs::write(&path, &torn).unwrap();
        prop_assert!(python::agree(dir, "torn"));
        let (journal, found) = open(dir);
        if torn == after {
            prop_assert_eq!((journal.head(), found.cut), (whole, None));
        } else {
            prop_assert_eq!(journal.head(), kept);
            prop_assert_eq!(found.cut.is_some(), torn != before);
        }
        drop(journal);
        let end = before.len() - before.iter().rev().take_while(|byte| **byte == 0).count();
        if torn != after {
            prop_assert_eq!(std::fs::read(&path).unwrap(), &before[..end]);
        }
    }
}
