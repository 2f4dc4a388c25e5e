use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use proptest::prelude::*;
use tianyin_journal::{Head, Journal, JournalError, Options, SecondCopy, verify};

use crate::faults::{Fault, FaultyDisk, calls};
use crate::{
    append, damage, files, folder, open, python, read_all, restore, seal_all, segment, segments,
    small,
};

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

fn grow(journal: &mut Journal, groups: u64) {
    for _ in 0..groups {
        let n = journal.next_seq();
        append(journal, &[&format!("第{n}行"), &"x".repeat(n as usize % 50)]).unwrap();
    }
}

/// Steps until everything is copied.
fn catch_up(copy: &mut SecondCopy, head: Head) {
    for _ in 0..1000 {
        if copy.step(head.seq).unwrap() == head {
            assert_eq!(copy.head(), Some(head));
            return;
        }
    }
    panic!("{copy:?} never reaches {head:?}");
}

fn refusal(result: Result<Head, JournalError>) -> String {
    match result {
        Err(JournalError::Refused { reason, .. }) => reason,
        other => panic!("refusal expected, got {other:?}"),
    }
}

#[test]
fn holds_the_same_bytes_and_is_a_journal() {
    let (source, target) = (folder(), folder());
    let (source, target) = (source.path(), target.path());
    let (mut journal, _) = open(source);
    let mut copy = SecondCopy::new(source, target);
    assert_eq!((copy.step(0).unwrap().seq, files(target).len()), (0, 0));
    for _ in 0..40 {
        grow(&mut journal, 1);
        assert_eq!(copy.step(journal.head().seq).unwrap(), journal.head());
        assert_eq!(files(target), files(source));
    }
    assert!(segments(target).len() > 4 && python::agree(target, "copy"));
    // Nobody else writes to it meanwhile.
    assert!(matches!(Journal::open(target, small()), Err(JournalError::Locked(_))));
    assert!(matches!(SecondCopy::new(source, target).step(80), Err(JournalError::Locked(_))));
    // Both are compressed by themselves, to the same bytes.
    seal_all(&journal.sealer(), true);
    while copy.seal_next(true, &mut |_| GO_ON).unwrap().is_some() {}
    assert_eq!(files(target), files(source));
    grow(&mut journal, 5);
    let head = journal.head();
    catch_up(&mut copy, head);
    assert_eq!(verify(target, None, &mut |_| {}).unwrap().head, head);
    drop(copy);
    let (mut restored, found) = Journal::open(target, small()).unwrap();
    assert_eq!((restored.head(), found.cut), (head, None));
    grow(&mut restored, 3);
    assert_eq!(read_all(target, restored.head().seq)[..90], read_all(source, head.seq));
}

#[test]
fn lags_and_catches_up_in_steps() {
    let (source, target) = (folder(), folder());
    let options = Options { segment_bytes_max: 1 << 20, ..Options::default() };
    let (mut journal, _) = Journal::open(source.path(), options).unwrap();
    let text = "x".repeat(900);
    while segments(source.path()).len() < 12 {
        append(&mut journal, &[text.as_str(); 40]).unwrap();
    }
    seal_all(&journal.sealer(), true);
    let head = journal.head();
    let mut copy = SecondCopy::new(source.path(), target.path());
    let mut steps = 0;
    while copy.step(head.seq).unwrap() != head {
        steps += 1;
    }
    assert!((2..5).contains(&steps), "{steps}");
    assert_eq!(verify(target.path(), None, &mut |_| {}).unwrap().head, head);
}

#[test]
fn only_whole_groups_are_copied() {
    let (source, target) = (folder(), folder());
    let (mut journal, _) = open(source.path());
    let mut copy = SecondCopy::new(source.path(), target.path());
    append(&mut journal, &["1", "2"]).unwrap();
    append(&mut journal, &["3", "4", "5"]).unwrap();
    for (until, copied) in [(1, 0), (2, 2), (3, 2), (4, 2), (5, 5)] {
        assert_eq!(copy.step(until).unwrap().seq, copied);
    }
    assert_eq!(files(target.path()), files(source.path()));
}

#[test]
fn what_is_no_copy_of_this_journal_is_never_changed() {
    type Make = fn(&Path, &Path);
    let cases: &[(&str, Make)] = &[
        ("of another journal", |_, target| {
            append(&mut open(target).0, &["other"]).unwrap();
        }),
        ("the journal only", |source, target| {
            restore(target, &files(source));
            grow(&mut open(target).0, 1);
        }),
        // A fork: the same lines up to a point.
        ("of another journal", |source, target| {
            let path = segment(source, 1);
            let first = std::fs::read(&path).unwrap();
            let at = crate::offset_of_line(&first, 3);
            std::fs::write(target.join(path.file_name().unwrap()), &first[..at]).unwrap();
            append(&mut open(target).0, &["fork"]).unwrap();
        }),
    ];
    let source = folder();
    let (mut journal, _) = open(source.path());
    grow(&mut journal, 20);
    let head = journal.head();
    for (reason, make) in cases {
        let target = folder();
        make(source.path(), target.path());
        // A torn end, which would be cut off a copy.
        let last = segments(target.path()).pop().unwrap();
        let torn = [&std::fs::read(&last).unwrap()[..], b"{\"v\":1,\"se"].concat();
        std::fs::write(&last, torn).unwrap();
        let before = files(target.path());
        let mut copy = SecondCopy::new(source.path(), target.path());
        for _ in 0..2 {
            let told = refusal(copy.step(head.seq));
            assert!(told.contains(reason), "{told}");
            assert_eq!((files(target.path()), copy.head()), (before.clone(), None));
        }
        // Another folder in its place is taken.
        restore(target.path(), &Default::default());
        catch_up(&mut copy, head);
    }
    let mut own = SecondCopy::new(source.path(), source.path());
    assert!(refusal(own.step(head.seq)).contains("own folder"));
}

#[test]
fn a_damaged_copy_is_left_alone() {
    let (source, target) = (folder(), folder());
    let (mut journal, _) = open(source.path());
    grow(&mut journal, 20);
    let mut copy = SecondCopy::new(source.path(), target.path());
    catch_up(&mut copy, journal.head());
    drop(copy);
    let last = segments(target.path()).pop().unwrap();
    let mut bytes = std::fs::read(&last).unwrap();
    bytes[120] ^= 1;
    std::fs::write(&last, bytes).unwrap();
    let before = files(target.path());
    let mut copy = SecondCopy::new(source.path(), target.path());
    assert_eq!(damage(copy.step(journal.head().seq)).segment, last);
    assert_eq!(files(target.path()), before);
}

#[test]
fn damage_of_the_journal_is_not_copied() {
    let (source, target) = (folder(), folder());
    let (mut journal, _) = open(source.path());
    grow(&mut journal, 2);
    let mut copy = SecondCopy::new(source.path(), target.path());
    catch_up(&mut copy, journal.head());
    let good = files(target.path());
    grow(&mut journal, 1);
    let path = segment(source.path(), 1);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 120;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(damage(copy.step(journal.head().seq)).segment, path);
    assert_eq!(files(target.path()), good);
}

/// A disk that is taken out and put in again, or another one in its place.
#[test]
fn a_folder_that_goes_is_taken_up_when_it_comes_back() {
    let (source, all) = (folder(), folder());
    let (target, aside) = (all.path().join("copy"), all.path().join("aside"));
    let (mut journal, _) = open(source.path());
    let mut copy = SecondCopy::new(source.path(), &target);
    grow(&mut journal, 3);
    let missing = |result: Result<Head, JournalError>| match result {
        Err(JournalError::Io { source, .. }) => assert_eq!(source.kind(), io::ErrorKind::NotFound),
        other => panic!("{other:?}"),
    };
    // It is never made anew on the disk below.
    missing(copy.step(journal.head().seq));
    assert!(!target.exists());
    std::fs::create_dir(&target).unwrap();
    catch_up(&mut copy, journal.head());
    assert!(copy.is_on_same_disk().unwrap());
    std::fs::rename(&target, &aside).unwrap();
    grow(&mut journal, 3);
    missing(copy.step(journal.head().seq));
    assert_eq!(copy.head(), None);
    std::fs::rename(&aside, &target).unwrap();
    catch_up(&mut copy, journal.head());
    assert_eq!(files(&target), files(source.path()));
    // An empty one in its place: a copy is made anew.
    std::fs::rename(&target, &aside).unwrap();
    std::fs::create_dir(&target).unwrap();
    grow(&mut journal, 1);
    catch_up(&mut copy, journal.head());
    assert_eq!(files(&target), files(source.path()));
    // A file that was removed under it.
    std::fs::remove_file(segments(&target).pop().unwrap()).unwrap();
    grow(&mut journal, 1);
    catch_up(&mut copy, journal.head());
    assert_eq!(files(&target), files(source.path()));
}

#[test]
fn a_disk_that_fails_or_is_full_is_taken_up_again() {
    for fault in [Fault::Create, Fault::Write, Fault::ShortWrite, Fault::Sync, Fault::SyncDir] {
        for before in [0, 1, 2] {
            let (source, target) = (folder(), folder());
            let (mut journal, _) = open(source.path());
            let (disk, state) = FaultyDisk::with_state();
            let mut copy = SecondCopy::new_on(disk, source.path(), target.path());
            grow(&mut journal, before);
            let known = copy.step(journal.head().seq).unwrap();
            grow(&mut journal, 20);
            state.lock().unwrap().0 = fault;
            for _ in 0..3 {
                let error = copy.step(journal.head().seq).unwrap_err();
                assert!(matches!(error, JournalError::Io { .. }), "{error}");
                let told = verify(target.path(), None, &mut |_| {}).unwrap().head;
                assert!(told.seq >= known.seq, "what was synced is there");
            }
            state.lock().unwrap().0 = Fault::None;
            grow(&mut journal, 1);
            catch_up(&mut copy, journal.head());
            assert_eq!(files(target.path()), files(source.path()));
        }
    }
}

/// After a sync that failed, what is read back may be in memory only: it is written again.
#[test]
fn what_a_failed_sync_left_is_written_again() {
    let (source, target) = (folder(), folder());
    let (mut journal, _) = open(source.path());
    let (disk, state) = FaultyDisk::with_state();
    let mut copy = SecondCopy::new_on(disk, source.path(), target.path());
    grow(&mut journal, 1);
    catch_up(&mut copy, journal.head());
    grow(&mut journal, 1);
    state.lock().unwrap().0 = Fault::Sync;
    copy.step(journal.head().seq).unwrap_err();
    assert_eq!(files(target.path()), files(source.path()), "the bytes can be read");
    state.lock().unwrap().0 = Fault::None;
    let before = calls(&state);
    catch_up(&mut copy, journal.head());
    assert_eq!(calls(&state), before + 2, "a write and a sync");
    assert_eq!(files(target.path()), files(source.path()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Killed at any moment, in the middle of a write or of a sealing: it goes on from whole groups.
    #[test]
    fn goes_on_after_a_kill(
        script in prop::collection::vec((1u64..12, any::<prop::sample::Index>(), 0usize..9, any::<bool>()), 2..10),
    ) {
        let (source, target) = (folder(), folder());
        let (source, target) = (source.path(), target.path());
        let (mut journal, _) = open(source);
        for (groups, cut, mut stop_after, zeros) in script {
            let mut copy = SecondCopy::new(source, target);
            catch_up(&mut copy, journal.head());
            grow(&mut journal, groups);
            copy.step(journal.head().seq).unwrap();
            copy.seal_next(true, &mut |_| match stop_after {
                0 => ControlFlow::Break(()),
                _ => { stop_after -= 1; GO_ON }
            }).unwrap();
            let bytes_known = segments(target).pop().map(|last| std::fs::read(last).unwrap());
            drop(copy);
            // What the next step would have written, up to some byte.
            grow(&mut journal, 1);
            let (last, old) = (segments(target).pop().unwrap(), bytes_known.unwrap());
            let new = std::fs::read(source.join(last.file_name().unwrap()));
            if let Ok(new) = new && new.len() > old.len() {
                let at = old.len() + cut.index(new.len() - old.len() + 1);
                let mut written = new[..at].to_vec();
                if zeros { written[old.len()..].fill(0); }
                std::fs::write(&last, written).unwrap();
            }
            seal_all(&journal.sealer(), true);
        }
        let mut copy = SecondCopy::new(source, target);
        catch_up(&mut copy, journal.head());
        while copy.seal_next(true, &mut |_| GO_ON).unwrap().is_some() {}
        prop_assert_eq!(files(target), files(source));
    }
}
