use tianyin_journal::{Journal, JournalError, Options, Reader};

use crate::faults::{Fault, FaultyDisk};
use crate::{append, offset_of_line, open, segment, small};

#[test]
fn follows_a_live_journal_up_to_what_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    let mut reader = Reader::new(dir.path(), 0).checking_hashes();
    assert!(reader.read_up_to(0).unwrap().is_none());
    let (mut journal, _) = open(dir.path());
    let mut seen = 0;
    for n in 0..40 {
        let seqs = append(&mut journal, &[&format!("a{n}"), &format!("b{n}")]).unwrap();
        // The group's second line is in the file but not yet committed, as far as the reader is told.
        let line = reader.read_up_to(seqs.first).unwrap().unwrap();
        assert_eq!((line.seq, line.group, line.size), (seqs.first, seqs.first, 2));
        assert!(reader.read_up_to(seqs.first).unwrap().is_none());
        if n % 3 == 0 {
            assert_eq!(reader.read_up_to(seqs.last).unwrap().unwrap().seq, seqs.last);
        } else {
            seen += reader.lines_up_to(seqs.last).map(Result::unwrap).count();
        }
        assert!(reader.read_up_to(seqs.last).unwrap().is_none());
    }
    assert_eq!((reader.next_seq(), seen), (81, 26));
}

/// A follower that read a failed write before it was taken back reads what was written in its place.
#[test]
fn what_was_taken_back_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, state) = FaultyDisk::with_state();
    let (mut journal, _) = Journal::open_on(disk, dir.path(), small()).unwrap();
    append(&mut journal, &["a", "b"]).unwrap();
    let mut reader = Reader::new(dir.path(), 1).checking_hashes();
    for n in 0..3 {
        state.lock().unwrap().0 = Fault::ShortWrite;
        append(&mut journal, &["lost", "half of this line is read ahead"]).unwrap_err();
        state.lock().unwrap().0 = Fault::None;
        let head = journal.head().seq;
        let read = reader.lines_up_to(head).map(Result::unwrap).count();
        assert!(read > 0 && reader.read_up_to(head).unwrap().is_none());
        journal.take_back().unwrap();
        let seqs = append(&mut journal, &[&format!("in its place {n}")]).unwrap();
        assert_eq!(reader.read_up_to(seqs.last).unwrap().unwrap().seq, seqs.last);
        append(&mut journal, &["next"]).unwrap();
    }
}

#[test]
fn begins_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes_max: 600_000, ..Options::default() };
    let (mut journal, _) = Journal::open(dir.path(), options).unwrap();
    for n in 0..1500u64 {
        let text = "田".repeat((n * 7919 % 600) as usize);
        append(&mut journal, &[&text, "x"]).unwrap();
    }
    let head = journal.head().seq;
    for from in (1..=head).step_by(37).chain([head]) {
        let mut reader = Reader::new(dir.path(), from);
        assert_eq!(reader.read_up_to(head).unwrap().unwrap().seq, from);
        if from < head {
            assert_eq!(reader.read_up_to(head).unwrap().unwrap().seq, from + 1);
        }
    }
    let mut ahead = Reader::new(dir.path(), head + 1);
    assert!(ahead.read_up_to(head).unwrap().is_none());
    append(&mut journal, &["new"]).unwrap();
    assert_eq!(ahead.read_up_to(head + 1).unwrap().unwrap().seq, head + 1);
}

#[test]
fn damage_and_loss_are_errors_not_silence() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    for n in 0..5 {
        append(&mut journal, &[&n.to_string()]).unwrap();
    }
    let path = segment(dir.path(), 1);
    let good = std::fs::read(&path).unwrap();

    let mut flipped = good.clone();
    let in_line_3 = offset_of_line(&good, 3);
    let at = in_line_3 + good[in_line_3..].windows(3).position(|w| w == b"[\"2").unwrap() + 2;
    flipped[at] = b'9';
    std::fs::write(&path, &flipped).unwrap();
    assert_eq!(Reader::new(dir.path(), 1).lines_up_to(5).filter(Result::is_ok).count(), 5);
    let mut checking = Reader::new(dir.path(), 1).checking_hashes();
    let results: Vec<_> = checking.lines_up_to(5).collect();
    assert_eq!(results.len(), 3);
    let Err(JournalError::Damaged(damage)) = &results[2] else { panic!("damage expected") };
    assert_eq!(damage.offset, in_line_3 as u64);

    std::fs::write(&path, &good[..offset_of_line(&good, 4)]).unwrap();
    let results: Vec<_> = Reader::new(dir.path(), 2).lines_up_to(5).map(|r| r.is_ok()).collect();
    assert_eq!(results, [true, true, false]);
    std::fs::remove_file(&path).unwrap();
    assert!(Reader::new(dir.path(), 1).read_up_to(5).is_err());
}
