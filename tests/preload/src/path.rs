//! Which paths are below the folder that is recorded.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{AtomicPtr, Ordering};

use libc::{AT_FDCWD, syscall};

use crate::log::{errno, set_errno};

static ROOT: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());

pub(crate) fn set_root(root: &'static CStr) {
    ROOT.store(root.as_ptr().cast_mut(), Ordering::Release);
}

fn root() -> Option<&'static [u8]> {
    let root = ROOT.load(Ordering::Acquire);
    // SAFETY: set from a C string that stays.
    (!root.is_null()).then(|| unsafe { CStr::from_ptr(root) }.to_bytes())
}

/// An absolute path.
pub(crate) struct Path {
    bytes: [u8; libc::PATH_MAX as usize],
    len: usize,
}

impl Path {
    /// The path that a call means, when it is the recorded folder or below it.
    ///
    /// # Safety
    /// `name` is a C string.
    pub(crate) unsafe fn below(folder: c_int, name: *const c_char) -> Option<Self> {
        let root = root()?;
        if name.is_null() {
            return None;
        }
        // SAFETY: as promised by the caller.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        if name.first() == Some(&b'/') && !name.starts_with(root) {
            return None;
        }
        let mut path = Self { bytes: [0; libc::PATH_MAX as usize], len: 0 };
        if name.first() != Some(&b'/') {
            path.fill_with_folder(folder);
            path.push(b"/");
        }
        path.push(name);
        while path.len > 1 && path.bytes[path.len - 1] == b'/' {
            path.len -= 1;
        }
        let below = path.as_bytes().strip_prefix(root)?;
        matches!(below.first(), None | Some(&b'/')).then_some(path)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, more: &[u8]) {
        let end = (self.len + more.len()).min(self.bytes.len());
        let count = end - self.len;
        self.bytes[self.len..end].copy_from_slice(&more[..count]);
        self.len = end;
    }

    fn fill_with_folder(&mut self, folder: c_int) {
        let errno = errno();
        let mut link = [0u8; 32];
        let start: &[u8] = if folder == AT_FDCWD { b"/proc/self/cwd" } else { b"/proc/self/fd/" };
        link[..start.len()].copy_from_slice(start);
        if folder != AT_FDCWD {
            let mut digits = [0u8; 10];
            let mut at = digits.len();
            let mut left = folder.unsigned_abs();
            while at > 0 && (left > 0 || at == digits.len()) {
                at -= 1;
                digits[at] = b'0' + (left % 10) as u8;
                left /= 10;
            }
            let digits = &digits[at..];
            link[start.len()..start.len() + digits.len()].copy_from_slice(digits);
        }
        // SAFETY: a C string and a buffer with its length.
        let read = unsafe {
            let (to, size) = (self.bytes.as_mut_ptr(), self.bytes.len());
            syscall(libc::SYS_readlinkat, AT_FDCWD, link.as_ptr(), to, size)
        };
        self.len = read.max(0) as usize;
        set_errno(errno);
    }
}
