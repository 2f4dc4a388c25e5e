//! Figures of the journal alone: `cargo run -p tianyin-journal --example figures -- DIR [LINES]`
//! writes a journal of LINES (by default 1,000,000) into the new folder DIR, in groups of 64, and
//! measures opening, sealing and verifying it. Times are wall time and, as other work may be going on,
//! time on a processor, by which the rates are taken.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use tianyin_journal::{Journal, NewLine, Options, Reader, SecondCopy, verify};

const GROUP_LINES: u64 = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("which folder?")?;
    let lines = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let (dir, copy) = (Path::new(&dir).join("journal"), Path::new(&dir).join("copy"));
    std::fs::create_dir_all(&copy)?;

    let (mut journal, _) = Journal::open(&dir, Options::default())?;
    let (_, spent) = timed(|| fill(&mut journal, lines))?;
    let (head, bytes) = (journal.head(), size(&dir)?);
    drop(journal);
    println!("written: {lines} lines, {} MB, {}", bytes >> 20, rate(lines, bytes, spent));
    let open = || Journal::open(&dir, Options::default());
    let (_, spent) = timed(open)?;
    println!("open, no segment sealed: {spent}");
    let (_, spent) = timed(|| verify(&dir, None, &mut |_| {}))?;
    println!("verify, plain: {}", rate(lines, bytes, spent));

    let (journal, _) = open()?;
    let (sealed, spent) = timed(|| {
        let (sealer, mut sealed) = (journal.sealer(), Vec::new());
        while let Some(segment) = sealer.seal_next(true, &mut |_| ControlFlow::Continue(()))? {
            sealed.push(segment);
        }
        Ok::<_, tianyin_journal::JournalError>(sealed)
    })?;
    drop(journal);
    let plain: u64 = sealed.iter().map(|s| s.plain_bytes).sum();
    let gz: u64 = sealed.iter().filter_map(|s| s.gz_bytes).sum();
    let ratio = plain as f64 / gz as f64;
    let (mb, gz_mb) = (plain >> 20, gz >> 20);
    println!("sealed: {} segments, {mb} MB to {gz_mb} MB ({ratio:.1} : 1)", sealed.len());
    println!("sealing, with reading back: {}", rate(lines, plain, spent));
    let (_, spent) = timed(open)?;
    println!("open, sealed: {spent}");
    let (report, spent) = timed(|| verify(&dir, None, &mut |_| {}))?;
    println!("verify, compressed: {}", rate(lines, bytes, spent));
    let (_, spent) = timed(|| Reader::new(&dir, lines / 3).read_up_to(lines))?;
    println!("first line read from the middle of a compressed segment: {spent}");
    let mut second = SecondCopy::new(&dir, &copy);
    let (_, spent) = timed(|| {
        while second.step(head.seq)? != head {}
        Ok::<_, tianyin_journal::JournalError>(())
    })?;
    println!("copied anew: {}", rate(lines, bytes, spent));
    if report.head != head {
        return Err("the head differs".into());
    }
    Ok(())
}

/// Lines like those of a recorded test: identifiers and digests that no two lines share.
fn fill(journal: &mut Journal, lines: u64) -> Result<(), Box<dyn Error>> {
    let actor = RawValue::from_string(r#"{"kind":"device","id":"json-ysh-01"}"#.into())?;
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    while journal.head().seq < lines {
        let size = GROUP_LINES.min(lines - journal.head().seq);
        let mut group = Vec::new();
        for _ in 0..size {
            let (a, b, c, d) = (next(), next(), next(), next());
            let json = format!(
                r#"[{{"type":"test_recorded","id":"t{a:016x}","lot":"lot{:04}","message":"m{b:016x}","measurement":{{"v":1,"msg_id":"{c:016x}","method":"enzyme_inhibition","item":{{"code":"pesticide_op_carb","name":"有机磷和氨基甲酸酯类农药"}},"value":{{"num":"{}.{}","unit":"%","kind":"inhibition_rate","op":"="}},"tested_at":"2026-03-01T08:{:02}:{:02}.{:03}Z"}},"verdict":"pass","digest":"{a:016x}{b:016x}{c:016x}{d:016x}"}}]"#,
                a % 500,
                b % 50,
                c % 10,
                a % 60,
                b % 60,
                c % 1000,
            );
            group.push(RawValue::from_string(json)?);
        }
        let time = "2026-03-01T08:00:00.000Z";
        let group: Vec<_> =
            group.iter().map(|events| NewLine { time, actor: &actor, events }).collect();
        journal.append_group(&group)?;
    }
    Ok(())
}

fn size(dir: &Path) -> Result<u64, std::io::Error> {
    std::fs::read_dir(dir)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

/// Time passed, and time on a processor.
#[derive(Clone, Copy)]
struct Spent {
    wall: Duration,
    busy: Duration,
}

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3} s ({:.3} s busy)", self.wall.as_secs_f64(), self.busy.as_secs_f64())
    }
}

fn busy() -> Duration {
    let told = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let ns = told.split(' ').next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.unwrap_or_default())
}

fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, Spent), E> {
    let (started, before) = (Instant::now(), busy());
    let done = work()?;
    Ok((done, Spent { wall: started.elapsed(), busy: busy().saturating_sub(before) }))
}

fn rate(lines: u64, bytes: u64, spent: Spent) -> String {
    let per_second = |count: u64| count as f64 / spent.busy.as_secs_f64();
    format!("{spent}, {:.0} lines/s, {:.0} MB/s", per_second(lines), per_second(bytes) / 1e6)
}
