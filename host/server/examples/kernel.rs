//! Measures durable commands: this kernel beside SQLite doing the same work in the same run.
//!
//! `kernel DEMO_DATA ROUNDS SECONDS` copies the demo's journal for each side and prints one JSON line
//! with the median of the rounds, which alternate:
//! - `ours`: [`Writer`] as the appliance uses it, journal and store;
//! - `sqlite_grouped`: the same decisions and the same records, index entries, counts and journal
//!   lines in SQLite (WAL, synchronous=FULL), grouped the same way, one transaction per group;
//! - `sqlite_single`: one transaction per command;
//! - `one_caller_us` against `bare_us`: one command after the other, and a bare write and fdatasync
//!   of as many bytes as its journal line has.
//!
//! SQLite is spared the hash chain.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, params};
use tianyin::app::clock::Clock;
use tianyin::app::replay::replay;
use tianyin::app::space::Space;
use tianyin::app::writer::{AHEAD_COMMANDS_MIN, Files, Writer, WriterStats};
use tianyin::config::Disk;
use tianyin::edge::{OsRandom, now};
use tianyin::meter::Histogram;
use tianyin_domain::apply::apply;
use tianyin_domain::command::Envelope;
use tianyin_domain::decide::decide;
use tianyin_domain::message::{MessageKind, Payload, ReceiveMessage};
use tianyin_domain::state::{Index, State, Table};
use tianyin_domain::{Actor, Command, Event, Overlay, Put, StateError};
use tianyin_journal::{Journal, Options as JournalOptions, Reader, ReservingDisk};
use tianyin_store::{Options as StoreOptions, Store};
use tokio::sync::oneshot;

/// As the appliance itself has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CALLERS: usize = 64;
const DEVICE: &str = "json-ysh-01";
const ONE_CALLER_COMMANDS: usize = 200;
/// As the writer's own.
const GROUP_COMMANDS_MAX: usize = 256;

type Submit = Arc<dyn Fn(Envelope) + Send + Sync>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [demo, rounds, seconds] = arguments.as_slice() else {
        panic!("usage: kernel DEMO_DATA ROUNDS SECONDS")
    };
    let rounds: usize = rounds.parse().expect("ROUNDS");
    let time = Duration::from_secs_f64(seconds.parse().expect("SECONDS"));
    let folder = tempfile::tempdir_in(Path::new(demo).parent().unwrap()).unwrap();
    let (ours, stats, line_bytes) = ours(Path::new(demo), folder.path());
    let grouped = sqlite(Path::new(demo), &folder.path().join("grouped.db"), GROUP_COMMANDS_MAX);
    let single = sqlite(Path::new(demo), &folder.path().join("single.db"), 1);
    let (mut a, mut b, mut c, mut d, mut e) = (vec![], vec![], vec![], vec![], vec![]);
    let mut alone = Vec::new();
    for _ in 0..rounds {
        a.push(rate(&ours, time));
        b.push(rate(&grouped, time));
        c.push(rate(&single, time));
        let before = Sums::of(&stats);
        let (one, bare) = one_caller(&ours, folder.path(), line_bytes());
        alone.push(Sums::of(&stats).since(&before));
        d.push(one);
        e.push(bare);
    }
    let ratio = |x: &[f64], y: &[f64]| median(x.iter().zip(y).map(|(x, y)| x / y).collect());
    println!(
        "{}",
        serde_json::json!({
            "ours_per_s": median(a.clone()), "sqlite_grouped_per_s": median(b.clone()),
            "sqlite_single_per_s": median(c.clone()), "one_caller_us": median(d.clone()),
            "bare_us": median(e.clone()), "line_bytes": line_bytes(),
            "to_sqlite_grouped": ratio(&a, &b), "to_sqlite_single": ratio(&a, &c),
            "one_caller_to_bare": ratio(&d, &e), "groups": Sums::of(&stats).means(),
            "one_caller_groups": alone.iter().map(Sums::means).collect::<Vec<_>>(),
        })
    );
}

/// What the writer has counted: groups, lines, and µs of deciding, syncing and committing.
struct Sums([f64; 5]);

impl Sums {
    fn of(stats: &WriterStats) -> Self {
        let [lines, decide, sync, commit] =
            [&stats.group_lines, &stats.decide_us, &stats.sync_us, &stats.commit_us]
                .map(Histogram::read);
        Self([lines.count, lines.sum, decide.sum, sync.sum, commit.sum].map(|n| n as f64))
    }

    fn since(&self, before: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - before.0[i]))
    }

    /// Means of a group.
    fn means(&self) -> serde_json::Value {
        let [groups, lines, decide, sync, commit] = self.0;
        let mean = |sum: f64| sum / groups.max(1.0);
        serde_json::json!({
            "lines": mean(lines), "decide_us": mean(decide),
            "sync_us": mean(sync), "commit_us": mean(commit),
        })
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A result message as devices send it, never the same twice.
fn command() -> Envelope {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let n = NUMBER.fetch_add(1, Ordering::Relaxed);
    let text = format!(
        r#"{{"v":1,"msg_id":"bench-{n}","device":{{"sn":"{DEVICE}","model":"SIM-JSON","vendor":"bench","fw":"1"}},"record_no":{n},"channel":1,"kind":"initial","sample":{{"no":"","name":"样品","batch_code":"L20261121-0001"}},"method":"enzyme_inhibition","item":{{"code":"pesticide_op_carb","name":"有机磷和氨基甲酸酯类农药"}},"value":{{"num":"16.54","unit":"%","kind":"inhibition_rate","op":"="}},"limit":{{"num":"50","unit":"%","basis":"GB/T 5009.199-2003"}},"device_verdict":"pass","tested_at":"2026-03-01T08:00:00.000Z"}}"#
    );
    let payload = Payload::Text(text);
    let receive = ReceiveMessage { device: DEVICE.into(), kind: MessageKind::Result, payload };
    Envelope {
        actor: Actor::Device { id: DEVICE.into() },
        command: Command::ReceiveMessage(receive),
        time: now(),
        idempotency_key: None,
        based_on: Vec::new(),
    }
}

/// Commands a second from all callers.
fn rate(submit: &Submit, time: Duration) -> f64 {
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (submit, stop) = (submit.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut done = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    submit(command());
                    done += 1;
                }
                done
            })
        })
        .collect();
    std::thread::sleep(time);
    stop.store(true, Ordering::Relaxed);
    let done: u64 = callers.into_iter().map(|c| c.join().unwrap()).sum();
    done as f64 / started.elapsed().as_secs_f64()
}

/// Medians in microseconds of one command, and of a bare write and fdatasync, in turns.
fn one_caller(submit: &Submit, folder: &Path, bytes: usize) -> (f64, f64) {
    let mut file = File::options().create(true).append(true).open(folder.join("bare")).unwrap();
    let line = vec![b'x'; bytes];
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ONE_CALLER_COMMANDS {
        let envelope = command();
        let started = Instant::now();
        submit(envelope);
        ours.push(started.elapsed().as_secs_f64() * 1e6);
        let started = Instant::now();
        file.write_all(&line).unwrap();
        file.sync_data().unwrap();
        bare.push(started.elapsed().as_secs_f64() * 1e6);
    }
    (median(ours), median(bare))
}

/// The kernel on a copy of the demo, and what tells the size of its last line.
fn ours(demo: &Path, folder: &Path) -> (Submit, Arc<WriterStats>, impl Fn() -> usize + use<>) {
    let dir = folder.join("journal");
    std::fs::create_dir_all(&dir).unwrap();
    for entry in std::fs::read_dir(demo.join("journal")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, dir.join(path.file_name().unwrap())).unwrap();
    }
    let (journal, _) =
        Journal::open_on(Box::new(ReservingDisk), &dir, JournalOptions::default()).unwrap();
    let (store, _) = Store::open(&folder.join("store"), &StoreOptions::default()).unwrap();
    let head = journal.head().seq;
    replay(&store, Reader::new(&dir, 1).lines_up_to(head), |_| {}).unwrap();
    let disk = Disk { ballast_mib: 0, free_min_mib: 0 };
    let files = Files {
        journal,
        journal_dir: dir.clone(),
        store,
        store_options: StoreOptions::default(),
        space: Arc::new(Space::new(folder, &disk)),
        clock: Arc::new(Clock::new(None, false)),
        ahead_commands_min: AHEAD_COMMANDS_MIN,
    };
    let (writer, _) = Writer::start(files).unwrap();
    let stats = writer.stats.clone();
    let submit = move |envelope| {
        writer.submit(envelope).unwrap().blocking_recv().unwrap().unwrap();
    };
    (Arc::new(submit), stats, move || last_line_bytes(&dir))
}

fn last_line_bytes(dir: &Path) -> usize {
    let mut segments: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    segments.sort();
    let text = std::fs::read(segments.last().unwrap()).unwrap();
    let mut lines = text.split(|b| *b == b'\n').rev();
    // After the last line break there is reserved space.
    lines.nth(1).unwrap().len() + 1
}

struct Job {
    envelope: Envelope,
    reply: oneshot::Sender<()>,
}

fn sqlite(demo: &Path, file: &Path, group_max: usize) -> Submit {
    let mut peer = Sqlite::open(file);
    peer.load(&demo.join("journal"));
    let (queue, jobs): (SyncSender<Job>, Receiver<Job>) = sync_channel(1024);
    std::thread::spawn(move || {
        while let Ok(first) = jobs.recv() {
            let mut group = vec![first];
            while group.len() < group_max
                && let Ok(job) = jobs.try_recv()
            {
                group.push(job);
            }
            peer.commit(group);
        }
    });
    Arc::new(move |envelope| {
        let (reply, answer) = oneshot::channel();
        queue.send(Job { envelope, reply }).ok().unwrap();
        answer.blocking_recv().unwrap();
    })
}

/// Records, index entries, counts, versions and lines in tables of SQLite.
struct Sqlite {
    db: Connection,
    seq: u64,
}

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE journal (seq INTEGER PRIMARY KEY, time TEXT, actor TEXT, events TEXT);
CREATE TABLE record (tab TEXT, id TEXT, value BLOB, area TEXT, owner TEXT, PRIMARY KEY (tab, id)) WITHOUT ROWID;
CREATE TABLE entry (idx TEXT, part TEXT, sort TEXT, id TEXT, area TEXT, owner TEXT,
                    PRIMARY KEY (idx, part, sort, id)) WITHOUT ROWID;
CREATE TABLE count (idx TEXT, part TEXT, n INTEGER, PRIMARY KEY (idx, part)) WITHOUT ROWID;
CREATE TABLE version (root TEXT PRIMARY KEY, seq INTEGER) WITHOUT ROWID;
";

impl Sqlite {
    fn open(file: &Path) -> Self {
        let db = Connection::open(file).unwrap();
        db.execute_batch(SCHEMA).unwrap();
        db.set_prepared_statement_cache_capacity(32);
        Self { db, seq: 0 }
    }

    /// The state that the demo's journal comes to.
    fn load(&mut self, dir: &Path) {
        let (journal, _) = Journal::open(dir, JournalOptions::default()).unwrap();
        let empty = tianyin_domain::state::EmptyState;
        let mut overlay = Overlay::new(&empty);
        for line in Reader::new(dir, 1).lines_up_to(journal.head().seq) {
            let line = line.unwrap();
            overlay.begin_line(line.seq);
            let events: Vec<Event> = serde_json::from_str(line.events.get()).unwrap();
            let time = line.time.parse().unwrap();
            events.iter().for_each(|event| apply(&mut overlay, event, time).unwrap());
            self.seq = line.seq;
        }
        let puts = overlay.into_puts();
        self.db.execute_batch("BEGIN").unwrap();
        self.put(puts);
        self.db.execute_batch("COMMIT").unwrap();
    }

    fn commit(&mut self, group: Vec<Job>) {
        let mut lines = Vec::new();
        let mut overlay = Overlay::new(self);
        for job in &group {
            let decision = decide(&overlay, &job.envelope, &mut OsRandom).unwrap();
            assert!(!decision.events.is_empty(), "every command of the bench writes");
            let seq = self.seq + lines.len() as u64 + 1;
            overlay.begin_line(seq);
            for event in &decision.events {
                apply(&mut overlay, event, job.envelope.time).unwrap();
            }
            let actor = serde_json::to_string(&job.envelope.actor).unwrap();
            let events = serde_json::to_string(&decision.events).unwrap();
            lines.push((seq, format!("{:.3}", job.envelope.time), actor, events));
        }
        let puts = overlay.into_puts();
        self.db.execute_batch("BEGIN IMMEDIATE").unwrap();
        let sql = "INSERT INTO journal VALUES (?, ?, ?, ?)";
        for (seq, time, actor, events) in &lines {
            let row = params![*seq as i64, time, actor, events];
            self.db.prepare_cached(sql).unwrap().execute(row).unwrap();
        }
        self.put(puts);
        self.db.execute_batch("COMMIT").unwrap();
        self.seq += lines.len() as u64;
        for job in group {
            let _ = job.reply.send(());
        }
    }

    /// Every record of the load is new, so no old index entries are looked for.
    fn put(&self, puts: Vec<Put>) {
        let sql = |text| self.db.prepare_cached(text).unwrap();
        for put in puts {
            match put {
                Put::Record { table, id, value, entries, area, owner, .. } => {
                    sql("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)")
                        .execute(params![table.0, id, &value[..], area, owner])
                        .unwrap();
                    for e in entries {
                        sql("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?)")
                            .execute(params![e.index.0, e.part, e.sort, id, area, owner])
                            .unwrap();
                        sql("INSERT INTO count VALUES (?, ?, 1)
                             ON CONFLICT (idx, part) DO UPDATE SET n = n + 1")
                        .execute(params![e.index.0, e.part])
                        .unwrap();
                    }
                }
                Put::Version { root, seq } => {
                    sql("INSERT OR REPLACE INTO version VALUES (?, ?)")
                        .execute(params![root, seq as i64])
                        .unwrap();
                }
            }
        }
    }
}

impl State for Sqlite {
    fn raw(&self, table: Table, id: &str) -> Result<Option<Arc<[u8]>>, StateError> {
        let sql = "SELECT value FROM record WHERE tab = ? AND id = ?";
        let mut statement = self.db.prepare_cached(sql).unwrap();
        let value = statement.query_row(params![table.0, id], |row| row.get::<_, Vec<u8>>(0));
        Ok(value.optional().unwrap().map(Arc::from))
    }

    fn ids(&self, index: Index, part: &str, limit: usize) -> Result<Vec<String>, StateError> {
        let sql = "SELECT id FROM entry WHERE idx = ? AND part = ? ORDER BY sort, id LIMIT ?";
        let mut statement = self.db.prepare_cached(sql).unwrap();
        let ids = statement.query_map(params![index.0, part, limit as i64], |row| row.get(0));
        Ok(ids.unwrap().map(Result::unwrap).collect())
    }

    fn version(&self, root: &str) -> Result<u64, StateError> {
        let sql = "SELECT seq FROM version WHERE root = ?";
        let mut statement = self.db.prepare_cached(sql).unwrap();
        let seq = statement.query_row(params![root], |row| row.get::<_, i64>(0)).optional();
        Ok(seq.unwrap().map_or(0, |n| n as u64))
    }
}
