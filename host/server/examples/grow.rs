//! Makes a data folder large, for measurements: repeats the first thing that ran through the whole
//! main job (message, test, certificate, print) with new ids, line by line, as if it had happened so
//! often. `grow DATA EVENTS` appends to the journal until it holds that many events, and prints the
//! codes of up to 10,000 of the certificates. The store follows at the next start.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use serde_json::value::RawValue;
use tianyin::edge::OsRandom;
use tianyin_journal::{Journal, Line, NewLine, Options, Reader};

const GROUP_LINES: usize = 256;
const CODES_MAX: usize = 10_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, events] = arguments.as_slice() else { panic!("usage: grow DATA EVENTS") };
    let dir = Path::new(data).join("journal");
    let events: u64 = events.parse().expect("a number of events");
    let (mut journal, _) = Journal::open(&dir, Options::default()).unwrap();
    let head = journal.head().seq;
    let lines: Vec<Line> =
        Reader::new(&dir, 1).lines_up_to(head).collect::<Result<_, _>>().unwrap();
    let mut count: u64 = lines.iter().map(|l| values(l).len() as u64).sum();
    let cycle = Cycle::of(&lines);
    let mut codes = Vec::new();
    let mut round = 0;
    while count < events {
        let mut group = Vec::with_capacity(GROUP_LINES);
        while group.len() + cycle.lines.len() <= GROUP_LINES && count < events {
            round += 1;
            let tokens = cycle.tokens(round);
            if codes.len() < CODES_MAX {
                codes.push(tokens[cycle.code].clone());
            }
            group.extend(cycle.lines.iter().map(|template| template.fill(&tokens)));
            count += cycle.events;
        }
        let lines: Vec<NewLine<'_>> =
            group.iter().map(|(time, actor, events)| NewLine { time, actor, events }).collect();
        journal.append_group(&lines).unwrap();
    }
    println!(
        "{}",
        serde_json::json!({ "events": count, "lines": journal.head().seq, "codes": codes })
    );
}

fn values(line: &Line) -> Vec<Value> {
    serde_json::from_str(line.events.get()).unwrap()
}

/// A line with holes where ids stand.
struct Template<'a> {
    line: &'a Line,
    /// Text, then the number of the token that follows it.
    pieces: Vec<(String, usize)>,
    rest: String,
}

impl<'a> Template<'a> {
    fn of(line: &'a Line, tokens: &[String]) -> Self {
        let mut rest = line.events.get();
        let mut pieces = Vec::new();
        while let Some((at, token)) = tokens
            .iter()
            .enumerate()
            .filter_map(|(n, token)| rest.find(token.as_str()).map(|at| (at, n)))
            .min()
        {
            pieces.push((rest[..at].to_owned(), token));
            rest = &rest[at + tokens[token].len()..];
        }
        Self { line, pieces, rest: rest.to_owned() }
    }

    fn fill(&self, tokens: &[String]) -> (&'a str, &'a RawValue, Box<RawValue>) {
        let mut text = String::with_capacity(self.line.events.get().len());
        for (before, token) in &self.pieces {
            text.push_str(before);
            text.push_str(&tokens[*token]);
        }
        text.push_str(&self.rest);
        (&self.line.time, &self.line.actor, RawValue::from_string(text).unwrap())
    }
}

/// What is repeated.
struct Cycle<'a> {
    lines: Vec<Template<'a>>,
    events: u64,
    /// What stands in the journal now, with the kind of each.
    old: Vec<(String, Kind)>,
    /// Which of them is the certificate's code.
    code: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Code,
    Id,
    Digest,
    Number,
}

impl<'a> Cycle<'a> {
    /// From the first message that came to a certificate to its label, and the opening of its lot.
    fn of(lines: &'a [Line]) -> Self {
        let is = |line: &Line, kind: &str| values(line).iter().any(|event| !event[kind].is_null());
        let first = |from: usize, kind: &str| {
            lines[from..].iter().position(|line| is(line, kind)).map(|at| from + at)
        };
        let received = first(0, "message.received").expect("a message");
        let issued = first(received, "certificate.issued").expect("a certificate");
        let begin = lines[..issued].iter().rposition(|l| is(l, "message.received")).unwrap();
        let end = first(issued, "print_job.ended").expect("a printed label");
        let field = |path: &str| -> String {
            let found = lines[begin..=end]
                .iter()
                .flat_map(values)
                .find_map(|event| event.pointer(path).and_then(Value::as_str).map(str::to_owned));
            found.unwrap_or_else(|| panic!("{path} is missing"))
        };
        let lot = field("/certificate.issued/lot");
        let opened = lines
            .iter()
            .position(|l| values(l).iter().any(|e| e["lot.opened"]["id"] == lot.as_str()))
            .expect("the lot's opening");
        let old: BTreeMap<String, Kind> = [
            (field("/certificate.issued/content/code"), Kind::Code),
            (field("/message.received/id"), Kind::Id),
            (field("/test.recorded/id"), Kind::Id),
            (field("/print_job.queued/id"), Kind::Id),
            (lot, Kind::Id),
            (field("/message.received/sha256"), Kind::Digest),
            (field("/certificate.issued/content/lot_no"), Kind::Number),
            (field("/test.recorded/measurement/msg_id"), Kind::Number),
        ]
        .into();
        let old: Vec<(String, Kind)> = old.into_iter().collect();
        let tokens: Vec<String> = old.iter().map(|(text, _)| text.clone()).collect();
        let chosen: Vec<&Line> =
            std::iter::once(&lines[opened]).chain(&lines[begin..=end]).collect();
        let events = chosen.iter().map(|line| values(line).len() as u64).sum();
        let lines = chosen.into_iter().map(|line| Template::of(line, &tokens)).collect();
        let code = old.iter().position(|(_, kind)| *kind == Kind::Code).unwrap();
        Self { lines, events, old, code }
    }

    fn tokens(&self, round: u64) -> Vec<String> {
        let fresh = |(text, kind): &(String, Kind)| match kind {
            Kind::Code => tianyin_domain::code::draw(&mut OsRandom),
            // Ids sort by time: the last digits of the time part are counted up.
            Kind::Id => {
                format!("{}{round:08}{}", &text[..text.len() - 20], &text[text.len() - 12..])
            }
            Kind::Digest => tianyin::edge::sha256_hex(&round.to_be_bytes()),
            Kind::Number => format!("{text}-{round}"),
        };
        self.old.iter().map(fresh).collect()
    }
}
