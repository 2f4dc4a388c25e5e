//! sled with what was committed last in memory before it.
//!
//! A commit to sled costs some ten microseconds a key. So commits go into a sorted map first, and a
//! thread of its own takes all of it to sled, ten times a second or when there is enough of it: keys
//! that change with every commit, such as counts, are then written once. Until all of it is there
//! readers have it from the map, and a crash has it from the note in [`crate::redo`] or loses all of
//! it: sled is as it was after some earlier commit, and the journal is replayed from there.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds as _};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock, RwLockReadGuard};
use sled::IVec;

use crate::change::{Change, size_of};
use crate::error::{StoreError, guard, io_error};
use crate::filling::Filling;
use crate::redo::Redo;

/// Longest time a commit stays in memory.
const DRAIN_EVERY: Duration = Duration::from_millis(100);
/// With so many bytes in memory the thread begins at once.
const DRAIN_BYTES: usize = 256 << 10;
/// With so many a commit waits. One more commit, and it is the size of a batch for sled.
const BYTES_MAX: usize = 1 << 20;
/// sled flushes after so many bytes of keys and values; what it makes of them is several times that.
pub(crate) const FLUSH_EVERY_BYTES: usize = 1 << 20;

/// The tree of a store; a clone is the same tree.
#[derive(Clone)]
pub(crate) struct Tree(Arc<Shared>);

struct Shared {
    sled: sled::Tree,
    db: sled::Db,
    recent: RwLock<Recent>,
    /// Whoever reads a list holds it: what has just reached sled must not leave the memory while the
    /// list has passed its place in sled already.
    lists: RwLock<()>,
    drain: Mutex<Drain>,
    thread: Mutex<Thread>,
    bell: Condvar,
}

#[derive(Default)]
struct Recent {
    map: BTreeMap<IVec, Pending>,
    bytes: usize,
    commits: u64,
}

#[derive(Clone)]
struct Pending {
    value: Option<IVec>,
    /// The commit it comes from.
    commit: u64,
}

#[derive(Default)]
struct Thread {
    ended: bool,
    /// There is something to take to sled.
    work: bool,
    /// There is enough of it not to wait.
    hurry: bool,
    /// sled did not take it.
    failed: bool,
}

/// What whoever drains needs, one at a time.
struct Drain {
    redo: Redo,
    /// Bytes handed to sled since the last flush.
    unflushed_bytes: usize,
}

/// The thread that takes commits to sled. Dropping it waits for the last of them.
pub(crate) struct Drainer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Tree {
    pub(crate) fn new(db: sled::Db) -> Result<(Self, Drainer), StoreError> {
        let shared = Arc::new(Shared {
            // Without the Db around it that would also reach the other trees.
            sled: sled::Tree::clone(&db),
            drain: Mutex::new(Drain { redo: Redo::open(&db)?, unflushed_bytes: 0 }),
            db,
            recent: RwLock::default(),
            lists: RwLock::default(),
            thread: Mutex::default(),
            bell: Condvar::new(),
        });
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new().name("store".into());
        let thread = thread.spawn(move || of_thread.run()).map_err(io_error("start", "store"))?;
        let drainer = Drainer { shared: shared.clone(), thread: Some(thread) };
        Ok((Self(shared), drainer))
    }

    /// What is in sled, for whoever knows that nothing is in memory or does not need it.
    pub(crate) fn sled(&self) -> &sled::Tree {
        &self.0.sled
    }

    pub(crate) fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<IVec>, StoreError> {
        if let Some(pending) = self.0.recent.read().map.get(key.as_ref()) {
            return Ok(pending.value.clone());
        }
        Ok(self.0.sled.get(key)?)
    }

    /// Keys and values from `low` up to, but not, `high`; or from the last of these down.
    pub(crate) fn range(&self, low: &[u8], high: &[u8], backwards: bool) -> Range<'_> {
        let lists = self.0.lists.read();
        let in_sled = self.0.sled.range(low..high);
        Range {
            shared: &self.0,
            _lists: lists,
            in_sled: if backwards { Box::new(in_sled.rev()) } else { Box::new(in_sled) },
            next_in_sled: None,
            rest: (low <= high)
                .then(|| (Bound::Included(low.into()), Bound::Excluded(high.into()))),
            backwards,
        }
    }

    /// Makes all changes at once, for readers and for a crash. After an error none is made.
    pub(crate) fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let (full, failed) = (self.0.recent.read().bytes >= BYTES_MAX, self.0.thread.lock().failed);
        if full || failed {
            self.drain()?;
        }
        let mut recent = self.0.recent.write();
        recent.commits += 1;
        let commit = recent.commits;
        for (key, value) in changes {
            recent.bytes += size_of(&key, value.as_deref());
            recent.map.insert(key, Pending { value, commit });
        }
        let hurry = recent.bytes >= DRAIN_BYTES;
        drop(recent);
        let mut thread = self.0.thread.lock();
        let wake = !thread.work || (hurry && !thread.hurry);
        (thread.work, thread.hurry) = (true, hurry);
        if wake {
            self.0.bell.notify_one();
        }
        Ok(())
    }

    /// Takes what is in memory to sled.
    pub(crate) fn drain(&self) -> Result<(), StoreError> {
        self.0.drain()
    }

    /// Takes what is in memory to sled, and what sled has to the disk.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.drain()?;
        guard(|| Ok(self.0.db.flush().map(drop)?))
    }

    pub(crate) fn disk_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.0.db.size_on_disk()?)
    }

    /// Whether it can be read, and written as far as is known.
    pub(crate) fn probe(&self, key: &[u8]) -> Result<(), StoreError> {
        if self.0.thread.lock().failed {
            self.drain()?;
        }
        Ok(self.0.sled.get(key).map(drop)?)
    }
}

impl Shared {
    fn run(&self) {
        loop {
            let mut thread = self.thread.lock();
            while !thread.ended && (!thread.work || thread.failed) {
                self.bell.wait(&mut thread);
            }
            if !thread.ended && !thread.hurry {
                self.bell.wait_for(&mut thread, DRAIN_EVERY);
            }
            let ended = thread.ended;
            (thread.work, thread.hurry) = (false, false);
            drop(thread);
            let drained = self.drain();
            if ended {
                return;
            }
            if let Err(error) = drained {
                tracing::error!(%error, "commits are kept in memory: the store does not take them");
            }
        }
    }

    fn drain(&self) -> Result<(), StoreError> {
        let mut drain = self.drain.lock();
        let result = guard(|| self.drain_locked(&mut drain));
        self.thread.lock().failed = result.is_err();
        result
    }

    fn drain_locked(&self, drain: &mut Drain) -> Result<(), StoreError> {
        let taken: Vec<(IVec, Pending)> = {
            let recent = self.recent.read();
            recent.map.iter().map(|(key, pending)| (key.clone(), pending.clone())).collect()
        };
        if taken.is_empty() {
            return Ok(());
        }
        let changes = taken.iter().map(|(key, pending)| (key, pending.value.as_ref()));
        drain.unflushed_bytes += 2 * drain.redo.note(changes)?;
        let mut filling = Filling::default();
        for change in &taken {
            self.make(filling.next(change))?;
        }
        for change in filling.rest() {
            self.make(Some(change))?;
        }
        drain.redo.forget()?;
        if drain.unflushed_bytes >= FLUSH_EVERY_BYTES {
            self.db.flush()?;
            drain.unflushed_bytes = 0;
        }
        let _nobody_reads_a_list = self.lists.write();
        let mut recent = self.recent.write();
        let Recent { map, bytes, .. } = &mut *recent;
        for (key, pending) in taken {
            // What was changed meanwhile stays.
            if map.get(&key).is_some_and(|now| now.commit == pending.commit) {
                map.remove(&key);
            }
        }
        *bytes = map.iter().map(|(key, pending)| size_of(key, pending.value.as_deref())).sum();
        Ok(())
    }

    fn make(&self, change: Option<&(IVec, Pending)>) -> Result<(), StoreError> {
        match change {
            Some((key, Pending { value: Some(value), .. })) => self.sled.insert(key, value)?,
            Some((key, Pending { value: None, .. })) => self.sled.remove(key)?,
            None => None,
        };
        Ok(())
    }
}

impl Drop for Drainer {
    fn drop(&mut self) {
        self.shared.thread.lock().ended = true;
        self.shared.bell.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A list being read: sled's and the memory's keys, merged.
pub(crate) struct Range<'a> {
    shared: &'a Shared,
    _lists: RwLockReadGuard<'a, ()>,
    in_sled: Box<dyn Iterator<Item = sled::Result<(IVec, IVec)>>>,
    next_in_sled: Option<(IVec, IVec)>,
    /// What was not given yet; `None` for an empty range.
    rest: Option<(Bound<IVec>, Bound<IVec>)>,
    backwards: bool,
}

impl Range<'_> {
    fn step(&mut self) -> Result<Option<Change>, StoreError> {
        let Some((low, high)) = &mut self.rest else { return Ok(None) };
        while self.next_in_sled.is_none()
            && let Some(next) = self.in_sled.next().transpose()?
        {
            // It may have been in memory when this list came by, and in sled since.
            self.next_in_sled =
                Some(next).filter(|(key, _)| (low.as_ref(), high.as_ref()).contains(key));
        }
        let in_memory = {
            let recent = self.shared.recent.read();
            let mut keys = recent.map.range::<IVec, _>((low.as_ref(), high.as_ref()));
            let next = if self.backwards { keys.next_back() } else { keys.next() };
            next.map(|(key, pending)| (key.clone(), pending.value.clone()))
        };
        let from_memory = match (&self.next_in_sled, &in_memory) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some((a, _)), Some((b, _))) => a == b || (a < b) == self.backwards,
        };
        let found = if from_memory {
            // Of the same key sled has an older value.
            self.next_in_sled.take_if(|(key, _)| in_memory.as_ref().is_some_and(|m| m.0 == *key));
            in_memory
        } else {
            self.next_in_sled.take().map(|(key, value)| (key, Some(value)))
        };
        if let Some((key, _)) = &found {
            *(if self.backwards { high } else { low }) = Bound::Excluded(key.clone());
        }
        Ok(found)
    }
}

impl Iterator for Range<'_> {
    type Item = Result<(IVec, IVec), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step() {
                Ok(Some((key, Some(value)))) => return Some(Ok((key, value))),
                Ok(Some((_, None))) => {}
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn open(dir: &std::path::Path) -> (Tree, Drainer) {
        crate::rebuild::wait_closed(dir, Duration::from_secs(10)).unwrap();
        Tree::new(sled::Config::new().path(dir).open().unwrap()).unwrap()
    }

    fn change(n: u32, value: Option<u32>) -> Change {
        (n.to_be_bytes().as_slice().into(), value.map(|v| v.to_be_bytes().as_slice().into()))
    }

    fn keys(tree: &Tree, backwards: bool) -> Vec<u32> {
        let number = |key: IVec| u32::from_be_bytes(key.as_ref().try_into().unwrap());
        let range = tree.range(&[0; 4], &[0xff; 4], backwards);
        range.map(|pair| number(pair.unwrap().0)).collect()
    }

    #[test]
    fn memory_hides_what_sled_has() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, _drainer) = open(dir.path());
        tree.write((0..10).map(|n| change(n * 2, Some(n))).collect()).unwrap();
        tree.drain().unwrap();
        tree.write(vec![change(4, None), change(5, Some(1)), change(6, Some(99))]).unwrap();
        let wanted = [0, 2, 5, 6, 8, 10, 12, 14, 16, 18];
        assert_eq!(keys(&tree, false), wanted);
        assert_eq!(keys(&tree, true), wanted.iter().rev().copied().collect::<Vec<_>>());
        assert_eq!(tree.get(4_u32.to_be_bytes()).unwrap(), None);
        assert_eq!(tree.get(6_u32.to_be_bytes()).unwrap().unwrap().as_ref(), 99_u32.to_be_bytes());
        tree.drain().unwrap();
        assert_eq!(keys(&tree, false), wanted);
        assert_eq!(tree.sled().len(), wanted.len(), "and all of it is in sled");
    }

    /// Whatever is taken to sled meanwhile, a list has each key once, in order.
    #[test]
    fn lists_are_whole_while_commits_move() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, _drainer) = open(dir.path());
        tree.write((0..2000).map(|n| change(n, Some(0))).collect()).unwrap();
        let all: Vec<u32> = (0..2000).collect();
        let end = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1.. {
                    if end.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    let some = (0..2000).filter(|n| n % 7 == round % 7);
                    tree.write(some.map(|n| change(n, Some(round))).collect()).unwrap();
                    tree.drain().unwrap();
                }
            });
            for round in 0..200 {
                let mut seen = keys(&tree, round % 2 == 1);
                if round % 2 == 1 {
                    seen.reverse();
                }
                assert_eq!(seen, all, "round {round}");
            }
            end.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn what_was_committed_is_there_after_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, drainer) = open(dir.path());
        tree.write(vec![change(1, Some(1))]).unwrap();
        drop((drainer, tree));
        let (tree, _drainer) = open(dir.path());
        assert_eq!(keys(&tree, false), [1]);
    }
}
