//! While the writer waits for the disk, a thread of its own finds out what the group will change in the
//! store, so that only the change itself is left when the group is durable.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tianyin_domain::Put;
use tianyin_store::{Prepared, Store, StoreError};

/// The thread. Dropping it waits for its end.
pub(super) struct Ahead {
    puts: Option<SyncSender<Vec<Put>>>,
    prepared: Receiver<Result<Prepared, StoreError>>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    pub(super) fn start(store: Store) -> std::io::Result<Self> {
        let (puts, work) = sync_channel::<Vec<Put>>(1);
        let (done, prepared) = sync_channel(1);
        let run = move || {
            for puts in work {
                if done.send(store.prepare(puts)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("prepare".into()).spawn(run)?;
        Ok(Self { puts: Some(puts), prepared, thread: Some(thread) })
    }

    /// Prepares while `work` runs, and gives both results.
    pub(super) fn while_running<T>(
        &self,
        puts: Vec<Put>,
        work: impl FnOnce() -> T,
    ) -> (T, Result<Prepared, StoreError>) {
        let died = || StoreError::Damaged("the preparing thread died".into());
        let sent = self.puts.as_ref().is_some_and(|queue| queue.send(puts).is_ok());
        let done = work();
        let prepared = if sent { self.prepared.recv().ok() } else { None };
        (done, prepared.unwrap_or_else(|| Err(died())))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.puts = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
