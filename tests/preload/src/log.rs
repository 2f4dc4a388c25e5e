//! Writes the log. One system call per record, to a file opened for appending: the order of the
//! records is the order of those calls, also over several threads and processes.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use libc::{AT_FDCWD, O_APPEND, O_CLOEXEC, O_CREAT, O_WRONLY, iovec, syscall};

use crate::format;

static LOG: AtomicI32 = AtomicI32::new(-1);
static WITH_DATA: AtomicBool = AtomicBool::new(true);
/// Parts of one vectored write that are logged.
pub(crate) const PARTS_MAX: usize = 1024;

pub(crate) fn open(path: &CStr, with_data: bool) {
    let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    // SAFETY: a system call with a C string.
    let fd = unsafe { syscall(libc::SYS_openat, AT_FDCWD, path.as_ptr(), flags, 0o600) };
    if fd < 0 {
        give_up(b"recorder: the log cannot be opened\n");
    }
    WITH_DATA.store(with_data, Ordering::Relaxed);
    LOG.store(fd as c_int, Ordering::Relaxed);
}

/// Bytes in memory of the caller.
pub(crate) fn part(start: *const u8, bytes: usize) -> iovec {
    iovec { iov_base: start.cast_mut().cast(), iov_len: bytes }
}

/// Writes a record. The data lies in parts, valid for reading. Leaves errno as it is.
pub(crate) fn record(kind: u32, handle: u32, numbers: (u64, u64), path: &[u8], data: &[iovec]) {
    let log = LOG.load(Ordering::Relaxed);
    if log < 0 {
        return;
    }
    let errno = errno();
    let with_data = kind != format::WRITE || WITH_DATA.load(Ordering::Relaxed);
    let data = if with_data { data } else { &[] };
    if data.len() > PARTS_MAX {
        give_up(b"recorder: too many parts in one write\n");
    }
    let data_bytes = data.iter().map(|part| part.iov_len).sum();
    // SAFETY: asks for a number.
    let process = unsafe { syscall(libc::SYS_getpid) } as u32;
    let head = format::head(kind, process, handle, numbers, path.len(), data_bytes);
    // An array of this size on the stack of every thread would be too much to fill each time.
    let mut few = [part(core::ptr::null(), 0); 6];
    few[0] = part(head.as_ptr(), head.len());
    few[1] = part(path.as_ptr(), path.len());
    let whole = head.len() + path.len() + data_bytes;
    if data.len() <= few.len() - 2 {
        few[2..2 + data.len()].copy_from_slice(data);
        write(log, &few[..2 + data.len()], whole);
    } else {
        let mut many = [part(core::ptr::null(), 0); 2 + PARTS_MAX];
        many[..2].copy_from_slice(&few[..2]);
        many[2..2 + data.len()].copy_from_slice(data);
        // Up to 1024 parts are allowed: IOV_MAX. The head and the path make it two more.
        if data.len() + 2 > PARTS_MAX {
            give_up(b"recorder: too many parts in one write\n");
        }
        write(log, &many[..2 + data.len()], whole);
    }
    set_errno(errno);
}

fn write(log: c_int, parts: &[iovec], bytes: usize) {
    // SAFETY: the parts are valid for reading.
    let written = unsafe { syscall(libc::SYS_writev, log, parts.as_ptr(), parts.len()) };
    if written != bytes as i64 {
        give_up(b"recorder: the log cannot be written\n");
    }
}

/// A log with a gap would prove nothing: the program is ended.
pub(crate) fn give_up(why: &[u8]) -> ! {
    // SAFETY: system calls with bytes that are there.
    unsafe {
        syscall(libc::SYS_write, 2, why.as_ptr(), why.len());
        libc::_exit(99)
    }
}

pub(crate) fn errno() -> c_int {
    // SAFETY: errno of this thread.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn set_errno(errno: c_int) {
    // SAFETY: errno of this thread.
    unsafe { *libc::__errno_location() = errno }
}
