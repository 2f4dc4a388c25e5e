//! The replaced functions. Each does what libc's does, by the system call, and tells the log.
//!
//! `open` and `fcntl` take a variable number of arguments in C; on the 64-bit Linux systems that are
//! meant here they are passed like fixed ones.
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int, c_long, c_uint};

use libc::{AT_FDCWD, iovec, mode_t, off_t, size_t, ssize_t, syscall};

use crate::log::{errno, part, record, set_errno};
use crate::path::Path;
use crate::{faults, files, format};

static SYNCS: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(1);

/// Defines the same function under several names.
macro_rules! exported {
    ($( [$($name:ident)+] $arguments:tt -> $out:ty = $inner:ident; )*) => {
        $($( one!($name $arguments -> $out = $inner); )+)*
    };
}

macro_rules! one {
    ($name:ident ($($arg:ident: $type:ty),*) -> $out:ty = $inner:ident) => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $type),*) -> $out {
            // SAFETY: called as libc's function of that name is.
            unsafe { $inner($($arg),*) }
        }
    };
}

exported! {
    [open open64](path: *const c_char, flags: c_int, mode: mode_t) -> c_int = open_here;
    [openat openat64](folder: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int = open_at;
    [creat creat64](path: *const c_char, mode: mode_t) -> c_int = create;
    [close](fd: c_int) -> c_int = close_file;
    [dup](fd: c_int) -> c_int = copy;
    [dup2](from: c_int, to: c_int) -> c_int = copy_to;
    [dup3](from: c_int, to: c_int, flags: c_int) -> c_int = copy_to_with;
    [fcntl fcntl64](fd: c_int, command: c_int, argument: c_long) -> c_int = control;
    [write](fd: c_int, bytes: *const u8, count: size_t) -> ssize_t = write_here;
    [pwrite pwrite64](fd: c_int, bytes: *const u8, count: size_t, at: off_t) -> ssize_t = write_at;
    [writev](fd: c_int, parts: *const iovec, count: c_int) -> ssize_t = write_parts;
    [pwritev pwritev64](fd: c_int, parts: *const iovec, count: c_int, at: off_t) -> ssize_t
        = write_parts_at;
    [ftruncate ftruncate64](fd: c_int, size: off_t) -> c_int = resize;
    [fallocate fallocate64](fd: c_int, mode: c_int, at: off_t, bytes: off_t) -> c_int = allocate;
    [posix_fallocate posix_fallocate64](fd: c_int, at: off_t, bytes: off_t) -> c_int = allocate_posix;
    [fsync](fd: c_int) -> c_int = sync_all;
    [fdatasync](fd: c_int) -> c_int = sync_data;
    [sync_file_range](fd: c_int, at: off_t, bytes: off_t, flags: c_uint) -> c_int = sync_range;
    [rename](from: *const c_char, to: *const c_char) -> c_int = rename_here;
    [renameat](a: c_int, from: *const c_char, b: c_int, to: *const c_char) -> c_int = rename_at;
    [renameat2](a: c_int, from: *const c_char, b: c_int, to: *const c_char, flags: c_uint) -> c_int
        = rename_with;
    [unlink](path: *const c_char) -> c_int = remove_file;
    [unlinkat](folder: c_int, path: *const c_char, flags: c_int) -> c_int = remove_at;
    [rmdir](path: *const c_char) -> c_int = remove_folder;
    [mkdir](path: *const c_char, mode: mode_t) -> c_int = make_folder;
    [mkdirat](folder: c_int, path: *const c_char, mode: mode_t) -> c_int = make_folder_at;
    [link](from: *const c_char, to: *const c_char) -> c_int = link_here;
    [linkat](a: c_int, from: *const c_char, b: c_int, to: *const c_char, flags: c_int) -> c_int
        = link_at;
    [copy_file_range](from: c_int, a: *mut i64, to: c_int, b: *mut i64, count: size_t, flags: c_uint)
        -> ssize_t = copy_range;
    [sendfile sendfile64](to: c_int, from: c_int, at: *mut off_t, count: size_t) -> ssize_t = send;
    [splice](from: c_int, a: *mut i64, to: c_int, b: *mut i64, count: size_t, flags: c_uint)
        -> ssize_t = splice_into;
}

fn fail(errno: c_int) -> c_int {
    set_errno(errno);
    -1
}

unsafe fn open_here(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    unsafe { open_at(AT_FDCWD, path, flags, mode) }
}

unsafe fn create(path: *const c_char, mode: mode_t) -> c_int {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC;
    unsafe { open_at(AT_FDCWD, path, flags, mode) }
}

unsafe fn open_at(folder: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let fd = unsafe { syscall(libc::SYS_openat, folder, path, flags, mode) } as c_int;
    if fd < 0 {
        return fd;
    }
    match unsafe { Path::below(folder, path) } {
        Some(path) => {
            let handle = files::opened(fd, faults::of_path(path.as_bytes()));
            let numbers = (flags as u64, u64::from(mode));
            record(format::OPEN, handle, numbers, path.as_bytes(), &[]);
        }
        None => files::closed(fd),
    }
    fd
}

unsafe fn close_file(fd: c_int) -> c_int {
    files::closed(fd);
    unsafe { syscall(libc::SYS_close, fd) as c_int }
}

unsafe fn copy(fd: c_int) -> c_int {
    copied(fd, unsafe { syscall(libc::SYS_dup, fd) as c_int })
}

unsafe fn copy_to(from: c_int, to: c_int) -> c_int {
    if from == to {
        return unsafe { control(from, libc::F_GETFD, 0) }.min(0).wrapping_add(to.max(0));
    }
    unsafe { copy_to_with(from, to, 0) }
}

unsafe fn copy_to_with(from: c_int, to: c_int, flags: c_int) -> c_int {
    copied(from, unsafe { syscall(libc::SYS_dup3, from, to, flags) as c_int })
}

unsafe fn control(fd: c_int, command: c_int, argument: c_long) -> c_int {
    let done = unsafe { syscall(libc::SYS_fcntl, fd, command, argument) as c_int };
    match command {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => copied(fd, done),
        _ => done,
    }
}

fn copied(from: c_int, to: c_int) -> c_int {
    if to >= 0 {
        files::copied(from, to);
    }
    to
}

unsafe fn write_here(fd: c_int, bytes: *const u8, count: size_t) -> ssize_t {
    let Some((handle, bits)) = files::recorded(fd) else {
        return unsafe { syscall(libc::SYS_write, fd, bytes, count) as ssize_t };
    };
    let room = faults::room(bits, count);
    if room == 0 && count > 0 {
        return no_space(handle);
    }
    let written = unsafe { syscall(libc::SYS_write, fd, bytes, room) as ssize_t };
    unsafe { wrote(fd, handle, written, &[part(bytes, room)], None) }
}

unsafe fn write_at(fd: c_int, bytes: *const u8, count: size_t, at: off_t) -> ssize_t {
    let Some((handle, bits)) = files::recorded(fd) else {
        return unsafe { syscall(libc::SYS_pwrite64, fd, bytes, count, at) as ssize_t };
    };
    let room = faults::room(bits, count);
    if room == 0 && count > 0 {
        return no_space(handle);
    }
    let written = unsafe { syscall(libc::SYS_pwrite64, fd, bytes, room, at) as ssize_t };
    unsafe { wrote(fd, handle, written, &[part(bytes, room)], Some(at)) }
}

unsafe fn write_parts(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    let call = || unsafe { syscall(libc::SYS_writev, fd, parts, count) as ssize_t };
    unsafe { write_vector(fd, parts, count, None, call) }
}

unsafe fn write_parts_at(fd: c_int, parts: *const iovec, count: c_int, at: off_t) -> ssize_t {
    // The offset goes in two halves; a 64-bit system reads all of it from the first.
    let call = || unsafe { syscall(libc::SYS_pwritev, fd, parts, count, at, 0) as ssize_t };
    unsafe { write_vector(fd, parts, count, Some(at), call) }
}

unsafe fn write_vector(
    fd: c_int,
    parts: *const iovec,
    count: c_int,
    at: Option<off_t>,
    call: impl Fn() -> ssize_t,
) -> ssize_t {
    let Some((handle, bits)) = files::recorded(fd) else { return call() };
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0 {
        return call();
    }
    let parts = unsafe { core::slice::from_raw_parts(parts, count) };
    let bytes = parts.iter().map(|part| part.iov_len).sum();
    if faults::room(bits, bytes) < bytes {
        return no_space(handle);
    }
    unsafe { wrote(fd, handle, call(), parts, at) }
}

fn no_space(handle: u32) -> ssize_t {
    record(format::FAULT, handle, (2, libc::ENOSPC as u64), b"", &[]);
    fail(libc::ENOSPC) as ssize_t
}

/// Logs what was written. Without an offset, the file's position now is the end of it.
unsafe fn wrote(
    fd: c_int,
    handle: u32,
    written: ssize_t,
    parts: &[iovec],
    at: Option<off_t>,
) -> ssize_t {
    let Ok(count) = usize::try_from(written) else { return written };
    let errno = errno();
    let at = at.unwrap_or_else(|| unsafe {
        syscall(libc::SYS_lseek, fd, 0, libc::SEEK_CUR) - written as i64
    });
    set_errno(errno);
    let numbers = (at as u64, count as u64);
    if let [only] = parts {
        record(format::WRITE, handle, numbers, b"", &[part(only.iov_base.cast(), count)]);
    } else if parts.iter().map(|part| part.iov_len).sum::<usize>() == count {
        record(format::WRITE, handle, numbers, b"", parts);
    } else {
        // A short vectored write: its parts one by one.
        let mut left = count;
        let mut at = at as u64;
        for piece in parts {
            let bytes = piece.iov_len.min(left);
            if bytes > 0 {
                let data = [part(piece.iov_base.cast(), bytes)];
                record(format::WRITE, handle, (at, bytes as u64), b"", &data);
            }
            left -= bytes;
            at += bytes as u64;
        }
    }
    written
}

unsafe fn resize(fd: c_int, size: off_t) -> c_int {
    let done = unsafe { syscall(libc::SYS_ftruncate, fd, size) as c_int };
    if let (0, Some((handle, _))) = (done, files::recorded(fd)) {
        record(format::RESIZE, handle, (size as u64, 0), b"", &[]);
    }
    done
}

/// Reserving room may make the file larger; what else it does cannot be seen in the file.
unsafe fn allocate(fd: c_int, mode: c_int, at: off_t, bytes: off_t) -> c_int {
    let Some((handle, bits)) = files::recorded(fd) else {
        return unsafe { syscall(libc::SYS_fallocate, fd, mode, at, bytes) as c_int };
    };
    if mode != 0 && mode != libc::FALLOC_FL_KEEP_SIZE {
        return fail(libc::EOPNOTSUPP);
    }
    let wanted = usize::try_from(bytes).unwrap_or(0);
    if faults::room(bits, wanted) < wanted {
        return no_space(handle) as c_int;
    }
    let errno = errno();
    let before = unsafe { size_of(fd) };
    set_errno(errno);
    let done = unsafe { syscall(libc::SYS_fallocate, fd, mode, at, bytes) as c_int };
    if done == 0 && mode == 0 && before < at + bytes {
        record(format::RESIZE, handle, ((at + bytes) as u64, 0), b"", &[]);
    }
    done
}

unsafe fn size_of(fd: c_int) -> off_t {
    let mut status: libc::stat = unsafe { core::mem::zeroed() };
    unsafe { libc::fstat(fd, &raw mut status) };
    status.st_size
}

unsafe fn allocate_posix(fd: c_int, at: off_t, bytes: off_t) -> c_int {
    let saved = errno();
    let done = unsafe { allocate(fd, 0, at, bytes) };
    let result = if done == 0 { 0 } else { errno() };
    set_errno(saved);
    result
}

unsafe fn sync_all(fd: c_int) -> c_int {
    unsafe { sync(fd, libc::SYS_fsync, 0) }
}

unsafe fn sync_data(fd: c_int) -> c_int {
    unsafe { sync(fd, libc::SYS_fdatasync, 1) }
}

unsafe fn sync(fd: c_int, call: c_long, data_only: u64) -> c_int {
    let Some((handle, bits)) = files::recorded(fd) else {
        return unsafe { syscall(call, fd) as c_int };
    };
    let number = SYNCS.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    record(format::SYNC_BEGIN, handle, (number, data_only), b"", &[]);
    let done = if faults::fails_sync(bits) {
        record(format::FAULT, handle, (1, libc::EIO as u64), b"", &[]);
        fail(libc::EIO)
    } else {
        unsafe { syscall(call, fd) as c_int }
    };
    let result = if done == 0 { 0 } else { errno() };
    record(format::SYNC_END, handle, (number, result as u64), b"", &[]);
    done
}

unsafe fn sync_range(fd: c_int, at: off_t, bytes: off_t, flags: c_uint) -> c_int {
    if let Some((handle, bits)) = files::recorded(fd) {
        if faults::fails_sync(bits) {
            record(format::FAULT, handle, (1, libc::EIO as u64), b"", &[]);
            return fail(libc::EIO);
        }
        record(format::SYNC_RANGE, handle, (at as u64, bytes as u64), b"", &[]);
    }
    unsafe { syscall(libc::SYS_sync_file_range, fd, at, bytes, flags) as c_int }
}

unsafe fn rename_here(from: *const c_char, to: *const c_char) -> c_int {
    unsafe { rename_with(AT_FDCWD, from, AT_FDCWD, to, 0) }
}

unsafe fn rename_at(a: c_int, from: *const c_char, b: c_int, to: *const c_char) -> c_int {
    unsafe { rename_with(a, from, b, to, 0) }
}

unsafe fn rename_with(
    a: c_int,
    from: *const c_char,
    b: c_int,
    to: *const c_char,
    flags: c_uint,
) -> c_int {
    let done = unsafe { syscall(libc::SYS_renameat2, a, from, b, to, flags) as c_int };
    if done == 0 {
        unsafe { two_names(format::RENAME, (a, from), (b, to)) };
    }
    done
}

unsafe fn link_here(from: *const c_char, to: *const c_char) -> c_int {
    unsafe { link_at(AT_FDCWD, from, AT_FDCWD, to, 0) }
}

unsafe fn link_at(
    a: c_int,
    from: *const c_char,
    b: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    let done = unsafe { syscall(libc::SYS_linkat, a, from, b, to, flags) as c_int };
    if done == 0 {
        unsafe { two_names(format::LINK, (a, from), (b, to)) };
    }
    done
}

/// A path outside the recorded folder is logged as empty: moved out, or in from elsewhere.
unsafe fn two_names(kind: u32, from: (c_int, *const c_char), to: (c_int, *const c_char)) {
    let (from, to) = unsafe { (Path::below(from.0, from.1), Path::below(to.0, to.1)) };
    if from.is_some() || to.is_some() {
        let bytes = |path: &Option<Path>| path.as_ref().map_or(0, |path| path.as_bytes().len());
        let data = to.as_ref().map_or(core::ptr::null(), |path| path.as_bytes().as_ptr());
        let data = part(data, bytes(&to));
        record(kind, 0, (0, 0), from.as_ref().map_or(b"", |path| path.as_bytes()), &[data]);
    }
}

unsafe fn remove_file(path: *const c_char) -> c_int {
    unsafe { remove_at(AT_FDCWD, path, 0) }
}

unsafe fn remove_folder(path: *const c_char) -> c_int {
    unsafe { remove_at(AT_FDCWD, path, libc::AT_REMOVEDIR) }
}

unsafe fn remove_at(folder: c_int, path: *const c_char, flags: c_int) -> c_int {
    let kind = if flags & libc::AT_REMOVEDIR == 0 { format::UNLINK } else { format::RMDIR };
    let done = unsafe { syscall(libc::SYS_unlinkat, folder, path, flags) as c_int };
    unsafe { named(done, kind, (folder, path), 0) }
}

unsafe fn make_folder(path: *const c_char, mode: mode_t) -> c_int {
    unsafe { make_folder_at(AT_FDCWD, path, mode) }
}

unsafe fn make_folder_at(folder: c_int, path: *const c_char, mode: mode_t) -> c_int {
    let done = unsafe { syscall(libc::SYS_mkdirat, folder, path, mode) as c_int };
    unsafe { named(done, format::MKDIR, (folder, path), u64::from(mode)) }
}

unsafe fn named(done: c_int, kind: u32, at: (c_int, *const c_char), number: u64) -> c_int {
    if done == 0
        && let Some(path) = unsafe { Path::below(at.0, at.1) }
    {
        record(kind, 0, (number, 0), path.as_bytes(), &[]);
    }
    done
}

/// What copies between files inside the kernel does not show the bytes: callers then copy themselves.
unsafe fn copy_range(
    from: c_int,
    a: *mut i64,
    to: c_int,
    b: *mut i64,
    count: size_t,
    flags: c_uint,
) -> ssize_t {
    if files::recorded(to).is_some() {
        return fail(libc::ENOSYS) as ssize_t;
    }
    unsafe { syscall(libc::SYS_copy_file_range, from, a, to, b, count, flags) as ssize_t }
}

unsafe fn send(to: c_int, from: c_int, at: *mut off_t, count: size_t) -> ssize_t {
    if files::recorded(to).is_some() {
        return fail(libc::ENOSYS) as ssize_t;
    }
    unsafe { syscall(libc::SYS_sendfile, to, from, at, count) as ssize_t }
}

unsafe fn splice_into(
    from: c_int,
    a: *mut i64,
    to: c_int,
    b: *mut i64,
    count: size_t,
    flags: c_uint,
) -> ssize_t {
    if files::recorded(to).is_some() {
        return fail(libc::EINVAL) as ssize_t;
    }
    unsafe { syscall(libc::SYS_splice, from, a, to, b, count, flags) as ssize_t }
}
