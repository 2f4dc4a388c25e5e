//! A verb that works on the data folder by itself must end, also on a full disk.
//!
//! sled waits for its own threads, and without a limit for one that a failed write has ended. The
//! service lives on without the store; a verb has nothing else to live for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::out;
use crate::app::space::Space;
use crate::config::Config;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So long on a full disk without doing anything: it waits for what never comes.
const STUCK_AFTER: Duration = Duration::from_secs(15);
/// More processor time than this in one look is work.
const BUSY_MIN: Duration = Duration::from_millis(20);
/// Below this sled cannot write.
const FULL_BYTES: u64 = 1 << 20;

/// While it is there, the process is ended, with a sentence, once it is stuck on a full disk.
pub(super) struct Watch(Arc<()>);

impl Watch {
    /// Watches until the process ends.
    pub(super) fn keep(self) {
        std::mem::forget(self.0);
    }
}

/// Begins to watch.
pub(super) fn watch(config: &Config) -> std::io::Result<Watch> {
    let watch = Watch(Arc::new(()));
    let wanted = Arc::downgrade(&watch.0);
    let space = Space::new(&config.data, &config.disk);
    let thread = std::thread::Builder::new().name("stuck".into());
    thread.spawn(move || {
        let (mut worked_at, mut used) = (Instant::now(), processor_time());
        while worked_at.elapsed() < STUCK_AFTER {
            std::thread::sleep(LOOK_EVERY);
            if wanted.strong_count() == 0 {
                return;
            }
            let now = processor_time();
            if now.saturating_sub(used) > BUSY_MIN || space.state().free_bytes >= FULL_BYTES {
                worked_at = Instant::now();
            }
            used = now;
        }
        let folder = space.shortage().folder;
        out::complain(format_args!(
            "磁盘空间已满,命令没有完成,已有记录没有受损。请在 {folder} 所在磁盘腾出空间后重新运行 / disk full, the \
             command did not end, nothing is lost: free space on the disk of {folder}, then run it again"
        ));
        std::process::exit(1);
    })?;
    Ok(watch)
}

/// Of all threads together.
fn processor_time() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or_default())
}
