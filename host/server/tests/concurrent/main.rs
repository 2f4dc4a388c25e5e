//! Random commands from several threads at once against the real writer, journal and store; then the
//! whole history is told again, one command after the other, to a model in memory.
//!
//! What must hold: every acknowledged command stands in the journal exactly where its answer says, and
//! nothing else does; each answer, refusals and repeats among them, is the one the model gives at that
//! place; versions only grow; the store holds what the model holds, and so does one built anew.
//!
//! A few seconds by default; `TIANYIN_TORTURE=1` runs many more seeds with more threads.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod commands;
mod failing;
mod model;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tianyin::app::AppError;
use tianyin::app::clock::Clock;
use tianyin::app::replay::fill;
use tianyin::app::space::Space;
use tianyin::app::writer::{Files, Writer};
use tianyin::config;
use tianyin_domain::id::{Random as _, SeededRandom};
use tianyin_domain::{DomainError, Envelope, Outcome, State};
use tianyin_journal::{Disk, FileDisk, Journal, Options as JournalOptions, Reader};
use tianyin_store::{Options as StoreOptions, Store};

use commands::{Farm, Pool};
use model::Model;

/// One command with its answer, and the lines that were committed before and after.
struct Told {
    envelope: Envelope,
    answer: Result<Outcome, DomainError>,
    before: u64,
    after: u64,
}

/// What happened over all seeds, so that a run of refusals alone would be noticed.
#[derive(Default)]
struct Seen {
    written: usize,
    repeated: usize,
    conflicts: usize,
    refused: usize,
}

struct World {
    writer: Writer,
    store: Store,
    told: Mutex<Vec<Told>>,
}

impl World {
    fn submit(&self, envelope: Envelope) -> Result<Outcome, DomainError> {
        let committed = self.writer.committed();
        let before = *committed.borrow();
        let answer = match self.writer.submit(envelope.clone()).unwrap().blocking_recv().unwrap() {
            Ok(outcome) => Ok(outcome),
            Err(AppError::Domain(error)) => Err(error),
            Err(other) => panic!("{other}"),
        };
        let after = *committed.borrow();
        self.told.lock().unwrap().push(Told { envelope, answer: answer.clone(), before, after });
        answer
    }
}

fn options() -> StoreOptions {
    StoreOptions { cache_bytes: 8 << 20, ..StoreOptions::default() }
}

fn open(dir: &Path) -> World {
    open_on(dir, Box::new(FileDisk))
}

fn open_on(dir: &Path, disk: Box<dyn Disk>) -> World {
    let folder = dir.join("journal");
    let (journal, _) = Journal::open_on(disk, &folder, JournalOptions::default()).unwrap();
    let (store, _) = Store::open(&dir.join("store"), &options()).unwrap();
    let disk = config::Disk { ballast_mib: 0, free_min_mib: 0 };
    let files = Files {
        journal,
        journal_dir: dir.join("journal"),
        store: store.clone(),
        store_options: options(),
        space: Arc::new(Space::new(dir, &disk)),
        clock: Arc::new(Clock::new(None, false)),
        ahead_commands_min: 1,
    };
    let (writer, _) = Writer::start(files).unwrap();
    World { writer, store, told: Mutex::default() }
}

#[test]
fn what_many_threads_did_is_what_one_would_have_done() {
    let torture = std::env::var_os("TIANYIN_TORTURE").is_some_and(|v| v == "1");
    let (seeds, threads, commands) = if torture { (150, 16, 120) } else { (8, 8, 50) };
    let mut seen = Seen::default();
    for seed in 0..seeds {
        let dir = tempfile::tempdir().unwrap();
        let told = run(dir.path(), seed, threads, commands);
        check(dir.path(), told, &mut seen, seed);
    }
    let Seen { written, repeated, conflicts, refused } = seen;
    println!("{written} written, {repeated} repeated, {conflicts} conflicts, {refused} refused");
    let enough = seeds as usize * threads * commands / 100;
    assert!(written > 20 * enough, "{written}");
    for (what, n) in [("repeated", repeated), ("conflicts", conflicts), ("refused", refused)] {
        assert!(n > enough, "{what}: {n}");
    }
}

/// Everything that was submitted, in no certain order.
fn run(dir: &Path, seed: u64, threads: usize, commands: usize) -> Vec<Told> {
    let world = open(dir);
    let farm = Farm::found(&mut |envelope| world.submit(envelope).unwrap().id);
    let pool = Pool::default();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (world, farm, pool) = (&world, &farm, &pool);
            scope.spawn(move || {
                let mut random = SeededRandom(seed * 1000 + thread as u64);
                for _ in 0..commands {
                    let state: &dyn State = &world.store;
                    let envelope = pool.next(farm, state, &mut random);
                    let answer = world.submit(envelope);
                    pool.learn(answer.as_ref().ok());
                }
            });
        }
    });
    world.told.into_inner().unwrap()
}

fn check(dir: &Path, told: Vec<Told>, seen: &mut Seen, seed: u64) {
    let (store, _) = open_when_closed(&dir.join("store"));
    let head = store.applied_seq();
    let mut written = BTreeMap::new();
    let mut pending = Vec::new();
    for one in told {
        match &one.answer {
            Ok(outcome) if outcome.written => {
                let seq = outcome.seq;
                assert!(written.insert(seq, one).is_none(), "seed {seed}: two answers for {seq}");
            }
            _ => pending.push(one),
        }
    }
    let acknowledged: Vec<u64> = written.keys().copied().collect();
    assert_eq!(acknowledged, (1..=head).collect::<Vec<_>>(), "seed {seed}: journal and answers");
    seen.written += written.len();

    let mut model = Model::default();
    settle(&mut pending, &model, 0, seen);
    let mut reader = Reader::new(&dir.join("journal"), 1).checking_hashes();
    for line in reader.lines_up_to(head) {
        let line = line.unwrap();
        let one = &written[&line.seq];
        assert!(one.before < line.seq && line.seq <= one.after, "seed {seed}: {}", line.seq);
        model.take(&one.envelope, one.answer.as_ref().unwrap(), &line);
        settle(&mut pending, &model, line.seq, seen);
    }
    let left: Vec<_> = pending.iter().map(|p| (&p.envelope, &p.answer)).collect();
    assert!(left.is_empty(), "seed {seed}: no place in the history explains {left:#?}");
    model.must_equal(&store);

    let (anew, _) = Store::open(&dir.join("anew"), &options()).unwrap();
    fill(&anew, Reader::new(&dir.join("journal"), 1), head, |_| {}).unwrap();
    model.must_equal(&anew);
}

/// Takes out what the model answers alike at this place of the history: what wrote nothing must have
/// been decided somewhere between its sending and its answer.
fn settle(pending: &mut Vec<Told>, model: &Model, seq: u64, seen: &mut Seen) {
    pending.retain(|one| {
        let within = one.before <= seq && seq <= one.after;
        if !within || !model.answers(&one.envelope, &one.answer, seq) {
            return true;
        }
        match &one.answer {
            Ok(_) => seen.repeated += 1,
            Err(DomainError::Conflict { .. }) => seen.conflicts += 1,
            Err(_) => seen.refused += 1,
        }
        false
    });
}

/// The writer's thread may hold the store for a moment after its last handle is gone.
fn open_when_closed(dir: &Path) -> (Store, tianyin_store::Opened) {
    for _ in 0..200 {
        if let Ok(opened) = Store::open(dir, &options()) {
            return opened;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Store::open(dir, &options()).unwrap()
}

/// A number below `n`.
fn below(random: &mut SeededRandom, n: usize) -> usize {
    let mut bytes = [0u8; 8];
    random.fill(&mut bytes);
    (u64::from_le_bytes(bytes) % n as u64) as usize
}
