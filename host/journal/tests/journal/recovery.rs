use std::path::Path;

use tianyin_journal::{Journal, verify};

use crate::{append, damage, offset_of_line, open, read_all, segment, segments, small};

/// Lines 1 to 7 in the groups [1, 2], [3], [4, 5, 6], [7], in one segment.
fn fill(dir: &Path) -> Vec<u8> {
    let (mut journal, _) = open(dir);
    for group in [&["1", "2"][..], &["3"], &["4", "5", "6"], &["7"]] {
        append(&mut journal, group).unwrap();
    }
    std::fs::read(segment(dir, 1)).unwrap()
}

type Change = fn(&mut Vec<u8>);

fn line_at(bytes: &[u8], line: usize) -> std::ops::Range<usize> {
    offset_of_line(bytes, line)..offset_of_line(bytes, line + 1)
}

/// (name, what happens to the file, lines left, cut expected)
const TORN: &[(&str, Change, u64, bool)] = &[
    ("untouched", |_| {}, 7, false),
    ("empty file", Vec::clear, 0, false),
    ("line break missing", |b| b.truncate(b.len() - 1), 7, false),
    ("last byte but one missing", |b| b.truncate(b.len() - 2), 6, true),
    ("last line gone, a whole group", |b| b.truncate(offset_of_line(b, 7)), 6, false),
    ("torn between two lines of a group", |b| b.truncate(offset_of_line(b, 6)), 3, true),
    ("torn in the middle of a group", |b| b.truncate(offset_of_line(b, 6) - 20), 3, true),
    ("zeros behind, as reserved space", |b| b.extend([0; 5000]), 7, false),
    ("zeros behind and something after them", |b| b.extend([[0; 500], [7; 500]].concat()), 7, true),
    (
        "the last line is zeros: a write into reserved space that never came",
        |b| {
            let r = line_at(b, 7);
            b[r].fill(0)
        },
        6,
        false,
    ),
    ("not UTF-8 behind", |b| b.extend([0xff, 0xfe, b'\n', 0x80]), 7, true),
    ("empty line behind", |b| b.push(b'\n'), 7, true),
    (
        "half a line behind",
        |b| {
            let r = line_at(b, 1);
            let half = b[r][..50].to_vec();
            b.extend(half)
        },
        7,
        true,
    ),
    (
        "last line has a wrong byte",
        |b| {
            let at = offset_of_line(b, 7) + 70;
            b[at] ^= 1
        },
        6,
        true,
    ),
    (
        "last group: first line lost, later ones there",
        |b| {
            b.truncate(offset_of_line(b, 7));
            let lost = line_at(b, 4);
            b[lost].fill(0);
        },
        3,
        true,
    ),
    (
        "last group: middle line changed",
        |b| {
            b.truncate(offset_of_line(b, 7));
            let at = offset_of_line(b, 5) + 90;
            b[at] ^= 4;
        },
        3,
        true,
    ),
];

#[test]
fn torn_tails_are_cut_and_kept() {
    for (name, change, left, is_cut) in TORN {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = fill(dir.path());
        change(&mut bytes);
        let path = segment(dir.path(), 1);
        std::fs::write(&path, &bytes).unwrap();
        let report = verify(dir.path(), None, &mut |_| {}).unwrap();
        assert_eq!((report.torn.is_some(), report.head.seq), (*is_cut, *left), "{name}");

        let (mut journal, found) = open(dir.path());
        assert_eq!(journal.head().seq, *left, "{name}");
        assert_eq!(found.cut.is_some(), *is_cut, "{name}: {found:?}");
        assert_eq!(found.newline_added, *name == "line break missing");
        if let Some(cut) = found.cut {
            let mut whole = std::fs::read(&path).unwrap();
            assert_eq!((cut.offset, cut.first_seq), (whole.len() as u64, left + 1), "{name}");
            let kept = std::fs::read(&cut.kept_in).unwrap();
            assert_eq!(cut.bytes, kept.len() as u64);
            whole.extend(kept);
            assert_eq!(whole, bytes, "{name}: a byte was lost");
            assert!(!cut.reason.is_empty());
        }
        append(&mut journal, &["more"]).unwrap();
        let expected: Vec<_> =
            (1..=*left).map(|n| n.to_string()).chain(["more".to_owned()]).collect();
        assert_eq!(read_all(dir.path(), left + 1), expected, "{name}");
        drop(journal);
        assert_eq!(open(dir.path()).1.cut, None, "{name}: cut twice");
    }
}

#[test]
fn a_second_cut_is_kept_beside_the_first() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    for n in 1..=2 {
        let path = segment(dir.path(), 1);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(format!("garbage {n}").bytes());
        std::fs::write(&path, bytes).unwrap();
        let cut = open(dir.path()).1.cut.unwrap();
        assert_eq!(cut.kept_in, dir.path().join(format!("0000000000000001.jsonl.cut-{n}")));
        assert_eq!(std::fs::read_to_string(cut.kept_in).unwrap(), format!("garbage {n}"));
    }
}

/// (name, change, line named)
const DAMAGED: &[(&str, Change, u64)] = &[
    (
        "a bit in line 2",
        |b| {
            let at = offset_of_line(b, 2) + 80;
            b[at] ^= 1
        },
        2,
    ),
    ("a bit in the first byte", |b| b[0] ^= 1, 1),
    (
        "line 3 zeroed",
        |b| {
            let r = line_at(b, 3);
            b[r].fill(0)
        },
        3,
    ),
    (
        "line 3 removed",
        |b| {
            let r = line_at(b, 3);
            b.drain(r);
        },
        3,
    ),
    (
        "line 3 twice",
        |b| {
            let l = b[line_at(b, 3)].to_vec();
            let at = offset_of_line(b, 4);
            b.splice(at..at, l);
        },
        4,
    ),
    (
        "line 5 of a group removed",
        |b| {
            let r = line_at(b, 5);
            b.drain(r);
        },
        5,
    ),
    (
        "lines 4 to 6 changed, 7 whole",
        |b| {
            let r = offset_of_line(b, 4)..offset_of_line(b, 7);
            b[r].fill(b'x')
        },
        4,
    ),
    (
        "the line break after 6 lost",
        |b| {
            let at = offset_of_line(b, 7) - 1;
            b[at] = b' '
        },
        6,
    ),
    (
        "CR LF",
        |b| {
            let at = offset_of_line(b, 3) - 1;
            b.insert(at, b'\r')
        },
        2,
    ),
];

#[test]
fn damage_before_the_tail_stops_and_changes_nothing() {
    for (name, change, line) in DAMAGED {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = fill(dir.path());
        let before = bytes.clone();
        change(&mut bytes);
        assert_ne!(before, bytes);
        std::fs::write(segment(dir.path(), 1), &bytes).unwrap();
        let files = std::fs::read_dir(dir.path()).unwrap().count();
        for damage in [
            damage(Journal::open(dir.path(), small())),
            damage(verify(dir.path(), None, &mut |_| {})),
            damage(verify(dir.path(), Some(7), &mut |_| {})),
        ] {
            assert_eq!(damage.line, *line, "{name}: {damage}");
            assert_eq!(damage.offset, offset_of_line(&bytes, *line as usize) as u64, "{name}");
            assert_eq!(damage.segment, segment(dir.path(), 1));
        }
        assert_eq!(std::fs::read(segment(dir.path(), 1)).unwrap(), bytes, "{name}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), files);
    }
}

/// A program that is older than the journal must not take the newer lines for garbage.
#[test]
fn a_newer_format_is_never_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = fill(dir.path());
    // Hash computed with Python's hashlib.
    let newer = concat!(
        r#"{"v":2,"seq":8,"new":true,"prev":"0000000000000000000000000000000000000000000000000000000000000000","#,
        r#""hash":"ffcd49249b5d2ab693982a5fd6e35853a296046c8d465228a863aeb7b9749912"}"#,
        "\n"
    );
    bytes.extend(newer.bytes());
    std::fs::write(segment(dir.path(), 1), &bytes).unwrap();
    let damage = damage(Journal::open(dir.path(), small()));
    assert!(damage.reason.contains("version 2"), "{damage}");
    assert_eq!(std::fs::read(segment(dir.path(), 1)).unwrap(), bytes);
}

fn fill_segments(dir: &Path) -> u64 {
    let (mut journal, _) = open(dir);
    for n in 0..30 {
        append(&mut journal, &[&n.to_string()]).unwrap();
    }
    assert!(segments(dir).len() >= 3);
    journal.head().seq
}

#[test]
fn damage_of_earlier_segments() {
    type Spoil = fn(&Path);
    let spoil: &[(&str, Spoil)] = &[
        ("first segment lost", |dir| std::fs::remove_file(&segments(dir)[0]).unwrap()),
        ("middle segment lost", |dir| std::fs::remove_file(&segments(dir)[1]).unwrap()),
        ("middle segment cut short by a line", |dir| {
            let path = &segments(dir)[1];
            let bytes = std::fs::read(path).unwrap();
            let lines = bytes.split_inclusive(|c| *c == b'\n').count();
            std::fs::write(path, &bytes[..offset_of_line(&bytes, lines)]).unwrap();
        }),
        ("middle segment cut inside a line", |dir| {
            let path = &segments(dir)[1];
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() - 9]).unwrap();
        }),
        ("middle segment emptied", |dir| std::fs::write(&segments(dir)[1], "").unwrap()),
        ("first line of the middle segment changed", |dir| {
            let path = &segments(dir)[1];
            let mut bytes = std::fs::read(path).unwrap();
            bytes[80] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }),
        ("segment of another journal", |dir| {
            let other = tempfile::tempdir().unwrap();
            let (mut journal, _) = open(other.path());
            for n in 0..30 {
                append(&mut journal, &[&(99 - n).to_string()]).unwrap();
            }
            let path = &segments(dir)[1];
            std::fs::copy(other.path().join(path.file_name().unwrap()), path).unwrap();
        }),
    ];
    for (name, spoil) in spoil {
        let dir = tempfile::tempdir().unwrap();
        fill_segments(dir.path());
        spoil(dir.path());
        eprintln!("{name}: {}", damage(Journal::open(dir.path(), small())));
        damage(verify(dir.path(), None, &mut |_| {}));
    }
}

/// Only a full verification reads the middle of a sealed segment.
#[test]
fn damage_inside_a_sealed_segment_is_found_by_verify() {
    let dir = tempfile::tempdir().unwrap();
    fill_segments(dir.path());
    let path = &segments(dir.path())[1];
    let mut bytes = std::fs::read(path).unwrap();
    let at = offset_of_line(&bytes, 3) + 80;
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
    open(dir.path());
    let damage = damage(verify(dir.path(), None, &mut |_| {}));
    assert_eq!((damage.line, &damage.segment), (3, path));
}

#[test]
fn a_new_segment_that_got_no_line_is_used() {
    for (garbage, is_cut) in [(&b""[..], false), (b"\0\0\0\0", false), (b"{\"v\":1,\"seq\"", true)]
    {
        let dir = tempfile::tempdir().unwrap();
        let head = fill_segments(dir.path());
        let path = segment(dir.path(), head + 1);
        std::fs::write(&path, garbage).unwrap();
        let (mut journal, found) = open(dir.path());
        assert_eq!((journal.head().seq, found.cut.is_some()), (head, is_cut));
        append(&mut journal, &["next"]).unwrap();
        assert!(path.metadata().unwrap().len() > 0);
        assert_eq!(read_all(dir.path(), head + 1).last().unwrap(), "next");
        assert_eq!(verify(dir.path(), None, &mut |_| {}).unwrap().head, journal.head());
    }
}

#[test]
fn verify_up_to_the_acknowledged_line_ignores_an_unfinished_write() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = fill(dir.path());
    bytes.extend(b"{\"v\":1,");
    std::fs::write(segment(dir.path(), 1), &bytes).unwrap();
    let report = verify(dir.path(), Some(7), &mut |_| {}).unwrap();
    assert_eq!((report.head.seq, report.groups, report.torn), (7, 4, None));
    damage(verify(dir.path(), Some(8), &mut |_| {}));
}
