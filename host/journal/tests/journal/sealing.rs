use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use proptest::prelude::*;
use tianyin_journal::{Journal, Options, Reader, SealStep, verify};

use crate::{
    append, damage, files, folder, open, python, read_all, restore, seal_all, segments, small,
};

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

fn options() -> Options {
    Options { segment_bytes_max: 1024, group_bytes_max: 4096, line_bytes_max: 2048 }
}

/// A journal of several segments; its texts.
fn fill(dir: &Path) -> (Journal, Vec<String>) {
    let (mut journal, _) = open(dir);
    let mut texts = Vec::new();
    for n in 0..30 {
        let group = [format!("第{n}行"), "x".repeat(n)];
        append(&mut journal, &[&group[0], &group[1]]).unwrap();
        texts.extend(group);
    }
    (journal, texts)
}

fn names(dir: &Path, ending: &str) -> Vec<String> {
    files(dir).into_keys().filter(|name| name.ends_with(ending)).collect()
}

#[test]
fn a_sealed_journal_says_the_same() {
    for compress in [true, false] {
        let dir = folder();
        let dir = dir.path();
        let (mut journal, mut texts) = fill(dir);
        let plain = files(dir);
        let full = segments(dir).len() - 1;
        let sealed = seal_all(&journal.sealer(), compress);
        assert!(full >= 4);
        assert_eq!((sealed.len(), names(dir, ".seal").len()), (full, full));
        assert_eq!(names(dir, ".jsonl").len(), if compress { 1 } else { full + 1 });
        assert_eq!(sealed[0].gz_bytes.is_some(), compress);
        for name in names(dir, ".gz") {
            let file = std::fs::File::open(dir.join(&name)).unwrap();
            let mut lines = Vec::new();
            flate2::read::MultiGzDecoder::new(file).read_to_end(&mut lines).unwrap();
            assert_eq!(lines, plain[name.trim_end_matches(".gz")]);
        }
        append(&mut journal, &["more"]).unwrap();
        texts.push("more".into());
        let head = journal.head();
        assert_eq!(read_all(dir, head.seq), texts);
        for from in 1..=head.seq {
            assert_eq!(Reader::new(dir, from).read_up_to(head.seq).unwrap().unwrap().seq, from);
        }
        let mut last_bytes = 0;
        let report = verify(dir, None, &mut |p| last_bytes = p.total_bytes - p.done_bytes).unwrap();
        assert_eq!((report.head, report.segments, last_bytes), (head, full + 1, 0));
        assert!(python::agree(dir, "sealed"));
        for until in (2..head.seq).step_by(2) {
            assert_eq!(verify(dir, Some(until), &mut |_| {}).unwrap().head.seq, until);
        }
        drop(journal);
        let (journal, found) = open(dir);
        assert_eq!((journal.head(), found.segments, found.cut), (head, full + 1, None));
        assert_eq!(seal_all(&journal.sealer(), compress), []);
        // What was sealed without compression is compressed when that is switched on.
        assert_eq!(seal_all(&journal.sealer(), true).len(), if compress { 0 } else { full });
        assert_eq!(names(dir, ".jsonl").len(), 1);
        assert_eq!(read_all(dir, head.seq), texts);
    }
}

/// The segment that was begun last may be lost by a power cut, when no line of it was acknowledged.
#[test]
fn goes_on_after_a_sealed_end() {
    for compress in [true, false] {
        let dir = folder();
        let dir = dir.path();
        let (journal, texts) = fill(dir);
        seal_all(&journal.sealer(), compress);
        drop(journal);
        std::fs::remove_file(segments(dir).pop().unwrap()).unwrap();
        let (mut journal, _) = open(dir);
        let seq = journal.head().seq;
        assert!(seq > 20);
        append(&mut journal, &["on"]).unwrap();
        let mut expected = texts[..seq as usize].to_vec();
        expected.push("on".into());
        assert_eq!(read_all(dir, seq + 1), expected);
        assert!(python::agree(dir, "continued"));
    }
}

/// Ends the sealing at every step, as a crash would: nothing is lost, and the next start finishes it.
#[test]
fn an_interruption_at_any_step_is_harmless() {
    let dir = folder();
    let dir = dir.path();
    let (journal, texts) = fill(dir);
    drop(journal);
    let plain = files(dir);
    let mut steps = Vec::new();
    for stop_after in 0.. {
        let mut states = Vec::new();
        for (first, then) in [(true, true), (true, false), (false, true), (false, false)] {
            restore(dir, &plain);
            let (journal, _) = open(dir);
            let (mut calls, mut last) = (0, None);
            let result = journal.sealer().seal_next(first, &mut |step| {
                last = Some(step);
                calls += 1;
                if calls > stop_after { ControlFlow::Break(()) } else { GO_ON }
            });
            result.unwrap();
            steps.extend(last);
            states.push(calls > stop_after);
            let state = format!("{first} {then} {last:?}: {:?}", files(dir).keys());
            let head = journal.head();
            assert_eq!(read_all(dir, head.seq), texts, "{state}");
            assert_eq!(verify(dir, None, &mut |_| {}).unwrap().head, head, "{state}");
            assert!(python::agree(dir, &state), "{state}");
            drop(journal);
            let (mut journal, _) = open(dir);
            assert_eq!((journal.head(), names(dir, ".part").len()), (head, 0), "{state}");
            seal_all(&journal.sealer(), then);
            append(&mut journal, &["on"]).unwrap();
            let (gz, seals) = (names(dir, ".gz").len(), names(dir, ".seal").len());
            assert_eq!(
                (seals, seals + 1 - gz),
                (segments(dir).len() - 1 + gz, segments(dir).len())
            );
            let head = journal.head();
            drop(journal);
            assert_eq!(open(dir).0.head(), head, "{state}");
            assert_eq!(read_all(dir, head.seq).len(), texts.len() + 1, "{state}");
            assert_eq!(verify(dir, None, &mut |_| {}).unwrap().head, head, "{state}");
        }
        if !states.contains(&true) {
            break;
        }
    }
    for step in [SealStep::Compressed, SealStep::Named, SealStep::Sealed, SealStep::Removed] {
        assert!(steps.contains(&step), "{steps:?}");
    }
}

#[test]
fn a_full_disk_leaves_the_plain_segment() {
    let dir = folder();
    let dir = dir.path();
    let (journal, texts) = fill(dir);
    // A folder in its place, so that the file cannot be written.
    let part = segments(dir)[0].with_added_extension("gz.part");
    std::fs::create_dir(&part).unwrap();
    let error = journal.sealer().seal_next(true, &mut |_| GO_ON).unwrap_err();
    assert!(!error.is_damage(), "{error}");
    assert_eq!(read_all(dir, journal.head().seq), texts);
    std::fs::remove_dir(&part).unwrap();
    assert!(seal_all(&journal.sealer(), true).len() > 3);
    let sealer = journal.sealer();
    drop(journal);
    assert_eq!(sealer.seal_next(true, &mut |_| GO_ON).unwrap(), None);
}

#[test]
fn damage_is_never_sealed() {
    let dir = folder();
    let dir = dir.path();
    let (journal, _) = fill(dir);
    journal.sealer().seal_next(true, &mut |_| GO_ON).unwrap();
    drop(journal);
    let path = &segments(dir)[0];
    let mut bytes = std::fs::read(path).unwrap();
    let at = crate::offset_of_line(&bytes, 3) + 100;
    bytes[at] ^= 1;
    std::fs::write(path, &bytes).unwrap();
    for compress in [true, false] {
        let (journal, _) = open(dir);
        let damage = damage(journal.sealer().seal_next(compress, &mut |_| GO_ON));
        assert_eq!(damage.line, 3);
        assert_eq!((std::fs::read(path).unwrap(), names(dir, ".part")), (bytes.clone(), vec![]));
    }
}

/// Every single bit of every compressed segment and every seal.
#[test]
fn every_flipped_bit_is_found() {
    let dir = folder();
    let dir = dir.path();
    let (mut journal, _) = Journal::open(dir, options()).unwrap();
    for n in 0..5 {
        append(&mut journal, &[&format!("第{n}行")]).unwrap();
    }
    assert_eq!(seal_all(&journal.sealer(), true).len(), 1);
    drop(journal);
    let whole = files(dir);
    let mut flips = 0;
    for (name, bytes) in whole.iter().filter(|(name, _)| !name.ends_with(".jsonl")) {
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(dir.join(name), flipped).unwrap();
            let damage = damage(verify(dir, None, &mut |_| {}));
            let file = damage.segment.file_name().unwrap().to_str().unwrap();
            assert_eq!(file[..16], name[..16], "{name} bit {bit}: {damage}");
            flips += 1;
        }
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    assert!(flips > 4000, "{flips}");
    verify(dir, None, &mut |_| {}).unwrap();
}

#[test]
fn what_is_lost_or_does_not_fit_is_damage() {
    let dir = folder();
    let dir = dir.path();
    let (journal, texts) = fill(dir);
    seal_all(&journal.sealer(), true);
    let head = journal.head();
    drop(journal);
    let whole = files(dir);
    let (gz, seals) = (names(dir, ".gz"), names(dir, ".seal"));

    std::fs::remove_file(dir.join(&gz[1])).unwrap();
    assert!(damage(Journal::open(dir, small())).reason.contains("missing"));
    damage(verify(dir, None, &mut |_| {}));
    std::fs::remove_file(dir.join(&seals[1])).unwrap();
    assert!(damage(Journal::open(dir, small())).reason.contains("missing"));
    damage(verify(dir, None, &mut |_| {}));

    // Cut short, and another segment's file under the name.
    for bytes in [&whole[&gz[1]][..200], &whole[&gz[2]]] {
        restore(dir, &whole);
        std::fs::write(dir.join(&gz[1]), bytes).unwrap();
        // Opening reads no sealed segment, it only looks at the size.
        assert!(Journal::open(dir, small()).is_err() || bytes.len() == whole[&gz[1]].len());
        damage(verify(dir, None, &mut |_| {}));
    }

    // Every number of the seal, where it is still one.
    let seal = String::from_utf8(whole[&seals[1]].clone()).unwrap();
    for (key, at_open) in [
        ("\"last\":", true),
        ("\"group\":", false),
        ("\"prev\":\"", true),
        ("\"hash\":\"", true),
        ("\"bytes\":", false),
        ("\"gz\":{\"bytes\":", true),
        ("\"sm3\":\"", false),
        ("\"members\":[[", false),
        (&format!("\"members\":[[{},", seals[1][..16].parse::<u64>().unwrap()), false),
    ] {
        restore(dir, &whole);
        let at = seal.find(key).map(|at| at + key.len()).unwrap_or_else(|| panic!("{key}: {seal}"));
        let mut changed = seal.clone().into_bytes();
        changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
        std::fs::write(dir.join(&seals[1]), &changed).unwrap();
        let damage = damage(verify(dir, None, &mut |_| {}));
        assert!(damage.to_string().contains(&seals[1][..16]), "{key}: {damage}");
        assert!(Journal::open(dir, small()).is_err() || !at_open, "{key}");
    }

    // A lost seal is made anew from the compressed file.
    restore(dir, &whole);
    std::fs::remove_file(dir.join(&seals[1])).unwrap();
    let (journal, _) = open(dir);
    assert_eq!((journal.head(), read_all(dir, head.seq)), (head, texts));
    assert_eq!(seal_all(&journal.sealer(), true).len(), 1);
    assert_eq!(files(dir), whole);
}

#[test]
fn a_group_larger_than_a_segment_has_one_of_its_own() {
    let dir = folder();
    let dir = dir.path();
    let (mut journal, _) = Journal::open(dir, options()).unwrap();
    let long = "田".repeat(300);
    append(&mut journal, &["a"]).unwrap();
    append(&mut journal, &[&long, &long]).unwrap();
    append(&mut journal, &["b"]).unwrap();
    assert_eq!(segments(dir).len(), 3);
    seal_all(&journal.sealer(), true);
    assert_eq!(read_all(dir, 4), ["a", &long, &long, "b"]);
    assert_eq!(verify(dir, None, &mut |_| {}).unwrap().head, journal.head());
}

/// Segments of several gzip members: a reader begins at the right one.
#[test]
fn begins_anywhere_in_a_long_compressed_segment() {
    let dir = folder();
    let dir = dir.path();
    let options = Options { segment_bytes_max: 5 << 20, ..Options::default() };
    let (mut journal, _) = Journal::open(dir, options.clone()).unwrap();
    let mut n = 0u64;
    while segments(dir).len() < 3 {
        let text: String =
            (0..200).map(|k| format!("{:x}", (n * 7919 + k) * 104_729 % 65_521)).collect();
        append(&mut journal, &[&text, "x", &text]).unwrap();
        n += 1;
    }
    let sealed = seal_all(&journal.sealer(), true);
    assert!(
        sealed.len() == 2 && sealed[0].gz_bytes.unwrap() < sealed[0].plain_bytes / 2,
        "{sealed:?}"
    );
    let seal = std::fs::read_to_string(dir.join("0000000000000001.seal")).unwrap();
    assert!(seal.matches("],[").count() >= 3, "{seal}");
    let head = journal.head().seq;
    for from in (1..=head).step_by(97).chain([head]) {
        let read: Vec<u64> = Reader::new(dir, from)
            .checking_hashes()
            .lines_up_to(head.min(from + 2))
            .map(|line| line.unwrap().seq)
            .collect();
        assert_eq!(read, (from..=head.min(from + 2)).collect::<Vec<_>>());
    }
    drop(journal);
    assert_eq!(Journal::open(dir, options).unwrap().0.head().seq, head);
    assert!(python::agree(dir, "several members"));
}

#[derive(Debug, Clone)]
enum Do {
    Append(Vec<String>),
    Seal {
        compress: bool,
        stop_after: usize,
    },
    Reopen,
    Read(usize),
    /// Opens the journal after some files of an earlier moment came back, as a power cut may do.
    Verify,
}

fn doing() -> impl Strategy<Value = Do> {
    let text = prop_oneof!["\\PC{0,60}", "[0-9]{200}"];
    prop_oneof![
        8 => prop::collection::vec(text, 1..4).prop_map(Do::Append),
        3 => (any::<bool>(), 0usize..9).prop_map(|(compress, stop_after)| Do::Seal { compress, stop_after }),
        1 => Just(Do::Reopen),
        3 => (1usize..20).prop_map(Do::Read),
        1 => Just(Do::Verify),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Sealing at any moment, interrupted anywhere, is seen by no reader.
    #[test]
    fn sealing_is_invisible(script in prop::collection::vec(doing(), 20..80)) {
        let dir = folder();
        let dir = dir.path();
        let (journal, _) = Journal::open(dir, options()).unwrap();
        let mut journal = Some(journal);
        let mut reader = Reader::new(dir, 1).checking_hashes();
        let (mut written, mut read) = (Vec::new(), Vec::new());
        for step in script {
            let open = journal.as_mut().unwrap();
            match step {
                Do::Append(group) => {
                    let texts: Vec<_> = group.iter().map(String::as_str).collect();
                    append(open, &texts).unwrap();
                    written.extend(group);
                }
                Do::Seal { compress, stop_after } => {
                    let mut left = stop_after;
                    open.sealer().seal_next(compress, &mut |_| match left {
                        0 => ControlFlow::Break(()),
                        _ => { left -= 1; GO_ON }
                    }).unwrap();
                }
                Do::Reopen => {
                    let head = open.head();
                    drop(journal.take());
                    let (again, found) = Journal::open(dir, options()).unwrap();
                    prop_assert_eq!((again.head(), found.cut), (head, None));
                    journal = Some(again);
                }
                Do::Read(lines) => {
                    let head = open.head().seq;
                    for line in reader.lines_up_to(head).take(lines) {
                        let [text]: [String; 1] = serde_json::from_str(line.unwrap().events.get()).unwrap();
                        read.push(text);
                    }
                }
                Do::Verify => {
                    let report = verify(dir, Some(open.head().seq), &mut |_| {}).unwrap();
                    prop_assert_eq!(report.head, open.head());
                }
            }
        }
        prop_assert_eq!(&read[..], &written[..read.len()]);
        let open = journal.unwrap();
        seal_all(&open.sealer(), true);
        prop_assert_eq!(verify(dir, None, &mut |_| {}).unwrap().head, open.head());
        prop_assert_eq!(read_all(dir, open.head().seq), written);
    }
}

/// A writer, a sealer, a follower and verifications at the same time.
#[test]
fn beside_a_running_writer() {
    let dir = folder();
    let dir = dir.path();
    let (mut journal, _) = Journal::open(dir, options()).unwrap();
    let sealer = journal.sealer();
    let committed = std::sync::atomic::AtomicU64::new(0);
    let done = std::sync::atomic::AtomicBool::new(false);
    use std::sync::atomic::Ordering::SeqCst;
    const LINES: u64 = 1500;
    /// Whoever fails ends the others, too.
    struct Ends<'a>(&'a std::sync::atomic::AtomicBool);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    std::thread::scope(|scope| {
        let (committed, done) = (&committed, &done);
        let _ends = Ends(done);
        scope.spawn(move || {
            while journal.head().seq < LINES && !done.load(SeqCst) {
                let seqs = append(&mut journal, &["一", &"y".repeat(60), "z"]).unwrap();
                committed.store(seqs.last, SeqCst);
                // A segment every few milliseconds; in use it is one in days.
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            while !done.load(SeqCst) {
                std::thread::yield_now();
            }
        });
        scope.spawn(move || {
            while !done.load(SeqCst) {
                sealer.seal_next(true, &mut |_| GO_ON).unwrap();
            }
        });
        scope.spawn(move || {
            while !done.load(SeqCst) {
                let until = committed.load(SeqCst);
                assert_eq!(verify(dir, Some(until), &mut |_| {}).unwrap().head.seq, until);
            }
        });
        let mut reader = Reader::new(dir, 1).checking_hashes();
        while reader.next_seq() <= LINES {
            let until = committed.load(SeqCst);
            assert!(reader.lines_up_to(until).all(|line| line.is_ok()));
            // Another that begins anywhere.
            if until > 0 {
                let from = until * 7 % 11 * until / 11 + 1;
                let line = Reader::new(dir, from.min(until)).read_up_to(until).unwrap().unwrap();
                assert_eq!(line.seq, from.min(until));
            }
        }
        done.store(true, SeqCst);
    });
    assert!(names(dir, ".gz").len() > 10);
}
