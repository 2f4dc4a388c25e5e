//! Faults, separated by semicolons, each `KIND,PATTERN,NUMBER,TRIGGER`:
//!
//! - `sync,journal/,3,`: the third fsync, fdatasync or sync_file_range of a file whose path contains
//!   `journal/` fails with `EIO` and does nothing; the fourth is done again;
//! - `space,journal/,4096,/tmp/full`: while the file `/tmp/full` exists, 4096 more bytes can be written
//!   to such files, then `ENOSPC`, until it is removed.
//!
//! With a trigger a fault counts only while that file exists. A pattern that ends in `$` means the end.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering};

use libc::{AT_FDCWD, syscall};

use crate::log::{errno, give_up, set_errno};

const FAULTS_MAX: usize = 8;
const SYNC: u8 = 1;
const SPACE: u8 = 2;

struct Text {
    start: AtomicPtr<u8>,
    len: AtomicU64,
}

struct Fault {
    kind: AtomicU8,
    pattern: Text,
    number: AtomicU64,
    /// Syncs or bytes so far.
    count: AtomicU64,
    trigger: Text,
}

#[expect(clippy::declare_interior_mutable_const, reason = "each fault has its own")]
const NO_TEXT: Text = Text { start: AtomicPtr::new(core::ptr::null_mut()), len: AtomicU64::new(0) };

static FAULTS: [Fault; FAULTS_MAX] = [const {
    Fault {
        kind: AtomicU8::new(0),
        pattern: NO_TEXT,
        number: AtomicU64::new(0),
        count: AtomicU64::new(0),
        trigger: NO_TEXT,
    }
}; FAULTS_MAX];

impl Text {
    fn set(&self, text: &'static [u8]) {
        self.len.store(text.len() as u64, Ordering::Relaxed);
        self.start.store(text.as_ptr().cast_mut(), Ordering::Release);
    }

    fn get(&self) -> &'static [u8] {
        let start = self.start.load(Ordering::Acquire);
        if start.is_null() {
            return b"";
        }
        let len = self.len.load(Ordering::Relaxed) as usize;
        // SAFETY: set from a slice that stays.
        unsafe { core::slice::from_raw_parts(start, len) }
    }
}

pub(crate) fn load(text: &'static [u8]) {
    let rules = text.split(|b| *b == b';').filter(|rule| !rule.is_empty());
    for (n, rule) in rules.enumerate() {
        let Some(fault) = FAULTS.get(n) else { give_up(b"recorder: too many faults\n") };
        let mut fields = rule.split(|b| *b == b',');
        let kind = match fields.next() {
            Some(b"sync") => SYNC,
            Some(b"space") => SPACE,
            _ => give_up(b"recorder: a fault is neither sync nor space\n"),
        };
        fault.pattern.set(fields.next().unwrap_or_default());
        let digits = fields.next().unwrap_or_default();
        let number = digits.iter().try_fold(0u64, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
        });
        let Some(number) = number.filter(|_| !digits.is_empty()) else {
            give_up(b"recorder: a fault has no number\n")
        };
        fault.number.store(number, Ordering::Relaxed);
        fault.trigger.set(fields.next().unwrap_or_default());
        fault.kind.store(kind, Ordering::Release);
    }
}

/// A bit for each fault that means this path.
pub(crate) fn of_path(path: &[u8]) -> u8 {
    let mut bits = 0;
    for (n, fault) in FAULTS.iter().enumerate() {
        let pattern = fault.pattern.get();
        let meant = match pattern.strip_suffix(b"$") {
            Some(end) => path.ends_with(end),
            None => pattern.is_empty() || path.windows(pattern.len()).any(|part| part == pattern),
        };
        if fault.kind.load(Ordering::Acquire) != 0 && meant {
            bits |= 1 << n;
        }
    }
    bits
}

fn those(bits: u8, kind: u8) -> impl Iterator<Item = &'static Fault> {
    let faults = FAULTS.iter().enumerate().filter(move |(n, _)| bits & (1 << n) != 0);
    faults.map(|(_, fault)| fault).filter(move |fault| {
        fault.kind.load(Ordering::Acquire) == kind && is_triggered(fault.trigger.get())
    })
}

/// Whether this sync is the one to fail.
pub(crate) fn fails_sync(bits: u8) -> bool {
    let mut fails = false;
    for fault in those(bits, SYNC) {
        let before = fault.count.fetch_add(1, Ordering::Relaxed);
        fails |= before + 1 == fault.number.load(Ordering::Relaxed);
    }
    fails
}

/// How many of these bytes still find room.
pub(crate) fn room(bits: u8, bytes: usize) -> usize {
    let mut room = bytes;
    for fault in those(bits, SPACE) {
        let max = fault.number.load(Ordering::Relaxed);
        let before = fault.count.fetch_add(bytes as u64, Ordering::Relaxed);
        room = room.min(max.saturating_sub(before) as usize);
    }
    room
}

/// The text ends before a comma, a semicolon or the end of the variable, so it is copied to end in 0.
fn is_triggered(trigger: &[u8]) -> bool {
    if trigger.is_empty() {
        return true;
    }
    let mut path = [0u8; 512];
    if trigger.len() >= path.len() {
        give_up(b"recorder: the path of a trigger is too long\n");
    }
    path[..trigger.len()].copy_from_slice(trigger);
    let errno = errno();
    // SAFETY: a C string.
    let there = unsafe { syscall(libc::SYS_faccessat, AT_FDCWD, path.as_ptr(), libc::F_OK) };
    set_errno(errno);
    there == 0
}
