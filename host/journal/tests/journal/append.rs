use std::path::Path;

use tianyin_journal::{Hash, Journal, JournalError, NewLine, Options, verify};

use crate::faults::{Fault, FaultyDisk, State, calls};
use crate::{TIME, append, open, raw, read_all, segment, segments, small};

#[test]
fn round_trip() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, found) = open(dir.path());
    assert_eq!((found.segments, found.cut, journal.next_seq()), (0, None, 1));
    assert_eq!(journal.head().hash, Hash::ZERO);
    let seqs = append(&mut journal, &["甲", "乙\n\"x\""]).unwrap();
    assert_eq!((seqs.first, seqs.last), (1, 2));
    let seqs = append(&mut journal, &["丙"]).unwrap();
    assert_eq!((seqs.first, seqs.last), (3, 3));
    let head = journal.head();
    drop(journal);

    let (journal, found) = open(dir.path());
    assert_eq!((found.segments, found.cut, found.newline_added), (1, None, false));
    assert_eq!(journal.head(), head);
    assert_eq!(read_all(dir.path(), 3), ["甲", "乙\n\"x\"", "丙"]);
    let text = std::fs::read_to_string(segment(dir.path(), 1)).unwrap();
    assert_eq!(text.lines().count(), 3);
    assert!(text.lines().nth(1).unwrap().starts_with(r#"{"v":1,"seq":2,"group":1,"size":2,"#));
}

#[test]
fn rolls_over_before_a_group_and_keeps_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    for n in 0..20 {
        append(&mut journal, &[&format!("a{n}"), &format!("b{n}")]).unwrap();
    }
    let files = segments(dir.path());
    assert!(files.len() > 3, "{files:?}");
    for file in &files {
        assert!(file.metadata().unwrap().len() <= small().segment_bytes_max);
        let text = std::fs::read_to_string(file).unwrap();
        let first: u64 = file.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        assert!(text.starts_with(&format!(r#"{{"v":1,"seq":{first},"group":{first},"#)));
    }
    let head = journal.head();
    drop(journal);
    assert_eq!(open(dir.path()).0.head(), head);
    let report = verify(dir.path(), None, &mut |_| {}).unwrap();
    assert_eq!((report.head, report.groups, report.segments), (head, 20, files.len()));
    assert_eq!(report.torn, None);
    assert_eq!(read_all(dir.path(), 40).len(), 40);
}

#[test]
fn a_second_writer_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let second = Journal::open(dir.path(), small());
    assert!(matches!(second, Err(JournalError::Locked(_))));
    drop(journal);
    open(dir.path());
}

#[test]
fn what_breaks_a_limit_is_refused_and_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    append(&mut journal, &["ok"]).unwrap();
    let (actor, events, object) = (raw("{}"), raw("[]"), raw("{}"));
    let broken = raw("[1,\n2]");
    let long = raw(&format!("[\"{}\"]", "x".repeat(1024)));
    let good = NewLine { time: TIME, actor: &actor, events: &events };
    let bad = [
        NewLine { time: "2026-03-01 08:00:00.000Z", ..good },
        NewLine { time: "2026-03-01T08:00:00Z", ..good },
        NewLine { events: &object, ..good },
        NewLine { events: &broken, ..good },
        NewLine { actor: &broken, ..good },
        NewLine { events: &long, ..good },
    ];
    for line in bad {
        let error = journal.append_group(&[good, line]).unwrap_err();
        assert!(matches!(error, JournalError::BadLine { index: 1, .. }), "{error}");
    }
    for group in [&[][..], &[good; 20]] {
        let error = journal.append_group(group).unwrap_err();
        assert!(matches!(error, JournalError::BadGroup { .. }), "{error}");
    }
    append(&mut journal, &["still"]).unwrap();
    assert_eq!(read_all(dir.path(), 2), ["ok", "still"]);
    for options in [
        Options { segment_bytes_max: 1, ..small() },
        Options { line_bytes_max: 0, ..small() },
        Options { line_bytes_max: 1 << 30, ..small() },
    ] {
        let error = Journal::open(dir.path(), options).unwrap_err();
        assert!(matches!(error, JournalError::BadOption(_)), "{error}");
    }
}

fn open_faulty(dir: &Path) -> (Journal, State) {
    let (disk, state) = FaultyDisk::with_state();
    (Journal::open_on(disk, dir, small()).unwrap().0, state)
}

#[test]
fn one_write_and_one_sync_for_a_group() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, state) = open_faulty(dir.path());
    for _ in 0..30 {
        append(&mut journal, &["a", "b", "c"]).unwrap();
    }
    let calls = &state.lock().unwrap().1;
    let segments = segments(dir.path()).len() as u64;
    assert_eq!((calls.writes, calls.syncs, journal.data_syncs()), (30, 30, 30));
    assert_eq!((calls.creates, calls.dir_syncs), (segments, segments));
}

/// (fault, groups before it, lines found after opening again)
const FAULTS: &[(Fault, usize, u64)] = &[
    (Fault::Create, 0, 0),
    (Fault::Write, 0, 0),
    (Fault::Write, 1, 2),
    (Fault::ShortWrite, 0, 0),
    (Fault::ShortWrite, 1, 2),
    // The bytes are in the page cache, so this process finds them; nobody was told so.
    (Fault::Sync, 0, 2),
    (Fault::Sync, 1, 4),
    (Fault::SyncDir, 0, 2),
];

#[test]
fn poisoned_after_a_failed_write_or_sync() {
    for (fault, before, found) in FAULTS {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, state) = open_faulty(dir.path());
        for _ in 0..*before {
            append(&mut journal, &["acked", "acked"]).unwrap();
        }
        let head = journal.head();
        state.lock().unwrap().0 = *fault;
        let error = append(&mut journal, &["lost", "lost"]).unwrap_err();
        assert!(matches!(error, JournalError::Io { .. }), "{error}");
        state.lock().unwrap().0 = Fault::None;
        let before_retry = calls(&state);
        let error = append(&mut journal, &["later"]).unwrap_err();
        assert!(matches!(error, JournalError::Poisoned(_)), "{error}");
        assert!(error.to_string().contains("injected"), "{error}");
        assert_eq!(calls(&state), before_retry, "a poisoned journal must not touch the disk");
        assert_eq!((journal.head(), journal.poisoned().is_some()), (head, true));
        drop(journal);

        let (mut journal, _) = open(dir.path());
        assert_eq!(journal.head().seq, *found);
        append(&mut journal, &["again"]).unwrap();
        verify(dir.path(), None, &mut |_| {}).unwrap();
    }
}

#[test]
fn a_write_that_the_full_disk_refused_is_taken_back() {
    for (fault, before, _) in FAULTS {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, state) = open_faulty(dir.path());
        for _ in 0..*before {
            append(&mut journal, &["acked", "acked"]).unwrap();
        }
        let head = journal.head();
        journal.take_back().unwrap();
        state.lock().unwrap().0 = *fault;
        append(&mut journal, &["lost", "lost"]).unwrap_err();
        state.lock().unwrap().0 = Fault::None;
        if matches!(fault, Fault::Sync | Fault::SyncDir) {
            // Nothing is known about the disk after a sync that failed.
            assert!(matches!(journal.take_back(), Err(JournalError::Poisoned(_))));
            append(&mut journal, &["later"]).unwrap_err();
            continue;
        }
        journal.take_back().unwrap();
        assert_eq!((journal.head(), journal.poisoned()), (head, None));
        append(&mut journal, &["later"]).unwrap();
        let seq = journal.head().seq;
        assert_eq!(seq, head.seq + 1);
        assert_eq!(verify(dir.path(), None, &mut |_| {}).unwrap().torn, None);
        drop(journal);
        let (journal, recovery) = open(dir.path());
        assert_eq!((journal.head().seq, recovery.cut), (seq, None));
        assert_eq!(read_all(dir.path(), seq).last().map(String::as_str), Some("later"));
    }
}

#[test]
fn a_sync_that_fails_while_taking_back_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, state) = open_faulty(dir.path());
    append(&mut journal, &["acked"]).unwrap();
    state.lock().unwrap().0 = Fault::ShortWrite;
    append(&mut journal, &["lost"]).unwrap_err();
    state.lock().unwrap().0 = Fault::Sync;
    journal.take_back().unwrap_err();
    state.lock().unwrap().0 = Fault::None;
    assert!(matches!(journal.take_back(), Err(JournalError::Poisoned(_))));
    drop(journal);
    assert_eq!(open(dir.path()).0.head().seq, 1);
}
