//! A sync that fails while the next group is being decided on what it was to make durable.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tianyin::app::AppError;
use tianyin_domain::id::SeededRandom;
use tianyin_journal::{Disk, FileDisk, Reader, SegmentFile};

use crate::commands::{Farm, Pool};
use crate::open_on;

#[derive(Clone)]
struct FailingDisk {
    syncs_left: Arc<AtomicI64>,
    writes_after: Arc<AtomicU64>,
}

struct FailingSegment {
    file: Box<dyn SegmentFile>,
    disk: FailingDisk,
}

impl Disk for FailingDisk {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(FailingSegment { file: FileDisk.create(path)?, disk: self.clone() }))
    }
    fn append(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(FailingSegment { file: FileDisk.append(path)?, disk: self.clone() }))
    }
    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        FileDisk.sync_dir(dir)
    }
}

impl SegmentFile for FailingSegment {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.disk.syncs_left.load(Ordering::SeqCst) < 0 {
            self.disk.writes_after.fetch_add(1, Ordering::SeqCst);
        }
        self.file.write_all(bytes)
    }
    fn sync_data(&mut self) -> io::Result<()> {
        if self.disk.syncs_left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(io::Error::other("the disk is broken"));
        }
        self.file.sync_data()
    }
}

#[test]
fn a_failed_sync_takes_along_what_was_decided_on_it() {
    for round in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let (syncs_left, writes_after) = (Arc::new(AtomicI64::new(i64::MAX)), Arc::default());
        let disk = FailingDisk { syncs_left: syncs_left.clone(), writes_after };
        let world = open_on(dir.path(), Box::new(disk.clone()));
        let farm = Farm::found(&mut |envelope| world.submit(envelope).unwrap().id);
        let pool = Pool::default();
        syncs_left.store(10 + 3 * round, Ordering::SeqCst);
        let acknowledged: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|thread| {
                    let (world, farm, pool) = (&world, &farm, &pool);
                    let seed = round as u64 * 100 + thread;
                    scope.spawn(move || until_read_only(world, farm, pool, SeededRandom(seed)))
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(disk.writes_after.load(Ordering::SeqCst), 0, "written after a failed sync");
        assert!(world.writer.read_only().is_some());
        drop(world);
        // What the disk kept of the failed group may be there, too.
        let mut reader = Reader::new(&dir.path().join("journal"), 1).checking_hashes();
        let lines = reader.lines_up_to(u64::MAX).map_while(Result::ok).map(|line| line.seq).max();
        let newest = acknowledged.iter().max();
        assert!(newest.is_some() && newest <= lines.as_ref(), "{newest:?} {lines:?}");
    }
}

/// The lines that were acknowledged.
fn until_read_only(
    world: &crate::World,
    farm: &Farm,
    pool: &Pool,
    mut random: SeededRandom,
) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    loop {
        let envelope = pool.next(farm, &world.store, &mut random);
        let answer = world.writer.submit(envelope).and_then(|a| a.blocking_recv().unwrap());
        match answer {
            Ok(outcome) => {
                if outcome.written {
                    acknowledged.push(outcome.seq);
                }
                pool.learn(Some(&outcome));
            }
            Err(AppError::Domain(_)) => {}
            Err(AppError::ReadOnly(_)) => return acknowledged,
            Err(other) => panic!("{other}"),
        }
    }
}
