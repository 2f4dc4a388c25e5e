//! While a group is on its way to the disk, the writer may decide the next one: the thread behind it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::committer::{Committer, Group};

/// The thread. Dropping it waits for its end.
pub(super) struct Behind {
    groups: Option<SyncSender<Group>>,
    done: Receiver<bool>,
    busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl Behind {
    pub(super) fn start(committer: Arc<Mutex<Committer>>) -> std::io::Result<Self> {
        let (groups, work) = sync_channel::<Group>(1);
        let (tell, done) = sync_channel(1);
        let run = move || {
            for group in work {
                let committed = committer.lock().commit(group);
                if tell.send(committed).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("commit".into()).spawn(run)?;
        Ok(Self { groups: Some(groups), done, busy: false, thread: Some(thread) })
    }

    /// Commits the group on the thread; the one before it must be settled.
    pub(super) fn commit(&mut self, group: Group) {
        self.busy = true;
        if let Some(groups) = &self.groups {
            // If the thread died the settling says so.
            let _ = groups.send(group);
        }
    }

    /// A group is on its way.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Waits for the group that is on its way; false if it failed or the thread died.
    pub(super) fn settle(&mut self) -> bool {
        !std::mem::take(&mut self.busy) || self.done.recv().unwrap_or(false)
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.groups = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
