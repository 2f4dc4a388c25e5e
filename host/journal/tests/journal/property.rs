use proptest::prelude::*;
use tianyin_journal::{Journal, Options, verify};

use crate::{append, read_all, segment, segments};

fn groups() -> impl Strategy<Value = Vec<Vec<String>>> {
    let text = prop_oneof!["\\PC{0,40}", Just("\n\"\\\0".to_owned()), "[0-9]{200}"];
    prop::collection::vec(prop::collection::vec(text, 1..5), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// However the last segment is cut short and whatever garbage follows, opening finds a prefix of
    /// whole groups that holds every group before the cut, and the journal goes on from there.
    #[test]
    fn a_cut_leaves_whole_groups(
        groups in groups(),
        cut in any::<prop::sample::Index>(),
        garbage in prop_oneof![
            Just(Vec::new()),
            prop::collection::vec(any::<u8>(), 0..200),
            Just(vec![0; 4096]),
        ],
        small in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let segment_bytes_max = if small { 8192 } else { 1 << 20 };
        let options = Options { segment_bytes_max, line_bytes_max: 2048, ..Options::default() };
        let (mut journal, _) = Journal::open(dir, options.clone()).unwrap();
        // (segment, its bytes, lines so far) after each group
        let mut ends = Vec::new();
        for group in &groups {
            let texts: Vec<_> = group.iter().map(String::as_str).collect();
            let seqs = append(&mut journal, &texts).unwrap();
            let path = segments(dir).pop().unwrap();
            let bytes = path.metadata().unwrap().len();
            ends.push((path, bytes, seqs.last));
        }
        drop(journal);
        let (last, bytes, _) = ends.last().cloned().unwrap();
        let cut = cut.index(bytes as usize + 1);
        let mut left = std::fs::read(&last).unwrap();
        left.truncate(cut);
        left.extend(&garbage);
        std::fs::write(&last, &left).unwrap();

        let (mut journal, _) = Journal::open(dir, options.clone()).unwrap();
        let whole = journal.head().seq;
        let must = |slack: u64| ends.iter()
            .filter(|(path, end, _)| *path != last || *end <= cut as u64 + slack)
            .map(|(_, _, seq)| *seq).max().unwrap_or(0);
        // A line that lacks only its line break may be kept or cut.
        prop_assert!(whole == must(0) || whole == must(1), "{whole} {} {}", must(0), must(1));
        append(&mut journal, &["after"]).unwrap();
        let expected: Vec<_> =
            groups.concat().into_iter().take(whole as usize).chain(["after".to_owned()]).collect();
        prop_assert_eq!(read_all(dir, whole + 1), expected);
        let head = journal.head();
        drop(journal);
        let (journal, found) = Journal::open(dir, options).unwrap();
        prop_assert_eq!((journal.head(), found.cut), (head, None));
    }

    /// One changed bit anywhere is found, or lies in the last group, which is cut: never a wrong line.
    #[test]
    fn a_flipped_bit_never_passes(
        groups in groups(),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let (mut journal, _) = Journal::open(dir, Options::default()).unwrap();
        let mut before_last = 0;
        for group in &groups {
            let texts: Vec<_> = group.iter().map(String::as_str).collect();
            before_last = append(&mut journal, &texts).unwrap().first - 1;
        }
        let head = journal.head();
        drop(journal);
        let path = segment(dir, 1);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(report) = verify(dir, None, &mut |_| {}) {
            prop_assert!(report.torn.is_some());
            prop_assert_eq!(report.head.seq, before_last);
            prop_assert_ne!(report.head, head);
        }
        if let Ok((journal, found)) = Journal::open(dir, Options::default()) {
            prop_assert_eq!((journal.head().seq, found.cut.is_some()), (before_last, true));
        }
    }
}
