use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{StoreError, guard, io_error};
use crate::key;
use crate::rebuild::finish_swap;
use crate::redo;
use crate::value::decode_number;

/// Number of the layout of keys and values. A store with another number is rebuilt; there are no
/// migrations. Also to be raised when records or index entries change their meaning.
const SCHEMA: u64 = 14;
/// Size of sled's log segments and write buffers, eight times sled's own default, against a deadlock
/// of sled's: a writer that needs a new segment holds a lock and waits for a truncation of the file,
/// which was handed to a pool of 7 or 8 threads; if as many full buffers are being written out, each of
/// these threads waits for that lock. (The pool would grow, but its count of idle threads wraps below
/// zero.) With 512 KiB, overwriting a few hundred records fast stops for good within a second. With few,
/// large buffers, and a flush after every [`crate::layer::FLUSH_EVERY_BYTES`] of puts, no more than a
/// few are ever under way.
const SEGMENT_BYTES: usize = 4 << 20;
/// sled's threads may hold the file for a moment after the last handle is gone.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Stores that were moved aside and are kept for a look.
const BAD_STORES_MAX: usize = 3;

/// Settings of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// sled's page cache; the memory really used is about twice that. By default 64 MiB.
    pub cache_bytes: u64,
    /// sled writes out by itself this often. By default 500.
    pub flush_every_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, flush_every_ms: 500 }
    }
}

/// What opening found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// The last journal line in the store; 0 for an empty one.
    pub applied_seq: u64,
    /// Why the store is empty, if it is.
    pub emptied: Option<Emptied>,
    /// sled's snapshot files were damaged and moved aside; sled read its log instead.
    pub snapshots_moved: bool,
}

/// Why a store was opened empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Emptied {
    /// There was none.
    New,
    /// There was one, but sled found nothing in it that it could read.
    Lost,
    /// It was written by another version of this program, and was deleted.
    Schema {
        /// Its number; `None` when it never got one.
        found: Option<u64>,
    },
    /// It was being filled when the program or the machine stopped, and was deleted.
    Unfinished,
    /// It could not be read and was moved aside.
    Quarantined {
        /// Where to.
        moved_to: PathBuf,
        /// What sled said.
        reason: String,
    },
}

/// Opens sled with the cures for what it does not survive by itself (spacejam/sled #1533, #1527,
/// #1166): an abrupt stop leaves a `snap.*.generating` that it takes for its newest snapshot, and any
/// torn snapshot stops it, although it could do without. Never panics.
pub(crate) fn open(dir: &Path, options: &Options) -> Result<(sled::Db, Opened), StoreError> {
    finish_swap(dir)?;
    fs::create_dir_all(dir).map_err(io_error("create", dir))?;
    let mut opened = Opened::default();
    for snapshot in snapshots(dir)? {
        if snapshot.extension().is_some_and(|e| e == "generating") {
            fs::remove_file(&snapshot).map_err(io_error("remove", &snapshot))?;
        }
    }
    let existed = dir.join("db").exists();
    let mut result = open_checked(dir, options);
    if result.as_ref().is_err_and(StoreError::is_damage) && move_snapshots(dir)? {
        opened.snapshots_moved = true;
        result = open_checked(dir, options);
    }
    let found = match result {
        Err(StoreError::Damaged(reason)) => {
            opened.emptied = Some(quarantine(dir, reason)?);
            open_checked(dir, options)?
        }
        other => other?,
    };
    let Found { db, schema, applied_seq, is_unfinished } = found;
    if schema == Some(SCHEMA) && !is_unfinished {
        opened.applied_seq = applied_seq;
        return Ok((db, opened));
    }
    let is_empty = guard(|| Ok(db.is_empty()))?;
    let why = match (is_empty, existed) {
        (true, false) => Emptied::New,
        (true, true) => Emptied::Lost,
        (false, _) if is_unfinished => Emptied::Unfinished,
        (false, _) => Emptied::Schema { found: schema },
    };
    opened.emptied.get_or_insert(why);
    let db = if is_empty { db } else { start_over(db, dir, options)? };
    guard(|| {
        db.insert(key::SCHEMA, &SCHEMA.to_be_bytes())?;
        Ok(db.flush()?)
    })?;
    Ok((db, opened))
}

struct Found {
    db: sled::Db,
    schema: Option<u64>,
    applied_seq: u64,
    /// The mark of a fill stands in it.
    is_unfinished: bool,
}

/// Opens sled and reads what tells whether it can be used.
fn open_checked(dir: &Path, options: &Options) -> Result<Found, StoreError> {
    let started = Instant::now();
    loop {
        let result = guard(|| {
            let config = sled::Config::new()
                .path(dir)
                .segment_size(SEGMENT_BYTES)
                .cache_capacity(options.cache_bytes)
                .flush_every_ms(Some(options.flush_every_ms.max(1)));
            let db = config.open()?;
            redo::mend(&db)?;
            let number = |key| db.get(key)?.map(|value| decode_number(&value)).transpose();
            let (schema, applied_seq) = (number(key::SCHEMA)?, number(key::APPLIED)?);
            let is_unfinished = db.contains_key(key::BULK)?;
            Ok(Found { db, schema, applied_seq: applied_seq.unwrap_or(0), is_unfinished })
        });
        match result {
            Err(StoreError::Io { source, .. }) if is_lock(&source) => {
                if started.elapsed() > LOCK_WAIT {
                    return Err(StoreError::InUse(dir.into()));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(StoreError::Io { source, .. }) => return Err(io_error("open", dir)(source)),
            other => return other,
        }
    }
}

/// sled tells its lock only by its words.
fn is_lock(error: &io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

fn snapshots(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let path = entry.map_err(io_error("list", dir))?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"snap.")) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Renames the snapshots, one generation kept, so that sled does not see them; `false` when there are none.
fn move_snapshots(dir: &Path) -> Result<bool, StoreError> {
    let found = snapshots(dir)?;
    for snapshot in &found {
        let name = snapshot.file_name().unwrap_or_default().to_string_lossy();
        let moved = dir.join(format!("bad-{name}"));
        fs::rename(snapshot, &moved).map_err(io_error("move", snapshot))?;
    }
    if !found.is_empty() {
        tracing::warn!(dir = %dir.display(), "store snapshot was damaged; reading sled's log instead");
    }
    Ok(!found.is_empty())
}

fn quarantine(dir: &Path, reason: String) -> Result<Emptied, StoreError> {
    let mut bad = bad_stores(dir)?;
    let next = bad.last().map_or(1, |(n, _)| n + 1);
    while bad.len() >= BAD_STORES_MAX {
        let (_, oldest) = bad.remove(0);
        fs::remove_dir_all(&oldest).map_err(io_error("remove", &oldest))?;
    }
    let moved_to = beside(dir, &format!("bad-{next}"));
    fs::rename(dir, &moved_to).map_err(io_error("move", dir))?;
    fs::create_dir_all(dir).map_err(io_error("create", dir))?;
    tracing::error!(moved_to = %moved_to.display(), %reason, "store is damaged and will be rebuilt");
    Ok(Emptied::Quarantined { moved_to, reason })
}

/// The quarantined stores, oldest first.
fn bad_stores(dir: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let parent = parent(dir);
    let start = beside(dir, "bad-");
    let mut found = Vec::new();
    for entry in fs::read_dir(parent).map_err(io_error("list", parent))? {
        let path = entry.map_err(io_error("list", parent))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let start = start.file_name().unwrap_or_default().to_string_lossy();
        if let Some(n) = name.strip_prefix(&*start).and_then(|n| n.parse().ok()) {
            found.push((n, path));
        }
    }
    found.sort();
    Ok(found)
}

fn start_over(db: sled::Db, dir: &Path, options: &Options) -> Result<sled::Db, StoreError> {
    drop(db);
    tracing::warn!(dir = %dir.display(), "store has another layout or is unfinished, and will be rebuilt");
    fs::remove_dir_all(dir).map_err(io_error("remove", dir))?;
    fs::create_dir_all(dir).map_err(io_error("create", dir))?;
    Ok(open_checked(dir, options)?.db)
}

/// `store.suffix` for `store`.
pub(crate) fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    dir.with_file_name(name)
}

/// The folder that holds `dir`; of a bare name, the current one.
pub(crate) fn parent(dir: &Path) -> &Path {
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
