//! Bringing the store up to the journal: what is missing at a start, or everything for a rebuild. Never
//! calls a rule or a plugin.

use std::sync::mpsc::{SyncSender, sync_channel};

use tianyin_domain::apply::apply;
use tianyin_domain::{Event, Overlay, Time};
use tianyin_journal::{JournalError, Line, Reader};
use tianyin_store::{Bulk, Store};

use super::writer::GROUP_BYTES_MAX;

/// Lines of one batch when the store is only brought up to the head.
const BATCH_LINES: usize = 512;
/// Lines and bytes of one batch when the whole store is built. Much of what happens to a record
/// happens soon after it was made, so a large batch saves writes.
const BULK_LINES: usize = 8192;
const BULK_BYTES: usize = 12 << 20;
/// Batches that may wait between two threads; with those under way they bound the memory.
const BATCHES_WAITING_MAX: usize = 1;

/// Applies lines to a store in use, and gives the number of the last.
pub fn replay(
    store: &Store,
    lines: impl Iterator<Item = Result<Line, JournalError>>,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<u64> {
    let mut lines = lines.peekable();
    let mut last = 0;
    while lines.peek().is_some() {
        let batch = Batch::of(&mut lines, BATCH_LINES, GROUP_BYTES_MAX)?;
        let mut overlay = Overlay::new(store);
        last = batch.apply(&mut overlay)?;
        store.commit(overlay.into_puts(), last)?;
        progress(last);
    }
    Ok(last)
}

/// Fills an empty store with the lines of `reader` up to `head`: one thread reads and parses, this one
/// applies, the store's own sorts. Then everything is inserted in order, for which `progress`, told as
/// a number of lines, keeps its second half.
pub fn fill(
    store: &Store,
    mut reader: Reader,
    head: u64,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<()> {
    if head == 0 {
        return Ok(());
    }
    std::thread::scope(|scope| {
        let (queue, batches) = sync_channel(BATCHES_WAITING_MAX);
        scope.spawn(move || read(&mut reader, head, &queue));
        let progress = std::cell::RefCell::new(&mut progress);
        let apply = |bulk: &mut Bulk<'_>| {
            let mut last = 0;
            for batch in batches {
                let mut overlay = Overlay::new(bulk);
                last = batch?.apply(&mut overlay)?;
                bulk.commit(overlay.into_puts(), last)?;
                progress.borrow_mut()(last / 2);
            }
            anyhow::Ok(last)
        };
        let half = (head / 2) as f64;
        let inserted = |done: u64, total: u64| {
            let part = done as f64 / total.max(1) as f64;
            progress.borrow_mut()((half + half * part) as u64);
        };
        let applied = store.bulk(apply, inserted)?;
        progress.into_inner()(head);
        anyhow::ensure!(applied == head, "the journal ends at line {applied}, before {head}");
        Ok(())
    })
}

fn read(reader: &mut Reader, head: u64, queue: &SyncSender<anyhow::Result<Batch>>) {
    let mut lines = reader.lines_up_to(head).peekable();
    while lines.peek().is_some() {
        let batch = Batch::of(&mut lines, BULK_LINES, BULK_BYTES);
        let failed = batch.is_err();
        // A closed queue says that the other side failed, and tells why itself.
        if queue.send(batch).is_err() || failed {
            return;
        }
    }
}

/// Lines, parsed.
struct Batch(Vec<(u64, Time, Vec<Event>)>);

impl Batch {
    /// The next lines, at least one, until one of the limits is reached.
    fn of(
        lines: &mut impl Iterator<Item = Result<Line, JournalError>>,
        lines_max: usize,
        bytes_max: usize,
    ) -> anyhow::Result<Self> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for line in lines {
            let line = line?;
            bytes += line.events.get().len();
            let damaged =
                |e: &dyn std::fmt::Display| anyhow::anyhow!("journal line {}: {e}", line.seq);
            let events = serde_json::from_str(line.events.get()).map_err(|e| damaged(&e))?;
            let time = line.time.parse().map_err(|e| damaged(&e))?;
            batch.push((line.seq, time, events));
            if batch.len() >= lines_max || bytes >= bytes_max {
                break;
            }
        }
        Ok(Self(batch))
    }

    fn apply(&self, overlay: &mut Overlay<'_>) -> anyhow::Result<u64> {
        let mut last = 0;
        for (seq, time, events) in &self.0 {
            overlay.begin_line(*seq);
            for event in events {
                apply(overlay, event, *time)
                    .map_err(|e| anyhow::anyhow!("journal line {seq}: {e}"))?;
            }
            last = *seq;
        }
        Ok(last)
    }
}
