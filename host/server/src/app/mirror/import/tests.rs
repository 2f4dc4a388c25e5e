//! Logs that are counted in memory.
#![allow(clippy::unwrap_used)]
use bytes::Bytes;
use tianyin_domain::code;
use tianyin_domain::id::SeededRandom;

use super::*;

/// Counts in memory, by the rules of the kernel.
#[derive(Default)]
struct Memory {
    place: Option<Place>,
    scans: HashMap<String, u64>,
    /// Of each count that has any.
    cities: Vec<Vec<(String, u64)>>,
    commands: usize,
}

impl Sink for Memory {
    type Error = LogFailed;

    fn area_of(&self, address: IpAddr) -> Option<String> {
        match address {
            IpAddr::V4(v4) => Some(format!("43{:02}", v4.octets()[3])),
            IpAddr::V6(_) => None,
        }
    }

    fn place(&mut self, _: &str) -> Result<Option<Place>, LogFailed> {
        Ok(self.place)
    }

    fn count(&mut self, import: ImportMirrorLog) -> Result<Counted, LogFailed> {
        assert!(import.after == self.place && Some(import.through) > self.place);
        assert!(import.counts.len() <= CODES_MAX);
        self.place = Some(import.through);
        self.commands += 1;
        let scans = import.counts.iter().map(|one| one.count).sum();
        for one in import.counts {
            let cities: Vec<_> = one.areas.into_iter().map(|one| (one.area, one.count)).collect();
            self.cities.extend((!cities.is_empty()).then_some(cities));
            *self.scans.entry(one.code).or_default() += one.count;
        }
        Ok(Counted { scans, other_codes: 0 })
    }
}

fn code(n: u64) -> String {
    code::draw(&mut SeededRandom(n))
}

fn line(second: u32, code: &str) -> String {
    format!(
        "::1 - - [20/Nov/2025:16:{:02}:{:02} +0800] \"GET /T/{code}/ HTTP/1.1\" 200 9 \"-\" \"x\"\n",
        second / 60,
        second % 60
    )
}

fn source(text: &str) -> Source {
    Source::Bytes("log".into(), Bytes::copy_from_slice(text.as_bytes()))
}

fn run(sink: &mut Memory, texts: &[&str]) -> Imported {
    let sources = texts.iter().map(|text| source(text)).collect();
    import(DEFAULT_NAME, sources, sink).unwrap()
}

#[test]
fn what_was_imported_counts_once() {
    let (mut sink, a) = (Memory::default(), code(1));
    // Lines of one second, of which the log has only the first two yet.
    let first = [line(1, &a), line(5, &a), line(5, &a)].concat();
    assert_eq!(run(&mut sink, &[&first]).scans, 3);
    let again = run(&mut sink, &[&first]);
    assert_eq!((again.scans, again.known, again.lines), (0, 3, 3));
    let grown = [first.as_str(), &line(5, &a), &line(9, &a)].concat();
    let grown = run(&mut sink, &[&grown]);
    assert_eq!((grown.scans, grown.known), (2, 3));
    assert_eq!(sink.scans[&a], 5);
    assert_eq!(sink.commands, 2, "nothing new, nothing written");
}

#[test]
fn parts_come_in_any_order_and_twice() {
    let (mut sink, a) = (Memory::default(), code(1));
    let (old, new) = ([line(1, &a), line(2, &a)].concat(), line(30, &a));
    let told = run(&mut sink, &[&new, &old, &new]);
    assert_eq!((told.scans, told.known, sink.scans[&a]), (3, 1, 3));
}

#[test]
fn lines_out_of_order_count_while_they_are_new() {
    let (mut sink, a) = (Memory::default(), code(1));
    let log = [line(7, &a), line(5, &a), line(7, &a), line(6, &a)].concat();
    assert_eq!(run(&mut sink, &[&log]).scans, 4);
    assert_eq!(run(&mut sink, &[&log]).scans, 0);
    assert_eq!(sink.place.unwrap().lines, 2);
}

#[test]
fn many_codes_come_in_pieces() {
    let mut sink = Memory::default();
    let log: String = (0..2_500).map(|n| line(n, &code(u64::from(n)))).collect();
    assert_eq!(run(&mut sink, &[&log]).scans, 2_500);
    assert_eq!((sink.commands, sink.scans.len()), (3, 2_500));
    assert_eq!(run(&mut sink, &[&log]).known, 2_500);
    // A late line right after a piece.
    let mut sink = Memory::default();
    let piece: String = (0..1_000).map(|n| line(n, &code(u64::from(n)))).collect();
    assert_eq!(run(&mut sink, &[&[piece, line(5, &code(5))].concat()]).scans, 1_001);
    assert_eq!((sink.commands, sink.scans[&code(5)]), (2, 2));
}

#[test]
fn cities_are_counted_and_days_apart() {
    let (mut sink, a) = (Memory::default(), code(1));
    let by = |second: u32, last: u8| line(second, &a).replacen("::1", &format!("9.9.9.{last}"), 1);
    let night = by(3, 1).replace("20/Nov", "21/Nov");
    let log = [by(1, 1), by(1, 2), line(2, &a), by(2, 1), night, by(4, 3)].concat();
    assert_eq!(run(&mut sink, &[&log]).scans, 6);
    let city = |name: &str, count: u64| (name.to_owned(), count);
    // The line of the day before that comes late is counted with those of the day.
    let days = [vec![city("4301", 2), city("4302", 1)], vec![city("4301", 1), city("4303", 1)]];
    assert_eq!((sink.cities.as_slice(), sink.commands), (days.as_slice(), 2));
    assert_eq!(run(&mut sink, &[&log]).known, 6);
}

#[test]
fn bad_lines_are_numbered_and_the_rest_counts() {
    let (mut sink, a) = (Memory::default(), code(1));
    let future = line(1, &a).replace("2025", "2999");
    let log = [line(1, &a), "\n".into(), "half".to_owned() + "\n", future, line(2, &a)].concat();
    let told = run(&mut sink, &[&log]);
    assert_eq!((told.scans, told.lines, told.bad), (2, 5, 2));
    let bad: Vec<_> = told.bad_lines.iter().map(|bad| (bad.line, bad.why)).collect();
    assert_eq!(bad, [(3, BadLine::Form), (4, BadLine::Future)]);
    let noise = "noise\n".repeat(BAD_TOLD_MAX + 5);
    let told = run(&mut sink, &[&noise]);
    assert_eq!((told.bad, told.bad_lines.len()), (BAD_TOLD_MAX as u64 + 5, BAD_TOLD_MAX));
}

#[test]
fn a_file_that_is_not_there_is_told_by_name() {
    let missing = Source::File("/no/such/log".into());
    let failed = import(DEFAULT_NAME, vec![missing], &mut Memory::default()).unwrap_err();
    assert!(failed.to_string().contains("/no/such/log"), "{failed}");
}
