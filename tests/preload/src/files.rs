//! Which open files are recorded.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use crate::log::give_up;

const FILES_MAX: usize = 1 << 16;

struct Slot {
    /// 0 for a file that is not recorded.
    handle: AtomicU32,
    /// Faults that its path is meant by.
    faults: AtomicU8,
}

static SLOTS: [Slot; FILES_MAX] =
    [const { Slot { handle: AtomicU32::new(0), faults: AtomicU8::new(0) } }; FILES_MAX];
static NEXT: AtomicU32 = AtomicU32::new(1);

fn slot(fd: c_int) -> Option<&'static Slot> {
    SLOTS.get(usize::try_from(fd).ok()?)
}

/// A file was opened; gives its handle.
pub(crate) fn opened(fd: c_int, faults: u8) -> u32 {
    let Some(slot) = slot(fd) else { give_up(b"recorder: too many open files\n") };
    let handle = NEXT.fetch_add(1, Ordering::Relaxed);
    slot.faults.store(faults, Ordering::Relaxed);
    slot.handle.store(handle, Ordering::Release);
    handle
}

/// A second descriptor of the same open file.
pub(crate) fn copied(from: c_int, to: c_int) {
    let Some((handle, faults)) = recorded(from) else { return closed(to) };
    let Some(slot) = slot(to) else { give_up(b"recorder: too many open files\n") };
    slot.faults.store(faults, Ordering::Relaxed);
    slot.handle.store(handle, Ordering::Release);
}

pub(crate) fn closed(fd: c_int) {
    if let Some(slot) = slot(fd) {
        slot.handle.store(0, Ordering::Release);
    }
}

/// Handle and faults of a recorded file.
pub(crate) fn recorded(fd: c_int) -> Option<(u32, u8)> {
    let slot = slot(fd)?;
    match slot.handle.load(Ordering::Acquire) {
        0 => None,
        handle => Some((handle, slot.faults.load(Ordering::Relaxed))),
    }
}
